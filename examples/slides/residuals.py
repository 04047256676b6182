"""Predicted std against |residual| of a SNAP potential, on configurations that were not fitted:
without model error, and with it by the IID and the ABC likelihood. Ta and InP of FitSNAP's
examples, a fifth of the configurations held out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

import snap_al as sa
from snap_al.config import validate_config
from snap_al.descriptors import DescriptorEngine, DesignMatrix, Rows, row_source
from snap_al.loop import read_inputs
from snap_al.parallel import SERIAL
from snap_al.uncertainty import kind_metrics

DECKS = {"Ta": "Ta_Linear_JCP2014/Ta-example.in", "InP": "InP_JPCA2020/InP-example.in"}
METHODS: dict[str, dict[str, Any]] = {
    "conventional": {"posterior": "bayes", "prior_precision": 1e-12},
    "embedded, IID": {"embedding": "whitened"},
    "embedded, ABC": {"embedding": "whitened", "likelihood": "abc"},
    "embedded, any covariance (default)": {},
}


def rows_of(deck: Path, cache: Path) -> Rows:
    """All labelled rows of a deck's configurations."""
    config = validate_config({"fitsnap": deck.name}, deck)
    inputs = read_inputs(config, strict=False)
    with threadpool_limits(1), DescriptorEngine(config.descriptor, inputs.reference) as engine:
        matrix = DesignMatrix(row_source(engine, cache, SERIAL), SERIAL)
        matrix.append((*inputs.training, *inputs.test), strict=False)
        return Rows.joined([slab.used() for slab in matrix.slabs()])


def held_out(rows: Rows, seed: int) -> np.ndarray:
    """(m,) which rows belong to a fifth of the configurations."""
    numbers = rows.index["configuration"]
    everyone = np.unique(numbers)
    chosen = np.random.default_rng(seed).permutation(everyone)[: len(everyone) // 5]
    return np.isin(numbers, chosen)


def compared(rows: Rows, seed: int = 0) -> dict[str, dict[str, Any]]:
    """Of each method: metrics of the forces, |residual| and pushed-forward std (m,)."""
    out, kinds = held_out(rows, seed), rows.index["kind"]
    found = {}
    for name, options in METHODS.items():
        p = sa.fit_posterior(
            rows.values[~out], rows.targets[~out], rows.weights[~out], kinds=kinds[~out], **options
        )
        forces = out & (kinds == 1)
        q = p.predict(rows.values[forces], kinds=kinds[forces])
        std = np.hypot(q.epistemic_std, q.model_error_std)
        error = q.mean - rows.targets[forces]
        found[name] = {"metrics": kind_metrics(error, std), "error": np.abs(error), "std": std}
    return found


def make(out: Path, data: Path, sets: list[str]) -> None:
    import matplotlib.pyplot as plt

    lines = [
        "# Predicted std against |residual|",
        "",
        "Force components of held-out configurations, eV/Å; std pushed forward from the "
        "coefficients, without the noise term.",
        "",
        "| set | method | RMSE | RMS std | within 1 std | within 2 std | rank correlation |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in sets:
        found = compared(rows_of(data / DECKS[name], out / "descriptors"))
        fig, axes = plt.subplots(
            1, len(found), figsize=(4.2 * len(found), 4.2), sharex=True, sharey=True
        )
        for ax, (method, m) in zip(axes, found.items(), strict=True):
            some = np.random.default_rng(0).permutation(len(m["error"]))[:4000]
            ax.loglog(m["error"][some], m["std"][some], ".", ms=2, alpha=0.4)
            ax.loglog([1e-5, 10], [1e-5, 10], "k", lw=1)
            ax.set(
                title=f"{name}: {method}",
                xlabel="|residual|, eV/Å",
                xlim=(1e-5, 10),
                ylim=(1e-5, 10),
            )
            of = m["metrics"]
            lines.append(
                f"| {name} | {method} | {of.rmse:.3f} | {of.sharpness:.3f} | "
                f"{of.coverage_1sigma:.2f} | {of.coverage_2sigma:.2f} | {of.spearman:.2f} |"
            )
        axes[0].set_ylabel("predicted std, eV/Å")
        fig.tight_layout()
        fig.savefig(out / f"residuals_{name}.png", dpi=110)
        plt.close(fig)
    (out / "residuals.md").write_text("\n".join(lines) + "\n")
