"""snap_al.descriptors.columns: Distinct columns: derived from the indices, checked against what
LAMMPS computes.
"""

import numpy as np
from helpers.samples import QUADRATIC

from snap_al.descriptors import (
    Columns,
    DescriptorEngine,
    ReferencePotential,
    SnapSettings,
    component_names,
)
from snap_al.descriptors.columns import bispectrum_indices


def test_number_of_components_is_lammps_own():
    # https://docs.lammps.org/compute_sna_atom.html lists K for 2J = 0, 2, 4, 6, 8
    assert [len(bispectrum_indices(t)) for t in (0, 2, 4, 6, 8)] == [1, 5, 14, 30, 55]


def test_two_elements_with_chem():
    columns = Columns.of(
        SnapSettings(elements=("In", "P"), twojmax=6, rcutfac=4.0, chemflag=True, bzeroflag=True)
    )
    assert (columns.n_components, columns.n_all, columns.n_distinct) == (240, 480, 376)


def test_columns_held_equal_are_equal_and_no_others(engine, alloy):
    """Against LAMMPS' numbers: within a set all columns agree; the firsts of all sets differ."""
    raw, _ = engine._compute(alloy)
    columns, k = engine.columns, engine.columns.n_components
    offset = int(columns.has_constant)
    for element in range(2):
        values = raw[:, element * k : (element + 1) * k]
        block = columns.distinct_of[columns.block(element)][offset:]
        scale = np.abs(values).max(axis=0)
        for i in range(k):
            for j in range(i):
                same = np.allclose(values[:, i], values[:, j], rtol=0, atol=1e-11 * scale[i])
                assert same == (block[i] == block[j]), (component_names(engine.settings)[i], i, j)


def test_spreading_keeps_predictions(engine, alloy):
    columns = engine.columns
    rng = np.random.default_rng(0)
    distinct = rng.standard_normal(columns.n_distinct)
    all_rows = rng.standard_normal((5, columns.n_distinct))[:, columns.distinct_of]
    np.testing.assert_allclose(
        all_rows @ (columns.spread @ distinct),
        columns.keep_distinct(all_rows) @ distinct,
        rtol=1e-12,
    )


def test_each_element_its_own_twojmax(alloy):
    """Columns above an element's twojmax are not fitted; the others are those of the largest
    twojmax.
    """
    whole = SnapSettings(elements=("Cu", "Ag"), twojmax=6, rcutfac=4.5)
    mixed = whole.model_copy(update={"twojmax": (6, 2)})
    columns = Columns.of(mixed)
    assert (columns.n_all, columns.n_distinct) == (62, 31 + 1 + 5)
    with (
        DescriptorEngine(whole, ReferencePotential()) as one,
        DescriptorEngine(mixed, ReferencePotential()) as other,
    ):
        expected = one.rows(alloy).values[:, columns.distinct_of >= 0]
        np.testing.assert_array_equal(other.rows(alloy).values, expected)
    assert (columns.spread.sum(axis=1) == (columns.distinct_of >= 0)).all()
    quadratic = QUADRATIC.model_copy(update={"twojmax": (2, 0)})
    assert Columns.of(quadratic).n_distinct == 1 + 5 + 15 + 1 + 1 + 1


def test_gathering_undoes_spreading(engine):
    columns = engine.columns
    distinct = np.random.default_rng(0).standard_normal(columns.n_distinct)
    np.testing.assert_allclose(columns.gathered(columns.spread @ distinct), distinct, rtol=1e-14)
