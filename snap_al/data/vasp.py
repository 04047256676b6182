"""VASP's OUTCAR and vasprun.xml, under any name, compressed or not: which ionic steps are whole and
converged.

ASE reads the numbers. It passes over a last step that is cut off, and does not ask whether
electrons converged; both are found out here. https://www.vasp.at/wiki/index.php/OUTCAR,
https://www.vasp.at/wiki/index.php/Vasprun.xml
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree

from ase import Atoms

from snap_al.data.open_text import DAMAGED, open_bytes, open_text
from snap_al.errors import InputError

VaspFormat = Literal["vasp-out", "vasp-xml"]
"""Names of the formats in ASE."""
_STEP_END = "FREE ENERGIE OF THE ION-ELECTRON SYSTEM"
_ITERATION = re.compile(r"Iteration\s+(\d+)\(\s*(\d+)\)")
_NELM = re.compile(r"\bNELM\s*=\s*(\d+)")
_REACHED, _NOT_REACHED = "EDIFF is reached", "EDIFF was not reached"
_ENERGY_LINES = 4
"""Number of lines after the line that ends a step, as ASE reads them."""


@dataclass(frozen=True)
class VaspSteps:
    """The ionic steps of a VASP output."""

    frames: tuple[Atoms, ...]
    """The complete steps; the first is number 1."""
    begun: int
    """Number of steps in the file, including a last one that is cut off."""
    unconverged: tuple[int, ...]
    """Numbers of the steps whose electronic loop did not reach EDIFF."""
    cut: str = ""
    """Where and how the file ends early; "" when it does not."""

    @property
    def converged(self) -> list[tuple[int, Atoms]]:
        """Steps whose labels can be used, each with its number."""
        return [(n, a) for n, a in enumerate(self.frames, 1) if n not in self.unconverged]

    @property
    def without_wrong_labels(self) -> list[tuple[int, Atoms]]:
        """All steps, each with its number; those that did not converge have no labels."""
        return [(n, a.copy() if n in self.unconverged else a) for n, a in enumerate(self.frames, 1)]

    def remarks(self, path: Path) -> list[str]:
        """One remark for each step that is left out because its electrons did not converge."""
        return [
            f"{path}, step {n} of {self.begun}: the electronic loop did not reach EDIFF; the step "
            "is left out"
            for n in self.unconverged
        ]


def vasp_format(beginning: bytes) -> VaspFormat | None:
    """The format of a file, by how it begins."""
    if re.match(rb"\s*vasp\.\d", beginning):
        return "vasp-out"
    return "vasp-xml" if b"<modeling>" in beginning and b"<?xml" in beginning else None


def read_vasp(path: Path, format: VaspFormat) -> VaspSteps:
    """Raises InputError, naming the step, for a file of which no step can be read, or one between
    others cannot."""
    steps = _outcar(path) if format == "vasp-out" else _vasprun(path)
    if not steps.frames:
        kind = "an OUTCAR" if format == "vasp-out" else "a vasprun.xml"
        raise InputError(
            f"{path}: {kind} without a finished ionic step{f': {steps.cut}' if steps.cut else ''}"
        )
    return steps


@dataclass
class _Step:
    """Electronic convergence of one ionic step of an OUTCAR, as far as it was read."""

    iterations: int = 0
    """Number of the last electronic iteration."""
    reached: bool = False
    """Whether the step reports that EDIFF was reached."""
    not_reached: bool = False
    """Whether the step reports that EDIFF was not reached."""


def _outcar(path: Path) -> VaspSteps:
    steps, begun, nelm, last, damage = _scanned(path)
    frames, problem = _read_by_ase(path)
    whole = len(steps) - 1
    begun, frames = max(begun, whole, len(frames)), frames[:whole]
    cut = damage or problem
    if begun > len(frames) and not cut:
        cut = (
            f"step {len(frames) + 1} of this OUTCAR is cut off: the file ends in it, at line {last}"
        )
    says = any(s.reached or s.not_reached for s in steps)
    unconverged = {k for k, s in enumerate(steps[:whole], 1) if _fell_short(s, says, nelm)}
    return VaspSteps(tuple(frames), begun, tuple(sorted(unconverged)), cut)


def _scanned(path: Path) -> tuple[list[_Step], int, int, int, str]:
    """Whole steps and what follows the last of them; the number of the last that was begun; NELM;
    lines; why the file cannot be read further."""
    steps, begun, nelm, after, n = [_Step()], 0, 0, 0, 0
    try:
        with open_text(path) as file:
            for line in file:
                n += 1
                step = steps[-1]
                if match := _ITERATION.search(line):
                    begun, step.iterations = max(begun, int(match.group(1))), int(match.group(2))
                elif not nelm and (match := _NELM.search(line)):
                    nelm = int(match.group(1))
                step.reached |= _REACHED in line
                step.not_reached |= _NOT_REACHED in line
                after = _ENERGY_LINES if _STEP_END in line else max(after - 1, -1)
                if after == 0 and line.endswith("\n"):
                    steps.append(_Step())
    except DAMAGED as error:
        return steps, begun, nelm, n, f"the file is cut off or damaged after line {n}: {error}"
    return steps, begun, nelm, n, ""


def _fell_short(step: _Step, says: bool, nelm: int) -> bool:
    """Whether the electrons of a step did not converge.

    says: whether this version of VASP reports that EDIFF was reached; versions before 6 write
    nothing when it was not.
    """
    if step.reached or step.not_reached:
        return step.not_reached and not step.reached
    return says or bool(nelm and step.iterations >= nelm)


class _Outcar(TextIOWrapper):
    """ASE looks for a CONTCAR beside the file, for constraints, of which labels have no need: here
    it finds none."""

    name = "/dev/null/OUTCAR"


def _read_by_ase(path: Path) -> tuple[list[Atoms], str]:
    """Steps, and why a step after them cannot be read."""
    from ase.io.vasp import iread_vasp_out  # late: it is slow to import

    frames: list[Atoms] = []
    try:
        with open_bytes(path) as file, _Outcar(file, "utf-8", "replace") as text:
            frames.extend(iread_vasp_out(text, index=slice(None)))
    except Exception as error:  # noqa: BLE001  ASE's readers raise anything
        return (
            frames,
            f"step {len(frames) + 1} of this OUTCAR cannot be read: {type(error).__name__}: "
            f"{error}",
        )
    return frames, ""


def _vasprun(path: Path) -> VaspSteps:
    content, cut = _content(path)
    loops, nelm, ediff, error = _electronic_loops(content)
    whole = sum(loop is not None for loop in loops)
    if error:
        cut = cut or (
            f"step {whole + 1} of this vasprun.xml is cut off, or what follows the last step: "
            f"{error}"
        )
    if error and (last := content.rfind(b"<calculation")) > 0 and loops and loops[-1] is None:
        content = content[:last] + b"</modeling>"
    frames = _read_xml_by_ase(path, content)[:whole] if whole else []
    unconverged = {
        k
        for k, loop in enumerate(loops, 1)
        if loop is not None and _xml_fell_short(loop, nelm, ediff)
    }
    return VaspSteps(tuple(frames), len(loops), tuple(sorted(unconverged)), cut)


def _content(path: Path) -> tuple[bytes, str]:
    parts: list[bytes] = []
    try:
        with open_bytes(path) as file:
            parts.extend(iter(lambda: file.read(2**20), b""))
    except DAMAGED as error:
        return b"".join(parts), f"the file is cut off or damaged: {error}"
    return b"".join(parts), ""


def _electronic_loops(content: bytes) -> tuple[list[list[float] | None], int, float, str]:
    """For each step the free energies of its electronic iterations, and None for a step that is cut
    off; NELM; EDIFF; why the XML ends early."""
    loops: list[list[float] | None] = []
    nelm, ediff = 0, 0.0
    try:
        for event, element in ElementTree.iterparse(BytesIO(content), events=("start", "end")):
            if event == "start":
                if element.tag == "calculation":
                    loops.append(None)
            elif element.tag == "calculation":
                loops[-1] = [
                    float(e.text or "nan")
                    for e in element.iterfind('scstep/energy/i[@name="e_fr_energy"]')
                ]
            elif element.tag == "i" and element.get("name") == "NELM":
                nelm = int(element.text or 0)
            elif element.tag == "i" and element.get("name") == "EDIFF":
                ediff = float(element.text or 0.0)
    except ElementTree.ParseError as error:
        return loops, nelm, ediff, str(error)
    except ValueError as error:
        return loops, nelm, ediff, f"a number cannot be read: {error}"
    return loops, nelm, ediff, ""


def _xml_fell_short(energies: list[float], nelm: int, ediff: float) -> bool:
    """Whether the loop ended because it had made all its iterations, and the last one still changed
    the energy."""
    if not nelm or len(energies) < nelm:
        return False
    return len(energies) < 2 or abs(energies[-1] - energies[-2]) > ediff


def _read_xml_by_ase(path: Path, content: bytes) -> list[Atoms]:
    import ase.io  # late: it is slow to import

    try:
        return [
            a for a in ase.io.iread(BytesIO(content), ":", format="vasp-xml") if a.calc is not None
        ]
    except Exception as error:
        raise InputError(
            f"{path}: this vasprun.xml cannot be read: {type(error).__name__}: {error}"
        ) from error
