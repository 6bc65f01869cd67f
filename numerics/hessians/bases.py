r"""Bases $U_i$ of per-sample matrices $U_i C_i U_i^\top$: explicit, trivial or of Kronecker form.

Every basis offers the same seven operations on all samples at once.  Shapes: n samples, d
parameters, rank r (the number of columns of each $U_i$), m columns of a block of vectors.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

__all__ = ["Basis", "ExplicitBasis", "IdentityBasis", "KroneckerBasis"]

_CHUNK = 2**24
"""Numbers in the largest temporary of an accumulation over samples (128 MiB in float64)."""


class Basis(Protocol):
    r"""Columns $U_i \in \mathbb R^{d \times r}$, one matrix for each of n samples."""

    samples: int
    size: int
    rank: int

    def gram(self) -> Tensor | None:
        r"""$U_i^\top U_i$, shape (n, r, r); None where it is the identity."""

    def project(self, vectors: Tensor) -> Tensor:
        r"""$U_i^\top V$: shape (d, m) to (n, r, m)."""

    def project_each(self, vectors: Tensor) -> Tensor:
        r"""$U_i^\top V_i$: shape (n, d, m) to (n, r, m)."""

    def expand(self, coefficients: Tensor) -> Tensor:
        r"""$\sum_i U_i c_i$: shape (n, r, m) to (d, m)."""

    def expand_each(self, coefficients: Tensor) -> Tensor:
        r"""$U_i c_i$: shape (n, r, m) to (n, d, m)."""

    def assemble(self, cores: Tensor) -> Tensor:
        r"""$\sum_i U_i C_i U_i^\top$ for symmetric $C_i$: shape (n, r, r) to (d, d)."""


@dataclass(frozen=True)
class IdentityBasis:
    r"""$U_i = I$: the cores are the dense matrices themselves.

    Attributes:
        samples: n.
        size: d.
    """

    samples: int
    size: int

    @property
    def rank(self) -> int:
        """R = d."""
        return self.size

    def gram(self) -> None:
        """The identity, hence None."""
        return None

    def project(self, vectors: Tensor) -> Tensor:
        """The vectors, repeated for each sample without a copy."""
        return vectors.expand(self.samples, *vectors.shape)

    def project_each(self, vectors: Tensor) -> Tensor:
        """The vectors."""
        return vectors

    def expand(self, coefficients: Tensor) -> Tensor:
        """The sum over the samples."""
        return coefficients.sum(0)

    def expand_each(self, coefficients: Tensor) -> Tensor:
        """The coefficients."""
        return coefficients

    def assemble(self, cores: Tensor) -> Tensor:
        """The sum over the samples."""
        return cores.sum(0)


@dataclass(frozen=True)
class ExplicitBasis:
    """Columns that are stored.

    Attributes:
        columns: shape (n, d, r).
    """

    columns: Tensor

    @property
    def samples(self) -> int:
        """Number of samples n."""
        return self.columns.shape[0]

    @property
    def size(self) -> int:
        """Number of parameters d."""
        return self.columns.shape[1]

    @property
    def rank(self) -> int:
        """Number of columns r."""
        return self.columns.shape[2]

    @cached_property
    def _joint(self) -> Tensor:
        """All columns side by side, shape (d, n r)."""
        return self.columns.permute(1, 0, 2).reshape(self.size, -1)

    def gram(self) -> Tensor:
        r"""$U_i^\top U_i$, shape (n, r, r)."""
        return self.columns.mT @ self.columns

    def project(self, vectors: Tensor) -> Tensor:
        r"""$U_i^\top V$: shape (d, m) to (n, r, m)."""
        return (self._joint.T @ vectors).unflatten(0, (self.samples, self.rank))

    def project_each(self, vectors: Tensor) -> Tensor:
        r"""$U_i^\top V_i$: shape (n, d, m) to (n, r, m)."""
        return self.columns.mT @ vectors

    def expand(self, coefficients: Tensor) -> Tensor:
        r"""$\sum_i U_i c_i$: shape (n, r, m) to (d, m)."""
        return self._joint @ coefficients.flatten(0, 1)

    def expand_each(self, coefficients: Tensor) -> Tensor:
        r"""$U_i c_i$: shape (n, r, m) to (n, d, m)."""
        return self.columns @ coefficients

    def assemble(self, cores: Tensor) -> Tensor:
        r"""$\sum_i U_i C_i U_i^\top$: shape (n, r, r) to (d, d)."""
        return self.expand(cores @ self.columns.mT)


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
    def _layers(self) -> tuple[_LayerColumns, ...]:
        layers, parameter, column = [], 0, 0
        for index, (a, delta) in enumerate(zip(self.activations, self.deltas, strict=True)):
            layers.append(_LayerColumns(a, delta, self.biases[index], index > 0, parameter, column))
            parameter += layers[-1].size
            column += layers[-1].rank
        return tuple(layers)

    @property
    def size(self) -> int:
        """Number of parameters d."""
        return sum(layer.size for layer in self._layers)

    @property
    def rank(self) -> int:
        """Number of columns r."""
        return sum(layer.rank for layer in self._layers)

    def gram(self) -> Tensor:
        r"""$U_i^\top U_i$, shape (n, r, r): block diagonal, in closed form."""
        blocks = self.activations[0].new_zeros(self.samples, self.rank, self.rank)
        for layer in self._layers:
            blocks[:, layer.columns, layer.columns] = layer.gram()
        return blocks

    def project(self, vectors: Tensor) -> Tensor:
        r"""$U_i^\top V$: shape (d, m) to (n, r, m)."""
        return torch.cat([layer.project(vectors[layer.rows]) for layer in self._layers], 1)

    def project_each(self, vectors: Tensor) -> Tensor:
        r"""$U_i^\top V_i$: shape (n, d, m) to (n, r, m)."""
        parts = [layer.project_each(vectors[:, layer.rows]) for layer in self._layers]
        return torch.cat(parts, 1)

    def expand(self, coefficients: Tensor) -> Tensor:
        r"""$\sum_i U_i c_i$: shape (n, r, m) to (d, m)."""
        return torch.cat([layer.expand(coefficients[:, layer.columns]) for layer in self._layers])

    def expand_each(self, coefficients: Tensor) -> Tensor:
        r"""$U_i c_i$: shape (n, r, m) to (n, d, m)."""
        parts = [layer.expand_each(coefficients[:, layer.columns]) for layer in self._layers]
        return torch.cat(parts, 1)

    def assemble(self, cores: Tensor) -> Tensor:
        r"""$\sum_i U_i C_i U_i^\top$ for symmetric $C_i$: shape (n, r, r) to (d, d).

        One product of the samples' columns with the half-expanded cores $C_i U_i^\top$ for each
        column of the basis, upper triangle only: $n d^2$ multiplications for each of two kinds of
        column, and a temporary of n d numbers.
        """
        total = cores.new_zeros(self.size, self.size)
        chunk = max(1, _CHUNK // self.size)
        for start in range(0, self.samples, chunk):
            part = slice(start, start + chunk)
            basis = KroneckerBasis(
                tuple(a[part] for a in self.activations),
                tuple(delta[part] for delta in self.deltas),
                self.biases,
            )
            for layer in basis._layers:
                for column in range(layer.rank):
                    index = layer.columns.start + column
                    half = basis.expand_each(cores[part, :, index, None]).squeeze(2)
                    layer.add_outer(total, column, half)
        return _mirror_upper(total)


@dataclass(frozen=True)
class _LayerColumns:
    """The columns of one layer; `first_row` and `first_column` place it among the others."""

    activation: Tensor
    delta: Tensor
    bias: bool
    downstream: bool
    first_row: int
    first_column: int

    @property
    def inputs(self) -> int:
        return self.activation.shape[1]

    @property
    def outputs(self) -> int:
        return self.delta.shape[1]

    @property
    def weights(self) -> int:
        return self.inputs * self.outputs

    @property
    def size(self) -> int:
        return self.weights + self.outputs * self.bias

    @property
    def rank(self) -> int:
        return self.outputs + self.inputs * self.downstream

    @property
    def rows(self) -> slice:
        return slice(self.first_row, self.first_row + self.size)

    @property
    def columns(self) -> slice:
        return slice(self.first_column, self.first_column + self.rank)

    def gram(self) -> Tensor:
        a, delta, w = self.activation, self.delta, self.outputs
        gram = a.new_zeros(len(a), self.rank, self.rank)
        scale = a.square().sum(1) + float(self.bias)
        gram[:, :w, :w] = torch.diag_embed(scale[:, None].expand(-1, w))
        if self.downstream:
            scale = delta.square().sum(1)
            gram[:, w:, w:] = torch.diag_embed(scale[:, None].expand(-1, self.inputs))
            gram[:, :w, w:] = delta.unsqueeze(2) * a.unsqueeze(1)
            gram[:, w:, :w] = gram[:, :w, w:].mT
        return gram

    def project(self, vectors: Tensor) -> Tensor:
        weight = vectors[: self.weights].unflatten(0, (self.outputs, self.inputs))
        first = torch.einsum("nh,whm->nwm", self.activation, weight)
        if self.bias:
            first = first + vectors[self.weights :]
        if not self.downstream:
            return first
        return torch.cat([first, torch.einsum("nw,whm->nhm", self.delta, weight)], 1)

    def project_each(self, vectors: Tensor) -> Tensor:
        weight = vectors[:, : self.weights].unflatten(1, (self.outputs, self.inputs))
        first = torch.einsum("nh,nwhm->nwm", self.activation, weight)
        if self.bias:
            first = first + vectors[:, self.weights :]
        if not self.downstream:
            return first
        return torch.cat([first, torch.einsum("nw,nwhm->nhm", self.delta, weight)], 1)

    def expand(self, coefficients: Tensor) -> Tensor:
        first = coefficients[:, : self.outputs]
        weight = torch.einsum("nwm,nh->whm", first, self.activation)
        if self.downstream:
            second = coefficients[:, self.outputs :]
            weight = weight + torch.einsum("nw,nhm->whm", self.delta, second)
        parts = [weight.flatten(0, 1)] + [first.sum(0)] * self.bias
        return torch.cat(parts)

    def expand_each(self, coefficients: Tensor) -> Tensor:
        first = coefficients[:, : self.outputs]
        weight = first.unsqueeze(2) * self.activation[:, None, :, None]
        if self.downstream:
            second = coefficients[:, self.outputs :]
            weight = weight + self.delta[:, :, None, None] * second.unsqueeze(1)
        parts = [weight.flatten(1, 2)] + [first] * self.bias
        return torch.cat(parts, 1)

    def add_outer(self, total: Tensor, column: int, half: Tensor) -> None:
        r"""Add $\sum_i u_i h_i^\top$, upper triangle, for one column u and rows h of shape (n, d).

        A column touches the rows of its layer only, and the upper triangle of these rows needs the
        columns from its first row on.
        """
        w, h, start = self.outputs, self.inputs, self.first_row
        if column < w:
            first = start + column * h
            total[first : first + h, first:].addmm_(self.activation.T, half[:, first:])
            if self.bias:
                row = start + self.weights + column
                total[row, row:] += half[:, row:].sum(0)
        else:
            first = start + column - w
            rows = total[first : start + self.weights : h, first:]
            rows.addmm_(self.delta.T, half[:, first:])


def _mirror_upper(total: Tensor) -> Tensor:
    """The symmetric matrix with the upper triangle of `total`, which is overwritten."""
    return total.triu_().add_(total.triu(1).T)
