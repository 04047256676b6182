"""Help texts that are shown as they are written."""

from __future__ import annotations

from typing import Any

from typer.core import HAS_RICH, TyperCommand


class PlainHelpCommand(TyperCommand):
    """A command in whose help texts brackets are brackets, and not markup, which would vanish."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        if not HAS_RICH or self.rich_markup_mode is None:
            return
        from rich.markup import escape

        self.help = escape(self.help or "")
        for parameter in self.params:
            text = getattr(parameter, "help", None)
            if text:
                parameter.help = escape(text)  # type: ignore[attr-defined]
