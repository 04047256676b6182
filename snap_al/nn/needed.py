"""Packages of the extra `nn`, which are imported when they are needed."""

from __future__ import annotations

import importlib
import warnings

from snap_al.errors import InputError

INSTALL = "pip install 'snap_al[nn]'"


def require(*packages: str) -> None:
    """Imports the packages. Raises InputError that names the one that is missing."""
    for package in packages:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                importlib.import_module(package)
        except ImportError as error:
            raise InputError(f"networks need the package {package}: {INSTALL}") from error
