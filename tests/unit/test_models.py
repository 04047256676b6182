"""snap_al.potential.model: What the rest of the package needs of a model: of SNAP, and of one that
is not snap_al's.
"""

import numpy as np
import pytest
from helpers.samples import KINDS_OF_SNAP, rattled_copper, two_units
from helpers.two_units import TwoUnits, UnitsEngine

from snap_al.config import validate_config
from snap_al.descriptors import ReferencePotential
from snap_al.errors import InputError
from snap_al.inference import fit_posterior
from snap_al.md import EveryNth, Protocol, SegmentFiles, SegmentStart, StageSettings, run_segment
from snap_al.parallel import SERIAL
from snap_al.potential import FittedPotential, Snap
from snap_al.potential.contract import validate_model
from snap_al.tasks.tune import tune


def alloy():
    atoms = rattled_copper(5, 0.1, repeat=1).to_atoms() * (2, 1, 1)
    atoms.symbols[::3] = "Ag"
    atoms.positions += 0.05 * np.random.default_rng(2).standard_normal(atoms.positions.shape)
    return atoms


@pytest.mark.parametrize("kind", KINDS_OF_SNAP)
def test_snap_keeps_the_contract(kind):
    validate_model(Snap(KINDS_OF_SNAP[kind]), alloy())


def test_another_model_keeps_the_contract():
    atoms = alloy()
    atoms.symbols[:] = "Cu"
    validate_model(two_units(), atoms, tolerance=1e-5)


def test_a_segment_closes_what_the_monitor_opened(tmp_path, monkeypatch):
    """Each segment has a monitor of its own, and that an engine with a LAMMPS session."""
    made, closed = [], []
    engine, close = TwoUnits.engine, UnitsEngine.close
    monkeypatch.setattr(TwoUnits, "engine", lambda *args: made.append(engine(*args)) or made[-1])
    monkeypatch.setattr(UnitsEngine, "close", lambda self: closed.append(id(self)) or close(self))
    copper = rattled_copper(1, repeat=1)
    posterior = fit_posterior(np.eye(3), np.zeros(3))
    potential = FittedPotential(two_units(), ReferencePotential(), posterior)
    potential.write(tmp_path)
    protocol = Protocol.of([StageSettings(ensemble="nve", steps=10, timestep=0.001)])
    start = SegmentStart(copper, None, 0, 1, 10)
    files = SegmentFiles(tmp_path / "restart")
    run_segment(SERIAL, potential, tmp_path, protocol, start, EveryNth(100), files)
    assert len(made) == 1
    assert closed == [id(made[0])]


SOME = {"descriptor": {"elements": ["Cu"], "twojmax": 2, "rcutfac": 4.0}}
WALKERS = {"walkers": [{"structure": "Cu.extxyz"}], "bias": {"tau": 0.2}}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"model": {"type": "a.Model"}, "prior_mean": "a.snapcoeff"}, "prior_mean does not apply"),
        ({"model": {"type": "a.Model"}, "explore": WALKERS}, "explore.bias needs a variance"),
        (
            {"descriptor": {**SOME["descriptor"], "quadraticflag": True}, "explore": WALKERS},
            "explore.bias needs a variance",
        ),
        ({"model": {"options": {"a": 1}}}, "options does not apply with type: snap"),
        ({"model": {"type": "network"}}, "or the dotted name of a class of yours"),
    ],
)
def test_what_a_model_excludes(tmp_path, content, said):
    with pytest.raises(InputError, match=said):
        validate_config({**SOME, **content}, tmp_path / "config.yaml")


def test_tune_is_for_snap(tmp_path):
    config = validate_config({**SOME, "model": {"type": "a.Model"}}, tmp_path / "config.yaml")
    with pytest.raises(InputError, match="tune searches settings of SNAP"):
        tune(config, tmp_path / "tune")
