"""Writes the list of tests that only `make test-all` runs into CONTRIBUTING.md.

The list is what `pytest -m slow --collect-only` finds, with the variants of a test counted.
"""

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "CONTRIBUTING.md"
BEGIN, END = "<!-- slow tests: begin -->", "<!-- slow tests: end -->"


def entries(nodes: Iterable[str]) -> dict[str, list[str]]:
    """For each file of these tests their names in Markdown, both by the alphabet; in brackets how
    many variants of a test there are, when several are.
    """
    counts = Counter(tuple(node.split("[")[0].split("::")[:2]) for node in nodes)
    files: dict[str, list[str]] = {}
    for (file, name), n in sorted(counts.items()):
        files.setdefault(file, []).append(f"`{name}`" + (f" ({n})" if n > 1 else ""))
    return files


def listed(page: str) -> dict[str, list[str]]:
    """What the page says, as `entries` has it."""
    files: dict[str, list[str]] = {}
    for line in page.split(BEGIN)[1].split(END)[0].splitlines():
        if line.startswith("- "):
            names = files.setdefault(line[3:].rstrip("`:"), [])
        elif line:
            names.append(line.strip().rstrip(","))
    return files


def found() -> list[str]:
    """Lines of Markdown."""
    command = [sys.executable, "-m", "pytest", "-m", "slow", "--collect-only"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    lines = []
    for file, names in entries(re.findall(r"^tests/\S+?\.py::\w.*", told, re.MULTILINE)).items():
        lines.append(f"- `{file}`:")
        lines += [f"  {name}{',' if n + 1 < len(names) else ''}" for n, name in enumerate(names)]
    return lines


if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    PAGE.write_text("\n".join([before + BEGIN, "", *found(), "", END + after]), encoding="utf-8")
