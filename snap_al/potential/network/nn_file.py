"""The file of `pair_style mliap model nn FILE`, and all the checks of it that LAMMPS does not make.

    NELEMENTS NPARAMETERS
    NET NDESCRIPTORS NLAYERS ACTIVATION NODES ACTIVATION NODES …
    for each element: means, stds, and for each layer and node its bias and weights

A line has at most 30 numbers and 1023 characters, and each of the three groups of an element ends
where a line ends. https://docs.lammps.org/pair_mliap.html
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from snap_al.data.storage import LARGEST_TEXT, require_regular_file
from snap_al.errors import InputError

Array = NDArray[np.float64]
ACTIVATIONS = ("linear", "sigmoid", "tanh", "relu")
"""LAMMPS takes any other word for linear, without saying so."""
MOST_NUMBERS = 30
LONGEST_LINE = 1023
"""Characters with the end of the line; LAMMPS takes the rest of a longer one for a line."""


@dataclass(frozen=True)
class ElementNetwork:
    """The network of one element: `weights[l] @ h + biases[l]` goes into layer l."""

    means: Array
    """(K,) taken off the components first."""
    stds: Array
    """(K,) by which they are divided then."""
    weights: tuple[Array, ...]
    """(n_l, n_{l-1}) of each layer."""
    biases: tuple[Array, ...]
    """(n_l,) of each layer."""


@dataclass(frozen=True)
class NnFile:
    """What a file says."""

    activations: tuple[str, ...]
    """One for each layer, the last of which has one node, the energy in eV."""
    elements: tuple[ElementNetwork, ...]
    """One network for each element, all with the same layers."""

    def text(self) -> str:
        """The file. Numbers read back bit for bit."""
        first = self.elements[0]
        nodes = [len(biases) for biases in first.biases]
        layers = " ".join(f"{a} {n}" for a, n in zip(self.activations, nodes, strict=True))
        lines = [
            "# network fitted by snap_al",
            f"{len(self.elements)} {n_parameters(len(first.means), nodes)}",
            f"NET {len(first.means)} {len(nodes)} {layers}",
        ]
        for element in self.elements:
            lines += _in_lines(element.means) + _in_lines(element.stds)
            parameters = [
                np.column_stack([biases, weights]).ravel()
                for weights, biases in zip(element.weights, element.biases, strict=True)
            ]
            lines += _in_lines(np.concatenate(parameters))
        return "\n".join(lines) + "\n"


def n_parameters(n_descriptors: int, nodes: list[int]) -> int:
    """Biases and weights of one element."""
    inputs = [n_descriptors, *nodes[:-1]]
    return sum((i + 1) * n for i, n in zip(inputs, nodes, strict=True))


def _in_lines(values: Array) -> list[str]:
    texts = [repr(float(v)) for v in values]
    return [" ".join(texts[k : k + MOST_NUMBERS]) for k in range(0, len(texts), MOST_NUMBERS)]


def read_nn(path: Path | str) -> NnFile:
    """Read a network file.

    Parameters
    ----------
    path : path or str
        A file for `pair_style mliap model nn`.

    Returns
    -------
    NnFile

    Raises
    ------
    InputError
        For a file that LAMMPS would refuse, and for one that it would read as something else: a
        cut one, one with an activation that it does not know, with more than one output, with
        lines that are too long, or with numbers that are not finite. The message names the file,
        the line and the value.
    """
    path = Path(path)
    try:
        text = require_regular_file(path, LARGEST_TEXT).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    return _Reader(path, text).file()


@dataclass
class _Reader:
    """Goes through the lines of a file."""

    path: Path
    """The file."""
    text: str
    """All of it."""
    _number: int = 0
    _lines: Iterator[tuple[int, list[str]]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._lines = self._words()

    def file(self) -> NnFile:
        n_elements, declared = self._counts()
        n_descriptors, activations, nodes = self._layers()
        needed = n_parameters(n_descriptors, nodes)
        if declared != needed:
            raise self._wrong(
                f"these layers have {needed} parameters, and the first line says {declared}"
            )
        elements = tuple(self._element(n_descriptors, nodes) for _ in range(n_elements))
        if left := next(self._lines, None):
            self._number = left[0]
            raise self._wrong(f"{left[1][0]!r} after the last of {n_elements} elements")
        return NnFile(activations, elements)

    def _words(self) -> Iterator[tuple[int, list[str]]]:
        """Number and words of each line that has words."""
        for number, line in enumerate(self.text.split("\n"), 1):
            if len(line.encode()) + 1 > LONGEST_LINE:
                self._number = number
                raise self._wrong(
                    f"{len(line.encode())} characters; LAMMPS reads {LONGEST_LINE - 1} at most"
                )
            if words := line.split("#")[0].split():
                yield number, words

    def _next(self, expected: str) -> list[str]:
        found = next(self._lines, None)
        if found is None:
            raise InputError(f"{self.path}: ends before {expected}; it is cut or not complete")
        self._number, words = found
        return words

    def _wrong(self, what: str) -> InputError:
        return InputError(f"{self.path}, line {self._number}: {what}")

    def _whole(self, word: str, what: str) -> int:
        if not (word.isascii() and word.isdigit() and int(word) > 0):
            raise self._wrong(f"{what} is {word!r}, expected a whole number above 0")
        return int(word)

    def _counts(self) -> tuple[int, int]:
        words = self._next("the numbers of elements and parameters")
        if len(words) != 2:
            raise self._wrong(
                f"{' '.join(words)!r}: expected the numbers of elements and of parameters"
            )
        n_elements, n = words
        return self._whole(n_elements, "number of elements"), self._whole(n, "parameters")

    def _layers(self) -> tuple[int, tuple[str, ...], list[int]]:
        words = self._next("the line of layers, NET …")
        if words[0] != "NET" or len(words) < 3:
            raise self._wrong(f"{' '.join(words)!r}: expected NET, descriptors, layers …")
        n_descriptors = self._whole(words[1], "number of descriptors")
        n_layers = self._whole(words[2], "number of layers")
        if len(words) != 3 + 2 * n_layers:
            raise self._wrong(
                f"{len(words) - 3} words for {n_layers} layers, expected {2 * n_layers}"
            )
        for activation in words[3::2]:
            if activation not in ACTIVATIONS:
                raise self._wrong(
                    f"activation {activation!r}, which LAMMPS would take for linear; expected one "
                    f"of {', '.join(ACTIVATIONS)}"
                )
        nodes = [self._whole(word, "number of nodes") for word in words[4::2]]
        if nodes[-1] != 1:
            raise self._wrong(
                f"the last layer has {nodes[-1]} nodes; LAMMPS takes forces of one output only"
            )
        return n_descriptors, tuple(words[3::2]), nodes

    def _element(self, n_descriptors: int, nodes: list[int]) -> ElementNetwork:
        means = self._numbers(n_descriptors, "means")
        stds = self._numbers(n_descriptors, "stds")
        if (stds == 0).any():
            raise self._wrong(f"std {np.flatnonzero(stds == 0)[0] + 1} of {len(stds)} is 0")
        flat = self._numbers(n_parameters(n_descriptors, nodes), "parameters")
        weights, biases, inputs = [], [], n_descriptors
        for n in nodes:
            layer, flat = flat[: n * (inputs + 1)].reshape(n, -1), flat[n * (inputs + 1) :]
            biases.append(layer[:, 0])
            weights.append(layer[:, 1:])
            inputs = n
        return ElementNetwork(means, stds, tuple(weights), tuple(biases))

    def _numbers(self, n: int, what: str) -> Array:
        """(n,) the next ones, of which the last ends a line."""
        found: list[float] = []
        while len(found) < n:
            words = self._next(f"{what} {len(found) + 1} to {n}")
            if len(words) > MOST_NUMBERS:
                raise self._wrong(f"{len(words)} numbers; LAMMPS reads {MOST_NUMBERS} at most")
            if len(found) + len(words) > n:
                raise self._wrong(
                    f"{len(found) + len(words)} {what}, expected {n}; they must end where a line "
                    "ends"
                )
            found += [self._number_of(word, what) for word in words]
        return np.array(found)

    def _number_of(self, word: str, what: str) -> float:
        try:
            value = float(word)
        except ValueError:
            raise self._wrong(f"{word!r} among the {what} is no number") from None
        if not np.isfinite(value):
            raise self._wrong(f"{word!r} among the {what} is not finite")
        return value
