r"""MNIST with one layer of softmax attention over patches, a model that is no perceptron."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from numerics.checks import check_count
from numerics.data.mnist import CLASSES
from numerics.networks.scaled_mnist import SIDE, MnistComparison, check_window

__all__ = ["AttentionMnist", "PatchAttention", "attention"]


def attention(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    r"""$\mathrm{softmax}(QK^\top/\sqrt m)\,V$ over the tokens: shapes (..., tokens, m) to itself.

    Source: Vaswani et al., Attention is all you need (2017).
    """
    scores = queries @ keys.mT / math.sqrt(queries.shape[-1])
    return scores.softmax(-1) @ values


class PatchAttention(nn.Module):
    r"""One attention head over patches $p_i$ with positions $e_i$, mean pooling, linear readout.

    With the tokens $t_i = \max(0, E p_i + e_i)$, $i = 1, \dots, n$, the outputs are
    $$ z = W \frac1n \sum_{i=1}^n \mathrm{attention}(Qt, Kt, Vt)_i + b, $$
    where $E$, $Q$, $K$ and $V$ have biases, too.
    Weights start from $N(0, 1/h)$, h the length of their rows, positions from $N(0, 1)$ and biases
    at 0, drawn on the CPU in float64 from a generator of their own.

    Args:
        width: m, of the embedding, queries, keys and values.
        patch: side of a patch in pixels, a divisor of 28.
        seed: of the initial parameters.
        dtype: of the parameters.
        device: of the parameters.

    Raises:
        ValueError: if the width is not positive or the patch no divisor of 28.
    """

    def __init__(
        self,
        width: int,
        patch: int = 7,
        seed: int = 0,
        dtype: torch.dtype = torch.float64,
        device: str | torch.device = "cpu",
    ) -> None:
        super().__init__()
        check_count("width", width)
        self._patch, self._rows = patch, SIDE // check_window("patch", patch)
        self.embedding = _linear(patch**2, width)
        self.positions = nn.Parameter(torch.empty(self._rows**2, width, dtype=torch.float64))
        self.queries = _linear(width, width)
        self.keys = _linear(width, width)
        self.values = _linear(width, width)
        self.readout = _linear(width, CLASSES)
        stream = torch.Generator().manual_seed(check_count("seed", seed, least=0))
        with torch.no_grad():
            self.positions.normal_(generator=stream)
            linear = (self.embedding, self.queries, self.keys, self.values, self.readout)
            for layer in linear:
                layer.weight.normal_(std=1 / math.sqrt(layer.in_features), generator=stream)
                layer.bias.zero_()
        self.to(device=device, dtype=dtype)

    def forward(self, images: Tensor) -> Tensor:
        """Shape (n, 784) to (n, 10)."""
        grid = images.unflatten(1, (self._rows, self._patch, self._rows, self._patch))
        patches = grid.transpose(2, 3).flatten(3).flatten(1, 2)
        tokens = torch.relu(self.embedding(patches) + self.positions)
        mixed = attention(self.queries(tokens), self.keys(tokens), self.values(tokens))
        return self.readout(mixed.mean(1))


def _linear(inputs: int, outputs: int) -> nn.Linear:
    """A layer whose parameters are yet to be set; the global random numbers stay untouched."""
    return nn.utils.skip_init(nn.Linear, inputs, outputs, dtype=torch.float64)


@dataclass(frozen=True)
class AttentionMnist(MnistComparison):
    r"""`PatchAttention` of growing width.

    Attributes:
        width: m; the parameters are about $3m^2$.
        patch: side of a patch.
    """

    width: int = 64
    patch: int = 7

    def build(self, seed: int, device: str | torch.device = "cpu") -> nn.Module:
        """A fresh network."""
        return PatchAttention(self.width, self.patch, seed, torch.float32, device)
