"""LAMMPS scripts of the user's: what they must not hold, and where in them an error is; and what
LAMMPS says of it.
"""

from __future__ import annotations

import re
from pathlib import Path

from snap_al.data.storage import LARGEST_TEXT, require_regular_file
from snap_al.errors import InputError


def check_script(path: Path) -> None:
    """Raises InputError for a `quit`, which would end Python itself."""
    for number, line in enumerate(
        require_regular_file(path, LARGEST_TEXT)
        .read_text(encoding="utf-8", errors="replace")
        .splitlines(),
        1,
    ):
        if re.match(r"\s*quit\b", line):
            raise InputError(f"{path}:{number}: `quit` would end the whole job; take it out")


def line_of(script: Path, message: str) -> str:
    """Where in a script LAMMPS' message points to, as far as it can be told."""
    last = re.search(r"Last input line: (.*?)(?: \^+)?$", message)
    variable = re.search(r"illegal variable (\w+)", message)
    wanted = last.group(1).split() if last else []
    for number, line in enumerate(
        require_regular_file(script, LARGEST_TEXT)
        .read_text(encoding="utf-8", errors="replace")
        .splitlines(),
        1,
    ):
        if (wanted and line.split("#")[0].split() == wanted) or (
            variable and f"${{{variable.group(1)}}}" in line
        ):
            return f" ({script.name}, line {number}: {line.strip()})"
    return ""


def message_of(error: BaseException) -> str:
    """LAMMPS' own message on one line, without the place in its source."""
    text = " ".join(str(error).split())
    return re.sub(r"\s*\(src/[^)]*\)|\s*\(\.\./src/[^)]*\)", "", text) or type(error).__name__
