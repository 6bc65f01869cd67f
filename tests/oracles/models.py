"""Models of every kind, and their Hessians by routes that share no code with the package."""

from __future__ import annotations

import torch
from torch import nn

N = 6


def numbers(*shape, seed=0):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=g, dtype=torch.float64)


X, T = numbers(N, 5), numbers(N, 3, seed=1)
LABELS = torch.tensor([0, 2, 1, 1, 0, 2])
TOKENS = torch.tensor(
    [[1, 2, 0, 0], [3, 1, 2, 6], [5, 5, 1, 0], [2, 3, 4, 4], [6, 1, 0, 0], [1] * 4]
)


def twice(model, loss, x, y):
    """torch.autograd on the model itself."""
    chosen = [p for p in model.parameters() if p.requires_grad]

    def flat(pieces):
        pairs = zip(pieces, chosen, strict=True)
        return torch.cat([(torch.zeros_like(p) if a is None else a).reshape(-1) for a, p in pairs])

    mean = loss(model(x), y).mean()
    gradient = flat(torch.autograd.grad(mean, chosen, create_graph=True, allow_unused=True))
    rows = [torch.autograd.grad(g, chosen, retain_graph=True, allow_unused=True) for g in gradient]
    return torch.stack([flat(row) for row in rows])


def differenced(model, loss, x, y, h=2e-4):
    """Central differences of the loss: truncation of order h^2, round-off 1e-16/h^2."""
    chosen = list(model.parameters())
    start = nn.utils.parameters_to_vector(chosen).detach().clone()
    steps = torch.eye(len(start), dtype=torch.float64) * h

    def value(at):
        nn.utils.vector_to_parameters(at, chosen)
        with torch.no_grad():
            return float(loss(model(x), y).mean())

    def entry(a, b):
        corners = [value(start + s * a + t * b) for s, t in ((1, 1), (1, -1), (-1, 1), (-1, -1))]
        return (corners[0] - corners[1] - corners[2] + corners[3]) / (4 * h * h)

    found = torch.tensor([[entry(a, b) for b in steps] for a in steps], dtype=torch.float64)
    value(start)
    return found


class Two(nn.Module):
    """Two layers; what lies between and around them is given."""

    def __init__(self, forward=None, prepare=None):
        super().__init__()
        self.a, self.b = nn.Linear(5, 4), nn.Linear(4, 3)
        self.own = forward
        if prepare is not None:
            prepare(self)

    def plain(self, x):
        return self.b(torch.tanh(self.a(x)))

    def forward(self, x):
        return self.plain(x) if self.own is None else self.own(self, x)


def two(forward=None, prepare=None):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Two(forward, prepare).double()


def chain(*modules):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(*(module() for module in modules)).double()


def first():
    return nn.Linear(5, 4)


def last():
    return nn.Linear(4, 3)


def perceptron(change=None):
    model = chain(first, nn.Tanh, last)
    if change is not None:
        change(model)
    return model


def of_image(*modules):
    return chain(lambda: nn.Unflatten(1, (1, 5, 1)), *modules)


class Sine(torch.autograd.Function):
    """As most people write one: no rule for torch.func."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.sin()

    @staticmethod
    def backward(ctx, g):
        return g * ctx.saved_tensors[0].cos()
