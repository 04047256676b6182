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
from snap_al.inference.stds import atom_force_std, row_std, square_root
from snap_al.inference.stored import FORMAT, check_stored, check_version

Array = NDArray[np.float64]
LEAST_INFORMATION = 1e-12


@dataclass(frozen=True)
class Prediction:
    """Predictions for rows, in each row's own unit."""

    mean: Array
    """(m,) predicted values."""
    epistemic_std: Array
    """(m,) std from not knowing the coefficients; it shrinks with data."""
    model_error_std: Array
    """(m,) std of the embedded model error; it does not shrink with data."""
    noise_std: Array
    """(m,) std of the labels' noise."""

    @property
    def total_std(self) -> Array:
        """(m,) the error bar: the three in quadrature."""
        return np.sqrt(self.epistemic_std**2 + self.model_error_std**2 + self.noise_std**2)


@dataclass(frozen=True)
class Posterior:
    """A Gaussian posterior over n distinct coefficients, with embedded model error."""

    name: str
    """Name of the method."""
    mean: Array
    """(n,) mean coefficients, eV."""
    epistemic: Array
    """(n, n) covariance of the coefficients, eV²."""
    model_error: Array
    """(n, n) covariance Σ_δ of the embedded model error, eV²; zeros without."""
    noise_by_kind: Array
    """(3,) σ of energies per atom (eV), force components (eV/Å) and stress components (bar); 0 for
    a kind that was not fitted."""
    residual_variance: float
    """Variance of the weighted residuals, which the prior is relative to."""
    whitening: Array
    """(n, n) T, in whose coordinates rows and prior together have unit information."""
    inner: Array
    """(n, n) the model error in these coordinates: Σ_δ = T (·) Tᵀ."""
    middle: Array
    """(n, n) the epistemic covariance in these coordinates."""
    prior_information: Array
    """(n, n) the prior's part of the unit information."""
    ridge: float
    """κ, the prior's precision next to columns of unit norm."""
    n_rows: int
    """Rows that were fitted, over all ranks."""
    embedded_rows: int
    """Rows that model error and noise were last estimated from."""
    objective: tuple[float, ...] = ()
    """-log posterior at each step of the search for the model error."""
    recalibration: Array = field(default_factory=lambda: np.ones(3))
    """(3,) factors on the stds of energies, forces and stresses; 1 unless asked for."""
    draws: Array = field(default_factory=lambda: np.zeros((0, 0)))
    """(k, n) members or samples that the covariance is of, if any."""
    diagnostics: dict[str, float] = field(default_factory=dict)
    """Diagnostics of the method."""
    remarks: tuple[str, ...] = ()
    """Remarks for the user on the rows that were fitted."""
    atom_reference: Array = field(default_factory=lambda: np.zeros((0, 0)))
    """(n_elements, n) rows that are taken off those of single atoms of each element before the std
    of an atom's energy is computed: the part of it that the compositions of the training set leave
    open; empty where there is none."""
    atom_std: float = 0.0
    """eV, the largest std of an atom's energy among the last configurations of the training set; 0
    where it is not known."""

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

    def predict(self, rows: Array, kinds: NDArray[np.int8] | None = None) -> Prediction:
        """Predict rows with the stds of the predictions.

        Parameters
        ----------
        rows : (m, n) ndarray
            Rows of the design matrix, not weighted.
        kinds : (m,) ndarray of int8, optional
            0 energy, 1 force, 2 stress, for their noise and, if the posterior was recalibrated, the
            factor on their stds. Without them, the noise is that of the one kind that was fitted,
            or 0 where there were several.

        Returns
        -------
        Prediction
            In the units of the rows.

        Raises
        ------
        InputError
            For rows of another width.
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

    def atom_force_std(self, force_rows: Array, covariance: Array | None = None) -> Array:
        """(n_atoms,) eV/Å, total stds of the forces on atoms without noise, see `stds`. force_rows:
        (3 n_atoms, n). covariance: (n, n) in place of the posterior's own."""
        total = self.covariance if covariance is None else covariance
        return atom_force_std(force_rows, self.recalibration[1] * square_root(total))

    def noise_variance(self, weights: Array, kinds: NDArray[np.int8]) -> Array:
        """(m,) of rows in weighted units: w²σ²."""
        return np.asarray(np.square(weights * self.noise_by_kind[kinds]))

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        """Draw coefficients, model error and all.

        Use one draw for everything that a derived quantity is made of. The posterior of a
        committee, of MCMC or of POPS draws from its own members or samples.

        Parameters
        ----------
        n : int
            How many.
        rng : numpy.random.Generator
            Where the random numbers come from.

        Returns
        -------
        (n, n_coefficients) ndarray
            Draws of c + δ, in eV.
        """
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
        """Raises InputError for anything that `to_bytes` of this format did not write,
        OtherVersionError for what another version of snap_al did."""
        try:
            arrays: dict[str, Any] = dict(read_arrays(data))
            header = read_json(str(arrays.pop("header", "{}")))
            check_version(header)
            check_stored(header, arrays, {f.name for f in fields(cls)})
        except ValueError as error:
            raise InputError(f"no posterior of snap_al, format {FORMAT}: {error}") from error
        tuples = {name: tuple(header[name]) for name in ("objective", "remarks")}
        return cls(**{k: v for k, v in header.items() if k != "format"} | tuples, **arrays)
