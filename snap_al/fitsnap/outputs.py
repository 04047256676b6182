"""The files that a deck asks for by name, looked at before anything is computed."""

from __future__ import annotations

from pathlib import Path

from snap_al.data.output_names import check_all_different, check_output_name, files_of_a_potential
from snap_al.errors import InputError
from snap_al.fitsnap.deck import Deck


def check_outputs(deck: Deck, folder: Path) -> None:
    """Raises InputError, naming deck, key and value, for a name in [OUTFILE] that is no plain name
    of a file in `folder`, is one of snap_al's own or another output's, or would replace the deck or
    a folder."""
    asked = [("metrics", deck.metrics), *deck.dumps.items(), ("potential", deck.potential)]
    for key, name in asked:
        check_output_name(name, _where(deck, key, name))
    where = _where(deck, "potential", deck.potential)
    if deck.potential.lower().endswith("_variance"):
        raise InputError(
            f"{where}: ends like the variance that is written beside a potential; take another name"
        )
    files = [(name, _where(deck, key, name)) for key, name in asked[:-1]]
    files += [(name, where) for name in files_of_a_potential(deck.potential)]
    check_all_different(files)
    for name, what in files:
        path = folder / name
        if path.is_dir():
            raise InputError(f"{what}: {path} is a folder; take another name")
        if path.exists() and path.samefile(deck.path):
            raise InputError(f"{what}: is the deck itself; take another name, or another --out")


def _where(deck: Deck, key: str, name: str) -> str:
    return f"{deck.path}: [OUTFILE] {key} = {name if name.isprintable() else repr(name)}"
