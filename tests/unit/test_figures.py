"""snap_al.reporting.figures: Figures show what their titles say."""

import matplotlib
import numpy as np
import pytest

from snap_al.reporting.prediction_figures import MOST_BARS, parity
from snap_al.reporting.record import Predictions


@pytest.mark.parametrize("n", [3 * MOST_BARS, 3 * MOST_BARS - 2, 6 * MOST_BARS])
def test_parity_draws_all_components_of_forces(n):
    """Rows are x, y, z in turn. Where some are drawn, each component has its share."""
    matplotlib.use("Agg")
    component = np.arange(n) % 3.0
    zeros = np.zeros(n)
    one_group = np.zeros(n, dtype=np.int32)
    rows = Predictions(np.ones(n, np.int8), one_group, ("",), component, zeros, zeros + 0.1)
    panel = parity(rows).axes[0]
    drawn = panel.containers[0].lines[0].get_xdata()
    assert panel.get_title(loc="left") == f"forces, {MOST_BARS} of {n}"
    assert len(drawn) == MOST_BARS
    assert np.bincount(drawn.astype(int)) == pytest.approx(MOST_BARS / 3, rel=0.15)
