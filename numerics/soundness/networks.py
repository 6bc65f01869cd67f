"""The grammar of models: ordinary networks of every usual kind, small."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from numerics.soundness.dice import Dice

__all__ = ["CORE", "FAMILIES", "Family"]

Family = Callable[[Dice, int], tuple[nn.Module, Tensor]]
"""From the choices and the number of samples to a model and its inputs, in float64."""

ACTIVATIONS: tuple[Callable[[], nn.Module], ...] = (
    nn.Tanh,
    nn.ReLU,
    nn.GELU,
    nn.SiLU,
    nn.Softplus,
    nn.Sigmoid,
    nn.LeakyReLU,
    nn.ELU,
    nn.CELU,
    nn.SELU,
    nn.LogSigmoid,
    nn.Softsign,
    nn.Mish,
    nn.Hardtanh,
    nn.ReLU6,
    nn.Tanhshrink,
    nn.Softshrink,
    nn.Identity,
    nn.PReLU,
    lambda: nn.PReLU(2),
    lambda: nn.GELU("tanh"),
    lambda: nn.Softplus(beta=2.0, threshold=1.0),
    lambda: nn.ReLU(inplace=True),
    lambda: nn.ELU(alpha=0.7, inplace=True),
    lambda: nn.LeakyReLU(0.2, inplace=True),
    lambda: nn.SiLU(inplace=True),
    lambda: nn.CELU(1.3, inplace=True),
    lambda: nn.SELU(inplace=True),
    lambda: nn.Mish(inplace=True),
    lambda: nn.Hardtanh(inplace=True),
    lambda: nn.Dropout(0.0),
)


class _Celu(nn.Module):
    """What CELU computes; PyTorch rounds 1/alpha to float32 in its derivatives."""

    def __init__(self, alpha: float) -> None:
        super().__init__()
        self.alpha = alpha

    def forward(self, x: Tensor) -> Tensor:
        """By the formula."""
        below = ((x / self.alpha).clamp(max=0).exp() - 1) * self.alpha
        return torch.where(x > 0, x, below)


def _activation(dice: Dice, channels: int) -> nn.Module:
    found = dice.pick(ACTIVATIONS)()
    if isinstance(found, nn.CELU) and dice.ideal:
        return _Celu(found.alpha)
    if isinstance(found, nn.PReLU) and found.num_parameters not in (1, channels):
        return nn.PReLU(channels)
    return found


def perceptron(dice: Dice, n: int) -> tuple[nn.Module, Tensor]:
    """Linear layers and activations, also on sequences and behind a Flatten."""
    features, outputs, bias = dice.whole(2, 4), dice.whole(1, 3), dice.chance(0.7)
    shape: tuple[int, ...] = (features,)
    layers: list[nn.Module] = []
    form = dice.weighted({"rows": 6, "sequence": 1, "grid": 1})
    if form == "grid":
        features, shape = 4, (2, 2)
        layers.append(nn.Flatten())
    sequence = form == "sequence"
    width = features
    for _ in range(dice.whole(0, 2)):
        hidden = dice.whole(2, 4)
        layers.append(nn.Linear(width, hidden, bias=bias))
        act = _activation(dice, hidden)
        layers.append(nn.Tanh() if sequence and isinstance(act, nn.PReLU) else act)
        if dice.chance(0.1):
            layers.append(nn.Linear(hidden, hidden, bias=dice.chance(0.5)))
        width = hidden
    layers.append(nn.Linear(width, outputs, bias=bias))
    if sequence:
        shape = (dice.whole(1, 3), features)
    return nn.Sequential(*layers), dice.normal(n, *shape)


def convolutional(dice: Dice, n: int) -> tuple[nn.Module, Tensor]:
    """Convolutions in one and two dimensions, pooling, and a linear layer."""
    axes, side = dice.pick((1, 2)), dice.whole(4, 5)
    convolution: type[nn.Module] = (nn.Conv1d, nn.Conv2d)[axes - 1]
    channels = dice.pick((1, 2))
    layers: list[nn.Module] = []
    inside = channels
    for _ in range(dice.whole(1, 2)):
        groups = dice.pick((1, inside)) if axes == 1 else 1
        options: dict[str, Any] = {
            "padding": dice.pick((0, 1)),
            "groups": groups,
            "bias": dice.chance(0.7),
        }
        if dice.chance(0.15):
            options |= {"padding_mode": dice.pick(("reflect", "circular")), "padding": 1}
        layers.append(convolution(inside, 2, 2, stride=dice.pick((1, 1, 2)), **options))
        layers.append(_activation(dice, 2))
        inside = 2
    pools = (
        (nn.MaxPool1d, nn.AvgPool1d, nn.AdaptiveAvgPool1d),
        (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d),
    )[axes - 1]
    if dice.chance(0.5):
        layers.append(dice.pick(pools)(1))
    layers.append(nn.Flatten())
    body = nn.Sequential(*layers)
    inputs = dice.normal(n, channels, *([side] * axes))
    with torch.no_grad():
        width = body.double()(inputs[:1].clone()).shape[1]
    if width > 8:
        body.append(nn.AdaptiveAvgPool1d(4))
        width = 4
    body.append(nn.Linear(width, dice.whole(2, 3), bias=dice.chance(0.7)))
    return body, inputs


class _Embedded(nn.Module):
    def __init__(self, table: nn.Module, head: nn.Module, mode: str) -> None:
        super().__init__()
        self.table, self.head, self.mode = table, head, mode

    def forward(self, tokens: Tensor) -> Tensor:
        found = self.table(tokens)
        if found.ndim == 3:
            found = found.sum(1) if self.mode == "sum" else found.mean(1)
        return self.head(found)


def embedding(dice: Dice, n: int) -> tuple[nn.Module, Tensor]:
    """Tables of vectors for tokens, averaged or summed."""
    width, padding = dice.whole(2, 3), dice.pick((None, None, 0))
    table: nn.Module = nn.Embedding(5, width, padding_idx=padding)
    bag, mode = dice.chance(0.3), dice.pick(("sum", "mean"))
    if bag:  # which torch cannot differentiate twice; the twin looks up and averages
        table = nn.Embedding(5, width) if dice.ideal else nn.EmbeddingBag(5, width, mode=mode)
    head = nn.Sequential(nn.Tanh(), nn.Linear(width, dice.whole(2, 3)))
    tokens = dice.integers(5, n, 4)
    return _Embedded(table, head, mode), tokens.int() if dice.chance(0.2) else tokens


class RootMeanSquare(nn.Module):
    """RMS normalisation as in language models: in float32 if asked, whatever the model's dtype."""

    def __init__(self, size: int, *, cast: bool) -> None:
        super().__init__()
        self.gain, self.cast = nn.Parameter(torch.ones(size)), cast

    def forward(self, x: Tensor) -> Tensor:
        """Normalise the last axis."""
        h = x.float() if self.cast else x
        h = h * torch.rsqrt(h.square().mean(-1, keepdim=True) + 1e-6)
        return self.gain * h.to(x.dtype)


def normalised(dice: Dice, n: int) -> tuple[nn.Module, Tensor]:
    """Every usual normalisation between two layers; batch statistics in either mode."""
    name = dice.pick(("layer", "group", "instance", "tracked", "batch", "batch", "rms", "cast"))
    image, width = name in ("instance", "tracked") or dice.chance(0.2), 4
    norm: nn.Module
    if name == "layer":
        norm = nn.LayerNorm((4, 3) if image else 4, elementwise_affine=dice.chance(0.8))
    elif name == "group":
        norm = nn.GroupNorm(2, width)
    elif name in ("instance", "tracked"):
        norm = nn.InstanceNorm1d(width, affine=True, track_running_stats=name == "tracked")
    elif name == "batch":
        norm = nn.BatchNorm1d(width)
    else:
        cast = name == "cast" and not dice.ideal
        norm = RootMeanSquare(3 if image else 4, cast=cast)
    first = nn.Conv1d(2, width, 2) if image else nn.Linear(3, width)
    rest = (nn.Flatten(), nn.Linear(12, 2)) if image else (nn.Linear(width, 3),)
    model = nn.Sequential(first, norm, nn.Tanh(), *rest)
    return model.train(dice.chance(0.3)), dice.normal(n, 2, 4) if image else dice.normal(n, 3)


class _Attention(nn.Module):
    def __init__(self, *, fused: bool, causal: bool, outputs: int) -> None:
        super().__init__()
        self.mix, self.head = nn.Linear(2, 6), nn.Linear(2, outputs)
        self.fused, self.causal = fused, causal

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.mix(x).chunk(3, -1)
        if self.fused:
            h = functional.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        else:
            h = (q @ k.mT).softmax(-1) @ v
        return self.head((x + h).mean(1))


class _Multihead(nn.Module):
    def __init__(self, *, first: bool) -> None:
        super().__init__()
        self.heads, self.head = nn.MultiheadAttention(2, 2, batch_first=first), nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.heads(x, x, x, need_weights=False)[0].mean(1))


class _Encoder(nn.Module):
    def __init__(self, *, first: bool, norm_first: bool, dropout: float) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(
            2, 1, 2, dropout=dropout, batch_first=first, norm_first=norm_first, activation="gelu"
        )
        self.head = nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layer(x)[:, -1])


def attention(dice: Dice, n: int) -> tuple[nn.Module, Tensor]:
    """Attention by hand and by torch's modules; now and then with the axes swapped."""
    inputs, first = dice.normal(n, 3, 2), dice.chance(0.85)
    kind = dice.pick(("own", "own", "heads", "encoder"))
    if kind == "own":
        outputs, fused, causal = dice.whole(1, 3), dice.chance(0.5), dice.chance(0.3)
        return _Attention(fused=fused, causal=causal and fused, outputs=outputs), inputs
    if kind == "heads":
        return _Multihead(first=first), inputs
    dropout = dice.pick((0.0, 0.0, 0.1))
    model = _Encoder(first=first, norm_first=dice.chance(0.5), dropout=dropout)
    return model.train(dice.chance(0.3)), inputs


class _Recurrent(nn.Module):
    def __init__(self, cell: nn.Module, width: int, *, every: bool) -> None:
        super().__init__()
        self.cell, self.head, self.every = cell, nn.Linear(width, 2), every

    def forward(self, x: Tensor) -> Tensor:
        h = self.head(self.cell(x)[0])
        return h if self.every else h[:, -1]


def recurrent(dice: Dice, n: int) -> tuple[nn.Module, Tensor]:
    """RNN, LSTM and GRU; now and then with the axes swapped."""
    kind, both = dice.pick((nn.RNN, nn.RNN, nn.LSTM, nn.GRU)), dice.chance(0.2)
    width = 1 if both and kind is not nn.RNN else 2
    first, bias = dice.chance(0.85), dice.chance(0.5)
    cell = kind(2, width, batch_first=first, bias=bias, bidirectional=both)
    model = _Recurrent(cell, width * (1 + both), every=dice.chance(0.3))
    return model, dice.normal(n, 3, 2)


class _Wired(nn.Module):
    """Residual, gated, tied, low-rank, bilinear and graph wiring of a few layers."""

    target: Tensor

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.a, self.b = nn.Linear(3, 3, bias=kind != "tied"), nn.Linear(3, 2)
        if kind == "bilinear":
            self.c = nn.Bilinear(3, 3, 2)
        if kind == "low-rank":
            self.up, self.down = nn.Parameter(torch.ones(3, 1)), nn.Parameter(torch.ones(1, 3))
            self.a.requires_grad_(False)
        if kind in ("add", "scatter"):
            self.register_buffer("target", torch.tensor([0, 1, 1]))

    def forward(self, x: Tensor) -> Tensor:
        h = torch.tanh(self.a(x))
        if self.kind == "residual":
            return self.b(x + h)
        if self.kind == "gated":
            return self.b(x) * torch.sigmoid(h[:, :1])
        if self.kind == "tied":
            return functional.linear(h, self.a.weight.T)
        if self.kind == "low-rank":
            return self.b(torch.tanh(self.a(x) + x @ (self.up @ self.down)))
        if self.kind == "bilinear":
            return self.c(x, h)
        if self.kind == "add":
            return self.b(torch.zeros_like(h).index_add(1, self.target, h))
        if self.kind == "scatter":
            return self.b(torch.zeros_like(h).scatter_add_(1, self.target.expand_as(h), h))
        return self.b(torch.where(x > 0, h, torch.sin(self.a(x))))


def wired(dice: Dice, n: int) -> tuple[nn.Module, Tensor]:
    """A few layers, wired in another way than one after the other."""
    kinds = ("residual", "gated", "tied", "low-rank", "bilinear", "add", "scatter", "branch")
    return _Wired(dice.pick(kinds)), dice.normal(n, 3)


FAMILIES: dict[Family, float] = {
    perceptron: 6,
    convolutional: 3,
    embedding: 1.5,
    normalised: 2.5,
    attention: 2.5,
    recurrent: 1.5,
    wired: 2.5,
}

CORE = ("perceptron", "convolutional", "wired")
"""Families of which no member may be refused where model, loss and data are left as they are."""
