r"""SAM with the full gradient on the quadratics $\tfrac12 x^\top H x$ of measured Hessians.

The optimiser of `numerics.training.optimizers` runs on them in coordinates along the eigenvectors,
and its iterates are compared with what the theorems on single eigenvectors, cycles and bounds say.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from numerics.confrontations.registry import AT_MINIMA
from numerics.confrontations.stability import Site
from numerics.confrontations.verdicts import Point
from numerics.training.optimizers import SAM
from theory.evaluation import evaluate
from theory.trusted.algorithms import GD, SamSpec
from theory.trusted.statements import Theorem

__all__ = ["quantity", "same", "trajectory"]

#: Relative: a few matrix products of some hundred terms each.
ROUNDING = 1e-11
NORMALIZED = SamSpec("normalised full-batch SAM", stochastic=False, normalized=True)
#: Radii of normalised SAM, and step sizes as shares of GD's limit 2/a.
RADII = (0.01, 1.0, 30.0)
STEP_SHARES = (0.05, 0.3, 0.5, 0.8, 0.95)
#: How far a second difference quotient goes, as a share of the cycle's amplitude, and its error:
#: the square of the first for the curvature, round-off over the first.
NUDGE, NUDGE_ERROR = 1e-5, 1e-8

#: Why these measurements are each for one statement.
CHOSEN = "the start is made for the claim: an eigenvector, a cycle, a point far away"


def trajectory(
    curvatures: Tensor, spec: SamSpec, start: Tensor, step_size: float, radius: float, steps: int
) -> Tensor:
    r"""The iterates of the optimiser on $\tfrac12\sum_i \lambda_i x_i^2$.

    Args:
        curvatures: $\lambda$, shape (d,).
        spec: the algorithm, with the full gradient.
        start: shape (d,).
        step_size: $\eta$.
        radius: $\rho$.
        steps: T.

    Returns:
        Shape (T + 1, d), the start first.
    """
    point = start.clone().requires_grad_()
    optimizer = SAM([point], spec, step_size, radius)

    def closure() -> Tensor:
        loss = 0.5 * (curvatures * point**2).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    path = [start]
    for _ in range(steps):
        optimizer.step(closure)
        path.append(point.detach().clone())
    return torch.stack(path)


def spectrum(site: Site) -> tuple[Tensor, Tensor]:
    """Eigenvalues of the mean Hessian, rising, and its top eigenvector in their basis."""
    values = torch.linalg.eigvalsh(site.hessians.mean_power(1))
    return values, unit(values, len(values) - 1)


def unit(like: Tensor, index: int) -> Tensor:
    """A vector of the standard basis."""
    vector = torch.zeros_like(like)
    vector[index] = 1
    return vector


def quantity(theorem: Theorem, name: str, **given: float) -> float:
    """A quantity of a theorem at one setting; NaN where the theorem says nothing."""
    return float(evaluate(theorem, name, **given).value)


def same(measured: float, expected: float, where: dict[str, float | str]) -> Point:
    """Two numbers that a theorem says are equal."""
    return Point(abs(measured - expected) / max(1.0, abs(expected)), 0.0, ROUNDING, where)


def side_of_the_edge(growth: float, inside: bool, where: dict[str, float | str]) -> Point:
    """The measured growth is at most 1 inside the edge of stability, and at least 1 beyond."""
    square = growth**2
    if inside:
        return Point(square, 1.0, ROUNDING, where)
    return Point(1.0, square, ROUNDING * square, where)


@AT_MINIMA.like(
    "sam-edge",
    words="one step of the optimiser along the top eigenvector",
    because=CHOSEN,
)
def edge_points(theorem: Theorem, site: Site) -> Iterator[Point]:
    """One step along the top eigenvector, in every setting."""
    values, v = spectrum(site)
    a = float(values[-1])
    spec = theorem.dynamics.algorithm if theorem.dynamics else GD
    for step_size, radius in site.settings():
        where = site.where(step_size, radius)
        _, after = trajectory(values, spec, v, step_size, radius, 1)
        growth = float(after @ v)
        expected = quantity(theorem, "growth", a=a, step_size=step_size, radius=radius)
        edge = quantity(theorem, "edge", step_size=step_size, radius=radius)
        yield same(growth, expected, where)
        yield side_of_the_edge(growth, step_size * a <= edge, where)


@AT_MINIMA.like(
    "sam-edge-normalized",
    words="one step of the optimiser at random points",
    because=CHOSEN,
)
def normalized_edge_points(theorem: Theorem, site: Site) -> Iterator[Point]:
    """One step of normalised SAM from a random point, looked at along the top eigenvector."""
    values, v = spectrum(site)
    a = float(values[-1])
    generator = torch.Generator().manual_seed(0)
    for share in STEP_SHARES:
        for radius in RADII:
            start = torch.randn(len(v), generator=generator, dtype=v.dtype).to(v.device) + v
            given = {
                "step_size": share * 2 / a,
                "radius": radius,
                "gradient_norm": float((values * start).norm()),
            }
            where = site.where(given["step_size"], radius, gradient_norm=given["gradient_norm"])
            _, after = trajectory(values, NORMALIZED, start, given["step_size"], radius, 1)
            growth = float(after @ v) / float(start @ v)
            yield same(growth, quantity(theorem, "growth", a=a, **given), where)
            yield side_of_the_edge(growth, a <= quantity(theorem, "edge", **given), where)


@AT_MINIMA.like(
    "sam-saddle",
    words="one step of the optimiser at the Hessian with its top eigenvalue's sign changed",
    because=CHOSEN,
)
def saddle_points(theorem: Theorem, site: Site) -> Iterator[Point]:
    """The measured Hessian with its top eigenvalue's sign changed: SAM comes, GD leaves."""
    values, v = spectrum(site)
    c = float(values[-1])
    bent = values * (1 - 2 * v)
    spec = theorem.dynamics.algorithm if theorem.dynamics else GD
    for beyond in (0.1, 0.5, 2.0):  # ρc - 1
        for share in STEP_SHARES:
            given = {"step_size": share * 2 / (c * beyond), "radius": (1 + beyond) / c}
            where = site.where(given["step_size"], given["radius"])
            growths = {}
            for name, algorithm in (("growth", spec), ("growth_of_descent", GD)):
                _, after = trajectory(bent, algorithm, v, given["step_size"], given["radius"], 1)
                growths[name] = float(after @ v)
                used = given if algorithm is spec else {"step_size": given["step_size"]}
                yield same(growths[name], quantity(theorem, name, c=c, **used), where)
            yield side_of_the_edge(growths["growth"], True, where)
            yield side_of_the_edge(growths["growth_of_descent"], False, where)


def cycles(theorem: Theorem, site: Site) -> Iterator[tuple[float, float, float, float]]:
    """Settings of normalised SAM: sharpness, step size, radius and the cycle's amplitude."""
    a = float(spectrum(site)[0][-1])
    for share in STEP_SHARES:
        for radius in RADII:
            given = {"a": a, "step_size": share * 2 / a, "radius": radius}
            yield a, given["step_size"], radius, quantity(theorem, "amplitude", **given)


@AT_MINIMA.like(
    "sam-two-cycle",
    words="two steps of the optimiser from the cycle",
    because=CHOSEN,
)
def cycle_points(theorem: Theorem, site: Site) -> Iterator[Point]:
    """From the cycle's amplitude two steps go to the mirror image and back."""
    values, v = spectrum(site)
    for _, step_size, radius, amplitude in cycles(theorem, site):
        start = amplitude * v
        _, mirrored, back = trajectory(values, NORMALIZED, start, step_size, radius, 2)
        where = site.where(step_size, radius, amplitude=amplitude)
        yield same(float((mirrored + start).norm()) / amplitude, 0.0, where)
        yield same(float((back - start).norm()) / amplitude, 0.0, where)


@AT_MINIMA.like(
    "sam-two-cycle-stability",
    words="steps of the optimiser beside the cycle",
    because=CHOSEN,
)
def cycle_stability_points(theorem: Theorem, site: Site) -> Iterator[Point]:
    """Deviations from the cycle: twice the amplitude along v, a nudge along another eigenvector."""
    values, v = spectrum(site)
    middle = len(values) // 2
    w = unit(values, middle)
    for a, step_size, radius, amplitude in cycles(theorem, site):
        where = site.where(step_size, radius, amplitude=amplitude)
        path = trajectory(values, NORMALIZED, 2 * amplitude * v, step_size, radius, 4)
        off = (path.norm(dim=1) - amplitude).abs() / amplitude
        yield Point(float(off[4]), float(off[0]), ROUNDING, where)
        nudge = NUDGE * amplitude
        ends = [
            trajectory(values, NORMALIZED, amplitude * v + side * nudge * w, step_size, radius, 1)
            for side in (1, -1)
        ]
        measured = float((ends[0][1] - ends[1][1]) @ w) / (2 * nudge)
        given = {"a": a, "b": float(values[middle]), "step_size": step_size}
        expected = quantity(theorem, "growth_across", **given)
        yield Point(1 + abs(measured - expected), 1.0, NUDGE_ERROR, where)


@AT_MINIMA.like(
    "sam-normalized-converges",
    words="the counterexample run by the optimiser: how far it is from its start after 2 and 200 "
    "steps",
    because=CHOSEN,
)
def counterexample_points(theorem: Theorem, _: Site) -> Iterator[Point]:
    """The theorem's own counterexample, run by the optimiser: it comes back after two steps."""
    if theorem.refutation is None:
        return
    given = {name: float(value) for name, value in theorem.refutation.parameters}
    vectors = {name: [float(q) for q in entries] for name, entries in theorem.refutation.vectors}
    start = torch.tensor(vectors["y"], dtype=torch.float64)
    samples = [[[float(q) for q in row] for row in m] for m in theorem.refutation.curvatures]
    values, vectors = torch.linalg.eigh(torch.tensor(samples, dtype=torch.float64).mean(0))
    start = vectors.mT @ start
    path = trajectory(values, NORMALIZED, start, given["step_size"], given["radius"], 200)
    where: dict[str, float | str] = dict(given)
    for steps in (2, 200):
        yield same(float((path[steps] - start).norm()), 0.0, where | {"t": steps})


@AT_MINIMA.like(
    "sam-normalized-bounded",
    words="|x|² over 50 steps of the optimiser",
    because=CHOSEN,
)
def bounded_points(theorem: Theorem, site: Site) -> Iterator[Point]:
    """Normalised SAM from far away and from close by: never outside the larger of two balls."""
    values, _ = spectrum(site)
    beta = float(values[-1])
    direction = torch.full_like(values, len(values) ** -0.5)
    for share in STEP_SHARES:
        step_size = share * 2 / beta
        q = float((1 - step_size * values).abs().max())
        for radius in RADII:
            ball = quantity(
                theorem, "smallest_ball", step_size=step_size, radius=radius, beta=beta, q=q
            )
            for reach in (1e-3, 3.0):
                start = reach * ball**0.5 * direction
                path = trajectory(values, NORMALIZED, start, step_size, radius, 50)
                largest = float((path**2).sum(1).max())
                bound = max(ball, float(start @ start))
                yield Point(largest, bound, ROUNDING * bound, site.where(step_size, radius, q=q))
