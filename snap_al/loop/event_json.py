"""Events as lines of the journal, and back.

On disk an event is a JSON object with its class's `event` name and the fields of the class, in
their order. What is not a field is ignored. An error of `decoded` is a fault of the file; any other
error in the handling of events is a fault of snap_al.
"""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from typing import Annotated, Any, get_args

from pydantic import Field, TypeAdapter, ValidationError

from snap_al.data.json_text import read_json
from snap_al.loop.events import FORMAT, Event
from snap_al.uncertainty import ErrorTable

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
    if (version := content.get("format", FORMAT)) != FORMAT:
        raise ValueError(f"journal format {version}, this version reads {FORMAT}")
    name = content.get("event")
    if str(name) not in _NAMES:
        raise ValueError(f"has an event {name!r} that this version of snap_al does not know")
    if "time" not in content:
        raise ValueError("time: Field required")
    try:
        return _ADAPTER.validate_python(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        given = str(first["input"])[:80]
        raise ValueError(f"{where}: {first['msg']} (given: {given!r})") from error


def _content(value: Any) -> Any:
    """The JSON object of a dataclass; any other value as it is."""
    if isinstance(value, tuple):
        return [_content(v) for v in value]
    if isinstance(value, ErrorTable):
        return value.as_json()
    if not is_dataclass(value):
        return value
    values = {f.name: getattr(value, f.name) for f in fields(value) if f.name != "time"}
    unset = {f.name for f in fields(value) if f.default is None and values.get(f.name) is None}
    return {name: _content(v) for name, v in values.items() if name not in unset}
