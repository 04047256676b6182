"""Commented configs: ready ones by name, and one made for a structure file alone."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
from ase.data import atomic_numbers
from numpy.typing import NDArray

from snap_al.data.configuration import Configuration
from snap_al.data.readers import FileOptions, read_file
from snap_al.errors import InputError

MIN_ATOMS = 50
"""Supercells of a config that is made for a structure have at least so many atoms."""
SHELL_GAP = 0.05
"""Neighbours whose distances differ by less than this share belong to one shell."""
SHELLS = 3
"""The cutoff lies between this shell and the next."""


def template_names() -> list[str]:
    """Of the configs that `snap-al init` can write."""
    folder = resources.files("snap_al.config") / "templates"
    return sorted(
        p.name.removesuffix(".yaml") for p in folder.iterdir() if p.name.endswith(".yaml")
    )


def template(name: str) -> str:
    """The text of a ready config. Raises InputError for an unknown name."""
    if name not in template_names():
        raise InputError(f"no template {name!r}; there are: {', '.join(template_names())}")
    return (resources.files("snap_al.config") / "templates" / f"{name}.yaml").read_text(
        encoding="utf-8"
    )


@dataclass(frozen=True)
class Shells:
    """Shells of neighbours in a crystal."""

    nearest: float
    """Shortest distance, Å."""
    cutoff: float
    """Cutoff in the gap behind the third shell, Å."""
    distances: tuple[float, ...]
    """Distances of the shells, Å."""


def neighbour_shells(configuration: Configuration, search: float = 9.0) -> Shells:
    """Raises InputError for a structure without neighbours within `search` Å."""
    from ase.neighborlist import neighbor_list  # late: it is slow to import

    distances: NDArray[np.float64] = np.sort(neighbor_list("d", configuration.to_atoms(), search))
    if not len(distances):
        raise InputError(
            f"{configuration.name}: no two atoms are within {search} Å of each other; nothing to "
            "build a cutoff on"
        )
    starts = np.flatnonzero(np.diff(distances, prepend=0.0) > SHELL_GAP * distances)
    shells = [float(part.mean()) for part in np.split(distances, starts[1:])]
    inner = shells[:SHELLS]
    cutoff = 0.5 * (inner[-1] + shells[SHELLS]) if len(shells) > SHELLS else 1.15 * inner[-1]
    return Shells(float(distances[0]), round(cutoff, 2), tuple(round(s, 3) for s in inner))


def config_for_structure(
    path: Path, *, dimers: bool, relative_to: Path, options: FileOptions | None = None
) -> str:
    """A commented config for one structure file: elements, cutoff from its neighbour shells, ZBL
    for close approach, gentle strains and rattles to begin with. options: how to read it. Raises
    InputError for a file that cannot be used."""
    from ase.data import chemical_symbols

    known = tuple(chemical_symbols[1:])
    configuration = read_file(path, known, labelled=False, options=options).configurations[0]
    format = options and options.format
    if not all(configuration.pbc):
        raise InputError(
            f"{path}: a structure to explore from must be periodic in all directions; add vacuum "
            "and set pbc"
        )
    elements = list(dict.fromkeys(configuration.species))
    shells = neighbour_shells(configuration)
    inner, outer = round(0.55 * shells.nearest, 2), round(0.75 * shells.nearest, 2)
    zbl = [f'  - "pair_style zbl {inner} {outer}"'] + [
        f'  - "pair_coeff {i} {j} {atomic_numbers[elements[i - 1]]} '
        f'{atomic_numbers[elements[j - 1]]}"'
        for i in range(1, len(elements) + 1)
        for j in range(i, len(elements) + 1)
    ]
    values = {
        "structure": json.dumps(_relative(path, relative_to)),
        "on a line": f"\n      format: {format}" if format else "",
        "in braces": f", format: {format}" if format else "",
        "elements": ", ".join(elements),
        "shells": ", ".join(f"{d:.2f}" for d in shells.distances),
        "rcutfac": f"{shells.cutoff}",
        "zbl": "\n".join(zbl),
        "supercell": str(list(_supercell(configuration, shells.cutoff))),
        "dimers": (
            f"  dimers: {{shortest: {inner}, longest: {round(0.95 * shells.nearest, 2)}, count: 4}}"
            if dimers
            else (
                f"  # dimers: {{shortest: {inner}, longest: {round(0.95 * shells.nearest, 2)}, "
                f"count: 4}}"
            )
        ),
    }
    text = (resources.files("snap_al.config") / "templates" / "structure.txt").read_text(
        encoding="utf-8"
    )
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text


def _supercell(configuration: Configuration, cutoff: float) -> tuple[int, int, int]:
    """Repeats until no vector's spacing is below the cutoff and there are MIN_ATOMS atoms."""
    normals = np.linalg.inv(configuration.cell).T
    spacing = 1.0 / np.linalg.norm(normals, axis=1)
    repeats = np.maximum(np.ceil(cutoff / spacing).astype(int), 1)
    while len(configuration) * int(np.prod(repeats)) < MIN_ATOMS:
        repeats[int(np.argmin(repeats * spacing))] += 1
    return int(repeats[0]), int(repeats[1]), int(repeats[2])


def _relative(path: Path, folder: Path) -> str:
    path, folder = path.resolve(), folder.resolve()
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)
