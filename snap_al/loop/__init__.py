"""One iteration, stopping rules, the run directory and its journal."""

from snap_al.loop.approval import Approval
from snap_al.loop.driver import Driver, Observer
from snap_al.loop.events import Event
from snap_al.loop.inputs import RunInputs, read_inputs
from snap_al.loop.journal import Journal, is_running, read_events
from snap_al.loop.run_directory import RunDirectory
from snap_al.loop.settings import RunConfig
from snap_al.loop.state import RunState, initial_state, replayed
from snap_al.loop.stopping import labels_left, model_limited
from snap_al.loop.walker_state import WalkerState, WalkerStatus

__all__ = [
    "Approval",
    "Driver",
    "Event",
    "Journal",
    "Observer",
    "RunConfig",
    "RunDirectory",
    "RunInputs",
    "RunState",
    "WalkerState",
    "WalkerStatus",
    "initial_state",
    "is_running",
    "labels_left",
    "model_limited",
    "read_events",
    "read_inputs",
    "replayed",
]
