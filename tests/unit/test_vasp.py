"""Trees of OUTCAR files. The text is written here in VASP's layout; ASE reads it."""

import numpy as np
import pytest
from conftest import rattled_copper
from test_deck import DECK

from snap_al.errors import InputError
from snap_al.fitsnap import read_deck, scrape
from snap_al.fitsnap.vasp import read_outcar

KBAR = 0.0006241509125883258
"""eV/Å³ per kbar."""
RULE = " " + "-" * 83


def outcar(configurations, entropy=0.1):
    """energy(sigma->0) is the configuration's energy; TOTEN lies `entropy` below, the energy without entropy above it."""
    c = configurations[0]
    lines = [
        " vasp.6.4.2 20Jul23 (build) complex",
        " INCAR:",
        " POTCAR:    PAW_PBE Cu 01Jan2000",
        "   VRHFIN =Cu: d10 p1",
    ]
    lines += [f"   ions per type = {len(c):16d}", f"   number of ions     NIONS = {len(c):6d}"]
    for step, c in enumerate(configurations, 1):
        xx, yy, zz, yz, xz, xy = -c.label.stress / KBAR
        energy = c.label.energy
        lines += [f"--------------------- Iteration{step:7d}(   1)  ---------------------", RULE]
        lines += ["  in kB   " + "".join(f"{v:14.7f}" for v in (xx, yy, zz, xy, yz, xz))]
        lines += ["      direct lattice vectors                 reciprocal lattice vectors"]
        lines += ["  " + "".join(f"{v:16.10f}" for v in (*row, 0.0, 0.0, 0.0)) for row in c.cell]
        lines += ["", " POSITION                                       TOTAL-FORCE (eV/Angst)", RULE]
        for x, f in zip(c.positions, c.label.forces, strict=True):
            lines.append("".join(f"{v:15.8f}" for v in (*x, *f)))
        lines += [RULE, "  FREE ENERGIE OF THE ION-ELECTRON SYSTEM (eV)", RULE]
        lines += [f"  free  energy   TOTEN  = {energy - entropy:18.8f} eV", ""]
        lines += [f"  energy  without entropy= {energy + entropy:18.8f}  energy(sigma->0) = {energy:18.8f}", ""]
    return "\n".join(lines) + "\n"


@pytest.fixture
def tree(tmp_path):
    """Two OUTCARs at different depths, three steps."""
    steps = [rattled_copper(k, repeat=1) for k in range(3)]
    for place, content in (("warm/a", steps[:2]), ("warm/b/c", steps[2:])):
        folder = tmp_path / "VASP" / place
        folder.mkdir(parents=True)
        (folder / "OUTCAR").write_text(outcar(content))
    text = DECK.replace("scraper = JSON", "scraper = VASP").replace("dataPath = JSON", "dataPath = VASP")
    (tmp_path / "Cu.in").write_text(text.replace("warm = 0.5 0.25", "warm = 1.0 0.0"))
    return tmp_path / "Cu.in", steps


@pytest.mark.parametrize(("total", "shift"), [(True, -0.1), (False, 0.1)])
def test_steps_of_all_files(tree, total, shift):
    deck, steps = tree
    if total:
        deck.write_text(deck.read_text() + "vasp_use_TOTEN = True\n")
    items, left_out = scrape(read_deck(deck))
    assert not left_out
    assert len(items) == 3
    for item, truth in zip(items, steps, strict=True):
        label = item.configuration.label
        assert label.energy == pytest.approx(truth.label.energy + shift + 4 * 0.25, abs=1e-6)  # [ESHIFT] is 0.25 eV
        np.testing.assert_allclose(label.forces, truth.label.forces, atol=1e-7)
        np.testing.assert_allclose(label.stress, truth.label.stress, atol=1e-9)
    assert "OUTCAR, step 2, group warm" in items[1].configuration.name


def test_a_step_that_is_cut_off(tree):
    deck, _ = tree
    path = deck.parent / "VASP" / "warm" / "a" / "OUTCAR"
    path.write_text(path.read_text()[:-600])
    assert len(read_outcar(path, total_energy=True, skip_incomplete=True)) == 1
    with pytest.raises(InputError, match=r"step 2 of this OUTCAR"):
        read_outcar(path, total_energy=True, skip_incomplete=False)
    path.write_text("nothing\n")
    with pytest.raises(InputError, match="OUTCAR"):
        scrape(read_deck(deck))
    items, left_out = scrape(read_deck(deck), strict=False)
    assert len(items) == 1
    assert "OUTCAR" in left_out[0]
    assert "group warm" in left_out[0]


def test_a_group_without_files(tree):
    deck, _ = tree
    deck.write_text(deck.read_text() + "cold = 1.0 0.0 1 1 1\n")
    with pytest.raises(InputError, match=r"\[GROUPS\] cold: no OUTCAR below"):
        scrape(read_deck(deck))
