"""The posterior methods by their names, each with the class of its settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from snap_al.inference.model_error import embedded, mcmc
from snap_al.inference.pops import pops
from snap_al.inference.problem import Method
from snap_al.inference.settings import (
    BayesSettings,
    CommitteeSettings,
    CustomSettings,
    EmbeddedSettings,
    FitSettings,
    PopsSettings,
    SampledSettings,
    VariationalSettings,
)
from snap_al.inference.without_model_error import bayes, mean_field, of_committee
from snap_al.named import made

Settings = TypeVar("Settings", bound=FitSettings)


@dataclass(frozen=True)
class PosteriorMethod(Generic[Settings]):
    """A posterior method of ours."""

    settings: type[Settings]
    """The class of its settings."""
    method: Method[Settings]
    """From a problem with such settings to what is fitted."""


POSTERIORS: dict[str, PosteriorMethod[Any]] = {
    "embedded": PosteriorMethod(EmbeddedSettings, embedded),
    "bayes": PosteriorMethod(BayesSettings, bayes),
    "variational": PosteriorMethod(VariationalSettings, mean_field),
    "mcmc": PosteriorMethod(SampledSettings, mcmc),
    "committee": PosteriorMethod(CommitteeSettings, of_committee),
    "pops": PosteriorMethod(PopsSettings, pops),
}
"""By the names that `fit.posterior` has."""


def method_of(settings: FitSettings) -> Method[Any]:
    """The method of the settings: one of ours, or an instance of a class of the user's own. Raises
    InputError for a class that cannot be imported or made.
    """
    if isinstance(settings, CustomSettings):
        method: Method[CustomSettings] = made(
            "fit.posterior", settings.posterior, settings.posterior_options
        )
        return method
    return POSTERIORS[settings.posterior].method
