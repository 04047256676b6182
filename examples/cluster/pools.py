"""Executors for `label: {backend: executor, executor: pools.NAME}`: with this file in a folder that
PYTHONPATH names.
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

BIN = f"{Path(sys.executable).parent}{os.pathsep}"
"""Parsl looks for its own programs on PATH."""


def parsl_on_slurm(
    folder: str,
    workers: int = 2,
    cores: int = 1,
    nodes: int = 1,
    memory_gb: int = 1,
    walltime: str = "01:00:00",
    partition: str = "debug",
    lines: str = "",
) -> Executor:
    """One Slurm job of `nodes`, in which `workers` on each compute labels of `cores` each as they
    come; a new job when its walltime is over. folder: for Parsl's own files. lines: of shell,
    before the workers start."""
    import parsl
    from parsl.concurrent import ParslPoolExecutor
    from parsl.executors import HighThroughputExecutor
    from parsl.launchers import SimpleLauncher, SrunLauncher
    from parsl.providers import SlurmProvider

    provider = SlurmProvider(
        partition=partition,
        nodes_per_block=nodes,
        cores_per_node=workers * cores,
        mem_per_node=memory_gb,
        walltime=walltime,
        exclusive=False,
        max_blocks=1,
        worker_init=f"export PATH={BIN}$PATH\n{lines}",
        launcher=SimpleLauncher() if nodes == 1 else SrunLauncher(),
    )
    pool = HighThroughputExecutor(
        label="slurm",
        provider=provider,
        max_workers_per_node=workers,
        cores_per_worker=cores,
        encrypted=False,
    )
    os.environ["PATH"] = BIN + os.environ["PATH"]
    return ParslPoolExecutor(
        parsl.Config(executors=[pool], run_dir=str(Path(folder).resolve() / "parsl"))
    )


def parsl_here(folder: str, workers: int = 2) -> Executor:
    """Workers on this machine."""
    import parsl
    from parsl.concurrent import ParslPoolExecutor
    from parsl.executors import HighThroughputExecutor

    pool = HighThroughputExecutor(
        label="here", max_workers_per_node=workers, address="127.0.0.1", encrypted=False
    )
    os.environ["PATH"] = BIN + os.environ["PATH"]
    return ParslPoolExecutor(
        parsl.Config(executors=[pool], run_dir=str(Path(folder).resolve() / "parsl"))
    )


def dask(scheduler: str | None = None, workers: int = 2) -> Executor:
    """scheduler: address of a dask cluster that is there (tcp://host:8786); when not given, one of
    `workers` processes is started here, and ends with the executor."""
    from distributed import Client
    from distributed.cfexecutor import ClientExecutor

    class Here(ClientExecutor):
        def shutdown(self, *args: Any, **kwargs: Any) -> None:
            super().shutdown(*args, **kwargs)
            client.cluster.close()
            client.close()

    if scheduler is not None:
        return Client(scheduler).get_executor(pure=False)
    client = Client(n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None)
    return Here(client, pure=False)
