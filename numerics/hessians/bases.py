r"""Bases $U_i$ of per-sample matrices $U_i C_i U_i^\top$: explicit or trivial.

Every basis offers the same operations on all samples at once; that of a perceptron, of Kronecker
form, has a module of its own.  Shapes: n samples, d parameters, rank r (the number of columns of
each $U_i$), m columns of a block of vectors.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from torch import Tensor

__all__ = ["Basis", "ExplicitBasis", "IdentityBasis"]


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
