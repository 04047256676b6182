"""tests/faults: A few faults of each kind, injected into short runs; `make faults` injects them
all.
"""

import subprocess
import sys
from pathlib import Path

import pytest

FAULTS = Path(__file__).parent / "faults"

NEEDED = {
    "calls": "needs strace, and leave to trace: apt-get install strace",
    "disk": "needs root, and leave to mount a tmpfs",
}


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    "kind",
    [
        "folders",
        *(
            pytest.param(k, marks=pytest.mark.slow)
            for k in ("kill -9", "signals", "rank", "calls", "disk", "labelers", "inputs")
        ),
    ],
)
def test_a_few_of_each(kind):
    done = subprocess.run(
        [sys.executable, FAULTS, "--quick", "--only", kind],
        capture_output=True,
        text=True,
        timeout=3500,
    )
    if done.returncode == 77:
        pytest.skip(NEEDED.get(kind, done.stdout))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
