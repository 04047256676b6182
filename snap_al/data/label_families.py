"""Requires that all frames of a file have their labels under names of one family."""

from __future__ import annotations

from snap_al.data.label_names import LabelKeys
from snap_al.data.reading_labels import FrameLabels
from snap_al.errors import InputError, did_you_mean


def require_one_family(
    before: dict[str, tuple[str, ...]] | None, labels: FrameLabels, where: str
) -> dict[str, tuple[str, ...]] | None:
    """The families that hold the labels of this frame and of all before it; `before` is None at the
    first.

    Raises InputError, naming the frame, when there is none.
    """
    if not labels.families:
        return before
    if before is None:
        return labels.families
    common = {f: names for f, names in before.items() if f in labels.families}
    if not common:
        here, there = (
            ", ".join(next(iter(families.values()))) for families in (labels.families, before)
        )
        raise InputError(
            f"{where}: has {here}, and the frames before it {there}; all frames of a file must "
            "use the same names. "
            "Say which with `labels:` in a config, `--labels` on the command line, or make two "
            "files of it"
        )
    return common


def require_key_somewhere(keys: LabelKeys, names: set[str], path: object) -> None:
    """Raises InputError when no frame of a file has a name that `labels:` gives."""
    for key, entry in keys.entries().items():
        if key not in names:
            raise InputError(
                f"{path}: no frame has {key!r}, which `labels:` names for {entry.kind}; "
                f"{did_you_mean(key, sorted(names))}"
            )
