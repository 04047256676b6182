"""snap_al.reporting.status: `snap-al status --follow` beside a run that goes on, and after it;
plots of what there is.
"""

import pytest
from helpers.calls import begun, snap_al
from helpers.odd import PATIENCE, until
from helpers.samples import small_config


def test_follows_until_the_end(tmp_path):
    config = small_config(tmp_path)
    run = begun("run", config, "--out", tmp_path / "run")
    until(lambda: snap_al("status", tmp_path / "run").returncode == 0)
    followed = snap_al("status", tmp_path / "run", "--follow", "--every", 0.3)
    assert followed.returncode == 0, followed.stderr
    run.communicate(timeout=PATIENCE)
    assert run.returncode == 0, "it had ended when following did"
    assert "stopped: " in followed.stdout
    assert "largest force std, eV/Å: the last" in followed.stdout
    assert "forces against labels, training set" in followed.stdout
    once = snap_al("status", tmp_path / "run", "--follow")
    assert once.stdout.count("stopped: ") == 1, "nothing to wait for"


@pytest.mark.parametrize("options", [[], ["--follow"], ["--json"]])
def test_no_run(tmp_path, options):
    done = snap_al("status", tmp_path, *options)
    assert done.returncode == 2
    assert "no run here" in done.stderr.replace("\n", " ")
