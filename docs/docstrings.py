"""Docstrings are plain sentences with Markdown's `code`, tables in columns and indented examples.

Sphinx reads reStructuredText. What has numpydoc's sections is left to numpydoc, which is given it unchanged.
"""

import re

CODE = re.compile(r"(`[^`]+`)")
SPECIAL = re.compile(r"([*|\\]|_(?=\W|$))")
SECTION = re.compile(r"^[A-Z][A-Za-z ]+\n-{3,}$", re.MULTILINE)
GOOGLE_SECTION = re.compile(r"(Attributes|Args|Returns|Raises):$")
COLUMNS = re.compile(r"\S {3,}\S")


def as_rst(app: object, what: str, name: str, value: object, options: object, lines: list[str]) -> None:
    """autodoc's hook: changes the lines in place."""
    if SECTION.search("\n".join(lines)):
        return
    changed: list[str] = []
    for paragraph in "\n".join(lines).split("\n\n"):
        changed += [*_paragraph(paragraph.split("\n")), ""]
    lines[:] = changed


def _paragraph(lines: list[str]) -> list[str]:
    lines = [line for line in lines if line.strip()]
    if not lines:
        return []
    if lines[0].startswith("    ") or any(COLUMNS.search(line.strip()) for line in lines):
        return ["::", "", *(f"    {line}" for line in lines)]
    if GOOGLE_SECTION.match(lines[0]):
        return [f"**{lines[0].strip(':')}**", "", *_fields(lines[1:])]
    return [_escaped(line if line.startswith(("- ", "  ")) and lines[0].startswith("- ") else line.strip()) for line in lines]


def _fields(lines: list[str]) -> list[str]:
    """Of `name: meaning`, where what is indented further goes on."""
    depth = min(len(line) - len(line.lstrip()) for line in lines)
    return [
        f"  {_escaped(line.strip())}" if len(line) - len(line.lstrip()) > depth else f"- {_escaped(line.strip())}" for line in lines
    ]


def _escaped(line: str) -> str:
    return "".join(
        f"``{part.strip('`')}``" if CODE.fullmatch(part) else SPECIAL.sub(r"\\\1", part) for part in CODE.split(line)
    )
