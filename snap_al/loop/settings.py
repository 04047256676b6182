"""The config of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    PositiveInt,
    PrivateAttr,
    ValidationInfo,
    model_validator,
)

from snap_al.data.label_names import LabelKeys
from snap_al.data.readers import ConfigPath, FileFormat, FileOptions, LabelUnits
from snap_al.data.starting_set import StartSettings
from snap_al.data.weights import Damping, Weight, Weights
from snap_al.descriptors import SnapSettings
from snap_al.fitsnap import Deck, read_deck
from snap_al.inference import AnyFitSettings, EmbeddedSettings
from snap_al.label import LabelSettings
from snap_al.loop.explore_settings import ExploreSettings
from snap_al.md import CarveSettings
from snap_al.options import GIVEN, Table, refuse_inapplicable
from snap_al.potential import Model
from snap_al.potential.models import ModelSettings, model_of
from snap_al.query import QuerySettings
from snap_al.sessions import LammpsSettings


class LabelledFile(BaseModel, extra="forbid", frozen=True):
    """A file with labelled configurations, and how to read it."""

    path: ConfigPath
    """A file that ASE reads, a FitSNAP JSON file, or a folder of these."""
    group: str = ""
    """Name of the group. When not given, it is taken from the file (`group` or `config_type`), or
    is the name of the file."""
    labels: LabelKeys | None = None
    """Names of the labels in the file, such as {energy: dft_energy, forces: dft_forces, virial:
    dft_virial}; when not given, the usual ones (data/label_names.py)."""
    format: FileFormat | None = None
    """ASE's name of the file's format; found out from name and content when not given."""
    units: LabelUnits = LabelUnits()
    """Units of the file; those of ASE when not given."""

    @property
    def options(self) -> FileOptions:
        return FileOptions(self.format, self.labels, self.units)


class TrainingSource(LabelledFile, extra="forbid", frozen=True):
    """A labelled file with weights."""

    eweight: Weight = 100.0
    """Weight of the energy per atom, 1/eV."""
    fweight: Weight = 1.0
    """Weight of force components, Å/eV."""
    vweight: Weight = 0.0
    """Weight of stress components, 1/bar."""
    damping: Damping | None = None
    """Less weight for labels far outside the range of use; off unless given."""

    @property
    def weights(self) -> Weights:
        return Weights(self.eweight, self.fweight, self.vweight)


STOP_APPLIES_WITH: Table = {"stalled_share": ({"stalled_fits": (GIVEN,)},)}
RUN_APPLIES_WITH: Table = {"carve": ({"explore": (GIVEN,)},)}


class StopSettings(BaseModel, extra="forbid", frozen=True):
    """When to stop before every walker's protocol has ended."""

    max_labels: int = Field(default=200, ge=1)
    """Largest number of labels, including the starting set."""
    nothing_novel_ps: float | None = Field(default=None, gt=0)
    """ps of exploration, all walkers together, without a query."""
    nothing_novel_frames: PositiveInt | None = None
    """Checked frames, all walkers together, without a query."""
    stalled_fits: PositiveInt | None = None
    """Fits in which the force RMSE on the test set has not fallen by `stalled_share` below the
    lowest before them.
    """
    stalled_share: float = Field(default=0.02, ge=0, lt=1)
    """Share by which the force RMSE must fall."""
    model_limited: bool = False
    """Stop when most of the last 100 or more checked frames without a query were over the
    tolerance, and no label would help.
    """

    @model_validator(mode="after")
    def _options_apply(self) -> StopSettings:
        refuse_inapplicable(self, STOP_APPLIES_WITH)
        return self


def _as_files(value: object) -> object:
    """One or several entries; each is a path, or a path with options for reading."""
    listed = value if isinstance(value, list | tuple) else [value]
    return [{"path": entry} if isinstance(entry, str | Path) else entry for entry in listed]


class RunConfig(BaseModel, extra="forbid", frozen=True):
    """A whole config. `snap-al fit` needs descriptor and training; `snap-al run` also explore, and
    training or start.
    """

    seed: int = Field(default=1, ge=0)
    """Seed of all random numbers."""
    fitsnap: ConfigPath | None = None
    """A FitSNAP deck: its descriptor, reference, solver, training set and weights, where the config
    gives no others.
    """
    descriptor: SnapSettings
    """The SNAP descriptor."""
    model: ModelSettings = ModelSettings()
    """How the energy follows from the descriptor."""
    reference: tuple[str, ...] = ()
    """LAMMPS lines: a pair_style and its pair_coeff, computed first and not fitted. Lines of
    pair_coeff have types, numbered as in descriptor.elements, or names of elements: `pair_coeff Cu
    Au 29 79`. Lines that are for another element than their type is are refused; charges of zbl may
    differ from atomic numbers by less than 0.5. Files are looked for beside the config, beside its
    deck, in the working directory, and among LAMMPS' own."""
    training: tuple[TrainingSource, ...] = ()
    """Labelled files of the training set."""
    test: Annotated[tuple[LabelledFile, ...], BeforeValidator(_as_files)] = ()
    """Labelled configurations that are never fitted, to measure errors and calibration on: paths,
    or entries as in `training` with path, group, labels, format and units."""
    prior_mean: ConfigPath | None = None
    """A .snapcoeff, published or of an earlier fit, whose coefficients the prior is centered on;
    zero when not given. It must be of the same descriptor, which the .snapparam beside it tells."""
    eshift: dict[str, Annotated[float, Field(ge=-1e9, le=1e9)]] = {}
    """eV added to the energy for each atom of an element, of labels, training and test files (not
    of a deck's, which has its own [ESHIFT], in the unit of its files): for `bzeroflag`, without
    which constants are fitted. Potential files do not have it."""
    fit: AnyFitSettings = EmbeddedSettings()
    """How the model is fitted."""
    start: StartSettings = StartSettings()
    """Configurations that a run labels first."""
    explore: ExploreSettings | None = None
    """The MD of a run; none for a fit alone."""
    query: QuerySettings = QuerySettings()
    """Which frames are labelled."""
    carve: CarveSettings | None = None
    """Cut small cells out of large frames for the labeler; none when not given."""
    label: LabelSettings = LabelSettings()
    """How labels are computed."""
    stop: StopSettings = StopSettings()
    """When a run stops."""
    lammps: LammpsSettings = LammpsSettings()
    """How LAMMPS is started."""
    cache: bool = True
    """Keep descriptors in the output folder, so that they are not computed again."""
    memory_gb: float | None = Field(default=None, gt=0)
    """A design matrix larger than this, on one machine, is kept in files; when not given, larger
    than what is free.
    """

    _folder: Path = PrivateAttr(default=Path())
    """Of the config file."""
    _deck: Deck | None = PrivateAttr(default=None)
    """What `fitsnap` names, where it was read with the config."""

    @model_validator(mode="after")
    def _beside(self, info: ValidationInfo) -> RunConfig:
        context = info.context or {}
        self._folder = Path(context.get("folder", ""))  # type: ignore[misc]  # private
        self._deck = context.get("deck")  # type: ignore[misc]
        return self

    @property
    def deck(self) -> Deck | None:
        """The FitSNAP deck, if there is one. Raises InputError for a config made in Python whose
        deck cannot be read.
        """
        return self._deck if self._deck or self.fitsnap is None else read_deck(self.fitsnap)

    def made_model(self) -> Model:
        """The model. Raises InputError for a class that cannot be imported or made."""
        return model_of(self.model, self.descriptor)

    @property
    def reference_folders(self) -> tuple[Path, ...]:
        """Where files of `reference` are looked for, before LAMMPS' own."""
        deck = () if self.fitsnap is None else (self.fitsnap.parent,)
        return (self._folder, *deck, Path())

    @model_validator(mode="after")
    def _options_apply(self) -> RunConfig:
        refuse_inapplicable(self, RUN_APPLIES_WITH)
        if self.stop.model_limited and self.query.rule != "novel":
            raise ValueError(
                f"stop.model_limited does not apply with query.rule: {self.query.rule}: leave it "
                "out, or use rule: novel, which "
                "alone tells whether a label would help"
            )
        if self.stop.stalled_fits is not None and not self.test and self.fitsnap is None:
            raise ValueError(
                "stop.stalled_fits does not apply without a test set: leave it out, or give test"
            )
        return self

    @model_validator(mode="after")
    def _of_the_model(self) -> RunConfig:
        if self.prior_mean is not None and self.model.type != "snap":
            raise ValueError(
                f"prior_mean does not apply with model.type: {self.model.type}: a .snapcoeff has "
                "coefficients of SNAP; leave it out"
            )
        biased = self.explore is not None and any(s.bias for s in self.explore.protocol().stages)
        if biased and (self.descriptor.quadraticflag or self.model.type != "snap"):
            raise ValueError(
                "explore.bias needs a variance that LAMMPS computes, which linear SNAP alone has: "
                "leave bias out, or take model.type: snap with descriptor.quadraticflag: false"
            )
        return self

    @model_validator(mode="after")
    def _labels_elsewhere(self) -> RunConfig:
        if (
            self.explore is not None
            and not self.explore.wait_for_labels
            and self.label.backend == "here"
        ):
            raise ValueError(
                "explore.wait_for_labels: false needs labels that are computed elsewhere: "
                "label.backend: local, for example"
            )
        return self
