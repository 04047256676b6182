"""Run under mpirun by tests/test_ranks.py: every method on rows that are spread over ranks, against
all of them on one.
"""

import warnings

import numpy as np
import pytest

from snap_al.errors import FitError
from snap_al.inference import fit_posterior
from snap_al.parallel import served, world

warnings.simplefilter("ignore")
COEFFICIENTS = {"embedding": "coefficients"}
# tolerances of what sampling leaves: POPS' covariance is that of some 200 points, drawn along axes
# whose signs are rounding's
METHODS = (
    ({}, 1e-9),
    ({"posterior": "bayes"}, 1e-9),
    ({"posterior": "variational"}, 1e-9),
    ({"posterior": "committee"}, 1e-9),
    ({"posterior": "pops"}, 0.3),
    ({"embedding": "whitened"}, 1e-6),
    ({"mean": "joint"}, 1e-4),
    ({**COEFFICIENTS, "mean": "joint"}, 1e-4),
    ({**COEFFICIENTS, "likelihood": "abc", "mean": "joint"}, 2e-2),
    ({**COEFFICIENTS, "embed": "auto"}, 1e-6),
    ({"embedding": "whitened", "likelihood": "full"}, 2e-2),
    ({"recalibrate": True}, 1e-6),
    ({"embedding": "whitened", "laplace": True}, 2e-2),
    ({"posterior": "mcmc", "draws": 200, "tune": 300}, 0.2),
)


def main() -> None:
    comm = world()
    rng = np.random.default_rng(0)
    a = rng.standard_normal((160, 4)) * [1.0, 10.0, 0.1, 1.0]
    b = a @ rng.standard_normal(4) + np.sin(3 * a[:, 0]) * (0.3 + np.abs(a[:, 3]))
    w, kinds, units = (
        rng.uniform(0.5, 2.0, 160),
        np.tile([0, 1, 1, 1], 40).astype(np.int8),
        np.repeat(np.arange(40), 4),
    )
    mine = units % comm.size == comm.rank
    for options, tolerance in METHODS:
        alone = fit_posterior(a, b, w, kinds=kinds, units=units, **options)
        spread = fit_posterior(
            a[mine], b[mine], w[mine], kinds=kinds[mine], units=units[mine], comm=comm, **options
        )
        one, other = alone.predict(a, kinds=kinds), spread.predict(a, kinds=kinds)
        for name in ("mean", "epistemic_std", "model_error_std", "noise_std"):
            x, y = getattr(one, name), getattr(other, name)
            scale = np.abs(x).max() + one.total_std.max()
            assert np.abs(x - y).max() <= tolerance * scale, (
                options,
                name,
                np.abs(x - y).max() / scale,
            )
        assert len(set(comm.allgather(spread.to_bytes()))) == 1, options
    with pytest.raises(FitError, match="not finite"):
        fit_posterior(a[mine], b[mine] * (np.nan if comm.rank else 1.0), comm=comm)

    def breaks(f):
        f(np.ones(2))
        raise FitError("the search broke")

    with pytest.raises(FitError, match="the search broke"):
        served(comm, lambda x: float(sum(comm.allgather(float(x.sum())))), breaks)
    if comm.rank == 0:
        print("all methods agree")


if __name__ == "__main__":
    main()
