"""How well stds describe errors: coverage at many levels, the probability integral transform, and
factors for recalibration."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.683, 0.8, 0.9, 0.954, 0.99)
PIT_BINS = 10


def normal_cdf(z: Array) -> Array:
    """Normal distribution function. That of scipy.special takes a third of a second to import."""
    unit = z / math.sqrt(2.0)
    return 0.5 * (1.0 + np.fromiter(map(math.erf, unit.tolist()), dtype=float, count=len(unit)))


def pit_histogram(error: Array, std: Array) -> tuple[float, ...]:
    """Share of the rows in each tenth of the predicted distribution; a calibrated Gaussian has 0.1
    everywhere, one that is too narrow has its ends filled. error: prediction minus truth. Dawid, J.
    R. Stat. Soc. A 147, 278 (1984)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(error == 0, 0.0, -error / std)
    counts, _ = np.histogram(normal_cdf(z), bins=PIT_BINS, range=(0.0, 1.0))
    return tuple(float(c) / len(error) for c in counts)


def coverage_at(error: Array, std: Array) -> dict[float, float]:
    """Share of |error| inside the central interval of each probability of LEVELS."""
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(error == 0, 0.0, np.abs(error) / std)
    inside = 2.0 * normal_cdf(z) - 1.0
    return {level: float(np.mean(inside <= level)) for level in LEVELS}


def scale_factor(error: Array, std: Array) -> float:
    """The factor on all stds that the Gaussian likelihood of the errors is largest with: the RMS of
    error over std.
    """
    return float(np.sqrt(np.mean(np.square(error / std))))


def wilson(inside: float, n: int, z: float = 1.96) -> tuple[float, float]:
    """95 % interval of a share of n independent trials. Wilson, J. Am. Stat. Assoc. 22, 209
    (1927).
    """
    center = (inside + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(inside * (1 - inside) / n + z**2 / (4 * n**2))
    return center - half, center + half
