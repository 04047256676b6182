"""500 refits of a training set that grows by one configuration at a time: with what is kept, and
from nothing.

    python tests/bench/bench_refit.py [REFITS] [ATOMS] [COLUMNS]

Rows are those of a random linear model with a misfit, 3 ATOMS + 7 per configuration. Both sides in
one run: the kept triangular factor with model error estimated anew when the rows have grown by a
tenth (as runs do), its refits alone, and a whole fit each time (measured at a few sizes). Times in
milliseconds.
"""

from __future__ import annotations

import sys
import time

import numpy as np
from threadpoolctl import threadpool_limits

from snap_al.inference import Block, fit_blocks, fit_settings, refit, triangle_of


def main() -> None:
    refits, atoms, columns = (
        int(x) for x in (sys.argv[1:] + ["500", "108", "56"][len(sys.argv) - 1 :])
    )
    rng = np.random.default_rng(0)
    mixing, truth = rng.standard_normal((columns, columns)), rng.standard_normal(columns)
    settings = fit_settings()

    def configuration() -> Block:
        a = rng.standard_normal((3 * atoms + 7, columns)) @ mixing
        return Block(a, a @ truth + 0.3 * np.sin(a[:, 0]), np.ones(len(a), dtype=bool))

    def copies(blocks: list[Block]) -> list[Block]:
        return [Block(b.rows.copy(), b.targets, b.fitted) for b in blocks]

    blocks = [configuration()]
    triangle = triangle_of(blocks)
    posterior, _ = fit_blocks(copies(blocks), settings)
    kept: list[float] = []
    anew: list[tuple[int, float]] = []
    whole: list[tuple[int, float]] = []
    for number in range(2, refits + 2):
        added = configuration()
        blocks.append(added)
        started = time.perf_counter()
        triangle = triangle_of([added], triangle)
        rows = number * len(added.rows)
        if rows <= posterior.embedded_rows * (1 + settings.embed_again):
            posterior = refit(posterior, triangle, rows, copies([added]), settings)
            kept.append(1e3 * (time.perf_counter() - started))
        else:
            posterior, _ = fit_blocks(
                copies(blocks), settings, triangle=triangle, previous=posterior
            )
            anew.append((number, 1e3 * (time.perf_counter() - started)))
        if number % (refits // 5) == 1:
            started = time.perf_counter()
            fresh, _ = fit_blocks(copies(blocks), settings)
            whole.append((number, 1e3 * (time.perf_counter() - started)))
            apart = np.abs(fresh.mean - posterior.mean).max() / np.abs(fresh.mean).max()
            print(
                f"{number:4d} configurations: whole fit {whole[-1][1]:8.1f} ms; coefficients "
                f"differ by {apart:.1e}"
            )
    part = len(kept) // 5
    print(
        f"refits with what is kept: {len(kept)}, median {np.median(kept):.2f} ms; first fifth "
        f"{np.median(kept[:part]):.2f}, "
        f"last fifth {np.median(kept[-part:]):.2f}"
    )
    print(
        f"model error anew: {len(anew)} times, {sum(t for _, t in anew):.0f} ms together, the "
        f"last {anew[-1][1]:.1f} ms"
    )
    total = sum(kept) + sum(t for _, t in anew)
    sizes, times = np.array(whole).T
    scratch = float(np.polyval(np.polyfit(sizes, times, 1), np.arange(2, refits + 2)).sum())
    print(
        f"{refits} refits: {total / 1e3:.1f} s; each a whole fit: {scratch / 1e3:.1f} s (from the "
        "sizes above)"
    )


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
