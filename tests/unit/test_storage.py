"""snap_al.data.storage: What is refused before it is opened, because reading it could block or
never end; and `~` in paths.
"""

import os
import socket
from pathlib import Path

import pytest
from helpers.samples import COPPER

from snap_al.cli.app import app
from snap_al.config.load import load_config, read_yaml
from snap_al.data.readers import read_configurations
from snap_al.data.storage import expanded, require_regular_file
from snap_al.errors import InputError
from snap_al.fitsnap import read_deck, read_json
from snap_al.loop import RunDirectory, read_events
from snap_al.potential import FittedPotential, read_snapcoeff


def pipe(folder, name):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(path)
    return path


def device(folder, name):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to("/dev/zero")
    return path


def directory(folder, name):
    (folder / name).mkdir(parents=True)
    return folder / name


READERS = {
    "config": ("c.yaml", read_yaml),
    "deck": ("d.in", read_deck),
    "FitSNAP JSON": ("a.json", read_json),
    "coefficients": ("a.snapcoeff", lambda path: read_snapcoeff(path, COPPER)),
    "potential": ("descriptor.json", lambda path: FittedPotential.read(path.parent)),
    "journal": ("journal.jsonl", read_events),
    "origin of a config": ("config.origin", lambda path: RunDirectory(path.parent).read_origin()),
    "query": ("queries/0.json", lambda path: RunDirectory(path.parents[1]).read_query("0")),
    "frames": ("a.extxyz", lambda path: read_configurations(path, ("Cu",), labelled=True)),
    "database": ("a.db", lambda path: read_configurations(path, ("Cu",), labelled=True)),
    "any other format": ("a.traj", lambda path: read_configurations(path, ("Cu",), labelled=True)),
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("make", [pipe, device, directory])
@pytest.mark.parametrize("reader", list(READERS))
def test_what_may_never_end_is_not_opened(tmp_path, reader, make):
    name, read = READERS[reader]
    path = make(tmp_path, name)
    with pytest.raises(InputError, match=path.name):
        read(path)


def test_kinds_are_named(tmp_path):
    with pytest.raises(InputError, match="a pipe"):
        require_regular_file(pipe(tmp_path, "a"))
    with pytest.raises(InputError, match="a device"):
        require_regular_file(Path("/dev/zero"))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        with pytest.raises(InputError, match="a socket"):
            require_regular_file(tmp_path / "s")


def test_files_links_and_missing_files_pass(tmp_path):
    (tmp_path / "a").write_text("abc")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    for name in ("a", "b", "none"):
        assert require_regular_file(tmp_path / name) == tmp_path / name
    with pytest.raises(InputError, match="has 3 bytes"):
        require_regular_file(tmp_path / "a", largest=2)


def test_home_folders(tmp_path, monkeypatch):
    """In the paths of configs, and on the command line where no shell expands them."""
    from typer.testing import CliRunner

    monkeypatch.setenv("HOME", str(tmp_path))
    assert expanded("~/a") == tmp_path / "a"
    assert expanded("a~/b") == Path("a~/b")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "c.yaml").write_text(
        "descriptor: {elements: [Cu], twojmax: 2, rcutfac: 4}\ntraining: [{path: ~/cu.extxyz}]\n"
        "prior_mean: ~/p\n"
    )
    config = load_config(tmp_path / "elsewhere" / "c.yaml")
    assert (config.training[0].path, config.prior_mean) == (tmp_path / "cu.extxyz", tmp_path / "p")
    done = CliRunner().invoke(app, ["init", "--output=~/new.yaml"])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "new.yaml").exists()


def test_home_folders_of_decks_and_reference_files(tmp_path, monkeypatch):
    from helpers.samples import written_deck

    from snap_al.descriptors import ReferencePotential
    from snap_al.fitsnap import write_json

    monkeypatch.setenv("HOME", str(tmp_path))
    text = (
        "[BISPECTRUM]\nnumTypes = 1\ntwojmax = 2\nrcutfac = 4\nrfac0 = 0.99\nrmin0 = 0\nwj = "
        "1\nradelem = 0.5\ntype = Cu\n"
    )
    text += (
        "[PATH]\ndataPath = ~/JSON\n[GROUPS]\ngroup_sections = name training_size "
        "testing_size eweight fweight vweight\n"
    )
    text += (
        "group_types = str float float float float float\nwarm = 1.0 0.0 1 1 1\n[SOLVER]\n"
        "solver = SVD\n"
    )
    deck = read_deck(written_deck(tmp_path, text, write_json))
    assert deck.data == tmp_path / "JSON"
    (tmp_path / "Cu.eam").write_text("")
    lines = ["pair_style eam", "pair_coeff * * ~/Cu.eam"]
    assert ReferencePotential.parse(lines).files() == [tmp_path / "Cu.eam"]
