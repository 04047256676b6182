"""Everything a run is made of, as the config gives it."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field, PositiveInt

from snap_al.data.readers import ConfigPath, LabelUnits
from snap_al.data.starting_set import StartSettings, StructureSource
from snap_al.data.weights import Damping, Weights
from snap_al.descriptors import SnapSettings
from snap_al.fit import FitSettings
from snap_al.label import LabelSettings
from snap_al.md import ProtocolSettings
from snap_al.query import QuerySettings


class TrainingSource(BaseModel, extra="forbid", frozen=True):
    """Labelled configurations of the user's own."""

    path: ConfigPath
    group: str = ""
    """What the file says (`group` or `config_type`), or the file's name, when not given."""
    eweight: float = Field(default=100.0, ge=0)
    fweight: float = Field(default=1.0, ge=0)
    vweight: float = Field(default=0.0, ge=0)
    units: LabelUnits = LabelUnits()
    """Those of the file; ASE's when not given."""
    damping: Damping | None = None
    """Less weight for labels far outside the range of use; off unless given."""

    @property
    def weights(self) -> Weights:
        return Weights(self.eweight, self.fweight, self.vweight)


class ExploreSettings(ProtocolSettings, extra="forbid", frozen=True):
    """The walkers, and the MD protocol that each of them follows."""

    walkers: tuple[StructureSource, ...] = Field(min_length=1)
    cycles: int = Field(default=1, ge=1)
    """How often each walker goes through the protocol, each time from its structure with new velocities."""


class StopSettings(BaseModel, extra="forbid", frozen=True):
    """When to stop, beside the end of every walker's protocol."""

    max_labels: int = Field(default=200, ge=1)
    """Labels that the run may pay for, the starting set counted."""
    nothing_novel_ps: float | None = Field(default=None, gt=0)
    """ps of exploration, all walkers together, without a query."""
    nothing_novel_frames: PositiveInt | None = None
    """Checked frames, all walkers together, without a query."""
    stalled_fits: PositiveInt | None = None
    """Fits in which the force RMSE on the test set has not fallen by `stalled_share` below the lowest before them."""
    stalled_share: float = Field(default=0.02, ge=0, lt=1)
    model_limited: bool = False
    """Stop when most of the last 100 or more checked frames without a query were over the tolerance, and no label would help."""


class LammpsSettings(BaseModel, extra="forbid", frozen=True):
    """How LAMMPS is started."""

    arguments: tuple[str, ...] = ()
    """Command-line arguments of every session, for example [-k, on, g, 1, -sf, kk]."""


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


class RunConfig(BaseModel, extra="forbid", frozen=True):
    """A whole config. `snap-al fit` needs descriptor and training; `snap-al run` also explore, and training or start."""

    seed: int = Field(default=1, ge=0)
    fitsnap: ConfigPath | None = None
    """A FitSNAP deck: its descriptor, reference, solver, training set and weights, where the config gives no others."""
    descriptor: SnapSettings
    reference: tuple[str, ...] = ()
    """LAMMPS lines: a pair_style and its pair_coeff, computed first and not fitted."""
    training: tuple[TrainingSource, ...] = ()
    test: Annotated[tuple[ConfigPath, ...], BeforeValidator(_listed)] = ()
    """Labelled configurations that are never fitted, to measure errors and calibration on."""
    prior_mean: ConfigPath | None = None
    """A .snapcoeff, published or of an earlier fit, whose coefficients the prior is centered on; zero when not given."""
    fit: FitSettings = FitSettings()
    start: StartSettings = StartSettings()
    explore: ExploreSettings | None = None
    query: QuerySettings = QuerySettings()
    label: LabelSettings = LabelSettings()
    stop: StopSettings = StopSettings()
    lammps: LammpsSettings = LammpsSettings()
    cache: bool = True
    """Keep descriptors in the output folder: what was computed once is not computed again."""
    memory_gb: float | None = Field(default=None, gt=0)
    """A design matrix larger than this, on one machine, is kept in files; when not given, larger than what is free."""
