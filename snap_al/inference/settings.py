"""What a config says about a fit: what all posterior methods have in common, and one class of
settings for each of them.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, Field, PositiveFloat, ValidationInfo, model_validator

from snap_al.named import DottedName
from snap_al.options import Case, Table, refuse_inapplicable

CALIBRATING_ALPHA = math.sqrt(math.pi / 2.0)
"""std over mean absolute value of a Gaussian."""
USUAL_GROWTH = 0.1
"""Share by which the rows of a run may grow before a fit that can be refitted is done anew."""

_COMMITTEE_STRATEGY: tuple[Case, ...] = ({"query.strategy": ("committee",)},)
_ANCHORED: tuple[Case, ...] = ({"mean": ("anchored",)},)
_OF_VARIANCES: tuple[Case, ...] = ({"embedding": ("whitened", "coefficients")},)
_OF_COEFFICIENTS: tuple[Case, ...] = ({"embedding": ("coefficients",)},)
_ABC: tuple[Case, ...] = ({"likelihood": ("abc",)},)
_UNKNOWN_NOISE: tuple[Case, ...] = ({"noise_std": (None,)},)

OF_MEMBERS: Table = {"members": _COMMITTEE_STRATEGY, "fraction": _COMMITTEE_STRATEGY}
OF_A_COMMITTEE: Table = {**OF_MEMBERS, "seed": _COMMITTEE_STRATEGY}
"""Options of a committee, which a method that does not read them has for the strategy alone."""
_MODEL_ERROR: Table = {
    "embed": _OF_COEFFICIENTS,
    "multiplicative": _OF_COEFFICIENTS,
    "pseudo_rows": ({"prior": ("inverse-gamma",)},),
    "noise_fraction": ({"noise": ("fixed", "inferred")},),
    "abc_alpha": _ABC,
    "abc_epsilon": _ABC,
}


class FitSettings(BaseModel, extra="forbid", frozen=True):
    """How coefficients and their uncertainty are found. `posterior` is the method; these options
    are common to all methods, and each has options of its own. The defaults are what to use;
    docs/fitting.md says what else is for. In Python, `fit_settings` makes settings.
    """

    applies_with: ClassVar[Table] = OF_A_COMMITTEE
    """Cases in which an option applies; the others always do."""

    posterior: str
    """The method, or the dotted name of a class of yours (snap_al.inference.Method)."""
    prior_precision: Literal["evidence"] | PositiveFloat = "evidence"
    """κ: precision of the coefficients' prior next to columns of unit weighted norm, in units of
    1/σ²; constants have none. pops has a prior of its own."""
    members: int = Field(default=20, ge=2, le=10_000)
    """Number of members of a committee: of the posterior committee, or of the strategy committee
    beside another posterior."""
    fraction: float = Field(default=0.8, gt=0)
    """Share of the rows that each member of a committee sees, drawn with replacement."""
    seed: int = Field(default=0, ge=0)
    """Seed of the random numbers of a committee, of mcmc and of pops."""

    @property
    def options(self) -> dict[str, Any]:
        """What was given, as options of `fit_posterior`."""
        return self.model_dump(exclude_unset=True)

    @model_validator(mode="before")
    @classmethod
    def _is_of_a_method(cls, given: Any) -> Any:
        if cls is FitSettings:
            raise TypeError(
                "FitSettings is what the settings of all posteriors have in common; "
                "fit_settings(posterior=...) makes those of one"
            )
        return given

    @model_validator(mode="after")
    def _options_apply(self, info: ValidationInfo) -> FitSettings:
        strategies = (info.context or {}).get("strategies", ())
        refuse_inapplicable(self, self.applies_with, {"query.strategy": strategies})
        return self


class ModelErrorSettings(FitSettings, extra="forbid", frozen=True):
    """Options of an embedded model error, which `embedded` and `mcmc` have."""

    likelihood: Literal["iid", "abc", "full"] = "iid"
    """iid: rows are independent. abc: the std imitates |residual|. full: all rows' covariance,
    which is degenerate for small noise and costs the cube of the rows; for small problems, and not
    of mcmc."""
    embedding: Literal["full", "whitened", "coefficients"] = "full"
    """Where the model error sits. full: any covariance. whitened: a variance along each direction
    of the whitened rows. coefficients: a variance of each coefficient, as in the papers. mcmc takes
    full as whitened."""
    embed: Literal["all", "auto"] | tuple[int | str, ...] = "all"
    """With coefficients: which ones, by number, component (B_2.1.1) or element; auto: the fewest
    that reach 95 % of the gain in likelihood."""
    multiplicative: bool = False
    """With coefficients: model error is a share of each coefficient."""
    prior: Literal["inverse-gamma", "flat", "half-normal", "half-cauchy", "jeffreys"] = (
        "inverse-gamma"
    )
    """On the model error's stds d (its variances d², for inverse-gamma); their scale is that of the
    residuals. mcmc takes neither flat nor jeffreys.
    """
    pseudo_rows: float = Field(default=1.0, gt=0)
    """Weight of the inverse-gamma prior, in rows."""
    noise: Literal["fixed", "inferred", "zero"] = "fixed"
    """fixed: a share of the mean square residual of each kind. inferred: with the model error.
    zero: none."""
    noise_fraction: float = Field(default=0.01, gt=0, le=1)
    """σ² as a fraction of each kind's mean square residual, where it is fixed, or where its
    inference begins.
    """
    abc_alpha: PositiveFloat = CALIBRATING_ALPHA
    """s = α |residual| is what abc strives for; √(π/2) calibrates Gaussian residuals, 1 covers 57 %
    of them.
    """
    abc_epsilon: PositiveFloat | None = None
    """Tolerance of abc in weighted units; the residuals' std when not given."""

    @model_validator(mode="after")
    def _auto_has_a_likelihood(self) -> ModelErrorSettings:
        if self.embed == "auto" and self.likelihood != "iid":
            raise ValueError("embed: auto is for the iid likelihood")
        return self


class EmbeddedSettings(ModelErrorSettings, extra="forbid", frozen=True):
    """Least squares with the most probable embedded model error."""

    applies_with: ClassVar[Table] = {
        **OF_A_COMMITTEE,
        **_MODEL_ERROR,
        "prior": _OF_VARIANCES,
        "laplace": _OF_VARIANCES,
        "balance": _ANCHORED,
        "recalibrate": _ANCHORED,
        "embed_again": _ANCHORED,
    }

    posterior: Literal["embedded"] = "embedded"
    """Name of the method."""
    mean: Literal["anchored", "joint"] = "anchored"
    """anchored: least squares, and the model error explains its residuals. joint: both at once."""
    balance: bool = True
    """Energies, forces and stresses count alike in an anchored model error, however many rows each
    has.
    """
    laplace: bool = False
    """Epistemic covariance from the curvature of the posterior of coefficients and model error
    together.
    """
    recalibrate: bool = False
    """Factors on the stds of each kind, from the training configurations with each left out."""
    embed_again: float = Field(default=USUAL_GROWTH, ge=0)
    """In a run, the model error is estimated anew when the rows have grown by this share; in
    between, a refit costs no more than the rows that are new."""

    @model_validator(mode="after")
    def _full_is_iid(self) -> EmbeddedSettings:
        if self.embedding == "full" and self.likelihood != "iid":
            raise ValueError(
                f"likelihood {self.likelihood} takes `embedding: whitened` or coefficients, full "
                "takes iid"
            )
        return self


class SampledSettings(ModelErrorSettings, extra="forbid", frozen=True):
    """Least squares and embedded model error, sampled together by MCMC."""

    applies_with: ClassVar[Table] = {**OF_MEMBERS, **_MODEL_ERROR}

    posterior: Literal["mcmc"]
    """Name of the method."""
    draws: int = Field(default=500, ge=10, le=1_000_000)
    """Number of samples of each chain."""
    tune: int = Field(default=500, ge=10, le=1_000_000)
    """Number of steps before these, which adapt the sampler."""
    chains: int = Field(default=2, ge=2, le=1000)
    """Number of independent chains."""

    @model_validator(mode="after")
    def _can_be_sampled(self) -> SampledSettings:
        if self.likelihood == "full":
            raise ValueError("mcmc samples the iid and the abc likelihood")
        if self.prior in ("flat", "jeffreys"):
            raise ValueError(
                f"mcmc takes a proper prior; {self.prior} leaves model errors without a bound"
            )
        return self


class ConjugateSettings(FitSettings, extra="forbid", frozen=True):
    """Options of the noise, which `bayes` and `variational` have."""

    applies_with: ClassVar[Table] = {
        **OF_A_COMMITTEE,
        "noise_shape": _UNKNOWN_NOISE,
        "noise_scale": _UNKNOWN_NOISE,
    }

    noise_std: PositiveFloat | None = None
    """σ in weighted units, where it is known."""
    noise_shape: float = Field(default=0.0, ge=0)
    """Shape of an inverse-gamma prior on σ²."""
    noise_scale: float = Field(default=0.0, ge=0)
    """Its scale; both zero leave σ² to the data."""


class BayesSettings(ConjugateSettings, extra="forbid", frozen=True):
    """Conjugate Bayes without model error."""

    posterior: Literal["bayes"]
    """Name of the method."""


class VariationalSettings(ConjugateSettings, extra="forbid", frozen=True):
    """The mean-field form of `bayes`."""

    posterior: Literal["variational"]
    """Name of the method."""


class CommitteeSettings(FitSettings, extra="forbid", frozen=True):
    """Least-squares fits to shares of the rows, whose spread is the uncertainty."""

    applies_with: ClassVar[Table] = {}

    posterior: Literal["committee"]
    """Name of the method."""

    @classmethod
    def beside(cls, settings: FitSettings) -> CommitteeSettings:
        """The committee that the strategy `committee` asks beside another posterior."""
        return cls(
            posterior="committee",
            prior_precision=settings.prior_precision,
            members=settings.members,
            fraction=settings.fraction,
            seed=settings.seed,
        )


class PopsSettings(FitSettings, extra="forbid", frozen=True):
    """POPS, as the package popsregression has it."""

    applies_with: ClassVar[Table] = {**OF_MEMBERS, "prior_precision": _COMMITTEE_STRATEGY}

    posterior: Literal["pops"]
    """Name of the method."""


class CustomSettings(FitSettings, extra="forbid", frozen=True):
    """A posterior method that is a class of yours."""

    posterior: DottedName
    """Module and name of the class."""
    posterior_options: dict[str, Any] = {}
    """Arguments of a class of yours."""
