"""A FitSNAP deck as part of a config."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from snap_al.data.storage import expanded
from snap_al.fitsnap import Deck, read_deck


def deck_of(content: dict[str, Any], folder: Path) -> Deck | None:
    """The deck that a config's `fitsnap` names, if it names one. Raises InputError."""
    path = content.get("fitsnap")
    return read_deck(folder / expanded(path)) if isinstance(path, str) else None


def deck_content(deck: Deck | None) -> dict[str, Any]:
    """Descriptor, reference potential and solver, as a config has them."""
    if deck is None:
        return {}
    return {
        "descriptor": deck.settings.model_dump(),
        "reference": list(deck.reference),
        "fit": deck.fit.model_dump(),
    }
