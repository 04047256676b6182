"""Which labeler computes labels, where it runs, and the weights of its labels."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    PlainSerializer,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from snap_al.data.weights import Damping, Weight, Weights
from snap_al.named import DottedName
from snap_al.options import OF_YOURS, Table, refuse_inapplicable

JOB_KEYS = (
    "at_once",
    "threads",
    "cores",
    "timeout",
    "retries",
    "max_starts",
    "prologue",
    "environment",
)
"""Keys that apply to labels that are jobs."""
BackendName = Literal["here", "local", "cluster", "executor", "folder"]
OWN_KEYS = {"cluster": ("cluster",), "executor": ("executor", "executor_arguments")}
"""Keys that apply to one backend. The first of them is required there."""
APPLIES_WITH: Table = {
    "backend_options": ({"backend": (OF_YOURS,)},),
    **{key: ({"backend": ("local", "cluster", "executor")},) for key in JOB_KEYS},
    **{key: ({"backend": (backend,)},) for backend, keys in OWN_KEYS.items() for key in keys},
}
"""Cases in which an option has an effect. The options that are not listed always have one."""


def _seconds(value: object) -> object:
    """Of a walltime as schedulers write it, [days-]hours:minutes:seconds, or a number of
    minutes.
    """
    if not isinstance(value, str):
        return (
            60.0 * value
            if isinstance(value, int | float) and not isinstance(value, bool)
            else value
        )
    days, _, clock = value.rpartition("-")
    parts = clock.split(":")
    if len(parts) != 3 or not all(p.isdigit() for p in [*parts, days or "0"]):
        raise ValueError(f"{value!r} is neither hours:minutes:seconds nor a number of minutes")
    hours, minutes, seconds = (int(p) for p in parts)
    return float(((int(days or 0) * 24 + hours) * 60 + minutes) * 60 + seconds)


def _clock(seconds: float) -> str | float:
    """The walltime as [days-]hours:minutes:seconds; in minutes where it is no whole number of
    seconds. It is read again as the same time."""
    if not seconds.is_integer():
        return seconds / 60.0
    minutes, left = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"{f'{days}-' if days else ''}{hours}:{minutes:02}:{left:02}"


Walltime = Annotated[PositiveFloat, BeforeValidator(_seconds), PlainSerializer(_clock)]
"""A time that is held in s, and read and written as schedulers have it."""


class ClusterSettings(BaseModel, extra="forbid", frozen=True):
    """What one job asks the scheduler for. `tasks` and `label.threads` give what is reserved; the
    labeler's command starts its MPI ranks."""

    scheduler: Literal["slurm", "pbs", "pbs_classic", "lsf"]
    """The scheduler."""
    nodes: PositiveInt = 1
    """Number of nodes."""
    tasks: PositiveInt = 1
    """MPI ranks on each node."""
    memory_gb: PositiveFloat | None = None
    """Memory of each node; the default of the site when not given."""
    walltime: Walltime = 3600.0
    """[days-]hours:minutes:seconds, or minutes; held in s."""
    queue: str | None = None
    """Queue or partition."""
    account: str | None = None
    """Account that is charged."""
    attributes: dict[str, Annotated[str, Field(pattern=r"^[^\"'\n]*$")]] = {}
    """Other directives of the scheduler, by their long names: {qos: debug, constraint: cpu}."""
    labels_per_job: PositiveInt = 1
    """More than one for labels too short for a job each; they are computed one after another."""
    poll_every: PositiveInt = 5
    """s between looks at the queue, which only show jobs that ended without a result."""


class LabelChecks(BaseModel, extra="forbid", frozen=True):
    """What a label must be to be fitted. One that is not counts as failed, and is kept in
    labels/failed/ with the reason.
    """

    max_force: PositiveFloat | None = 100.0
    """eV/Å, of an atom; null for none."""
    energy_window: PositiveFloat | None = 10.0
    """eV/atom beyond the energies known so far, each element's own fitted and taken out; null for
    none.
    """
    stress_by_strain: bool = False
    """Before the first label: two more, of a strained cell, to compare the labeler's stress with
    its energies' derivative. Stops the run when it has another sign, or is off by half."""


class LabelSettings(BaseModel, extra="forbid", frozen=True):
    """How the run computes labels."""

    calculator: str = "ase.calculators.emt.EMT"
    """Dotted name of an ASE calculator, or of a function that returns one; or a name that ASE has,
    as `espresso`, with its profile there.
    """
    arguments: dict[str, Any] = {}
    """Keyword arguments for it."""
    magmoms: dict[str, float] = {}
    """μB, of each atom of an element to begin with, in structures without magnetic moments of their
    own.
    """
    eweight: Weight = 100.0
    """Weight of the energy per atom, 1/eV."""
    fweight: Weight = 1.0
    """Weight of force components, Å/eV."""
    vweight: Weight = 3e-5
    """Weight of stress components, 1/bar."""
    damping: Damping | None = Damping()
    """Less weight for labels far outside the range of use; null for none."""
    max_failures: int = Field(default=3, ge=1)
    """The run stops when so many labels in a row fail."""
    checks: LabelChecks = LabelChecks()
    """Limits on what is accepted as a label."""
    approve: bool = False
    """Wait for a person's yes (`snap-al approve DIR`) before labels are computed."""
    backend: BackendName | DottedName = "here"
    """here: in this process, on this rank. Jobs, below: local, in a process of its own on this
    machine; cluster, through a scheduler; executor, in any concurrent.futures.Executor. folder:
    from outside: structures are written to labels/asked/, and results taken from
    labels/answers/. Or the dotted name of a class of yours (snap_al.label.LabelBackend)."""
    backend_options: dict[str, Any] = {}
    """Arguments of a class of yours."""
    at_once: PositiveInt | None = None
    """Largest number of jobs at the same time; when not given, 1 when local, otherwise 100."""
    threads: PositiveInt = 1
    """Threads of each label, or of each of its MPI ranks."""
    cores: PositiveInt | None = None
    """Number of cores that the cost of a label is computed with; when not given, the number that is
    reserved on a cluster, otherwise the threads."""
    timeout: PositiveFloat | None = None
    """s, after which a label and all its processes are ended; no limit when not given."""
    retries: tuple[dict[str, Any], ...] = ()
    """Changes of `arguments`, tried one after another when a label fails."""
    max_starts: PositiveInt = 3
    """Largest number of starts of a label whose process ends without a result."""
    prologue: tuple[str, ...] = ()
    """Shell lines before each job, for example [module load qe]."""
    environment: dict[str, str] = {}
    """Environment variables for each job."""
    cluster: ClusterSettings | None = None
    """What jobs ask the scheduler for, with backend: cluster."""
    executor: str | None = None
    """Dotted name of a concurrent.futures.Executor, or of a function that returns one."""
    executor_arguments: dict[str, Any] = {}
    """Keyword arguments for the executor."""

    @model_validator(mode="after")
    def _keys_of_the_backend(self) -> LabelSettings:
        refuse_inapplicable(self, APPLIES_WITH)
        for backend, (needed, *_) in OWN_KEYS.items():
            if self.backend == backend and getattr(self, needed) is None:
                raise ValueError(f"backend: {backend} needs label.{needed}")
        return self

    @property
    def weights(self) -> Weights:
        return Weights(self.eweight, self.fweight, self.vweight)

    @property
    def most_at_once(self) -> int:
        return self.at_once or (1 if self.backend == "local" else 100)

    @property
    def cores_of_one(self) -> int:
        reserved = self.cluster.nodes * self.cluster.tasks if self.cluster else 1
        return self.cores or reserved * self.threads
