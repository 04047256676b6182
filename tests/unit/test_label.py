"""snap_al.label.labeler: Labelers, what is checked of a label, and the files that keep labels."""

import json
from dataclasses import replace

import numpy as np
import pytest
from ase.calculators.emt import EMT
from helpers.samples import rattled_copper

from snap_al.errors import InputError, LabelError
from snap_al.label import AseLabeler, ImmediateBackend, validate_backend, validate_labeler

EMT_NAME = "ase.calculators.emt.EMT"


class Wrong(EMT):
    """EMT with one fault, chosen by name."""

    def __init__(self, fault="", **kwargs):
        super().__init__(**kwargs)
        self.fault = fault

    def calculate(self, atoms=None, properties=("energy",), system_changes=()):
        if self.fault == "raises":
            raise RuntimeError("the queue is on fire")
        super().calculate(atoms, properties, system_changes)
        if self.fault == "nan":
            self.results["forces"][0, 0] = np.nan
        if self.fault == "shape":
            self.results["forces"] = self.results["forces"][:-1]
        if self.fault == "moves":
            atoms.positions[0] += 1e-3
        if self.fault == "sign":
            self.results["forces"] *= -1
        if self.fault == "flag":
            self.converged = False
        if self.fault == "says so":
            self.label = "code"
            with open("code.out", "w") as file:
                file.write("SCF run NOT converged\n")


def not_a_calculator(**arguments):
    raise ValueError("no pseudopotential for Cu")


def labeler(fault):
    return AseLabeler("test_label.Wrong", {"fault": fault})


def test_emt_keeps_the_contract():
    validate_labeler(AseLabeler(EMT_NAME), rattled_copper(1))


def test_lennard_jones_keeps_the_contract():
    validate_labeler(
        AseLabeler(
            "ase.calculators.lj.LennardJones",
            {"sigma": 2.2, "epsilon": 0.4, "rc": 5.0, "smooth": True},
        ),
        rattled_copper(1),
    )


def test_the_immediate_backend_keeps_the_contract(tmp_path):
    validate_backend(ImmediateBackend(AseLabeler(EMT_NAME), tmp_path), rattled_copper(1))


def test_the_contract_finds_wrong_forces():
    with pytest.raises(AssertionError, match="not the energy's gradient"):
        validate_labeler(labeler("sign"), rattled_copper(1))


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("raises", "queue is on fire"),
        ("nan", "forces is not finite"),
        ("shape", "Wrong raised|forces of shape"),
        ("flag", "not converged: the calculator's converged is False"),
        ("says so", "not converged: code.out says 'SCF run NOT converged'"),
        ("moves", "changed the structure"),
    ],
)
def test_what_is_no_label_is_refused(fault, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LabelError, match=message):
        labeler(fault).label(rattled_copper(1))


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("EMT", {}, "no dotted name"),
        ("no_such_package.Calculator", {}, "cannot be imported"),
        ("ase.calculators.emt.NoSuch", {}, "cannot be imported"),
        ("ase.calculators.emt.parameters", {}, "not a class"),
        ("test_label.not_a_calculator", {}, "no pseudopotential"),
    ],
)
def test_calculators_that_are_not_there(name, arguments, message):
    with pytest.raises(InputError, match=message):
        AseLabeler(name, arguments)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_coincident_atoms_give_no_label():
    """EMT returns a finite energy and NaN forces."""
    c = rattled_copper(1)
    positions = c.positions.copy()
    positions[1] = positions[0]
    with pytest.raises(LabelError):
        AseLabeler(EMT_NAME).label(replace(c, positions=positions))


class Counting:
    key = "counting"

    def __init__(self):
        self.calls = 0
        self.fail = False

    def label(self, configuration):
        self.calls += 1
        if self.fail:
            raise LabelError("not today")
        return AseLabeler(EMT_NAME).label(configuration)


def test_a_label_is_computed_once_and_kept_to_the_bit(tmp_path):
    counting, c = Counting(), rattled_copper(1)
    job = ImmediateBackend(counting, tmp_path).submit(c)
    later = ImmediateBackend(counting, tmp_path)
    assert later.submit(c) == job
    assert counting.calls == 1
    kept, fresh = later.poll(job, c).label, AseLabeler(EMT_NAME).label(c)
    assert kept.energy == fresh.energy
    assert np.array_equal(kept.forces, fresh.forces)
    assert np.array_equal(kept.stress, fresh.stress)
    assert later.poll("unknown", c) is None


def test_a_failed_label_is_tried_again_when_it_is_asked_for_again(tmp_path):
    counting, c = Counting(), rattled_copper(1)
    counting.fail = True
    backend = ImmediateBackend(counting, tmp_path)
    result = backend.poll(backend.submit(c), c)
    assert (result.label, result.reason) == (None, "not today")
    counting.fail = False
    assert backend.poll(backend.submit(c), c).label is not None


@pytest.mark.parametrize("damage", ["cut", "other structure", "nan", "not json"])
def test_damaged_label_files_are_never_used(tmp_path, damage):
    backend, c = ImmediateBackend(Counting(), tmp_path), rattled_copper(1)
    job = backend.submit(c)
    path = tmp_path / f"{job}.json"
    content = json.loads(path.read_text())
    if damage == "other structure":
        content["structure"]["positions"][0][0] += 0.1
    if damage == "nan":
        content["label"]["forces"][0][0] = float("nan")
    text = json.dumps(content)
    path.write_text({"cut": text[: len(text) // 2], "not json": "{"}.get(damage, text))
    with pytest.raises(LabelError, match="no label file"):
        backend.poll(job, c)


def test_other_settings_are_another_label(tmp_path):
    c = rattled_copper(1)
    jobs = {
        ImmediateBackend(AseLabeler(EMT_NAME, a), tmp_path).submit(c)
        for a in ({}, {"asap_cutoff": True})
    }
    assert len(jobs) == 2
