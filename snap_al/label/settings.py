"""Which labeler, and how much its labels weigh."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from snap_al.data.weights import Damping, Weights


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

    @property
    def weights(self) -> Weights:
        return Weights(self.eweight, self.fweight, self.vweight)
