"""snap_al.potential.network: Hidden weights from labelled configurations: the loss is that of rows
times coefficients, and learning is repeatable, to the bit.
"""

import sys
from dataclasses import replace

import numpy as np
import pytest
from helpers.networks import same_bits
from helpers.optional import needs
from helpers.samples import CHEM, COPPER, WEIGHTS, ZBL, rattled_copper

from snap_al.data import Configuration, Label, LabelledConfiguration
from snap_al.descriptors import ReferencePotential
from snap_al.errors import InputError
from snap_al.potential.network import (
    Keeping,
    Network,
    NetworkSettings,
    Sources,
    examples_of,
    learn_hidden,
)
from snap_al.potential.network.starting import last_layer

try:
    import torch
except ImportError:
    torch = None

learns = needs(torch is not None, "torch: pip install 'snap_al[nn]'")
SMALL = CHEM.model_copy(update={"twojmax": (2, 2)})
FEW = NetworkSettings(hidden=(5, 4), epochs=2, batch=4)


def labelled(n, element=None):
    """Random labels, that any fit must be equal on. Every third has no stress."""
    found = []
    for k in range(n):
        atoms = rattled_copper(k, 0.15, repeat=1).to_atoms()
        atoms.symbols[: 1 + k % 3] = element or "Cu"
        rng = np.random.default_rng(k)
        label = Label(
            float(rng.standard_normal()),
            rng.standard_normal((len(atoms), 3)),
            rng.standard_normal(6) if k % 3 else None,
        )
        configuration = Configuration.from_atoms(atoms, label=label)
        found.append(LabelledConfiguration(configuration, WEIGHTS))
    return found


@pytest.fixture(scope="module")
def copper_examples():
    return examples_of(labelled(10), Sources(COPPER, ReferencePotential()), Keeping("double"))


@learns
def test_the_loss_is_that_of_rows(tmp_path):
    """With chemflag and a reference potential; at the start, and its slope by a hidden weight."""
    from snap_al.potential.network.torch_network import TorchNetwork

    items = labelled(4, "Ag")
    examples = examples_of(items, Sources(SMALL, ZBL), Keeping("double"))
    hidden = learn_hidden(examples, SMALL, FEW.model_copy(update={"epochs": 0})).hidden
    linear, c = last_layer(examples, hidden, units=True)
    linear, c = [0.9 * beta for beta in linear], [0.1 + of_units for of_units in c]
    plain = [np.eye(len(layers.shift)) for layers in hidden]

    def by_rows(hidden):
        model, total = Network(SMALL, hidden), 0.0
        full = np.concatenate([np.concatenate(pair) for pair in zip(linear, c, strict=True)])
        with model.engine(ZBL) as engine:
            for item, example in zip(items, examples, strict=True):
                rows = engine.rows(item.configuration)
                error = rows.values @ model.columns.gathered(full) - example.targets
                total += np.sum((example.weights * error) ** 2)
        return total

    network = TorchNetwork(hidden, plain, linear, c)
    loss = network.loss([network.prepared(example) for example in examples])
    assert float(loss.detach()) == pytest.approx(by_rows(hidden), rel=1e-9)
    loss.backward()
    h, moved = 1e-5, []
    for sign in (1, -1):
        weights = hidden[1].weights[0].copy()
        weights[2, 3] += sign * h
        changed = replace(hidden[1], weights=(weights, *hidden[1].weights[1:]))
        moved.append(by_rows((hidden[0], changed)))
    slope = float(network.elements[1].weights[0].grad[2, 3])
    assert slope == pytest.approx((moved[0] - moved[1]) / (2 * h), rel=1e-4)


def test_targets_are_without_the_reference_potential():
    items = labelled(1)
    with_zbl, without = (
        examples_of(items, Sources(COPPER, reference))[0]
        for reference in (
            ReferencePotential.parse(["pair_style zbl 2.5 3.5", "pair_coeff * * 29 29"]),
            ReferencePotential(),
        )
    )
    labels = items[0].configuration.label
    np.testing.assert_allclose(without.targets[1:-6], labels.forces.ravel())
    assert not without.weights[-6:].any()
    assert np.abs(with_zbl.targets - without.targets)[1:-6].max() > 1e-3


@learns
def test_learning_is_repeatable_and_goes_on_from_earlier_weights(copper_examples):
    first, second = (learn_hidden(copper_examples, COPPER, FEW) for _ in range(2))
    assert first.training == second.training
    assert first.validation == second.validation
    assert same_bits(first.hidden, second.hidden)
    other = learn_hidden(copper_examples, COPPER, FEW.model_copy(update={"seed": 1}))
    assert other.training != first.training
    further = learn_hidden(copper_examples, COPPER, FEW, first.hidden)
    assert same_bits(
        learn_hidden(copper_examples, COPPER, FEW, first.hidden).hidden, further.hidden
    )
    assert np.array_equal(further.hidden[0].shift, first.hidden[0].shift)
    with pytest.raises(InputError, match=r"have \(5, 4\) units"):
        learn_hidden(copper_examples, COPPER, FEW.model_copy(update={"hidden": (3,)}), first.hidden)


@learns
def test_weights_are_those_of_the_best_pass(copper_examples):
    settings = FEW.model_copy(update={"epochs": 12, "patience": 3, "learning_rate": 0.3})
    learned = learn_hidden(copper_examples, COPPER, settings)
    assert learned.validation[learned.best] == min(learned.validation)
    assert len(learned.validation) - 1 in (12, learned.best + 3)
    none = learn_hidden(copper_examples, COPPER, FEW.model_copy(update={"validation": 0.0}))
    assert none.validation == ()


@learns
def test_the_number_of_threads_is_left_as_it_was(copper_examples):
    before = torch.get_num_threads()
    learn_hidden(copper_examples, COPPER, FEW.model_copy(update={"epochs": 1}))
    assert torch.get_num_threads() == before


@learns
def test_derivatives_on_disk_give_the_same_weights(copper_examples, tmp_path):
    on_disk = examples_of(
        labelled(10), Sources(COPPER, ReferencePotential()), Keeping("double", tmp_path)
    )
    assert isinstance(on_disk[0].known.forces, np.memmap)
    assert list(tmp_path.iterdir()) == []
    assert same_bits(
        learn_hidden(on_disk, COPPER, FEW).hidden, learn_hidden(copper_examples, COPPER, FEW).hidden
    )
    single = examples_of(labelled(1), Sources(COPPER, ReferencePotential()))
    assert single[0].known.forces.dtype == np.float32


@learns
def test_it_learns_what_a_network_can_say(copper_examples):
    """Labels of a network: forces come out better than those of the linear fit."""
    truth = learn_hidden(copper_examples, COPPER, FEW.model_copy(update={"seed": 7, "epochs": 0}))
    model = Network(COPPER, truth.hidden)
    coefficients = 0.1 * np.random.default_rng(3).standard_normal(model.columns.n_distinct)
    items = []
    with model.engine(ReferencePotential()) as engine:
        for item in labelled(12):
            values = engine.rows(item.configuration).values @ coefficients
            n = len(item.configuration)
            label = Label(n * values[0], values[1:-6].reshape(-1, 3), None)
            items.append(replace(item, configuration=item.configuration.labelled(label)))
    examples = examples_of(items, Sources(COPPER, ReferencePotential()))
    settings = NetworkSettings(hidden=(8, 8), epochs=20, batch=3, weight_decay=0.0)
    learned = learn_hidden(examples, COPPER, settings)
    assert learned.validation[learned.best] < 0.5 * learned.validation[0]


def test_without_torch_the_message_says_what_to_install(copper_examples, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(InputError, match=r"pip install 'snap_al\[nn\]'"):
        learn_hidden(copper_examples, COPPER, FEW)


def test_nothing_to_learn_from():
    with pytest.raises(InputError, match="there are none"):
        learn_hidden([], COPPER, FEW)
