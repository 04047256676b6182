"""Values of a FitSNAP deck by section and key, checked one by one."""

from __future__ import annotations

import configparser
import math
from dataclasses import dataclass
from pathlib import Path

from snap_al.errors import InputError

BOOLEAN = {
    "1": True,
    "0": False,
    "true": True,
    "false": False,
    "yes": True,
    "no": False,
    "on": True,
    "off": False,
}


@dataclass(frozen=True)
class Values:
    """Of one deck. Raises InputError that names section, key and value for what is malformed."""

    path: Path
    """Path of the deck."""
    parser: configparser.ConfigParser
    """Parsed text of the deck."""

    def items(self, section: str) -> list[tuple[str, str]]:
        """Keys and values of a section; none where it is not there."""
        return self.parser.items(section) if self.parser.has_section(section) else []

    def get(self, section: str, key: str, fallback: str) -> str:
        """As it is written."""
        return self.parser.get(section, key, fallback=fallback).strip()

    def flag(self, section: str, key: str, fallback: bool) -> bool:
        """True or false, in FitSNAP's words."""
        text = self.get(section, key, str(int(fallback)))
        if text.lower() not in BOOLEAN:
            raise self.error(f"[{section}] {key} = {text}", "expected 0 or 1")
        return BOOLEAN[text.lower()]

    def choice(self, section: str, key: str, fallback: str, choices: tuple[str, ...]) -> str:
        """One of the choices, in upper case."""
        text = self.get(section, key, fallback).upper()
        if text not in choices:
            raise self.error(
                f"[{section}] {key} = {text}", f"not supported; there are {', '.join(choices)}"
            )
        return text

    def number(self, where: str, text: str) -> float:
        """A finite number. where: for messages."""
        try:
            number = float(text)
        except ValueError as error:
            raise self.error(where, f"{text!r} is no number") from error
        if not math.isfinite(number):
            raise self.error(where, f"{text!r} is not finite")
        return number

    def whole(self, where: str, text: str) -> int:
        """A whole number. where: for messages."""
        number = self.number(where, text)
        if number != int(number):
            raise self.error(where, f"{text!r} is no whole number")
        return int(number)

    def integer(self, section: str, key: str, fallback: str) -> int:
        """A whole number."""
        return self.whole(f"[{section}] {key}", self.get(section, key, fallback))

    def error(self, where: str, what: str) -> InputError:
        return InputError(f"{self.path}: {where}: {what}")


def is_zero(text: str) -> bool:
    """0, 0.0, false, no, off, None."""
    try:
        return float(text) == 0
    except ValueError:
        return text == "None" or BOOLEAN.get(text.lower()) is False
