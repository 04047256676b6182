"""snap_al.data.label_names: Every name under which a file may hold a label: read with the right
meaning and sign, or refused by that name.
"""

import ase.db
import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.db.core import reserved_keys
from ase.stress import voigt_6_to_full_3x3_stress
from helpers.calls import ROOT
from helpers.samples import rattled_copper
from hypothesis import given, settings
from hypothesis import strategies as st

from snap_al.config.load import load_config
from snap_al.data.configuration import Configuration, Label
from snap_al.data.label_names import NAMES, PREFIXES, LabelKeys
from snap_al.data.label_units import LabelUnits
from snap_al.data.readers import FileOptions, read_file
from snap_al.data.reading_labels import labels_of
from snap_al.errors import InputError
from snap_al.loop import read_inputs

TRUTH = rattled_copper(5, repeat=1)
LABEL = TRUTH.label
VIRIAL = -TRUTH.volume * LABEL.stress
ELEMENTS = ("Cu",)
FORMATS = ("extxyz", "db", "json", "traj")


def bare():
    atoms = TRUTH.to_atoms()
    atoms.calc = None
    return atoms


def put(atoms, name, kind=None, place="info"):
    """The truth under a name; kind: what it is, where the name does not say."""
    kind = kind or (NAMES[name].kind if not NAMES[name].virial else "virial")
    if kind == "energy":
        atoms.info[name] = LABEL.energy
    elif kind == "forces" and place == "arrays":
        atoms.arrays[name] = LABEL.forces.copy()
    elif kind == "forces":
        atoms.info[name] = LABEL.forces.ravel()
    else:
        six = LABEL.stress if kind == "stress" else VIRIAL
        atoms.info[name] = voigt_6_to_full_3x3_stress(six).ravel() if place == "nine" else six
    return atoms


def written(folder, frames, format):
    """As programs write them: a database has arrays among its data, the others as ASE has it."""
    path = folder / f"frames.{format}"
    if format in ("db", "json"):
        with ase.db.connect(path) as database:
            for atoms in frames:
                plain = atoms.copy()
                known = ("numbers", "positions")
                numbers = {
                    k: v
                    for k, v in atoms.info.items()
                    if np.ndim(v) == 0 and k not in reserved_keys
                }
                everything = {**atoms.info, **atoms.arrays}
                arrays = {
                    k: v for k, v in everything.items() if k not in numbers and k not in known
                }
                plain.info, plain.arrays = {}, {k: plain.arrays[k] for k in known}
                plain.calc = atoms.calc
                database.write(plain, key_value_pairs=numbers, data=arrays)
        return path
    copies = [a.copy() for a in frames]
    for copy, atoms in zip(copies, frames, strict=True):
        copy.calc = atoms.calc
        for name in (
            [n for n in copy.arrays if n not in ("numbers", "positions")]
            if format == "traj"
            else ()
        ):
            copy.info[name] = copy.arrays.pop(
                name
            )  # ASE's trajectories have no columns of other names
        for name, value in copy.info.items():
            if format == "extxyz" and name in ("stress", "virial") and np.size(value) == 9:
                copy.info[name] = np.reshape(value, (3, 3))
    ase.io.write(path, copies, format=format)
    return path


def read(path, **options):
    return read_file(path, ELEMENTS, labelled=True, options=FileOptions(**options))


def assert_label(label, *kinds, atol=1e-7):
    for kind in ("energy", "forces", "stress"):
        value = getattr(label, kind)
        if kind not in kinds:
            assert value is None, kind
        else:
            np.testing.assert_allclose(value, getattr(LABEL, kind), atol=atol)


def spellings():
    for name, entry in NAMES.items():
        for prefix in ("", *PREFIXES):
            for spelled in dict.fromkeys(
                [
                    prefix + name,
                    (prefix + name).upper(),
                    prefix.upper() + name,
                    (prefix + name).title(),
                ]
            ):
                yield spelled, entry


def places_of(entry):
    return {"energy": ["info"], "forces": ["info", "arrays"], "stress": ["six", "nine"]}[entry.kind]


@pytest.mark.parametrize("format", FORMATS)
def test_every_spelling_in_every_place_of_every_format(tmp_path, format):
    """One frame in one file each would take minutes: the names are read from Atoms, and the formats
    with a few of them."""
    for spelled, entry in spellings():
        for place in places_of(entry):
            atoms = put(bare(), spelled, "virial" if entry.virial else entry.kind, place)
            found = labels_of(atoms, "here")
            assert_label(found.label, entry.kind)
            assert not found.unread
    for number, spelled in enumerate(
        ["energy", "Energy", "energies", "REF_energy", "dft_energy", "DFT_energy"]
    ):
        (tmp_path / str(number)).mkdir()
        path = written(tmp_path / str(number), [put(bare(), spelled, "energy")], format)
        assert_label(read(path).configurations[0].label, "energy")


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    "names",
    [
        ("energy", "force", "virial"),  # GPUMD
        ("dft_energy", "dft_force", "dft_virial"),  # QUIP
        ("REF_energy", "REF_forces", "REF_stress"),  # MACE
        ("REF_energy", "REF_forces", "REF_virials"),
        ("energies", "forces", "virials"),  # dpdata
        ("Energy", "Forces", "Stress"),
    ],
)
@pytest.mark.parametrize("place", ["six", "nine"])
def test_families_in_files(tmp_path, format, names, place):
    atoms = bare()
    for name, kind in zip(
        names,
        ("energy", "forces", "virial" if "vir" in names[2].lower() else "stress"),
        strict=True,
    ):
        put(atoms, name, kind, "arrays" if kind == "forces" else place)
    found = read(written(tmp_path, [atoms, atoms], format))
    assert found.frames == 2
    assert not found.unread
    for configuration in found.configurations:
        assert_label(configuration.label, "energy", "forces", "stress", atol=1e-6)


def test_a_calculators_results(tmp_path):
    """The free energy, of which forces are derivatives, comes first; each atom's share is no
    label."""
    atoms = bare()
    results = {
        "energy": LABEL.energy + 0.1,
        "free_energy": LABEL.energy,
        "forces": LABEL.forces,
        "stress": LABEL.stress,
    }
    atoms.calc = SinglePointCalculator(
        atoms, **results, energies=np.ones(4), stresses=np.ones((4, 6))
    )
    for format in ("traj", "extxyz", "db"):
        found = read(written(tmp_path, [atoms], format))
        assert_label(found.configurations[0].label, "energy", "forces", "stress")
        assert not found.unread
    assert read(tmp_path / "frames.traj", labels=LabelKeys(energy="energy")).configurations[
        0
    ].label.energy == pytest.approx(LABEL.energy + 0.1)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("energy_without_entropy", "energy"),
        ("total_energy", "energy"),
        ("Etot", "energy"),
        ("E0", "energy"),
        ("MACE_energy", "energy"),
        ("gap_energy", "energy"),
        ("energy_per_atom", "energy"),
        ("toten", "energy"),
        ("E", "energy"),
        ("energy_dft", "energy"),
        ("corrected_total_energy", "energy"),
        ("gap_force", "forces"),
        ("forces_xtb", "forces"),
        ("gradient", "forces"),
        ("MACE_forces", "forces"),
        ("virial_stress", "stress"),
        ("my_virial", "stress"),
        ("pressure_tensor", "stress"),
        ("MACE_stress", "stress"),
    ],
)
@pytest.mark.parametrize("format", ["extxyz", "traj"])
def test_names_that_are_not_known_are_refused_by_name(tmp_path, name, kind, format):
    """Alone, and beside labels of the other kinds; `labels:` then reads them."""
    atoms = put(bare(), name, kind, "arrays" if kind == "forces" else "nine")
    with pytest.raises(InputError, match=rf"frame 0: {name} looks like .*labels: {{"):
        read(written(tmp_path, [atoms], format))
    keys = LabelKeys(**{kind: name})
    assert_label(read(tmp_path / f"frames.{format}", labels=keys).configurations[0].label, kind)
    other = {"energy": "forces", "forces": "energy", "stress": "energy"}[kind]
    put(atoms, other, other, "arrays" if other == "forces" else "info")
    with pytest.raises(InputError, match=name):
        read(written(tmp_path, [atoms], format))
    put(atoms, "REF_" + kind, kind, "arrays" if kind == "forces" else "nine")
    put(atoms, "REF_" + other, other, "arrays" if other == "forces" else "info")
    assert read(written(tmp_path, [atoms], format)).unread == [name]


@pytest.mark.parametrize(
    "name",
    [
        "energy_weight",
        "config_energy_weight",
        "energy_sigma",
        "forces_std",
        "kinetic_energy",
        "energy_unit",
    ],
)
def test_names_that_only_speak_of_labels(name):
    atoms = put(bare(), "forces", place="arrays")
    atoms.info[name] = 1.5
    assert_label(labels_of(atoms, "here").label, "forces")


def test_energies_of_atoms_alone_are_refused(tmp_path):
    atoms = bare()
    atoms.arrays["energies"] = np.full(4, LABEL.energy / 4)
    with pytest.raises(InputError, match="energies has a value for each atom"):
        read(written(tmp_path, [atoms], "extxyz"))


@pytest.mark.parametrize("value", ["abc", True, np.ones(3), [[1, 2], [3]], 1j, object()])
def test_what_is_no_energy(value):
    atoms = bare()
    atoms.info["REF_energy"] = value
    with pytest.raises(InputError, match="here: REF_energy"):
        labels_of(atoms, "here")


def test_families_that_disagree(tmp_path):
    atoms = put(put(bare(), "dft_energy", "energy"), "dft_force", "forces", "arrays")
    atoms.info["energy"] = LABEL.energy - 1.0
    with pytest.raises(
        InputError,
        match=r"frame 0: energy and dft_energy disagree .*energy: dft_energy, forces: dft_force",
    ):
        read(written(tmp_path, [atoms], "extxyz"))
    keys = LabelKeys(energy="dft_energy", forces="dft_force")
    assert_label(
        read(tmp_path / "frames.extxyz", labels=keys).configurations[0].label, "energy", "forces"
    )
    atoms.info["energy"] = LABEL.energy
    assert_label(
        read(written(tmp_path, [atoms], "extxyz")).configurations[0].label, "energy", "forces"
    )


def test_families_that_cannot_be_compared(tmp_path):
    atoms = put(put(bare(), "energy"), "REF_forces", "forces", "arrays")
    with pytest.raises(
        InputError, match=r"frame 0: labels of two kinds of names, energy and REF_forces"
    ):
        read(written(tmp_path, [atoms], "extxyz"))


def test_names_of_one_family_that_disagree():
    atoms = put(put(bare(), "stress"), "virial")
    assert_label(labels_of(atoms, "here").label, "stress")
    atoms.info["virial"] = -atoms.info["virial"]
    with pytest.raises(InputError, match="here: stress and virial disagree"):
        labels_of(atoms, "here")
    atoms = put(put(bare(), "energy"), "Energy", "energy")
    atoms.info["Energy"] += 0.01
    with pytest.raises(InputError, match="energy and Energy disagree"):
        labels_of(atoms, "here")


def test_all_frames_of_a_file_use_one_family(tmp_path):
    frames = [put(bare(), name, "energy") for name in ("REF_energy", "REF_energy", "dft_energy")]
    with pytest.raises(
        InputError, match=r"frame 2: has dft_energy, and the frames before it REF_energy"
    ):
        read(written(tmp_path, frames, "extxyz"))
    for frame in frames[:2]:
        put(frame, "dft_energy", "energy")
    assert len(read(written(tmp_path, frames, "extxyz")).configurations) == 3


def test_a_virial_needs_a_volume():
    atoms = put(bare(), "virial")
    atoms.cell[2] = 0.0
    with pytest.raises(InputError, match=r"virial .* no volume"):
        labels_of(atoms, "here")


def test_units_of_a_virial(tmp_path):
    """It is an energy, whatever the unit of stress; the volume is in the file's length."""
    from ase import units

    atoms = bare()
    atoms.info |= {"energy": LABEL.energy / units.Ry, "virial": VIRIAL / units.Ry}
    atoms.set_cell(atoms.cell.array / units.Bohr)
    atoms.positions /= units.Bohr
    stated = LabelUnits(energy="Ry", length="Bohr", stress="kbar", stress_sign="pressure")
    found = read(written(tmp_path, [atoms], "extxyz"), units=stated)
    assert_label(found.configurations[0].label, "energy", "stress")
    np.testing.assert_allclose(found.configurations[0].positions, TRUTH.positions, atol=1e-7)


FIT = (
    "descriptor: {{elements: [Cu], twojmax: 2, rcutfac: 4}}\ntraining: [{{path: "
    "frames.extxyz{}}}]\ntest: {}\n"
)


def test_labels_of_configs(tmp_path):
    """In training entries and in test entries; `format:` too."""
    atoms = put(put(bare(), "my_energy", "energy"), "my_virial", "virial", "nine")
    written(tmp_path, [atoms], "extxyz").rename(tmp_path / "frames.extxyz")
    (tmp_path / "data.txt").write_text((tmp_path / "frames.extxyz").read_text())
    keys = "labels: {energy: my_energy, virial: my_virial}"
    config = tmp_path / "fit.yaml"
    config.write_text(FIT.format(f", {keys}", f"[{{path: data.txt, format: extxyz, {keys}}}]"))
    inputs = read_inputs(load_config(config))
    for item in (*inputs.training, *inputs.test):
        assert_label(item.configuration.label, "energy", "stress")
    config.write_text(FIT.format(", labels: {energy: my_energies}", "[]"))
    with pytest.raises(InputError, match=r"no frame has 'my_energies'.*did you mean 'my_energy'"):
        read_inputs(load_config(config))
    for wrong, said in [
        (", labels: {force: x}", "training.0.labels.force: unknown key; did you mean 'forces'"),
        (", labels: {stress: x, virial: y}", "name stress or virial, not both"),
        (", labels: {}", "name at least one"),
        (", format: extxy", "'extxy' is no format that ASE reads; did you mean 'extxyz'"),
    ]:
        config.write_text(FIT.format(wrong, "[]"))
        with pytest.raises(InputError, match=said):
            load_config(config)


def test_a_tuned_config_reads_the_same_labels(tmp_path):
    """Its paths are absolute, and the rest of an entry stays."""
    from snap_al.config.tuned import tuned_text

    entry = "{path: frames.extxyz, labels: {energy: my_energy}}"
    (tmp_path / "fit.yaml").write_text(
        FIT.format(", labels: {energy: my_energy}", f"[frames.extxyz, {entry}]")
    )
    before = load_config(tmp_path / "fit.yaml")
    (tmp_path / "elsewhere").mkdir()
    path = tmp_path / "elsewhere" / "tuned.yaml"
    path.write_text(tuned_text(tmp_path / "fit.yaml", before, before.descriptor, {}))
    after = load_config(path)
    assert after.training == before.training
    assert after.test == before.test
    assert after.test[1].labels == LabelKeys(energy="my_energy")


def test_labels_within_a_dictionary():
    atoms = bare()
    atoms.info["dft"] = {"energy": LABEL.energy, "note": "a"}
    with pytest.raises(InputError, match=r"here: dft.energy looks like an energy"):
        labels_of(atoms, "here")
    assert_label(labels_of(atoms, "here", LabelKeys(energy="dft.energy")).label, "energy")


def test_structures_for_a_calculator_have_no_labels():
    """Whatever their info holds, as Atoms with a calculator often do."""
    atoms = put(put(bare(), "energy"), "REF_energy", "energy")
    atoms.info["energy"] += 1.0
    assert Configuration.from_atoms(atoms, label=Label()).label == Label()
    with pytest.raises(InputError, match="these atoms: energy and REF_energy disagree"):
        Configuration.from_atoms(atoms)


def test_labels_of_the_command_line():
    assert LabelKeys.parsed("energy=a, virial=b") == LabelKeys(energy="a", virial="b")
    with pytest.raises(ValueError, match=r"no kind of label 'nergy'; did you mean 'energy'"):
        LabelKeys.parsed("nergy=a")
    for wrong in ("energy", "energy=", "", "mass=a", "stress=a,virial=b"):
        with pytest.raises(ValueError):  # noqa: PT011  pydantic's own is one
            LabelKeys.parsed(wrong)


def test_the_documentation_has_the_whole_table():
    text = (ROOT / "docs" / "labels.md").read_text()
    for name in NAMES:
        assert f"`{name}`" in text, f"docs/labels.md does not say that {name} is read"
    for prefix in PREFIXES:
        assert f"`{prefix.upper()}`" in text or f"`{prefix}`" in text, (
            f"docs/labels.md does not say that {prefix} is read"
        )


@settings(deadline=None, max_examples=60)
@given(
    energy=st.floats(-1e6, 1e6),
    scale=st.floats(1e-3, 1e3),
    prefix=st.sampled_from(["", *PREFIXES]),
    name=st.sampled_from([n for n, e in NAMES.items() if e.kind == "stress"]),
    upper=st.booleans(),
    seed=st.integers(0, 100),
)
def test_what_is_written_under_a_family_is_read_back(energy, scale, prefix, name, upper, seed):
    rng = np.random.default_rng(seed)
    prefix = prefix.upper() if upper else prefix
    forces, stress = scale * rng.standard_normal((4, 3)), 0.01 * scale * rng.standard_normal(6)
    atoms = Atoms("Cu4", rng.uniform(size=(4, 3)), cell=rng.uniform(3, 5, 3), pbc=True)
    atoms.info[f"{prefix}energy"] = energy
    atoms.arrays[f"{prefix}forces"] = forces
    atoms.info[f"{prefix}{name}"] = -stress * atoms.get_volume() if NAMES[name].virial else stress
    label = Configuration.from_atoms(atoms).label
    assert label.energy == energy
    np.testing.assert_array_equal(label.forces, forces)
    np.testing.assert_allclose(label.stress, stress, rtol=1e-12)
