"""snap_al.potential.network: Files for `mliap model nn`: what LAMMPS reads as something else, or
takes without a word, is an error that names the place.
"""

import re
from dataclasses import replace

import numpy as np
import pytest
from helpers.networks import in_lammps, network_of
from helpers.samples import CHEM, COPPER, INNER, PLAIN
from unit.test_network import SMALL, alloy

from snap_al.errors import InputError
from snap_al.potential.network import read_descriptor, read_nn
from snap_al.potential.network.descriptor_file import descriptor_text
from snap_al.potential.network.skip import check_tied


def file_of(settings, sizes=(3, 2)):
    model = network_of(settings, alloy(settings.elements), sizes)
    rng = np.random.default_rng(1)
    return model.nn_file(rng.standard_normal(model.columns.n_distinct))


def test_numbers_read_back_bit_for_bit(tmp_path):
    file = file_of(SMALL)
    path = tmp_path / "a.nn"
    path.write_text(file.text())
    again = read_nn(path)
    assert again.activations == file.activations == ("tanh", "tanh", "linear")
    for one, other in zip(file.elements, again.elements, strict=True):
        for name in ("means", "stds"):
            assert np.array_equal(getattr(one, name), getattr(other, name))
        for name in ("weights", "biases"):
            pairs = zip(getattr(one, name), getattr(other, name), strict=True)
            assert all(np.array_equal(a, b) for a, b in pairs)
    assert again.text() == file.text()
    check_tied(again, SMALL, "a.nn")
    assert max(map(len, file.text().split("\n"))) < 1023
    assert max(len(line.split()) for line in file.text().split("\n")[3:]) <= 30


FAULTS = {
    "an activation": ("tanh 4 tanh", "tanh 4 softplus", "line 3: activation 'softplus', which"),
    "two outputs": ("linear 1", "linear 2", "line 3: the last layer has 2 nodes"),
    "parameters": (r"\A(.*\n)1 \d+", r"\g<1>1 7", "line 3: .*and the first line says 7"),
    "elements": (r"\A(.*\n)1 ", r"\g<1>2 ", "ends before means 1 to 14; it is cut"),
    "no elements": (r"\A(.*\n)1 ", r"\g<1>none ", "line 2: number of elements is 'none'"),
    "layers": ("NET 14 3", "NET 14 4", "line 3: 6 words for 4 layers, expected 8"),
    "no NET": ("NET", "LAYERS", "line 3: 'LAYERS 14 3"),
    "a word": (r"(NET.*\n)\S+", r"\1one", "line 4: 'one' among the means is no number"),
    "infinite": (r"(NET.*\n.*\n)\S+", r"\1inf", "line 5: 'inf' among the stds is not finite"),
    "zero": (r"(NET.*\n.*\n)\S+", r"\g<1>0.0", "line 5: std 1 of 14 is 0"),
    "a group goes on": (r"(NET.*\n.*)\n", r"\1 ", "line 4: 28 means, expected 14; they must end"),
    "31 numbers": (r"(NET.*\n.*\n.*\n)", r"\g<1>" + 31 * "0 ", r"line 6: 61 numbers; LAMMPS"),
    "a long line": (r"(NET.*)\n", r"\1" + " " * 1100 + "\n", r"line 3: \d+ characters; LAMMPS"),
    "too many": (r"\Z", "1.0\n", r"line \d+: '1.0' after the last of 1 elements"),
    "cut": (r"\S+\s*\Z", "", r"ends before parameters \d+ to \d+; it is cut or not complete"),
}


@pytest.fixture(scope="module")
def copper_text():
    return file_of(COPPER).text()


@pytest.mark.parametrize("fault", FAULTS)
def test_what_lammps_does_not_check(fault, copper_text, tmp_path):
    pattern, by, said = FAULTS[fault]
    path = tmp_path / "a.nn"
    broken = re.sub(pattern, by, copper_text, count=1)
    assert broken != copper_text
    path.write_text(broken)
    with pytest.raises(InputError, match=rf"a\.nn(, |: ){said}"):
        read_nn(path)


def test_cut_anywhere(copper_text, tmp_path):
    """Where the cut is inside a number, what is left of it is one as well."""
    path, end = tmp_path / "a.nn", len(copper_text.rstrip().rsplit(" ", 1)[0])
    for size in np.random.default_rng(0).integers(0, end, 20):
        path.write_text(copper_text[:size])
        with pytest.raises(InputError, match=r"a\.nn"):
            read_nn(path)


def test_untied_weights_give_wrong_forces(tmp_path):
    """Of equal components. LAMMPS' energy is the same function of positions as before; its forces
    are not that function's derivatives."""
    atoms, file = alloy(), file_of(CHEM)
    network = file.elements[0]
    first = network.weights[0].copy()
    shift = np.random.default_rng(2).standard_normal(first.shape) * np.abs(first).max()
    equal = equal_components(CHEM)
    for a, b in equal:
        first[:, a] += shift[:, a]
        first[:, b] -= shift[:, a]
    untied = replace(network, weights=(first, *network.weights[1:]))
    broken = replace(file, elements=(untied, *file.elements[1:]))
    with pytest.raises(InputError, match=r"a: Cu: components \d+ and \d+ are equal"):
        check_tied(broken, CHEM, "a")
    (tmp_path / "a.descriptor").write_text(descriptor_text(CHEM))
    lines = ["pair_style mliap model nn a.nn descriptor sna a.descriptor", "pair_coeff * * Cu Ag"]
    found = []
    for each in (file, broken):
        (tmp_path / "a.nn").write_text(each.text())
        found.append(in_lammps(atoms, ["Cu", "Ag"], lines, tmp_path))
    assert found[1][0] == pytest.approx(found[0][0], abs=1e-6)
    off = np.abs(found[1][1] - found[0][1]).max()
    assert off > 0.05 * np.abs(found[0][1]).max()


def equal_components(settings):
    """Pairs of components that are equal."""
    from snap_al.potential.network.skip import shares_of_equal

    shares, which = shares_of_equal(settings)
    pairs = []
    for k in np.flatnonzero(shares[0] < 1):
        others = np.flatnonzero(which == which[k])
        if others[0] == k:
            pairs.append((k, others[1]))
    return pairs


@pytest.mark.parametrize("settings", [CHEM, PLAIN, INNER, COPPER])
def test_descriptor_reads_back(settings, tmp_path):
    path = tmp_path / "a.descriptor"
    path.write_text(descriptor_text(settings))
    assert read_descriptor(path).compute_arguments() == settings.compute_arguments()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("twojmax 4", "twojmax 4 2", "line 3: twojmax has 2 values, expected one"),
        ("switchflag 1", "quadraticflag 1", "LAMMPS does not know 'quadraticflag'"),
        ("switchflag 1", "switchflag yes", "switchflag is 'yes', expected 0 or 1"),
        ("elems Cu Ag", "elems Cu", "elems has 1 values for 2"),
        ("nelems 2\n", "", "nelems must come before elems"),
        ("welems 1.0 0.8\n", "", "no welems; the file is cut"),
        ("rfac0 0.99363", "rfac0 high", "'high' is no number"),
        ("rfac0 0.99363", "rfac0 3.0", "rfac0: .*found 3.0"),
        ("rmin0 0.0", "twojmax 4", "twojmax is there twice"),
        ("chemflag 1", "switchinnerflag 1", "belong together"),
    ],
)
def test_a_descriptor_with_a_fault(old, new, said, tmp_path):
    path = tmp_path / "a.descriptor"
    assert old in descriptor_text(CHEM)
    path.write_text(descriptor_text(CHEM).replace(old, new, 1))
    with pytest.raises(InputError, match=said):
        read_descriptor(path)
