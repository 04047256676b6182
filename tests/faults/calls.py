"""Faults at single system calls, by strace: kill -9 at the call, or the call fails as on a full or
broken disk.
"""

import shutil
import subprocess

from bench import Row, compared, labels, left

KINDS = {
    "write": "write,pwrite64,writev",
    "fsync": "fsync,fdatasync",
    "rename": "rename,renameat,renameat2",
    "open": "openat,open",
    "unlink": "unlink,unlinkat,ftruncate",
}
ERRORS = {
    "write": ("ENOSPC", "EDQUOT", "EIO"),
    "fsync": ("ENOSPC", "EIO"),
    "rename": ("ENOSPC",),
    "open": ("ENOSPC", "EDQUOT"),
}


def available():
    """Whether strace is here and may trace; in a container it often may not."""
    if shutil.which("strace") is None:
        return False
    tried = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "inject=flock:error=ENOLCK", "true"]
    return subprocess.run(tried, capture_output=True).returncode == 0


def traced(kind, inject="", log="/dev/null"):
    fault = ["-e", f"inject={KINDS[kind]}:{inject}"] if inject else []
    return ["strace", "-f", "-qq", "-o", log, "-e", f"trace={KINDS[kind]}", *fault]


def counted(case, kind):
    """How many such calls the run makes, in its main thread, and the first after its imports: the
    one after which its folder is there.
    """
    out, log = case.folder(), case.root / f"{kind}.strace"
    code, said = case.ended(case.start(out, traced(kind, log=str(log))))
    assert code == 0, said
    lines = log.read_text().splitlines()
    main = lines[0].split()[0]
    lines = [line for line in lines if line.split()[0] == main]
    first = next((n for n, line in enumerate(lines, 1) if str(out) in line), 1)
    return (first if kind in ("open", "rename") else 1), len(lines)


def at_calls(case, kind, count, rng, error=""):
    """error: an errno that the call returns, once; kill -9 when not given."""
    what = f"{error} from" if error else "kill -9 at"
    row = Row(f"{what} {kind}, {case.ranks} rank{'s' if case.ranks > 1 else ''}")
    first, last = counted(case, kind)
    for when in sorted(
        rng.choice(range(first, last + 1), min(count, last - first + 1), replace=False)
    ):
        out = case.folder()
        inject = f"error={error}:when={when}" if error else f"signal=SIGKILL:when={when}"
        code, said = case.ended(case.start(out, traced(kind, inject)))
        before = labels(out)
        left(out)
        same, note = case.goes_on(out)
        wrong = f"call {when}: a hang" if code is None else ""
        if error and "Traceback" in said:
            wrong = f"call {when}: {said[-700:]}"
        row.add(same and not wrong, wrong or f"call {when}: {note}", *compared(before, out))
    return row
