"""The No-U-Turn sampler of nutpie, and what its chains say of themselves.

Hoffman, Gelman, J. Mach. Learn. Res. 15, 1593 (2014). R-hat and effective sample size: Vehtari et
al., Bayesian Anal. 16, 667 (2021).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snap_al.errors import FitError
from snap_al.inference.sampled import (
    FEWEST_EFFECTIVE,
    LARGEST_R_HAT,
    MOST_DIVERGENT,
    failed_starts_are_errors,
)

Array = NDArray[np.float64]
TARGET_ACCEPT = 0.9
"""Share of steps that the sampler aims to accept; at 0.8 chains of small networks diverge."""
LogDensity = Callable[[Array], tuple[float, Array]]


@dataclass(frozen=True)
class Chains:
    """Numbers of a run of the sampler."""

    draws: int
    """Samples of each chain."""
    tune: int
    """Steps before these, which adapt the sampler."""
    chains: int
    """Independent chains."""
    seed: int
    """Seed of the random numbers."""
    depth: int
    """Most doublings of a trajectory: a sample takes at most 2 to this power gradients."""


def sample(
    log_density: LogDensity, n: int, start: Callable[[int], Array], run: Chains
) -> tuple[Array, dict[str, float]]:
    """(chains, draws, n) positions, and how many were divergent and took which gradients. start: of
    a chain's seed to its first position (n,). Raises FitError where the sampler cannot begin.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import nutpie
        from nutpie.compiled_pyfunc import from_pyfunc

    model = from_pyfunc(
        n,
        lambda: log_density,
        lambda *_: lambda x: {"x": x},
        [np.dtype(np.float64)],
        [(n,)],
        ["x"],
        make_initial_point_fn=start,
    )
    with failed_starts_are_errors("give noise_std, or take a narrower prior_std or EnsRegr"):
        trace = nutpie.sample(
            model,
            draws=run.draws,
            tune=run.tune,
            chains=run.chains,
            cores=1,
            seed=run.seed,
            maxdepth=run.depth,
            target_accept=TARGET_ACCEPT,
            low_rank_modified_mass_matrix=True,
            progress_bar=False,
            save_warmup=False,
        )
    stats = trace.sample_stats
    return np.asarray(trace.posterior["x"]), {
        "divergences": float(np.asarray(stats["diverging"]).sum()),
        "samples": float(run.chains * run.draws),
        "gradients": float(np.asarray(stats["n_steps"]).sum()),
    }


def mixing(values: Mapping[str, Array]) -> tuple[float, float]:
    """The largest R-hat and the smallest effective sample size of values (chains, draws, ...)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import arviz

        data = arviz.convert_to_dataset(dict(values))
        r_hat, ess = arviz.rhat(data), arviz.ess(data)
    largest = max(float(np.asarray(r_hat[name]).max()) for name in values)
    smallest = min(float(np.asarray(ess[name]).min()) for name in values)
    return largest, smallest


def require_mixed(d: Mapping[str, float]) -> None:
    """Raises FitError where the chains' predictions have not mixed."""
    fewest = min(FEWEST_EFFECTIVE, 0.1 * d["samples"])
    good = d["largest_r_hat"] <= LARGEST_R_HAT and d["smallest_ess"] >= fewest
    if not good or d["divergences"] > MOST_DIVERGENT * d["samples"]:
        raise FitError(
            f"the chains have not mixed: largest R-hat of predictions {d['largest_r_hat']:.3f} (at "
            f"most {LARGEST_R_HAT}), smallest effective sample size {d['smallest_ess']:.0f} (at "
            f"least {fewest:.0f}), {d['divergences']:.0f} divergences of {d['samples']:.0f}; raise "
            "tune and draws, take a smaller network or a narrower prior, or take EnsRegr"
        )
