"""One pass of exploration: every walker runs one segment, on groups of ranks side by side."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from snap_al.data.configuration import Configuration
from snap_al.data.storage import require_regular_file
from snap_al.loop.events import Explored, Segment, WantedFrame
from snap_al.loop.run_directory import RunDirectory
from snap_al.loop.settings import RunConfig
from snap_al.loop.state import RunState
from snap_al.loop.walkers import Walker
from snap_al.loop.watching import rule_of
from snap_al.md import Outcome, Rule, SegmentFiles, SegmentResult, SegmentStart, Wanted, run_segment
from snap_al.md.rules import Frame, Verdict
from snap_al.parallel import Communicator, abandon, collectively, on_root
from snap_al.potential import FittedPotential
from snap_al.progress import Report, silent

VELOCITIES, SCRIPTS = 2, 6
"""Streams of random numbers."""

LARGEST_SEED = 800_000_000
"""Largest seed of a script: `fix langevin` takes none over 900,000,000, and adds the rank to it."""


@dataclass(frozen=True)
class WalkerGroups:
    """A split of all ranks into groups. Each group runs its walkers one after another."""

    comm: Communicator
    """Communicator of this rank's group."""
    number: int
    """Number of this rank's group."""
    count: int
    """Number of groups."""

    @classmethod
    def of(cls, world: Communicator, n_walkers: int) -> WalkerGroups:
        """As many groups as there are walkers, or as ranks if these are fewer."""
        count = min(world.size, n_walkers)
        number = world.rank * count // world.size
        return cls(world.split(number), number, count)

    def runs(self, walker: int) -> bool:
        return walker % self.count == self.number


@dataclass(frozen=True)
class Exploration:
    """What all passes of exploration of a run share."""

    world: Communicator
    """All ranks of the run."""
    groups: WalkerGroups
    """The groups that they are split into."""
    config: RunConfig
    """The config."""
    directory: RunDirectory
    """The directory of the run."""
    walkers: Sequence[Walker]
    """What each walker starts from."""
    report: Report = silent
    """Called on rank 0 at each check."""


def explore(
    run: Exploration, state: RunState, potential: FittedPotential, chosen: Collection[int]
) -> Explored:
    """The next segments of the chosen walkers, as one `explored` event. Collective.

    chosen: numbers of the walkers.
    """
    segments: list[Segment] = []
    world, groups = run.world, run.groups
    on_root(world, lambda: run.directory.make_walkers(len(state.walkers)))
    with collectively(world):
        for number in range(len(state.walkers)):
            if number in chosen and groups.runs(number):
                with _whole_group(groups.comm):
                    segment = _segment(run, state, potential, number)
                if groups.comm.rank == 0:
                    segments.append(segment)
    everyone = [segment for part in world.allgather(segments) for segment in part]
    return Explored(walkers=tuple(sorted(everyone, key=lambda s: s.walker)))


@contextmanager
def _whole_group(comm: Communicator) -> Iterator[None]:
    """A part of the work in which the ranks of a group wait for each other. When one of several
    fails in it, the job must end.

    The failure is not recorded for the segment: a full disk, for example, is not caused by it, and
    the next start runs it again.
    """
    try:
        yield
    except Exception as error:
        if comm.size > 1:
            abandon(comm, error, on_abort=None)
        raise


def _segment(run: Exploration, state: RunState, potential: FittedPotential, number: int) -> Segment:
    comm, config, directory, planned = (
        run.groups.comm,
        run.config,
        run.directory,
        run.walkers[number],
    )
    assert config.explore is not None
    protocol = config.explore.protocol(planned.overrides)
    walker = state.walkers[number]
    started = time.perf_counter()
    begin = walker.trail[-1]
    restart_out = directory.restart(number, walker.segments)
    aborted = directory.aborted(number, walker.segments)
    result = _aborted_before(comm, aborted, begin.step)
    if result is None:
        result = run_segment(
            comm,
            potential,
            directory.fit(state.fits),
            protocol,
            SegmentStart(
                configuration=planned.configuration,
                restart=None if begin.restart is None else directory.root / begin.restart,
                step=begin.step,
                velocity_seed=segment_seed(config.seed, VELOCITIES, number, walker.segments)
                if walker.new_velocities
                else None,
                # After a failure, check more often: the frame to label lies before the one that
                # failed.
                check_every=max(1, protocol.at(begin.step).stage.check_every // 2**walker.retries),
                seed=segment_seed(config.seed, SCRIPTS, number, walker.segments) % LARGEST_SEED + 1,
                name=f"walker {number} ({planned.configuration.name})",
                collect=config.explore.candidates if config.explore.mode == "batch" else 0,
            ),
            _with_progress(
                rule_of(config, state, potential.posterior, directory),
                f"walker {number}, step",
                protocol.steps,
                run.report,
            ),
            SegmentFiles(
                restart=restart_out,
                log=directory.walker(number) / f"segment-{walker.segments:04d}.log",
                trajectory=directory.walker(number) / f"segment-{walker.segments:04d}.extxyz",
                aborted=aborted,
            ),
            config.lammps,
        )
    queries: tuple[WantedFrame, ...] = ()
    if comm.rank == 0:
        directory.write_checks(number, walker.segments, result.checks)
        cells = [
            (w.step, _affordable(w, config, potential, directory.fit(state.fits)))
            for w in result.wanted
        ]
        queries = tuple(
            WantedFrame(key=directory.write_query(cell), step=step, atoms=len(cell))
            for step, cell in cells
        )
    return Segment(
        walker=number,
        segment=walker.segments,
        fit=state.fits,
        swapped=walker.fit != state.fits,
        from_step=begin.step,
        step=result.step,
        outcome=result.outcome,
        reason=result.reason,
        restart=str(restart_out.relative_to(directory.root)),
        queries=queries,
        checks=len(result.checks),
        model_limited=sum(check.model_limited for check in result.checks),
        force_std=result.checks[-1].force_std if result.checks else 0.0,
        seconds=time.perf_counter() - started,
        std_seconds=result.std_seconds,
        ps=protocol.picoseconds(begin.step, result.step),
    )


def _with_progress(rule: Rule, what: str, steps: int, report: Report) -> Rule:
    """The same rule, which also calls `report` at each check."""

    def watched(frame: Frame) -> Verdict:
        report(what, frame.step, steps)
        return rule(frame)

    return watched


def _affordable(
    wanted: Wanted, config: RunConfig, potential: FittedPotential, files: Path
) -> Configuration:
    """The structure for the labeler: the frame, or a cell that is cut out of it."""
    if config.carve is None:
        return wanted.frame
    from snap_al.md.carving import carved, relaxed_shell  # late: scipy.spatial is slow to import

    return relaxed_shell(
        carved(wanted.frame, wanted.atom, config.carve), potential, files, config.lammps
    )


def _aborted_before(comm: Communicator, record: Path, step: int) -> SegmentResult | None:
    """The result of a segment that ended the whole job before. It failed, and is not run again."""
    reason = None
    if comm.rank == 0 and record.exists():
        reason = require_regular_file(record).read_text(encoding="utf-8", errors="replace")
    reason = comm.bcast(reason)
    return None if reason is None else SegmentResult(Outcome.FAILED, step, (), None, reason, 0.0)


def segment_seed(seed: int, stream: int, walker: int, segment: int) -> int:
    """A seed for LAMMPS that depends on these numbers alone, and not on the order in which walkers
    run."""
    return (
        int(np.random.SeedSequence([seed, stream, walker, segment]).generate_state(1)[0])
        % (2**31 - 2)
        + 1
    )
