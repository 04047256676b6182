"""Events of a run's journal: one frozen dataclass each, decoded once, where a journal is read.

On disk an event is a JSON object with its class's `event` name and the fields below, in their
order. Fields that a version of snap_al has added have a default, so that older journals are read;
what is not a field is ignored. An error of `decoded` is the file's; any other error in the handling
of events is a fault of snap_al's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, StringConstraints, TypeAdapter, ValidationError

from snap_al.data.json_text import read_json
from snap_al.data.rows import KIND_NAMES
from snap_al.md import Outcome
from snap_al.uncertainty import Table

FORMAT = 2
"""Of the journal's lines."""
Key = Annotated[str, StringConstraints(pattern=r"^\w+$")]
"""Of a query or a label: it is part of a file's name."""
Inside = Annotated[str, StringConstraints(pattern=r"^[\w-]+(/[\w-][\w.-]*)*$")]
"""A path inside the run directory."""
Count = Annotated[int, Field(ge=0, strict=True)]
Number = Annotated[float, Field(strict=True)]


@dataclass(frozen=True, kw_only=True)
class _Event:
    """What all events have."""

    time: Number = 0.0
    """When it was written, in seconds since 1970."""


@dataclass(frozen=True, kw_only=True)
class Opened(_Event):
    """A session of the run begins."""

    event: Literal["opened"] = "opened"
    format: Count = FORMAT
    snap_al: str = ""
    """The version."""
    ranks: Count
    warnings: tuple[str, ...] = ()
    """Of the labels that the run begins with."""
    notes: tuple[str, ...] = ()
    """What could not be told of them."""


@dataclass(frozen=True, kw_only=True)
class Started(_Event):
    """The starting set is to be labelled."""

    event: Literal["started"] = "started"
    queries: tuple[Key, ...]
    walkers: tuple[str, ...]
    """Their names."""
    digests: Mapping[str, str]
    """Of the user's files, by what they are for."""


@dataclass(frozen=True, kw_only=True)
class Chosen(_Event):
    """Of the frames that walkers stopped at, those that are labelled, and those that are not."""

    event: Literal["chosen"] = "chosen"
    kept: tuple[Key, ...]
    dropped: tuple[Key, ...]


@dataclass(frozen=True, kw_only=True)
class Submitted(_Event):
    """Jobs by query."""

    event: Literal["submitted"] = "submitted"
    jobs: Mapping[Key, Key]


@dataclass(frozen=True, kw_only=True)
class Checked(_Event):
    """The labeler's mean normal stress beside its energies' derivative, both in eV/Å³."""

    event: Literal["checked"] = "checked"
    label: Number
    derivative: Number
    good: Annotated[bool, Field(strict=True)]
    verdict: str


@dataclass(frozen=True, kw_only=True)
class Labelled(_Event):
    """A label came, and is on disk. walker: -1 for the starting set."""

    event: Literal["labelled"] = "labelled"
    query: Key
    job: Key
    walker: Annotated[int, Field(ge=-1, strict=True)]
    step: Count
    energy: Number | None = None
    """eV"""
    seconds: Number
    core_seconds: Number | None = None
    max_force: Number | None
    """eV/Å; None where there are no forces."""


@dataclass(frozen=True, kw_only=True)
class Rejected(_Event):
    """A label failed, or was refused."""

    event: Literal["rejected"] = "rejected"
    query: Key
    job: str | None = None
    reason: str
    seconds: Number
    core_seconds: Number | None = None


@dataclass(frozen=True, kw_only=True)
class Fitted(_Event):
    """A fit is on disk. labels: in all. novelty, tolerance: force stds, in eV/Å."""

    event: Literal["fitted"] = "fitted"
    fit: Count
    labels: Count
    novelty: Number
    tolerance: Number | None = None
    configurations: Count | None = None
    """Of the training set."""
    ridge: Number | None = None
    measured_on: str
    """`test` or `training`, the set that `table` is of."""
    table: Table
    seconds: Number


@dataclass(frozen=True, kw_only=True)
class WantedFrame:
    """A frame that a walker wants a label for."""

    key: Key
    step: Count
    atoms: Count | None = None


@dataclass(frozen=True, kw_only=True)
class Segment:
    """One segment of one walker's MD. fit: that it ran with. seconds: wall time."""

    walker: Count
    segment: Count
    fit: Count
    swapped: bool = False
    """Whether its walker ran with another fit before."""
    from_step: Count
    step: Count
    outcome: Outcome
    reason: str
    restart: Inside
    queries: tuple[WantedFrame, ...]
    checks: Count
    model_limited: Count
    """Checks at which the model error is the larger part of the std."""
    force_std: Number
    """eV/Å, at the last check."""
    seconds: Number
    std_seconds: Number
    ps: Number


@dataclass(frozen=True, kw_only=True)
class Explored(_Event):
    """One pass of exploration."""

    event: Literal["explored"] = "explored"
    walkers: tuple[Segment, ...]


@dataclass(frozen=True, kw_only=True)
class Stopped(_Event):
    """The run came to its end."""

    event: Literal["stopped"] = "stopped"
    reason: str


@dataclass(frozen=True, kw_only=True)
class Halted(_Event):
    """The labeler failed; the next start asks again."""

    event: Literal["halted"] = "halted"
    reason: str


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
_ADAPTER: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="event")])
_NAMES = frozenset(kind.event for kind in get_args(Event))


def encoded(event: Event) -> str:
    """The event as one line of JSON. Fields that are None by default and None are left out."""
    return json.dumps({**_content(event), "time": event.time}, separators=(",", ":"))


def decoded(text: str | bytes) -> Event:
    """The event of a line. Raises ValueError that says what is wrong with it."""
    content = read_json(text)
    if not isinstance(content, dict):
        raise ValueError("no event")
    if (found := content.get("format", FORMAT)) != FORMAT:
        raise ValueError(f"journal format {found}, this version reads {FORMAT}")
    name = content.get("event")
    if str(name) not in _NAMES:
        raise ValueError(f"has an event {name!r} that this version of snap_al does not know")
    if "time" not in content:
        raise ValueError("time: Field required")
    try:
        event = _ADAPTER.validate_python(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        given = str(first["input"])[:80]
        raise ValueError(f"{where}: {first['msg']} (given: {given!r})") from error
    if isinstance(event, Fitted):
        _require_errors(event)
    return event


def _require_errors(event: Fitted) -> None:
    for kind, values in event.table.items():
        if kind not in KIND_NAMES:
            raise ValueError(f"fitted.table: {kind!r} is no kind of label")
        for name in ("rmse", "sharpness"):
            if isinstance(values.get(name), bool) or not isinstance(values.get(name), int | float):
                raise ValueError(f"fitted.table.{kind}.{name}: {values.get(name)!r} is no number")


def _content(value: Any) -> Any:
    """Of a dataclass, a JSON object; of anything else, itself."""
    if isinstance(value, tuple):
        return [_content(v) for v in value]
    if not is_dataclass(value):
        return value
    found = {f.name: getattr(value, f.name) for f in fields(value) if f.name != "time"}
    unset = {f.name for f in fields(value) if f.default is None and found.get(f.name) is None}
    return {name: _content(v) for name, v in found.items() if name not in unset}
