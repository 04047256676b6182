"""Names of output files that the input gives. Each file stays in the output folder, and has none of
the names that snap_al writes there itself."""

from __future__ import annotations

import re
from collections.abc import Iterable

from snap_al.errors import InputError

OWN_FILES = frozenset(
    {
        "metrics.json",
        "predictions.npz",
        "posterior.npz",
        "descriptor.json",
        "mean.npy",
        "covariance.npy",
        "samples.npy",
        "row_index.npy",
        "randomsamplingseed.txt",
        "journal.jsonl",
        "config.yaml",
        "config.origin",
        "run.log",
        "report.html",
    }
)
OWN_FOLDERS = frozenset(
    {
        "descriptors",
        "labels",
        "queries",
        "fits",
        "walkers",
        "figures",
        "validation",
        "approve",
        "json",
    }
)
"""In lower case, since some file systems do not distinguish upper and lower case."""
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+=,@-]*")
LONGEST = 200


def files_of_a_potential(stem: str) -> tuple[str, ...]:
    """Files of a fitted potential with this name, beside posterior.npz and descriptor.json."""
    endings = (
        ".snapcoeff",
        ".snapparam",
        ".mod",
        "_variance.snapcoeff",
        "_variance.snapparam",
        "_std.mod",
    )
    return tuple(f"{stem}{ending}" for ending in endings)


def check_output_name(name: str, what: str) -> None:
    """Raises InputError, which begins with `what`, for a name that is a path, hidden, not plain, or
    one of snap_al's own.
    """
    last = re.sub(
        r"[^A-Za-z0-9_.+=,@-]+", "_", name.replace("\\", "/").rstrip("/").split("/")[-1]
    ).lstrip(".-+=,@")
    instead = f"write a name such as {last[:LONGEST] or 'result'!r}"
    if "/" in name or name in ("", ".", ".."):
        raise InputError(
            f"{what}: is a path, where FitSNAP would write; here all files go into --out, and "
            f"this is a name there: {instead}"
        )
    if not _NAME.fullmatch(name) or len(name) > LONGEST:
        raise InputError(
            f"{what}: {instead}: letters, digits and _.+=,@-, with a letter, digit or _ first, "
            f"{LONGEST} characters at most"
        )
    if name.lower() in OWN_FILES | OWN_FOLDERS:
        raise InputError(
            f"{what}: {name} is one of the names that snap_al writes there itself; take another "
            "name"
        )


def check_all_different(files: Iterable[tuple[str, str]]) -> None:
    """Raises InputError for two equal names; those that differ only in case count as equal.

    files: each name with the key that gives it.
    """
    seen: dict[str, str] = {}
    for name, what in files:
        if name.lower() in seen:
            raise InputError(
                f"{what}: {name} is also written for {seen[name.lower()]}; take another name"
            )
        seen[name.lower()] = what
