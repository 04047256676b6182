"""What a FitSNAP deck (`.in`) says, and which of our fits its solvers are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from snap_al.descriptors import SnapSettings
from snap_al.inference import BayesSettings, EmbeddedSettings, FitSettings

DUMPS = {
    "descriptors": "Descriptors.npy",
    "truth": "Truth-Ref.npy",
    "weights": "Weights.npy",
    "dataframe": "FitSNAP.df",
}
FLAT = 1e-24
"""Precision of a prior that no data notices. FitSNAP's lstsq drops directions below 1e-13 of the
largest; this is about its square, and keeps every variance finite. Predictions are then FitSNAP's
to 1e-6 of their spread also for quadratic Ta and InP, whose smallest singular values are 5e-8 and
2e-5 next to columns of unit norm."""

SOLVERS: dict[str, FitSettings] = {
    # Anchored on least squares: FitSNAP's own coefficients, with error bars.
    "SVD": EmbeddedSettings(posterior="embedded", prior_precision=FLAT),
    "ANL": BayesSettings(posterior="bayes", prior_precision=FLAT),
    # As FitSNAP has it: σ² that of the residuals, on top of it variances of the coefficients with a
    # flat prior.
    "MERR": EmbeddedSettings(
        posterior="embedded",
        embedding="coefficients",
        mean="joint",
        prior="flat",
        noise_fraction=1.0,
        prior_precision=FLAT,
    ),
    "SNAP_AL": EmbeddedSettings(),
}
MERR_ABC = {"abc_alpha": 1.0, "abc_epsilon": 0.1}
"""FitSNAP's, for merr_method = abc."""


@dataclass(frozen=True)
class Group:
    """One line of [GROUPS]. Sizes: a count, or with a fractional type a share of the group's
    files.
    """

    name: str
    """Name of the group and of its folder or file."""
    training_size: float
    """Number or share of the files that are fitted."""
    testing_size: float
    """Number or share of the files for testing."""
    sizes_are_shares: tuple[bool, bool]
    """Whether training and testing sizes are shares of the group's files."""
    bare_size: bool
    """Given as `size`: what is not for training is for testing."""
    eweight: float
    """Weight of energies, 1/eV."""
    fweight: float
    """Weight of forces, Å/eV."""
    vweight: float
    """Weight of stresses, 1/bar."""


@dataclass(frozen=True)
class Deck:
    """A deck, read."""

    path: Path
    """Path of the deck."""
    settings: SnapSettings
    """[BISPECTRUM]: settings of the bispectrum."""
    reference: tuple[str, ...]
    """[REFERENCE]: lines of the reference potential."""
    eshift: dict[str, float]
    """Added to the energy for each atom of an element, in the energy unit of the files that the
    deck reads, before they are converted to eV."""
    kinds: tuple[bool, bool, bool]
    """[CALCULATOR]: whether energies, forces and stresses are fitted."""
    fit: FitSettings
    """[SOLVER]: settings of the fit."""
    scraper: str
    """[SCRAPER]: how the files are read."""
    units: dict[str, float]
    """By [SCRAPER] property_array: what a number in a file is worth in eV, eV/Å, Å, bar, where the
    file does not say.
    """
    total_energy: bool
    """VASP: the energy with entropy (TOTEN), not the one without."""
    skip_incomplete: bool
    """VASP: a step that is cut off is left out."""
    data: Path
    """[PATH]: folder of the files."""
    groups: tuple[Group, ...]
    """[GROUPS]: groups of files with their weights."""
    smartweights: bool
    """Whether weights are divided by the numbers of configurations and of components."""
    random_seed: int | None
    """None: files in the order of their names."""
    potential: str
    """Name of the potential's files."""
    metrics: str
    """Name of the table of errors."""
    metrics_style: str
    """Format of this table."""
    dumps: dict[str, str]
    """Of [EXTRAS]: descriptors, truth, weights, dataframe → file name."""
    samples: int
    """Draws from the posterior to write."""
    memory: int | None
    """Bytes that the design matrix may take."""
    notes: tuple[str, ...]
    """Remarks on what a user of FitSNAP would not expect."""
