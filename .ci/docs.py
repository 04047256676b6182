"""The API reference, from docstrings, into a folder: python .ci/docs.py build/docs. The mathematics
are on the page of snap_al.fit.
"""

import pkgutil
import sys
import warnings
from pathlib import Path

import pdoc

import snap_al
import snap_al.fit


def main(folder: Path) -> None:
    for name in snap_al.__all__:  # loaded when they are first used; pdoc looks at what is there
        setattr(snap_al, name, getattr(snap_al, name))
    packages = [
        f"snap_al.{m.name}"
        for m in pkgutil.iter_modules(snap_al.__path__)
        if m.ispkg or m.name in ("errors", "units", "progress")
    ]
    extra = [
        "snap_al.potential.snap_calculator",
        "snap_al.potential.calculator",
        "snap_al.potential.contract",
    ]
    # inherited dataclass fields have their annotations in the parent's module
    warnings.filterwarnings("ignore", "Error parsing type annotation Damping")
    mathematics = Path(snap_al.fit.__file__).with_name("mathematics.md").read_text()
    snap_al.fit.__doc__ = f"{snap_al.fit.__doc__}\n\n{mathematics}"
    pdoc.render.configure(docformat="markdown", math=True)
    pdoc.pdoc("snap_al", *packages, *extra, output_directory=folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
