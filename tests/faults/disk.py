"""A disk that is full: a file system of a few hundred kB, full at another write each time, and then
with room.
"""

import os
import shutil
import subprocess

from bench import Row, compared, labels


def available(root):
    if os.geteuid() != 0 or shutil.which("mount") is None:
        return False
    place = root / "try"
    place.mkdir()
    works = (
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], capture_output=True
        ).returncode
        == 0
    )
    if works:
        subprocess.run(["umount", place], check=True)
    return works


def full_disk(case, count, what="size"):
    """what: size, or nr_inodes, of which every file needs one. Survived: an exit code of 3 with a
    message, and with more room the rest as if nothing had been."""
    row = Row(f"disk full, {what}, {case.ranks} rank{'s' if case.ranks > 1 else ''}")
    files = list(case.whole.rglob("*"))
    needed = (
        len(files) if what == "nr_inodes" else sum(p.stat().st_blocks * 512 for p in files) // 1024
    )
    unit, room = ("", 100000) if what == "nr_inodes" else ("k", "200m")
    for n in range(count):
        place = case.folder()
        place.mkdir()
        given = 4 + (needed - 6) * n // max(count - 1, 1)
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"{what}={given}{unit}", "tmpfs", place], check=True
        )
        try:
            code, said = case.ended(case.start(place / "run"))
            before = labels(place / "run")
            subprocess.run(["mount", "-o", f"remount,{what}={room}", place], check=True)
            same, note = case.goes_on(place / "run")
            wrong = ""
            if "Traceback" in said or code not in (0, 2, 3, 75):
                wrong = f"{what}={given}: exit code {code}: {said[-700:]}"
            row.add(
                same and not wrong,
                wrong or f"{what}={given}: {note}",
                *compared(before, place / "run"),
            )
        finally:
            subprocess.run(["umount", "-l", place], check=True)
    return row
