"""Which labeler, and how much its labels weigh."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field, PositiveFloat, PositiveInt, model_validator

from snap_al.data.weights import Damping, Weights

LOCAL_KEYS = ("at_once", "threads", "timeout", "retries", "max_starts", "prologue", "environment")


class LabelSettings(BaseModel, extra="forbid", frozen=True):
    """Labels that the run makes itself."""

    calculator: str = "ase.calculators.emt.EMT"
    """Dotted name of an ASE calculator, or of a function that returns one."""
    arguments: dict[str, Any] = {}
    """Keyword arguments for it."""
    eweight: float = Field(default=100.0, ge=0)
    """Weight of the energy per atom, 1/eV."""
    fweight: float = Field(default=1.0, ge=0)
    """Weight of force components, Å/eV."""
    vweight: float = Field(default=3e-5, ge=0)
    """Weight of stress components, 1/bar."""
    damping: Damping | None = Damping()
    """Less weight for labels far outside the range of use; null for none."""
    max_failures: int = Field(default=3, ge=1)
    """The run stops when so many labels in a row fail."""
    backend: Literal["here", "local", "folder"] = "here"
    """here: in this process, on this rank. local: each in a process of its own on this machine, below. folder:
    from outside: structures are written to labels/asked/, and results taken from labels/answers/."""
    at_once: PositiveInt = 1
    """local: labels at the same time."""
    threads: PositiveInt = 1
    """local: of each label."""
    timeout: PositiveFloat | None = None
    """local: s, after which a label and all that it started are ended; none when not given."""
    retries: tuple[dict[str, Any], ...] = ()
    """local: changes of `arguments`, tried one after another when a label fails."""
    max_starts: PositiveInt = 3
    """local: how often a label is started whose process ends without a result."""
    prologue: tuple[str, ...] = ()
    """local: shell lines before each label, for example [module load qe]."""
    environment: dict[str, str] = {}
    """local: variables for each label."""

    @model_validator(mode="after")
    def _for_processes_of_their_own(self) -> LabelSettings:
        given = [name for name in LOCAL_KEYS if name in self.model_fields_set]
        if self.backend != "local" and given:
            raise ValueError(f"{', '.join(given)}: only with backend: local")
        return self

    @property
    def weights(self) -> Weights:
        return Weights(self.eweight, self.fweight, self.vweight)
