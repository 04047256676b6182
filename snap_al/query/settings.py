"""When a frame is worth a label."""

from pydantic import BaseModel, Field


class QuerySettings(BaseModel, extra="forbid", frozen=True):
    """A frame is queried when its largest force std (i) exceeds the tolerance, (ii) is novel, and (iii) a label would help.

    When (i) holds and (ii) or (iii) does not, the model is the limit and a label would be spent for nothing.
    """

    force_std: float = Field(default=0.1, gt=0)
    """Tolerance, eV/Å, on the largest force std over a frame's atoms."""
    novelty_quantile: float = Field(default=0.5, ge=0, le=1)
    """(ii) above this quantile of the same number over the training configurations, each predicted without itself."""
    min_gain: float = Field(default=0.1, ge=0, lt=1)
    """(iii) the label would lower it by at least this share (computed before labelling, from the frame's own rows)."""
