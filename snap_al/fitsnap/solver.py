"""Our posteriors inside FitSNAP: a solver object that a FitSNAP script assigns.

    fs.process_configs()
    fs.solver = EmbeddedModelError(fs.pt, fs.config, samples=100)
    fs.perform_fit()
    fs.write_output()

The whole script is examples/fitsnap/our_solver_in_fitsnap.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from fitsnap3lib.solvers.solver import Solver
from numpy.typing import NDArray

from snap_al.descriptors import Columns, SnapSettings
from snap_al.errors import InputError
from snap_al.fitsnap.deck import SOLVERS
from snap_al.fitsnap.output import KINDS
from snap_al.inference import FitSettings, Posterior, fit_posterior

Array = NDArray[np.float64]


class EmbeddedModelError(Solver):  # type: ignore[misc]
    """fit (n,), cov (n, n), fit_sam (samples, n) over FitSNAP's columns, as its output and error
    analysis expect them.

    settings: of the fit; FitSNAP's own least-squares coefficients with embedded model error when
    not given. samples: draws of c + δ, by a generator with this seed. The posterior itself is kept
    as `posterior`.
    """

    def __init__(
        self,
        pt: Any,
        config: Any,
        settings: FitSettings | None = None,
        samples: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__("EMBEDDEDMODELERROR", pt, config)
        self.settings = settings or SOLVERS["SVD"]
        self.samples, self.seed = samples, seed
        self.posterior: Posterior | None = None

    def perform_fit(
        self,
        a: Any = None,
        b: Any = None,
        w: Any = None,
        fs_dict: Any = None,
        trainall: bool = False,
    ) -> None:
        """Fits FitSNAP's shared arrays, training rows only, or the arrays given. Raises FitError
        for bad numbers.
        """
        if self.pt.get_subrank() != 0:
            return
        if a is None:
            a, b, w = (self.pt.shared_arrays[name].array for name in ("a", "b", "w"))
        training = np.ones(len(b), dtype=bool)
        if not trainall:
            training = ~np.asarray((fs_dict or self.pt.fitsnap_dict)["Testing"], dtype=bool)
        columns = self._columns(np.shape(a)[1])
        used = training & (np.asarray(w) > 0)
        rows = columns.keep_distinct(np.asarray(a)[used])
        self.posterior = fit_posterior(
            rows,
            np.asarray(b)[used],
            np.asarray(w)[used],
            kinds=self._kinds(fs_dict, len(used))[used],
            constants=columns.constants,
            **self.settings.options,
        )
        spread = columns.spread
        self.fit = spread @ self.posterior.mean
        self.cov = spread @ self.posterior.covariance @ spread.T
        if self.samples:
            rng = np.random.default_rng(self.seed)
            self.fit_sam = self.posterior.sample(self.samples, rng) @ spread.T

    def _kinds(self, fs_dict: Any, n_rows: int) -> NDArray[np.int8]:
        """(n_rows,) what FitSNAP says each row is; all alike where it does not say."""
        names = (fs_dict or self.pt.fitsnap_dict or {}).get("Row_Type") or []
        if len(names) != n_rows:
            return np.zeros(n_rows, np.int8)
        return np.array([KINDS.index(str(name)) for name in names], dtype=np.int8)

    def _offset(self) -> None:
        """With bzeroflag, a constant of zero before each element's coefficients; FitSNAP's own
        stops at samples of several elements."""
        n = self.config.sections["BISPECTRUM"].numtypes

        def with_constants(values: Array) -> Array:
            blocks = values.reshape(*values.shape[:-1], n, -1)
            return np.insert(blocks, 0, 0.0, axis=-1).reshape(*values.shape[:-1], -1)

        self.fit = with_constants(self.fit)
        if n > 1:
            self.fit = self.fit.reshape(-1, 1)
        if self.fit_sam is not None:
            self.fit_sam = with_constants(self.fit_sam)

    def _columns(self, width: int) -> Columns:
        """Raises InputError when FitSNAP's matrix is not the one of its BISPECTRUM section."""
        section = self.config.sections["BISPECTRUM"]
        settings = SnapSettings(
            elements=tuple(section.types),
            twojmax=tuple(int(x) for x in section.twojmax),
            rcutfac=section.rcutfac,
            chemflag=bool(section.chemflag),
            bnormflag=bool(section.chemflag) or bool(section.bnormflag),
            bzeroflag=bool(section.bzeroflag),
            quadraticflag=bool(section.quadraticflag),
        )
        columns = Columns.of(settings)
        if columns.n_all != width:
            raise InputError(
                f"FitSNAP's matrix has {width} columns, and its BISPECTRUM section makes "
                f"{columns.n_all}"
            )
        return columns
