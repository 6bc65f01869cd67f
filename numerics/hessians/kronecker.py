r"""The row space of a perceptron's per-sample Hessians: columns of Kronecker form, never stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from numerics.hessians.assembly import (
    BUDGET,
    add_products,
    add_symmetric,
    slices,
    symmetrize_,
)
from numerics.hessians.bases import Indices

__all__ = ["KroneckerBasis", "ParameterGroup"]


@dataclass(frozen=True)
class ParameterGroup:
    r"""The weight or the bias of one layer, and its columns of $U_i$.

    Attributes:
        layer: of the network.
        start: first parameter.
        outputs: w, the rows of the weight.
        factor: x, shape (n, h): the inputs of the layer, or ones (h = 1) for a bias.
        delta: shape (n, w), where columns $\delta \otimes e_q$ act on the group, else None.
        first: columns $e_j \otimes x$, $j \le w$.
        second: columns $\delta \otimes e_q$, $q \le h$.
    """

    layer: int
    start: int
    outputs: int
    factor: Tensor
    delta: Tensor | None
    first: slice
    second: slice

    @property
    def inputs(self) -> int:
        """The columns h of the weight; 1 for a bias."""
        return self.factor.shape[1]

    @property
    def rows(self) -> slice:
        """Where the group lies in the flat parameter vector, row by row."""
        return slice(self.start, self.start + self.outputs * self.inputs)

    def window(self, other: ParameterGroup, matrix: Tensor) -> Tensor:
        """The block of a (d, d) matrix for two groups, viewed with shape (w, h, w', h')."""
        block = matrix[self.rows, other.rows]
        shape = (self.outputs, self.inputs)
        return block.unflatten(0, shape).unflatten(2, (other.outputs, other.inputs))

    def project(self, columns: Tensor, coefficients: Tensor) -> None:
        r"""Add $U_i^\top V$, for V of shape (d, m), to the coefficients (n, r, m), in place."""
        weight = columns[self.rows].unflatten(0, (self.outputs, self.inputs))
        by_input = weight.transpose(0, 1).flatten(1)
        coefficients[:, self.first] += (self.factor @ by_input).unflatten(1, (self.outputs, -1))
        if self.delta is not None:
            pulled = self.delta @ weight.flatten(1)
            coefficients[:, self.second] += pulled.unflatten(1, (self.inputs, -1))

    def expand(self, coefficients: Tensor) -> Tensor:
        r"""$\sum_i U_i c_i$: shape (n, r, m) to (w h, m)."""
        weight = (self.factor.T @ coefficients[:, self.first].flatten(1)).unflatten(
            1, (self.outputs, -1)
        )
        weight = weight.transpose(0, 1)
        if self.delta is not None:
            pushed = self.delta.T @ coefficients[:, self.second].flatten(1)
            weight = weight + pushed.unflatten(1, (self.inputs, -1))
        return weight.flatten(0, 1)

    def project_each(self, vectors: Tensor, coefficients: Tensor) -> None:
        r"""Add $U_i^\top V_i$, for V of shape (n, d, m), to the coefficients, in place."""
        weight = vectors[:, self.rows].unflatten(1, (self.outputs, self.inputs))
        coefficients[:, self.first] += torch.einsum("nh,nwhm->nwm", self.factor, weight)
        if self.delta is not None:
            coefficients[:, self.second] += torch.einsum("nw,nwhm->nhm", self.delta, weight)

    def expand_each(self, coefficients: Tensor) -> Tensor:
        r"""$U_i c_i$: shape (n, r, m) to (n, w h, m)."""
        weight = coefficients[:, self.first].unsqueeze(2) * self.factor[:, None, :, None]
        if self.delta is not None:
            second = coefficients[:, self.second].unsqueeze(1)
            weight = weight + self.delta[:, :, None, None] * second
        return weight.flatten(1, 2)


@dataclass(frozen=True)
class KroneckerBasis:
    r"""The row space of a multilayer perceptron's per-sample Hessians, layer by layer.

    For layer $l$ with input $a$ (width h) and back-propagated gradient $\delta$ (width w), in the
    order (weight row by row, bias) of `nn.Linear.parameters()`, the columns are
    $e_j \otimes (a, 1)$ for $j \le w$ and, from the second layer on, $\delta \otimes (e_q, 0)$
    for $q \le h$.  They are neither normalised nor
    independent; nothing here divides by them, so neither is needed.

    Attributes:
        activations: per layer, the inputs of the layer, shape (n, h).
        deltas: per layer, the gradients in its outputs, shape (n, w).
        biases: per layer, whether it has a bias.
    """

    activations: tuple[Tensor, ...]
    deltas: tuple[Tensor, ...]
    biases: tuple[bool, ...]

    @property
    def samples(self) -> int:
        """Number of samples n."""
        return len(self.activations[0])

    @cached_property
    def groups(self) -> tuple[ParameterGroup, ...]:
        """Weights and biases in the order of the parameters."""
        groups, parameter, column = [], 0, 0
        layers = zip(self.activations, self.deltas, self.biases, strict=True)
        for layer, (a, delta, bias) in enumerate(layers):
            outputs, downstream = delta.shape[1], layer > 0
            first = slice(column, column + outputs)
            second = slice(first.stop, first.stop + downstream * a.shape[1])
            column = second.stop
            for factor, moved in [(a, delta if downstream else None)] + [
                (a.new_ones(len(a), 1), None)
            ] * bias:
                group = ParameterGroup(layer, parameter, outputs, factor, moved, first, second)
                groups.append(group)
                parameter = group.rows.stop
        return tuple(groups)

    @property
    def size(self) -> int:
        """Number of parameters d."""
        return self.groups[-1].rows.stop

    @property
    def rank(self) -> int:
        """Number of columns r."""
        return self.groups[-1].second.stop

    def gram(self) -> Tensor:
        r"""$U_i^\top U_i$, shape (n, r, r): block diagonal, in closed form."""
        gram = self.activations[0].new_zeros(self.samples, self.rank, self.rank)
        for group in self.groups:
            first, second = group.first, group.second
            diagonal = gram.diagonal(dim1=1, dim2=2)
            diagonal[:, first] += group.factor.square().sum(1, keepdim=True)
            if group.delta is not None:
                diagonal[:, second] += group.delta.square().sum(1, keepdim=True)
                cross = group.delta.unsqueeze(2) * group.factor.unsqueeze(1)
                gram[:, first, second] = cross
                gram[:, second, first] = cross.mT
        return gram

    def apply_gram(self, coefficients: Tensor) -> Tensor:
        r"""$U_i^\top U_i c_i$: shape (n, r, m) to itself, in O(r m) per sample."""
        result = torch.zeros_like(coefficients)
        for group in self.groups:
            first = coefficients[:, group.first]
            result[:, group.first] += group.factor.square().sum(1)[:, None, None] * first
            if group.delta is not None:
                second, delta = coefficients[:, group.second], group.delta.unsqueeze(2)
                factor = group.factor.unsqueeze(2)
                result[:, group.first] += delta * (factor.mT @ second)
                scale = group.delta.square().sum(1)[:, None, None]
                result[:, group.second] += factor * (delta.mT @ first) + scale * second
        return result

    def select(self, indices: Indices) -> KroneckerBasis:
        """The columns of some samples."""
        return KroneckerBasis(
            tuple(a[indices] for a in self.activations),
            tuple(delta[indices] for delta in self.deltas),
            self.biases,
        )

    def overlap(self, other: KroneckerBasis) -> Callable[[Tensor], Tensor]:
        r"""$U_a^\top V_b c_{ba}$ for all pairs: shape (m, r, n) to (n, r, m), O(r) per pair.

        Inner products of two columns of Kronecker form are products of inner products: $x_a^\top
        x_b$ and $\delta_a^\top \delta_b$ on the diagonal, rank one between the kinds.
        """
        scales: dict[int, Tensor] = {}  # of a layer's weight and bias together
        weights: dict[int, tuple[ParameterGroup, ParameterGroup]] = {}
        for mine, theirs in zip(self.groups, other.groups, strict=True):
            weights.setdefault(mine.layer, (mine, theirs))
            scale = mine.factor @ theirs.factor.T
            scales[mine.layer] = scale + scales.get(mine.layer, 0.0)
        shifts = {
            layer: mine.delta @ theirs.delta.T
            for layer, (mine, theirs) in weights.items()
            if mine.delta is not None and theirs.delta is not None
        }

        def apply(coefficients: Tensor) -> Tensor:
            columns = coefficients.permute(2, 0, 1)  # (n, m, r)
            result = torch.empty_like(columns, memory_format=torch.contiguous_format)
            for layer, (mine, theirs) in weights.items():
                first, second = columns[..., mine.first], columns[..., mine.second]
                onto_first, onto_second = result[..., mine.first], result[..., mine.second]
                torch.mul(scales[layer].unsqueeze(2), first, out=onto_first)
                if mine.delta is not None and theirs.delta is not None:
                    onto_first.addcmul_(second @ mine.factor.unsqueeze(2), theirs.delta)
                    torch.mul(first @ mine.delta.unsqueeze(2), theirs.factor, out=onto_second)
                    onto_second.addcmul_(shifts[layer].unsqueeze(2), second)
            return result.mT

        return apply

    def project(self, vectors: Tensor) -> Tensor:
        r"""$U_i^\top V$: shape (d, m) to (n, r, m)."""
        coefficients = vectors.new_zeros(self.samples, self.rank, vectors.shape[1])
        for group in self.groups:
            group.project(vectors, coefficients)
        return coefficients

    def project_each(self, vectors: Tensor) -> Tensor:
        r"""$U_i^\top V_i$: shape (n, d, m) to (n, r, m)."""
        coefficients = vectors.new_zeros(self.samples, self.rank, vectors.shape[2])
        for group in self.groups:
            group.project_each(vectors, coefficients)
        return coefficients

    def expand(self, coefficients: Tensor) -> Tensor:
        r"""$\sum_i U_i c_i$: shape (n, r, m) to (d, m)."""
        return torch.cat([group.expand(coefficients) for group in self.groups])

    def expand_each(self, coefficients: Tensor) -> Tensor:
        r"""$U_i c_i$: shape (n, r, m) to (n, d, m)."""
        return torch.cat([group.expand_each(coefficients) for group in self.groups], 1)

    def assemble(self, cores: Tensor) -> Tensor:
        r"""$\sum_i U_i C_i U_i^\top$ for symmetric $C_i$: shape (n, r, r) to (d, d).

        At most $4 n d^2$ operations for each pair of kinds of column, in large matrix products;
        blocks of the cores that vanish are skipped.
        """
        total = cores.new_zeros(self.size, self.size)
        for part in slices(self.samples, BUDGET // self.rank**2):
            groups = self.select(part).groups
            for index, group in enumerate(groups):
                for other in groups[index:]:
                    _add_pair(total, cores[part], group, other)
        return symmetrize_(total)


def _add_pair(total: Tensor, cores: Tensor, group: ParameterGroup, other: ParameterGroup) -> None:
    """Add the block of two groups; on the diagonal, its upper triangle at least."""
    target = group.window(other, total)
    both = cores[:, group.first, other.first]
    if group is other:
        add_symmetric(target, both, group.factor)
    else:
        add_products(target, both, group.factor, other.factor)
    if other.delta is not None:
        mixed = cores[:, group.first, other.second]
        if mixed.any():
            add_products(target.permute(0, 1, 3, 2), mixed, group.factor, other.delta)
    if group.delta is not None:
        mixed = cores[:, group.second, other.first]
        if mixed.any():
            add_products(target.permute(1, 0, 2, 3), mixed, group.delta, other.factor)
    if group.delta is not None and other.delta is not None:
        mixed = cores[:, group.second, other.second]
        if mixed.any():
            add_products(target.permute(1, 0, 3, 2), mixed, group.delta, other.delta)
