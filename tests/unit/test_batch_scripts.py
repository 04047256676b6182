"""snap_al.label.cluster: What is asked of schedulers that are not here, read from the batch scripts
that would be submitted.
"""

import re

import pytest

from snap_al.errors import InputError
from snap_al.label import Scheduler
from snap_al.label.settings import ClusterSettings

ASKED = {
    "nodes": 1,
    "tasks": 4,
    "memory_gb": 8,
    "walltime": "1:30:00",
    "queue": "standard",
    "account": "abc123",
}
DIRECTIVES = {
    "slurm": (
        r"#SBATCH --nodes=1",
        r"#SBATCH --ntasks-per-node=4",
        r"#SBATCH --cpus-per-task=2",
        r'--partition="?standard',
        r'--account="?abc123',
        r"--time=0?1:30:0",
        r'--job-name="snap-al-0123abcd"',
        r'--qos="debug"',
        r'--constraint="cpu&fast"',
    ),
    "pbs": (
        r"#PBS -l select=1:ncpus=8",
        r"mem=8",
        r"#PBS -l walltime=0?1:30:0",
        r"#PBS -q standard",
        r"#PBS -A abc123",
        r'#PBS -N "snap-al-0123abcd"',
        r'#PBS -M "me@site.org"',
    ),
    "pbs_classic": (
        r"nodes=1:ppn=8",
        r"walltime=0?1:30:0",
        r"#PBS -q standard",
        r'#PBS -N "snap-al-0123abcd"',
    ),
    "lsf": (
        r"#BSUB -q \"?standard",
        r"#BSUB -W 0?1:30",
        r"#BSUB -n 8",
        r'#BSUB -J "snap-al-0123abcd"',
        r'#BSUB -R "span\[hosts=1\]"',
    ),
}
OWN = {
    "slurm": {"qos": "debug", "constraint": "cpu&fast"},
    "pbs": {"M": "me@site.org"},
    "pbs_classic": {},
    "lsf": {"R": "span[hosts=1]"},
}


@pytest.mark.parametrize("scheduler", list(DIRECTIVES))
def test_directives(tmp_path, monkeypatch, scheduler):
    monkeypatch.setattr("snap_al.label.cluster.shutil.which", lambda command: f"/no/such/{command}")
    monkeypatch.setenv("PATH", str(tmp_path))
    settings = ClusterSettings(scheduler=scheduler, attributes=OWN[scheduler], **ASKED)
    launcher = Scheduler(settings, 2, tmp_path)
    script = tmp_path / "0123abcdef" / "script.sh"
    text = launcher.batch_script(script)
    for directive in DIRECTIVES[scheduler]:
        assert re.search(directive, text), (directive, text)
    assert str(script) in text


@pytest.mark.parametrize(
    ("given", "seconds", "written"),
    [
        ("1:30:00", 5400.0, "1:30:00"),
        ("2-00:00:07", 172807.0, "2-0:00:07"),
        ("0:00:01", 1.0, "0:00:01"),
        ("100:00:00", 360000.0, "4-4:00:00"),
        (10, 600.0, "0:10:00"),
        (0.5, 30.0, "0:00:30"),
        (0.125, 7.5, 0.125),
    ],
)
@pytest.mark.parametrize("mode", ["python", "json"])
def test_a_walltime_is_written_as_it_is_read(given, seconds, written, mode):
    settings = ClusterSettings(scheduler="slurm", walltime=given)
    assert settings.walltime == seconds
    dump = settings.model_dump(mode=mode)
    assert dump["walltime"] == written
    assert ClusterSettings(**dump) == settings
    assert ClusterSettings.model_validate_json(settings.model_dump_json()) == settings


def test_a_default_walltime_is_written_as_it_is_read():
    settings = ClusterSettings(scheduler="slurm")
    assert "walltime" not in settings.model_dump(exclude_defaults=True)
    assert ClusterSettings(**settings.model_dump()) == settings


def test_where_there_is_no_scheduler(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="lsf: no bsub here"):
        Scheduler(ClusterSettings(scheduler="lsf"), 1, tmp_path)
