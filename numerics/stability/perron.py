r"""Spectral radius of a map that preserves the cone of positive semidefinite matrices, bracketed.

For $A = C^{-1} D$ with $D X = E[K_b X K_b^\top]$ and $C X = (\bar K X + X \bar K)/2$,
$\bar K \succ 0$: both D and $C^{-1}$ (a Lyapunov solution) map the cone into itself, so the
spectral radius r of A is an eigenvalue with a positive semidefinite eigenmatrix (Krein and Rutman),
and $(\beta - A)^{-1} = \sum_k A^k / \beta^{k+1}$ preserves the cone for every $\beta > r$.  Hence
two certificates, each checked after the fact on the matrix at hand, however it was found.  Let
$\beta X - A X \succ 0$:

- if $X \succ 0$, then $r < \beta$ (Collatz and Wielandt);
- if X has a negative eigenvalue, then $r \ge \beta$, for otherwise
  $X = (\beta - A)^{-1}(\beta X - A X) \succ 0$.

Candidates for X come from the Krylov space of $S = C^{-1/2} D C^{-1/2}$ started at $C^{1/2} I$: one
run serves every $\beta$.  Where D is its own adjoint, S is symmetric and its Rayleigh quotients
are lower bounds too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from numerics.stability.laws import StepLaw

__all__ = ["Perron", "spectral_radius"]

#: Bytes of Krylov vectors kept, and the most of them.
KRYLOV_BYTES = 2**30
KRYLOV_VECTORS = 200
RESTARTS = 20
#: Share of the identity in the matrix that a restart begins with.
INTERIOR = 1e-3
#: Relative half-widths of a bracket, tried in turn, beyond the one that the residual suggests.
WIDENING = 8.0
WIDEST = 0.5


@dataclass(frozen=True)
class Perron:
    r"""The spectral radius of $C^{-1} D$.

    Attributes:
        value: the Ritz value.
        lower: a certified lower bound, up to round-off, for which an allowance is made.
        upper: the same from above; infinite if none was found.
        residual: $\|S Z - r Z\|_F$ of the unit Ritz vector Z.
        matrix: the eigenmatrix $X = C^{-1/2} Z$, symmetric, of trace 1, shape (R, R).
        products: applications of D.
    """

    value: float
    lower: float
    upper: float
    residual: float
    matrix: Tensor
    products: int


@dataclass(frozen=True)
class _Krylov:
    """An Arnoldi decomposition: S V = V H + residual, V[0] along `start`."""

    vectors: Tensor  # (k, R²)
    hessenberg: Tensor  # (k, k)
    start_norm: float
    beyond: float  # the entry of the Hessenberg matrix below the last column

    def ritz(self, symmetric: bool) -> tuple[float, Tensor, float]:
        """Rightmost Ritz value, its unit vector in the basis, and the residual's norm."""
        if symmetric:
            values, vectors = torch.linalg.eigh(0.5 * (self.hessenberg + self.hessenberg.T))
            value, vector = values[-1], vectors[:, -1]
        else:
            spectrum, complex_vectors = torch.linalg.eig(self.hessenberg)
            index = int(spectrum.real.argmax())
            value, vector = spectrum[index].real, complex_vectors[:, index].real
            vector = vector / vector.norm()
        return float(value), vector, self.beyond * abs(float(vector[-1]))

    def combine(self, coefficients: Tensor) -> Tensor:
        """The vector with these coefficients."""
        return coefficients.to(self.vectors.device) @ self.vectors


def spectral_radius(law: StepLaw, *, tolerance: float = 1e-11) -> Perron:
    r"""Spectral radius of $C^{-1} D$ with two-sided bounds.

    Args:
        law: gives C and D.
        tolerance: relative residual of the Ritz vector at which the Krylov iteration stops.

    Raises:
        ValueError: if the tolerance is not reached.
    """
    return _Search(law, tolerance).run()


class _Search:
    """One computation: counts products and keeps the scaling at hand."""

    def __init__(self, law: StepLaw, tolerance: float) -> None:
        g = law.curvatures
        self.law, self.tolerance = law, tolerance
        self.scale = (2.0 / (g[:, None] + g)).sqrt()  # C^{-1/2}
        self.shape = (law.dimension, law.dimension)
        self.identity = torch.eye(law.dimension, dtype=g.dtype, device=g.device)
        self.products = 0

    def apply(self, flat: Tensor) -> Tensor:
        """S to a flat vector."""
        self.products += 1
        image = self.scale * self.law.congruence(self.scale * flat.view(self.shape))
        return (0.5 * (image + image.T)).flatten()

    def run(self) -> Perron:
        """Iterate to convergence, then certify."""
        start = self.identity
        for _ in range(RESTARTS):
            krylov = self._arnoldi((start / self.scale).flatten())
            value, vector, residual = krylov.ritz(self.law.symmetric)
            matrix = self.scale * krylov.combine(vector).view(self.shape)
            if residual <= self.tolerance * value:
                break
            start = self._interior(matrix)
        else:
            raise ValueError(
                f"Krylov iteration on {self.shape} matrices has relative residual "
                f"{residual / value:.2g} after {self.products} products: raise the tolerance "
                f"above {self.tolerance:g}"
            )
        matrix = matrix / matrix.trace()
        unit = krylov.combine(vector)
        image = self.apply(unit)
        residual = float((image - value * unit).norm())
        return Perron(
            value,
            self._lower(krylov, value, residual, unit, image),
            self._bound(krylov, value, residual, above=True),
            residual,
            matrix,
            self.products,
        )

    def _interior(self, matrix: Tensor) -> Tensor:
        """An approximate eigenmatrix, moved into the interior of the cone."""
        share = INTERIOR / self.law.dimension
        return matrix / matrix.trace() + share * self.identity

    def _arnoldi(self, start: Tensor) -> _Krylov:
        """Fully reorthogonalised; stops when the rightmost Ritz pair has converged."""
        bytes_each = start.numel() * start.element_size()
        most = min(start.numel(), KRYLOV_VECTORS, max(20, KRYLOV_BYTES // bytes_each))
        vectors = start.new_empty(most, start.numel())
        hessenberg = torch.zeros(most + 1, most, dtype=start.dtype)
        norm = float(start.norm())
        vectors[0] = start / norm
        for step in range(most):
            known = vectors[: step + 1]
            vector = self.apply(vectors[step])
            for _ in range(2):  # twice is enough to be orthogonal to round-off
                parts = known @ vector
                vector = vector - known.T @ parts
                hessenberg[: step + 1, step] += parts.cpu()
            beyond = float(vector.norm())
            hessenberg[step + 1, step] = beyond
            found = _Krylov(known, hessenberg[: step + 1, : step + 1], norm, beyond)
            value, _, residual = found.ritz(self.law.symmetric)
            if step + 1 == most or residual <= self.tolerance * value:
                break
            vectors[step + 1] = vector / beyond
        return found

    def _lower(
        self, krylov: _Krylov, value: float, residual: float, unit: Tensor, image: Tensor
    ) -> float:
        if not self.law.symmetric:
            return self._bound(krylov, value, residual, above=False)
        quotient = float(unit @ image) / float(unit @ unit)
        return quotient - self._rounding(value * unit, image)

    def _bound(self, krylov: _Krylov, value: float, residual: float, *, above: bool) -> float:
        """The nearest certified bound: the width starts where the residual allows a certificate."""
        width = max(residual / value, self.tolerance)
        while width <= WIDEST:
            beta = value * (1 + width if above else 1 - width)
            if self._certified(krylov, beta, above):
                return beta
            width *= WIDENING
        return math.inf if above else 0.0

    def _certified(self, krylov: _Krylov, beta: float, above: bool) -> bool:
        """Whether the resolvent's matrix proves that the radius is below, or not below, beta."""
        size = len(krylov.hessenberg)
        first = torch.zeros(size, dtype=krylov.hessenberg.dtype)
        first[0] = krylov.start_norm
        shifted = beta * torch.eye(size, dtype=first.dtype) - krylov.hessenberg
        solution = krylov.combine(torch.linalg.solve(shifted, first))
        image = self.scale * self.apply(solution).view(self.shape)
        matrix = self.scale * solution.view(self.shape)
        matrix = 0.5 * (matrix + matrix.T)
        gap = beta * matrix - image
        if not _positive(gap - self._rounding(beta * matrix, image) * self.identity):
            return False
        room = self._rounding(matrix)
        if above:
            return _positive(matrix - room * self.identity)
        return float(matrix.diagonal().min()) < -room

    def _rounding(self, *terms: Tensor) -> float:
        """An allowance for the round-off in sums of R terms of one unit and of this size."""
        unit = torch.finfo(terms[0].dtype).eps
        return 8 * self.law.dimension * unit * sum(float(term.norm()) for term in terms)


def _positive(matrix: Tensor) -> bool:
    """Whether a Cholesky factor exists."""
    return int(torch.linalg.cholesky_ex(matrix).info) == 0
