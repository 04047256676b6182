"""snap_al.data.readers: Files are read to their end, or the error says where reading stopped; and
how much of them is used.
"""

import bz2
import gzip
import json
import lzma
from dataclasses import replace

import ase.db
import ase.io
import numpy as np
import pytest
from helpers.samples import rattled_copper

from snap_al.config.load import load_config
from snap_al.data import LabelledConfiguration, Weights
from snap_al.data.counts import ReadCount, count, without_left_out
from snap_al.data.label_units import LabelUnits
from snap_al.data.readers import FileOptions, read_configurations, read_file
from snap_al.errors import InputError
from snap_al.fitsnap import read_json, write_json
from snap_al.loop import read_inputs

ELEMENTS = ("Cu",)
FRAMES = [rattled_copper(k, repeat=1) for k in range(3)]


@pytest.fixture
def text(tmp_path):
    """Three frames of four atoms."""
    ase.io.write(tmp_path / "whole.extxyz", [c.to_atoms() for c in FRAMES], format="extxyz")
    return (tmp_path / "whole.extxyz").read_text()


def read(path, text, *, lenient=False, **options):
    path.write_text(text) if isinstance(text, str) else path.write_bytes(text)
    return read_file(path, ELEMENTS, labelled=True, options=FileOptions(**options), lenient=lenient)


def test_cut_at_every_line(tmp_path, text):
    """Never fewer frames without an error that names frame and line, but between two frames, where
    nothing is missing."""
    lines = text.splitlines(keepends=True)
    for n in range(1, len(lines)):
        cut = "".join(lines[:n])
        if n % 6 == 0:
            assert read(tmp_path / "cut.extxyz", cut).frames == n // 6
            continue
        with pytest.raises(InputError, match=rf"cut.extxyz, frame {n // 6}, line {n}: .*"):
            read(tmp_path / "cut.extxyz", cut)
        if n > 6:
            found = read(tmp_path / "cut.extxyz", cut, lenient=True)
            assert len(found.configurations) == n // 6
            assert f"frame {n // 6}, line {n}" in found.left_out[0]


def test_cut_within_the_last_line(tmp_path, text):
    """Also within its last number, where the columns are all there."""
    last = len(text.splitlines()[-1])
    assert read(tmp_path / "cut.extxyz", text[:-1]).frames == 3
    for characters in range(2, last + 1):
        with pytest.raises(InputError, match=r"frame 2, line (17|18)"):
            read(tmp_path / "cut.extxyz", text[:-characters])


@pytest.mark.parametrize("where", [0, 6, 12, 18])
@pytest.mark.parametrize("blank", ["\n", "\n\n\n", "  \t\n", "\r\n"])
def test_empty_lines_between_frames(tmp_path, text, where, blank):
    lines = text.splitlines(keepends=True)
    lines[where:where] = [blank]
    found = read(tmp_path / "a.extxyz", "".join(lines)).configurations
    assert [c.label.energy for c in found] == pytest.approx([c.label.energy for c in FRAMES])


@pytest.mark.parametrize(
    "garbage", ["Cu 0 0 0 0 0 0\n", "# comment\n", "4.5\n", "-1\n", "end of file"]
)
@pytest.mark.parametrize("where", [0, 6, 18])
def test_garbage_between_frames(tmp_path, text, where, garbage):
    lines = text.splitlines(keepends=True)
    lines[where:where] = [garbage]
    with pytest.raises(InputError, match=f"frame {where // 6}, line {where + 1}"):
        read(tmp_path / "a.extxyz", "".join(lines))


def test_a_line_too_few_or_too_many(tmp_path, text):
    lines = text.splitlines(keepends=True)
    with pytest.raises(InputError, match=r"frame 0, line 6: .*1 columns, and Properties"):
        read(tmp_path / "a.extxyz", "".join([*lines[:3], *lines[4:]]))
    with pytest.raises(InputError, match="frame 1, line 7"):
        read(tmp_path / "a.extxyz", "".join([*lines[:3], lines[2], *lines[3:]]))
    lines[3] = lines[3].rstrip() + "  1.0\n"
    with pytest.raises(InputError, match=r"frame 0, line 4: .*8 columns"):
        read(tmp_path / "a.extxyz", "".join(lines))


def test_columns_of_which_nothing_is_said(tmp_path):
    """Labels in a plain XYZ file are not passed over."""
    plain = '1\nenergy=-1.0 Lattice="4 0 0 0 4 0 0 0 4"\nCu 0 0 0 0.1 0.2 0.3\n'
    with pytest.raises(InputError, match=r"frame 0, line 3: .*7 columns, and nothing says"):
        read(tmp_path / "a.xyz", plain)
    assert read_file(tmp_path / "a.xyz", ELEMENTS, labelled=False).frames == 1


def test_keys_in_another_case(tmp_path, text):
    """GPUMD takes them so; without the cell and the columns all would be another structure."""
    other = (
        text.replace("Lattice=", "lattice=")
        .replace("Properties=", "properties=")
        .replace("pbc=", "PBC=")
    )
    found = read(tmp_path / "a.xyz", other).configurations
    for c, truth in zip(found, FRAMES, strict=True):
        np.testing.assert_allclose(c.cell, truth.cell)
        np.testing.assert_allclose(c.label.forces, truth.label.forces, atol=1e-7)


@pytest.mark.parametrize("key", ["stress", "virial"])
def test_six_components_are_in_voigt_order(tmp_path, key):
    """xx yy zz yz xz xy, which ASE's own reader refuses."""
    c = FRAMES[0]
    six = c.label.stress if key == "stress" else -c.volume * c.label.stress
    atoms = c.to_atoms()
    atoms.calc = None
    ase.io.write(tmp_path / "a.extxyz", atoms, format="extxyz")
    text = (
        (tmp_path / "a.extxyz")
        .read_text()
        .replace("pbc=", f'{key}="{" ".join(map(str, six))}" pbc=')
    )
    np.testing.assert_allclose(
        read(tmp_path / "a.extxyz", text).configurations[0].label.stress, c.label.stress
    )


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_compressed_files(tmp_path, text, compress):
    data = compress(text.encode())
    assert read(tmp_path / "a.extxyz", data, format="extxyz").frames == 3
    with pytest.raises(InputError, match=r"cut off|damaged"):
        read(tmp_path / "a.extxyz", data[: len(data) // 2], format="extxyz")


def test_other_formats_that_are_cut_off(tmp_path):
    path = tmp_path / "a.traj"
    with ase.io.Trajectory(path, "w") as trajectory:
        for c in FRAMES:
            trajectory.write(c.to_atoms())
    data = path.read_bytes()
    assert read(path, data).frames == 3
    for size in range(200, len(data), 211):
        with pytest.raises(InputError):
            read(path, data[:size])
    dump = "".join(
        f"ITEM: TIMESTEP\n{n}\nITEM: NUMBER OF ATOMS\n1\nITEM: BOX BOUNDS pp pp pp\n0 4\n0 4\n0 4\n"
        "ITEM: ATOMS id type x y z fx fy fz\n1 29 0.1 0 0 0.1 0.2 0.3\n"
        for n in range(3)
    )
    assert read(tmp_path / "a.dump", dump, format="lammps-dump-text").frames == 3
    lines = dump.splitlines(keepends=True)
    for n in range(21, 30):
        with pytest.raises(InputError, match=r"dump(, frame 2)?: "):
            read(tmp_path / "a.dump", "".join(lines[:n]), format="lammps-dump-text")


def test_names_with_an_at_sign(tmp_path, text):
    """Which ASE takes for numbers of frames."""
    path = tmp_path / "a@1.traj"
    with ase.io.Trajectory(path, "w") as trajectory:
        for c in FRAMES:
            trajectory.write(c.to_atoms())
    assert read_file(path, ELEMENTS, labelled=True).frames == 3


FIT = "descriptor: {elements: [Cu], twojmax: 2, rcutfac: 4}\n"


@pytest.fixture
def folder(tmp_path):
    """FitSNAP JSON, some of it in a group's folder."""
    (tmp_path / "JSON" / "warm").mkdir(parents=True)
    for k, c in enumerate(FRAMES):
        place = tmp_path / "JSON" / "warm" if k == 2 else tmp_path / "JSON"
        (place / f"{k}.json").write_text(write_json(c))
    (tmp_path / "one.yaml").write_text(FIT + "training: [{path: JSON/0.json, vweight: 1}]\n")
    (tmp_path / "all.yaml").write_text(FIT + "training: [{path: JSON, vweight: 1}]\n")
    return tmp_path


def test_fitsnap_json_as_training(folder):
    for name, expected in (("one", FRAMES[:1]), ("all", FRAMES)):
        inputs = read_inputs(load_config(folder / f"{name}.yaml"))
        assert len(inputs.training) == len(expected)
        for item, truth in zip(inputs.training, expected, strict=True):
            label = item.configuration.label
            assert label.energy == pytest.approx(truth.label.energy)
            np.testing.assert_allclose(label.stress, truth.label.stress, rtol=1e-9)
        assert inputs.digests["training.0.path"]
    assert [item.group for item in inputs.training] == ["JSON", "JSON", "warm"]
    assert inputs.read[0].frames == 3


def test_a_folder_without_fitsnap_json(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(InputError, match="a: is a folder without FitSNAP JSON files"):
        read_configurations(tmp_path / "a", ELEMENTS, labelled=True)


def test_what_fitsnap_json_says_itself(folder):
    path = folder / "JSON" / "0.json"
    with pytest.raises(InputError, match="names its labels and units itself"):
        read_file(
            path, ELEMENTS, labelled=True, options=FileOptions(units=LabelUnits(stress="GPa"))
        )
    content = json.loads(path.read_text())
    content["Dataset"]["Data"][0]["Virial"] = content["Dataset"]["Data"][0].pop("Stress")
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match="Virial looks like a label"):
        read_configurations(path, ELEMENTS, labelled=True)


def test_counts():
    items = [LabelledConfiguration(c, Weights(100, 1, 0), source="a") for c in FRAMES]
    items.append(
        replace(
            items[0], configuration=replace(FRAMES[0], core=np.array([True, False, False, False]))
        )
    )
    found = count("training", "a", 5, items, ["MACE_energy"])
    assert found == ReadCount("training", "a", 5, 4, 13, 0, ("stresses",), ("MACE_energy",))
    first, second, third = found.described()
    assert "5 frames" in first
    assert "energies of 4, forces on 13 atoms, stresses of 0" in first
    assert "stresses" in second
    assert "vweight, is 0" in second
    assert "MACE_energy" in third
    hostile = ReadCount("test", "a", 1, unread=("\x1b[2J_energy",)).described()
    assert all(line.isprintable() for line in hostile)
    (fewer,) = without_left_out([found], {"training": items[:2], "test": []})
    assert (fewer.energies, fewer.forces, fewer.frames) == (2, 8, 5)


def test_counts_of_a_config(tmp_path):
    """Of training and test files, lenient too, where a frame cannot be used."""
    frames = [c.to_atoms() for c in FRAMES]
    ase.io.write(tmp_path / "a.extxyz", frames, format="extxyz")
    frames[1].calc.results.pop("stress")
    frames[2].symbols[0] = "Au"
    ase.io.write(tmp_path / "b.extxyz", frames, format="extxyz")
    (tmp_path / "c.yaml").write_text(FIT + "training: [{path: a.extxyz}]\ntest: b.extxyz\n")
    config = load_config(tmp_path / "c.yaml")
    with pytest.raises(InputError, match=r"b.extxyz, frame 2: element Au"):
        read_inputs(config)
    training, test = read_inputs(config, strict=False).read
    assert (training.frames, training.energies, training.forces, training.stresses) == (3, 3, 12, 0)
    assert training.weightless == ("stresses",)
    assert (test.set, test.frames, test.energies, test.forces, test.stresses) == (
        "test",
        3,
        2,
        8,
        1,
    )
    assert test.weightless == ()


def test_a_file_in_two_entries_is_counted_in_each(tmp_path):
    """With the weights of each; and again where some of it could not be computed."""
    ase.io.write(tmp_path / "a.extxyz", [c.to_atoms() for c in FRAMES], format="extxyz")
    entries = "[{path: a.extxyz, group: one}, {path: a.extxyz, group: two, eweight: 0}]"
    (tmp_path / "c.yaml").write_text(FIT + f"training: {entries}\n")
    inputs = read_inputs(load_config(tmp_path / "c.yaml"), checked=False)
    everything = {"training": inputs.training, "test": []}
    for one, two in (inputs.read, without_left_out(inputs.read, everything)):
        assert (one.entry, one.energies, one.forces) == ("training.0", 3, 12)
        assert (two.entry, two.energies, two.forces) == ("training.1", 0, 12)
        assert two.weightless == ("energies", "stresses")
    first, second, _ = two.described()
    assert "a.extxyz (training.1): 3 frames; used: energies of 0, forces on 12" in first
    assert "a.extxyz (training.1): has energies" in second
    kept = {"training": inputs.training[1:], "test": []}
    one, two = without_left_out(inputs.read, kept)
    assert (one.energies, one.forces, two.forces) == (2, 8, 12)


def test_databases_keep_what_rows_carry(tmp_path):
    """Key-value pairs and data, labels among them, of both kinds of database."""
    atoms = FRAMES[0].to_atoms()
    atoms.calc = None
    for name in ("a.db", "a.json"):
        with ase.db.connect(tmp_path / name) as database:
            pairs = {"dft_energy": 1.5, "config_type": "warm"}
            database.write(
                atoms, key_value_pairs=pairs, data={"dft_forces": np.ones((4, 3)), "note": {"a": 1}}
            )
        found = read_file(tmp_path / name, ELEMENTS, labelled=True)
        assert found.configurations[0].label.energy == 1.5
        assert found.configurations[0].group == "warm"
        assert found.atoms[0].info["note"] == {"a": 1}


@pytest.mark.parametrize(
    ("kind", "value"),
    [("energy", 1e300), ("forces", -1e160), ("stress", 1e250)],
    ids=["energy", "forces", "stress"],
)
def test_labels_that_cannot_be_squared_are_refused(tmp_path, kind, value):
    atoms = rattled_copper(0, repeat=1).to_atoms()
    atoms.calc.results[kind] = np.full(np.shape(atoms.calc.results[kind]), value)
    ase.io.write(tmp_path / "x.traj", atoms)
    with pytest.raises(InputError, match=f"frame 0: {kind} is as large as"):
        read_configurations(tmp_path / "x.traj", ("Cu",), labelled=True)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 200_000,
        '{"Dataset": 1, "Dataset": 2}',
        "{" + '"Dataset": {"Data": [{"Energy": 1' + "0" * 400 + "}]}}",
    ],
)
def test_fitsnap_json_made_to_do_harm_is_refused(tmp_path, text):
    (tmp_path / "x.json").write_text("{" + '"a": ' + text + "}" if text.startswith("[") else text)
    with pytest.raises(InputError, match="no FitSNAP JSON"):
        read_json(tmp_path / "x.json")
