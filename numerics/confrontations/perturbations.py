r"""Steps with gradients at displaced points, on least squares: exact expectations over the samples.

Every sample is displaced by the same length: up or down its own gradient, or at random.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from numerics.confrontations.full_gradient import quantity
from numerics.confrontations.registry import ON_LEAST_SQUARES
from numerics.confrontations.verdicts import Point
from numerics.problems import LeastSquares
from theory.trusted.algorithms import NORMALIZED_SAM, SAM
from theory.trusted.statements import Theorem

__all__ = ["Displaced", "gradients", "normalized_step", "starts"]

#: Relative: a few products of some hundred terms each.
ROUNDING = 1e-11
#: Distances of the starts from the minimum, in units of the radius.
REACHES = (0.01, 0.3, 3.0, 100.0)
STEP_SHARES = (0.1, 0.5, 1.0)
RADII = (0.1, 2.0)
STARTS = 3
KINDS = ("up", "down", "random")

#: Why these measurements are each for one statement.
CHOSEN = "the statement holds for any displacements: some are chosen"


@dataclass(frozen=True)
class Displaced:
    """A start, and where each sample's gradient is taken.

    Attributes:
        kind: of the displacement.
        start: the iterate, shape (d,).
        far: its squared distance from the nearest minimiser, which is `minimiser`.
        minimiser: shape (d,).
        points: the displaced points, shape (n, d).
        radius: how far they are from the start.
    """

    kind: str
    start: Tensor
    far: float
    minimiser: Tensor
    points: Tensor
    radius: float

    def where(self, step_size: float) -> dict[str, float | str]:
        """The setting."""
        shown = {"displacement": self.kind, "step_size": step_size, "radius": self.radius}
        return {**shown, "distance": self.far**0.5}


def gradients(problem: LeastSquares, points: Tensor) -> Tensor:
    """The gradient of every sample at a point of its own: shape (n, d) to shape (n, d)."""
    residuals = (points * problem.features).sum(1) - problem.targets
    return residuals[:, None] * problem.features


def lengths(vectors: Tensor) -> Tensor:
    """Their norms, shape (n, 1), not 0: what has no direction is divided by it and stays 0."""
    norms = torch.linalg.vector_norm(vectors, dim=1, keepdim=True)
    return norms.clamp(min=torch.finfo(vectors.dtype).tiny)


def normalized_step(
    problem: LeastSquares, start: Tensor, step_size: float, radius: float
) -> Tensor:
    """One step of normalised SAM on every sample in turn: shape (d,) to shape (n, d)."""
    after: Tensor = replace(NORMALIZED_SAM, epsilon=0.0).step(
        start.expand(problem.n, -1),
        step_size,
        radius,
        lambda points: gradients(problem, points),
        norm=lengths,
    )
    return after


def starts(problem: LeastSquares) -> Iterator[tuple[Tensor, Tensor, float]]:
    """Random points near and far from their minimisers, in the range: start, minimiser, radius."""
    generator = torch.Generator().manual_seed(0)
    least = problem.minimiser()
    for radius in RADII:
        for reach in REACHES:
            for _ in range(STARTS):
                weights = torch.randn(problem.n, generator=generator, dtype=torch.float64)
                away = weights.to(least.device) @ problem.features
                yield least + reach * radius * away / away.norm(), least, radius


def displaced(problem: LeastSquares, kinds: Sequence[str] = KINDS) -> Iterator[Displaced]:
    """Every start with every kind of displacement; a sample without a direction stays there."""
    generator = torch.Generator().manual_seed(1)
    for start, least, radius in starts(problem):
        own = problem.gradients(start)
        noise = torch.randn(own.shape, generator=generator, dtype=own.dtype).to(own.device)
        chosen = dict(zip(KINDS, (own, -own, noise), strict=True))
        for kind in kinds:
            vectors = chosen[kind]
            points = start + radius * vectors / lengths(vectors)
            far = float(((start - least) ** 2).sum())
            yield Displaced(kind, start, far, least, points, radius)


def expected_distance(problem: LeastSquares, case: Displaced, step_size: float) -> float:
    r"""$E\|x^+ - x_*\|^2$ over the samples."""
    after = case.start - step_size * gradients(problem, case.points)
    return float(((after - case.minimiser) ** 2).sum(1).mean())


def descent(
    theorem: Theorem, problem: LeastSquares, case: Displaced, step_size: float, measured: float
) -> Point:
    r"""$E\|x^+ - x_*\|^2$ as measured, against $\|x - x_*\|^2 - 2\eta f(x)$ and the noise."""
    beta = problem.constants().beta
    noise = quantity(theorem, "noise", step_size=step_size, beta=beta, radius=case.radius)
    bound = case.far - 2 * step_size * float(problem.loss(case.start)) + noise
    return Point(measured, bound, ROUNDING * (case.far + noise), case.where(step_size))


@ON_LEAST_SQUARES.like(
    "sam-any-perturbation-convex",
    words="exact E|x⁺ - x*|² of a step with displaced gradients",
    because=CHOSEN,
)
def convex_points(theorem: Theorem, problem: LeastSquares) -> Iterator[Point]:
    """From random points, with three kinds of displacements."""
    beta = problem.constants().beta
    for case in displaced(problem):
        for share in STEP_SHARES:
            step_size = share / beta
            measured = expected_distance(problem, case, step_size)
            yield descent(theorem, problem, case, step_size, measured)


@ON_LEAST_SQUARES.like(
    "sam-any-perturbation-linear",
    words="exact E|x⁺ - x*|² of a step with displaced gradients",
    because=CHOSEN,
)
def linear_points(theorem: Theorem, problem: LeastSquares) -> Iterator[Point]:
    """The same, against the contraction up to the neighbourhood."""
    constants = problem.constants()
    beta, mu = constants.beta, constants.mu
    for case in displaced(problem):
        floor = quantity(theorem, "floor", beta=beta, mu=mu, radius=case.radius)
        for share in STEP_SHARES:
            step_size = share / beta
            factor = quantity(theorem, "factor", step_size=step_size, mu=mu)
            bound = factor * (case.far - floor) + floor
            measured = expected_distance(problem, case, step_size)
            yield Point(measured, bound, ROUNDING * (case.far + floor), case.where(step_size))


@ON_LEAST_SQUARES.like(
    "sam-normalized-convex",
    words="exact E|x⁺ - x*|² of a step of normalised SAM",
    because="the statement is on a point: some are chosen",
)
def normalized_points(theorem: Theorem, problem: LeastSquares) -> Iterator[Point]:
    """The algorithm's own step, from random points."""
    beta = problem.constants().beta
    for case in displaced(problem, KINDS[:1]):
        for share in STEP_SHARES:
            step_size = share / beta
            after = normalized_step(problem, case.start, step_size, case.radius)
            measured = float(((after - case.minimiser) ** 2).sum(1).mean())
            yield descent(theorem, problem, case, step_size, measured)


@ON_LEAST_SQUARES.like(
    "sam-any-perturbation-pl",
    words="exact E f(x⁺) of a step with displaced gradients",
    because=CHOSEN,
)
def pl_points(theorem: Theorem, problem: LeastSquares) -> Iterator[Point]:
    """At shares of the largest step size; both forms of the bound."""
    constants = problem.constants()
    known = {"beta": constants.beta, "L": constants.smoothness}
    largest = constants.mu / (2 * constants.beta * constants.smoothness)
    for case in displaced(problem):
        loss = float(problem.loss(case.start))
        for share in (0.1, 0.5, 0.9):
            step_size = share * largest
            given = {**known, "step_size": step_size, "radius": case.radius}
            noise = quantity(theorem, "noise", **given)
            factor = quantity(theorem, "factor", mu=constants.mu, **given)
            floor = quantity(theorem, "floor", mu=constants.mu, **given)
            after = case.start - step_size * gradients(problem, case.points)
            measured = float(problem.loss(after).mean())
            for bound in (factor * loss + noise, factor * (loss - floor) + floor):
                # the second has the floor twice, which may be far above the loss
                yield Point(measured, bound, ROUNDING * (bound + floor), case.where(step_size))


@ON_LEAST_SQUARES.like(
    "sam-no-trap",
    words="the proved share of |∇f_b(x)| against |∇f_b(x + ρ∇f_b(x))|, at the closest sample",
    because="the statement is on every sample at any point: some are chosen",
)
def trap_points(theorem: Theorem, problem: LeastSquares) -> Iterator[Point]:
    """At random points, over the admissible radii; residuals have the round-off of their terms."""
    beta, rows = problem.constants().beta, problem.features
    reach, unit = rows.norm(dim=1), 4 * (problem.d + 2) * torch.finfo(rows.dtype).eps
    for start, _, _ in starts(problem):
        own = problem.gradients(start)
        for share in (0.0, 0.3, 0.9):
            radius = share / beta
            there = gradients(problem, start + radius * own)
            left, right = (torch.linalg.vector_norm(vectors, dim=1) for vectors in (own, there))
            kept = quantity(theorem, "share", beta=beta, radius=radius)
            i = int(
                (left / right).nan_to_num(nan=0.0).argmax()
            )  # where both are 0, nothing is lost
            terms = float(reach[i] * (reach[i] * start.norm() + problem.targets[i].abs()))
            yield Point(kept * float(left[i]), float(right[i]), unit * terms, {"radius": radius})


@ON_LEAST_SQUARES.like(
    "sam-linear-limit",
    words="how far a step of SAM on every sample moves along directions that no sample sees",
    because="the direction is made for the claim: one that no sample sees",
)
def limit_points(theorem: Theorem, problem: LeastSquares) -> Iterator[Point]:
    """From random points, along what is left of a random direction outside of the range."""
    spec = theorem.dynamics.algorithm if theorem.dynamics else SAM
    generator = torch.Generator().manual_seed(2)
    basis = problem.factors[2]
    for start, _, radius in starts(problem):
        noise = torch.randn(problem.d, generator=generator, dtype=torch.float64).to(basis.device)
        flat = noise - basis @ (basis.mT @ noise)
        if float(flat.norm()) < 1e-6 * float(noise.norm()):
            continue
        flat = flat / flat.norm()
        step_size = 1 / problem.constants().beta
        moved = spec.step(
            start.expand(problem.n, -1),
            step_size,
            radius,
            lambda points: gradients(problem, points),
        )
        drift = float(((moved - start) @ flat).abs().max())
        scale = float((moved - start).norm(dim=1).max())
        yield Point(drift / scale, 0.0, ROUNDING, {"step_size": step_size, "radius": radius})
