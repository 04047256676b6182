"""Energies, forces, stress and their stds of configurations. One rank."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ase import Atoms
from threadpoolctl import threadpool_limits

from snap_al.data.carried import as_extended_xyz, with_reference_names
from snap_al.data.configuration import Configuration
from snap_al.data.counts import ReadCount
from snap_al.data.readers import FileOptions, read_file
from snap_al.data.storage import write_atomically
from snap_al.descriptors import DescriptorEngine
from snap_al.potential import FittedPotential
from snap_al.potential.snap_calculator import predicted
from snap_al.progress import Report, silent


def predict(
    folder: Path | str,
    data: Path | str,
    out: Path | str,
    report: Report = silent,
    options: FileOptions | None = None,
    warn: Callable[[str], None] = lambda text: None,
    say: Callable[[str], None] = lambda text: None,
) -> int:
    """Writes `data` again as extended XYZ with energies, forces and stress of the potential in
    `folder` and their stds.

    Names: energy (eV), forces (eV/Å), stress (eV/Å³), and energy_std (eV, of the whole cell),
    forces_std, stress_std (components; total std). All else that the frames carry stays; labels
    that they had under energy, forces, stress or virial are under REF_energy, REF_forces,
    REF_stress. options: how to read the file. warn: is told what extended XYZ cannot hold, and say
    how many frames the file has. Returns the number of configurations. Raises InputError. Runs on
    one rank.
    """
    potential = FittedPotential.read(Path(folder))
    found = read_file(Path(data), potential.settings.elements, labelled=False, options=options)
    for line in ReadCount("data", str(data), found.frames, labels_used=False).described():
        say(line)
    frames = []
    with threadpool_limits(1), DescriptorEngine(potential.settings, potential.reference) as engine:
        for n, (configuration, atoms) in enumerate(
            zip(found.configurations, found.atoms, strict=True)
        ):
            report("predictions", n, found.frames)
            frames.append(_predicted(configuration, atoms, engine, potential))
    text, remarks = as_extended_xyz(frames)
    for remark in (*found.left_out, *remarks):
        warn(remark)
    write_atomically(Path(out), text)
    return len(frames)


def _predicted(
    configuration: Configuration,
    carried: Atoms,
    engine: DescriptorEngine,
    potential: FittedPotential,
) -> Atoms:
    found = predicted(potential.posterior, engine.rows(configuration), len(configuration))
    atoms = with_reference_names(carried, configuration.label)
    atoms.info |= {name: found[name] for name in ("energy", "energy_std", "stress", "stress_std")}
    atoms.arrays |= {name: found[name] for name in ("forces", "forces_std")}
    return atoms
