"""When a run is done, and whether it is model-limited."""

from __future__ import annotations

from snap_al.errors import RunError
from snap_al.loop.settings import RunConfig
from snap_al.loop.state import RunState
from snap_al.loop.walker_state import WalkerStatus

MODEL_LIMITED_SHARE = 0.05
"""A run is called model-limited when more than this share of its checked frames is over the
tolerance and not novel.
"""

FEWEST_CHECKS = 100


def labels_left(state: RunState, config: RunConfig) -> int:
    """How many labels the run may still ask for."""
    return max(config.stop.max_labels - len(state.labelled), 0)


def stop_reason(state: RunState, config: RunConfig) -> str:
    """Why the run stops now; "" when it goes on."""
    assert config.explore is not None
    if not labels_left(state, config):
        return f"label budget of {config.stop.max_labels} spent"
    if all(w.status is not WalkerStatus.EXPLORING for w in state.walkers):
        given_up = sum(w.status is WalkerStatus.GIVEN_UP for w in state.walkers)
        return "every walker is at the end of its protocol" + (
            f", {given_up} given up" if given_up else ""
        )
    limit = config.stop.nothing_novel_ps
    quiet = state.ps_since_query
    if limit is not None and quiet >= limit:
        return f"nothing novel in {quiet:g} ps"
    frames = config.stop.nothing_novel_frames
    if frames is not None and state.checks_since_query >= frames:
        return f"nothing novel in {state.checks_since_query} checked frames"
    limited, seen = state.limited_since_query, state.checks_since_query
    if config.stop.model_limited and seen >= FEWEST_CHECKS and limited > 0.5 * seen:
        return (
            f"model-limited: {limited} of {seen} frames since the last query are over the "
            "tolerance, and labels would not help"
        )
    return stalled(state, config)


def stalled(state: RunState, config: RunConfig) -> str:
    """Why the run stops when the error on the test set has not fallen in the last fits; "" when it
    has fallen, or when this is not asked for."""
    n, errors = config.stop.stalled_fits, state.test_errors
    if n is None or len(errors) <= n:
        return ""
    before, since = min(errors[:-n]), min(errors[-n:])
    if since < before * (1.0 - config.stop.stalled_share):
        return ""
    return (
        f"the force RMSE on the test set has stalled: {since:.4f} eV/Å in the last {n} fits, "
        f"{before:.4f} before"
    )


def failed_run(state: RunState) -> None:
    """Raises RunError, on all ranks alike, when all walkers were given up."""
    if state.walkers and all(w.status is WalkerStatus.GIVEN_UP for w in state.walkers):
        raise RunError(
            f"every walker was given up, the last after: {state.walkers[-1].reason}. The labels "
            "and the last fit are kept. "
            "Begin in a new --out (copy labels/ into it, and none is computed twice) at a lower "
            "temperature or timestep, "
            "with a reference potential such as ZBL, or with more guards.max_retries"
        ).on_all_ranks()


def model_limited(state: RunState) -> str:
    """A message when the model, and not the data, limits the error; "" otherwise."""
    if not state.checks or state.model_limited / state.checks <= MODEL_LIMITED_SHARE:
        return ""
    return (
        f"model-limited: {state.model_limited} of {state.checks} checked frames are over the "
        "tolerance, and more labels "
        "there would not help; a larger twojmax or cutoff, quadratic terms, or a wider tolerance "
        "would: `snap-al tune DIR` tries "
        "them on the labels at hand"
    )
