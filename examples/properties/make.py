"""Properties with error bars of seven metals' potentials, each next to EMT, and how many error bars
hold the truth.

python examples/properties/make.py --out properties [--metals Cu,Al] [--draws 32] [--steps 1500]
    [--only elastic,...]
python examples/properties/make.py --out properties --tables
    # the lines of README and docs/measured.md again, from what is there
"""

import argparse
import json
from pathlib import Path

import ase.io
import matplotlib
import numpy as np
from ase.build import bulk
from matplotlib.figure import Figure

import snap_al as sa
from snap_al.parallel import on_root, world

HERE = Path(__file__).parent
METALS = {"Cu": 1358, "Al": 933, "Ni": 1728, "Pd": 1828, "Ag": 1235, "Pt": 2041, "Au": 1337}
"""With melting points, K."""
SHELLS = 1.38
"""Cutoff in lattice constants: between the third and the fourth shell of neighbours."""
SHOWN = {
    "a": "lattice constant",
    "bulk modulus": "bulk modulus",
    "elastic": "C11, C12, C44",
    "vacancy": "vacancy formation",
    "vacancy jump": "vacancy jump",
    "surface": "surfaces 100, 110, 111",
    "phonon": "phonons",
    "all but cohesive energies": "all (with the atomic volume)",
}
"""Rows of this folder's README, by their names in coverage.json."""
NAMES = "lattice,eos,elastic,vacancy,surfaces,phonons"


def potential_of(metal, folder, steps, comm):
    """A run in `folder`/run."""

    def write():
        folder.mkdir(parents=True, exist_ok=True)
        crystal = bulk(metal, cubic=True)
        ase.io.write(folder / "crystal.extxyz", crystal)
        text = (
            (HERE / "metal.yaml")
            .read_text()
            .replace("METAL", metal)
            .replace("CUTOFF", f"{SHELLS * crystal.cell[0, 0]:.2f}")
        )
        text = text.replace("WARM", f"{0.2 * METALS[metal]:.0f}").replace(
            "HOT", f"{0.8 * METALS[metal]:.0f}"
        )
        (folder / "metal.yaml").write_text(text.replace("steps: 1500", f"steps: {steps}"))

    on_root(comm, write)
    sa.run(folder / "metal.yaml", folder / "run", comm=comm)
    return folder / "run"


def kind(name):
    return (
        name.split()[0]
        if name.startswith(("surface", "phonon"))
        else "elastic"
        if name.startswith("C")
        else name
    )


def counted(found):
    """By kind of property: how many, and which shares lie within one and two stds; median relative
    error and std.
    """
    kinds = {}
    for metal, properties in found.items():
        for p in properties:
            if p["z"] is not None:
                kinds.setdefault(kind(p["name"]), []).append(p)
    rows = {
        **kinds,
        "all but cohesive energies": [
            p for k, ps in kinds.items() if k != "cohesive energy" for p in ps
        ],
    }
    return {
        name: {
            "n": len(ps),
            "within 1 std": float(np.mean([abs(p["z"]) <= 1 for p in ps])),
            "within 2 std": float(np.mean([abs(p["z"]) <= 2 for p in ps])),
            "median |error|, %": float(
                100 * np.median([abs(p["value"] / p["reference"] - 1) for p in ps])
            ),
            "median std, %": float(100 * np.median([abs(p["std"] / p["reference"]) for p in ps])),
        }
        for name, ps in rows.items()
    }


def tables(counts):
    """Lines of Markdown: the table of this folder's README, what it says of cohesive energies, and
    the line of docs/measured.md.
    """
    columns = ("within 1 std", "within 2 std", "median |error|, %", "median std, %")
    lines = [
        "| | n | within 1 std | within 2 std | median error, % | median std, % |",
        "|---|---|---|---|---|---|",
    ]
    for name, label in SHOWN.items():
        if name in counts:
            one, two, error, std = (counts[name][c] for c in columns)
            lines.append(
                f"| {label} | {counts[name]['n']} | {one:.2f} | {two:.2f} | {error:.2g} | "
                f"{std:.2g} |"
            )
    if "cohesive energy" in counts:
        row = counts["cohesive energy"]
        one, two, error, std = (row[c] for c in columns)
        shares = f"{one * row['n']:.0f} within 1 std, {two * row['n']:.0f} within 2"
        lines += [
            "",
            f"Cohesive energies: {shares}, of {row['n']} ({std:.2g} % std, {error:.2g} % error).",
        ]
    row = counts["all but cohesive energies"]
    shares = f"{row['within 1 std']:.2f}, {row['within 2 std']:.2f}"
    return [
        *lines,
        "",
        f"| {row['n']} properties within 1 and 2 std | {shares} | | examples/properties |",
    ]


def picture(found, path):
    matplotlib.use("Agg")
    shown = [
        (m, p)
        for m, ps in found.items()
        for p in ps
        if p["z"] is not None and p["name"] != "cohesive energy"
    ]
    names = list(dict.fromkeys(p["name"] for _, p in shown))
    figure = Figure(figsize=(9, 4.2), layout="constrained")
    panel = figure.subplots()
    panel.axhspan(-2, 2, color="0.93", lw=0)
    panel.axhspan(-1, 1, color="0.85", lw=0)
    for n, metal in enumerate(found):
        mine = [p for m, p in shown if m == metal]
        x = [names.index(p["name"]) + 0.09 * (n - len(found) / 2) for p in mine]
        panel.plot(x, [p["z"] for p in mine], "o", ms=4, label=metal)
    panel.set_xticks(range(len(names)), names, rotation=60, ha="right", fontsize=8)
    panel.set_ylabel("(potential - EMT) / std")
    panel.legend(ncols=7, fontsize=8)
    figure.savefig(path, dpi=120)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, default=Path("properties"))
    parser.add_argument("--metals", default=",".join(METALS))
    parser.add_argument("--draws", type=int, default=32)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--only", default=NAMES)
    parser.add_argument("--tables", action="store_true")
    options = parser.parse_args()
    if options.tables:
        print(*tables(json.loads((options.out / "coverage.json").read_text())), sep="\n")
        return
    comm, found = world(), {}
    for metal in options.metals.split(","):
        run = potential_of(metal, options.out / metal, options.steps, comm)
        settings = sa.ValidateSettings(only=tuple(options.only.split(",")), draws=options.draws)
        result = sa.validate(run, labeler="own", settings=settings, comm=comm)
        found[metal] = [p.as_json() for p in result.properties]
        if comm.rank == 0:
            print(metal, result.coverage, *result.problems, flush=True)
    if comm.rank == 0:
        table = counted(found)
        (options.out / "coverage.json").write_text(json.dumps(table, indent=1))
        (options.out / "properties.json").write_text(json.dumps(found, indent=1))
        picture(found, options.out / "coverage.png")
        print(*tables(table), sep="\n")


if __name__ == "__main__":
    main()
