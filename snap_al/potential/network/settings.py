"""Settings of a network and of how its hidden weights are learned."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field


class NetworkSettings(BaseModel, extra="forbid", frozen=True):
    """Hidden layers, and how their weights are learned before each fit of the last layer."""

    hidden: tuple[Annotated[int, Field(ge=1, le=1000)], ...] = Field((32, 32), min_length=1)
    """Units of each hidden layer."""
    epochs: int = Field(default=80, ge=0)
    """Most passes over the training set; with 0 the weights stay random, or as they were."""
    patience: int | None = Field(default=None, ge=1)
    """Learning ends after so many passes without a smaller error of the configurations left out.
    None: it makes all passes. The weights of the best pass are kept in any case."""
    learning_rate: float = Field(default=1e-2, gt=0)
    """Largest step of Adam in hidden weights; those of the last layer's coefficients are a tenth of
    it. It is reached after a tenth of the passes, and then falls to 0 as a cosine does."""
    batch: int = Field(default=8, ge=1)
    """Configurations for each step."""
    weight_decay: float = Field(default=0.2, ge=0)
    """Share of the hidden weights that is taken off, times the step of Adam (Loshchilov, Hutter,
    arXiv:1711.05101)."""
    validation: float = Field(default=0.1, ge=0, lt=1)
    """Share of the configurations that is left out of the steps and says when to end."""
    seed: int = Field(default=0, ge=0)
    """Of the first weights, of which configurations are left out, and of their order."""
