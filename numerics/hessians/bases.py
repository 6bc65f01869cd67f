r"""Bases $U_i$ of per-sample matrices $U_i C_i U_i^\top$: explicit or trivial.

Every basis offers the same operations on all samples at once; that of a perceptron, of Kronecker
form, has a module of its own.  Shapes: n samples, d parameters, rank r (the number of columns of
each $U_i$), m columns of a block of vectors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, Self

import torch
from torch import Tensor

__all__ = ["Basis", "ExplicitBasis", "IdentityBasis", "Indices"]

Indices = slice | Tensor
"""Which samples: a slice, or an integer tensor of shape (m,)."""


class Basis(Protocol):
    r"""Columns $U_i \in \mathbb R^{d \times r}$, one matrix for each of n samples."""

    @property
    def samples(self) -> int:
        """Number of samples n."""

    @property
    def size(self) -> int:
        """Number of parameters d."""

    @property
    def rank(self) -> int:
        """Number of columns r."""

    def gram(self) -> Tensor | None:
        r"""$U_i^\top U_i$, shape (n, r, r); None where it is the identity."""

    def apply_gram(self, coefficients: Tensor) -> Tensor:
        r"""$U_i^\top U_i c_i$: shape (n, r, m) to itself."""

    def select(self, indices: Indices) -> Self:
        """The columns of some samples."""

    def overlap(self, other: Self) -> Callable[[Tensor], Tensor]:
        r"""The map $c \mapsto (U_a^\top V_b c_{ba})_{ab}$, V the other's columns, for all pairs.

        It takes shape (m, r, n) to (n, r, m), for n samples here and m in `other`.
        """

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

    def apply_gram(self, coefficients: Tensor) -> Tensor:
        """The coefficients."""
        return coefficients

    def select(self, indices: Indices) -> IdentityBasis:
        """The same for fewer samples."""
        return IdentityBasis(len(torch.arange(self.samples)[indices]), self.size)

    def overlap(self, other: IdentityBasis) -> Callable[[Tensor], Tensor]:
        """Shape (m, d, n) to (n, d, m): the coefficients themselves."""
        return lambda coefficients: coefficients.transpose(0, 2)

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

    @cached_property
    def _gram(self) -> Tensor:
        return self.columns.mT @ self.columns

    def gram(self) -> Tensor:
        r"""$U_i^\top U_i$, shape (n, r, r)."""
        return self._gram

    def apply_gram(self, coefficients: Tensor) -> Tensor:
        r"""$U_i^\top U_i c_i$: shape (n, r, m) to itself."""
        return self._gram @ coefficients

    def select(self, indices: Indices) -> ExplicitBasis:
        """The columns of some samples."""
        return ExplicitBasis(self.columns[indices])

    def overlap(self, other: ExplicitBasis) -> Callable[[Tensor], Tensor]:
        r"""$U_a^\top V_b c_{ba}$ for all pairs: shape (m, r, n) to (n, r, m)."""
        pairs = (self._joint.T @ other._joint).unflatten(1, (other.samples, -1))
        blocks = pairs.unflatten(0, (self.samples, -1)).transpose(1, 2)  # (n, m, r, r)

        def apply(coefficients: Tensor) -> Tensor:
            return (blocks @ coefficients.permute(2, 0, 1).unsqueeze(3)).squeeze(3).mT

        return apply

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
