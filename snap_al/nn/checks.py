"""What a module and rows must be to be wrapped; refused by name otherwise."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from snap_al.errors import FitError, InputError

Array = NDArray[np.float64]
RESETS = ("reset_parameters", "_reset_parameters")
"""Methods of torch's layers that draw initial weights."""


def check_module(module: Any) -> None:
    """Raises InputError for what is no module, for one without weights to fit, and for layers whose
    result depends on more than weights and inputs.
    """
    import torch

    if not isinstance(module, torch.nn.Module):
        raise InputError(f"a torch.nn.Module is needed, not a {type(module).__name__}")
    weights = [p for p in module.parameters() if p.requires_grad]
    if any(torch.nn.parameter.is_lazy(p) for p in module.parameters()):
        raise InputError("a layer is lazy: call the module once, so that its weights have shapes")
    if not weights:
        raise InputError("the module has no weights to fit (parameters that require gradients)")
    for name, layer in module.named_modules():
        reason = _why_not(layer)
        if reason:
            where = f"{name} ({type(layer).__name__})" if name else type(layer).__name__
            raise InputError(f"layer {where} {reason}")


def _why_not(layer: Any) -> str:
    """Why this layer cannot be wrapped; "" where it can."""
    import torch

    statistics = (torch.nn.modules.batchnorm._NormBase,)
    if isinstance(layer, torch.nn.modules.batchnorm._BatchNorm) or (
        isinstance(layer, statistics) and layer.track_running_stats
    ):
        return (
            "keeps statistics of the rows that it has seen, so that predictions are no function of "
            "the weights alone; take torch.nn.LayerNorm, or scale the inputs"
        )
    dropout = isinstance(layer, torch.nn.modules.dropout._DropoutNd)
    share = getattr(layer, "p" if dropout else "dropout", 0.0)
    if isinstance(share, float | int) and share > 0:
        return "draws random numbers of its own (dropout); leave it out, the wrapper gives the stds"
    return ""


def check_resets(module: Any) -> None:
    """Raises InputError for a layer with weights of its own that cannot draw initial ones."""
    for name, layer in module.named_modules():
        own = [p for p in layer.parameters(recurse=False) if p.requires_grad]
        if own and not any(hasattr(layer, method) for method in RESETS):
            raise InputError(
                f"layer {name or 'at the top'} ({type(layer).__name__}) has weights of its own and "
                "no reset_parameters(), which draws independent initial weights; define it"
            )


def checked_rows(x: ArrayLike, y: ArrayLike) -> tuple[Array, Array, bool]:
    """Inputs (N, ...), targets (N, o), and whether the targets were given as (N,). Raises
    FitError.
    """
    inputs, targets = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if inputs.ndim < 2 or targets.ndim not in (1, 2) or len(inputs) != len(targets):
        raise FitError(
            f"x has shape {inputs.shape} and y {targets.shape}; (N, d) and (N,) or (N, o) are "
            "needed"
        )
    if len(inputs) < 2:
        raise FitError(f"{len(inputs)} rows; at least 2 are needed")
    for name, values in (("x", inputs), ("y", targets)):
        if not np.isfinite(values).all():
            raise FitError(
                f"{name} has {int((~np.isfinite(values)).sum())} values that are no finite numbers"
            )
    return inputs, targets.reshape(len(targets), -1), targets.ndim == 1


def checked_inputs(x: ArrayLike, shape: tuple[int, ...]) -> Array:
    """Inputs (N, ...) of the shape (...) that was fitted. Raises InputError."""
    inputs = np.asarray(x, dtype=float)
    if inputs.ndim != len(shape) + 1 or inputs.shape[1:] != shape:
        raise InputError(f"x has shape {inputs.shape}; fitted were rows of shape {shape}")
    if not np.isfinite(inputs).all():
        raise InputError("x has values that are no finite numbers")
    return inputs


def positive(name: str, value: ArrayLike) -> None:
    """Raises InputError unless all numbers are finite and above zero."""
    values = np.asarray(value, dtype=float)
    if not (np.isfinite(values).all() and (values > 0).all()):
        raise InputError(f"{name} is {values}; it must be above zero")


def at_least(name: str, value: int, least: int) -> None:
    """Raises InputError for smaller numbers."""
    if int(value) != value or value < least:
        raise InputError(f"{name} is {value}; it must be an integer of at least {least}")
