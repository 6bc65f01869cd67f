"""The constants that theorems ask of a problem, with how they were obtained."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Constants", "compact_svd", "least_squares_constants"]


@dataclass(frozen=True)
class Constants:
    r"""Smoothness, Polyak-Lojasiewicz constant and interpolation gap of $f = \frac1n\sum_i f_i$.

    Attributes:
        beta: every $f_i$ is `beta`-smooth.
        smoothness: $L \le \beta$; $f$ is `smoothness`-smooth.
        mu: PL-half: $\frac12\|\nabla f\|^2 \ge \mu (f - f_*)$.
        interpolation_gap: $f$ at a common minimiser as computed, at least 0; round-off if the
            problem interpolates.
        how: where the numbers come from.
    """

    beta: float
    smoothness: float
    mu: float
    interpolation_gap: float
    how: str

    def __post_init__(self) -> None:
        numbers = (self.beta, self.smoothness, self.mu, self.interpolation_gap)
        if not all(math.isfinite(number) for number in numbers):
            raise ValueError(f"constants {numbers} are not finite: check the problem's data")
        # Each number is computed on its own, so an exact equality may be missed by round-off.
        slack = 1 + 1e-12
        if not 0 < self.mu <= self.smoothness * slack <= self.beta * slack**2:
            raise ValueError(
                f"constants mu={self.mu:g}, L={self.smoothness:g}, beta={self.beta:g}: "
                "they must satisfy 0 < mu <= L <= beta"
            )
        if self.interpolation_gap < 0:
            raise ValueError(f"interpolation gap is {self.interpolation_gap:g}: it must be >= 0")

    @property
    def alpha(self) -> float:
        r"""PL-bare: $\|\nabla f\|^2 \ge \alpha (f - f_*)$, that is $\alpha = 2\mu$."""
        return 2 * self.mu

    @property
    def condition_number(self) -> float:
        r"""The stochastic condition number $\beta / \mu$."""
        return self.beta / self.mu


def compact_svd(matrix: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    r"""$A = U \operatorname{diag}(\sigma) V^\top$ with positive $\sigma$ only.

    Singular values up to max(n, d) * machine epsilon * the largest one count as zero, the default
    of `numpy.linalg.matrix_rank`.

    Args:
        matrix: $A$, shape (n, d).

    Returns:
        $U$, shape (n, rank); $\sigma$, decreasing; $V$, shape (d, rank).
    """
    left, sigma, right = torch.linalg.svd(matrix, full_matrices=False)
    threshold = max(matrix.shape) * torch.finfo(matrix.dtype).eps * sigma.max()
    rank = int((sigma > threshold).sum())
    return left[:, :rank], sigma[:rank], right[:rank].mT


def least_squares_constants(features: Tensor, singular_values: Tensor, gap: float) -> Constants:
    r"""Exact constants of $f_i(x) = \frac12(\langle a_i, x\rangle - b_i)^2$.

    $\beta = \max_i \|a_i\|^2$, $L = \lambda_{\max}(A^\top A / n)$, and $\mu$ is the smallest
    nonzero eigenvalue of $A^\top A / n$: for a consistent system $\nabla f = \frac1n A^\top r$
    with residual $r$ in the range of $A$.

    Args:
        features: $A$, shape (n, d).
        singular_values: the nonzero ones of $A$.
        gap: $f$ at the computed minimiser.
    """
    squares = singular_values**2 / len(features)
    return Constants(
        beta=float((features**2).sum(dim=1).max()),
        smoothness=float(squares.max()),
        mu=float(squares.min()),
        interpolation_gap=gap,
        how=(
            f"singular values of the {features.shape[0]} x {features.shape[1]} features, "
            f"rank {len(squares)}, {features.dtype}"
        ),
    )
