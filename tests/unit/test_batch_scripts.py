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


def test_where_there_is_no_scheduler(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="lsf: no bsub here"):
        Scheduler(ClusterSettings(scheduler="lsf"), 1, tmp_path)
