"""The network in torch, with the loss that hidden weights are learned by.

    E_i = c_0 + β·z_i + c·φ(z_i)        z_i = Mᵀ x_i, whitened
    loss = Σ_rows w² (ŷ - y)² / number of rows, of energies per atom, forces and stress

torch is imported here alone, and late: it is large, and not needed to use a network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from snap_al.data.rows import ENERGY, FORCES, STRESS
from snap_al.errors import InputError
from snap_al.potential.network.examples import Example
from snap_al.potential.network.layers import Hidden

if TYPE_CHECKING:
    from torch import Tensor

Array = NDArray[np.float64]


def torch_module() -> Any:
    """torch. Raises InputError when it is not installed."""
    try:
        import torch
    except ImportError as error:
        raise InputError(
            "learning a network's weights needs torch: pip install 'snap_al[nn]'"
        ) from error
    return torch


@dataclass(frozen=True)
class ElementParameters:
    """What is learned of one element."""

    weights: list[Tensor]
    """(n_l, n_{l-1}) of each hidden layer, the first by z."""
    biases: list[Tensor]
    """(n_l,) of each hidden layer."""
    c: Tensor
    """(n_L,) eV."""
    beta: Tensor
    """(1 + K,) eV, the constant and β by z."""


class TorchNetwork:
    """Networks of all elements in whitened inputs."""

    def __init__(
        self,
        hidden: Sequence[Hidden],
        whitenings: Sequence[Array],
        linear: Sequence[Array],
        c: Sequence[Array],
    ) -> None:
        """linear: (1 + K,) constant and β by x of each element. c: (n_L,) of each element."""
        self._torch = torch_module()
        self._hidden, self._whitenings = hidden, whitenings
        inverses = [np.linalg.inv(m) for m in whitenings]
        self.elements = [
            ElementParameters(
                [
                    self._learned(weights @ inverse.T if number == 0 else weights)
                    for number, weights in enumerate(layers.weights)
                ],
                [self._learned(biases) for biases in layers.biases],
                self._learned(of_units),
                self._learned(np.append(beta[:1], inverse @ beta[1:])),
            )
            for layers, inverse, beta, of_units in zip(hidden, inverses, linear, c, strict=True)
        ]
        self._m = [self._torch.tensor(m) for m in whitenings]
        self._scales = [self._torch.tensor(layers.scale) for layers in hidden]

    def _learned(self, values: Array) -> Tensor:
        found: Tensor = self._torch.tensor(values, dtype=self._torch.float64, requires_grad=True)
        return found

    @property
    def hidden_parameters(self) -> list[Tensor]:
        """Weights and biases of hidden layers."""
        return [p for e in self.elements for p in (*e.weights, *e.biases)]

    @property
    def last_parameters(self) -> list[Tensor]:
        """Constants, β and c."""
        return [p for e in self.elements for p in (e.c, e.beta)]

    def hidden(self) -> tuple[Hidden, ...]:
        """Hidden layers by x, as they are now."""
        found = []
        for layers, whitening, parameters in zip(
            self._hidden, self._whitenings, self.elements, strict=True
        ):
            weights = [w.detach().numpy().copy() for w in parameters.weights]
            weights[0] = weights[0] @ whitening.T * layers.used
            biases = tuple(b.detach().numpy().copy() for b in parameters.biases)
            found.append(Hidden(layers.shift, layers.scale, tuple(weights), biases))
        return tuple(found)

    def prepared(self, example: Example) -> Prepared:
        """An example as tensors."""
        torch, known = self._torch, example.known
        n, m = known.neighbours.shape
        z = np.zeros(known.components.shape)
        owners = [np.flatnonzero(known.elements == e) for e in range(len(self._hidden))]
        for own, layers, whitening in zip(owners, self._hidden, self._whitenings, strict=True):
            z[own] = layers.standardised(known.components[own]) @ whitening
        return Prepared(
            torch.from_numpy(z),
            [torch.from_numpy(own) for own in owners],
            torch.from_numpy(known.neighbours.ravel()),
            torch.from_numpy(known.forces.reshape(n, 3 * m, -1)),
            torch.from_numpy(np.ascontiguousarray(known.virial * example.stress_unit)),
            torch.from_numpy(example.targets),
            torch.from_numpy(example.weights),
            int((example.weights > 0).sum()),
        )

    def loss(self, batch: Sequence[Prepared]) -> Tensor:
        """Sum of the weighted squared errors of all rows."""
        torch = self._torch
        sizes = np.array([len(example.z) for example in batch])
        starts = np.concatenate([[0], np.cumsum(sizes)])
        z = torch.cat([example.z for example in batch])
        energies, slopes = torch.zeros(len(z), dtype=z.dtype), torch.zeros_like(z)
        for element in range(len(self.elements)):
            parts = zip(batch, starts[:-1], strict=True)
            own = torch.cat([example.owners[element] + int(start) for example, start in parts])
            e, g = self._element(element, z[own])
            energies, slopes = energies.index_add(0, own, e), slopes.index_add(0, own, g)
        total = torch.zeros((), dtype=z.dtype)
        for example, start, n in zip(batch, starts, sizes, strict=False):
            some = slice(int(start), int(start + n))
            total = total + _squares(torch, example, energies[some], slopes[some])
        found: Tensor = total
        return found

    def _element(self, element: int, z: Tensor) -> tuple[Tensor, Tensor]:
        """(c,) energies of atoms, and (c, K) their derivatives by components, from (c, K) z."""
        p = self.elements[element]
        layers, h = [], z
        for weights, biases in zip(p.weights, p.biases, strict=True):
            h = self._torch.tanh(h @ weights.T + biases)
            layers.append(h)
        energies = p.beta[0] + z @ p.beta[1:] + h @ p.c
        slopes = p.c.expand_as(h)
        for weights, h in zip(reversed(p.weights), reversed(layers), strict=True):
            slopes = (slopes * (1.0 - h**2)) @ weights
        return energies, (slopes + p.beta[1:]) @ self._m[element].T * self._scales[element]


@dataclass(frozen=True)
class Prepared:
    """An example of n atoms as tensors."""

    z: Tensor
    """(n, K) whitened components."""
    owners: list[Tensor]
    """Numbers of the atoms of each element."""
    neighbours: Tensor
    """(n m,) atoms that derivatives are by."""
    forces: Tensor
    """(n, 3 m, K) derivatives, in the precision that they are kept in."""
    virial: Tensor
    """(n, 6, K) bar."""
    targets: Tensor
    """(1 + 3 n + 6,) what is to be predicted."""
    weights: Tensor
    """(1 + 3 n + 6,) of the rows."""
    n_rows: int
    """Rows with a weight."""


def _squares(torch: Any, example: Prepared, energies: Tensor, slopes: Tensor) -> Tensor:
    """Sum of the weighted squared errors of one example.

    energies: (n,) of its atoms. slopes: (n, K) their derivatives by components.
    """
    n, targets, weights = len(energies), example.targets, example.weights
    by_pair = torch.matmul(example.forces, slopes.to(example.forces.dtype).unsqueeze(-1))
    forces = torch.zeros(n, 3, dtype=energies.dtype).index_add(
        0, example.neighbours, by_pair.to(energies.dtype).reshape(-1, 3)
    )
    stress = torch.einsum("nsk,nk->s", example.virial, slopes)
    total: Tensor = (
        ((energies.mean() - targets[ENERGY]) * weights[ENERGY]).square().sum()
        + ((forces.ravel() - targets[FORCES]) * weights[FORCES]).square().sum()
        + ((stress - targets[STRESS]) * weights[STRESS]).square().sum()
    )
    return total
