"""snap_al.named: Strategies, rules, posteriors and label backends of somebody else, named in a
config by module and class.
"""

from types import SimpleNamespace
from typing import get_args

import numpy as np
import pytest

from snap_al.config import validate_config
from snap_al.errors import FitError, InputError
from snap_al.inference import Block, fit_blocks, fit_posterior, fit_settings
from snap_al.inference.contract import validate_posterior
from snap_al.inference.methods import POSTERIORS
from snap_al.label.backends import BACKENDS
from snap_al.label.settings import BackendName
from snap_al.loop.settings import RunConfig
from snap_al.loop.watching import RULES, rule_of
from snap_al.query.contract import validate_acquisition
from snap_al.query.settings import Rule, Strategy
from snap_al.query.strategies import STRATEGIES, acquisition

MODULE = """
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from snap_al.md.rules import Verdict


@dataclass(frozen=True)
class LargestEnergyRow:
    power: float = 1.0
    shrinks: ClassVar[bool] = True
    linear: ClassVar[bool] = True

    def prepare(self, candidates, known):
        return lambda candidate, known: float(abs(candidate.energy).max()) ** self.power


@dataclass(frozen=True)
class OddSteps:
    after: int

    def __call__(self, frame):
        return Verdict(frame.step > self.after and frame.step % 2 == 1, "odd")


@dataclass(frozen=True)
class Ridge:
    strength: float = 1.0

    def __call__(self, problem):
        rows, targets = problem.all_rows()
        norms = problem.gaussian.factor.norms
        gram = rows.T @ rows + self.strength * np.diag(norms**2)
        mean = np.linalg.solve(gram, rows.T @ targets)
        variance = np.mean((targets - rows @ mean) ** 2)
        root = np.linalg.inv(np.linalg.cholesky(gram / np.outer(norms, norms))) / norms
        return problem.solved(
            mean, variance * root.T @ root, model_error=np.diag((0.01 * mean) ** 2)
        )


@dataclass(frozen=True)
class OfAnotherShape:
    def __call__(self, problem):
        n = len(problem.gaussian.mean)
        return problem.solved(np.zeros(n + 1), np.eye(n))


number = 3
"""
CONFIG = {"descriptor": {"elements": ["Cu"], "twojmax": 4, "rcutfac": 4.0}}


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A module outside the package."""
    (tmp_path / "their_package.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))


def config_with(tmp_path, **query) -> RunConfig:
    return validate_config({**CONFIG, "query": query}, tmp_path / "config.yaml")


def test_a_strategy(elsewhere, tmp_path):
    query = config_with(
        tmp_path, strategy="their_package.LargestEnergyRow", strategy_options={"power": 2.0}
    ).query
    found = acquisition(query, 0)
    assert (type(found).__module__, found.power) == ("their_package", 2.0)
    validate_acquisition(found)


def test_a_rule(elsewhere, tmp_path):
    config = config_with(tmp_path, rule="their_package.OddSteps", rule_options={"after": 5})
    rule = rule_of(config, None, None, None)
    assert rule(SimpleNamespace(step=7)).wanted
    assert not rule(SimpleNamespace(step=8)).wanted


def test_a_posterior(elsewhere, tmp_path):
    """Its mean is that of an independent ridge regression; it passes the contract, and its rows'
    errors are what its moments say.
    """
    rng = np.random.default_rng(0)
    a, w = rng.standard_normal((40, 3)), rng.uniform(0.5, 2.0, 40)
    b = a @ [1.0, -2.0, 0.5] + 0.1 * a[:, 0] ** 2
    options = {"posterior": "their_package.Ridge", "posterior_options": {"strength": 0.1}}
    validate_posterior(lambda a, b, w, comm: fit_posterior(a, b, w, comm=comm, **options))
    found = fit_posterior(a, b, w, **options)
    rows, targets = a * w[:, None], b * w
    gram = rows.T @ rows
    mean = np.linalg.solve(gram + 0.1 * np.diag(np.diag(gram)), rows.T @ targets)
    np.testing.assert_allclose(found.mean, mean, rtol=1e-12)
    np.testing.assert_allclose(np.diag(found.model_error), (0.01 * mean) ** 2, rtol=1e-10)
    blocks = [Block(rows.copy(), targets, np.ones(40, bool), weights=w)]
    again, (errors,) = fit_blocks(blocks, fit_settings(**options))
    np.testing.assert_allclose(errors.residuals, targets - rows @ mean, atol=1e-12)
    predicted = again.predict(rows)
    np.testing.assert_allclose(errors.epistemic_std, predicted.epistemic_std, rtol=1e-6)
    np.testing.assert_allclose(errors.model_error_std, predicted.model_error_std, rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "options", "error", "said"),
    [
        ("their_package.Nothing", {}, InputError, "fit.posterior: .* cannot be imported"),
        ("their_package.Ridge", {"weak": 1}, InputError, r"refuses its options \(weak\)"),
        ("their_package.OfAnotherShape", {}, FitError, r"mean has shape \(4,\); expected \(3,\)"),
    ],
)
def test_a_posterior_that_is_refused(elsewhere, name, options, error, said):
    with pytest.raises(error, match=said):
        fit_posterior(np.eye(3), np.ones(3), posterior=name, posterior_options=options)


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("their_package.Nothing", {}, "cannot be imported: AttributeError"),
        ("no_package.Mine", {}, "cannot be imported: ModuleNotFoundError"),
        ("their_package.number", {}, "is a int, not a class or function"),
        ("their_package.OddSteps", {"before": 1}, r"refuses its options \(before\): TypeError"),
    ],
)
def test_what_cannot_be_made_is_refused(elsewhere, tmp_path, name, options, said):
    config = config_with(tmp_path, rule=name, rule_options=options)
    with pytest.raises(InputError, match=f"query.rule: {name} {said}"):
        rule_of(config, None, None, None)
    query = config_with(tmp_path, strategy=name, strategy_options=options).query
    with pytest.raises(InputError, match=f"query.strategy: {name} {said}"):
        acquisition(query, 0)


PLACES = {"rule": "query", "strategy": "query", "posterior": "fit", "backend": "label"}


@pytest.mark.parametrize("key", PLACES)
def test_a_misspelt_name_is_one_problem(tmp_path, key):
    with pytest.raises(InputError, match="1 problem:") as caught:
        validate_config({**CONFIG, PLACES[key]: {key: "novl"}}, tmp_path / "config.yaml")
    assert "or the dotted name of a class of yours (given: 'novl')" in str(caught.value)


@pytest.mark.parametrize("key", PLACES)
def test_options_are_for_classes_of_yours(tmp_path, key):
    with pytest.raises(InputError, match=f"{key}_options does not apply with {key}: "):
        validate_config(
            {**CONFIG, PLACES[key]: {f"{key}_options": {"a": 1}}}, tmp_path / "config.yaml"
        )


def test_every_name_is_in_the_table():
    assert set(STRATEGIES) == set(get_args(Strategy))
    assert set(RULES) == set(get_args(Rule))
    assert set(BACKENDS) == set(get_args(BackendName))
    for name, entry in POSTERIORS.items():
        assert get_args(entry.settings.model_fields["posterior"].annotation) == (name,)


def test_problems_of_other_keys_stay(tmp_path):
    """Only the types that one key may have speak for one another."""
    cluster = {"scheduler": "slurm", "attributes": {"a": 'x"', "b": 'y"'}}
    label = {"calculator": "emt", "backend": "cluster", "cluster": cluster}
    with pytest.raises(InputError, match="2 problems:"):
        validate_config({**CONFIG, "label": label}, tmp_path / "config.yaml")
