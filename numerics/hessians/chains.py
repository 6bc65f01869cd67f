r"""Chains of layers that share weights between positions: convolutional networks.

A weighted layer (Conv2d, Linear) computes $z[c, p] = \sum_k W[c, k]\, X[k, p] + b[c]$ from the
patches X of its input x, at every position p; what follows is a fixed map $x_{l+1} = g_l(z_l)$
(activations, pooling, reshaping).  For the loss $\ell$ of one sample let
$u_l = \partial\ell/\partial x_{l+1}$, $\delta_l = \partial\ell/\partial z_l$,
$Q_l = \partial^2\ell/\partial z_l^2$ with later weights held fixed,
$P_{ml} = \partial x_m/\partial z_l$ and $J_{ml} = \partial z_m/\partial z_l$.  Then
$$ Q_l = J_{l+1,l}^\top Q_{l+1} J_{l+1,l} + \nabla^2_{z} \langle u_l, g_l(z)\rangle, $$
and for $l \le m$, with a row of ones below X for the bias,
$$ \frac{\partial^2 \ell}{\partial W_l[c,k]\,\partial W_m[d,j]}
   = \sum_{p,q} X_l[k,p]\,(J_{ml}^\top Q_m)[cp, dq]\,X_m[j,q]
   + \sum_{p,q} X_l[k,p]\,\frac{\partial X_m[j,q]}{\partial z_l[c,p]}\,\delta_m[d,q]
   \quad (\text{second term: } l < m), $$
which is summed over the samples in matrix products.  With one position this is the formula of
`numerics.hessians.perceptrons`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from numerics.hessians.assembly import BUDGET, add_symmetric, symmetrize_
from numerics.hessians.evaluation import quiet
from numerics.hessians.layers import (
    Layer,
    flattened,
    out_of_place,
    owns_all_parameters,
    patches_of,
    without_bias,
)
from numerics.hessians.losses import Loss, loss_derivatives

__all__ = ["Chain", "as_chain"]

_NUMBERS = 2**22
"""Numbers in the temporaries of one block of samples: small enough for the caches."""

_UNITS_AT_ONCE = 64


@dataclass(frozen=True)
class Chain:
    """A network of such layers.

    Attributes:
        ahead: fixed modules before the first layer with weights.
        layers: the layers with weights, in order.
    """

    ahead: tuple[nn.Module, ...]
    layers: tuple[Layer, ...]

    @property
    def size(self) -> int:
        """Number of parameters d."""
        return sum(len(layer.places) for layer in self.layers)

    @property
    def numbers(self) -> int:
        """Numbers that the temporaries of one sample take."""
        return 2 * max(
            low.width * (high.width + high.columns * (high.positions + len(high.weight)))
            + low.columns * len(low.weight) * high.width
            for low, high in self._pairs()
        )

    @property
    def block(self) -> int:
        """Numbers that the temporaries of one block of samples take, with a block of the result."""
        largest = max(len(layer.places) for layer in self.layers)
        return self.samples_at_once * self.numbers + 2 * largest**2

    @property
    def samples_at_once(self) -> int:
        """Samples whose temporaries fit into one block."""
        return max(1, _NUMBERS // self.numbers)

    @property
    def is_worthwhile(self) -> bool:
        """Whether this takes fewer operations than Hessian-vector products, and fits in memory."""
        here = sum(
            low.width * (low.width + low.columns) * high.width
            + len(low.weight) * low.columns * high.width * high.columns
            + low.width * high.columns * len(high.weight) * (high.positions + low.columns)
            for low, high in self._pairs()
        )
        fits = self.numbers <= BUDGET
        return fits and here < 6 * self.size * sum(
            x.weight.numel() * x.positions for x in self.layers
        )

    def _pairs(self) -> Iterator[tuple[Layer, Layer]]:
        return itertools.combinations_with_replacement(self.layers, 2)

    def differentiate(
        self, loss: Loss, inputs: Tensor, targets: Tensor, part: str
    ) -> ChainDerivatives:
        """One forward pass, and one backward pass of the recursion above.

        Args:
            loss: per-sample loss.
            inputs: shape (n, ...).
            targets: whatever the loss takes.
            part: `hessian`, `gauss_newton` or `residual`.
        """
        x = inputs
        for module in self.ahead:
            x = module(x)
        x = x.flatten(1)
        patches, points = [], []
        for layer in self.layers:
            patches.append(layer.patches(x))
            points.append(layer.outputs_at(patches[-1]))
            x = layer.follow(points[-1])
        upstream, curvature = loss_derivatives(loss, x, targets)
        if part == "residual":
            curvature = torch.zeros_like(curvature)
        deltas: list[Tensor] = []
        curvatures: list[Tensor] = []
        slopes: list[Tensor] = []
        above = None
        for layer, z in zip(reversed(self.layers), reversed(points), strict=True):
            pull = torch.func.vjp(layer.follow, z)[1]
            slopes.insert(0, _rows(pull, upstream).flatten(2))
            into = slopes[0] if above is None else _image(above, above.patches(slopes[0]))
            inner = into.mT @ curvature @ into
            if part != "gauss_newton":
                inner += _bend(layer, z, upstream)
            deltas.insert(0, pull(upstream)[0])
            curvatures.insert(0, inner)
            upstream = layer.scattered(layer.weight.T @ deltas[0])
            curvature, above = inner, layer
        return ChainDerivatives(
            self.layers,
            tuple(_with_ones(x, layer) for x, layer in zip(patches, self.layers, strict=True)),
            tuple(deltas),
            tuple(curvatures),
            tuple(slopes),
            part != "gauss_newton",
        )


@dataclass(frozen=True)
class ChainDerivatives:
    r"""What the second derivatives of some samples' losses are made of.

    Attributes:
        layers: the network.
        patches: X with its row of ones, per layer, shape (n, K, positions).
        deltas: $\delta$, per layer, shape (n, C, positions).
        curvatures: Q, per layer, shape (n, w, w).
        slopes: $\partial x_{l+1}/\partial z_l$, per layer, shape (n, h, w).
        bilinear: whether the second term of the formula belongs to the part asked for.
    """

    layers: tuple[Layer, ...]
    patches: tuple[Tensor, ...]
    deltas: tuple[Tensor, ...]
    curvatures: tuple[Tensor, ...]
    slopes: tuple[Tensor, ...]
    bilinear: bool

    def add_to(self, total: Tensor) -> None:
        """Add the sum over the samples to the upper triangle of a (d, d) matrix, in place."""
        for low, layer in enumerate(self.layers):
            self._add(total, layer, layer, self.own_block(low))
            for high, block in self.blocks_beyond(low):
                self._add(total, layer, self.layers[high], block)

    def add_layer_to(self, total: Tensor, index: int) -> None:
        """Add one layer's diagonal block to a matrix, in place."""
        layer = replace(self.layers[index], start=0)
        self._add(total, layer, layer, self.own_block(index))

    def own_block(self, index: int) -> Tensor:
        """One layer's diagonal block, symmetric, shape (C, K, C, K)."""
        layer, x = self.layers[index], self.patches[index]
        if layer.positions > 1:
            return self._first(index, index, self.curvatures[index])
        side = (len(layer.weight), layer.columns)
        block = x.new_zeros(*side, *side)
        add_symmetric(block, self.curvatures[index], x.squeeze(2))
        symmetrize_(block.view(math.prod(side), -1))
        return block

    def blocks_beyond(self, low: int) -> Iterator[tuple[int, Tensor]]:
        """The blocks with every later layer, shape (C, K, C', K')."""
        into = self.slopes[low]
        for high in range(low + 1, len(self.layers)):
            moved = self.layers[high].patches(into)
            across = _image(self.layers[high], moved)
            block = self._first(low, high, (self.curvatures[high] @ across).mT)
            if self.bilinear:
                self._add_second(block, low, high, moved)
            yield high, block
            into = self.slopes[high] @ across

    @staticmethod
    def _add(total: Tensor, low: Layer, high: Layer, block: Tensor) -> None:
        rows, columns = low.places, high.places
        total[rows[:, None], columns] += block.view(len(rows), len(columns))

    def _first(self, low: int, high: int, inner: Tensor) -> Tensor:
        r"""The first term, for $J^\top Q$ of shape (n, w, w')."""
        x, y = self.patches[low], self.patches[high]
        here, there = self.layers[low], self.layers[high]
        channels, others = len(here.weight), len(there.weight)
        inner = inner.reshape(len(x), channels, here.positions, -1)
        half = x.unsqueeze(1) @ inner  # (n, C, K, C' positions')
        half = half.view(len(x), -1, others, there.positions).permute(1, 2, 0, 3)
        block = half.reshape(-1, len(x) * there.positions) @ y.mT.reshape(-1, y.shape[1])
        return block.view(channels, here.columns, others, there.columns)

    def _add_second(self, block: Tensor, low: int, high: int, moved: Tensor) -> None:
        r"""Add the second term, for $\partial X_m/\partial z_l$ of shape (n, K', positions', w)."""
        x, here = self.patches[low], self.layers[low]
        seen = self.deltas[high].unsqueeze(1) @ moved  # (n, K', C', w)
        seen = seen.flatten(1, 2).unflatten(2, (len(here.weight), here.positions))
        seen = seen.permute(2, 1, 0, 3).flatten(2)  # (C, K' C', n positions)
        term = seen @ x.permute(0, 2, 1).flatten(0, 1)  # (C, K' C', K)
        weights = self.layers[high].weight
        term = term.unflatten(1, (weights.shape[1], len(weights)))
        block[..., : weights.shape[1]] += term.permute(0, 3, 2, 1)


def as_chain(model: nn.Module, inputs: Tensor, dtype: torch.dtype) -> Chain | None:
    """Recognise `nn.Sequential` of Conv2d, Linear and modules of torch without parameters.

    Args:
        model: any module.
        inputs: at least one sample, for the shapes; nothing else is read of it.
        dtype: of the detached weights.

    Returns:
        None for another architecture, hooks, a replaced `forward`, subclasses, shared, frozen or
        further parameters, grouped or padded-by-reflection convolutions.
    """
    modules = flattened(model)
    if modules is None:
        return None
    ahead: list[nn.Module] = []
    found: list[tuple[nn.Linear | nn.Conv2d, list[nn.Module]]] = []
    for module in modules:
        if isinstance(module, nn.Linear | nn.Conv2d):
            found.append((module, []))
        else:
            (found[-1][1] if found else ahead).append(out_of_place(module))
    if not found or not owns_all_parameters(model, [module for module, _ in found]):
        return None
    layers, start = [], 0
    with torch.no_grad():
        x = inputs[:1].to(dtype)
        for module in ahead:
            x = module(x)
        for module, behind in found:
            weight = module.weight.detach().to(dtype)
            bias = None if module.bias is None else module.bias.detach().to(dtype)
            numbers = torch.arange(1, 1 + x.numel(), device=x.device).view(x.shape)
            index = patches_of(module, numbers)
            x = without_bias(module, weight, x)
            layers.append(
                Layer(
                    weight.flatten(1),
                    bias,
                    index,
                    isinstance(module, nn.Linear),
                    tuple(behind),
                    start,
                    numbers.numel(),
                    x.shape[1:],
                )
            )
            start += weight.numel() + (0 if bias is None else bias.numel())
            for fixed in behind:
                x = fixed(x)
    return Chain(tuple(ahead), tuple(layers)) if x.ndim == 2 else None


def _with_ones(patches: Tensor, layer: Layer) -> Tensor:
    if layer.bias is None:
        return patches
    return torch.cat([patches, torch.ones_like(patches[:, :1])], 1)


def _image(layer: Layer, patches: Tensor) -> Tensor:
    """The layer, without its bias, on patches of shape (n, K, positions, w): (n, w', w)."""
    image: Tensor = layer.weight @ patches.flatten(2)
    return image.view(len(patches), layer.width, -1)


def _rows(pull: Callable[[Tensor], tuple[Tensor, ...]], like: Tensor) -> Tensor:
    """A pull-back on the unit vectors of every sample at once, shape (n, h, ...)."""
    units = torch.eye(like[0].numel(), dtype=like.dtype, device=like.device)
    units = units.view(-1, 1, *like.shape[1:])

    def row(unit: Tensor) -> Tensor:
        return pull(unit.expand_as(like))[0]

    with quiet():
        return torch.func.vmap(row, chunk_size=_UNITS_AT_ONCE)(units).transpose(0, 1)


def _bend(layer: Layer, z: Tensor, upstream: Tensor) -> Tensor:
    r"""$\nabla^2_z \langle u, g(z)\rangle$, shape (n, w, w)."""

    def slope(point: Tensor) -> Tensor:
        pull = torch.func.vjp(layer.follow, point)[1]
        return pull(upstream)[0]

    pull = torch.func.vjp(slope, z)[1]
    return _rows(pull, z).flatten(2)
