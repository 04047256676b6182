"""When a frame is worth a label, and which of many candidates are."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, PositiveFloat, PositiveInt, ValidationInfo, model_validator

from snap_al.data.readers import ConfigPath
from snap_al.named import DottedName
from snap_al.options import GIVEN, OF_YOURS, Case, Table, refuse_inapplicable

Strategy = Literal[
    "novel",
    "uncertainty",
    "committee",
    "model-change",
    "variance-reduction",
    "fisher-ratio",
    "error-reduction",
    "A",
    "C",
    "D",
    "E",
    "T",
    "G",
    "I",
    "V",
    "maxvol",
    "boltzmann",
    "farthest",
    "random",
]


Rule = Literal["novel", "every", "std", "grade", "flare", "hal"]

USUAL_FORCE_STD = 0.1

_NOVEL_RULE: Case = {"rule": ("novel",)}
_BY_STD: Case = {"strategy": ("uncertainty", "committee", "boltzmann")}
_BY_TOLERANCES: tuple[Case, ...] = (
    {"strategy": ("variance-reduction",)},
    {**_BY_STD, "of": ("weighted",)},
)

APPLIES_WITH: Table = {
    "force_std": ({"rule": ("novel", "std")}, *_BY_TOLERANCES),
    "rule_options": ({"rule": (OF_YOURS,)},),
    "strategy_options": ({"strategy": (OF_YOURS,)},),
    "every": ({"rule": ("every",)},),
    "max_grade": ({"rule": ("grade",)},),
    "flare_factor": ({"rule": ("flare",)},),
    "hal_ratio": ({"rule": ("hal",)},),
    "hal_floor": ({"rule": ("hal",)},),
    "energy_std": _BY_TOLERANCES,
    "stress_std": _BY_TOLERANCES,
    "novelty_quantile": (_NOVEL_RULE,),
    "min_gain": (_NOVEL_RULE,),
    "novel_rank": ({"strategy": ("novel",)},),
    "novel_share": ({"strategy": ("novel",), "diversity": ("conditional",)},),
    "of": (_BY_STD,),
    "atoms": ({**_BY_STD, "of": ("force", "weighted")},),
    "part": ({"strategy": ("uncertainty", "boltzmann")},),
    "grade": ({"strategy": ("maxvol",)},),
    "temperature": ({"strategy": ("boltzmann",)},),
    "targets": ({"strategy": ("C", "V")},),
    "polish": (
        {"strategy": ("A", "C", "D", "E", "T", "G", "I", "V"), "diversity": ("conditional",)},
    ),
    "cost": ({"by_cost": (True,)}, {"budget": (GIVEN,)}),
    "by_cost": ({"cost": (GIVEN,)},),
}
"""Cases in which an option has an effect. The options that are not listed always have one."""


class QuerySettings(BaseModel, extra="forbid", frozen=True):
    """A frame of MD is queried, by the rule novel, when its largest force std (i) exceeds the
    tolerance, (ii) is novel, and (iii) a label would help. When (i) holds and (ii) or (iii) does
    not, the model is the limit and a label would be spent for nothing. The other rules are there to
    be compared with.

    From a pool, `strategy` ranks, and `diversity` makes the batch.
    """

    force_std: PositiveFloat | Literal["auto"] = USUAL_FORCE_STD
    """Tolerance, eV/Å, on the largest force std over a frame's atoms. auto: after each fit, what 95
    % of the training configurations are below, each predicted without itself."""
    rule: Rule | DottedName = "novel"
    """When MD stops for a label. every: each n-th step. std: over the tolerance (with a committee,
    its disagreement). grade: MaxVol γ of an atom. flare: force std over a multiple of the noise.
    hal: force std next to the force. Or the dotted name of a class of yours (snap_al.md.Rule)."""
    rule_options: dict[str, Any] = {}
    """Arguments of a class of yours."""
    every: PositiveInt = 100
    """every: MD steps."""
    max_grade: float = Field(default=2.1, ge=1)
    """grade: γ above which an atom extrapolates."""
    flare_factor: PositiveFloat = 1.0
    """flare: times the noise std of forces."""
    hal_ratio: PositiveFloat = 0.2
    """hal: limit on std/(|F| + hal_floor)."""
    hal_floor: PositiveFloat = 0.2
    """hal: eV/Å."""
    energy_std: float = Field(default=0.005, gt=0)
    """Tolerance, eV/atom, next to which strategies weigh energies."""
    stress_std: float = Field(default=0.005, gt=0)
    """Tolerance, eV/Å³, next to which strategies weigh stresses."""
    novelty_quantile: float = Field(default=0.5, ge=0, le=1)
    """(ii) above this quantile of the same number over the training configurations, each predicted
    without itself.
    """
    min_gain: float = Field(default=0.1, ge=0, lt=1)
    """(iii) the label would lower it by at least this share (computed before labelling, from the
    frame's own rows).
    """
    strategy: Strategy | DottedName = "novel"
    """novel: stds above nearly all left-out ones of what is labelled, then what makes the labelled
    set like the pool. Or the dotted name of a class of yours (snap_al.query.Acquisition).
    """
    strategy_options: dict[str, Any] = {}
    """Arguments of a class of yours."""
    novel_rank: int = Field(default=4, ge=0)
    """novel: a candidate of a pool is, when no more left-out stds of labelled configurations than
    these are above its own.
    """
    novel_share: float = Field(default=0.5, ge=0, le=1)
    """novel: of a batch made with diversity conditional, at most; the rest makes the labelled set
    like the pool.
    """
    of: Literal["energy", "force", "stress", "weighted"] = "force"
    """uncertainty, committee, boltzmann: whose std; weighted: the sum of all in units of the
    tolerances.
    """
    atoms: Literal["max", "mean"] | Annotated[float, Field(ge=0, le=1)] = "max"
    """uncertainty, committee, boltzmann: how the forces of atoms are combined; a number is a
    quantile."""
    part: Literal["total", "epistemic", "model_error"] = "total"
    """uncertainty, boltzmann: which part of the std."""
    grade: Literal["configuration", "atom"] = "configuration"
    """maxvol: γ of energy rows, as MLIP has it, or the largest of the atoms' own, as pacemaker has
    it.
    """
    temperature: PositiveFloat = 1.0
    """boltzmann: τ of exp(std/τ), in units of the spread of the candidates' stds."""
    targets: ConfigPath | None = None
    """C and V: configurations that are to become reliable; all candidates when not given."""
    diversity: Literal["conditional", "kmeans", "farthest", "none"] = "conditional"
    """conditional: the score of the next is taken after the last is imagined labelled. kmeans,
    farthest: spread over mean descriptors. none: the largest scores."""
    batch: int = Field(default=10, ge=1)
    """Number of configurations in a batch."""
    polish: int = Field(default=0, ge=0)
    """A to V, with conditional: largest number of sweeps of Fedorov's exchanges over the batch."""
    cost: Annotated[float, Field(allow_inf_nan=False)] | str = 0.0
    """Cost of a label: the number of atoms to this power, or the dotted name of a function of
    ase.Atoms. With 0 all labels cost one."""
    by_cost: bool = False
    """Whether scores are divided by costs."""
    budget: PositiveFloat | None = None
    """Largest cost of the labels of a batch."""

    @model_validator(mode="after")
    def _options_apply(self, info: ValidationInfo) -> QuerySettings:
        strategies = (info.context or {}).get("strategies", ())
        refuse_inapplicable(self, APPLIES_WITH, {"strategy": strategies})
        return self

    @property
    def force_tolerance(self) -> float:
        """eV/Å, tolerance by which strategies weigh forces."""
        return USUAL_FORCE_STD if self.force_std == "auto" else float(self.force_std)
