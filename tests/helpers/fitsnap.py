"""The released FitSNAP, imported once for many calls: see `run_fitsnap.py`."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass
class FitSnap:
    """The client. Its process starts when it is first needed."""

    process: subprocess.Popen | None = None

    def fitted(self, deck: Path, folder: Path, ours: bool = False) -> dict[str, np.ndarray]:
        """FitSNAP's rows, fit and table of errors of a deck; its files go to the folder. ours:
        whether our solver fits within FitSNAP as well.
        """
        return self._found("fitted", folder, str(deck), ours)

    def read(self, deck: Path, folder: Path, stem: Path) -> np.ndarray:
        """The coefficients of STEM.snapcoeff as FitSNAP reads them."""
        return self._found("read", folder, str(deck), str(stem))["coefficients"]

    def _found(self, what: str, folder: Path, *arguments: object) -> dict[str, np.ndarray]:
        if self.process is None:
            self.process = subprocess.Popen(
                [sys.executable, Path(__file__).with_name("run_fitsnap.py")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        self.process.stdin.write(json.dumps([what, str(folder), *arguments]) + "\n")
        self.process.stdin.flush()
        exit_code = self.process.stdout.readline()
        assert exit_code == "0\n", (folder / "said.txt").read_text()[-4000:]
        with np.load(folder / "found.npz") as stored:
            return {name: stored[name] for name in stored.files}

    def close(self) -> None:
        if self.process is not None:
            self.process.communicate()
            self.process = None
