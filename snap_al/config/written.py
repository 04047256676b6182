"""A config that was made in Python, as a config file has it."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from snap_al.loop import RunConfig


def content_of(config: RunConfig) -> dict[str, Any]:
    """What was given of it, as plain values."""
    return config.model_dump(mode="json", exclude_unset=True)


def text_of(config: RunConfig) -> str:
    """The same as YAML."""
    text = StringIO()
    YAML().dump(content_of(config), text)
    return text.getvalue()


def origin_of(config: RunConfig) -> Path:
    """The file that it would be: its relative paths are relative to that one."""
    return config.reference_folders[0].resolve() / "config.yaml"
