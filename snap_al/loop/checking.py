"""Checks of labels as they arrive: each label is compared with earlier ones, and once per run the
labeler's stress with its energies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from snap_al.data import LabelledConfiguration
from snap_al.data.configuration import Configuration
from snap_al.errors import RunError
from snap_al.label import LabelChecks, LabelResult
from snap_al.loop.events import Checked
from snap_al.loop.labelling import Labelling
from snap_al.loop.plausible import (
    KnownEnergies,
    implausible,
    strained,
    stress_derivative,
    stress_verdict,
)
from snap_al.loop.run_directory import RunDirectory
from snap_al.loop.state import Query, RunState
from snap_al.parallel import Communicator, on_root


class Checking:
    """Every method is collective."""

    def __init__(
        self,
        limits: LabelChecks,
        training: Sequence[LabelledConfiguration],
        labelling: Labelling,
        directory: RunDirectory,
        comm: Communicator,
    ) -> None:
        self._limits, self._labelling, self._directory, self._comm = (
            limits,
            labelling,
            directory,
            comm,
        )
        self._energies = KnownEnergies()
        self._known = 0  # number of labels of the journal among them
        for item in training:
            self._energies.add(item.configuration, item.configuration.label)

    def plausible(self, state: RunState, query: Query, result: LabelResult) -> LabelResult:
        """The result, or a failure with the reason when the label is not plausible."""
        for done, job in state.labelled[self._known :]:
            before = self._labelling.result(done, job)
            if before is not None and before.label is not None:
                self._energies.add(self._asked(done.key), before.label)
        self._known = len(state.labelled)
        if result.label is None:
            return result
        asked = self._asked(query.key)
        if reason := implausible(asked, result.label, self._energies, self._limits):
            return self._labelling.refuse(result, reason)
        self._energies.add(asked, result.label)
        self._known += 1  # the journal records it next
        return result

    def stress(self, query: Query) -> Checked:
        """Compares the labeler's stress with its energies. Raises RunError for a labeler that
        fails, or gives no stress."""
        cells = strained(self._asked(query.key))
        write = self._directory.write_query
        queries = tuple(
            Query(key, -1, 0) for key in on_root(self._comm, lambda: [write(c) for c in cells])
        )
        results = self._labelling.collect(queries, self._labelling.submit(queries))
        here, up, down = (r.label for r in results)
        if here is None or up is None or down is None:
            reason = next(r.reason for r in results if r.label is None)
            raise RunError(f"label.checks.stress_by_strain: {reason}").on_all_ranks()
        if here.stress is None:
            raise RunError(
                "label.checks.stress_by_strain: the labeler gives no stress here"
            ).on_all_ranks()
        label, derivative = float(np.mean(here.stress[:3])), stress_derivative(cells[0], up, down)
        good, verdict = stress_verdict(label, derivative)
        return Checked(label=label, derivative=derivative, good=good, verdict=verdict)

    def _asked(self, key: str) -> Configuration:
        return on_root(self._comm, lambda: self._directory.read_query(key))


def require_right_stress(event: Checked) -> None:
    """Raises RunError, on all ranks alike, when stress and energies do not agree."""
    if not event.good:
        raise RunError(
            f"{event.verdict}. Mend the labeler, and begin in a new --out"
        ).on_all_ranks()
