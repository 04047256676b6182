"""snap_al.data.vasp: OUTCAR and vasprun.xml, in trees of a deck and as files of a config. The text
is written here in VASP's layout; ASE reads the numbers.
"""

import gzip

import numpy as np
import pytest
from helpers.samples import DECK, rattled_copper

from snap_al.config.load import load_config
from snap_al.data.readers import FileOptions, read_file
from snap_al.data.vasp import read_vasp, vasp_format
from snap_al.errors import InputError
from snap_al.fitsnap import read_deck, scrape
from snap_al.fitsnap.vasp import read_outcar
from snap_al.loop import read_inputs

KBAR = 0.0006241509125883258
"""eV/Å³ per kbar."""
RULE = " " + "-" * 83


LOOPS = {
    "reached": (
        "------------------------ aborting loop because EDIFF is reached "
        "----------------------------------------"
    ),
    "not reached": (
        "----------- aborting loop EDIFF was not reached (unconverged)  ------------------"
    ),
    "silent": "",
}
"""How VASP ends the electronic loop; versions before 6 are silent when NELM iterations were not
enough."""


def outcar(configurations, entropy=0.1, loops=None, nelm=60, iterations=1):
    """energy(sigma->0) is the configuration's energy; TOTEN lies `entropy` below, the energy
    without entropy above it. loops: how each step's electronic loop ended, of LOOPS."""
    c = configurations[0]
    lines = [
        " vasp.6.4.2 20Jul23 (build) complex",
        " INCAR:",
        " POTCAR:    PAW_PBE Cu 01Jan2000",
        "   VRHFIN =Cu: d10 p1",
    ]
    lines += [f"   NELM   = {nelm:6d};   NELMIN=  2; NELMDL=-12     # of ELM steps"]
    lines += [f"   ions per type = {len(c):16d}", f"   number of ions     NIONS = {len(c):6d}"]
    for step, c in enumerate(configurations, 1):
        xx, yy, zz, yz, xz, xy = -c.label.stress / KBAR
        energy = c.label.energy
        for n in range(1, iterations + 1):
            lines += [
                f"--------------------- Iteration{step:7d}({n:4d})  ---------------------",
                RULE,
            ]
        lines += [LOOPS["silent" if loops is None else loops[step - 1]]]
        lines += ["  in kB   " + "".join(f"{v:14.7f}" for v in (xx, yy, zz, xy, yz, xz))]
        lines += ["      direct lattice vectors                 reciprocal lattice vectors"]
        lines += ["  " + "".join(f"{v:16.10f}" for v in (*row, 0.0, 0.0, 0.0)) for row in c.cell]
        lines += [
            "",
            " POSITION                                       TOTAL-FORCE (eV/Angst)",
            RULE,
        ]
        for x, f in zip(c.positions, c.label.forces, strict=True):
            lines.append("".join(f"{v:15.8f}" for v in (*x, *f)))
        lines += [RULE, "  FREE ENERGIE OF THE ION-ELECTRON SYSTEM (eV)", RULE]
        lines += [f"  free  energy   TOTEN  = {energy - entropy:18.8f} eV", ""]
        lines += [
            f"  energy  without entropy= {energy + entropy:18.8f}  energy(sigma->0) = "
            f"{energy:18.8f}",
            "",
        ]
    return "\n".join(lines) + "\n"


@pytest.fixture
def tree(tmp_path):
    """Two OUTCARs at different depths, three steps."""
    steps = [rattled_copper(k, repeat=1) for k in range(3)]
    for place, content in (("warm/a", steps[:2]), ("warm/b/c", steps[2:])):
        folder = tmp_path / "VASP" / place
        folder.mkdir(parents=True)
        (folder / "OUTCAR").write_text(outcar(content))
    text = DECK.replace("scraper = JSON", "scraper = VASP").replace(
        "dataPath = JSON", "dataPath = VASP"
    )
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
        assert label.energy == pytest.approx(
            truth.label.energy + shift + 4 * 0.25, abs=1e-6
        )  # [ESHIFT] is 0.25 eV
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


def rows(name, values):
    lines = "".join("<v>" + "".join(f"{x:16.8f}" for x in row) + "</v>\n" for row in values)
    return f'<varray name="{name}">\n{lines}</varray>\n'


def vasprun(configurations, iterations=None, nelm=4, change=1.0):
    """iterations: of each step's electronic loop, the last of which changes the energy by `change`
    eV."""
    c = configurations[0]
    atoms = "".join("<rc><c>Cu</c><c>1</c></rc>\n" for _ in c.species)
    structure = f"<crystal>{rows('basis', c.cell)}</crystal>" + rows(
        "positions", c.positions @ np.linalg.inv(c.cell)
    )
    text = (
        '<?xml version="1.0" encoding="ISO-8859-1"?>\n<modeling>\n<generator><i name="program" '
        'type="string">vasp</i>'
        "</generator>\n"
        + f"<kpoints>{rows('kpointlist', [[0, 0, 0]])}{rows('weights', [[1]])}</kpoints>\n"
        f'<parameters><i type="int" name="NELM">{nelm}</i><i name="EDIFF">0.0001</i></parameters>\n'
        f"<atominfo><atoms>{len(c)}</atoms><array "
        f'name="atoms"><set>{atoms}</set></array></atominfo>\n'
        f'<structure name="initialpos">{structure}</structure>\n'
    )
    for step, c in enumerate(configurations):
        energy, n = c.label.energy, 1 if iterations is None else iterations[step]
        text += "<calculation>\n"
        for k in range(n):
            value = energy + (change if k < n - 1 else 0.0)
            text += (
                f'<scstep><energy><i name="e_fr_energy">{value}</i><i '
                f'name="e_0_energy">{value}</i></energy></scstep>\n'
            )
        scaled = c.positions @ np.linalg.inv(c.cell)
        text += f"<structure><crystal>{rows('basis', c.cell)}</crystal>{rows('positions', scaled)}"
        text += f"</structure>\n{rows('forces', c.label.forces)}"
        xx, yy, zz, yz, xz, xy = -c.label.stress / KBAR
        text += rows("stress", [[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
        text += (
            f'<energy><i name="e_fr_energy">{energy}</i><i '
            f'name="e_0_energy">{energy}</i></energy>\n</calculation>\n'
        )
    return text + "</modeling>\n"


STEPS = [rattled_copper(k, repeat=1) for k in range(3)]
WRITERS = {"vasp-out": lambda: outcar(STEPS, entropy=0.0), "vasp-xml": lambda: vasprun(STEPS)}
UNCONVERGED = {
    "VASP 6": lambda: outcar(STEPS, 0.0, ["reached", "not reached", "reached"]),
    "VASP 5, others converged": lambda: outcar(STEPS, 0.0, ["reached", "silent", "reached"]),
    "vasprun.xml": lambda: vasprun(STEPS, [2, 4, 3]),
}


@pytest.mark.parametrize("format", list(WRITERS))
@pytest.mark.parametrize(
    "name",
    ["OUTCAR.1", "bulk.outcar", "my_run.xml", "vasprun.xml.relax", "frames", "x.gz", "a.extxyz"],
)
def test_any_name_compressed_or_not(tmp_path, format, name):
    """Known by its content."""
    text = WRITERS[format]().encode()
    for content in (text, gzip.compress(text)):
        (tmp_path / name).write_bytes(content)
        found = read_file(tmp_path / name, ("Cu",), labelled=True)
        assert (found.frames, found.left_out, found.unread) == (3, [], [])
        for c, truth in zip(found.configurations, STEPS, strict=True):
            assert c.label.energy == pytest.approx(truth.label.energy, abs=1e-7)
            np.testing.assert_allclose(c.label.forces, truth.label.forces, atol=1e-7)
            np.testing.assert_allclose(c.label.stress, truth.label.stress, atol=1e-9)


@pytest.mark.parametrize("text", list(UNCONVERGED))
def test_steps_that_did_not_converge(tmp_path, text):
    """Left out and named, strict or not; of a deck too."""
    (tmp_path / "run1").write_text(UNCONVERGED[text]())
    for lenient in (False, True):
        found = read_file(tmp_path / "run1", ("Cu",), labelled=True, lenient=lenient)
        energies = [c.label.energy for c in found.configurations]
        assert energies == pytest.approx([STEPS[0].label.energy, STEPS[2].label.energy], abs=1e-7)
        assert len(found.left_out) == 1
        assert "run1, step 2 of 3: the electronic loop did not reach EDIFF" in found.left_out[0]
    (tmp_path / "c.yaml").write_text(
        "descriptor: {elements: [Cu], twojmax: 2, rcutfac: 4}\ntraining: [{path: run1, vweight: "
        "1}]\n"
    )
    structures = read_file(tmp_path / "run1", ("Cu",), labelled=False)
    assert [c.label.energy is None for c in structures.configurations] == [False, True, False]
    inputs = read_inputs(load_config(tmp_path / "c.yaml"))
    assert "run1, step 2 of 3" in inputs.left_out[0]
    assert (inputs.read[0].frames, inputs.read[0].energies, inputs.read[0].stresses) == (3, 2, 2)


def test_a_silent_vasp_5_that_used_all_its_iterations(tmp_path):
    path = tmp_path / "OUTCAR"
    path.write_text(outcar(STEPS, 0.0, nelm=5, iterations=5))
    assert read_vasp(path, "vasp-out").unconverged == (1, 2, 3)
    path.write_text(outcar(STEPS, 0.0, nelm=5, iterations=4))
    assert read_vasp(path, "vasp-out").unconverged == ()


def test_all_iterations_and_converged_at_the_last(tmp_path):
    path = tmp_path / "a.xml"
    path.write_text(vasprun(STEPS, [4, 4, 4], change=1e-6))
    assert read_vasp(path, "vasp-xml").unconverged == ()


def test_unconverged_steps_of_a_deck(tree):
    deck, steps = tree
    path = deck.parent / "VASP" / "warm" / "a" / "OUTCAR"
    path.write_text(outcar(steps[:2], loops=["not reached", "reached"]))
    items, left_out = scrape(read_deck(deck))
    assert len(items) == 2
    assert "step 1 of 2: the electronic loop did not reach EDIFF" in left_out[0]
    assert "group warm" in left_out[0]


@pytest.mark.parametrize("format", list(WRITERS))
@pytest.mark.parametrize("packed", [False, True])
def test_cut_anywhere(tmp_path, format, packed):
    """Never fewer steps without an error, wherever something of a step is missing; lenient, the
    whole ones are used."""
    text = WRITERS[format]()
    ends = [
        n for n in range(len(text)) if text.startswith(("energy(sigma->0)", "</calculation>"), n)
    ]
    path = tmp_path / "run"
    for size in range(len(text) // 20, len(text) - 20, len(text) // 40):
        content = text[:size].encode()
        path.write_bytes(gzip.compress(content) if packed else content)
        whole = sum(end < size for end in ends)
        if format == "vasp-out" and whole and "Iteration" not in text[:size].rsplit("TOTEN", 1)[1]:
            continue  # the file ends between two steps, or in what is not read
        with pytest.raises(InputError, match=r"run.*(cut off|without a finished|cannot be read)"):
            read_file(path, ("Cu",), labelled=True, options=FileOptions(format))
        if whole > 1:
            found = read_file(
                path, ("Cu",), labelled=True, options=FileOptions(format), lenient=True
            )
            assert whole - 1 <= len(found.configurations) <= whole
            assert "run" in found.left_out[0]


def test_a_compressed_file_that_is_cut_off(tmp_path):
    for format, write in WRITERS.items():
        data = gzip.compress(write().encode())
        (tmp_path / "run").write_bytes(data[:-40])
        with pytest.raises(InputError, match=r"cut off|damaged"):
            read_file(tmp_path / "run", ("Cu",), labelled=True, options=FileOptions(format))


def test_what_is_vasps():
    assert vasp_format(outcar(STEPS).encode()) == "vasp-out"
    assert vasp_format(vasprun(STEPS).encode()) == "vasp-xml"
    assert vasp_format(b"4\nvasp.6\n") is None
