"""Writes the list of tests that only `make test-all` runs into CONTRIBUTING.md.

The list is what `pytest -m slow --collect-only` finds, with the variants of a test counted.
"""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "CONTRIBUTING.md"
BEGIN, END = "<!-- slow tests: begin -->", "<!-- slow tests: end -->"


def found() -> list[str]:
    """Lines of Markdown; in brackets how many variants of a test are slow, when several are."""
    command = [sys.executable, "-m", "pytest", "-m", "slow", "--collect-only"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    counts = Counter(re.findall(r"^(tests/\S+?\.py)::(\w+)", told, re.MULTILINE))
    files: dict[str, list[str]] = {}
    for (file, name), n in counts.items():
        files.setdefault(file, []).append(f"`{name}`" + (f" ({n})" if n > 1 else ""))
    lines = []
    for file, names in files.items():
        lines.append(f"- `{file}`:")
        lines += [f"  {name}{',' if n + 1 < len(names) else ''}" for n, name in enumerate(names)]
    return lines


if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    PAGE.write_text("\n".join([before + BEGIN, "", *found(), "", END + after]), encoding="utf-8")
