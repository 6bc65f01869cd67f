r"""Rates under growth, residual and variance conditions, on least squares."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from numerics.confrontations.full_gradient import quantity
from numerics.confrontations.rates import ROUNDING, STEPS
from numerics.confrontations.registry import ON_LEAST_SQUARES
from numerics.confrontations.verdicts import Point, worst_step
from numerics.problems import LeastSquares
from theory.trusted.algorithms import SAM, SGD, SamSpec
from theory.trusted.statements import Theorem

__all__ = ["curve_points", "strong_growth"]

#: Step sizes as shares of the largest that is looked at, radii as shares of √(μ/β)/β.
STEP_SHARES = (0.1, 0.5, 1.0)
RADIUS_SHARES = (0.0, 0.3, 0.9)
POINTS = 5

#: Why these measurements are each for one statement.
CONSTANTS = "the statement holds for any constants of the noise: those of the problem are put in"


def strong_growth(problem: LeastSquares) -> float:
    r"""$\sup_x E\|\nabla f_b(x)\|^2/\|\nabla f(x)\|^2$, exact: both are forms in the residuals.

    On the residuals that occur, the range of the features.
    """
    left, sigma, _ = problem.factors
    lengths = (problem.features**2).sum(1) / problem.n
    form = left.mT @ (lengths[:, None] * left)
    return float(torch.linalg.eigvalsh(form / (sigma[:, None] * sigma))[-1]) * problem.n**2


def curve_points(
    problem: LeastSquares, spec: SamSpec, step_size: float, radius: float, factor: float
) -> Iterator[Point]:
    """The exact expected loss against the proved rate, at its worst step."""
    curve = problem.expected_losses(spec, step_size, radius, STEPS).mean.cpu().numpy()
    with np.errstate(over="ignore"):  # beyond float64 nothing is bounded
        bounds = curve[0] * factor ** np.arange(1, STEPS + 1)
    where = {"step_size": step_size, "radius": radius}
    yield from worst_step(curve[1:], bounds, ROUNDING, where)


@ON_LEAST_SQUARES.like(
    "sgd-strong-growth",
    words="exact expected loss against the proved rate",
    because=CONSTANTS,
    ignores=("best_factor",),
)
def growth_points(theorem: Theorem, problem: LeastSquares) -> Iterator[Point]:
    """SGD at several step sizes, with the exact growth constant."""
    constants = problem.constants()
    known = {"L": constants.smoothness, "growth": strong_growth(problem)}
    best = quantity(theorem, "best_step_size", **known)
    for share in (*STEP_SHARES, 1.9):
        factor = quantity(theorem, "factor", step_size=share * best, mu=constants.mu, **known)
        yield from curve_points(problem, SGD, share * best, 0.0, factor)


@ON_LEAST_SQUARES.like(
    "sgd-strong-growth-constant",
    words="the exact growth constant",
    because=CONSTANTS,
)
def constant_points(theorem: Theorem, problem: LeastSquares) -> Iterator[Point]:
    """The exact growth constant against β/μ."""
    constants = problem.constants()
    bound = quantity(theorem, "growth", beta=constants.beta, mu=constants.mu)
    yield Point(strong_growth(problem), bound, 1e-9 * bound, {})


@ON_LEAST_SQUARES.like(
    "sam-pl-expected-residual",
    words="exact expected loss against the proved rate",
    because=CONSTANTS,
    ignores=("floor", "factor_under_interpolation"),
)
def residual_points(theorem: Theorem, problem: LeastSquares) -> Iterator[Point]:
    """Interpolation: A = β, B = C = 0."""
    constants = problem.constants()
    beta, mu, smoothness = constants.beta, constants.mu, constants.smoothness
    known = {"beta": beta, "L": smoothness, "mu": mu}
    for of_radius in RADIUS_SHARES:
        radius = of_radius * (mu / beta) ** 0.5 / beta
        step_size = (mu - beta * (beta * radius) ** 2) / (4 * beta * smoothness)
        given = {**known, "step_size": step_size, "radius": radius}
        factor = quantity(theorem, "factor", residual=beta, growth=0.0, **given)
        if factor < 1:
            yield from curve_points(problem, SAM, step_size, radius, factor)


def points_around(problem: LeastSquares) -> Iterator[tuple[Tensor, float, float]]:
    """Random points: the point, the loss there, and the exact variance of the gradients."""
    generator = torch.Generator().manual_seed(0)
    for _ in range(POINTS):
        noise = torch.randn(problem.d, generator=generator, dtype=torch.float64)
        point = problem.minimiser() + noise.to(problem.features.device)
        spread = problem.gradients(point) - problem.gradient(point)
        yield point, float(problem.loss(point)), float((spread**2).sum(1).mean())


def expected_loss(problem: LeastSquares, point: Tensor, step_size: float, radius: float) -> float:
    r"""$E f(x^+)$ for one step of SAM, every sample in turn."""
    gradients = problem.gradients(point)
    rows = problem.features
    residuals = ((point + radius * gradients) * rows).sum(1) - problem.targets
    return float(problem.loss(point - step_size * residuals[:, None] * rows).mean())


@ON_LEAST_SQUARES.like(
    "sam-pl-noise",
    words="exact expected loss after a step from random points",
    because=CONSTANTS,
    ignores=("floor",),
)
def noise_points(theorem: Theorem, problem: LeastSquares) -> Iterator[Point]:
    """One step from random points, with the variance that the gradients have there."""
    constants = problem.constants()
    beta, smoothness = constants.beta, constants.smoothness
    known = {"beta": beta, "L": smoothness}
    for point, loss, variance in points_around(problem):
        for of_radius in RADIUS_SHARES:
            for share in STEP_SHARES:
                setting = {"step_size": share / (8 * smoothness), "radius": of_radius / (2 * beta)}
                given = {**known, **setting}
                factor = quantity(theorem, "factor", mu=constants.mu, **given)
                noise = quantity(theorem, "noise", sigma=variance**0.5, **given)
                bound = factor * loss + noise
                measured = expected_loss(problem, point, **setting)
                yield Point(measured, bound, ROUNDING * bound, setting)


@ON_LEAST_SQUARES.like(
    "sam-pl-noise-horizon",
    words="exact expected loss after a step from random points",
    because=CONSTANTS,
)
def horizon_points(theorem: Theorem, problem: LeastSquares) -> Iterator[Point]:
    """One step at the theorem's step size and radius for an index, from random points."""
    constants = problem.constants()
    beta, mu = constants.beta, constants.mu
    for point, loss, variance in points_around(problem):
        for share in STEP_SHARES:
            step_size = share / (8 * beta)
            radius = (step_size / beta) ** 0.5
            index = 4 / (step_size * mu)
            level = max(26 * beta * variance / mu**2, index * loss)
            bound = quantity(theorem, "next_level", index=index, level=level)
            measured = expected_loss(problem, point, step_size, radius)
            where = {"step_size": step_size, "radius": radius, "index": index}
            yield Point(measured, bound, ROUNDING * bound, where)
