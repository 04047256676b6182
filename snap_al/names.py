"""Text that comes from files (groups, paths, structures, messages of other programs), made safe for
where it is shown.

Each medium gives some characters a meaning of its own. The functions here take that meaning away,
so that a name is shown as it is, and only characters that cannot be shown are replaced by their
escapes, as in Python's repr()."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def in_terminal(name: str) -> str:
    r"""On one line of a terminal or a log: characters that do not print (escape sequences, line
    breaks, marks that turn the direction of writing) become escapes such as \x1b and \n."""
    return "".join(_shown(c) for c in name)


def in_message(text: str) -> str:
    """In a message of one or several lines: as `in_terminal`, but line breaks and tabs stay."""
    return "".join(c if c in "\n\t" else _shown(c) for c in text)


def in_log(text: str) -> str:
    """In an entry of a log: lines after the first are indented, so that none of them looks like
    another entry."""
    return in_message(text).replace("\n", "\n    ")


def in_figure(name: str) -> str:
    """In a matplotlib figure, where a pair of dollar signs would start a formula."""
    return in_terminal(name).replace("$", r"\$")


def in_page(value: object) -> object:
    """In an HTML page, before jinja escapes what HTML gives a meaning to. Markup is returned as it
    is."""
    return in_message(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def csv_text(rows: Iterable[Sequence[object]], separator: str = ",") -> str:
    """CSV with lines that end in a line feed. Fields that contain the separator, quotes or line
    breaks are quoted, and None is empty: every name is read back as it was, except for characters
    that UTF-8 does not have."""
    return "".join(separator.join(_field(v, separator) for v in row) + "\n" for row in rows)


def _shown(character: str) -> str:
    if character.isprintable():
        return character
    return character.encode("unicode_escape").decode("ascii")


def _field(value: object, separator: str) -> str:
    text = "" if value is None else str(value).encode("utf-8", "backslashreplace").decode("utf-8")
    if any(c in text for c in (separator, '"', "\n", "\r")) or (separator == " " and not text):
        return '"' + text.replace('"', '""') + '"'
    return text
