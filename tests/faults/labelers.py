"""Labelers that misbehave for one structure in three, as jobs on this machine."""

import json
import os

import numpy as np
from ase.calculators.emt import EMT
from bench import Case, Row, compared, labels, left

LABELER = """
import os, subprocess, sys, time
import numpy as np
from ase.calculators.emt import EMT

class Misbehaving(EMT):
    def __init__(self, fault, **kwargs):
        super().__init__(**kwargs)
        self.fault = fault

    def calculate(self, *args, **kwargs):
        super().calculate(*args, **kwargs)
        if abs(self.atoms.positions).sum() % 1.0 > 0.45:
            return
        if self.fault == "hangs":
            time.sleep(1000)
        if self.fault == "hangs in a child that hears no signals":
            subprocess.run(["bash", "-c", "trap '' TERM; sleep 1000"])
        if self.fault == "dies":
            os._exit(9)
        if self.fault == "crashes":
            os.abort()
        if self.fault == "raises":
            raise RuntimeError("not converged")
        if self.fault == "exits":
            sys.exit(0)
        if self.fault == "NaN":
            self.results["forces"][0] = np.nan
        if self.fault == "garbage":
            self.results["forces"] = "garbage"
        if self.fault == "another number of atoms":
            self.results["forces"] = self.results["forces"][:-1]
        if self.fault == "another zero of energy":
            self.results["energy"] = self.results["free_energy"] = self.results["energy"] - 1e4
        if self.fault == "is slow":
            time.sleep(2.0)
        if self.fault == "forks children":
            subprocess.Popen(["sleep", "1000"])
        if self.fault == "prints without end":
            for _ in range(200000):
                print("x" * 100)
        if self.fault == "changes directory":
            os.chdir("/")
"""
HARMLESS = ("is slow", "forks children", "prints without end", "changes directory")
FAULTS = (
    "hangs",
    "hangs in a child that hears no signals",
    "dies",
    "crashes",
    "raises",
    "exits",
    "NaN",
    "garbage",
    "another number of atoms",
    "another zero of energy",
    *HARMLESS,
)


def with_fault(root, fault):
    """Survived: the run ends, or stops with a message, killed once in between; what is fitted is
    true; no process is left.
    """
    row = Row(f"labeler {fault}")
    folder = root / f"labeler{FAULTS.index(fault)}"
    folder.mkdir()
    (folder / "misbehaving.py").write_text(LABELER)
    os.environ["PYTHONPATH"] = str(folder)
    chosen = {
        "calculator": "misbehaving.Misbehaving",
        "arguments": {"fault": fault},
        "backend": "local",
        "at_once": 2,
        "timeout": 4,
        "max_starts": 2,
        "max_failures": 30,
    }
    case = Case(folder, label=f"label: {json.dumps(chosen)}")
    out = case.folder()
    process = case.start(out)
    case.ended(process, 4.0)
    before = labels(out)
    same, note = case.goes_on(out)
    orphans, false = left(out), _false(out)
    rejected = json.loads((out / "metrics.json").read_text())["rejected"]
    if orphans:
        note = f"{orphans} processes left"
    if false:
        note = f"{false} labels are not the calculator's"
    if (fault in HARMLESS) != (rejected == 0):
        note = f"{rejected} rejected"
    row.add(same and not note, note, *compared(before, out))
    return row


def _false(out):
    from snap_al.label.backend import decode_structure

    wrong = 0
    for path in (out / "labels").glob("*.json"):
        stored = json.loads(path.read_text())
        atoms = decode_structure(stored["structure"]).to_atoms()
        atoms.calc = EMT()
        wrong += not np.allclose(stored["label"]["forces"], atoms.get_forces(), atol=1e-10)
    return wrong
