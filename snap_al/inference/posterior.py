"""What a fit leaves: coefficients' mean and covariance, model-error covariance, noise; and
predictions from them.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, fields, replace
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snap_al.data.arrays import read_arrays
from snap_al.data.json_text import read_json
from snap_al.errors import InputError

Array = NDArray[np.float64]
FORMAT = 4


@dataclass(frozen=True)
class Prediction:
    """For each row (m,): mean and the stds of its parts, in the row's own unit; `total_std` is the
    error bar.
    """

    mean: Array
    epistemic_std: Array
    model_error_std: Array
    noise_std: Array

    @property
    def total_std(self) -> Array:
        return np.sqrt(self.epistemic_std**2 + self.model_error_std**2 + self.noise_std**2)


@dataclass(frozen=True)
class Posterior:
    """A Gaussian posterior over n distinct coefficients, with embedded model error.

    mean: (n,). epistemic: (n, n) covariance of the coefficients. model_error: (n, n) covariance of
    δ (zeros without). noise_by_kind: (3,) σ of energies per atom (eV), force components (eV/Å) and
    stress components (bar); 0 for a kind that was not fitted. residual_variance: that of the
    weighted residuals, which the prior is relative to. whitening: T (n, n), in whose coordinates
    rows and prior together have unit information. inner, middle: (n, n), the model error and the
    epistemic covariance there, Σ = T (·) Tᵀ. They make leaving one out cheap. prior_information:
    (n, n) the prior's part of the unit information there. ridge: κ, the prior's precision next to
    columns of unit norm. embedded_rows: how many rows model error and noise were last estimated
    from. recalibration: (3,) factor on the stds of each kind, 1 unless asked for. draws: (k, n) the
    members or samples that the covariance is of, if any. diagnostics: what the method has to say of
    itself. remarks: what a user should know of the rows that were fitted. atom_reference:
    (n_elements, n) rows that are taken off those of single atoms of each element before the std of
    an atom's energy is computed: the part of it that the compositions of the training set leave
    open; empty where there is none. atom_std: eV, the largest of these stds among the last
    configurations of the training set; 0 where it is not known.
    """

    name: str
    mean: Array
    epistemic: Array
    model_error: Array
    noise_by_kind: Array
    residual_variance: float
    whitening: Array
    inner: Array
    middle: Array
    prior_information: Array
    ridge: float
    n_rows: int
    embedded_rows: int
    objective: tuple[float, ...] = ()
    recalibration: Array = field(default_factory=lambda: np.ones(3))
    draws: Array = field(default_factory=lambda: np.zeros((0, 0)))
    diagnostics: dict[str, float] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    atom_reference: Array = field(default_factory=lambda: np.zeros((0, 0)))
    atom_std: float = 0.0

    @property
    def covariance(self) -> Array:
        """(n, n) epistemic and model-error covariance together."""
        return self.epistemic + self.model_error

    @property
    def digest(self) -> str:
        """Names these coefficients and covariances."""
        content = (
            self.mean,
            self.epistemic,
            self.model_error,
            self.recalibration,
            self.atom_reference,
        )
        return hashlib.sha256(
            b"".join(np.ascontiguousarray(a).tobytes() for a in content)
        ).hexdigest()[:16]

    def mean_of(self, rows: Array) -> Array:
        """(m,) what the mean coefficients give for rows (m, n)."""
        return np.asarray(rows @ self.mean)

    def predict(
        self, rows: Array, weights: Array | None = None, kinds: NDArray[np.int8] | None = None
    ) -> Prediction:
        """rows: (m, n) unweighted. kinds: (m,) 0 energy, 1 force, 2 stress, for their noise and, if
        the posterior was recalibrated, the factor on their stds; without, the noise is that of the
        one kind that was fitted, or 0 where there were several. weights: (m,) as in
        `fit_posterior`; noise is in the kind's own unit and the same for all.

        Raises InputError for rows of another width.
        """
        if rows.ndim != 2 or rows.shape[1] != len(self.mean):
            raise InputError(
                f"rows of shape {rows.shape} for a posterior over {len(self.mean)} coefficients"
            )
        fitted = self.noise_by_kind[self.noise_by_kind > 0]
        noise = np.full(len(rows), fitted[0] if len(fitted) == 1 else 0.0)
        if kinds is not None:
            noise = self.noise_by_kind[kinds]
        factor = np.ones(len(rows)) if kinds is None else self.recalibration[kinds]
        epistemic, model_error = row_std(rows, self.epistemic), row_std(rows, self.model_error)
        return Prediction(
            self.mean_of(rows), factor * epistemic, factor * model_error, factor * noise
        )

    def atom_energy_std(
        self, rows: Array, elements: NDArray[np.int64], root: Array | None = None
    ) -> Array:
        """(m,) eV, total stds of single atoms' energies without noise. rows: (m, n), elements: (m,)
        their numbers. root: `square_root` of the covariance, where it is known."""
        if len(self.atom_reference):
            rows = rows - self.atom_reference[elements]
        root = square_root(self.covariance) if root is None else root
        return np.asarray(self.recalibration[0] * np.linalg.norm(rows @ root, axis=1))

    def noise_variance(self, weights: Array, kinds: NDArray[np.int8]) -> Array:
        """(m,) of rows in weighted units: w²σ²."""
        return np.asarray(np.square(weights * self.noise_by_kind[kinds]))

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        """(n, n_coefficients) draws of c + δ; use one draw for everything that a derived quantity
        is made of. Of a committee, MCMC or POPS: of its own members or samples."""
        if len(self.draws):
            return np.asarray(self.draws[rng.integers(len(self.draws), size=n)])
        root = square_root(self.covariance)
        return np.asarray(self.mean + rng.standard_normal((n, len(self.mean))) @ root.T)

    def left_out(self, weighted_rows: Array) -> Array:
        """(n, n) total covariance as if a configuration with these weighted rows (m, n) had not
        been fitted.
        """
        q = weighted_rows @ self.whitening
        return self.with_information(-q.T @ q)

    def with_information(self, change: Array) -> Array:
        """(n, n) total covariance after QᵀQ (n, n), Q = ÃT of some rows, has been added to what was
        fitted, or taken off.

        In whitened coordinates the fitted rows and the prior together have unit information, and
        then 1 + QᵀQ: both covariances are carried over to the whitening of that. σ stays and
        nothing is refitted. The sandwich's middle is a sum over rows as the information is, so it
        follows the whitening once, not twice. Σ_δ is such a sum as well (it explains all rows'
        residuals), and grows with the information: model error does not shrink with data alike.
        """
        return np.asarray(self.whitening @ self.inner_with(change) @ self.whitening.T)

    def inner_with(self, change: Array) -> Array:
        """(n, n) the same in whitened coordinates."""
        model_error, epistemic = self.parts_with(change)
        return model_error + epistemic

    def parts_with(self, change: Array) -> tuple[Array, Array]:
        """Its parts (n, n), model error and epistemic."""
        n = len(self.mean)
        values, vectors = np.linalg.eigh(np.eye(n) + change)
        values = np.maximum(values, LEAST_INFORMATION)
        root = vectors / np.sqrt(values) @ vectors.T
        return root @ (self.inner * (values.sum() / n)) @ root, root @ self.middle @ root

    def recalibrated(self, factors: Array) -> Posterior:
        """The same with (3,) factors on the stds of energies, forces and stresses."""
        factors = np.asarray(factors, dtype=float)
        atom_std = float(self.atom_std * factors[0] / self.recalibration[0])
        return replace(self, recalibration=factors, atom_std=atom_std)

    def to_bytes(self) -> bytes:
        """npz without pickle."""
        buffer = BytesIO()
        arrays = {k: v for k, v in vars(self).items() if isinstance(v, np.ndarray)}
        scalars = {k: v for k, v in vars(self).items() if k not in arrays}
        stored: dict[str, Any] = {
            "header": np.array(json.dumps({"format": FORMAT, **scalars})),
            **arrays,
        }
        np.savez(buffer, **stored)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Posterior:
        """Raises InputError for anything that `to_bytes` of this format did not write."""
        try:
            arrays: dict[str, Any] = dict(read_arrays(data))
            header = read_json(str(arrays.pop("header", "{}")))
            _check_stored(header, arrays)
        except ValueError as error:
            raise InputError(f"no posterior of snap_al, format {FORMAT}: {error}") from error
        tuples = {name: tuple(header[name]) for name in ("objective", "remarks")}
        return cls(**{k: v for k, v in header.items() if k != "format"} | tuples, **arrays)


def _check_stored(header: Any, arrays: dict[str, Any]) -> None:
    """Raises ValueError unless these are what a Posterior has, and of one number of
    coefficients.
    """
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise ValueError("another format version")
    names = {f.name for f in fields(Posterior)}
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


LEAST_INFORMATION = 1e-12


def row_std(rows: Array, covariance: Array) -> Array:
    """(m,) sqrt(a Σ aᵀ) of each row."""
    return np.asarray(np.linalg.norm(rows @ square_root(covariance), axis=1))


def square_root(covariance: Array) -> Array:
    """L (n, n) with L Lᵀ = Σ, for any positive semi-definite Σ, scaled first so that units do not
    cost digits.
    """
    scale = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    safe = np.where(scale > 0, scale, 1.0)
    values, vectors = np.linalg.eigh(covariance / np.outer(safe, safe))
    return np.asarray(safe[:, None] * vectors * np.sqrt(np.maximum(values, 0.0)))


def atom_force_std(force_rows: Array, root: Array) -> Array:
    """force_rows: (3 n_atoms, n). root: L with Σ = L Lᵀ. (n_atoms,) sqrt(tr(D Σ Dᵀ)/3)."""
    squares = np.square(force_rows @ root).sum(axis=1)
    return np.asarray(np.sqrt(squares.reshape(-1, 3).sum(axis=1) / 3.0))
