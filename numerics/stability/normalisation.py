r"""What dividing by the gradient's norm changes: both SAMs with full gradients on least squares.

Unnormalised SAM converges linearly up to a radius and diverges beyond it; normalised SAM converges
at no radius and diverges at none: it ends in a cycle of length two along the top eigenvector.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from scipy import optimize
from torch import Tensor

import theory
from numerics.checks import check_nonnegative, check_positive
from numerics.problems.least_squares import LeastSquares
from theory.evaluation import evaluate
from theory.trusted.algorithms import SamSpec

__all__ = ["NORMALISED", "UNNORMALISED", "BothSams", "both_sams", "edge_radius"]

UNNORMALISED = SamSpec("SAM", stochastic=False)
NORMALISED = SamSpec("normalised SAM", stochastic=False, normalized=True, epsilon=1e-12)


@dataclass(frozen=True)
class BothSams:
    r"""Losses of both algorithms at one radius, and what is proved of the normalised one.

    Attributes:
        radius: $\rho$.
        unnormalised: $f(x_t)$, shape (T + 1,).
        normalised: the same.
        cycle: the loss $\tfrac12 a c_*^2$ on the cycle along the top eigenvector; 0 for $\rho = 0$.
        ball: the largest loss $\tfrac12 \beta R^2$ in the smallest ball that is proved to be
            mapped into itself.
    """

    radius: float
    unnormalised: Tensor
    normalised: Tensor
    cycle: float
    ball: float


def both_sams(
    problem: LeastSquares, step_size: float, radius: float, steps: int, start: Tensor | None = None
) -> BothSams:
    r"""Run both algorithms from one start, and evaluate the theorems there.

    Args:
        problem: the least-squares problem.
        step_size: $\eta$, below $2/\beta$.
        radius: $\rho$.
        steps: $T$.
        start: $x_0$, shape (d,); by default the origin.

    Raises:
        ValueError: if a number is negative, or gradient descent itself diverges at this step size.
    """
    check_nonnegative("radius", radius)
    eigenvalues = _curvatures(problem, step_size)
    top = float(eigenvalues.max())
    q = float((1 - step_size * eigenvalues).abs().max())
    common = {"step_size": step_size, "radius": radius}
    amplitude = _value("sam-two-cycle", "amplitude", a=top, **common) if radius else 0.0
    squared = _value("sam-normalized-bounded", "smallest_ball", beta=top, q=q, **common)
    settings = (step_size, radius, steps, start)
    return BothSams(
        radius=radius,
        unnormalised=problem.expected_losses(UNNORMALISED, *settings).mean,
        normalised=problem.sampled_losses(NORMALISED, *settings, runs=1).mean,
        cycle=top * amplitude**2 / 2,
        ball=top * squared / 2,
    )


def edge_radius(problem: LeastSquares, step_size: float) -> float:
    r"""The radius up to which unnormalised SAM with full gradients is stable at this step size.

    Raises:
        ValueError: if the step size is not positive, or gradient descent itself diverges at it.
    """
    level = step_size * float(_curvatures(problem, step_size).max())
    edge = partial(_value, "sam-edge", "edge", step_size=step_size)
    largest = 1.0
    while edge(radius=largest) > level:
        largest *= 2
    return float(optimize.brentq(lambda r: edge(radius=r) - level, 0.0, largest, xtol=1e-14))


def _curvatures(problem: LeastSquares, step_size: float) -> Tensor:
    """The eigenvalues of the Hessian on its range."""
    eigenvalues = problem.factors[1] ** 2 / problem.n
    limit = 2 / float(eigenvalues.max())
    if check_positive("step_size", step_size) >= limit:
        raise ValueError(
            f"step_size is {step_size:g}: gradient descent diverges, stay below {limit:g}"
        )
    return eigenvalues


def _value(theorem: str, quantity: str, **given: float) -> float:
    return float(evaluate(theory.get(theorem), quantity, **given).value)
