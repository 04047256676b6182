"""The file that finished learning curves are kept in: one JSON file, written whole after each curve."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from snap_al.data import LabelledConfiguration
from snap_al.data.storage import write_atomically
from snap_al.loop.learning import Curve, Study, summary
from snap_al.loop.settings import RunConfig

FORMAT = 1


@dataclass(frozen=True)
class CurveFile:
    """digest: of everything that curves depend on; a file of another one is begun anew. full: errors with the whole pool
    labelled, by seed."""

    path: Path
    digest: str = ""
    found: tuple[Curve, ...] = ()
    full: dict[int, dict[str, float]] = field(default_factory=dict)

    def opened(
        self, items: Sequence[LabelledConfiguration], test: Sequence[LabelledConfiguration], config: RunConfig, study: Study,
        hold_out: float,
    ) -> CurveFile:  # fmt: skip
        """With the curves that the file on disk has, if they are of the same inputs."""
        digest = _digest(items, test, config, study, hold_out)
        try:
            stored = json.loads(self.path.read_text(encoding="utf-8"))
            if stored["format"] != FORMAT or stored["digest"] != digest:
                raise ValueError("of other inputs")
            curves = tuple(_curve(c) for c in stored["curves"])
            full = {int(seed): errors for seed, errors in stored["full"].items()}
        except (OSError, ValueError, KeyError, TypeError):
            return replace(self, digest=digest)
        return replace(self, digest=digest, found=curves, full=full)

    def curve(self, strategy: str, seed: int) -> Curve | None:
        return next((c for c in self.found if (c.strategy, c.seed) == (strategy, seed)), None)

    def curves(self, strategies: Iterable[str], seeds: Iterable[int]) -> list[Curve]:
        wanted = [(strategy, seed) for strategy in strategies for seed in seeds]
        return [c for strategy, seed in wanted if (c := self.curve(strategy, seed)) is not None]

    def with_curve(self, curve: Curve, full: dict[str, float]) -> CurveFile:
        return replace(self, found=(*self.found, curve), full={**self.full, curve.seed: full})

    def write(self) -> None:
        stored = {"format": FORMAT, "digest": self.digest, "full": self.full, "curves": [asdict(c) for c in self.found]}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self.path, json.dumps(stored) + "\n")

    def summary(self, strategies: Sequence[str], seeds: Sequence[int]) -> dict[str, Any]:
        """What the study found: the errors with the whole pool labelled (median over seeds), and each strategy's."""
        full = {name: float(np.median([self.full[s][name] for s in seeds])) for name in self.full[seeds[0]]}
        return {"full": full, "strategies": summary(self.curves(strategies, seeds), self.full)}


def _curve(stored: dict[str, Any]) -> Curve:
    errors = {str(k): tuple(float(x) for x in v) for k, v in stored["errors"].items()}
    return Curve(str(stored["strategy"]), int(stored["seed"]), tuple(int(n) for n in stored["labels"]), errors)


def _digest(
    items: Sequence[LabelledConfiguration],
    test: Sequence[LabelledConfiguration],
    config: RunConfig,
    study: Study,
    hold_out: float,
) -> str:
    digest = hashlib.sha256()
    query = config.query.model_dump(exclude={"strategy"}, mode="json")
    settings = [config.descriptor.model_dump_json(), config.fit.model_dump_json(), list(config.reference), query]
    digest.update(json.dumps([settings, asdict(study), hold_out, len(items), str(config.prior_mean)]).encode())
    for item in (*items, *test):
        digest.update(
            f"{item.configuration.key} {item.weights} {item.group} {item.damping}".encode("utf-8", "surrogateescape")
        )
        for value in vars(item.configuration.label).values():
            digest.update(b"-" if value is None else np.asarray(value, dtype="<f8").tobytes())
    return digest.hexdigest()[:20]
