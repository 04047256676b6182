"""snap_al.data.readers: Files of other formats than extended XYZ, cut anywhere: the frames that
were written, or an error that says where it stopped.
"""

import gzip

import ase.io
import numpy as np
import pytest
from helpers.samples import rattled_copper

from snap_al.data.readers import read_configurations
from snap_al.errors import InputError

ELEMENTS = ("Cu",)
GPAW_FRAME = """
Positions:
   0 Cu     {x:.6f}    0.000000    0.000000    ( 0.0000,  0.0000,  0.0000)

Unit cell:
           periodic     x           y           z      points  spacing
  1. axis:    yes    4.050000    0.000000    0.000000    21     0.1929
  2. axis:    yes    0.000000    4.050000    0.000000    21     0.1929
  3. axis:    yes    0.000000    0.000000    4.050000    21     0.1929

Energy contributions relative to reference atoms: (reference = -26313.685229)

Kinetic:        +23.028630
--------------------------
Free energy:    {energy:.6f}
Extrapolated:   {energy:.6f}
"""
GPAW_HEADER = """
  ___ ___ ___ _ _ _
 |   |   |_  | | | |
 | | | | | . | | | |
 |__ |  _|___|_____|  21.1.0
 |___|_|
"""
PWO_HEADER = """
     Program PWSCF v.6.7 starts on  1Jan2024 at  0: 0: 0

     lattice parameter (alat)  =       7.0000  a.u.
     number of atoms/cell      =            1
     number of atomic types    =            1
     celldm(1)=   7.000000  celldm(2)=   0.000000  celldm(3)=   0.000000

     crystal axes: (cart. coord. in units of alat)
               a(1) = (   1.000000   0.000000   0.000000 )
               a(2) = (   0.000000   1.000000   0.000000 )
               a(3) = (   0.000000   0.000000   1.000000 )

   Cartesian axes

     site n.     atom                  positions (alat units)
         1           Cu  tau(   1) = (   0.0000000   0.0000000   0.0000000  )

"""
PWO_RESULTS = """
!    total energy              =   {energy:.8f} Ry

     Forces acting on atoms (cartesian axes, Ry/au):

     atom    1 type  1   force =     0.01234567    0.01234567    0.01234567

     Total force =     0.000000     Total SCF correction =     0.000000

"""
PWO_POSITIONS = """
ATOMIC_POSITIONS (angstrom)
Cu            {x:.9f}        0.0000000000        0.0000000000

"""


def gpaw():
    frames = [GPAW_FRAME.format(x=0.1 * k, energy=-10.123456 - k) for k in range(4)]
    return GPAW_HEADER + "".join(frames)


def pwo():
    parts = [PWO_HEADER, PWO_RESULTS.format(energy=-100.12345678)]
    for k in range(1, 4):
        parts += [PWO_POSITIONS.format(x=0.1 * k), PWO_RESULTS.format(energy=-100.12345678 - k)]
    return "".join(parts) + "\n=---------=\n   JOB DONE.\n=---------=\n"


def written(path):
    """The whole content of a file of this name."""
    texts = {"a.txt": gpaw, "a.pwo": pwo}
    if path.name in texts:
        return texts[path.name]().encode()
    ase.io.write(path, [rattled_copper(k, repeat=1).to_atoms() for k in range(8)])
    return path.read_bytes()


def contents(found):
    labels = [(c.label.energy, np.asarray(c.label.forces).tolist()) for c in found]
    return [(c.positions.tolist(), label) for c, label in zip(found, labels, strict=True)]


def read(path, problems=None):
    return contents(read_configurations(path, ELEMENTS, labelled=True, problems=problems))


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("name", ["a.traj", "a.json", "a.db", "a.txt", "a.pwo"])
def test_cut_anywhere(tmp_path, name, compress):
    """At each fortieth of the file: an error; and, if lenient, whole frames alone."""
    data = written(tmp_path / name)
    (tmp_path / name).write_bytes(data)
    expected = read(tmp_path / name)
    assert len(expected) == (4 if name in ("a.txt", "a.pwo") else 8)
    data = gzip.compress(data, mtime=0) if compress else data
    path = tmp_path / (f"cut.{name}.gz" if compress else f"cut.{name}")
    for part in range(1, 40):
        path.write_bytes(data[: len(data) * part // 40])
        with pytest.raises(InputError, match=path.name):
            read(path)
        problems: list[str] = []
        try:
            found = read(path, problems)
        except InputError:
            continue
        assert found == expected[: len(found)]
        assert problems


def test_where_it_is_cut_is_said(tmp_path):
    text = pwo()
    lines = text.splitlines()
    path = tmp_path / "a.pwo"
    path.write_text(text[:-120])
    with pytest.raises(InputError, match=r"a.pwo, frame 3: is cut off within line \d+"):
        read(path)
    path.write_text("\n".join(lines[:-3]) + "\n")
    after = rf"frame 3: is cut off after line {len(lines) - 3}: its run did not come to its end"
    with pytest.raises(InputError, match=after):
        read(path)
    path.write_text(text + "\n".join(lines[:30]) + "\n")
    with pytest.raises(InputError, match="is cut off after"):
        read(path)


def test_compressed_databases_are_refused_by_name(tmp_path):
    (tmp_path / "a.db.gz").write_bytes(gzip.compress(written(tmp_path / "a.db")))
    with pytest.raises(InputError, match=r"a.db.gz: ASE reads no compressed database; decompress"):
        read(tmp_path / "a.db.gz")
