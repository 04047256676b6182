"""Which keys of a FitSNAP deck are followed, which make no difference, and which would and are
refused.

https://fitsnap.github.io/Run/Run_input.html
"""

from __future__ import annotations

FOLLOWED: dict[str, tuple[str, ...]] = {
    "BISPECTRUM": (
        "numTypes",
        "twojmax",
        "rcutfac",
        "rfac0",
        "rmin0",
        "wj",
        "radelem",
        "type",
        "wselfallflag",
        "chemflag",
        "bzeroflag",
        "bnormflag",
        "switchflag",
        "quadraticflag",
        "switchinnerflag",
        "sinner",
        "dinner",
    ),
    "CALCULATOR": ("calculator", "energy", "force", "stress"),
    "ESHIFT": (),  # one key per element
    "TRAINSHIFT": (),  # one key per element
    "SOLVER": ("solver", "nsam", "merr_method", "merr_mult", "merr_cfs"),
    "SCRAPER": ("scraper", "property_array"),
    "PATH": ("dataPath", "groupFile"),
    "OUTFILE": (
        "metrics",
        "potential",
        "metrics_style",
        "descriptors",
        "truth",
        "weights",
        "dataframe",
    ),
    "REFERENCE": ("units", "atom_style", "pair_style"),  # and pair_coeff1, pair_coeff2 …
    "GROUPS": (
        "group_sections",
        "group_types",
        "smartweights",
        "random_sampling",
        "random_seed",
        "vasp_use_TOTEN",
        "vasp_ignore_incomplete",
    ),  # and one per group
    "EXTRAS": ("dump_descriptors", "dump_truth", "dump_weights", "dump_dataframe"),
    "MEMORY": ("memory", "override"),
}

NO_DIFFERENCE: dict[str, tuple[str, ...]] = {
    # Errors are always in detail, and on the test set if there is one.
    "SOLVER": (
        "compute_testerrs",
        "detailed_errors",
        "normalweight",
        "normratio",
        "mcmc_num",
        "mcmc_gamma",
    ),
    "SCRAPER": ("save_group_scrape", "read_group_scrape"),
    "OUTFILE": ("detailed_errors", "peratom", "perconfig", "configs"),
    "GROUPS": ("vasp_json_pathname", "vasp_ignore_jsons", "vasp_unconverged_label"),
    # The transposed equations have the same solution, with fewer digits.
    "EXTRAS": ("multinode_testing", "apply_transpose"),
}
"""Keys that do not change what is fitted: FitSNAP reads some of them and never looks at them
again.
"""

REFUSED_UNLESS: dict[str, dict[str, tuple[tuple[str, ...], str]]] = {
    "BISPECTRUM": {
        "bikflag": (
            ("0",),
            "one row per atom is for nonlinear models; a linear fit takes their sum",
        ),
        "alloyflag": (("0",), "it is an older name of chemflag"),
        "dgradflag": (("0",), "derivatives per neighbour are for nonlinear models"),
    },
    "CALCULATOR": {
        "per_atom_energy": (("0",), "energies are fitted per configuration"),
        "nonlinear": (("0",), "models are linear in the coefficients"),
        "per_atom_scalar": (("0",), "only energies, forces and stress are fitted"),
    },
    "SOLVER": {"cov_nugget": (("0",), "the prior keeps the covariance finite; leave it out")},
    "OUTFILE": {"output_style": (("SNAP",), "only SNAP files are written")},
    "GROUPS": {"BOLTZ": (("0",), "give the groups weights instead")},
    "EXTRAS": {
        "only_test": (("0",), "use `snap-al evaluate`"),
        "dump_peratom": (("0",), "use `snap-al predict`"),
        "dump_perconfig": (("0",), "use `snap-al predict`"),
        "dump_configs": (("0",), "pickled configurations are not written"),
    },
}
"""Keys that would change the result and are not followed: the values that do not, and why or what
to do.
"""

FREE_SECTIONS = ("GROUPS", "ESHIFT", "TRAINSHIFT")
"""Their other keys are names of groups or elements."""


def known_keys(section: str) -> list[str]:
    return [*FOLLOWED[section], *NO_DIFFERENCE.get(section, ()), *REFUSED_UNLESS.get(section, {})]
