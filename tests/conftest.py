"""Shared pieces: published data when it is at hand, small structures, and a way to run the program
as a user does.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from ase.build import bulk
from helpers.calls import PRELOADED, ROOT
from helpers.fitsnap import FitSnap
from helpers.optional import summary_of_skips
from helpers.samples import COPPER, KINDS_OF_SNAP, WEIGHTS, ZBL, rattled_copper

from snap_al.data import Configuration
from snap_al.descriptors import DescriptorEngine, ReferencePotential

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


LONGEST_FIRST = (
    "test_examples",
    "test_run",
    "test_walkers_survive",
    "test_labels_survive",
    "test_validate",
    "test_odd_paths",
    "test_fitsnap_parity",
    "test_signals",
    "test_no_waiting",
    "test_approval",
    "test_docs",
    "test_cli",
    "test_calibrated",
    "test_quarantine",
    "test_ranks",
)
"""Files with tests of more than a few seconds, so that none of those is alone at the end."""
COLLECTED = pytest.StashKey[list[tuple[str, bool]]]()
"""Each test that was collected, whether or not it is run, and whether it is slow."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if item.nodeid.endswith(ONLY_WHEN_SLOW):
            item.add_marker(pytest.mark.slow)
    config.stash[COLLECTED] = [
        (item.nodeid, item.get_closest_marker("slow") is not None) for item in items
    ]
    order = {name: n for n, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: order.get(item.path.stem, len(order)))


@pytest.fixture(scope="session")
def collected(pytestconfig: pytest.Config) -> list[tuple[str, bool]]:
    """Each test that was collected, whether or not it is run, and whether it is slow."""
    return pytestconfig.stash[COLLECTED]


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


@pytest.fixture(scope="session", params=list(KINDS_OF_SNAP))
def engine(request: pytest.FixtureRequest):
    with DescriptorEngine(KINDS_OF_SNAP[request.param], ZBL) as opened:
        yield opened


@pytest.fixture(scope="session")
def copper_engine():
    with DescriptorEngine(COPPER, ReferencePotential()) as opened:
        yield opened


@pytest.fixture(scope="session")
def copper_potential():
    """Fitted to EMT copper from nearly perfect to well rattled; linear SNAP, 2J = 4, no reference
    potential.
    """
    from snap_al.data import LabelledConfiguration
    from snap_al.descriptors import DesignMatrix
    from snap_al.inference import fit_posterior
    from snap_al.parallel import SERIAL
    from snap_al.potential import FittedPotential, Snap

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
    return FittedPotential(Snap(COPPER), ReferencePotential(), posterior)


@pytest.fixture(scope="session")
def fitsnap():
    """The released FitSNAP, imported once for many calls."""
    client = FitSnap()
    yield client
    client.close()


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
