"""MCMC of embedded model error: c and log d by the No-U-Turn sampler of nutpie, with exact
gradients.

Where the likelihood is IID and model error additive, c is Gaussian given d and is integrated out:

    -log p(y|d) = ½ Σ [ r²/s² + log s² ] - ½ hᵀH⁻¹h + ½ log det H + …
    H = QᵀDQ + P,   h = QᵀDr - P(θ̄ - θ₀),   D = diag(1/s²)

Hoffman and Gelman, J. Mach. Learn. Res. 15, 1593 (2014). R-hat and effective sample size: Vehtari
et al., Bayesian Anal. 16, 667 (2021).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from snap_al.errors import FitError, InputError
from snap_al.inference.blocks import Block, parts_of
from snap_al.inference.coordinates import Coordinates, Estimate, noise_share
from snap_al.inference.gradient import objective, prior_scale
from snap_al.inference.objective import CHUNK, Objective
from snap_al.inference.settings import SampledSettings
from snap_al.parallel import Communicator, collectively, served, sum_rows

Array = NDArray[np.float64]
LARGEST_R_HAT = 1.05
FEWEST_EFFECTIVE = 100.0
MOST_DIVERGENT = 0.02


@dataclass(frozen=True)
class Marginal:
    """-log p(d | y) and its gradient over x = log d and log τ; c is integrated out. `f` must be IID
    and additive.
    """

    f: Objective
    """The objective of coefficients and model error together."""

    def __call__(self, parameters: Array) -> tuple[float, Array]:
        """Collective."""
        cost, gradient, _, _ = self.with_mean(parameters)
        return cost, gradient

    def with_mean(self, parameters: Array) -> tuple[float, Array, Array, Array]:
        """Also the mean θ* (n,) and covariance H⁻¹ (n, n) of the coefficients at these parameters.
        Collective.
        """
        f, n = self.f, len(self.f.pull)
        x, share, _ = f.parts(parameters)
        d2 = np.exp(2.0 * x)
        cost, h, information = 0.0, np.zeros(n), np.zeros((n, n))
        with collectively(f.comm):
            for q, squared, r, noise, counts in self._chunks():
                s2 = squared @ d2 + share * noise
                cost += 0.5 * float(counts @ (r**2 / s2 + np.log(s2)))
                h += (counts * r / s2) @ q
                scaled = q * np.sqrt(counts / s2)[:, None]
                information += scaled.T @ scaled
        total, h, information = sum_rows(f.comm, cost, h, information)
        factor = np.linalg.cholesky(information + f.precision)
        inverse = np.linalg.inv(factor)
        covariance = inverse.T @ inverse
        h = h - f.precision @ f.pull
        theta = covariance @ h
        value = float(total) - 0.5 * float(h @ theta) + float(np.log(np.diag(factor)).sum())
        by_variance, by_share = np.zeros(len(x)), 0.0
        with collectively(f.comm):
            for q, squared, r, noise, counts in self._chunks():
                s2 = squared @ d2 + share * noise
                spread = np.square(q @ inverse.T).sum(axis=1)
                by_s2 = 0.5 * counts * (1.0 / s2 - ((r - q @ theta) ** 2 + spread) / s2**2)
                by_variance += by_s2 @ squared
                by_share += float(by_s2 @ noise)
        by_variance, share_slope = sum_rows(f.comm, by_variance, by_share)
        below, slope = f.prior(x)
        gradient = [2.0 * by_variance * d2 + slope] + [np.atleast_1d(share_slope * share)] * int(
            f.infer_noise
        )
        return value + float(below), np.concatenate(gradient), theta, covariance

    def _chunks(self) -> Iterator[tuple[Array, Array, Array, Array, Array]]:
        for q, residuals, noise, counts in parts_of(self.f.blocks, CHUNK):
            yield q, np.square(q[:, self.f.chosen]), residuals, noise, counts


def sample(
    blocks: Sequence[Block],
    where: Coordinates,
    residual_variance: float,
    settings: SampledSettings,
    chosen: NDArray[np.int64],
    comm: Communicator,
) -> tuple[Estimate, Array, dict[str, float]]:
    """The estimate that the samples' moments give; (k, n) draws of θ + δ; R-hat, ESS and
    divergences. Collective.

    Raises FitError when the chains have not mixed, InputError without nutpie.
    """
    share = noise_share(settings)
    integrated = settings.likelihood == "iid" and not settings.multiplicative
    f = objective(blocks, where, share, residual_variance, settings, chosen, comm)
    f = replace(f, joint=not integrated, infer_noise=settings.noise == "inferred")
    target: Callable[[Array], tuple[float, Array]] = Marginal(f) if integrated else f
    p = len(chosen)
    jacobian = (
        0.0 if settings.prior == "inverse-gamma" else 1.0
    )  # that prior is the density of log d already
    dimensions = f.n_parameters

    def log_density(parameters: Array) -> tuple[float, Array]:
        cost, gradient = target(parameters)
        bent = np.asarray(gradient, dtype=float).copy()
        bent[:p] -= jacobian
        return -(float(cost) - jacobian * float(parameters[:p].sum())), -bent

    log_scale = _log_scale(blocks, where, settings, chosen, comm)
    found, history = (replace(f, joint=False) if integrated else f).minimum(
        np.full(p, log_scale), np.exp(log_scale)
    )
    positions, diagnostics = served(
        comm, log_density, lambda g: _nuts(g, dimensions, found, settings)
    )
    _require_mixed(diagnostics)
    return _moments(f, positions, integrated, settings, history, diagnostics)


def _log_scale(
    blocks: Sequence[Block],
    where: Coordinates,
    settings: SampledSettings,
    chosen: NDArray[np.int64],
    comm: Communicator,
) -> float:
    g = (
        1.0
        if not settings.multiplicative
        else float(np.sqrt(np.mean(where.coefficients[chosen] ** 2)))
    )
    return float(np.log(prior_scale(blocks, len(chosen), settings, g, comm)))


def _nuts(
    log_density: Callable[[Array], tuple[float, Array]],
    n: int,
    start: Array,
    settings: SampledSettings,
) -> tuple[Array, dict[str, float]]:
    """(chains × draws, n) positions, and what the sampler says of itself. Runs on rank 0."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import arviz
            import nutpie
            from nutpie.compiled_pyfunc import from_pyfunc
    except ImportError as error:
        raise InputError("posterior: mcmc needs packages: pip install 'snap_al[mcmc]'") from error
    model = from_pyfunc(
        n,
        lambda: log_density,
        lambda *_: lambda x: {"x": x},
        [np.dtype(np.float64)],
        [(n,)],
        ["x"],
        make_initial_point_fn=lambda seed: (
            start + 0.1 * np.random.default_rng(seed).standard_normal(n)
        ),
    )
    advice = "take `noise: fixed`, another fit.prior or fit.likelihood, or `posterior: embedded`"
    with failed_starts_are_errors(advice):
        trace = nutpie.sample(
            model,
            draws=settings.draws,
            tune=settings.tune,
            chains=settings.chains,
            cores=1,
            seed=settings.seed,
            progress_bar=False,
            save_warmup=False,
        )
    samples = np.asarray(trace.posterior["x"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        r_hat, ess = (
            np.asarray(d["x"]) for d in (arviz.rhat(trace.posterior), arviz.ess(trace.posterior))
        )
    diagnostics = {
        "largest_r_hat": float(r_hat.max()),
        "smallest_ess": float(ess.min()),
        "divergences": float(np.asarray(trace.sample_stats["diverging"]).sum()),
        "samples": float(samples.shape[0] * samples.shape[1]),
    }
    return samples.reshape(-1, n), diagnostics


@contextmanager
def failed_starts_are_errors(advice: str) -> Iterator[None]:
    """A sampler that cannot begin ends with a RuntimeError or with a panic of Rust. The panic is a
    BaseException in Python: other ranks would wait for this one. Both become a FitError.

    advice: what to do about it.
    """
    try:
        yield
    except BaseException as error:
        not_finite = isinstance(error, RuntimeError) and "BadLogp" in str(error)
        if not not_finite and type(error).__name__ != "PanicException":
            raise
        raise FitError(
            f"the sampler could not begin, since the density or its gradient is not finite there; "
            f"{advice}"
        ) from error


def _require_mixed(d: dict[str, float]) -> None:
    good = d["largest_r_hat"] <= LARGEST_R_HAT and d["smallest_ess"] >= min(
        FEWEST_EFFECTIVE, 0.1 * d["samples"]
    )
    if not good or d["divergences"] > MOST_DIVERGENT * d["samples"]:
        raise FitError(
            f"the chains have not mixed: largest R-hat {d['largest_r_hat']:.3f} (at most "
            f"{LARGEST_R_HAT}), smallest "
            f"effective sample size {d['smallest_ess']:.0f} (at least {FEWEST_EFFECTIVE:.0f}), "
            f"{d['divergences']:.0f} "
            f"divergences of {d['samples']:.0f}; raise fit.tune and fit.draws, or take "
            "`posterior: embedded`"
        ).on_all_ranks()


def _moments(
    f: Objective,
    positions: Array,
    integrated: bool,
    settings: SampledSettings,
    history: tuple[float, ...],
    diagnostics: dict[str, float],
) -> tuple[Estimate, Array, dict[str, float]]:
    n, rng = len(f.pull), np.random.default_rng(settings.seed)
    thetas, draws, inner, shares, within = [], [], np.zeros(n), [], np.zeros((n, n))
    step = max(1, len(positions) // 500) if integrated else 1
    for position in positions[::step]:
        x, share, theta = f.parts(position)
        if integrated:
            _, _, theta, covariance = Marginal(f).with_mean(position)
            within += covariance
            shown = theta + np.linalg.cholesky(covariance) @ rng.standard_normal(n)
        else:
            shown = theta
        d = f.scale(theta) * np.exp(x)
        inner[f.chosen] += d**2
        perturbed = shown.copy()
        perturbed[f.chosen] += d * rng.standard_normal(len(d))
        thetas.append(theta)
        draws.append(perturbed)
        shares.append(float(share))
    mean, k = np.mean(thetas, axis=0), len(thetas)
    centered = np.array(thetas) - mean
    epistemic = within / k + centered.T @ centered / k
    found = Estimate(np.diag(inner / k), float(np.mean(shares)), mean, epistemic, history)
    return found, np.array(draws), diagnostics
