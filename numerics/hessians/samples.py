r"""Per-sample Hessians $H_i = U_i C_i U_i^\top$ and the averages that stability theory asks for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, Self

import torch
from torch import Tensor

from numerics.checks import check_count, check_finite, check_nonempty
from numerics.hessians.assembly import BUDGET, slices
from numerics.hessians.bases import Basis, ExplicitBasis, IdentityBasis, Indices
from numerics.hessians.guards import check_memory
from numerics.hessians.operators import HessianOperator
from numerics.norms import power_of_two

__all__ = ["FactoredCores", "SampleHessians"]


class FactoredCores(Protocol):
    """Cores that are cheaper to apply than to store."""

    @property
    def basis(self) -> Basis:
        """The columns that they belong to."""

    @property
    def like(self) -> Tensor:
        """Any tensor of their dtype, on their device."""

    def cores(self) -> Tensor:
        r"""$C_i$, dense, shape (n, r, r)."""

    def apply_cores(self, coefficients: Tensor) -> Tensor:
        r"""$C_i c_i$: shape (n, r, m) to itself."""

    def select(self, indices: Indices) -> Self:
        """The cores of some samples."""


@dataclass(frozen=True)
class _Scaled:
    """Factored cores times a number."""

    inner: FactoredCores
    factor: float

    @property
    def basis(self) -> Basis:
        return self.inner.basis

    @property
    def like(self) -> Tensor:
        return self.inner.like

    def cores(self) -> Tensor:
        return self.factor * self.inner.cores()

    def apply_cores(self, coefficients: Tensor) -> Tensor:
        return self.factor * self.inner.apply_cores(coefficients)

    def select(self, indices: Indices) -> _Scaled:
        return _Scaled(self.inner.select(indices), self.factor)


class SampleHessians:
    r"""The symmetric matrices $H_1, \dots, H_n$, of size d, in factored form.

    $H_i^k = U_i C_i (G_i C_i)^{k-1} U_i^\top$ with $G_i = U_i^\top U_i$: powers and polynomials
    cost $r^3$ per sample, and averages one assembly of $n d^2$ multiplications per kind of column.
    A batch is one sample, drawn uniformly: $E$ is the average over $i$.

    Attributes:
        basis: the columns $U_i$.
        cores: $C_i$, symmetric, shape (n, r, r); formed on demand where they are factored, since
            products with vectors do without.
        dtype: of the matrices.
        device: of the matrices.
        memory_limit: bytes that a dense result may take; None for the default of 4 GiB.
    """

    def __init__(
        self,
        basis: Basis,
        cores: Tensor | FactoredCores,
        *,
        memory_limit: int | None = None,
    ) -> None:
        self.basis = basis
        self.memory_limit = memory_limit
        self._factored = None if isinstance(cores, Tensor) else cores
        if isinstance(cores, Tensor):
            expected = (basis.samples, basis.rank, basis.rank)
            if cores.shape != expected:
                shape = tuple(cores.shape)
                raise ValueError(f"cores have shape {shape}: this basis needs {expected}")
            self.cores = check_finite("per-sample Hessians", cores)
            self.dtype, self.device = cores.dtype, cores.device
        else:
            self.dtype, self.device = cores.like.dtype, cores.like.device

    @cached_property
    def cores(self) -> Tensor:
        """The cores $C_i$, dense, shape (n, r, r); formed when first asked for.

        Raises:
            ValueError: if they would not fit.
        """
        assert self._factored is not None, "dense cores are set by the constructor"
        check_memory(
            f"storing {self.samples} cores of rank {self.basis.rank}",
            4 * self.samples * self.basis.rank**2 * self.dtype.itemsize,
            self.memory_limit,
            "use fewer samples (moments does with method='lanczos')",
        )
        return check_finite("per-sample Hessians", self._factored.cores())

    @cached_property
    def _step(self) -> Tensor:
        gram = self.basis.gram()
        return self.cores if gram is None else self.cores @ gram

    @classmethod
    def from_dense(cls, matrices: Tensor, *, memory_limit: int | None = None) -> SampleHessians:
        r"""From explicit matrices.

        Args:
            matrices: $H_i$, shape (n, d, d), symmetric to $10^{-10}$ of the largest entry.
            memory_limit: bytes that a dense result may take.

        Raises:
            ValueError: if the shape is another one, or an entry is not finite or not symmetric.
        """
        if matrices.ndim != 3 or matrices.shape[1] != matrices.shape[2]:
            raise ValueError(f"matrices have shape {tuple(matrices.shape)}: give (n, d, d)")
        check_finite("matrices", check_nonempty("matrices", matrices))
        matrices = matrices.detach()
        asymmetry = float((matrices - matrices.mT).abs().max())
        if asymmetry > 1e-10 * float(matrices.abs().max()):
            raise ValueError(f"matrices are asymmetric by {asymmetry:.3g}: symmetrise them")
        basis = IdentityBasis(matrices.shape[0], matrices.shape[1])
        return cls(basis, 0.5 * (matrices + matrices.mT), memory_limit=memory_limit)

    @classmethod
    def from_rank_one(cls, vectors: Tensor, *, memory_limit: int | None = None) -> SampleHessians:
        r"""The least-squares case $H_i = a_i a_i^\top$.

        Args:
            vectors: $a_i$, shape (n, d).
            memory_limit: bytes that a dense result may take.

        Raises:
            ValueError: if the shape is another one or an entry is not finite.
        """
        if vectors.ndim != 2:
            raise ValueError(f"vectors have shape {tuple(vectors.shape)}: give (n, d)")
        check_finite("vectors", check_nonempty("vectors", vectors))
        basis = ExplicitBasis(vectors.detach().unsqueeze(2))
        return cls(basis, vectors.new_ones(len(vectors), 1, 1), memory_limit=memory_limit)

    @property
    def samples(self) -> int:
        """Number of samples n."""
        return self.basis.samples

    @property
    def size(self) -> int:
        """Number of parameters d."""
        return self.basis.size

    @property
    def shape(self) -> torch.Size:
        """(n, d, d)."""
        return torch.Size((self.samples, self.size, self.size))

    def __repr__(self) -> str:
        n, d, r = self.samples, self.size, self.basis.rank
        dtype = str(self.dtype).removeprefix("torch.")
        return f"SampleHessians({n} of {d} x {d}, rank <= {r}, {dtype} on {self.device})"

    def __matmul__(self, vectors: Tensor) -> Tensor:
        """$H_i v$ for every sample, as `matvec`."""
        return self.matvec(vectors) if isinstance(vectors, Tensor) else NotImplemented

    def mean(self) -> HessianOperator:
        r"""$E H_b$ as an operator."""
        return HessianOperator(self.size, self.dtype, self.device, None, self.mean_matvec)

    def select(self, indices: Indices) -> SampleHessians:
        """The Hessians of some samples.

        Args:
            indices: a slice, or an integer tensor of shape (m,); repetitions count.
        """
        if self._factored is not None:
            factored = self._factored.select(indices)
            return SampleHessians(factored.basis, factored, memory_limit=self.memory_limit)
        basis = self.basis.select(indices)
        return SampleHessians(basis, self.cores[indices], memory_limit=self.memory_limit)

    def scaled(self, factor: float) -> SampleHessians:
        """The matrices times a number; by a power of two without rounding."""
        if factor == 1:
            return self
        cores: Tensor | FactoredCores
        cores = _Scaled(self._factored, factor) if self._factored else factor * self.cores
        return SampleHessians(self.basis, cores, memory_limit=self.memory_limit)

    def magnitude(self) -> float:
        r"""A power of two of the order of the largest $H_i$; 1 where all are zero.

        It is that of $|v^\top H_i v|$ for a random v, within a few powers of d for every spectrum:
        enough to keep powers of $H_i$ divided by it from overflowing or underflowing.
        """
        generator = torch.Generator().manual_seed(0)
        vector = torch.randn(self.size, 1, generator=generator, dtype=torch.float64)
        vector = vector.to(self.device, self.dtype)
        largest = torch.zeros((), dtype=torch.float64, device=self.device)
        for part in self._parts(1):
            inner = part.basis.project(vector)
            forms = (inner * part.apply_cores(inner)).sum((1, 2)).abs()
            largest = torch.maximum(largest, forms.max().double())
        check_finite("per-sample Hessians", largest)
        return float(power_of_two(largest))

    def apply_cores(self, coefficients: Tensor) -> Tensor:
        r"""$C_i c_i$, stored or not: shape (n, r, m) to itself."""
        if self._factored is None:
            return self.cores @ coefficients
        return self._factored.apply_cores(coefficients)

    def power_coefficients(self, columns: Tensor, power: int) -> Tensor:
        r"""$c_i$ such that $H_i^k V = U_i c_i$: shape (d, m) to (n, r, m).

        Args:
            columns: V.
            power: k, at least 1.
        """
        check_count("power", power)
        coefficients = self.apply_cores(self.basis.project(columns))
        for _ in range(power - 1):
            coefficients = self.apply_cores(self.basis.apply_gram(coefficients))
        return coefficients

    def power_cores(self, highest: int) -> Iterator[Tensor]:
        r"""Cores of $H_i^k$ for $k = 1, \dots,$ `highest`, each of shape (n, r, r)."""
        core = self.cores
        for power in range(1, check_count("highest", highest) + 1):
            if power > 1:
                core = self._step @ core
            yield core

    def polynomial_core(self, coefficients: Sequence[float]) -> Tensor:
        r"""Core of $\sum_{k \ge 1} c_k H_i^k$, shape (n, r, r); `coefficients[0]` is left out."""
        if len(coefficients) < 2:
            return torch.zeros_like(self.cores)
        core = coefficients[-1] * self.cores
        for coefficient in reversed(coefficients[1:-1]):
            core = coefficient * self.cores + self._step @ core
        return core

    def matvec(self, vector: Tensor, power: int = 1) -> Tensor:
        r"""$H_i^k v$ for every sample.

        Args:
            vector: shape (d,) or (d, m).
            power: k, at least 1.

        Returns:
            Shape (n, d) or (n, d, m).
        """
        columns = self._columns(vector)
        products = self.basis.expand_each(self.power_coefficients(columns, power))
        return products.squeeze(2) if vector.ndim == 1 else products

    def mean_matvec(self, vector: Tensor, power: int = 1) -> Tensor:
        r"""$E[H_b^k]\,v$.

        Args:
            vector: shape (d,) or (d, m).
            power: k, at least 1.

        Returns:
            The shape of `vector`.
        """
        columns = self._columns(vector)
        product = torch.zeros_like(columns)
        for part in self._parts(columns.shape[1]):
            product += part.basis.expand(part.power_coefficients(columns, power))
        product /= self.samples
        return product.squeeze(1) if vector.ndim == 1 else product

    def mean_power(self, power: int) -> Tensor:
        r"""$E[H_b^k]$, dense, shape (d, d), symmetric.

        Args:
            power: k, at least 1.

        Raises:
            ValueError: if the matrix would not fit.
        """
        return self.mean_polynomial([0.0] * check_count("power", power) + [1.0])

    def mean_powers(self, highest: int) -> Iterator[Tensor]:
        r"""$E[H_b^k]$ for $k = 1, \dots,$ `highest`, dense, one after the other."""
        self._check_dense()
        for core in self.power_cores(highest):
            yield self._mean(core)

    def mean_polynomial(self, coefficients: Sequence[float]) -> Tensor:
        r"""$E[\sum_k c_k H_b^k]$, dense, shape (d, d), symmetric.

        Args:
            coefficients: $c_0, c_1, \dots$

        Raises:
            ValueError: if the matrix would not fit.
        """
        self._check_dense()
        mean = self._mean(self.polynomial_core(coefficients))
        mean.diagonal().add_(coefficients[0])
        return mean

    def mean_congruence(self, matrix: Tensor, core: Tensor) -> Tensor:
        r"""$E[K_b X K_b]$ for $K_i = U_i C_i U_i^\top$ with the given cores.

        Args:
            matrix: X, symmetric, shape (d, d).
            core: $C_i$, shape (n, r, r), e.g. from `polynomial_core`.
        """
        inner = self.basis.project_each(self.basis.project(matrix).mT)
        return self._mean(core @ inner @ core)

    def restricted(self, directions: Tensor) -> SampleHessians:
        r"""$V^\top H_i V$ for orthonormal columns $V$, shape (d, q); exact where V is invariant."""
        basis: Basis
        if isinstance(self.basis, IdentityBasis):
            cores = directions.T @ self.cores @ directions
            basis = IdentityBasis(self.samples, directions.shape[1])
        else:
            cores = self.cores
            basis = ExplicitBasis(self.basis.project(directions).mT.contiguous())
        return SampleHessians(basis, cores, memory_limit=self.memory_limit)

    def extreme_eigenvalues(self) -> tuple[Tensor, Tensor]:
        r"""Smallest and largest eigenvalues of the $H_i$, on the range of $U_i$: (n,) each.

        Those of $G_i^{1/2} C_i G_i^{1/2}$, which are the eigenvalues of $H_i$ but for some zeros.
        """
        cores, gram = self.cores, self.basis.gram()
        if gram is not None:
            values, vectors = torch.linalg.eigh(gram)
            root = vectors * values.clamp(min=0).sqrt().unsqueeze(1) @ vectors.mT
            cores = root @ cores @ root
        values = torch.linalg.eigvalsh(0.5 * (cores + cores.mT))
        return values[:, 0], values[:, -1]

    def to_dense(self) -> Tensor:
        r"""Every $H_i$, shape (n, d, d).

        Raises:
            ValueError: if they would not fit.
        """
        what = f"storing {self.samples} Hessians of {self.size} x {self.size}"
        needed = 2 * self.samples * self.size**2 * self.cores.element_size()
        check_memory(what, needed, self.memory_limit, "use matvec or mean_power")
        identity = torch.eye(self.size, dtype=self.dtype, device=self.device)
        return self.matvec(identity)

    def _parts(self, columns: int) -> Iterator[SampleHessians]:
        """Some samples at a time, so many that blocks of vectors fit."""
        at_once = BUDGET // (self.basis.rank * columns)
        if self.samples <= at_once:
            yield self
        else:
            yield from map(self.select, slices(self.samples, at_once))

    def _columns(self, vector: Tensor) -> Tensor:
        if vector.ndim not in (1, 2) or len(vector) != self.size:
            raise ValueError(
                f"vector has shape {tuple(vector.shape)}: give ({self.size},) or ({self.size}, m)"
            )
        return vector.unsqueeze(1) if vector.ndim == 1 else vector

    def _mean(self, core: Tensor) -> Tensor:
        mean = self.basis.assemble(core) / self.samples
        return 0.5 * (mean + mean.T)

    def _check_dense(self) -> None:
        what = f"a {self.size} x {self.size} matrix"
        needed = 4 * self.size**2 * self.cores.element_size()
        check_memory(what, needed, self.memory_limit, "use mean_matvec and Lanczos")
