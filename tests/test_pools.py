"""snap_al.label.pool: Labels in any concurrent.futures.Executor: Python's, Parsl's, dask's,
executorlib's; Parsl on a real Slurm.
"""

import json
import sys

import pytest
from helpers.calls import ROOT, snap_al
from helpers.odd import PATH, waited
from helpers.runs import result_of, run
from helpers.samples import rattled_copper, small_config

from snap_al.errors import InputError
from snap_al.label import AseLabeler, JobBackend, LabelSettings, Pool, validate_backend

sys.path.insert(0, str(ROOT / "examples" / "cluster"))

POOLS = {
    "threads": ("concurrent.futures.ThreadPoolExecutor", {"max_workers": 2}),
    "processes": ("concurrent.futures.ProcessPoolExecutor", {"max_workers": 2}),
    "executorlib": ("executorlib.SingleNodeExecutor", {"max_workers": 2}),
    "parsl": ("pools.parsl_here", {"folder": "FOLDER"}),
    "dask": ("pools.dask", {"workers": 2}),
}


def jobs(folder, pool, habit="", log=None, **settings):
    name, arguments = POOLS[pool]
    arguments = {k: str(folder) if v == "FOLDER" else v for k, v in arguments.items()}
    given = {"habit": habit, **({"log": str(log)} if log else {})}
    chosen = LabelSettings(
        calculator="helpers.odd.Odd",
        arguments=given,
        backend="executor",
        executor=name,
        executor_arguments=arguments,
        environment={"PYTHONPATH": PATH},
        **settings,
    )
    return JobBackend(
        chosen, AseLabeler(chosen.calculator, given).key, folder, Pool.named(name, arguments)
    )


@pytest.fixture(params=list(POOLS))
def pool(request):
    return request.param


def test_contract_and_failures(tmp_path, pool):
    """One that dies takes nothing with it, one that hangs is ended, and neither is for ever."""
    backend = jobs(tmp_path, pool)
    try:
        validate_backend(backend, rattled_copper(1))
        asked = rattled_copper(2, repeat=1)
        for habit, settings, reason in (
            ("dies", {"max_starts": 2}, "ended 2 times without a result: Killed by the gremlins"),
            ("hangs", {"timeout": 1}, "not done after label.timeout = 1 s"),
        ):
            chosen = LabelSettings(
                calculator="helpers.odd.Odd",
                arguments={"habit": habit},
                backend="executor",
                executor="pools.dask",
                environment={"PYTHONPATH": PATH},
                **settings,
            )
            another = JobBackend(chosen, habit, tmp_path, backend._launcher)
            assert reason in waited(another, another.submit(asked), asked).reason
    finally:
        backend.close()


@pytest.mark.slow
def test_several_at_once_and_cancelled(tmp_path, pool):
    backend = jobs(tmp_path, pool, "slow")
    try:
        asked = [rattled_copper(k, repeat=1) for k in range(4)]
        names = [backend.submit(c) for c in asked]
        backend.cancel(names[3])
        results = [waited(backend, job, c) for job, c in zip(names[:3], asked[:3], strict=True)]
        assert all(r.label for r in results)
    finally:
        backend.close()


def test_names_that_make_no_executor_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"cannot be imported"):
        Pool.named("pools.nothing", {})
    with pytest.raises(InputError, match=r"makes a OrderedDict"):
        Pool.named("collections.OrderedDict", {})
    with pytest.raises(InputError, match=r"failed: TypeError"):
        Pool.named("concurrent.futures.ThreadPoolExecutor", {"max_workers": "two"})


@pytest.mark.usefixtures("slurm")
def test_a_run_with_parsl_on_slurm(tmp_path, monkeypatch):
    """Driver on two ranks, labels in the workers of a Slurm job: the run is the one that labels in
    its own process.
    """
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "examples" / "cluster"))
    expected = run(small_config(tmp_path), tmp_path / "here", 2)
    label = (
        f"label: {{backend: executor, executor: pools.parsl_on_slurm, at_once: 2, "
        f"executor_arguments: {{folder: {tmp_path}}}}}"
    )
    config = small_config(tmp_path, label=label)
    done = snap_al("run", config, "--out", tmp_path / "run", ranks=2)
    assert done.returncode == 0, done.stderr
    assert result_of(tmp_path / "run")[0] == expected[0]
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["labels"] > 3
