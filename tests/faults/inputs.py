"""Inputs that were tampered with: refused with a message, or read; no traceback, no hang, and
nothing of them executed.
"""

import difflib
import json
import pickle
import re
import shutil
import subprocess
import sys
from pathlib import Path

import ase.io
import numpy as np
from bench import LONGEST, Row
from helpers.samples import rattled_copper, written_deck

from snap_al.fitsnap.json_files import write_json

DECK = """[BISPECTRUM]
numTypes = 1
twojmax = 4
rcutfac = 4.5
rfac0 = 0.99363
rmin0 = 0.0
wj = 1.0
radelem = 0.5
type = Cu
[CALCULATOR]
calculator = LAMMPSSNAP
energy = 1
force = 1
stress = 0
[ESHIFT]
Cu = 0.0
[SOLVER]
solver = SVD
[SCRAPER]
scraper = JSON
[PATH]
dataPath = JSON
[OUTFILE]
metrics = Cu.md
potential = Cu
[REFERENCE]
units = metal
atom_style = atomic
pair_style = zero 10.0
pair_coeff = * *
[GROUPS]
group_sections = name training_size testing_size eweight fweight vweight
group_types = str float float float float float
warm = 1.0 0.0 100 1 0
"""
NUMBERS = (
    "nan",
    "inf",
    "-1",
    "0",
    "1e400",
    "1e-320",
    "",
    "x",
    "99999999999999999999",
    "٣",
    "0x10",
    "1_000",
    "[1, 2]",
)
WORDS = (
    "",
    "null",
    "~",
    "true",
    "{}",
    "[]",
    "../../../etc/passwd",
    "\x00",
    "é",
    "'",
    '"',
    "&a *a",
    "!!python/name:os.system",
    "%s%n",
    "*",
)
KINDS = (
    "config",
    "deck",
    "extended XYZ",
    "FitSNAP JSON",
    ".snapcoeff",
    ".snapparam",
    "posterior",
    "journal",
    "run directory",
)


def mutated(case, kind, count, rng):
    """Survived: exit code 0, 2 or 3, within the time, without a traceback, and without the
    canary.
    """
    row, root = Row(f"tampered {kind}"), case.folder()
    canary = root / "canary"
    prepare, command = _scenes(case, root)[kind]
    for n in range(count):
        scene = root / f"{n}"
        path = prepare(scene, rng)
        content = path.read_bytes()
        changed = _payload(path, canary) if n % 10 == 0 else _changed(content, rng)
        path.write_bytes(changed)
        code, said = _run(command(scene), scene)
        wrong = (
            code not in (0, 2, 3)
            or "Traceback" in said
            or "fault of snap_al" in said
            or canary.exists()
        )
        row.add(
            not wrong,
            f"{path.relative_to(scene)} of {kind}, exit code {code}: {said[-900:]}\n"
            f"{_difference(content, changed)}",
        )
        canary.unlink(missing_ok=True)
        shutil.rmtree(scene)
    return row


def _run(arguments, folder):
    command = [sys.executable, "-m", "snap_al", *map(str, arguments)]
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=LONGEST, errors="replace"
        )
        return done.returncode, done.stdout + done.stderr
    except subprocess.TimeoutExpired:
        return None, "a hang"


def _payload(path, canary):
    """What would run if the file were unpickled, read as YAML or Python that may do anything, or
    handed to LAMMPS.
    """

    class Touch:
        def __reduce__(self):
            return (Path.touch, (canary,))

    if path.name == "descriptor.json":
        stored = json.loads(path.read_text())
        stored["reference"]["fixes"] = [f"shell touch {canary}"]
        return json.dumps(stored).encode()
    if path.suffix in (".npz", ".npy", ".restart", ".pkl"):
        return pickle.dumps(Touch())
    return (
        f'a: !!python/object/apply:os.system ["touch {canary}"]\n'
        f'__import__("os").system("touch {canary}")\n'
    ).encode()


def _difference(before, after):
    lines = [b.decode(errors="replace").splitlines() for b in (before, after)]
    return "\n".join(list(difflib.unified_diff(*lines, lineterm="", n=0))[:12])[:2000]


def _changed(content, rng):
    """One to three changes of bytes, lines, numbers or words."""
    for _ in range(rng.integers(1, 4)):
        how = rng.integers(8)
        n = len(content)
        at, length = (int(rng.integers(max(n, 1))), int(rng.integers(1, 20)))
        if how == 0:
            content = content[:at]
        elif how == 1:
            content = content[:at] + content[at + length :]
        elif how == 2:
            content = content[:at] + rng.bytes(length) + content[at:]
        elif how == 3:
            content = (
                content[:at]
                + bytes([content[at] ^ (1 << int(rng.integers(8)))])
                + content[at + 1 :]
                if n
                else content
            )
        elif how == 4:
            lines = content.splitlines(keepends=True)
            if lines:
                lines.insert(int(rng.integers(len(lines))), lines[int(rng.integers(len(lines)))])
            content = b"".join(lines)
        elif how == 5:
            lines = content.splitlines(keepends=True)
            content = (
                b"".join(np.delete(np.array(lines, dtype=object), int(rng.integers(len(lines)))))
                if lines
                else content
            )
        else:
            pattern, words = (
                (rb"-?\d+\.?\d*(e-?\d+)?", NUMBERS) if how == 6 else (rb"[A-Za-z_]{3,}", WORDS)
            )
            found = list(re.finditer(pattern, content))
            if found:
                m = found[int(rng.integers(len(found)))]
                content = (
                    content[: m.start()]
                    + words[int(rng.integers(len(words)))].encode()
                    + content[m.end() :]
                )
    return content


def _scenes(case, root):
    """Of each kind: what makes a folder and returns the file to tamper with, and the command that
    reads it.
    """
    root.mkdir(exist_ok=True)
    fitted = root / "fitted"
    frames = [rattled_copper(k, repeat=1).to_atoms() for k in range(6)]
    ase.io.write(root / "frames.extxyz", frames)
    fit = (
        "descriptor: {elements: [Cu], twojmax: 4, rcutfac: 4.5}\ntraining: [{path: "
        "frames.extxyz}]\n"
    )
    (root / "fit.yaml").write_text(fit)
    code, said = _run(["fit", root / "fit.yaml", "--out", fitted], root)
    assert code == 0, said

    def config(scene, rng):
        shutil.copytree(case.config.parent, scene)
        return scene / "config.yaml"

    def deck(scene, rng):
        scene.mkdir()
        return written_deck(scene, DECK, write_json)

    def fitsnap_json(scene, rng):
        deck(scene, rng)
        return scene / "JSON" / "warm" / "3.json"

    def xyz(scene, rng):
        scene.mkdir()
        (scene / "fit.yaml").write_text(fit)
        return Path(shutil.copy(root / "frames.extxyz", scene / "frames.extxyz"))

    def potential(pattern):
        def prepare(scene, rng):
            shutil.copytree(fitted, scene / "fitted")
            shutil.copy(root / "frames.extxyz", scene)
            found = sorted(p for p in (scene / "fitted").glob(pattern) if p.is_file())
            return found[int(rng.integers(len(found)))]

        return prepare

    def journal(scene, rng):
        shutil.copytree(case.whole, scene / "run")
        return scene / "run" / "journal.jsonl"

    def directory(scene, rng):
        shutil.copytree(case.whole, scene / "run")
        _cut(scene / "run" / "journal.jsonl", rng)
        found = sorted(
            p
            for p in (scene / "run").rglob("*")
            if p.is_file() and p.suffix not in (".png", ".log") and p.name != "journal.jsonl"
        )
        return found[int(rng.integers(len(found)))]

    def predict(scene: Path) -> list:
        return ["predict", scene / "fitted", scene / "frames.extxyz", "-o", scene / "out.extxyz"]

    run = lambda scene: ["run", case.config, "--out", scene / "run"]  # noqa: E731
    return {
        "config": (
            config,
            lambda scene: ["run", scene / "config.yaml", "--out", scene / "run", "--dry-run"],
        ),
        "deck": (deck, lambda scene: ["fit", scene / "Cu.in", "--out", scene / "out"]),
        "FitSNAP JSON": (
            fitsnap_json,
            lambda scene: ["fit", scene / "Cu.in", "--out", scene / "out"],
        ),
        "extended XYZ": (xyz, lambda scene: ["fit", scene / "fit.yaml", "--out", scene / "out"]),
        ".snapcoeff": (potential("potential.snapcoeff"), predict),
        ".snapparam": (potential("potential.snapparam"), predict),
        "posterior": (potential("*.[nj]*"), predict),
        "journal": (journal, run),
        "run directory": (directory, run),
    }


def _cut(journal, rng):
    """As after a kill at some instant: a run that goes on reads more of its directory."""
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[: int(rng.integers(3, len(lines)))]))
