"""Shared pieces: published data when it is at hand, small structures, and a way to run the program
as a user does.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from ase.build import bulk
from helpers.preloaded import Preloaded
from optional import BIN, summary_of_skips

from snap_al.data import Configuration, Label, Weights
from snap_al.descriptors import DescriptorEngine, ReferencePotential, SnapSettings

ROOT = Path(__file__).resolve().parents[1]
hypothesis.settings.register_profile(
    "no deadline", deadline=None
)  # the time of an example is the machine's affair
hypothesis.settings.load_profile("no deadline")


ONLY_WHEN_SLOW = (
    "test_on_the_fly.py::test_a_study_in_short",
    "test_no_waiting.py::test_walkers_go_on[2]",
    "test_faults.py::test_a_few_of_each[folders]",
    "test_slurm.py::test_wherever_the_driver_is[sbatch and srun]",
    "test_walkers_survive.py::test_killed_again_and_again[batch-2-3]",
    "test_labels_survive.py::test_killed_while_labels_are_computed[1]",
    "test_approval.py::test_nothing_is_labelled_without_a_yes[1]",
    "test_biased.py::test_more_is_uncertain_the_larger_the_share[with a reference potential]",
    "test_run.py::test_other_rules_for_when_to_label[flare]",
    "test_run.py::test_other_rules_for_when_to_label[grade]",
    "test_run.py::test_other_rules_for_when_to_label[hal]",
    "test_run.py::test_biased_md_in_plain_lammps[1]",
    "test_run.py::test_a_log_that_cannot_be_opened_ends_the_job[1]",
    "test_signals.py::test_ends_and_goes_on[2-15]",
)
"""The longest variants of tests of which another variant, or a shorter test, runs by default: a
fresh clone has 25 minutes.
"""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.nodeid.endswith(ONLY_WHEN_SLOW):
            item.add_marker(pytest.mark.slow)


def pytest_configure() -> None:
    """A script's shell starts what it puts in the background with interrupts ignored, which the
    tests' own processes would inherit.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_unconfigure() -> None:
    PRELOADED.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was not tested here, and what it would need."""
    lines = summary_of_skips(terminalreporter.stats.get("skipped", []))
    if lines:
        terminalreporter.section("skipped here: how many, why, and in which files")
        for line in lines:
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of published training sets: SNAP_AL_DATA, or ../shared/data."""
    folder = Path(os.environ.get("SNAP_AL_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "mlearn").is_dir():
        pytest.skip(
            f"needs the published training sets, which are not at {folder}: set SNAP_AL_DATA"
        )
    return folder


@pytest.fixture(scope="session")
def alloy() -> Configuration:
    """Six Cu and two Ag atoms in a strained, rattled, triclinic cell."""
    rng = np.random.default_rng(3)
    atoms = bulk("Cu", cubic=True) * (2, 1, 1)
    atoms.symbols[[1, 4]] = "Ag"
    atoms.set_cell(
        atoms.cell.array @ (np.eye(3) + 0.1 * rng.standard_normal((3, 3))), scale_atoms=True
    )
    atoms.positions += 0.15 * rng.standard_normal((8, 3))
    return Configuration.from_atoms(atoms, "alloy")


CHEM = SnapSettings(
    elements=("Cu", "Ag"), twojmax=4, rcutfac=4.5, radelem=(0.5, 0.45), wj=(1.0, 0.8), chemflag=True
)
PLAIN = SnapSettings(
    elements=("Cu", "Ag"),
    twojmax=4,
    rcutfac=4.5,
    radelem=(0.5, 0.45),
    wj=(1.0, 0.8),
    bzeroflag=True,
)
QUADRATIC = SnapSettings(
    elements=("Cu", "Ag"),
    twojmax=2,
    rcutfac=4.5,
    radelem=(0.5, 0.45),
    wj=(1.0, 0.8),
    quadraticflag=True,
)
INNER = SnapSettings(
    elements=("Cu", "Ag"), twojmax=4, rcutfac=4.5, sinner=(2.0, 2.1), dinner=(0.3, 0.4)
)
COPPER = SnapSettings(elements=("Cu",), twojmax=4, rcutfac=4.5)
ZBL = ReferencePotential.parse(
    [
        "pair_style zbl 2.5 3.5",
        "pair_coeff 1 1 29 29",
        "pair_coeff 1 2 29 47",
        "pair_coeff 2 2 47 47",
    ]
)


KINDS_OF_SNAP = {"chem": CHEM, "plain": PLAIN, "quadratic": QUADRATIC, "inner": INNER}


@pytest.fixture(scope="session", params=list(KINDS_OF_SNAP))
def engine(request: pytest.FixtureRequest):
    with DescriptorEngine(KINDS_OF_SNAP[request.param], ZBL) as opened:
        yield opened


@pytest.fixture(scope="session")
def copper_engine():
    with DescriptorEngine(COPPER, ReferencePotential()) as opened:
        yield opened


def rattled_copper(seed: int, displacement: float = 0.08, repeat: int = 2) -> Configuration:
    """Labelled by EMT."""
    from ase.calculators.emt import EMT

    rng = np.random.default_rng(seed)
    atoms = bulk("Cu", cubic=True) * (repeat, repeat, repeat)
    atoms.set_cell(atoms.cell.array * (1 + rng.uniform(-0.02, 0.02)), scale_atoms=True)
    atoms.positions += displacement * rng.standard_normal(atoms.positions.shape)
    atoms.calc = EMT()
    label = Label(atoms.get_potential_energy(), atoms.get_forces(), atoms.get_stress())
    return Configuration.from_atoms(atoms, f"copper {seed}").labelled(label)


@pytest.fixture(scope="session")
def copper_potential():
    """Fitted to EMT copper from nearly perfect to well rattled; linear SNAP, 2J = 4, no reference
    potential.
    """
    from snap_al.data import LabelledConfiguration
    from snap_al.descriptors import DesignMatrix
    from snap_al.fit import fit_posterior
    from snap_al.parallel import SERIAL
    from snap_al.potential import FittedPotential

    with DescriptorEngine(COPPER, ReferencePotential()) as engine:
        matrix = DesignMatrix(engine, SERIAL)
        matrix.append(
            [
                LabelledConfiguration(rattled_copper(k, 0.02 + 0.01 * (k % 8)), WEIGHTS)
                for k in range(16)
            ]
        )
    rows = matrix.slabs()[0].used()
    posterior = fit_posterior(rows.values, rows.targets, rows.weights, kinds=rows.index["kind"])
    return FittedPotential(COPPER, ReferencePotential(), posterior)


def written_deck(folder: Path, text: str, json_of: Callable[[Configuration], str]) -> Path:
    """A deck beside JSON/warm with eight files of four copper atoms."""
    (folder / "JSON" / "warm").mkdir(parents=True)
    for k in range(8):
        (folder / "JSON" / "warm" / f"{k}.json").write_text(json_of(rattled_copper(k, repeat=1)))
    (folder / "Cu.in").write_text(text)
    return folder / "Cu.in"


WEIGHTS = Weights(100.0, 1.0, 3e-5)


READ_EARLY = ("ASE_", "LANG", "LC_", "MPL", "PYTHON")
"""How variables begin that Python reads when it starts, or a package when it is imported."""


def read_early(variables: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in variables.items() if name.startswith(READ_EARLY)}


PRELOADED, ITS_VARIABLES = Preloaded(), read_early(os.environ)


def snap_al(
    *arguments: object,
    ranks: int = 1,
    cwd: Path | None = None,
    timeout: float = 500,
    env: dict | None = None,
    draws: bool = False,
):
    """The command line as a user calls it; on more than one rank through mpirun.

    draws: whether pictures in PNG are drawn, which takes longer than most calls.
    """
    words = [str(argument) for argument in arguments]
    variables = {**os.environ, "COLUMNS": "200", **(env or {})}
    launcher = [str(BIN / "mpirun"), "-n", str(ranks)] if ranks > 1 else []
    if read_early(variables) == ITS_VARIABLES:
        return PRELOADED.run(words, cwd, variables, timeout, launcher, draws)
    command = [*launcher, sys.executable, "-m", "snap_al", *words]
    return subprocess.run(
        command, cwd=cwd, timeout=timeout, capture_output=True, text=True, env=variables
    )


def small_config(folder: Path, **changes: str) -> Path:
    """A run of half a minute: 32 atoms of copper, ramp 300 to 900 K. `changes` replace whole lines
    by their key.
    """
    from snap_al.cli.demo import write_structure

    folder.mkdir(parents=True, exist_ok=True)
    write_structure(folder / "Cu.extxyz")
    lines = {
        "seed": "seed: 3",
        "descriptor": "descriptor: {elements: [Cu], twojmax: 4, rcutfac: 4.5}",
        "start": (
            "start: {structures: [{structure: Cu.extxyz, supercell: [2, 2, 2], count: 3, "
            "displacement: [0.04, 0.06]}]}"
        ),
        "explore": "explore: {walkers: [{structure: Cu.extxyz, supercell: [2, 2, 2]}], "
        "temperature: [300, 900], timestep: 0.003, steps: 400, check_every: 10, "
        "checkpoint_every: 150, pressure_damping: 1.0}",
        "query": "query: {force_std: 0.05}",
        "stop": "stop: {max_labels: 12}",
        **changes,
    }
    path = folder / "config.yaml"
    path.write_text("\n".join(lines.values()) + "\n")
    return path


@pytest.fixture(scope="session")
def slurm(tmp_path_factory):
    """A real Slurm: the one that SNAP_AL_TEST_SLURM names, or one of two virtual nodes that is
    started here, as root.

    Never the cluster that SLURM_CONF names, if this machine belongs to one: all jobs of the user
    are cancelled.
    """
    given = os.environ.get("SNAP_AL_TEST_SLURM")
    start = ROOT.parent / "shared" / "peers" / "slurm_up.sh"
    if not given and (shutil.which("slurmctld") is None or os.geteuid() != 0 or not start.exists()):
        pytest.skip(
            "needs a Slurm that is there for tests: set SNAP_AL_TEST_SLURM to its slurm.conf"
        )
    lock = Path(tempfile.gettempdir()) / f"snap_al_test_slurm_{os.getuid()}"
    one_at_a_time = open(lock, "w")  # noqa: SIM115
    fcntl.flock(one_at_a_time, fcntl.LOCK_EX)  # until this process of tests ends
    folder = tmp_path_factory.mktemp("slurm")
    before = os.environ.get("SLURM_CONF")
    os.environ["SLURM_CONF"] = given or str(folder / "slurm.conf")
    if not given:
        done = subprocess.run(
            ["bash", start, folder, "2"], capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stdout + done.stderr
    yield
    for path in folder.glob("*.pid"):
        with suppress(ProcessLookupError):
            os.kill(int(path.read_text()), signal.SIGTERM)
    del os.environ["SLURM_CONF"]
    if before is not None:
        os.environ["SLURM_CONF"] = before
    one_at_a_time.close()
