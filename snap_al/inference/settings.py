"""What a config says about a fit."""

from __future__ import annotations

import math
from typing import Any, Literal

from pydantic import BaseModel, Field, PositiveFloat, ValidationInfo, model_validator

from snap_al.named import DottedName
from snap_al.options import OF_YOURS, Case, Table, refuse_inapplicable

CALIBRATING_ALPHA = math.sqrt(math.pi / 2.0)
"""std over mean absolute value of a Gaussian."""


PosteriorName = Literal["embedded", "bayes", "variational", "mcmc", "committee", "pops"]

_MODEL_ERROR: Case = {"posterior": ("embedded", "mcmc")}
_ANCHORED: Case = {"posterior": ("embedded",), "mean": ("anchored",)}
_OF_COEFFICIENTS: Case = {**_MODEL_ERROR, "embedding": ("coefficients",)}
_OF_VARIANCES: Case = {"posterior": ("embedded",), "embedding": ("whitened", "coefficients")}
_ABC: Case = {**_MODEL_ERROR, "likelihood": ("abc",)}
_COMMITTEE: tuple[Case, ...] = ({"posterior": ("committee",)}, {"query.strategy": ("committee",)})
_BAYES: Case = {"posterior": ("bayes", "variational")}

APPLIES_WITH: Table = {
    "posterior_options": ({"posterior": (OF_YOURS,)},),
    "likelihood": (_MODEL_ERROR,),
    "embedding": (_MODEL_ERROR,),
    "embed": (_OF_COEFFICIENTS,),
    "multiplicative": (_OF_COEFFICIENTS,),
    "mean": ({"posterior": ("embedded",)},),
    "prior": (_OF_VARIANCES, {"posterior": ("mcmc",)}),
    "pseudo_rows": ({**_MODEL_ERROR, "prior": ("inverse-gamma",)},),
    "balance": (_ANCHORED,),
    "noise": (_MODEL_ERROR,),
    "noise_fraction": ({**_MODEL_ERROR, "noise": ("fixed", "inferred")},),
    "laplace": (_OF_VARIANCES,),
    "abc_alpha": (_ABC,),
    "abc_epsilon": (_ABC,),
    "prior_precision": (
        {"posterior": ("embedded", "bayes", "variational", "mcmc", "committee", OF_YOURS)},
        *_COMMITTEE[1:],
    ),
    "noise_std": (_BAYES,),
    "noise_shape": ({**_BAYES, "noise_std": (None,)},),
    "noise_scale": ({**_BAYES, "noise_std": (None,)},),
    "members": _COMMITTEE,
    "fraction": _COMMITTEE,
    "recalibrate": (_ANCHORED,),
    "draws": ({"posterior": ("mcmc",)},),
    "tune": ({"posterior": ("mcmc",)},),
    "chains": ({"posterior": ("mcmc",)},),
    "seed": ({"posterior": ("committee", "mcmc", "pops")}, *_COMMITTEE[1:]),
    "embed_again": (_ANCHORED,),
}
"""Cases in which an option applies; the others always do."""


class FitSettings(BaseModel, extra="forbid", frozen=True):
    """How coefficients and their uncertainty are found. The defaults are what to use;
    docs/fitting.md says what else is for.
    """

    posterior: PosteriorName | DottedName = "embedded"
    """Or the dotted name of a class of yours (snap_al.inference.Method)."""
    posterior_options: dict[str, Any] = {}
    """Arguments of a class of yours."""
    likelihood: Literal["iid", "abc", "full"] = "iid"
    """Of embedded and mcmc. iid: rows are independent. abc: the std imitates |residual|. full: all
    rows' covariance, which is degenerate for small noise and costs the cube of the rows; for small
    problems."""
    embedding: Literal["full", "whitened", "coefficients"] = "full"
    """Where the model error sits. full: any covariance. whitened: a variance along each direction
    of the whitened rows. coefficients: a variance of each coefficient, as in the papers. mcmc takes
    full as whitened."""
    embed: Literal["all", "auto"] | tuple[int | str, ...] = "all"
    """With coefficients: which ones, by number, component (B_2.1.1) or element; auto: the fewest
    that reach 95 % of the gain in likelihood."""
    multiplicative: bool = False
    """With coefficients: model error is a share of each coefficient."""
    mean: Literal["anchored", "joint"] = "anchored"
    """anchored: least squares, and the model error explains its residuals. joint: both at once."""
    prior: Literal["inverse-gamma", "flat", "half-normal", "half-cauchy", "jeffreys"] = (
        "inverse-gamma"
    )
    """On the model error's stds d (its variances d², for inverse-gamma); their scale is that of the
    residuals.
    """
    pseudo_rows: float = Field(default=1.0, gt=0)
    """Weight of the inverse-gamma prior, in rows."""
    balance: bool = True
    """Energies, forces and stresses count alike in an anchored model error, however many rows each
    has.
    """
    noise: Literal["fixed", "inferred", "zero"] = "fixed"
    """fixed: a share of the mean square residual of each kind. inferred: with the model error.
    zero: none."""
    noise_fraction: float = Field(default=0.01, gt=0, le=1)
    """σ² as a fraction of each kind's mean square residual, where it is fixed, or where its
    inference begins.
    """
    laplace: bool = False
    """Epistemic covariance from the curvature of the posterior of coefficients and model error
    together.
    """
    abc_alpha: PositiveFloat = CALIBRATING_ALPHA
    """s = α |residual| is what abc strives for; √(π/2) calibrates Gaussian residuals, 1 covers 57 %
    of them.
    """
    abc_epsilon: PositiveFloat | None = None
    """Tolerance of abc in weighted units; the residuals' std when not given."""
    prior_precision: Literal["evidence"] | PositiveFloat = "evidence"
    """κ: precision of the coefficients' prior next to columns of unit weighted norm, in units of
    1/σ²; constants have none.
    """
    noise_std: PositiveFloat | None = None
    """bayes: σ in weighted units, where it is known."""
    noise_shape: float = Field(default=0.0, ge=0)
    """bayes: shape of an inverse-gamma prior on σ²."""
    noise_scale: float = Field(default=0.0, ge=0)
    """bayes: its scale; both zero leave σ² to the data."""
    members: int = Field(default=20, ge=2, le=10_000)
    """committee: number of members."""
    fraction: float = Field(default=0.8, gt=0)
    """committee: each member sees this share of the rows, drawn with replacement."""
    recalibrate: bool = False
    """embedded: factors on the stds of each kind, from the training configurations with each left
    out.
    """
    draws: int = Field(default=500, ge=10, le=1_000_000)
    """mcmc: number of samples of each chain."""
    tune: int = Field(default=500, ge=10, le=1_000_000)
    """mcmc: number of steps before these, which adapt the sampler."""
    chains: int = Field(default=2, ge=2, le=1000)
    """mcmc: number of independent chains."""
    seed: int = Field(default=0, ge=0)
    """committee, mcmc and pops: seed of the random numbers."""
    embed_again: float = Field(default=0.1, ge=0)
    """In a run, the model error is estimated anew when the rows have grown by this share; in
    between, a refit costs no more than the rows that are new."""

    @property
    def options(self) -> dict[str, Any]:
        """What was given, as options of `fit_posterior`."""
        return self.model_dump(exclude_unset=True)

    @model_validator(mode="after")
    def _fits_together(self, info: ValidationInfo) -> FitSettings:
        strategies = (info.context or {}).get("strategies", ())
        refuse_inapplicable(self, APPLIES_WITH, {"query.strategy": strategies})
        model_error = self.posterior in ("embedded", "mcmc")
        if self.posterior == "embedded" and self.embedding == "full" and self.likelihood != "iid":
            raise ValueError(
                f"likelihood {self.likelihood} takes `embedding: whitened` or coefficients, full "
                "takes iid"
            )
        if self.posterior == "mcmc" and self.likelihood == "full":
            raise ValueError("mcmc samples the iid and the abc likelihood")
        if self.posterior == "mcmc" and self.prior in ("flat", "jeffreys"):
            raise ValueError(
                f"mcmc takes a proper prior; {self.prior} leaves model errors without a bound"
            )
        if self.embed == "auto" and not (model_error and self.likelihood == "iid"):
            raise ValueError("embed: auto is for the iid likelihood")
        return self
