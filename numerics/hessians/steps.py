r"""Averages of the linearised step $M_b$ over the samples, and its mean-square radius.

The polynomial $M_b = p(H_b)$ is not typed here: `SamSpec.step` is run on polynomials in $t$ with
the gradient $x \mapsto t x$, so that $p$ is whatever the one definition of the algorithm says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from numpy.polynomial import Polynomial
from torch import Tensor

from numerics.checks import check_nonnegative
from numerics.hessians.batches import batch_mean_powers, power_sizes
from numerics.hessians.guards import check_memory
from numerics.hessians.samples import SampleHessians
from numerics.hessians.spectra import (
    KRYLOV,
    Estimate,
    extreme_eigenvalue,
    lanczos_eigenvalue,
)
from theory.trusted.algorithms import SAM, SamSpec

__all__ = [
    "MeanSquareRadius",
    "combine_powers",
    "mean_square_map",
    "mean_square_radius",
    "step_mean_extremes",
    "step_polynomial",
    "step_second_moment",
]


#: Eigenvalues of a square above this share of the largest are known to many digits.
_RESOLVED = 1e-10


@dataclass(frozen=True)
class MeanSquareRadius:
    r"""Spectral radius of $X \mapsto E[M_b X M_b]$ on symmetric matrices in the joint range.

    Attributes:
        value: the radius; at most 1 means mean-square stable (below 1: the part of the error that
            any sample sees decays; the rest never moves).
        error: eigenvalue residual in Frobenius norm plus round-off.
        dimension: of the joint range of the $H_b$, where X lives.
        step_size: $\eta$.
        radius: $\rho$.
    """

    value: float
    error: float
    dimension: int
    step_size: float
    radius: float


def step_polynomial(step_size: float, radius: float, spec: SamSpec = SAM) -> list[float]:
    r"""Coefficients $c_0, c_1, \dots$ of $M = \sum_k c_k H^k$, the step linearised at a minimum.

    Args:
        step_size: $\eta \ge 0$.
        radius: $\rho \ge 0$; 0 is SGD.
        spec: an algorithm that is linear in the gradient and uses one batch per step.

    Raises:
        ValueError: if a number is negative or not finite, or the algorithm has no such polynomial.
    """
    check_nonnegative("step_size", step_size)
    check_nonnegative("radius", radius)
    if spec.perturbed and (spec.normalized or spec.fresh_batch):
        raise ValueError(
            f"{spec.name} is not a polynomial in one batch's Hessian: use SAM (unnormalised, same "
            "batch) or SGD"
        )
    hessian = Polynomial([0.0, 1.0])
    step = spec.step(Polynomial([1.0]), step_size, radius, lambda point: hessian * point)
    return [float(c) for c in step.coef]


def step_second_moment(
    hessians: SampleHessians,
    step_size: float,
    radius: float,
    spec: SamSpec = SAM,
    *,
    batch_size: int = 1,
) -> Estimate:
    r"""$\lambda_{\max}(E M_b^2)$: at most 1 is the sufficient condition for stability.

    Args:
        hessians: the per-sample Hessians.
        step_size: $\eta$.
        radius: $\rho$.
        spec: the algorithm.
        batch_size: samples in a batch b, drawn without replacement.

    Raises:
        ValueError: as `step_polynomial`, or if a dense matrix would not fit.
    """
    matrix, scale = _mean(hessians, step_size, radius, spec, batch_size, power=2)
    return extreme_eigenvalue(matrix, scale=scale)


def step_mean_extremes(
    hessians: SampleHessians,
    step_size: float,
    radius: float,
    spec: SamSpec = SAM,
    *,
    batch_size: int = 1,
) -> tuple[Estimate, Estimate]:
    r"""$(\lambda_{\min}, \lambda_{\max})$ of $E M_b$: $-1$ and $1$ bound a stable mean.

    Args:
        hessians: the per-sample Hessians.
        step_size: $\eta$.
        radius: $\rho$.
        spec: the algorithm.
        batch_size: samples in a batch b, drawn without replacement.

    Raises:
        ValueError: as `step_second_moment`.
    """
    matrix, scale = _mean(hessians, step_size, radius, spec, batch_size, power=1)
    return (
        extreme_eigenvalue(matrix, smallest=True, scale=scale),
        extreme_eigenvalue(matrix, scale=scale),
    )


def mean_square_radius(
    hessians: SampleHessians,
    step_size: float,
    radius: float,
    spec: SamSpec = SAM,
    *,
    range_tolerance: float = 1e-12,
    tolerance: float = 1e-12,
) -> MeanSquareRadius:
    r"""Spectral radius of $T: X \mapsto E[M_b X M_b]$, the exact criterion of stability.

    Each batch is one sample.  T is symmetric in the Frobenius inner product and maps the cone of
    positive semidefinite matrices into itself, so its radius is its largest eigenvalue and has a
    positive semidefinite eigenvector; Lanczos started at $X = I$ therefore cannot miss it.
    Directions that no sample sees, where $M_b = I$, are removed first; mixed blocks cannot exceed
    the square root of the radius inside.

    Args:
        hessians: the per-sample Hessians.
        step_size: $\eta$.
        radius: $\rho$.
        spec: the algorithm.
        range_tolerance: a direction v counts as unseen where $(E\|H_b v\|^2)^{1/2}$ is below this
            share of the largest.
        tolerance: residual at which Lanczos stops, relative to the radius.

    Raises:
        ValueError: as `step_polynomial`; if all Hessians vanish, memory does not suffice, or
            Lanczos does not converge.
    """
    step_polynomial(step_size, radius, spec)  # refuses what is out of range
    unit = hessians.magnitude()
    hessians = hessians.scaled(1 / unit)
    directions = _seen(hessians, range_tolerance)
    dimension = directions.shape[1]
    if not dimension:
        raise ValueError("all per-sample Hessians are 0: every direction is neutral, radius 1")
    check_memory(
        f"Lanczos on {dimension} x {dimension} matrices",
        (KRYLOV * dimension**2 + hessians.samples * dimension * hessians.basis.rank)
        * hessians.cores.element_size(),
        hessians.memory_limit,
        "use fewer parameters or the sufficient condition step_second_moment",
    )
    inside = hessians if dimension == hessians.size else hessians.restricted(directions)
    identity = torch.eye(dimension, dtype=hessians.dtype, device=hessians.device)
    apply = mean_square_map(inside, step_size * unit, radius * unit, spec)
    top = lanczos_eigenvalue(apply, identity, tolerance=tolerance)
    return MeanSquareRadius(top.value, top.error, dimension, float(step_size), float(radius))


def _seen(hessians: SampleHessians, tolerance: float) -> Tensor:
    r"""Orthonormal directions that some sample sees, shape (d, R).

    $E H_b^2$ resolves sizes down to a root of round-off; what is smaller is looked at by itself.
    """
    values, vectors = torch.linalg.eigh(hessians.mean_power(2))
    top = float(values[-1])
    if not top > 0:
        return vectors[:, :0]
    clear = values > max(_RESOLVED, tolerance**2) * top
    rest = vectors[:, ~clear]
    if rest.shape[1] == 0:
        return vectors
    small, turned = torch.linalg.eigh(hessians.restricted(rest).mean_power(2))
    return torch.cat([vectors[:, clear], rest @ turned[:, small > tolerance**2 * top]], 1)


def mean_square_map(
    hessians: SampleHessians, step_size: float, radius: float, spec: SamSpec = SAM
) -> Callable[[Tensor], Tensor]:
    r"""The map $T: X \mapsto E[M_b X M_b]$ on symmetric matrices of shape (d, d).

    Each batch is one sample.  $E\|x_t\|^2 = x_0^\top T^t(I) x_0$, and T is its own adjoint.

    Args:
        hessians: the per-sample Hessians.
        step_size: $\eta$.
        radius: $\rho$.
        spec: the algorithm.

    Raises:
        ValueError: as `step_polynomial`.
    """
    step = step_polynomial(step_size, radius, spec)
    core = hessians.polynomial_core(step)
    drift = hessians.mean_polynomial([0.0, *step[1:]])

    def apply(matrix: Tensor) -> Tensor:
        symmetric = 0.5 * (matrix + matrix.T)
        cross = drift @ symmetric
        return symmetric + cross + cross.T + hessians.mean_congruence(symmetric, core)

    return apply


def combine_powers(powers: Iterable[Tensor], polynomial: Polynomial) -> tuple[Tensor, float]:
    r"""The mean of a polynomial of a batch's Hessian, and the size of the terms that cancel in it.

    Args:
        powers: $E H_b, E H_b^2, \dots$, at least as many as the degree, and at least one.
        polynomial: $c_0 + c_1 t + \dots$

    Returns:
        $c_0 I + \sum_k c_k E H_b^k$ and $|c_0| + \sum_k |c_k| \|E H_b^k\|_F$, for round-off bounds.
    """
    constant, *others = (float(c) for c in polynomial.coef)
    scale = abs(constant)
    total = torch.zeros(())
    for coefficient, power in zip(others or [0.0], powers, strict=False):
        total = total + coefficient * power
        scale += abs(coefficient) * float(power.norm())
    total.diagonal().add_(constant)
    return total, scale


def _mean(
    hessians: SampleHessians,
    step_size: float,
    radius: float,
    spec: SamSpec,
    batch_size: int,
    power: int,
) -> tuple[Tensor, float]:
    """The mean of a power of the step, in units of the Hessians, and the size of its terms."""
    step_polynomial(step_size, radius, spec)  # refuses what is out of range
    unit = hessians.magnitude()
    hessians = hessians.scaled(1 / unit)
    polynomial = Polynomial(step_polynomial(step_size * unit, radius * unit, spec)) ** power
    means = batch_mean_powers(hessians, batch_size, highest=max(1, polynomial.degree()))
    matrix, scale = combine_powers(means, polynomial)
    sizes = power_sizes(hessians, batch_size)
    for order, coefficient in enumerate(polynomial.coef[1:], start=1):
        scale += abs(float(coefficient)) * sizes[order]
    return matrix, scale
