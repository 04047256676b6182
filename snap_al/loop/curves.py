"""The file of finished learning curves: one JSON file, which is rewritten after each curve."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic_core import to_json

from snap_al.data import LabelledConfiguration
from snap_al.data.json_text import listed, named, number, numbers, part, read_json
from snap_al.data.storage import require_regular_file, write_atomically
from snap_al.inference import FitSettings
from snap_al.inference.settings_union import in_full
from snap_al.loop.learning import Curve, Study, summary
from snap_al.loop.settings import RunConfig

FORMAT = 1
OPTIONS_IN_ORDER = (
    "posterior",
    "posterior_options",
    "likelihood",
    "embedding",
    "embed",
    "multiplicative",
    "mean",
    "prior",
    "pseudo_rows",
    "balance",
    "noise",
    "noise_fraction",
    "laplace",
    "abc_alpha",
    "abc_epsilon",
    "prior_precision",
    "noise_std",
    "noise_shape",
    "noise_scale",
    "members",
    "fraction",
    "recalibrate",
    "draws",
    "tune",
    "chains",
    "seed",
    "embed_again",
)
"""Options of fits, as digests have them, which files on disk hold."""


@dataclass(frozen=True)
class CurveFile:
    """The file of learning curves."""

    path: Path
    """The file."""
    digest: str = ""
    """Digest of everything that the curves depend on. A file with another digest is begun anew."""
    stored: tuple[Curve, ...] = ()
    """Curves that the file has."""
    full: dict[int, dict[str, float]] = field(default_factory=dict)
    """Errors with the whole pool labelled, by seed."""

    def opened(
        self,
        items: Sequence[LabelledConfiguration],
        test: Sequence[LabelledConfiguration],
        config: RunConfig,
        study: Study,
        hold_out: float,
    ) -> CurveFile:
        """With the curves that the file on disk has, if they are of the same inputs."""
        digest = _digest(items, test, config, study, hold_out)
        try:
            stored = read_json(require_regular_file(self.path).read_bytes())
            if part(stored, "format") != FORMAT or part(stored, "digest") != digest:
                raise ValueError("of other inputs")
            curves = tuple(_curve(c) for c in listed(stored, "curves"))
            full = {int(seed): _errors(errors) for seed, errors in named(stored, "full").items()}
        except (OSError, ValueError):
            return replace(self, digest=digest)
        return replace(self, digest=digest, stored=curves, full=full)

    def curve(self, strategy: str, seed: int) -> Curve | None:
        return next((c for c in self.stored if (c.strategy, c.seed) == (strategy, seed)), None)

    def curves(self, strategies: Iterable[str], seeds: Iterable[int]) -> list[Curve]:
        wanted = [(strategy, seed) for strategy in strategies for seed in seeds]
        return [c for strategy, seed in wanted if (c := self.curve(strategy, seed)) is not None]

    def with_curve(self, curve: Curve, full: dict[str, float]) -> CurveFile:
        return replace(self, stored=(*self.stored, curve), full={**self.full, curve.seed: full})

    def write(self) -> None:
        stored = {
            "format": FORMAT,
            "digest": self.digest,
            "full": self.full,
            "curves": [asdict(c) for c in self.stored],
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self.path, json.dumps(stored) + "\n")

    def summary(self, strategies: Sequence[str], seeds: Sequence[int]) -> dict[str, Any]:
        """Summary of the study: the errors with the whole pool labelled (medians over seeds), and
        those of each strategy."""
        full = {
            name: float(np.median([self.full[s][name] for s in seeds]))
            for name in self.full[seeds[0]]
        }
        return {"full": full, "strategies": summary(self.curves(strategies, seeds), self.full)}


def _curve(stored: Any) -> Curve:
    """Raises ValueError."""
    errors = {
        name: tuple(numbers(part(stored, "errors"), name, (-1,)).tolist())
        for name in named(stored, "errors")
    }
    labels = tuple(int(n) for n in numbers(stored, "labels", (-1,)))
    return Curve(str(part(stored, "strategy")), int(number(stored, "seed")), labels, errors)


def _errors(stored: Any) -> dict[str, float]:
    """Raises ValueError."""
    return {name: number(stored, name) for name in named({"errors": stored}, "errors")}


def json_of_fit(settings: FitSettings) -> str:
    """The listed options, whatever the posterior is, and then those that the settings have besides:
    another order would be another digest, and curves on disk would be computed again.
    """
    full = in_full(settings)
    names = dict.fromkeys((*OPTIONS_IN_ORDER, *settings.model_dump()))
    return to_json({name: full[name] for name in names}, inf_nan_mode="null").decode()


def _digest(
    items: Sequence[LabelledConfiguration],
    test: Sequence[LabelledConfiguration],
    config: RunConfig,
    study: Study,
    hold_out: float,
) -> str:
    digest = hashlib.sha256()
    query = config.query.model_dump(exclude={"strategy"}, mode="json")
    settings = [
        config.descriptor.model_dump_json(),
        json_of_fit(config.fit),
        list(config.reference),
        query,
    ]
    digest.update(
        json.dumps([settings, asdict(study), hold_out, len(items), str(config.prior_mean)]).encode()
    )
    for item in (*items, *test):
        digest.update(
            f"{item.configuration.key} {item.weights} {item.group} {item.damping}".encode(
                "utf-8", "surrogateescape"
            )
        )
        for value in vars(item.configuration.label).values():
            digest.update(b"-" if value is None else np.asarray(value, dtype="<f8").tobytes())
    return digest.hexdigest()[:20]
