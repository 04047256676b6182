"""snap_al.options: Options that do not apply are errors: every option of every class of settings,
with every value of what excludes it.
"""

import json
import typing
from itertools import product

import numpy as np
import pytest

from snap_al.config import validate_config
from snap_al.descriptors import SnapSettings
from snap_al.descriptors import settings as of_descriptors
from snap_al.errors import InputError
from snap_al.inference import (
    BayesSettings,
    CommitteeSettings,
    CustomSettings,
    EmbeddedSettings,
    FitSettings,
    PopsSettings,
    SampledSettings,
    VariationalSettings,
    fit_posterior,
    fit_settings,
)
from snap_al.inference.methods import POSTERIORS
from snap_al.inference.settings_union import in_full, without_others
from snap_al.label import LabelSettings
from snap_al.label import settings as of_labels
from snap_al.loop import RunConfig
from snap_al.loop import explore_settings as of_walkers
from snap_al.loop import settings as of_runs
from snap_al.loop.curves import json_of_fit
from snap_al.loop.explore_settings import ExploreSettings
from snap_al.loop.settings import StopSettings
from snap_al.md import StageSettings
from snap_al.md import settings as of_md
from snap_al.options import GIVEN, OF_YOURS, applies, given
from snap_al.potential import models as of_models
from snap_al.potential.models import ModelSettings
from snap_al.query import QuerySettings, Strategy
from snap_al.query import settings as of_queries
from snap_al.query.strategies import acquisition

FITTED = (
    EmbeddedSettings,
    BayesSettings,
    VariationalSettings,
    SampledSettings,
    CommitteeSettings,
    PopsSettings,
    CustomSettings,
)
TABLES = {
    **{kind: kind.applies_with for kind in FITTED},
    QuerySettings: of_queries.APPLIES_WITH,
    LabelSettings: of_labels.APPLIES_WITH,
    SnapSettings: of_descriptors.APPLIES_WITH,
    ExploreSettings: of_walkers.APPLIES_WITH,
    StopSettings: of_runs.STOP_APPLIES_WITH,
    RunConfig: of_runs.RUN_APPLIES_WITH,
    ModelSettings: of_models.APPLIES_WITH,
    StageSettings: of_md.APPLIES_WITH | dict.fromkeys(of_md.SCRIPT_VARIABLES, ()),
}

ALWAYS = {
    EmbeddedSettings: {"posterior", "prior_precision", "likelihood", "embedding", "mean", "noise"},
    BayesSettings: {"posterior", "prior_precision", "noise_std"},
    VariationalSettings: {"posterior", "prior_precision", "noise_std"},
    SampledSettings: {
        "posterior",
        "prior_precision",
        "seed",
        "likelihood",
        "embedding",
        "prior",
        "noise",
        "draws",
        "tune",
        "chains",
    },
    CommitteeSettings: {"posterior", "prior_precision", "members", "fraction", "seed"},
    PopsSettings: {"posterior", "seed"},
    CustomSettings: {"posterior", "prior_precision", "posterior_options"},
    QuerySettings: {"rule", "strategy", "diversity", "batch", "budget"},
    LabelSettings: {
        "calculator",
        "arguments",
        "magmoms",
        "eweight",
        "fweight",
        "vweight",
        "damping",
        "max_failures",
        "checks",
        "approve",
        "backend",
    },
    SnapSettings: {
        "elements",
        "twojmax",
        "rcutfac",
        "radelem",
        "wj",
        "rfac0",
        "rmin0",
        "chemflag",
        "bnormflag",
        "bzeroflag",
        "switchflag",
        "quadraticflag",
        "sinner",
        "dinner",
    },
    StageSettings: {
        "script",
        "temperature",
        "variables",
        "timestep",
        "steps",
        "check_every",
        "screen_every",
        "checkpoint_every",
        "trajectory_every",
        "guards",
        "bias",
    },
    ExploreSettings: {
        "walkers",
        "stages",
        "mode",
        "wait_for_labels",
        "repeat",
        "cycles",
        *StageSettings.model_fields,
    },
    StopSettings: {
        "max_labels",
        "nothing_novel_ps",
        "nothing_novel_frames",
        "stalled_fits",
        "model_limited",
    },
    ModelSettings: {"type"},
    RunConfig: {
        "model",
        "seed",
        "fitsnap",
        "descriptor",
        "reference",
        "training",
        "test",
        "prior_mean",
        "eshift",
        "fit",
        "start",
        "explore",
        "query",
        "label",
        "stop",
        "lammps",
        "cache",
        "memory_gb",
    },
}
"""Options that change something beside any others: a new option is entered here or in its class's
table.
"""

OTHER_VALUES = {
    "embed": ("B_0.0.0",),
    "targets": "some.extxyz",
    "retries": ({"a": 1},),
    "prologue": ("true",),
    "environment": {"A": "1"},
    "cluster": {"scheduler": "slurm"},
    "executor": "concurrent.futures.ProcessPoolExecutor",
    "executor_arguments": {"a": 1},
    "by_cost": True,
    "rule_options": {"a": 1},
    "strategy_options": {"a": 1},
    "backend_options": {"a": 1},
    "options": {"a": 1},
    "posterior_options": {"a": 1},
    "cost": 1.0,
    "polish": 2,
    "atoms": "mean",
    "force_std": 0.3,
    "prior_precision": 0.5,
    "noise_fraction": 0.5,
    "fraction": 0.5,
    "novelty_quantile": 0.3,
    "novel_share": 0.3,
    "noise_shape": 3.0,
    "noise_scale": 3.0,
    "stalled_share": 0.1,
    "carve": {"above": 10},
    "min_gain": 0.3,
    "pseudo_rows": 7.0,
    "embed_again": 3.0,
    "abc_epsilon": 0.7,
    "noise_std": 0.3,
}


def other_value(kind, name):
    """Another than the default."""
    if name in OTHER_VALUES:
        return OTHER_VALUES[name]
    field = kind.model_fields[name]
    choices = [v for v in names_in(field.annotation) if v != field.default]
    if choices:
        return choices[0]
    if isinstance(field.default, bool):
        return not field.default
    return 3 if field.default is None else field.default + 2


def names_in(annotation):
    """Those that a type lists, and a dotted name where it takes a class of the user's own."""
    parts = typing.get_args(annotation)
    found = [v for v in parts if isinstance(v, str)]
    literal = next((p for p in parts if typing.get_origin(p) is typing.Literal), None)
    return found if literal is None else [*typing.get_args(literal), "my_package.Mine"]


def choices_of(kind, names):
    """Every combination of the values of these options."""
    values = {}
    for name in names:
        found = names_in(kind.model_fields[name].annotation)
        values[name] = found or [kind.model_fields[name].default, OTHER_VALUES.get(name, True)]
    return [
        dict(zip(values, combination, strict=True)) for combination in product(*values.values())
    ]


def required(kind):
    if kind in FITTED:
        return {"posterior": name_of(kind)}
    if kind is SnapSettings:
        return {"elements": ("Cu",), "twojmax": 2, "rcutfac": 4.0}
    return (
        {"descriptor": {"elements": ("Cu",), "twojmax": 2, "rcutfac": 4.0}}
        if kind is RunConfig
        else {}
    )


def name_of(kind):
    """The posterior that a class of settings is of."""
    return next((n for n, entry in POSTERIORS.items() if entry.settings is kind), "my_package.Mine")


@pytest.mark.parametrize("kind", TABLES, ids=lambda kind: kind.__name__)
def test_every_option_has_its_place(kind):
    assert set(TABLES[kind]) | ALWAYS[kind] == set(kind.model_fields)
    assert not (set(TABLES[kind]) - set(kind.model_fields))
    own = set(TABLES[kind]) & ALWAYS[kind]
    assert own <= set(StageSettings.model_fields)
    for cases in TABLES[kind].values():
        for case in cases:
            for name, values in case.items():
                assert name == "query.strategy" or name in kind.model_fields
                known = (
                    names_in(kind.model_fields[name].annotation)
                    if name in kind.model_fields
                    else ()
                )
                texts = {v for v in known if isinstance(v, str)}
                listed = set(values) - {OF_YOURS}
                assert not texts or GIVEN in values or listed <= texts, (name, values)


PAIRED = (
    *FITTED,
    QuerySettings,
    LabelSettings,
    SnapSettings,
    StopSettings,
    RunConfig,
    ModelSettings,
)


def strategies_of(kind, strategy):
    """What a config tells settings of fits about its section query."""
    return {"strategies": [strategy]} if kind in FITTED else None


PAIRS = [
    pytest.param(kind, name, id=f"{kind.__name__}-{name}")
    for kind in PAIRED
    for name in TABLES[kind]
]


@pytest.mark.parametrize(("kind", "name"), PAIRS)
def test_what_does_not_apply_is_an_error(kind, name):
    """With every combination of what its cases name: refused by its name where none of them holds,
    never for this elsewhere.
    """
    value = other_value(kind, name)
    others = {other for case in TABLES[kind][name] for other in case if other in kind.model_fields}
    if kind is EmbeddedSettings and "likelihood" in others:
        others.add("embedding")  # the usual one takes the usual likelihood alone
    refused = taken = 0
    for combination, strategy in product(choices_of(kind, sorted(others)), ("novel", "committee")):
        bare = kind.model_construct(**combination)
        allowed = applies(TABLES[kind][name], bare, {"query.strategy": [strategy]})
        given_values = {**required(kind), **combination, name: value}
        try:
            made = kind.model_validate(given_values, context=strategies_of(kind, strategy))
        except ValueError as error:
            said = str(error)
            assert allowed or f"{name} does not apply with" in said, said
            assert not (allowed and f"{name} does not apply" in said), said
            refused += 1
        else:
            assert allowed, (combination, name)
            assert given(made, name)
            taken += 1
        try:
            plain = kind(**{**required(kind), **combination})
        except ValueError:
            continue
        default = getattr(plain, name)
        kind(
            **{**required(kind), **combination, name: default}
        )  # given as its default: nothing is lost
    assert refused
    assert taken or name in (
        "cluster",
        "executor",
        "executor_arguments",
        "carve",
        "prior",
        "laplace",
    )


def line(n=30, p=4):
    rng = np.random.default_rng(0)
    a = rng.standard_normal((n, p))
    b = a @ rng.standard_normal(p) + 0.3 * a[:, 2] * rng.standard_normal(n)
    return a, b, rng.uniform(0.5, 2.0, n)


FITS = [
    {},
    {"mean": "joint"},
    {"embedding": "whitened"},
    {"embedding": "whitened", "prior": "flat"},
    {"noise": "zero"},
    {"embedding": "coefficients", "likelihood": "abc"},
    {"embedding": "coefficients", "mean": "joint", "prior": "flat"},
    {"posterior": "bayes"},
    {"posterior": "bayes", "noise_std": 0.2},
    {"posterior": "variational"},
    {"posterior": "committee"},
]
MEANINGLESS = ("embed", "multiplicative", "laplace", "prior")
"""Not ignored without the check, but with a meaning, of directions without names, that nobody can
have meant.
"""


def test_what_is_refused_changes_no_fit():
    """The tables beside the code: options that are said to have none have none, to the last bit,
    whatever else is chosen.
    """
    a, b, w = line()
    kinds = np.arange(len(b)) % 3
    n_tried = 0
    for chosen in FITS:
        base = fit_settings(**chosen)
        before = fitted(a, b, w, kinds, base)
        for name in type(base).model_fields:
            cases = base.applies_with.get(name)
            if cases is None or applies(cases, base, {}) or name in MEANINGLESS:
                continue
            changed = base.model_copy(update={name: other_value(type(base), name)})
            after = fitted(a, b, w, kinds, changed)
            assert np.array_equal(before, after), (chosen, name)
            n_tried += 1
    assert n_tried > 40


IN_FULL = {
    "posterior": "embedded",
    "posterior_options": {},
    "likelihood": "iid",
    "embedding": "full",
    "embed": "all",
    "multiplicative": False,
    "mean": "anchored",
    "prior": "inverse-gamma",
    "pseudo_rows": 1.0,
    "balance": True,
    "noise": "fixed",
    "noise_fraction": 0.01,
    "laplace": False,
    "abc_alpha": 1.2533141373155001,
    "abc_epsilon": None,
    "prior_precision": "evidence",
    "noise_std": None,
    "noise_shape": 0.0,
    "noise_scale": 0.0,
    "members": 20,
    "fraction": 0.8,
    "recalibrate": False,
    "draws": 500,
    "tune": 500,
    "chains": 2,
    "seed": 0,
    "embed_again": 0.1,
}
"""All options of fits, as version 0.1.0 wrote them out."""
BY_NAME = {name_of(kind): kind for kind in FITTED}
FOREIGN = [
    (posterior, name)
    for posterior, kind in BY_NAME.items()
    for name in IN_FULL
    if name not in kind.model_fields
]


@pytest.mark.parametrize("posterior", BY_NAME)
def test_settings_that_were_written_in_full_are_read(posterior):
    """Their options of other methods are ignored."""
    kind = BY_NAME[posterior]
    found = fit_settings(**{**IN_FULL, "posterior": posterior})
    assert found == kind(posterior=posterior)
    assert set(found.options) == set(kind.model_fields)
    assert {**IN_FULL, "posterior": posterior} == in_full(found)


@pytest.mark.parametrize(("posterior", "name"), FOREIGN)
def test_an_option_of_another_method_is_an_error(posterior, name):
    """It says which posteriors have the option."""
    owners = [other for other, kind in BY_NAME.items() if name in kind.model_fields]
    value = other_value(BY_NAME[owners[0]], name)
    with pytest.raises(ValueError, match="does not apply") as caught:
        fit_settings(posterior=posterior, **{name: value})
    said = str(caught.value)
    assert f"{name} does not apply with posterior: {posterior}" in said
    assert f": leave {name} out, or use it with posterior" in said
    for owner in owners:
        assert (owner if owner in POSTERIORS else "a class of yours") in said
    with pytest.raises(ValueError, match=name):
        BY_NAME[posterior](posterior=posterior, **{name: value})


def test_one_option_is_the_same_in_every_class():
    """So that a default that was written for one method can be read beside another."""
    first = {}
    for kind in FITTED:
        for name, field in kind.model_fields.items():
            if name != "posterior":
                known = first.setdefault(name, field)
                assert (known.annotation, known.default, known.metadata) == (
                    field.annotation,
                    field.default,
                    field.metadata,
                )
    assert set(first) | {"posterior"} == set(IN_FULL)


@pytest.mark.parametrize(
    ("options", "written"),
    [
        ({}, {}),
        ({"posterior": "bayes", "noise_std": 1e-6}, {"noise_std": "1e-6"}),
        ({"posterior": "pops", "seed": 9}, {"seed": "9"}),
        (
            {"posterior": "a.B", "posterior_options": {"x": 1e-7, "y": [1, None], "z": "é"}},
            {"posterior_options": '{"x":1e-7,"y":[1,null],"z":"é"}'},
        ),
    ],
)
def test_digests_of_curves_have_all_options_in_one_order(options, written):
    """As version 0.1.0 made them of its own settings, whose curves are not computed again."""
    settings = fit_settings(**options)
    values = {name: json.dumps(value) for name, value in IN_FULL.items()}
    values |= {"posterior": json.dumps(settings.posterior), **written}
    expected = ",".join(f'"{name}":{value}' for name, value in values.items())
    assert json_of_fit(settings) == f"{{{expected}}}"


def test_only_settings_of_a_method_can_be_made():
    with pytest.raises(TypeError, match=r"fit_settings\(posterior=\.\.\.\) makes those of one"):
        FitSettings(posterior="bayes")


def test_a_config_that_was_written_in_full_is_the_same_config():
    """A run directory that has the options of other methods goes on."""
    assert without_others({**IN_FULL, "posterior": "bayes"}) == BayesSettings(
        posterior="bayes"
    ).model_dump(mode="json")
    assert without_others({"posterior": "none", "draws": 3}) == {"posterior": "none", "draws": 3}


def fitted(a, b, w, kinds, settings):
    """Mean, both covariances and noise. The settings are not checked again."""
    from snap_al.inference import Block, fit_blocks

    fitted = np.ones(len(b), dtype=bool)
    rows = Block(a * w[:, None], b * w, fitted, kinds.astype(np.int8), np.arange(len(b)), weights=w)
    p = fit_blocks([rows], settings)[0]
    return np.concatenate([p.mean, *p.covariance, *p.model_error, p.noise_by_kind])


@pytest.mark.parametrize("strategy", typing.get_args(Strategy))
def test_what_is_refused_changes_no_strategy(strategy):
    for of in ("energy", "force", "weighted"):
        base = QuerySettings.model_construct(strategy=strategy, of=of)
        for name, cases in of_queries.APPLIES_WITH.items():
            if applies(cases, base, {}):
                continue
            changed = base.model_copy(update={name: other_value(QuerySettings, name)})
            one, other = (vars(acquisition(q, 0)) for q in (base, changed))
            flat = [{k: v for k, v in found.items() if not callable(v)} for found in (one, other)]
            if name in (
                "atoms",
                "energy_std",
                "stress_std",
                "of",
                "part",
            ):  # told to all, and used by some
                continue
            assert repr(flat[0]) == repr(flat[1]), (strategy, name)


CONFIG = {"descriptor": {"elements": ["Cu"], "twojmax": 4, "rcutfac": 4.0}}
WALKERS = {"walkers": [{"structure": "Cu.extxyz"}]}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            {"fit": {"posterior": "committee", "likelihood": "abc"}},
            "fit: likelihood does not apply with posterior: committee",
        ),
        (
            {"fit": {"posterior": "bayes", "members": 5}},
            "fit: members does not apply with posterior: bayes",
        ),
        (
            {"query": {"rule": "every", "hal_ratio": 0.5}},
            "query: hal_ratio does not apply with rule: every: .* rule: hal",
        ),
        ({"query": {"rule": "grade", "force_std": 0.3}}, "force_std does not apply"),
        ({"query": {"of": "energy"}}, "of does not apply with strategy: novel"),
        (
            {"query": {"cost": 1.0}},
            "cost does not apply with by_cost: false: .* or use it with by_cost: true; or budget "
            "given",
        ),
        (
            {"query": {"rule": "every"}, "stop": {"model_limited": True}},
            "stop.model_limited does not apply with query.rule: every",
        ),
        ({"stop": {"stalled_fits": 3}}, "stop.stalled_fits does not apply without a test set"),
        ({"stop": {"stalled_share": 0.3}}, "stalled_share does not apply with stalled_fits: null"),
        ({"carve": {}}, "carve does not apply with explore: null"),
        (
            {"label": {"backend": "local", "cluster": {"scheduler": "slurm"}}},
            "cluster does not apply with backend: local",
        ),
        (
            {"label": {"at_once": 3, "retries": [{"a": 1}]}},
            "at_once does not apply with backend: here.* retries does not apply",
        ),
        (
            {"explore": {**WALKERS, "ensemble": "nve", "coupling": "tri"}},
            "coupling does not apply with ensemble: nve",
        ),
        (
            {"explore": {**WALKERS, "ensemble": "nve", "pressure": 1e4}},
            "pressure does not apply with ensemble: nve",
        ),
        (
            {"explore": {**WALKERS, "ensemble": "nvt", "pressure_damping": 1}},
            "pressure_damping does not apply with ensemble: nvt",
        ),
        (
            {"explore": {**WALKERS, "ensemble": "relax", "temperature_damping": 1}},
            "temperature_damping does not apply",
        ),
        (
            {"explore": {**WALKERS, "screen_ratio": 2}},
            "screen_ratio does not apply with screen_every: null",
        ),
        (
            {"explore": {**WALKERS, "candidates": 3}},
            "candidates does not apply with mode: on-the-fly",
        ),
        (
            {
                "explore": {
                    **WALKERS,
                    "stages": [{"ensemble": "nvt"}, {"ensemble": "nvt", "pressure": 5}],
                }
            },
            "stages.1.pressure does not apply",
        ),
        (
            {"explore": {**WALKERS, "script": "my.in", "stages": [{"ensemble": "nvt"}]}},
            "stages.0.ensemble does not apply with script",
        ),
        (
            {
                "explore": {
                    "ensemble": "nvt",
                    "walkers": [{"structure": "a", "vary": {"pressure": [0, 1]}}],
                }
            },
            "walkers.0.vary.pressure does not apply",
        ),
        (
            {
                "explore": {
                    "walkers": [{"structure": "a", "vary": {"temperature": [300, 900]}}],
                    "stages": [{"temperature": 500}],
                }
            },
            "walkers.0.vary.temperature does not apply: every stage",
        ),
        (
            {"descriptor": {**CONFIG["descriptor"], "wselfallflag": True}},
            "wselfallflag does not apply with chemflag: false",
        ),
    ],
)
def test_a_config_says_what_does_not_apply(tmp_path, content, said):
    with pytest.raises(InputError, match=said):
        validate_config({**CONFIG, **content}, tmp_path / "run.yaml")


@pytest.mark.parametrize(
    "content",
    [
        {
            "explore": {
                **WALKERS,
                "pressure": 7,
                "stages": [{"ensemble": "nvt"}, {"ensemble": "npt"}],
            }
        },
        {"explore": {**WALKERS, "pressure": 7, "stages": [{"pressure": 1}, {"pressure": [0, 5]}]}},
        {"explore": {**WALKERS, "ensemble": "nve", "coupling": "iso", "pressure": 0}},
        {
            "query": {"rule": "every", "hal_ratio": 0.2, "strategy": "committee", "of": "energy"},
            "fit": {"members": 9},
        },
        {
            "query": {
                "rule": "every",
                "strategy": "variance-reduction",
                "force_std": 0.3,
                "energy_std": 0.1,
            }
        },
        {"label": {"backend": "local", "at_once": 2, "threads": 3}},
        {"stop": {"stalled_fits": 3}, "test": "test.extxyz"},
    ],
)
def test_what_applies_is_taken(tmp_path, content):
    """Written out, it can be read again: in full, but for stages, where what is not given comes
    from `explore`.
    """
    config = validate_config({**CONFIG, **content}, tmp_path / "run.yaml")
    context = {"strategies": [config.query.strategy], "folder": tmp_path.resolve()}
    for written in [
        config.model_dump(exclude_unset=True),
        *([] if config.explore else [config.model_dump()]),
    ]:
        assert RunConfig.model_validate(written, context=context) == config


def test_a_script_of_ones_own_takes_what_it_has_variables_for(tmp_path):
    script = tmp_path / "my.in"
    explore = {**WALKERS, "script": "my.in", "pressure": 1000}
    script.write_text("# pressure ${pressure_start}\nfix 1 all nve\n")
    with pytest.raises(InputError, match="pressure does not apply with script"):
        validate_config({**CONFIG, "explore": explore}, tmp_path / "run.yaml")
    script.write_text("variable p equal v_pressure_start\nfix 1 all nve\n")
    validate_config({**CONFIG, "explore": explore}, tmp_path / "run.yaml")


def test_strategies_of_the_command_line_count(tmp_path):
    content = {**CONFIG, "query": {"of": "energy"}, "fit": {"members": 5}}
    with pytest.raises(InputError, match="2 problems"):
        validate_config(content, tmp_path / "run.yaml")
    found = validate_config(content, tmp_path / "run.yaml", ["random", "committee"])
    assert (found.query.of, found.fit.members) == ("energy", 5)


def test_options_of_a_call_are_checked_too():
    a, b, w = line()
    with pytest.raises(ValueError, match="likelihood does not apply with posterior: bayes"):
        fit_posterior(a, b, w, posterior="bayes", likelihood="abc")
