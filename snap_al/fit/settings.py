"""What a config says about a fit."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field, PositiveFloat


class FitSettings(BaseModel, extra="forbid", frozen=True):
    """How coefficients and their uncertainty are found."""

    posterior: Literal["embedded", "bayes"] = "embedded"
    likelihood: Literal["iid"] = "iid"
    embedding: Literal["whitened"] = "whitened"
    mean: Literal["anchored"] = "anchored"
    prior_precision: Literal["evidence"] | PositiveFloat = "evidence"
    """κ: precision of the coefficients' prior next to columns of unit weighted norm, in units of 1/σ²."""
    noise_fraction: float = Field(default=0.01, gt=0, le=1)
    """σ² as a fraction of the residual variance (embedded); bayes has all of it as noise."""
    pseudo_rows: float = Field(default=1.0, gt=0)
    """Weight of the model-error variances' prior, in rows."""
    embed_again: float = Field(default=0.1, ge=0)
    """In a run, the model error is estimated anew when the rows have grown by this share; in between, a refit costs no
    more than the rows that are new."""
