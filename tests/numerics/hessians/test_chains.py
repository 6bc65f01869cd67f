"""Convolutional chains against double differentiation of the whole network."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from numerics.hessians import CROSS_ENTROPY, SQUARE_LOSS, exact, layer_blocks
from numerics.hessians.chains import as_chain

# Both sides are sums of at most some thousand terms of order 1, each good to 1e-16.
ROUNDING = 1e-12


class Doubled(nn.Module):
    """A module that torch does not know."""

    def forward(self, x):
        return 2 * x


def image():
    return nn.Unflatten(1, (1, 6, 6))


NETWORKS = {
    "strides and padding": lambda: [
        image(),
        nn.Conv2d(1, 3, 3, stride=2, padding=1),
        nn.Tanh(),
        nn.Conv2d(3, 2, (2, 3), padding=(0, 1)),
        nn.SiLU(),
        nn.Flatten(),
        nn.Linear(12, 3),
    ],
    "pooling on both sides, dilation, no bias": lambda: [
        image(),
        nn.Conv2d(1, 2, 3, padding=1, bias=False),
        nn.AvgPool2d(2),
        nn.GELU(),
        nn.Sequential(nn.Conv2d(2, 3, 2, dilation=2), nn.Softplus(), nn.AdaptiveAvgPool2d(1)),
        nn.Flatten(),
        nn.Linear(3, 3),
    ],
    "maximum pooling and a softmax at the end": lambda: [
        image(),
        nn.Conv2d(1, 3, 3),
        nn.MaxPool2d(2),
        nn.Tanh(),
        nn.Flatten(),
        nn.Linear(12, 4, bias=False),
        nn.Sigmoid(),
        nn.Linear(4, 3),
        nn.Softmax(1),
    ],
    "tokens": lambda: [
        nn.Unflatten(1, (3, 2, 6)),
        nn.Linear(6, 4),
        nn.Tanh(),
        nn.Linear(4, 2),
        nn.Flatten(),
        nn.Linear(12, 3),
    ],
}


def network(name, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(*NETWORKS[name]()).double()


def data(samples=5):
    g = torch.Generator().manual_seed(1)
    x = torch.randn(samples, 36, generator=g, dtype=torch.float64)
    labels = torch.randint(0, 3, (samples,), generator=g)
    return x, labels, torch.randn(samples, 3, generator=g, dtype=torch.float64)


def twice_differentiated(model, loss, x, y):
    names = [name for name, _ in model.named_parameters()]
    values = tuple(p.detach() for p in model.parameters())

    def total(*parameters):
        named = dict(zip(names, parameters, strict=True))
        return loss(torch.func.functional_call(model, named, (x,)), y).sum()

    rows = torch.autograd.functional.hessian(total, values)
    sizes = [v.numel() for v in values]
    return torch.cat(
        [
            torch.cat([b.reshape(m, n) for b, n in zip(row, sizes, strict=True)], 1)
            for row, m in zip(rows, sizes, strict=True)
        ]
    )


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("loss", [SQUARE_LOSS, CROSS_ENTROPY], ids=lambda loss: loss.name)
def test_equals_double_differentiation(name, loss):
    model, (x, labels, y) = network(name), data()
    targets = y if loss is SQUARE_LOSS else labels
    expected = twice_differentiated(model, loss, x, targets)
    found = exact(model, loss, x, targets, reduction="sum", route="structured")
    torch.testing.assert_close(found, expected, rtol=0, atol=ROUNDING)
    assert torch.equal(found, found.T)


@pytest.mark.parametrize("name", NETWORKS)
def test_parts_and_layer_blocks_agree_with_products(name):
    model, (x, labels, _) = network(name), data()
    for part in ("gauss_newton", "residual"):
        found = exact(model, CROSS_ENTROPY, x, labels, part=part, route="structured")
        products = exact(model, CROSS_ENTROPY, x, labels, part=part, route="generic")
        torch.testing.assert_close(found, products, rtol=0, atol=ROUNDING)
        blocks = layer_blocks(model, CROSS_ENTROPY, x, labels, part=part, route="structured")
        start = 0
        for block in blocks.values():
            span = slice(start, start + len(block))
            torch.testing.assert_close(block, found[span, span], rtol=0, atol=ROUNDING)
            start = span.stop
        assert start == len(found)


def test_blocks_of_samples_add_up(monkeypatch):
    from numerics.hessians import chains

    model, (x, labels, _) = network("strides and padding"), data()
    whole = exact(model, CROSS_ENTROPY, x, labels, route="structured")
    monkeypatch.setattr(chains, "_NUMBERS", 1)
    assert as_chain(model, x, torch.float64).samples_at_once == 1
    one_by_one = exact(model, CROSS_ENTROPY, x, labels, route="structured")
    torch.testing.assert_close(one_by_one, whole, rtol=0, atol=ROUNDING)


def test_the_model_is_left_as_it_was():
    model, (x, labels, _) = network("tokens"), data()
    before = copy.deepcopy(model.state_dict())
    state = torch.get_rng_state()
    exact(model, CROSS_ENTROPY, x, labels, route="structured")
    assert torch.equal(state, torch.get_rng_state())
    assert all(p.grad is None and p.requires_grad for p in model.parameters())
    assert all(torch.equal(before[name], t) for name, t in model.state_dict().items())


def test_takes_the_cheaper_route():
    wide = nn.Sequential(nn.Unflatten(1, (1, 6, 6)), nn.Conv2d(1, 9, 2), nn.Tanh(), nn.Flatten())
    assert not as_chain(wide.double(), data()[0], torch.float64).is_worthwhile
    narrow = network("strides and padding")
    assert as_chain(narrow, data()[0], torch.float64).is_worthwhile


def hooked():
    model = network("tokens")
    model[1].register_forward_hook(lambda module, inputs, output: 2 * output)
    return model


def frozen():
    model = network("tokens")
    model[1].bias.requires_grad_(False)
    return model


def shared():
    model = network("strides and padding")
    layer = nn.Linear(3, 3).double()
    return nn.Sequential(*model, layer, nn.Tanh(), layer)


def tied():
    first, second = nn.Linear(36, 36).double(), nn.Linear(36, 36).double()
    second.weight = first.weight
    return nn.Sequential(first, nn.Tanh(), second, nn.Tanh(), nn.Linear(36, 3).double())


def of_image(*modules):
    return nn.Sequential(image(), *modules, nn.Flatten(), nn.LazyLinear(3)).double()


OTHERS = {
    "a hook": hooked,
    "a frozen parameter": frozen,
    "a layer used twice": shared,
    "a shared weight": tied,
    "an unknown module": lambda: of_image(nn.Conv2d(1, 2, 3), Doubled()),
    "groups": lambda: of_image(nn.Conv2d(1, 2, 3), nn.Conv2d(2, 2, 3, groups=2)),
    "reflected padding": lambda: of_image(nn.Conv2d(1, 2, 3, padding=1, padding_mode="reflect")),
    "running statistics": lambda: of_image(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)).eval(),
}


@pytest.mark.parametrize("name", OTHERS)
def test_anything_else_is_left_to_products(name):
    x, labels, _ = data()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = OTHERS[name]()
        model(x)  # fixes the sizes of lazy layers
    assert as_chain(model, x, torch.float64) is None
    expected = exact(model, CROSS_ENTROPY, x, labels, route="generic")
    assert torch.equal(exact(model, CROSS_ENTROPY, x, labels), expected)
    with pytest.raises(ValueError, match="use route='auto'"):
        exact(model, CROSS_ENTROPY, x, labels, route="structured")
