"""What each event of the journal says. Checked once, where a journal is read, so that no other code
has to wonder: an error there is the file's, and any other is a fault of snap_al's."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StringConstraints, TypeAdapter, ValidationError

from snap_al.md import Outcome

Key = Annotated[str, StringConstraints(pattern=r"^\w+$")]
"""Of a query or a label: it is part of a file's name."""
Inside = Annotated[str, StringConstraints(pattern=r"^[\w-]+(/[\w-][\w.-]*)*$")]
"""A path inside the run directory."""
Count = Annotated[int, Field(ge=0)]


class _Event(BaseModel, extra="allow", strict=True):
    """Events may say more, for people. time: s since 1970."""

    time: float


class _Opened(_Event):
    event: Literal["opened"]
    ranks: Count
    warnings: list[str] = []
    """Of the labels that the run begins with; journals of earlier versions have none."""
    notes: list[str] = []


class _Started(_Event):
    event: Literal["started"]
    queries: list[Key]
    walkers: list[str]
    digests: dict[str, str]


class _Chosen(_Event):
    event: Literal["chosen"]
    kept: list[Key]
    dropped: list[Key]


class _Submitted(_Event):
    event: Literal["submitted"]
    jobs: dict[Key, Key]


class _Checked(_Event):
    event: Literal["checked"]
    label: float
    derivative: float
    good: bool
    verdict: str


class _Labelled(_Event):
    event: Literal["labelled"]
    query: Key
    job: Key
    walker: Annotated[int, Field(ge=-1)]
    step: Count
    seconds: float
    max_force: float | None


class _Rejected(_Event):
    event: Literal["rejected"]
    query: Key
    reason: str
    seconds: float


class _KindErrors(BaseModel, extra="allow", strict=True):
    rmse: float
    sharpness: float


class _Fitted(_Event):
    event: Literal["fitted"]
    fit: Count
    labels: Count
    novelty: float
    measured_on: str
    table: dict[Literal["energy", "forces", "stress"], _KindErrors]
    seconds: float
    tolerance: float | None = None


class _Wanted(BaseModel, extra="allow", strict=True):
    key: Key
    step: Count


class _Segment(BaseModel, extra="allow", strict=True):
    walker: Count
    segment: Count
    fit: Count
    from_step: Count
    step: Count
    outcome: Annotated[Outcome, Field(strict=False)]
    reason: str
    restart: Inside
    queries: list[_Wanted]
    checks: Count
    model_limited: Count
    force_std: float
    ps: float
    seconds: float
    std_seconds: float


class _Explored(_Event):
    event: Literal["explored"]
    walkers: list[_Segment]


class _Ended(_Event):
    event: Literal["stopped", "halted"]
    reason: str


_KINDS = (
    _Opened,
    _Started,
    _Chosen,
    _Submitted,
    _Checked,
    _Labelled,
    _Rejected,
    _Fitted,
    _Explored,
    _Ended,
)
_ADAPTER: TypeAdapter[Any] = TypeAdapter(
    Annotated[
        _Opened
        | _Started
        | _Chosen
        | _Submitted
        | _Checked
        | _Labelled
        | _Rejected
        | _Fitted
        | _Explored
        | _Ended,
        Field(discriminator="event"),
    ]
)
_NAMES = frozenset(
    name
    for kind in _KINDS
    for name in kind.model_fields["event"].annotation.__args__  # type: ignore[union-attr]
)


def check_event(event: dict[str, Any]) -> None:
    """Raises ValueError that says what is wrong with an event that was read."""
    if str(event.get("event")) not in _NAMES:
        raise ValueError(
            f"has an event {event.get('event')!r} that this version of snap_al does not know"
        )
    try:
        _ADAPTER.validate_python(event)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ValueError(
            f"{where}: {first['msg']} (given: {str(first['input'])[:80]!r})"
        ) from error
