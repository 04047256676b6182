"""Docstrings are plain sentences with Markdown's `code`, tables in columns and indented examples.

Sphinx reads reStructuredText. Sections in numpydoc's or Google's form are left to Napoleon.
"""

import re

from sphinx.ext.napoleon import GoogleDocstring, NumpyDocstring

CODE = re.compile(r"(`[^`]+`)")
SPECIAL = re.compile(r"([*|\\]|_(?=\W|$))")
NUMPYDOC = re.compile(r"^[A-Z][A-Za-z ]+\n-{3,}$", re.MULTILINE)
GOOGLE = re.compile(r"^(Attributes|Args|Returns|Raises):$", re.MULTILINE)
COLUMNS = re.compile(r"\S {3,}\S")


def as_rst(
    app: object, what: str, name: str, value: object, options: object, lines: list[str]
) -> None:
    """autodoc's hook: changes the lines in place."""
    text = "\n".join(lines)
    if NUMPYDOC.search(text):
        lines[:] = NumpyDocstring(text, what=what, name=name, obj=value).lines()
    elif GOOGLE.search(text):
        lines[:] = GoogleDocstring(text, what=what, name=name, obj=value).lines()
    else:
        paragraphs = [_paragraph(p.split("\n")) for p in text.split("\n\n")]
        lines[:] = [line for paragraph in paragraphs for line in [*paragraph, ""]]


def _paragraph(lines: list[str]) -> list[str]:
    lines = [line for line in lines if line.strip()]
    if not lines:
        return []
    if lines[0].startswith("    ") or any(COLUMNS.search(line.strip()) for line in lines):
        return ["::", "", *(f"    {line}" for line in lines)]
    if lines[0].startswith("- "):
        return [_escaped(line) for line in lines]
    return [_escaped(line.strip()) for line in lines]


def _escaped(line: str) -> str:
    """`code` as reStructuredText has it, and no other markup."""
    return "".join(
        f"``{part.strip('`')}``" if CODE.fullmatch(part) else SPECIAL.sub(r"\\\1", part)
        for part in CODE.split(line)
    )
