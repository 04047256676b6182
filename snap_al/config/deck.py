"""A FitSNAP deck as part of a config."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from snap_al.data.storage import expanded
from snap_al.fitsnap import Deck, read_deck


def with_deck(content: dict[str, Any], folder: Path) -> dict[str, Any]:
    """A config's content with what its `fitsnap` deck gives and it does not give itself. Raises
    InputError for the deck.
    """
    path = content.get("fitsnap")
    return (
        {**deck_content(read_deck(folder / expanded(path))), **content}
        if isinstance(path, str)
        else content
    )


def deck_content(deck: Deck) -> dict[str, Any]:
    """Descriptor, reference potential and solver, as a config has them."""
    return {
        "descriptor": deck.settings.model_dump(),
        "reference": list(deck.reference),
        "fit": deck.fit.model_dump(),
    }
