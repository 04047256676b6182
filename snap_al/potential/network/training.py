"""Hidden weights of a network from labelled configurations.

They are learned together with a last layer that begins at the linear solution and is thrown away:
the fit that follows has the last layer's posterior. The steps are those of AdamW with few
configurations each, in inputs along which forces change alike (`starting.whitening_of`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snap_al.descriptors import SnapSettings
from snap_al.descriptors.derivatives import used_components
from snap_al.errors import InputError
from snap_al.potential.network.examples import Example
from snap_al.potential.network.layers import Hidden, random_hidden
from snap_al.potential.network.settings import NetworkSettings
from snap_al.potential.network.starting import last_layer, standards_of, whitening_of
from snap_al.potential.network.torch_network import Prepared, TorchNetwork, torch_module
from snap_al.progress import Report, silent

Array = NDArray[np.float64]
GROWING = 0.1
"""Share of the passes over which steps grow."""
LAST_LAYER = 0.1
"""Steps of the last layer's coefficients, next to those of hidden weights: energies, whose weights
are large, begin at the linear solution and must not be driven off it."""
FEWEST = 5
"""With fewer configurations none is left out."""


@dataclass(frozen=True)
class Learned:
    """Hidden weights, and how they were found."""

    hidden: tuple[Hidden, ...]
    """Hidden layers of each element, those of the pass with the smallest error."""
    training: tuple[float, ...]
    """Mean weighted squared error of a row after no pass, the first, …, in the training set."""
    validation: tuple[float, ...]
    """The same of configurations left out; empty where there are none."""
    best: int
    """The pass whose weights are kept, 0 for none."""


def learn_hidden(
    examples: Sequence[Example],
    descriptor: SnapSettings,
    settings: NetworkSettings,
    earlier: Sequence[Hidden] | None = None,
    report: Report = silent,
) -> Learned:
    """Learn hidden weights.

    Parameters
    ----------
    examples : sequence of Example
        The training set.
    descriptor : SnapSettings
        What their components are of.
    settings : NetworkSettings
        Layers, passes, steps and seed.
    earlier : sequence of Hidden, optional
        Layers to begin with, with their shifts and scales; random ones when not given.
    report : callable, optional
        Told how many passes are done.

    Returns
    -------
    Learned
        The same to the bit for the same arguments, on one machine.

    Raises
    ------
    InputError
        If there are no examples, or without torch.
    """
    if not examples:
        raise InputError("a network learns from labelled configurations, and there are none")
    torch = torch_module()
    inside, left_out = _split(len(examples), settings)
    hidden, whitenings = _first(examples, descriptor, settings, earlier)
    linear, c = last_layer([examples[k] for k in inside], hidden, units=earlier is not None)
    network = TorchNetwork(hidden, whitenings, linear, c)
    prepared = [network.prepared(example) for example in examples]
    with _one_thread(torch):
        return _Learning(network, settings, torch).run(
            [prepared[k] for k in inside], [prepared[k] for k in left_out], report
        )


def _first(
    examples: Sequence[Example],
    descriptor: SnapSettings,
    settings: NetworkSettings,
    earlier: Sequence[Hidden] | None,
) -> tuple[tuple[Hidden, ...], list[Array]]:
    """Layers to begin with, and the whitening of their inputs."""
    if earlier is None:
        standards = standards_of(examples, used_components(descriptor))
    else:
        standards = [(layers.shift, layers.scale) for layers in earlier]
    whitenings = [whitening_of(examples, e, *standard) for e, standard in enumerate(standards)]
    if earlier is not None:
        if any(layers.sizes != settings.hidden for layers in earlier):
            raise InputError(
                f"the earlier layers have {earlier[0].sizes} units, not {settings.hidden}"
            )
        return tuple(earlier), whitenings
    return random_hidden(standards, whitenings, settings.hidden, settings.seed), whitenings


def _split(n: int, settings: NetworkSettings) -> tuple[list[int], list[int]]:
    """Numbers of the configurations that steps are made from, and of those left out."""
    n_out = round(settings.validation * n) if n >= FEWEST else 0
    order = _rng(settings, 0).permutation(n)
    return sorted(order[n_out:].tolist()), sorted(order[:n_out].tolist())


def _rng(settings: NetworkSettings, what: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence([settings.seed, 1000 + what]))


@contextmanager
def _one_thread(torch: Any) -> Iterator[None]:
    """Sums have one order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class _Learning:
    """AdamW on a network."""

    def __init__(self, network: TorchNetwork, settings: NetworkSettings, torch: Any) -> None:
        self._network, self._settings, self._torch = network, settings, torch
        self._order = _rng(settings, 1)
        self._optimiser = torch.optim.AdamW(
            [
                {"params": network.hidden_parameters, "weight_decay": settings.weight_decay},
                {"params": network.last_parameters, "weight_decay": 0.0},
            ],
            lr=settings.learning_rate,
        )
        self._shares = (1.0, LAST_LAYER)

    def run(self, inside: list[Prepared], left_out: list[Prepared], report: Report) -> Learned:
        """Passes until there are enough, or until the error of those left out does not fall."""
        training, validation = [self._error(inside)], [self._error(left_out)]
        followed = validation if left_out else training
        best, hidden = 0, self._network.hidden()
        for epoch in range(1, self._settings.epochs + 1):
            report("learning", epoch - 1, self._settings.epochs)
            training.append(self._pass(inside, epoch - 1))
            validation.append(self._error(left_out))
            if followed[-1] < followed[best]:
                best, hidden = epoch, self._network.hidden()
            elif self._settings.patience and epoch - best >= self._settings.patience:
                break
        kept = tuple(validation) if left_out else ()
        return Learned(hidden, tuple(training), kept, best)

    def _pass(self, inside: list[Prepared], epoch: int) -> float:
        """Steps through all configurations once. Returns the mean error of a row on the way."""
        order = self._order.permutation(len(inside)).tolist()
        starts = range(0, len(order), self._settings.batch)
        total = 0.0
        for step, start in enumerate(starts):
            batch = [inside[k] for k in order[start : start + self._settings.batch]]
            rate = self._rate((epoch + step / len(starts)) / self._settings.epochs)
            for group, share in zip(self._optimiser.param_groups, self._shares, strict=True):
                group["lr"] = share * rate
            self._optimiser.zero_grad()
            loss = self._network.loss(batch)
            (loss / _n_rows(batch)).backward()
            self._optimiser.step()
            total += float(loss.detach())
        return total / _n_rows(inside)

    def _rate(self, done: float) -> float:
        """Largest step after a share of the passes, from 0 to 1."""
        if done < GROWING:
            return self._settings.learning_rate * (0.1 + 0.9 * done / GROWING)
        along = (done - GROWING) / (1.0 - GROWING)
        return self._settings.learning_rate * 0.5 * (1.0 + math.cos(math.pi * along))

    def _error(self, examples: list[Prepared]) -> float:
        """Mean weighted squared error of a row."""
        with self._torch.no_grad():
            total = sum(float(self._network.loss([example])) for example in examples)
        return total / _n_rows(examples)


def _n_rows(examples: Sequence[Prepared]) -> int:
    """At least 1."""
    return max(1, sum(example.n_rows for example in examples))
