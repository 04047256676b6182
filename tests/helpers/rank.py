"""A process that stands for one of `python -m snap_al`: see `preloaded.py`.

It imports next to nothing. Where the launcher is none that it knows, it becomes the program.
"""

import _socket
import os
import sys

PMI = os.environ.get("PMI_FD")
"""The connection to the mpirun of an MPICH."""
OTHER_LAUNCHERS = ("PMI_PORT", "PMIX_RANK", "OMPI_COMM_WORLD_RANK")


def main() -> None:
    if any(name in os.environ for name in OTHER_LAUNCHERS):
        os.execv(sys.executable, [sys.executable, "-m", "snap_al", *sys.argv[1:]])
    import json
    import struct

    call = {"arguments": sys.argv[1:], "cwd": os.getcwd(), "env": dict(os.environ)}
    content = json.dumps(call).encode()
    descriptors = struct.pack("3i", 0, 1, 2) + (struct.pack("i", int(PMI)) if PMI else b"")
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    connection.connect(os.environ["PRELOADED_SOCKET"])
    connection.sendmsg(
        [struct.pack("q", len(content))], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, descriptors)]
    )
    if PMI:
        os.close(int(PMI))  # mpirun takes its end for that of the rank
    while content:
        content = content[connection.send(content) :]
    said = connection.recv(4)
    code = struct.unpack("i", said)[0] if len(said) == 4 else 1
    if code < 0:
        os.kill(os.getpid(), -code)
    os._exit(code)


main()
