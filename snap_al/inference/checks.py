"""Arrays that are handed in from outside, checked."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from snap_al.errors import FitError

Array = NDArray[np.float64]


def checked(
    A: ArrayLike,
    b: ArrayLike,
    w: ArrayLike | None,
    kinds: ArrayLike | None,
    units: ArrayLike | None,
) -> tuple[Array, Array, Array, NDArray[np.int8], NDArray[np.int64] | None]:
    """Rows, targets, weights, kinds and units of one length. Raises FitError naming the first row
    that is wrong.
    """
    rows, targets = np.asarray(A, dtype=float), np.asarray(b, dtype=float)
    if rows.ndim != 2 or targets.shape != rows.shape[:1]:
        raise FitError(f"A has shape {rows.shape} and b {targets.shape}; expected (m, n) and (m,)")
    weights = np.ones(len(rows)) if w is None else np.asarray(w, dtype=float)
    kind = np.zeros(len(rows), np.int8) if kinds is None else np.asarray(kinds, dtype=np.int8)
    unit = None if units is None else np.asarray(units, dtype=np.int64)
    if any(x.shape != targets.shape for x in (weights, kind, unit) if x is not None):
        raise FitError(
            f"w has shape {weights.shape}, kinds {kind.shape} and units "
            f"{None if unit is None else unit.shape} for {len(rows)} rows"
        )
    if len(kind) and not (kind.min() >= 0 and kind.max() <= 2):
        raise FitError(
            f"kind {kind[(kind < 0) | (kind > 2)][0]}; they are 0 energy, 1 force, 2 stress"
        )
    for name, values in (("A", rows), ("b", targets), ("w", weights)):
        bad = np.flatnonzero(~np.isfinite(values).all(axis=tuple(range(1, values.ndim))))
        if len(bad):
            raise FitError(
                f"{name} is not finite in {len(bad)} rows, the first is row {bad[0]}; mask them "
                "or mend them"
            )
    if (weights <= 0).any():
        raise FitError(
            f"weight {weights[weights <= 0][0]} in row {np.flatnonzero(weights <= 0)[0]}; mask "
            "rows instead"
        )
    return rows, targets, weights, kind, unit
