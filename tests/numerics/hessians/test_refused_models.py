"""Models whose Hessian would not be what its name says are refused in one line."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from oracles.models import (
    LABELS,
    TOKENS,
    N,
    Sine,
    X,
    chain,
    two,
)
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from numerics.hessians import (
    CROSS_ENTROPY,
    exact,
    layer_blocks,
    operator,
    per_sample,
)

# Both sides are sums of some tens of terms of order 1, each good to 1e-16.
ROUNDING = 1e-11


class SineOnce(Sine):
    """Says that it has one derivative."""

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, g):
        return g * ctx.saved_tensors[0].cos()


class SineSilently(Sine):
    """Has one, and does not say so."""

    @staticmethod
    def backward(ctx, g):
        return g * ctx.saved_tensors[0].detach().cos()


class SineRoughly(Sine):
    """Has a wrong one."""

    @staticmethod
    def backward(ctx, g):
        return 1.01 * g * ctx.saved_tensors[0].cos()


class Reversal(Sine):
    """The layer that adversarial training puts before a discriminator."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, g):
        return -g


def decayed():
    model = two()
    return model, lambda z, y: CROSS_ENTROPY(z, y) + model.a.weight.square().sum()


class Holding(nn.Module):
    """A loss that owns a parameter of the model."""

    def __init__(self, weight):
        super().__init__()
        self.weight = weight

    def forward(self, z, y):
        return CROSS_ENTROPY(z, y) + self.weight.square().sum()


def held():
    model = two()
    return model, Holding(model.a.weight)


def cached():
    model = two(lambda s, x: s.plain(x) * s.cache[0].square().sum())
    model.cache = [model.a.weight]
    return model, CROSS_ENTROPY


def forwards(forward, prepare=None):
    return lambda: (two(forward, prepare), CROSS_ENTROPY)


def through(function):
    return forwards(lambda s, x: s.b(function.apply(s.a(x))))


def cast(dtype):
    return forwards(lambda s, x: s.b(torch.tanh(s.a(x)).to(dtype).double()))


def complex_weight(self):
    self.w = nn.Parameter(torch.ones(4, dtype=torch.cdouble))


def seeded(self, x):
    torch.manual_seed(0)
    return self.b(functional.dropout(torch.tanh(self.a(x)), 0.5, training=True))


def hooked_forward(self, x):
    h = self.a(x)
    h.register_hook(lambda g: 0.5 * g)
    return self.b(torch.tanh(h))


OUTSIDE = "from outside the model"
COUPLED = "couples the samples"
NOT_VALUES = "is not the one of (its|the) values"
REFUSED = {
    "a penalty on the model's own weights": (decayed, OUTSIDE),
    "a loss that owns a weight": (held, OUTSIDE),
    "a list of the model's weights": (cached, OUTSIDE),
    "the last sample sees the first": (
        forwards(lambda s, x: s.plain(torch.cat([x[:-1], x[-1:] + x[:1]]))),
        COUPLED,
    ),
    "each sees those before": (forwards(lambda s, x: s.plain(x.cumsum(0))), COUPLED),
    "the first is spared": (
        forwards(lambda s, x: s.plain(torch.cat([x[:1], x[1:] - x[1:].mean(0)]))),
        COUPLED,
    ),
    "the number of samples": (forwards(lambda s, x: s.plain(x) * len(x)), COUPLED),
    "the gradient alone is coupled": (
        forwards(lambda s, x: s.plain(x) + s.plain(x).mean(0) - s.plain(x).mean(0).detach()),
        COUPLED,
    ),
    "dropout with a seed": (forwards(seeded), COUPLED),
    "a whole graph": (forwards(lambda s, x: torch.ones(N, N).to(x) @ s.plain(x)), COUPLED),
    "axes swapped": (
        forwards(
            lambda s, x: s.recurrence(x.unsqueeze(1))[0].squeeze(1),
            lambda s: setattr(s, "recurrence", nn.GRU(5, 3)),
        ),
        COUPLED,
    ),
    "once differentiable": (through(SineOnce), NOT_VALUES),
    "silently once differentiable": (through(SineSilently), NOT_VALUES),
    "a gradient one per cent off": (through(SineRoughly), NOT_VALUES),
    "a reversed gradient": (through(Reversal), NOT_VALUES),
    "a hook that halves": (forwards(hooked_forward), NOT_VALUES),
    "detached in part": (forwards(lambda s, x: s.b(s.a(x) * s.a(x).detach())), NOT_VALUES),
    "a number taken out": (
        forwards(lambda s, x: s.plain(x) * s.a.weight.norm().item()),
        NOT_VALUES,
    ),
    "rounded": (
        forwards(lambda s, x: s.b(s.a(x) + (s.a(x).round() - s.a(x)).detach())),
        NOT_VALUES,
    ),
    "float32 within": (cast(torch.float32), "float32.*dtype=torch.float32"),
    "float16 within": (cast(torch.float16), "float16.*fewer digits"),
    "bfloat16 within": (cast(torch.bfloat16), "bfloat16.*fewer digits"),
    "a constant in float32": (
        forwards(lambda s, x: s.plain(x) @ torch.eye(3)),
        "tensors of torch.float64 throughout",
    ),
    "Python's randomness": (
        forwards(lambda s, x: s.plain(x) * __import__("random").random()),
        "two evaluations",
    ),
    "NumPy's randomness": (
        forwards(lambda s, x: s.plain(x) * np.random.rand()),
        "two evaluations",
    ),
    "a complex parameter": (
        forwards(lambda s, x: s.plain(x) * s.w.real.sum(), complex_weight),
        "w is complex.*view_as_real",
    ),
    "checkpointing": (
        forwards(lambda s, x: checkpoint(s.plain, x, use_reentrant=False)),
        "checkpointing.*switch it off",
    ),
    "data parallel": (lambda: (nn.DataParallel(two()), CROSS_ENTROPY), "the module inside it"),
    "a root at 0": (
        forwards(lambda s, x: s.b(torch.relu(s.a(x)).sqrt())),
        "no (second )?derivative",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_anything_else_is_refused_in_one_line(name):
    build, message = REFUSED[name]
    state = (torch.get_rng_state(), np.random.get_state()[1].copy())
    for function in (exact, per_sample, operator, layer_blocks):
        model, loss = build()
        with pytest.raises(ValueError, match=message) as caught:
            function(model, loss, X, LABELS)
        assert "\n" not in str(caught.value)
    assert torch.equal(state[0], torch.get_rng_state())
    assert (state[1] == np.random.get_state()[1]).all()


def test_embeddings_scaled_by_frequency():
    model = chain(
        lambda: nn.Embedding(7, 4, scale_grad_by_freq=True), nn.Flatten, lambda: nn.Linear(16, 3)
    )
    for x, y in ((TOKENS, LABELS), (TOKENS[:1], LABELS[:1])):
        with pytest.raises(ValueError, match=f"{COUPLED}|{NOT_VALUES}|asymmetric"):
            exact(model, CROSS_ENTROPY, x, y)


def test_a_derivative_that_cancels_by_halves_is_not_averaged():
    from numerics.hessians.guards import check_symmetric

    skew = torch.tensor([[1.0, 0.3], [-0.3, 1.0]], dtype=torch.float64)
    with pytest.raises(ValueError, match=r"in w, b are asymmetric by 0\.6 of 1"):
        check_symmetric(skew, ["w", "b"])


def test_float32_within_is_right_to_its_digits_where_it_is_asked_for():
    rounded, _ = REFUSED["float32 within"][0]()
    rounded.own = lambda s, x: s.b(torch.tanh(s.a(x)).float())
    with pytest.warns(UserWarning, match="7 digits"):
        found = exact(rounded, CROSS_ENTROPY, X, LABELS, dtype=torch.float32)
    expected = exact(two(), CROSS_ENTROPY, X, LABELS)
    torch.testing.assert_close(found.double(), expected, rtol=0, atol=1e-5)


def test_a_second_derivative_that_is_zero_is_given_back():
    """The norm of one output has no curvature in it: what is left is round-off, and no error."""

    def distance(outputs, targets):
        return (outputs - targets).norm(dim=1)

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = chain(lambda: nn.Linear(5, 3), nn.Tanh, lambda: nn.Linear(3, 1)).double()
        y = torch.randn(len(X), 1, dtype=torch.float64)
    for scale in (1e-6, 1.0, 1e6):
        found = exact(
            model,
            lambda z, t, c=scale: c * distance(z, t),
            X,
            y,
            part="gauss_newton",
            route="generic",
        )
        assert float(found.abs().max()) <= 1e-13 * scale
    whole = exact(model, distance, X, y, route="generic")
    assert float(whole.abs().max()) > 0.1
