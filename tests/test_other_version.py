"""snap_al.loop.run_model: A run whose last fit another version of snap_al wrote."""

import io
import json

import numpy as np
import pytest
from helpers.calls import refused, snap_al
from helpers.journals import read_lines
from helpers.samples import small_config


def written_by_another_version(path):
    """The same posterior with the number of another format."""
    with np.load(path, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    header = json.loads(str(arrays["header"])) | {"format": 3}
    buffer = io.BytesIO()
    np.savez(buffer, **{**arrays, "header": np.array(json.dumps(header))})
    path.write_bytes(buffer.getvalue())


@pytest.mark.parametrize("ranks", [1, 2])
def test_it_is_fitted_once_more(tmp_path, ranks):
    """And that is said; other commands say that it is of another version."""

    def run(labels):
        config = small_config(tmp_path, stop=f"stop: {{max_labels: {labels}}}")
        return snap_al("run", config, "--out", tmp_path / "run", ranks=ranks)

    first = run(4)
    assert first.returncode == 0, first.stderr
    fits = sum(e["event"] == "fitted" for e in read_lines(tmp_path / "run"))
    for folder in (tmp_path / "run", tmp_path / "run" / "fits" / f"{fits:04d}"):
        written_by_another_version(folder / "posterior.npz")
    said = refused("predict", tmp_path / "run", tmp_path / "Cu.extxyz", "-o", tmp_path / "out.xyz")
    assert "written by another version of snap_al: format 3" in said
    again = run(5)
    assert again.returncode == 0, again.stderr
    events = read_lines(tmp_path / "run")
    (note,) = (e for e in events if e["event"] == "opened" and e.get("notes"))
    assert f"fit {fits} was written by another version" in note["notes"][0]
    labels = [e["labels"] for e in events if e["event"] == "fitted"]
    assert labels[fits - 1 : fits + 1] == [4, 4]
    assert labels[-1] == 5
