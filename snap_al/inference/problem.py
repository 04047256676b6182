"""What a posterior method is given, and what it gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from snap_al.errors import FitError
from snap_al.inference.blocks import Block, enter, row_variance
from snap_al.inference.conjugate import Conjugate, as_posterior
from snap_al.inference.posterior import Posterior
from snap_al.inference.settings import FitSettings
from snap_al.inference.stds import square_root
from snap_al.parallel import Communicator, collectively

Array = NDArray[np.float64]
OwnSettings = TypeVar("OwnSettings", bound=FitSettings, covariant=True)
TakenSettings = TypeVar("TakenSettings", bound=FitSettings, contravariant=True)


@dataclass(frozen=True)
class RowErrors:
    """How each row of a block is met, in weighted units."""

    residuals: Array
    """(m,) residuals ỹ - Ãc."""
    epistemic_std: Array
    """(m,) epistemic std."""
    model_error_std: Array
    """(m,) std of the model error."""


@dataclass(frozen=True)
class Fitted:
    """A posterior, and what the errors of the rows follow from."""

    posterior: Posterior
    """The posterior."""
    epistemic_root: Array
    """(n, k) L of the epistemic covariance LLᵀ, in the coordinates that the blocks' rows are in
    now."""
    model_error_variances: Sequence[Array]
    """(m,) of each block's rows, in weighted units."""

    def errors(self, blocks: Sequence[Block]) -> list[RowErrors]:
        """Of each block's rows. blocks: as the method left them."""
        return [
            RowErrors(
                block.residuals,
                np.sqrt(row_variance(block.rows, self.epistemic_root)),
                np.sqrt(variances),
            )
            for block, variances in zip(blocks, self.model_error_variances, strict=True)
        ]


@dataclass(frozen=True)
class Problem(Generic[OwnSettings]):
    """A fit that a posterior method has to do."""

    blocks: Sequence[Block]
    """This rank's weighted rows Ã and targets ỹ. A method may overwrite the rows; their residuals
    have to be those of its mean in the end."""
    gaussian: Conjugate
    """Least squares with the prior: its mean, whitening T and residual variance."""
    settings: OwnSettings
    """Options of the method, of the class that it takes."""
    previous: Posterior | None
    """A posterior of nearly the same rows, from which a search may begin; None without one."""
    comm: Communicator
    """The ranks that hold the blocks."""

    def all_rows(self) -> tuple[Array, Array]:
        """(m, n) weighted rows Ã and (m,) targets ỹ of the fit, of all ranks, for methods that need
        them at once. Collective."""
        kept = [(b.rows[b.fitted], b.targets[b.fitted]) for b in self.blocks]
        everyone = self.comm.allgather([np.concatenate(part) for part in zip(*kept, strict=True)])
        rows, targets = (np.concatenate(part) for part in zip(*everyone, strict=True))
        return rows, targets

    def solved(
        self,
        mean: ArrayLike,
        epistemic: ArrayLike,
        *,
        model_error: ArrayLike | None = None,
        noise: ArrayLike = (0.0, 0.0, 0.0),
        draws: ArrayLike | None = None,
    ) -> Fitted:
        """The result of a method that knows moments of the coefficients.

        Parameters
        ----------
        mean : (n,) array_like
            Coefficients.
        epistemic : (n, n) array_like
            Covariance of the coefficients, the same on all ranks.
        model_error : (n, n) array_like, optional
            Covariance Σ_δ of the embedded model error; zero when not given.
        noise : (3,) array_like
            Std of the noise of energies (eV/atom), forces (eV/Å) and stresses (bar).
        draws : (k, n) array_like, optional
            Members or samples that the covariance is of.

        Raises
        ------
        FitError
            On all ranks, for shapes that differ and for values that are not finite.
        """
        c, n = self.gaussian, len(self.gaussian.mean)
        with collectively(self.comm):
            moments = {
                "mean": _array(mean),
                "epistemic": _array(epistemic),
                "model_error": np.zeros((n, n)) if model_error is None else _array(model_error),
                "noise": _array(noise),
                "draws": np.zeros((0, n)) if draws is None else _array(draws),
            }
        moments = self.comm.bcast(moments)  # ranks must not differ by a rounding
        k = len(np.atleast_1d(moments["draws"]))
        self._require(moments, {"mean": (n,), "epistemic": (n, n), "model_error": (n, n)})
        self._require(moments, {"noise": (3,), "draws": (k, n)})
        root = _whitened_root(c, moments["epistemic"])
        model_error_root = _whitened_root(c, moments["model_error"])
        enter(self.blocks, c.whitening, moments["mean"])
        posterior = as_posterior(
            replace(c, mean=moments["mean"]),
            self.settings,
            moments["noise"],
            model_error_root @ model_error_root.T,
            root @ root.T,
        )
        if k:
            posterior = replace(posterior, draws=moments["draws"])
        return Fitted(
            posterior, root, [row_variance(b.rows, model_error_root) for b in self.blocks]
        )

    def _require(self, moments: Mapping[str, Array], shapes: Mapping[str, tuple[int, ...]]) -> None:
        for name, shape in shapes.items():
            found, method = moments[name], self.settings.posterior
            if found.shape != shape:
                raise FitError(
                    f"posterior {method}: {name} has shape {found.shape}; expected {shape}"
                ).on_all_ranks()
            if not np.isfinite(found).all():
                raise FitError(f"posterior {method}: {name} is not finite").on_all_ranks()


class Method(Protocol[TakenSettings]):
    """A way to a posterior; `snap_al.inference.contract.validate_posterior` says what must hold of
    what it gives.

    A class that a config names (`fit.posterior: my_package.Mine`) is called with its
    `fit.posterior_options`, and gives a method. Collective: called on all ranks at once.
    """

    def __call__(self, problem: Problem[TakenSettings]) -> Fitted: ...


def _array(values: ArrayLike) -> Array:
    return np.asarray(values, dtype=float)


def _whitened_root(c: Conjugate, covariance: Array) -> Array:
    """(n, n) L with T⁻¹ΣT⁻ᵀ = LLᵀ, columns brought to unit norm first."""
    norms = c.factor.norms[:, None]
    return np.asarray(np.linalg.solve(norms * c.whitening, norms * square_root(covariance)))
