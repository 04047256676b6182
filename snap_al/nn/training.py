"""Least squares of networks by Adam, many members at once."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snap_al.errors import FitError, InputError
from snap_al.nn.checks import at_least, positive
from snap_al.nn.network import Network

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Training:
    """How weights are searched for: Adam, with a learning rate that falls to zero along a cosine.

    References
    ----------
    Kingma, Ba, ICLR (2015), arXiv:1412.6980. Loshchilov, Hutter, ICLR (2017), arXiv:1608.03983.
    """

    steps: int = 2000
    """Number of steps; 0 leaves the weights as they begin."""
    learning_rate: float = 0.01
    """Of the first step."""
    batch_size: int | None = None
    """Rows of each step, drawn without replacement; all rows when not given."""
    weight_decay: float = 0.0
    """Factor on the sum of squared weights, which is added to the mean squared error."""

    def __post_init__(self) -> None:
        """Raises InputError for numbers that make no sense."""
        at_least("steps", self.steps, 0)
        positive("learning_rate", self.learning_rate)
        if self.batch_size is not None:
            at_least("batch_size", self.batch_size, 1)
        if not (math.isfinite(self.weight_decay) and self.weight_decay >= 0):
            raise InputError(f"weight_decay is {self.weight_decay}; it must not be below zero")


def minimise(
    parameters: list[Any], loss: Callable[[Any], Any], n_rows: int, training: Training, seed: int
) -> Array:
    """Changes the parameters in place; (steps,) the loss at each. loss: of the numbers of rows that
    are seen, or of None for all of them. Raises FitError where it is not finite.
    """
    import torch

    generator = torch.Generator().manual_seed(seed)
    adam = torch.optim.Adam(parameters, lr=training.learning_rate)
    falling = torch.optim.lr_scheduler.LambdaLR(
        adam, lambda k: 0.5 * (1.0 + math.cos(math.pi * min(1.0, k / max(1, training.steps))))
    )
    history = np.zeros(training.steps)
    for step in range(training.steps):
        seen = None
        if training.batch_size is not None and training.batch_size < n_rows:
            seen = torch.randperm(n_rows, generator=generator)[: training.batch_size]
        adam.zero_grad()
        value = loss(seen)
        value.backward()
        adam.step()
        falling.step()
        history[step] = float(value.detach())
        if not math.isfinite(history[step]):
            raise FitError(
                f"training diverged at step {step} of {training.steps}: give a smaller "
                f"learning_rate than {training.learning_rate}, or scale inputs and targets"
            )
    return history


def least_squares(
    network: Network, start: Any, rows: tuple[Any, Any, Any], training: Training, seed: int
) -> Any:
    """(k, p) tensor: the weights of k members from where they start (k, p).

    rows: tensors of inputs (N, ...), targets (N, o), and of how often each member sees each row
    (k, N). Members do not see each other: their losses are added.
    """
    x, y, counts = rows
    weights = start.clone().requires_grad_()

    def loss(seen: Any) -> Any:
        inputs, targets, shares = (
            (x, y, counts) if seen is None else (x[seen], y[seen], counts[:, seen])
        )
        squares = (network.call_many(weights, inputs) - targets).square().mean(dim=2)
        total = (squares * shares).mean(dim=1).sum()
        return total + training.weight_decay * weights.square().sum()

    minimise([weights], loss, len(x), training, seed)
    return weights.detach()
