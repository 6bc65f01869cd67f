"""The dense Hessian and its factored samples against oracles that share no code with them."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from oracles import hessians as oracle
from torch import nn
from torch.nn.utils import parameters_to_vector

from numerics.hessians import CROSS_ENTROPY, SQUARE_LOSS, exact, per_sample
from numerics.networks.perceptrons import mlp

# Both sides are exact up to round-off: d of order 40 sums of order-1 terms, 1e-16 each.
ROUNDING = 1e-12

WIDTHS = [(3, 2), (3, 4, 2), (3, 4, 5, 2)]


def data(n=6, inputs=3, outputs=2, seed=0):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(n, inputs, generator=g, dtype=torch.float64)
    y = torch.randn(n, outputs, generator=g, dtype=torch.float64)
    labels = torch.randint(0, outputs, (n,), generator=g)
    return x, y, labels


def biased(widths, activation="tanh", seed=0):
    """A perceptron whose biases are not at their initial zeros."""
    model = mlp(widths, activation, seed)
    g = torch.Generator().manual_seed(seed + 1)
    with torch.no_grad():
        for p in model.parameters():
            p += 0.3 * torch.randn(p.shape, generator=g, dtype=torch.float64)
    return model


def quartic(outputs, targets):
    return (outputs - targets).pow(4).sum(1)


@pytest.mark.parametrize("route", ["structured", "generic"])
@pytest.mark.parametrize("widths", WIDTHS)
@pytest.mark.parametrize("loss", [SQUARE_LOSS, CROSS_ENTROPY], ids=lambda loss: loss.name)
def test_equals_complex_step_differentiation(route, widths, loss):
    model, (x, y, labels) = biased(widths), data()
    targets = y if loss is SQUARE_LOSS else labels
    point = parameters_to_vector(model.parameters()).detach().numpy()
    expected = np.array(
        [
            oracle.perceptron_hessian(point, widths, a.numpy(), b.numpy(), loss.name)
            for a, b in zip(x, targets, strict=True)
        ]
    )
    samples = per_sample(model, loss, x, targets, route=route)
    np.testing.assert_allclose(samples.to_dense().numpy(), expected, atol=ROUNDING)
    hessian = exact(model, loss, x, targets, route=route)
    np.testing.assert_allclose(hessian.numpy(), expected.mean(0), atol=ROUNDING)
    total = exact(model, loss, x, targets, route=route, reduction="sum")
    np.testing.assert_allclose(total.numpy(), expected.sum(0), atol=len(x) * ROUNDING)


def test_small_twin_of_the_benchmark_to_a_relative_1e_12():
    x, _, _ = data(n=40, inputs=8)
    labels = torch.randint(0, 10, (40,), generator=torch.Generator().manual_seed(0))
    model = biased((8, 12, 10))
    names = [name for name, _ in model.named_parameters()]

    def value(*parameters):
        named = dict(zip(names, parameters, strict=True))
        outputs = torch.func.functional_call(model, named, (x,))
        return nn.functional.cross_entropy(outputs, labels)

    parameters = tuple(p.detach() for p in model.parameters())
    rows = torch.autograd.functional.hessian(value, parameters)
    sizes = [p.numel() for p in parameters]
    expected = torch.cat(
        [
            torch.cat([b.reshape(m, k) for b, k in zip(row, sizes, strict=True)], 1)
            for row, m in zip(rows, sizes, strict=True)
        ]
    )
    hessian = exact(model, CROSS_ENTROPY, x, labels, route="structured")
    assert float((hessian - expected).norm() / expected.norm()) < 1e-12


def test_equals_central_differences():
    # Truncation h^2/6 |g'''| with |g'''| < 100 here, round-off 1e-16/h: at h = 1e-5 below 3e-9.
    widths, model, (x, y, _) = (3, 4, 2), biased((3, 4, 2)), data(n=1)
    point = parameters_to_vector(model.parameters()).detach().numpy()

    def gradient(p):
        return oracle.perceptron_gradient(p, widths, x[0].numpy(), y[0].numpy(), "square")

    expected = oracle.central_difference_hessian(gradient, point, 1e-5)
    hessian = exact(model, SQUARE_LOSS, x, y).numpy()
    np.testing.assert_allclose(hessian, expected, atol=3e-9)


def test_one_hidden_unit_by_hand():
    model = biased((1, 1, 1))
    w, b, v, c = (p.item() for p in model.parameters())
    x, y = 0.7, -1.3
    hessian = exact(model, SQUARE_LOSS, torch.tensor([[x]]).double(), torch.tensor([[y]]).double())
    expected = oracle.one_hidden_unit_hessian(w, b, v, c, x, y)
    np.testing.assert_allclose(hessian.numpy(), expected, atol=ROUNDING)


def test_linear_network_is_least_squares():
    x, y, _ = data()
    extended = torch.cat([x, torch.ones(len(x), 1)], 1)
    gram = torch.kron(torch.eye(2).double(), extended.T @ extended / len(x))
    order = [0, 1, 2, 4, 5, 6, 3, 7]  # weight rows first, then the biases
    hessian = exact(mlp((3, 2)), SQUARE_LOSS, x, y)
    torch.testing.assert_close(hessian, gram[order][:, order], rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("activation", ["gelu", "relu", "sigmoid", "softplus", "identity"])
@pytest.mark.parametrize("loss", [SQUARE_LOSS, quartic], ids=["square", "quartic"])
def test_structured_equals_autograd_of_a_retyped_network(activation, loss):
    model, (x, y, _) = biased((3, 4, 5, 2), activation), data()
    layers = [m for m in model if isinstance(m, nn.Linear)]
    act = type(model[1])()

    def value(point):
        out, start = x, 0
        for k, layer in enumerate(layers):
            size = layer.weight.numel()
            w = point[start : start + size].view(layer.weight.shape)
            start += size + len(layer.bias)
            out = out @ w.T + point[start - len(layer.bias) : start]
            out = act(out) if k < len(layers) - 1 else out
        power = 2 if loss is SQUARE_LOSS else 4
        return (out - y).pow(power).sum() / len(x) * (0.5 if power == 2 else 1)

    point = parameters_to_vector(model.parameters()).detach()
    expected = torch.autograd.functional.hessian(value, point)
    hessian = exact(model, loss, x, y, route="structured")
    torch.testing.assert_close(hessian, expected, rtol=ROUNDING, atol=100 * ROUNDING)


def test_without_biases():
    x, y, _ = data()
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(3, 4, bias=False), nn.Tanh(), nn.Linear(4, 2), nn.Linear(2, 2)
    ).double()
    structured = exact(model, SQUARE_LOSS, x, y, route="structured")
    generic = exact(model, SQUARE_LOSS, x, y, route="generic")
    torch.testing.assert_close(structured, generic, rtol=0, atol=ROUNDING)


def test_sample_chunks_do_not_matter(monkeypatch):
    model, (x, y, _) = biased((3, 4, 2)), data(n=10)
    whole = exact(model, SQUARE_LOSS, x, y)
    monkeypatch.setattr("numerics.hessians.routes.BUDGET", 8 * 32)  # batches of 8 and 2
    monkeypatch.setattr("numerics.hessians.routes.SAMPLES_AT_ONCE", 4)
    monkeypatch.setattr("numerics.hessians.routes.VECTORS_AT_ONCE", 3)
    monkeypatch.setattr("numerics.hessians.kronecker.BUDGET", 3 * 10**2)
    monkeypatch.setattr("numerics.hessians.assembly._PIECE", 40)
    torch.testing.assert_close(exact(model, SQUARE_LOSS, x, y), whole, rtol=0, atol=ROUNDING)
    generic = exact(model, SQUARE_LOSS, x, y, route="generic")
    torch.testing.assert_close(generic, whole, rtol=0, atol=ROUNDING)


def test_generic_models_and_frozen_parameters():
    x, y, _ = data()

    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(3, 3)
            self.outer = nn.Linear(3, 2)

        def forward(self, z):
            return self.outer(z + torch.sin(self.inner(z)))

    torch.manual_seed(0)
    model = Residual().double()
    full = exact(model, SQUARE_LOSS, x, y)
    assert full.shape == (20, 20)
    model.inner.requires_grad_(False)
    torch.testing.assert_close(
        exact(model, SQUARE_LOSS, x, y), full[12:, 12:], rtol=0, atol=ROUNDING
    )
    mean = per_sample(model, SQUARE_LOSS, x, y).mean_power(1)
    torch.testing.assert_close(mean, full[12:, 12:], rtol=0, atol=ROUNDING)


class Tokens(nn.Module):
    """PyTorch's own layers for sequences, which have fused kernels with one derivative."""

    def __init__(self, layer):
        super().__init__()
        self.layer, self.readout = layer, nn.Linear(4, 1)

    def forward(self, tokens):
        if isinstance(self.layer, nn.MultiheadAttention):
            mixed, _ = self.layer(tokens, tokens, tokens, need_weights=False)
        elif isinstance(self.layer, nn.RNNBase):
            mixed, _ = self.layer(tokens)
        else:
            mixed = self.layer(tokens)
        return self.readout(mixed.mean(1))


SEQUENCES = {
    "attention": lambda: nn.MultiheadAttention(4, 2, batch_first=True),
    "transformer": lambda: nn.TransformerEncoderLayer(4, 2, 3, 0.0, batch_first=True),
    "transformer in evaluation mode": lambda: nn.TransformerEncoderLayer(
        4, 2, 3, batch_first=True
    ).eval(),
    "recurrence": lambda: nn.GRU(4, 4, batch_first=True),
}


def switches():
    return (
        torch.backends.mha.get_fastpath_enabled(),
        torch.backends.cuda.flash_sdp_enabled(),
        torch.backends.cuda.mem_efficient_sdp_enabled(),
        torch.backends.cuda.math_sdp_enabled(),
        torch.backends.cudnn.enabled,
    )


@pytest.mark.parametrize("kind", SEQUENCES)
def test_layers_for_sequences(kind):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Tokens(SEQUENCES[kind]()).double()
        x = torch.randn(3, 5, 4, dtype=torch.float64)
    y = torch.tensor([[0.5], [-1.0], [2.0]], dtype=torch.float64)
    parameters = list(model.parameters())
    point = parameters_to_vector(parameters).detach()

    def gradient(at):
        nn.utils.vector_to_parameters(torch.from_numpy(at), parameters)
        mean = SQUARE_LOSS(model(x), y).mean()
        return parameters_to_vector(torch.autograd.grad(mean, parameters)).numpy()

    expected = oracle.central_difference_hessian(gradient, point.numpy(), 1e-5)
    nn.utils.vector_to_parameters(point, parameters)
    before = switches()
    hessian = exact(model, SQUARE_LOSS, x, y)
    mean = per_sample(model, SQUARE_LOSS, x, y).to_dense().mean(0)
    assert switches() == before
    # Truncation h^2 times fourth derivatives of order 1 to 10; round-off 1e-16 / h.
    np.testing.assert_allclose(hessian.numpy(), expected, atol=1e-8)
    np.testing.assert_allclose(mean.numpy(), hessian.numpy(), atol=ROUNDING)


def test_settings_of_pytorch_are_put_back_when_a_model_fails():
    class Fails(nn.Linear):
        def forward(self, inputs):
            raise ArithmeticError("no")

    before = switches()
    with pytest.raises(ArithmeticError):
        exact(Fails(4, 1), SQUARE_LOSS, torch.randn(2, 4), torch.randn(2, 1))
    assert switches() == before


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")  # inside curvlinops
def test_equals_curvlinops():
    curvlinops = pytest.importorskip("curvlinops", reason="the extra `peers` is not installed")
    model, (x, y, _) = biased((3, 4, 2)), data()
    mean = nn.MSELoss(reduction="mean")
    operator = curvlinops.HessianLinearOperator(model, mean, list(model.parameters()), [(x, y)])
    dense = operator @ torch.eye(26, dtype=torch.float64)
    # MSELoss divides by the number of outputs and has no factor 1/2.
    torch.testing.assert_close(exact(model, SQUARE_LOSS, x, y), dense, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("route", ["structured", "generic"])
def test_no_side_effects(route):
    model, (x, y, _) = biased((3, 4, 2)).float(), data()
    model.train()
    model[0].weight.grad = torch.ones_like(model[0].weight)
    before = copy.deepcopy(model.state_dict())
    state, inputs = torch.get_rng_state(), x.clone()
    hessian = exact(model, SQUARE_LOSS, x, y, route=route)
    per_sample(model, SQUARE_LOSS, x, y, route=route).to_dense()
    with pytest.raises(ValueError, match="shape"):
        exact(model, SQUARE_LOSS, x, y[:, :1], route=route)
    assert hessian.dtype == torch.float64  # computed in double from the float32 weights
    assert model.training and all(p.requires_grad for p in model.parameters())
    assert torch.equal(model[0].weight.grad, torch.ones_like(model[0].weight))
    assert model[0].bias.grad is None
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())
    assert torch.equal(state, torch.get_rng_state()) and torch.equal(x, inputs)
    double = exact(copy.deepcopy(model).double(), SQUARE_LOSS, x, y, route=route)
    assert torch.equal(hessian, double)


def test_buffers_survive_evaluation_mode():
    x, y, _ = data()
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)).double()
    with pytest.raises(ValueError, match=r"BatchNorm1d layer '1'.*model\.eval\(\)"):
        exact(model, SQUARE_LOSS, x, y)
    model.eval()
    before = copy.deepcopy(model.state_dict())
    exact(model, SQUARE_LOSS, x, y)
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())
    with pytest.raises(ValueError, match="Dropout"):
        per_sample(nn.Sequential(nn.Linear(3, 2), nn.Dropout(0.5)), SQUARE_LOSS, x, y)


class InADictionary(nn.Linear):
    """As many libraries return outputs."""

    def forward(self, inputs):
        return {"logits": super().forward(inputs)}


def test_a_loss_of_ones_own_may_take_whatever_the_model_returns():
    x, y, _ = data()
    model = InADictionary(3, 2).double()
    plain = nn.Linear(3, 2).double()
    plain.load_state_dict(model.state_dict())
    wrapped = exact(model, lambda z, t: SQUARE_LOSS(z["logits"], t), x, y)
    assert torch.allclose(wrapped, exact(plain, SQUARE_LOSS, x, y), atol=ROUNDING)


def _bad(change):
    x, y, labels = data()
    arguments = {"model": mlp((3, 2)), "loss": SQUARE_LOSS, "inputs": x, "targets": y}
    return arguments | change(x, y, labels)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, y, k: {"inputs": x * torch.nan}, "inputs has 18 NaN"),
        (lambda x, y, k: {"inputs": x[:0], "targets": y[:0]}, "inputs is empty"),
        (lambda x, y, k: {"targets": y[:3]}, "6 samples and targets 3"),
        (lambda x, y, k: {"loss": CROSS_ENTROPY, "targets": k + 5}, "2 classes need 0"),
        (lambda x, y, k: {"loss": lambda z, t: t.sum(1)}, "does not depend on the parameters"),
        (lambda x, y, k: {"loss": lambda z, t: z.detach().sum(1)}, "does not depend"),
        (lambda x, y, k: {"model": InADictionary(3, 2)}, "the model returns a dict: wrap it"),
        (
            lambda x, y, k: {"model": InADictionary(3, 2), "loss": CROSS_ENTROPY, "targets": k},
            "the model returns a dict: wrap it",
        ),
        (lambda x, y, k: {"loss": nn.MSELoss()}, "one value for each sample"),
        (lambda x, y, k: {"loss": lambda z, t: z.sum(1) * torch.inf}, "must be finite"),
        (lambda x, y, k: {"model": mlp((3, 2)).requires_grad_(False)}, "requires_grad"),
        (lambda x, y, k: {"memory_limit": 100}, "needs .* GiB and memory_limit"),
        (lambda x, y, k: {"route": "magic"}, "route is 'magic'"),
        (lambda x, y, k: {"route": "structured", "model": nn.Tanh()}, "requires_grad|structured"),
    ],
)
@pytest.mark.parametrize("function", [exact, per_sample])
def test_bad_input_is_one_clear_line(function, change, message):
    with pytest.raises(ValueError, match=message) as caught:
        function(**_bad(change))
    assert "\n" not in str(caught.value)


def test_memory_is_predicted_before_allocation():
    model = nn.Sequential(nn.Linear(3000, 400))  # d = 1.2e6: the Hessian would take 10 TiB
    with pytest.raises(ValueError, match=r"1200400 x 1200400 Hessian needs 1.07e\+04 GiB"):
        exact(model, SQUARE_LOSS, torch.zeros(2, 3000), torch.zeros(2, 400))
