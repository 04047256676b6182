"""`snap_al.named`: strategies and rules of somebody else, named in a config by module and class."""

from types import SimpleNamespace
from typing import get_args

import pytest

from snap_al.config import validate_config
from snap_al.errors import InputError
from snap_al.loop.settings import RunConfig
from snap_al.loop.watching import RULES, rule_of
from snap_al.query.contract import validate_acquisition
from snap_al.query.settings import Rule, Strategy
from snap_al.query.strategies import STRATEGIES, acquisition

MODULE = """
from dataclasses import dataclass
from typing import ClassVar

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


@pytest.mark.parametrize("key", ["rule", "strategy"])
def test_a_misspelt_name_is_one_problem(tmp_path, key):
    with pytest.raises(InputError, match="1 problem:") as caught:
        config_with(tmp_path, **{key: "novl"})
    assert "or the dotted name of a class of yours (given: 'novl')" in str(caught.value)


@pytest.mark.parametrize("key", ["rule", "strategy"])
def test_options_are_for_classes_of_yours(tmp_path, key):
    with pytest.raises(InputError, match=f"{key}_options does not apply with {key}: novel"):
        config_with(tmp_path, **{f"{key}_options": {"a": 1}})


def test_every_name_is_in_the_table():
    assert set(STRATEGIES) == set(get_args(Strategy))
    assert set(RULES) == set(get_args(Rule))


def test_problems_of_other_keys_stay(tmp_path):
    """Only the types that one key may have speak for one another."""
    cluster = {"scheduler": "slurm", "attributes": {"a": 'x"', "b": 'y"'}}
    label = {"calculator": "emt", "backend": "cluster", "cluster": cluster}
    with pytest.raises(InputError, match="2 problems:"):
        validate_config({**CONFIG, "label": label}, tmp_path / "config.yaml")
