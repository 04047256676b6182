"""Events of a run's journal: one frozen dataclass each.

Fields that a version of snap_al has added have a default, so that older journals can be read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, PlainValidator, StringConstraints

from snap_al.md import Outcome
from snap_al.uncertainty import ErrorTable

FORMAT = 2
"""Format of the journal's lines."""
Key = Annotated[str, StringConstraints(pattern=r"^\w+$")]
"""Key of a query or a label. It is part of the name of a file."""
Inside = Annotated[str, StringConstraints(pattern=r"^[\w-]+(/[\w-][\w.-]*)*$")]
"""A path inside the run directory."""
Count = Annotated[int, Field(ge=0, strict=True)]
Number = Annotated[float, Field(strict=True)]


@dataclass(frozen=True, kw_only=True)
class _Event:
    """What all events have in common."""

    time: Number = 0.0
    """When it was written, in seconds since 1970."""


@dataclass(frozen=True, kw_only=True)
class Opened(_Event):
    """A session of the run begins."""

    event: Literal["opened"] = "opened"
    """Name of the event."""
    format: Count = FORMAT
    """Format of the journal."""
    snap_al: str = ""
    """Version of snap_al."""
    ranks: Count
    """Number of MPI ranks."""
    warnings: tuple[str, ...] = ()
    """Problems of the labels that the run begins with."""
    notes: tuple[str, ...] = ()
    """What could not be checked of these labels."""


@dataclass(frozen=True, kw_only=True)
class Started(_Event):
    """The starting set is submitted to the labeler."""

    event: Literal["started"] = "started"
    """Name of the event."""
    queries: tuple[Key, ...]
    """Keys of the starting set."""
    walkers: tuple[str, ...]
    """Names of the walkers."""
    digests: Mapping[str, str]
    """Digests of the user's files, by what each is used for."""


@dataclass(frozen=True, kw_only=True)
class Chosen(_Event):
    """Which of the frames at which walkers stopped are labelled."""

    event: Literal["chosen"] = "chosen"
    """Name of the event."""
    kept: tuple[Key, ...]
    """Keys of the frames that are labelled."""
    dropped: tuple[Key, ...]
    """Keys of the other frames."""


@dataclass(frozen=True, kw_only=True)
class Submitted(_Event):
    """Queries were submitted to the labeler."""

    event: Literal["submitted"] = "submitted"
    """Name of the event."""
    jobs: Mapping[Key, Key]
    """Job of each query."""


@dataclass(frozen=True, kw_only=True)
class Checked(_Event):
    """The labeler's mean normal stress was compared with the derivative of its energies."""

    event: Literal["checked"] = "checked"
    """Name of the event."""
    label: Number
    """eV/Å³, mean normal stress."""
    derivative: Number
    """eV/Å³, derivative of the energies by the volume."""
    good: Annotated[bool, Field(strict=True)]
    """Whether the two agree."""
    verdict: str
    """The result in words."""


@dataclass(frozen=True, kw_only=True)
class Labelled(_Event):
    """A label arrived, and is on disk."""

    event: Literal["labelled"] = "labelled"
    """Name of the event."""
    query: Key
    """Key of the query."""
    job: Key
    """Name of the job."""
    walker: Annotated[int, Field(ge=-1, strict=True)]
    """Number of the walker; -1 for the starting set."""
    step: Count
    """MD step of the frame."""
    energy: Number | None = None
    """eV."""
    seconds: Number
    """s, wall time of the label."""
    core_seconds: Number | None = None
    """Core seconds that the label cost."""
    max_force: Number | None
    """eV/Å, largest force on an atom; None where there are no forces."""


@dataclass(frozen=True, kw_only=True)
class Rejected(_Event):
    """A label failed, or was not accepted."""

    event: Literal["rejected"] = "rejected"
    """Name of the event."""
    query: Key
    """Key of the query."""
    job: str | None = None
    """Name of the job; None where there was none."""
    reason: str
    """Why the label failed or was not accepted."""
    seconds: Number
    """s, wall time of the label."""
    core_seconds: Number | None = None
    """Core seconds that the label cost."""


@dataclass(frozen=True, kw_only=True)
class Fitted(_Event):
    """A fit is on disk."""

    event: Literal["fitted"] = "fitted"
    """Name of the event."""
    fit: Count
    """Number of the fit."""
    labels: Count
    """Number of labels of the run that were fitted."""
    novelty: Number
    """eV/Å, force std above which a frame is novel."""
    tolerance: Number | None = None
    """eV/Å, force std that is accepted."""
    configurations: Count | None = None
    """Number of configurations in the training set."""
    ridge: Number | None = None
    """Ridge of the fit."""
    measured_on: str
    """`test` or `training`, the set on which the errors in `table` were measured."""
    table: Annotated[ErrorTable, PlainValidator(ErrorTable.from_json)]
    """Errors and calibration, by kind."""
    seconds: Number
    """s, wall time of the fit."""


@dataclass(frozen=True, kw_only=True)
class WantedFrame:
    """A frame that a walker wants a label for."""

    key: Key
    """Key of the query."""
    step: Count
    """MD step of the frame."""
    atoms: Count | None = None
    """Number of atoms."""


@dataclass(frozen=True, kw_only=True)
class Segment:
    """One segment of one walker's MD."""

    walker: Count
    """Number of the walker."""
    segment: Count
    """Number of the segment of this walker."""
    fit: Count
    """Number of the fit that it ran with."""
    swapped: bool = False
    """Whether the walker's segment before ran with another fit."""
    from_step: Count
    """First step."""
    step: Count
    """Last step."""
    outcome: Outcome
    """How the segment ended."""
    reason: str
    """Why it ended, in words."""
    restart: Inside
    """Restart file at the last step."""
    queries: tuple[WantedFrame, ...]
    """Frames to label."""
    checks: Count
    """Number of checks."""
    model_limited: Count
    """Number of checks at which the model error is the larger part of the std."""
    force_std: Number
    """eV/Å, largest force std at the last check."""
    seconds: Number
    """s, wall time of the segment."""
    std_seconds: Number
    """s, wall time of computing stds."""
    ps: Number
    """ps of simulated time."""


@dataclass(frozen=True, kw_only=True)
class Explored(_Event):
    """One pass of exploration has ended."""

    event: Literal["explored"] = "explored"
    """Name of the event."""
    walkers: tuple[Segment, ...]
    """The segment of each walker that explored."""


@dataclass(frozen=True, kw_only=True)
class Stopped(_Event):
    """The run has ended."""

    event: Literal["stopped"] = "stopped"
    """Name of the event."""
    reason: str
    """Why."""


@dataclass(frozen=True, kw_only=True)
class Halted(_Event):
    """The labeler failed, and the run halted. The next start submits the failed queries again."""

    event: Literal["halted"] = "halted"
    """Name of the event."""
    reason: str
    """Why."""


Event = (
    Opened
    | Started
    | Chosen
    | Submitted
    | Checked
    | Labelled
    | Rejected
    | Fitted
    | Explored
    | Stopped
    | Halted
)
