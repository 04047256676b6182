"""On-the-fly learning by six rules for when MD stops for a label: labels until a given error on
trajectories that no run sees.

python compare.py --out study [--scenarios copper poisoned alloy hydrogen] [--rules …]
    [--seeds 5] [--jobs 2]

Every run is an ordinary `snap-al run` of the scenario's config with another `query.rule` (and the
posterior that the rule was published with); weights, treatment of bad labels, MD and budget are the
same for all. What is finished is not done again.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from ruamel.yaml import YAML
from scenarios import LIKE_TEST, write_scenario

from snap_al.loop.events import Fitted, Halted, Stopped
from snap_al.loop.journal import read_events

SCENARIOS = ("copper", "poisoned", "alloy", "hydrogen")
RULES: dict[str, dict[str, Any]] = {
    "novel": {},
    "every": {"query": {"rule": "every"}},
    "committee": {"query": {"rule": "std"}, "fit": {"posterior": "committee"}},
    "grade": {"query": {"rule": "grade"}},
    "flare": {"query": {"rule": "flare"}, "fit": {"posterior": "bayes"}},
    "hal": {"query": {"rule": "hal"}, "fit": {"posterior": "bayes"}},
}
TARGETS = (1.1, 1.25)
"""Times the error of a fit to the trajectories in LIKE_TEST."""


def prepared(scenario: str, rule: str, seed: int, out: Path) -> Path:
    """The config of one run, in its own folder beside its structures."""
    folder = out / scenario / f"seed-{seed}"
    config = folder / f"{rule}.yaml"
    if config.exists():
        return config
    folder.mkdir(parents=True, exist_ok=True)
    for known in (out / scenario / "seed-1").glob(
        "[tr]e*.extxyz"
    ):  # the unseen trajectories: one set for all seeds
        if not (folder / known.name).exists():
            shutil.copy(known, folder)
    yaml = YAML(typ="safe")
    content = yaml.load(write_scenario(scenario, folder, seed))
    content["seed"] = seed
    for section, changes in RULES[rule].items():
        content[section] = {**content.get(section, {}), **changes}
    if rule not in ("novel", "committee"):  # the others have limits of their own
        content["query"].pop("force_std", None)
    if rule == "every":
        content["query"]["every"] = spread_out(content, scenario)
    with config.open("w") as file:
        YAML().dump(content, file)
    return config


def spread_out(content: dict[str, Any], scenario: str) -> int:
    """MD steps between labels with which the budget lasts to the end of the protocol."""
    steps = content["explore"]["steps"] * len(content["explore"]["walkers"])
    given = 0 if scenario == "hydrogen" else 4
    every = content["explore"]["check_every"]
    return max(every, round(steps / (content["stop"]["max_labels"] - given) / every) * every)


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    call = [sys.executable, "-m", "snap_al", *map(str, arguments)]
    return subprocess.run(call, env=environment, capture_output=True, text=True, check=False)


def curve(config: Path) -> dict[str, Any]:
    """Labels and force RMSE on the unseen trajectories after each fit of a finished run; runs it if
    it is not.
    """
    run = config.with_suffix("")
    if not (run / "metrics.json").exists():
        done = command("run", config, "--out", run)
        if done.returncode not in (0, 2):
            print(done.stderr[-2000:], file=sys.stderr)
    events = read_events(run / "journal.jsonl")
    fits = [e for e in events if isinstance(e, Fitted)]
    stops = [e.reason for e in events if isinstance(e, Stopped | Halted)]
    return {
        "labels": [e.labels for e in fits],
        "forces": [e.table.forces.rmse for e in fits],
        "energy": [e.table.energy.rmse for e in fits],
        "stopped": stops[-1] if stops else "failed",
    }


def limit(scenario: str, out: Path) -> float:
    """eV/Å: the force RMSE that the model reaches on the unseen trajectories when fitted to others
    like them.
    """
    folder = out / scenario / "seed-1"
    if scenario in ("copper", "poisoned"):
        like = copper_like(folder)
    else:
        like = folder / LIKE_TEST
    content = YAML(typ="safe").load(
        next(folder / f"{rule}.yaml" for rule in RULES if (folder / f"{rule}.yaml").exists())
    )
    own = {
        "descriptor": content["descriptor"],
        "training": [{"path": like.name, "eweight": 100, "fweight": 1, "vweight": 3e-5}],
    }
    with (folder / "limit.yaml").open("w") as file:
        YAML().dump(own, file)
    command("fit", folder / "limit.yaml", "--out", folder / "limit")
    found = command("evaluate", folder / "limit", folder / "test.extxyz", "--json")
    return float(json.loads(found.stdout)["forces"]["rmse"])


def copper_like(folder: Path) -> Path:
    import ase.io

    from snap_al.cli.demo import TEST_TEMPERATURES, emt_trajectory

    path = folder / LIKE_TEST
    if not path.exists():
        frames = [
            f
            for t in TEST_TEMPERATURES
            for f in emt_trajectory(t, np.random.default_rng([int(t), 8]))
        ]
        ase.io.write(path, frames, format="extxyz")
    return path


def labels_to(found: dict[str, Any], target: float) -> float:
    """Labels from which on the error stays at or below the target; infinite if it is above at the
    end.
    """
    errors = np.array(found["forces"])
    above = np.flatnonzero(~(errors <= target))
    first = 0 if not len(above) else above[-1] + 1
    return float(found["labels"][first]) if first < len(errors) else np.inf


def table(curves: dict[str, dict[str, list[dict[str, Any]]]], limits: dict[str, float]) -> str:
    """Medians over seeds."""
    lines = [
        f"{'scenario':10} {'rule':10} {'to 1.1':>7} {'to 1.25':>8} {'labels':>7} {'forces':>8} "
        f"{'energy':>8}  ended"
    ]
    for scenario, rules in curves.items():
        for rule, runs in rules.items():
            reached = [
                float(np.median([labels_to(r, t * limits[scenario]) for r in runs]))
                for t in TARGETS
            ]
            texts = ["-" if np.isinf(x) else f"{x:g}" for x in reached]
            bought = np.median([r["labels"][-1] for r in runs])
            forces, energy = (np.median([r[k][-1] for r in runs]) for k in ("forces", "energy"))
            ends = sorted({r["stopped"].split(",")[0][:40] for r in runs})
            lines.append(
                f"{scenario:10} {rule:10} {texts[0]:>7} {texts[1]:>8} {bought:7g} {forces:8.3f} "
                f"{1e3 * energy:8.2f}  {'; '.join(ends)}"
            )
        lines.append(f"{scenario:10} {'limit':10} {'':7} {'':8} {'':7} {limits[scenario]:8.3f}")
    return "\n".join(lines)


def figure(curves: dict[str, dict[str, list[dict[str, Any]]]], limits: dict[str, float]) -> Figure:
    """Median error against labels, a panel for each scenario; each seed's curve goes on at its last
    value.
    """
    made = Figure(figsize=(4.2 * len(curves), 3.6), layout="constrained")
    for panel, (scenario, rules) in zip(
        np.atleast_1d(made.subplots(1, len(curves))), curves.items(), strict=True
    ):
        for rule, runs in rules.items():
            most = max(r["labels"][-1] for r in runs)
            at = np.arange(min(r["labels"][0] for r in runs), most + 1)
            errors = [
                [
                    ([np.nan, *r["forces"]])[np.searchsorted(r["labels"], n, side="right")]
                    for n in at
                ]
                for r in runs
            ]
            panel.plot(at, np.nanmedian(errors, axis=0), label=rule, lw=2 if rule == "novel" else 1)
        panel.axhline(limits[scenario], color="black", ls=":", lw=1)
        panel.set(title=scenario, xlabel="labels", yscale="log", ylabel="force RMSE, eV/Å")
    panel.legend(frameon=False)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--scenarios", nargs="+", default=SCENARIOS, choices=SCENARIOS)
    parser.add_argument("--rules", nargs="+", default=list(RULES), choices=list(RULES))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    seeds = range(1, given.seeds + 1)
    wanted = [(s, r, k) for s in given.scenarios for k in seeds for r in given.rules]
    configs = {each: prepared(*each, given.out) for each in wanted}
    with ThreadPoolExecutor(given.jobs) as pool:
        found = dict(zip(wanted, pool.map(curve, configs.values()), strict=True))
    curves = {s: {r: [found[s, r, k] for k in seeds] for r in given.rules} for s in given.scenarios}
    limits = {s: limit(s, given.out) for s in given.scenarios}
    text = table(curves, limits)
    (given.out / "table.txt").write_text(text + "\n")
    (given.out / "curves.json").write_text(json.dumps({"limits": limits, "curves": curves}) + "\n")
    figure(curves, limits).savefig(given.out / "curves.png", dpi=150)
    print(text)


if __name__ == "__main__":
    main()
