"""snap_al.nn: Wrappers of torch's modules: on a linear module each is the closed form, all keep the
contract, and what they cannot wrap is refused by name.
"""

import ast
import copy
import importlib
import importlib.util

import numpy as np
import pytest
from helpers.calls import ROOT

from snap_al.errors import FitError, InputError
from snap_al.inference import fit_posterior
from snap_al.nn import EnsRegr, LastLayerRegr, MCMCRegr, Training, VIRegr
from snap_al.nn.contract import validate_regressor
from snap_al.nn.nuts import Chains, sample

torch = pytest.importorskip("torch", reason="needs PyTorch: pip install 'snap_al[nn]'")

PRIOR, NOISE = 0.5, 0.1
FAST = Training(steps=150, learning_rate=0.05)
needs_sampler = pytest.mark.skipif(
    not importlib.util.find_spec("nutpie"), reason="needs nutpie: pip install 'snap_al[nn]'"
)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def linear_rows(seed=0, n=60):
    """Three columns, the last like the first; noise of NOISE."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1.0, 1.0, (n, 3))
    x[:, 2] = 0.7 * x[:, 0] + 0.5 * x[:, 2]
    return x, x @ np.array([1.0, -0.5, 0.3]) + NOISE * rng.standard_normal(n)


def closed_form(x, y):
    """Mean, covariance and precision of weights with known noise and prior."""
    precision = x.T @ x / NOISE**2 + np.eye(3) / PRIOR**2
    covariance = np.linalg.inv(precision)
    return covariance @ x.T @ y / NOISE**2, covariance, precision


def linear(outputs=1, inputs=3, bias=False):
    return torch.nn.Linear(inputs, outputs, bias=bias)


def perceptron(inputs=1, width=8, outputs=1):
    return torch.nn.Sequential(
        torch.nn.Linear(inputs, width), torch.nn.Tanh(), torch.nn.Linear(width, outputs)
    )


def test_the_closed_form_is_that_of_fit_posterior():
    """Rows below the others are the prior, so that both have the same."""
    x, y = linear_rows()
    rows = np.vstack([x, np.eye(3) * NOISE / PRIOR])
    posterior = fit_posterior(
        rows, np.append(y, np.zeros(3)), posterior="bayes", noise_std=NOISE, prior_precision=1e-14
    )
    mean, covariance, _ = closed_form(x, y)
    assert np.allclose(posterior.mean, mean, atol=1e-8)
    assert np.allclose(posterior.epistemic, covariance, rtol=1e-8)


@pytest.mark.slow
def test_the_closed_form_is_that_of_posteriors():
    laplace = pytest.importorskip("posteriors", reason="needs posteriors: pip install posteriors")
    x, y = linear_rows()
    rows, targets = torch.as_tensor(x), torch.as_tensor(y)
    mean, _, precision = closed_form(x, y)

    def log_posterior(weights, _):
        off = (rows @ weights["w"] - targets) / NOISE
        value = -0.5 * off.square().sum() - 0.5 * (weights["w"] / PRIOR).square().sum()
        return value, torch.tensor([])

    transform = laplace.laplace.dense_hessian.build(log_posterior)
    state, _ = transform.update(transform.init({"w": torch.as_tensor(mean)}), None)
    assert np.allclose(state.prec.detach().numpy(), precision, rtol=1e-8)


@needs_sampler
def test_mcmc_is_the_closed_form():
    x, y = linear_rows()
    mean, covariance, _ = closed_form(x, y)
    regressor = MCMCRegr(linear(), prior_std=PRIOR, noise_std=NOISE, draws=250, tune=150).fit(x, y)
    d, std = regressor.diagnostics, np.sqrt(np.diag(covariance))
    error = np.abs(regressor.samples.mean(axis=0) - mean) / std
    assert (error < 4.0 / np.sqrt(d["smallest_ess_of_weights"])).all()
    assert np.allclose(regressor.samples.std(axis=0) / std, 1.0, atol=0.2)
    assert d["largest_r_hat"] < 1.05
    prediction = regressor.predict(x[:5])
    assert np.allclose(prediction.noise_std, NOISE)
    exact = np.sqrt(np.einsum("ij,jk,ik->i", x[:5], covariance, x[:5]))
    assert np.allclose(prediction.epistemic_std, exact, rtol=0.2)


@needs_sampler
def test_the_log_posterior_has_its_gradient():
    from snap_al.nn.log_posterior import LogPosterior
    from snap_al.nn.network import Network

    rng = np.random.default_rng(0)
    network = Network(perceptron(2, 3, 2))
    x, y = rng.standard_normal((9, 2)), rng.standard_normal((9, 2))
    target = LogPosterior(network, x, y, np.full(network.n_weights, 0.7), None)
    at = 0.3 * rng.standard_normal(target.n)
    _, gradient = target(at)
    step = 1e-6 * np.eye(target.n)
    slopes = [(target(at + e)[0] - target(at - e)[0]) / 2e-6 for e in step]
    assert np.allclose(gradient, slopes, atol=1e-6)


def test_variational_is_the_analytic_mean_field():
    x, y = linear_rows()
    mean, covariance, precision = closed_form(x, y)
    training = Training(steps=700, learning_rate=0.05)
    regressor = VIRegr(linear(), prior_std=PRIOR, noise_std=NOISE, training=training).fit(x, y)
    assert np.allclose(regressor.mean, mean, atol=2e-3 * np.sqrt(covariance.max()))
    assert np.allclose(regressor.std * np.sqrt(np.diag(precision)), 1.0, atol=0.04)
    share = regressor.std / np.sqrt(np.diag(covariance))
    assert (share[[0, 2]] < 0.7).all(), "less than the posterior's where columns are alike"
    assert np.allclose(regressor.predict(x).mean, x @ mean, atol=1e-3)


def test_an_ensemble_is_the_bootstrap():
    x, y = linear_rows()
    training = Training(steps=400, learning_rate=0.05)
    regressor = EnsRegr(linear(), 200, training=training).fit(x, y)
    rng = np.random.default_rng(1)
    draws = [rng.integers(len(x), size=len(x)) for _ in range(2000)]
    fits = np.array([np.linalg.lstsq(x[d], y[d], rcond=None)[0] for d in draws])
    found = regressor.members.numpy()
    assert np.allclose(found.std(axis=0) / fits.std(axis=0), 1.0, atol=0.2)
    assert np.allclose(found.mean(axis=0), fits.mean(axis=0), atol=0.3 * fits.std(axis=0).min())
    assert regressor.noise_std[0] == pytest.approx(NOISE, rel=0.25)


@pytest.mark.parametrize("options", [{}, {"posterior": "bayes"}], ids=["embedded", "bayes"])
def test_the_last_layer_is_fit_posterior(options):
    x, y = linear_rows()
    net = perceptron(3, 4)
    regressor = LastLayerRegr(net, training=Training(steps=20), **options).fit(x, y)
    rows = regressor.rows(x)
    assert rows.shape == (60, 5)
    posterior = fit_posterior(rows, y, constants=(4,), **options)
    prediction, expected = regressor.predict(x), posterior.predict(rows)
    for name in ("mean", "epistemic_std", "model_error_std", "noise_std"):
        assert np.allclose(getattr(prediction, name), getattr(expected, name), atol=1e-10), name


def test_a_linear_module_needs_no_training_of_the_last_layer():
    x, y = linear_rows()
    regressor = LastLayerRegr(linear(), training=Training(steps=0), posterior="bayes").fit(x, y)
    expected = fit_posterior(x, y, posterior="bayes").predict(x)
    assert np.allclose(regressor.predict(x).total_std, expected.total_std, atol=1e-10)


MAKERS = {
    "ensemble": lambda: EnsRegr(linear(2, 2, True), 12, training=FAST),
    "variational": lambda: VIRegr(linear(2, 2, True), training=FAST, draws=200),
    "last layer": lambda: LastLayerRegr(linear(2, 2, True), training=Training(steps=10)),
    "mcmc": lambda: MCMCRegr(linear(2, 2, True), noise_std=0.1, draws=120, tune=60),
}


@pytest.mark.parametrize("name", MAKERS)
def test_contract(name):
    if name == "mcmc":
        pytest.importorskip("nutpie", reason="needs nutpie: pip install 'snap_al[nn]'")
    torch.manual_seed(0)
    module_seeded = MAKERS[name]

    def make():
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(3)
            return module_seeded()

    validate_regressor(make)


def test_the_contract_finds_what_is_wrong():
    class Overconfident(LastLayerRegr):
        def _draw(self, x, n, rng):
            return np.repeat(self._predict(x)[0][None], n, axis=0)

    module = linear(2, 2)
    with pytest.raises(AssertionError, match="a sample is the mean"):
        validate_regressor(lambda: Overconfident(module, training=Training(steps=0)))


def test_members_begin_apart_and_the_module_stays():
    net = perceptron()
    before, state = copy.deepcopy(net.state_dict()), torch.get_rng_state()
    x = np.linspace(-1.0, 1.0, 12)[:, None]
    regressor = EnsRegr(net, 4, fraction=None, training=Training(steps=0)).fit(x, x[:, 0])
    members = regressor.members.numpy()
    assert all(len(set(column)) == 4 for column in members.T)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(before[k], v) for k, v in net.state_dict().items())
    assert all(p.grad is None for p in net.parameters())
    again = EnsRegr(perceptron(), 4, fraction=None, training=Training(steps=0)).fit(x, x[:, 0])
    assert np.array_equal(again.members.numpy(), members), "the seed alone decides"
    other = EnsRegr(net, 4, fraction=None, training=Training(steps=0), seed=1).fit(x, x[:, 0])
    assert not np.array_equal(other.members.numpy(), members)


def test_members_trained_together_are_those_trained_alone():
    x, y = linear_rows(n=20)
    training = Training(steps=50, learning_rate=0.02)
    from snap_al.nn.network import Network
    from snap_al.nn.training import least_squares

    network = Network(perceptron(3))
    start = network.initial(3, np.random.default_rng(0))
    counts = torch.as_tensor(np.random.default_rng(1).multinomial(20, np.full(20, 0.05), 3) * 1.0)
    rows = torch.as_tensor(x), torch.as_tensor(y[:, None])
    together = least_squares(network, start, (*rows, counts), training, 0)
    for k in range(3):
        alone = least_squares(network, start[k : k + 1], (*rows, counts[k : k + 1]), training, 0)
        assert torch.allclose(alone[0], together[k], atol=1e-9)


def test_shapes_of_results():
    x, y = linear_rows()
    one = EnsRegr(linear(), 3, training=Training(steps=5)).fit(x, y)
    two = EnsRegr(linear(2), 3, training=Training(steps=5)).fit(x, np.column_stack([y, y]))
    assert one.predict(x).mean.shape == (60,)
    assert two.predict(x).mean.shape == (60, 2)
    assert one.predict_sample(x).shape == (60, 1)
    assert one.predict_ens(x).shape == (3, 60, 1)
    assert one.predict_ens(x, nens=50).shape == (3, 60, 1), "there are three members"
    mean, variance, covariance = two.predict_mom_sample(x[:4], msc=2)
    assert (mean.shape, variance.shape, covariance.shape) == ((4, 2), (4, 2), (4, 4, 2))
    p = one.predict(x)
    assert np.allclose(p.total_std**2, p.epistemic_std**2 + p.noise_std**2)


def test_batches_and_frozen_weights():
    x, y = linear_rows()
    net = perceptron(3)
    net[0].weight.requires_grad_(False)
    regressor = EnsRegr(net, 2, training=Training(steps=30, batch_size=8)).fit(x, y)
    assert regressor.members.shape == (2, 8 + 8 + 1)
    with pytest.raises(FitError, match="training diverged"):
        EnsRegr(perceptron(3), 2, training=Training(steps=50, learning_rate=1e200)).fit(x, y)


class Twice(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def forward(self, x):
        return self.layer(self.layer(x))


class OwnWeights(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(1))

    def forward(self, x):
        return self.scale * x


REFUSED = {
    "no module": (lambda: 3, "torch.nn.Module is needed"),
    "no weights": (lambda: torch.nn.Tanh(), "no weights to fit"),
    "lazy": (lambda: torch.nn.LazyLinear(1), "lazy"),
    "batch norm": (
        lambda: torch.nn.Sequential(torch.nn.Linear(1, 2), torch.nn.BatchNorm1d(2)),
        r"layer 1 \(BatchNorm1d\) keeps statistics",
    ),
    "dropout": (
        lambda: torch.nn.Sequential(torch.nn.Linear(1, 2), torch.nn.Dropout(0.1)),
        r"layer 1 \(Dropout\) draws random numbers",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("wrapper", [EnsRegr, VIRegr, LastLayerRegr, MCMCRegr])
def test_modules_that_are_refused(wrapper, name):
    make, message = REFUSED[name]
    with pytest.raises(InputError, match=message):
        wrapper(make())


def test_last_layers_that_are_refused():
    x = np.linspace(-1.0, 1.0, 9)[:, None]
    after = torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.Tanh())
    positive = torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.ReLU())
    with torch.no_grad():
        positive[0].bias.fill_(9.0)
    for net, message in (
        (positive, "last layer is not a torch.nn.Linear"),
        (after, "last layer is not a torch.nn.Linear"),
        (OwnWeights(), "no torch.nn.Linear"),
        (Twice(), "more than once"),
    ):
        with pytest.raises(InputError, match=message):
            LastLayerRegr(net, training=Training(steps=0)).fit(x, x)
    with pytest.raises(InputError, match="options of fit_posterior"):
        LastLayerRegr(linear(), posterior="magic")
    with pytest.raises(InputError, match="no reset_parameters"):
        EnsRegr(OwnWeights(), 2).fit(x, x)


def test_rows_and_options_that_are_refused():
    x, y = linear_rows()
    regressor = EnsRegr(linear(), 2, training=Training(steps=2))
    with pytest.raises(InputError, match="has not been fitted"):
        regressor.predict(x)
    with pytest.raises(FitError, match="y has 1 values that are no finite"):
        regressor.fit(x, np.where(np.arange(60) == 3, np.inf, y))
    with pytest.raises(FitError, match="x has shape"):
        regressor.fit(x[:-1], y)
    with pytest.raises(FitError, match="refuses rows of shape"):
        regressor.fit(x[:, :2], y)
    with pytest.raises(FitError, match="the module has 1 outputs, the targets have 2"):
        regressor.fit(x, np.column_stack([y, y]))
    regressor.fit(x, y)
    with pytest.raises(InputError, match="fitted were rows of shape"):
        regressor.predict(x[:, :2])
    with pytest.raises(InputError, match="msc is 3"):
        regressor.predict_mom_sample(x, msc=3)
    for make in (
        lambda: EnsRegr(linear(), 1),
        lambda: EnsRegr(linear(), fraction=0.0),
        lambda: VIRegr(linear(), prior_std=-1.0),
        lambda: MCMCRegr(linear(), chains=1),
        lambda: Training(steps=-1),
        lambda: Training(learning_rate=float("nan")),
        lambda: EnsRegr(linear(), noise_std=-1.0, training=Training(steps=0)).fit(x, y),
    ):
        with pytest.raises(InputError):
            make()


@pytest.mark.parametrize("missing", ["torch", "nutpie"])
def test_packages_that_are_missing(missing, monkeypatch):
    found = importlib.import_module

    def hidden(name, *arguments):
        if name == missing:
            raise ImportError(name)
        return found(name, *arguments)

    monkeypatch.setattr(importlib, "import_module", hidden)
    with pytest.raises(InputError, match=rf"package {missing}: pip install 'snap_al\[nn\]'"):
        MCMCRegr(linear())


def test_importing_takes_no_torch():
    """No module of the package imports it where the module itself is imported."""
    files = list((ROOT / "snap_al" / "nn").glob("*.py"))
    assert len(files) > 8
    for path in files:
        for statement in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(statement, ast.Import | ast.ImportFrom):
                names = [
                    getattr(statement, "module", None) or "",
                    *(n.name for n in statement.names),
                ]
                assert not {"torch", "nutpie", "arviz"} & {n.split(".")[0] for n in names}, (
                    path.name
                )


def test_chains_that_cannot_begin_are_refused():
    """By its errors as by its panics."""

    def nowhere(position):
        return float("nan"), np.full(2, np.nan)

    with pytest.raises(FitError, match="could not begin"):
        sample(nowhere, 2, lambda seed: np.zeros(2), Chains(5, 5, 2, 0, 3))
