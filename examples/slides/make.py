"""All figures and pages: python examples/slides/make.py --out DIR [--data shared/data] [--sets Ta
InP]
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import committee
import matplotlib
import polynomials
import residuals
import sine

HERE = Path(__file__).resolve()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("slides"))
    parser.add_argument(
        "--data",
        type=Path,
        default=Path(os.environ.get("SNAP_AL_DATA", HERE.parents[3] / "shared" / "data")),
    )
    parser.add_argument("--sets", nargs="*", default=["Ta", "InP"], choices=list(residuals.DECKS))
    arguments = parser.parse_args()
    matplotlib.use("Agg")
    arguments.out.mkdir(parents=True, exist_ok=True)
    sine.make(arguments.out)
    polynomials.make(arguments.out)
    committee.make(arguments.out)
    sets = [name for name in arguments.sets if (arguments.data / residuals.DECKS[name]).exists()]
    if sets:
        residuals.make(arguments.out, arguments.data, sets)
    print(
        f"wrote {', '.join(sorted(p.name for p in arguments.out.iterdir() if p.is_file()))} into "
        f"{arguments.out}"
    )
    if len(sets) < len(arguments.sets):
        print(
            f"no data in {arguments.data}: left out "
            f"{', '.join(sorted(set(arguments.sets) - set(sets)))}; give --data"
        )


if __name__ == "__main__":
    main()
