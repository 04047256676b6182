"""FitSNAP's JSON files, written; data/fitsnap_json.py reads them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from snap_al.data.configuration import Configuration
from snap_al.data.fitsnap_json import read_json as read_json
from snap_al.descriptors.reference import spin_vectors
from snap_al.units import ASE_STRESS_TO_ROWS


def write_json(configuration: Configuration) -> str:
    """The same, from a labelled configuration: what `read_json` and FitSNAP read."""
    label = configuration.label
    data: dict[str, Any] = {
        "Lattice": configuration.cell.tolist(),
        "Positions": configuration.positions.tolist(),
        "AtomTypes": list(configuration.species),
        "NumAtoms": len(configuration),
        "Energy": label.energy,
    }
    if label.forces is not None:
        data["Forces"] = label.forces.tolist()
    if label.stress is not None:
        xx, yy, zz, yz, xz, xy = (label.stress * ASE_STRESS_TO_ROWS).tolist()
        data["Stress"] = [[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]
    if configuration.charges is not None:
        data["Charges"] = configuration.charges.reshape(-1, 1).tolist()
    if configuration.spins is not None:
        vectors = spin_vectors(configuration.spins)
        lengths = np.linalg.norm(vectors, axis=1)[:, None]
        data["Spins"] = np.hstack([lengths, vectors / np.where(lengths > 0, lengths, 1.0)]).tolist()
    styles = {
        "EnergyStyle": "electronvolt",
        "ForcesStyle": "electronvoltperangstrom",
        "LatticeStyle": "angstrom",
        "PositionsStyle": "angstrom",
        "StressStyle": "bar",
        "AtomTypeStyle": "chemicalsymbol",
    }
    return json.dumps({"Dataset": {**styles, "Data": [data]}}) + "\n"
