"""A nonlinear model that snap_al does not know: two tanh units of the bispectrum components, in
stock LAMMPS by `pair_style mliap model nn`. Its rows are finite differences.

    E_i = c_0 + Σ_u c_u tanh(w_u · (B_i - m)),   c_0 and c_u of the element of atom i

https://docs.lammps.org/pair_mliap.html
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from snap_al.data.rows import n_rows
from snap_al.descriptors import Columns, ConfigurationRows, DescriptorEngine, ReferencePotential
from snap_al.potential import RowsMonitor
from snap_al.units import BAR_PER_EV_PER_A3

STEP = 1e-4
"""Å, and strain, of the differences."""
STRAINS = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


@dataclass(frozen=True)
class TwoUnits:
    """weights: (2, K) w. center: (K,) m."""

    descriptor: object
    weights: list
    center: list

    @property
    def elements(self):
        return self.descriptor.elements

    @property
    def cutoff(self):
        return self.descriptor.max_cutoff

    @cached_property
    def columns(self):
        """Of each element a constant and two units."""
        n = len(self.elements)
        return Columns(np.arange(3 * n), n, True)

    def column_names(self):
        return [f"{e}:{name}" for e in self.elements for name in ("constant", "unit 1", "unit 2")]

    def columns_named(self, wanted):
        names = self.column_names()
        return tuple(sorted(k if isinstance(k, int) else names.index(k) for k in wanted))

    def described(self):
        return "two tanh units"

    def stored(self):
        return {
            "descriptor": self.descriptor.model_dump(mode="json"),
            "weights": self.weights,
            "center": self.center,
        }

    def engine(self, reference, lammps=None, pressure_unit=BAR_PER_EV_PER_A3):
        plain = DescriptorEngine(self.descriptor, ReferencePotential(), lammps)
        return UnitsEngine(self, plain, DescriptorEngine(self.descriptor, reference, lammps))

    def files(self, coefficients):
        """The network that `model nn` reads: standardised inputs, tanh, one linear output."""
        k = len(self.center)
        lines = [f"{len(self.elements)} {5 + 2 * k}", f"NET {k} 2 tanh 2 linear 1"]
        for c in np.reshape(coefficients, (-1, 3)):
            lines += in_lines(self.center) + in_lines(np.ones(k))
            for row in self.weights:
                lines += in_lines([0.0, *row])
            lines += in_lines(c)
        s = self.descriptor
        described = {
            "rcutfac": repr(s.rcutfac),
            "twojmax": s.largest_twojmax,
            "nelems": len(s.elements),
            "elems": " ".join(s.elements),
            "radelems": " ".join(map(repr, s.radelem)),
            "welems": " ".join(map(repr, s.wj)),
            "rfac0": repr(s.rfac0),
            "rmin0": repr(s.rmin0),
            "bzeroflag": int(s.bzeroflag),
        }
        text = "".join(f"{name} {value}\n" for name, value in described.items())
        return {".nn": "\n".join(lines) + "\n", ".descriptor": text}

    def std_files(self, posterior):
        return {}

    def pair_style(self, name):
        style = f"mliap model nn {name('.nn')} descriptor sna {name('.descriptor')}"
        return style, " ".join(self.elements)

    def monitor(self, posterior):
        return RowsMonitor(self.engine(ReferencePotential()), posterior)


def in_lines(values):
    """At most 30 numbers in each; a group of numbers ends where a line ends."""
    texts = [f"{float(v)!r}" for v in values]
    return [" ".join(texts[k : k + 30]) for k in range(0, len(texts), 30)]


def strained(configuration, strain):
    stretched = np.eye(3) + strain
    return replace(
        configuration,
        cell=configuration.cell @ stretched,
        positions=configuration.positions @ stretched,
    )


@dataclass
class UnitsEngine:
    """plain: components without the reference potential. referred: the reference potential."""

    model: TwoUnits
    plain: DescriptorEngine
    referred: DescriptorEngine

    @property
    def columns(self):
        return self.model.columns

    @property
    def elements(self):
        return self.model.elements

    @property
    def fingerprint(self):
        return repr((self.model.stored(), self.referred.fingerprint))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.plain.close()
        self.referred.close()

    def atom_rows(self, configuration):
        """(n, 3 n_elements): a one and two units, in the block of the atom's element."""
        rows = self.plain.atom_rows(configuration)
        elements = [self.elements.index(s) for s in configuration.species]
        blocks = rows.reshape(len(rows), len(self.elements), -1)[np.arange(len(rows)), elements]
        components = blocks[:, -len(self.model.center) :]
        units = np.tanh((components - self.model.center) @ np.transpose(self.model.weights))
        out = np.zeros((len(rows), len(self.elements), 3))
        out[np.arange(len(rows)), elements] = np.column_stack([np.ones(len(rows)), units])
        return out.reshape(len(rows), -1)

    def rows(self, configuration):
        n, known = len(configuration), self.referred.rows(configuration)
        values = np.zeros((n_rows(n), self.columns.n_distinct))
        values[0] = self.atom_rows(configuration).mean(axis=0)
        for k in range(3 * n):
            step = np.zeros((n, 3))
            step.flat[k] = STEP
            values[1 + k] = -self._slope(
                *(
                    replace(configuration, positions=configuration.positions + sign * step)
                    for sign in (1, -1)
                )
            )
        for k, (a, b) in enumerate(STRAINS):
            strain = np.zeros((3, 3))
            strain[a, b] = strain[b, a] = STEP if a == b else STEP / 2
            slope = self._slope(*(strained(configuration, sign * strain) for sign in (1, -1)))
            values[1 + 3 * n + k] = -slope * BAR_PER_EV_PER_A3 / configuration.volume
        return ConfigurationRows(values, known.reference, known.vanishing)

    def _slope(self, forward, backward):
        """(n_distinct,) of the total energy's rows."""
        there, here = (self.atom_rows(c).sum(axis=0) for c in (forward, backward))
        return (there - here) / (2 * STEP)

    def rows_with_atoms(self, configuration):
        _, _, energies = self.referred.rows_with_atoms(configuration)
        return self.rows(configuration), self.atom_rows(configuration), energies
