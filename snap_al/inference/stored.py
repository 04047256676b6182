"""Checks of a posterior that is read from a file."""

from __future__ import annotations

from collections.abc import Set
from typing import Any

from snap_al.errors import OtherVersionError

FORMAT = 4
"""Of the file; raised when its fields change their meaning."""


def check_version(header: Any) -> None:
    """Raises OtherVersionError."""
    found = header.get("format") if isinstance(header, dict) else None
    if isinstance(found, int) and found != FORMAT:
        raise OtherVersionError(
            f"written by another version of snap_al: format {found}, and this one has "
            f"{FORMAT}; fit again"
        )


def check_stored(header: Any, arrays: dict[str, Any], names: Set[str]) -> None:
    """Raises ValueError unless these are the fields of a posterior, and of one number of
    coefficients.

    names: of the fields.
    """
    if not isinstance(header, dict):
        raise ValueError("has no header")
    if wrong := names ^ ((header.keys() - {"format"}) | arrays.keys()):
        raise ValueError(f"has too much or too little: {', '.join(sorted(wrong))}")
    kinds = {
        "name": str,
        "residual_variance": float,
        "atom_std": float,
        "ridge": float,
        "n_rows": int,
        "embedded_rows": int,
        "objective": list,
        "diagnostics": dict,
        "remarks": list,
    }
    for name, kind in kinds.items():
        if not isinstance(header.get(name), (float, int) if kind is float else kind):
            raise ValueError(f"{name} is {header.get(name)!r}")
    n = arrays["mean"].size
    for name in ("atom_reference", "draws"):
        if arrays[name].size and (arrays[name].ndim != 2 or arrays[name].shape[1] != n):
            raise ValueError(f"{name} has shape {arrays[name].shape} for {n} coefficients")
    shapes: dict[str, tuple[int, ...]] = {
        "mean": (n,),
        "noise_by_kind": (3,),
        "recalibration": (3,),
    }
    shapes |= dict.fromkeys(
        ("epistemic", "model_error", "whitening", "inner", "middle", "prior_information"), (n, n)
    )
    for name, array in arrays.items():
        if array.dtype.kind not in "fi" or array.shape != shapes.get(name, array.shape):
            raise ValueError(
                f"{name} is not made of numbers, or has another shape: {array.dtype}, {array.shape}"
            )
