"""Whatever a model does, its Hessian is the one of torch.autograd twice, on the model itself.

Where a derivative of PyTorch is wrong the oracle is differences of the loss.
"""

from __future__ import annotations

import copy
import io

import numpy as np
import pytest
import torch
from oracles.models import (
    LABELS,
    TOKENS,
    N,
    Sine,
    T,
    Two,
    X,
    chain,
    differenced,
    first,
    last,
    numbers,
    of_image,
    perceptron,
    twice,
    two,
)
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrizations, prune

from numerics.hessians import (
    CROSS_ENTROPY,
    SQUARE_LOSS,
    CrossEntropy,
    exact,
    layer_blocks,
    operator,
    per_sample,
)

# Both sides are sums of some tens of terms of order 1, each good to 1e-16.
ROUNDING = 1e-11


def tripled(index):
    def change(model):
        inner = model[index].forward
        model[index].forward = lambda x: 3 * inner(x)

    return change


def tripled_itself(model):
    inner = model.forward
    model.forward = lambda x: 3 * inner(x)


def with_parameter(where):
    def change(model):
        module = model if where is None else model[where]
        module.register_parameter("extra", nn.Parameter(torch.ones(2).double()))

    return change


def tied_bias(model):
    model.append(nn.Tanh())
    model.append(nn.Linear(3, 4).double())
    model[4].bias = model[0].bias
    model.append(nn.Linear(4, 3).double())


def plain_weight(model):
    weight = model[0].weight.detach()
    del model[0].weight
    model[0].weight = weight


def energy(self, x):
    with torch.enable_grad():
        x = x.clone().requires_grad_(True)
        return torch.autograd.grad(self.plain(x).square().sum(), x, create_graph=True)[0]


def packed(self, tokens):
    lengths = (tokens != 0).sum(1)
    sequence = nn.utils.rnn.pack_padded_sequence(
        self.embedding(tokens), lengths, batch_first=True, enforce_sorted=False
    )
    return self.b(self.recurrence(sequence)[1][0][-1])


def recurrence(self):
    self.embedding, self.recurrence = nn.Embedding(7, 3), nn.LSTM(3, 4, batch_first=True)


def adjacency(self):
    graph = torch.eye(4, dtype=torch.float64) + torch.diag(torch.ones(3, dtype=torch.float64), 1)
    self.register_buffer("graph", graph.to_sparse())


def kept(self, x):
    self.history.append(self.a(x))
    self.table["last"] = self.history[-1]
    self.calls += 1
    return self.b(torch.tanh(self.history[-1])) * self.calls


def keeping(self):
    self.history, self.table, self.calls = [], {}, 0


def in_place(self, x):
    x -= 0.5
    x /= 2
    return self.b(self.a(x).relu_())


def replaced_convolution():
    model = of_image(lambda: nn.Conv2d(1, 2, (2, 1)), nn.Tanh, nn.Flatten, lambda: nn.Linear(8, 3))
    tripled(1)(model)
    return model


class Twofold(CrossEntropy):
    """Looks like the cross-entropy."""

    def __call__(self, outputs, targets):
        return 2 * super().__call__(outputs, targets)


def gaussian(z, y):
    variance = functional.softplus(z[:, 1:2])
    return functional.gaussian_nll_loss(z[:, :1], y[:, :1], variance, reduction="none")[:, 0]


def hooked(model):
    model[2].register_full_backward_hook(lambda *_: None)


RIGHT = {
    **{
        f"in place: {kind.__name__}": (lambda k=kind: chain(first, lambda: k(inplace=True), last))
        for kind in (nn.ReLU, nn.ELU, nn.LeakyReLU, nn.SiLU, nn.CELU, nn.SELU)
    },
    "in place behind a convolution": lambda: of_image(
        lambda: nn.Conv2d(1, 2, (2, 1)),
        lambda: nn.ReLU(inplace=True),
        nn.Flatten,
        lambda: nn.Linear(8, 3),
    ),
    "a layer's forward replaced": lambda: perceptron(tripled(0)),
    "an activation's forward replaced": lambda: perceptron(tripled(1)),
    "the model's forward replaced": lambda: perceptron(tripled_itself),
    "a convolution's forward replaced": replaced_convolution,
    "a parameter beside the layers": lambda: perceptron(with_parameter(None)),
    "a parameter beside a weight": lambda: perceptron(with_parameter(0)),
    "a hook before": lambda: perceptron(
        lambda m: m[2].register_forward_pre_hook(lambda _, x: (2 * x[0],))
    ),
    "a hook behind": lambda: perceptron(
        lambda m: m[0].register_forward_hook(lambda _, x, z: 2 * z)
    ),
    "a hook on the way back": lambda: perceptron(hooked),
    "tied biases": lambda: perceptron(tied_bias),
    "a weight that is no parameter": lambda: perceptron(plain_weight),
    "gradients in forward": lambda: two(energy),
    "an old Function": lambda: two(lambda s, x: s.b(Sine.apply(s.a(x)))),
    "activations kept": lambda: two(kept, keeping),
    "inputs changed in place": lambda: two(in_place),
    "a scalar parameter": lambda: two(
        lambda s, x: s.plain(x) * s.t, lambda s: setattr(s, "t", nn.Parameter(torch.tensor(2.0)))
    ),
    "a compiled model": lambda: torch.compile(two(), backend="eager"),
    "routing": lambda: two(
        lambda s, x: torch.where(s.a(x).sum(1, True) > 0, 2.0, 1.0) * s.plain(x)
    ),
    "spectral norm in evaluation mode": lambda: perceptron(
        lambda m: nn.utils.parametrizations.spectral_norm(m[0])
    ).eval(),
    "orthogonal": lambda: perceptron(lambda m: parametrizations.orthogonal(m[0])),
}


def compare(model, loss, x, y, expected=None):
    fresh = None if expected is not None else twice(model, loss, x.clone(), y.clone())
    expected = fresh if expected is None else expected
    scale = float(expected.abs().max())
    found = {
        "exact": exact(model, loss, x, y),
        "per sample": per_sample(model, loss, x, y).mean_power(1),
        "operator": operator(model, loss, x, y)(torch.eye(len(expected), dtype=torch.float64)),
    }
    for name, matrix in found.items():
        assert float((matrix - expected).abs().max()) <= ROUNDING * scale, name


@pytest.mark.parametrize("name", RIGHT)
def test_equals_autograd_on_the_model_itself(name):
    model = RIGHT[name]()
    oracle = getattr(model, "_orig_mod", model)  # compiled code has one derivative
    if isinstance(model, Two) and model.own is kept:
        oracle = two()  # what it keeps changes the oracle, not the result
    targets = numbers(N, 5, seed=1) if name == "gradients in forward" else LABELS
    loss = SQUARE_LOSS if name == "gradients in forward" else CROSS_ENTROPY
    x = X.clone()
    compare(model, loss, x, targets, twice(oracle, loss, X.clone(), targets))
    assert torch.equal(x, X)


@pytest.mark.parametrize("layer", [0, 1, None])
def test_train_ensemble_trains_the_network_that_was_built(layer):
    from numerics.training.to_loss import Member, train_ensemble
    from theory.trusted.algorithms import SGD

    def build(_seed):
        return perceptron(tripled_itself if layer is None else tripled(layer))

    (run,) = train_ensemble(
        build, SQUARE_LOSS, X, T, [Member(0, SGD, 0.1)], target_loss=1e-9, max_steps=1
    )
    expected = float(SQUARE_LOSS(build(0)(X), T).detach().mean())
    assert float(run.losses[0]) == pytest.approx(expected, rel=1e-12)


LOSSES = {
    "variances": (gaussian, T),
    "half": (lambda z, y: 0.5 * CROSS_ENTROPY(z, y), LABELS),
    "a subclass": (Twofold(), LABELS),
    "weights in float32": (
        nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2, 3]), reduction="none"),
        LABELS,
    ),
    "int32": (CROSS_ENTROPY, LABELS.int()),
    "uint8": (CROSS_ENTROPY, LABELS.to(torch.uint8)),
    "PyTorch's with int32": (nn.CrossEntropyLoss(reduction="none"), LABELS.int()),
}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("model", [perceptron, two], ids=["structured", "generic"])
def test_losses_and_labels_as_people_have_them(name, model):
    loss, y = LOSSES[name]
    long = y if y.is_floating_point() else y.long()
    plain = copy.deepcopy(loss).double() if isinstance(loss, nn.Module) else loss
    compare(model(), loss, X, y, twice(model(), plain, X, long))


class Celu(nn.Module):
    def forward(self, x):
        return torch.where(x > 0, x, 1.3 * torch.expm1(x.clamp(max=0) / 1.3))


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("route", ["structured", "generic"])
def test_celu_has_the_derivatives_of_its_values(inplace, route):
    """PyTorch rounds 1/alpha to float32 in them: 2e-8 off in torch.autograd twice."""
    model = chain(first, lambda: nn.CELU(1.3, inplace=inplace), last)
    found = exact(model, CROSS_ENTROPY, X, LABELS, route=route)
    expected = twice(nn.Sequential(model[0], Celu(), model[2]), CROSS_ENTROPY, X, LABELS)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-14)


def test_one_number_for_each_sample():
    model = two(lambda s, x: s.plain(x)[:, 0])
    compare(model, SQUARE_LOSS, X, T[:, 0])


@pytest.mark.parametrize("shape", [(N, 7, 5), (N, 2, 3, 5)])
def test_a_perceptron_at_every_position(shape):
    compare(perceptron(), SQUARE_LOSS, numbers(*shape), numbers(*shape[:-1], 3, seed=1))


def test_sequences_and_graphs():
    compare(two(packed, recurrence), CROSS_ENTROPY, TOKENS, LABELS)
    nodes = numbers(N, 4, 5)

    def mixed(self, x):
        return torch.stack([torch.sparse.mm(self.graph, self.plain(u)) for u in x]).mean(1)

    compare(two(mixed, adjacency), CROSS_ENTROPY, nodes, LABELS)


def test_outputs_in_a_tuple_have_a_gauss_newton_part():
    pair = two(lambda s, x: (s.plain(x), s.a(x)))
    joined = two(lambda s, x: torch.cat([s.plain(x), s.a(x)], 1))
    found, expected = (
        exact(model, loss, X, LABELS, part="gauss_newton")
        for model, loss in (
            (pair, lambda z, y: CROSS_ENTROPY(z[0], y) + z[1].square().sum(1)),
            (joined, lambda z, y: CROSS_ENTROPY(z[:, :3], y) + z[:, 3:].square().sum(1)),
        )
    )
    torch.testing.assert_close(found, expected, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("normalise", [nn.utils.weight_norm, parametrizations.weight_norm])
@pytest.mark.filterwarnings("ignore:.*weight_norm:FutureWarning")
def test_weight_normalisation_where_pytorch_itself_is_wrong(normalise):
    model = chain(lambda: normalise(nn.Linear(5, 2)), nn.Tanh, lambda: nn.Linear(2, 3))
    expected = differenced(model, CROSS_ENTROPY, X, LABELS)
    found = exact(model, CROSS_ENTROPY, X, LABELS)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    # The reason for it: when this fails, PyTorch has mended its kernel.
    assert float((twice(model, CROSS_ENTROPY, X, LABELS) - expected).abs().max()) > 0.01


def test_curvature_of_confident_predictions_keeps_its_digits():
    # Two classes, z = (w x, 0): the Hessian is x^2 p (1 - p), and 1 - p = 1/(1 + e^w) is e^-60.
    model = nn.Sequential(nn.Linear(1, 2, bias=False)).double()
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[60.0], [0.0]]))
    one = torch.ones(1, 1, dtype=torch.float64)
    expected = np.exp(-60) / (1 + np.exp(-60)) ** 2
    for route in ("structured", "generic"):
        found = exact(model, CROSS_ENTROPY, one, torch.tensor([0]), route=route)
        np.testing.assert_allclose(
            found.numpy(), expected * np.array([[1, -1], [-1, 1]]), rtol=1e-12
        )


def test_rows_for_padding_are_constants():
    model = chain(lambda: nn.Embedding(7, 4, padding_idx=0), nn.Flatten, lambda: nn.Linear(16, 3))
    compare(model, CROSS_ENTROPY, TOKENS, LABELS)
    assert float(exact(model, CROSS_ENTROPY, TOKENS, LABELS)[:4].abs().max()) == 0


def test_a_real_view_of_complex_numbers():
    def halves(self):
        self.w = nn.Parameter(torch.ones(3, 2))

    def spectral(self, x):
        weight = torch.view_as_complex(self.w.contiguous())
        return self.b(torch.fft.irfft(torch.fft.rfft(torch.tanh(self.a(x))) * weight, n=4))

    compare(two(spectral, halves), CROSS_ENTROPY, X, LABELS)


def left(model):
    """Whatever a module and what it holds can be written to a file."""
    torch.save(model, io.BytesIO())
    return {name: t.clone() for name, t in model.state_dict().items()}


@pytest.mark.filterwarnings("ignore:.*weight_norm:FutureWarning")
def test_nothing_stays_behind():
    pruned = perceptron(lambda m: prune.l1_unstructured(m[0], "weight", 0.5))
    normed = perceptron(lambda m: nn.utils.weight_norm(m[0]))
    keeping_all = two(kept, keeping)
    for model in (pruned, normed, keeping_all):
        before, attributes = left(model), {k: set(m.__dict__) for k, m in model.named_modules()}
        for function in (exact, per_sample, layer_blocks):
            function(model, CROSS_ENTROPY, X, LABELS)
        operator(model, CROSS_ENTROPY, X, LABELS)(torch.ones(39 + 4 * (model is normed)).double())
        after = left(model)
        assert all(torch.equal(before[name], t) for name, t in after.items())
        assert attributes == {k: set(m.__dict__) for k, m in model.named_modules()}
    assert (keeping_all.history, keeping_all.table, keeping_all.calls) == ([], {}, 0)


def test_right_models_are_not_refused():
    # Kinks in the very point, dead units, exact fits, large and tiny scales.
    x = X.clone()
    x[:3] = 0
    for scale in (1e-4, 1.0, 30.0):
        for activation in (nn.ReLU, nn.Hardtanh, nn.Hardswish, nn.GELU):
            model = chain(first, activation, lambda: nn.Linear(4, 4), nn.ReLU, last)
            with torch.no_grad():
                for p in model.parameters():
                    p.mul_(scale) if p.ndim > 1 else p.zero_()
            for loss, y in (
                (SQUARE_LOSS, model(x).detach()),
                (lambda z, t: 1e-18 * SQUARE_LOSS(z, t) + 7, T),
                (lambda z, t: (z - t).abs().sum(1), T),
            ):
                expected = twice(model, loss, x, y)
                found = exact(model, loss, x, y)
                gap = float((found - expected).abs().max())
                assert gap <= ROUNDING * float(expected.abs().max())


def test_caller_in_inference_mode():
    with torch.inference_mode():
        model, x, y = two(), X.clone(), LABELS.clone()
        found = exact(model, CROSS_ENTROPY, x, y)
    torch.testing.assert_close(
        found.clone(), exact(two(), CROSS_ENTROPY, X, LABELS), rtol=0, atol=ROUNDING
    )
