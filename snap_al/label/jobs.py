"""Labels as jobs. Several run at once, they are started by a launcher, and they continue when the
driver ends.

A driver that was killed finds its jobs again. A job runs, is done (its result is there), or has to
be launched again, which is done a limited number of times.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from snap_al.data.configuration import Configuration
from snap_al.data.storage import write_atomically
from snap_al.label.backend import LabelResult, encode_result, job_name, read_result
from snap_al.label.job_folder import JobFolder
from snap_al.label.script import job_script
from snap_al.label.settings import LabelSettings

LOOK_AGAIN = 0.02
"""s between looks at what runs."""


class Handle(Protocol):
    """A process or a job of a scheduler that runs a script."""

    token: str
    """Name by which `Launcher.find` finds it from another process; "" when only the lock of the job
    shows that it runs."""

    def running(self) -> bool:
        """Whether it runs. False only when it will not write any more."""
        ...

    def end(self) -> None:
        """Ends it and all processes that it started."""
        ...

    def reason(self) -> str:
        """Why it was ended, or ended without a reason of its own; "" when this is not known."""
        ...


class Launcher(Protocol):
    """Sends scripts to where they run."""

    per_launch: int
    """Largest number of jobs in one script."""
    waits_for_exit: bool
    """Whether a job counts as running until its processes have ended, although its result is there.
    """

    def start(self, script: Path) -> Handle:
        """Starts a script. Raises RunError when nothing can be started at all."""
        ...

    def find(self, job: JobFolder) -> Handle | None:
        """The handle of what runs a job that this process did not start, or will run it; None when
        there is none."""
        ...

    def close(self) -> None: ...


@dataclass
class _Launch:
    """A script that was launched."""

    handle: Handle
    """Handle of the script that runs."""
    jobs: dict[str, Configuration]
    """Configurations, by job."""
    starts: dict[str, int]
    """How often each job had been started before, by job."""


class JobBackend:
    """Results as files in `folder`, jobs in folder/jobs. Raises nothing for a label that fails:
    that is its result.
    """

    everywhere = False

    def __init__(self, settings: LabelSettings, key: str, folder: Path, launcher: Launcher) -> None:
        """key: names the labeler and all its settings."""
        self._settings, self._key, self._folder = settings, key, folder.resolve()
        self._launcher = launcher
        self._waiting: dict[str, Configuration] = {}
        self._launches: list[_Launch] = []
        self._looked = 0.0

    def submit(self, configuration: Configuration) -> str:
        job = job_name(configuration, self._key)
        home = self._home(job)
        label, failed = home.results
        if label.exists() or job in self._waiting or self._launched(job):
            return job
        if failed.exists():
            failed.unlink()
            home.forget()
        if (handle := self._launcher.find(home)) is not None:
            self._launches.append(_Launch(handle, {job: configuration}, {job: home.launch()[1]}))
        else:
            self._waiting[job] = configuration
        if self._launcher.per_launch == 1:
            self._advance()
        return job

    def poll(self, job: str, configuration: Configuration) -> LabelResult | None:
        """Raises LabelError for a file that is not a label of this configuration."""
        if (
            time.monotonic() - self._looked > LOOK_AGAIN
        ):  # one look is enough for all jobs that are polled in a row
            self._advance()
        under_way = job in self._waiting or (self._launcher.waits_for_exit and self._launched(job))
        return None if under_way else read_result(self._folder, job, configuration)

    def cancel(self, job: str) -> None:
        """Ends a job that is not done, unless other jobs are in the same script."""
        self._waiting.pop(job, None)
        for launch in self._launches:
            if launch.jobs.pop(job, None) is not None and not launch.jobs:
                launch.handle.end()
                self._launches.remove(launch)
                break

    def close(self) -> None:
        self._launcher.close()

    def _launched(self, job: str) -> bool:
        return any(job in launch.jobs for launch in self._launches)

    def _advance(self) -> None:
        """Handles the scripts that have ended, and starts new ones where there is room."""
        self._looked = time.monotonic()
        answered = self._answered()
        for launch in list(self._launches):
            done = not self._launcher.waits_for_exit and answered.issuperset(launch.jobs)
            if done or not launch.handle.running():
                self._launches.remove(launch)
                self._settle(launch)
        while self._waiting and len(self._launches) < self._settings.most_at_once:
            self._launch()

    def _answered(self) -> set[str]:
        """The jobs with a result. The folder is listed, since on a network file system a file that
        was looked for before it existed can stay invisible for a while."""
        folders = (self._folder, self._folder / "failed") if self._launches else ()
        return {
            name[:-5]
            for f in folders
            if f.is_dir()
            for name in os.listdir(f)
            if name.endswith(".json")
        }

    def _settle(self, launch: _Launch) -> None:
        """Launches jobs again that a script left without a result, or records their failure."""
        answered = self._answered_now(launch)
        begun = bool(answered) or any(
            self._home(job).starts() > launch.starts[job] for job in launch.jobs
        )
        for job, configuration in launch.jobs.items():
            home = self._home(job)
            if job in answered:
                continue
            if (
                home.holder() and (other := self._launcher.find(home)) is not None
            ):  # the result was written just before the job ended
                self._launches.append(_Launch(other, {job: configuration}, {job: home.starts()}))
                continue
            if not begun:
                home.begin()  # not even the worker started: this counts as a start too
            reason, most = launch.handle.reason(), self._settings.max_starts
            if home.starts() < most and not reason:
                self._waiting[job] = configuration
            # A job was started once more than that if the driver was killed in between. The reason
            # must not depend on it.
            else:
                ended = f"its process ended {most} times without a result: {home.last_output()}"
                write_atomically(
                    home.results[1], encode_result(configuration, None, reason or ended, 0.0)
                )

    def _answered_now(self, launch: _Launch) -> set[str]:
        return {
            job for job in launch.jobs if any(path.exists() for path in self._home(job).results)
        }

    def _launch(self) -> None:
        names = list(self._waiting)[: self._launcher.per_launch]
        homes = [self._home(job) for job in names]
        for home in homes:
            home.ask(self._waiting[home.name], self._settings)
        write_atomically(homes[0].script, job_script(self._settings, homes))
        starts = {home.name: home.starts() for home in homes}
        handle = self._launcher.start(homes[0].script)
        for home in homes:
            home.launched(handle.token, starts[home.name])
        self._launches.append(
            _Launch(handle, {job: self._waiting.pop(job) for job in names}, starts)
        )

    def _home(self, job: str) -> JobFolder:
        return JobFolder(self._folder / "jobs" / job)
