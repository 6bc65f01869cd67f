r"""Theorems on Lyapunov matrices, and in few dimensions, at minima compressed to few directions.

Compressed to the d directions V in which H is largest, the Hessians $V^{\mathsf T} H_b V$ are
those of a minimum in dimension d, of the same sizes and spread as the measured one.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from numerics.confrontations.registry import AT_MINIMA
from numerics.confrontations.stability import TIMES, Site
from numerics.confrontations.verdicts import Point
from numerics.counterexamples.stability_ratio import threshold
from theory.evaluation import evaluate, parameters
from theory.trusted.statements import Theorem

__all__ = ["compressed"]

Floats = NDArray[np.float64]
DIRECTIONS = 4
#: Terms of the series for a Lyapunov matrix, and steps towards the one that grows.
TERMS, STEPS = 2000, 200
#: A term of the series as large as this does not come back to 1.
EXPLODED = 1e6


def compressed(site: Site, dimension: int) -> Floats:
    """The Hessians of every sample in the directions where H is largest, shape (n, d, d)."""
    vectors = torch.linalg.eigh(site.powers[0]).eigenvectors
    few = site.hessians.restricted(vectors[:, -dimension:]).to_dense()
    return (0.5 * (few + few.mT)).numpy(force=True).astype(np.float64)


def steps(site: Site) -> Iterator[tuple[dict[str, float | str], Floats]]:
    """Every setting with the matrices M_b of one step in few directions, shape (n, d, d)."""
    samples = compressed(site, min(DIRECTIONS, site.hessians.size))
    for step_size, radius in site.settings():
        step = np.eye(samples.shape[-1]) - step_size * (samples + radius * samples @ samples)
        yield site.where(step_size, radius), step


def later(step: Floats, matrix: Floats) -> Floats:
    """E M_b X M_b."""
    return np.asarray((step @ matrix @ step).mean(0))


def relative(matrix: Floats, energy: Floats) -> tuple[Floats, float]:
    """Eigenvalues of a symmetric matrix relative to a positive definite one, and their error."""
    root = np.linalg.inv(np.linalg.cholesky(energy))
    values = np.asarray(np.linalg.eigvalsh(root @ matrix @ root.T), dtype=np.float64)
    rounding = len(energy) * float(np.finfo(float).eps) * float(np.linalg.cond(energy))
    return values, rounding * float(np.abs(values).max())


@AT_MINIMA.like(
    "lyapunov-stability",
    words=f"exact E|x_t|² over ⟨x_0, P x_0⟩ at t in {TIMES}, for the worst start, in {DIRECTIONS} "
    "directions, P the sum of E M_1..M_k M_k..M_1 until it decreases",
    because="the statement holds for any P: one is computed",
)
def stable_points(_: Theorem, site: Site) -> Iterator[Point]:
    r"""Worst $E\|x_t\|^2/\langle x_0, P x_0\rangle$ where the series' sums become such a P."""
    for where, step in steps(site):
        unit = np.eye(step.shape[-1])
        if (energy := series(step)) is None:
            continue
        matrix = unit
        for time in range(1, max(TIMES) + 1):
            matrix = later(step, matrix)
            if time in TIMES:
                values, error = relative(matrix, energy)
                yield Point(float(values[-1]), 1.0, error, {**where, "t": time})


def series(step: Floats) -> Floats | None:
    """The first partial sum of I + E M_1 M_1 + ... that is a Lyapunov matrix; None if far off."""
    term = np.eye(step.shape[-1])
    energy = np.zeros_like(term)
    for _ in range(TERMS):
        energy, term = energy + term, later(step, term)
        largest = np.linalg.eigvalsh(term)[-1]
        if largest <= 1:
            return energy
        if largest > EXPLODED:
            return None
    return None


@AT_MINIMA.like(
    "lyapunov-instability",
    words=f"growth^t ⟨x_0, P x_0⟩ over the exact E|x_t|² at t in {TIMES}, for the worst start, in "
    f"{DIRECTIONS} directions, where P ⪯ I grows",
    because="the statement holds for any P: one is computed",
)
def growing_points(_: Theorem, site: Site) -> Iterator[Point]:
    """Worst ratios where iteration finds a matrix with growth above 1."""
    for where, step in steps(site):
        energy = np.eye(step.shape[-1])
        for _step in range(STEPS):
            energy = later(step, energy)
            energy /= np.linalg.eigvalsh(energy)[-1]
        if np.linalg.eigvalsh(energy)[0] <= 1e-6:
            continue
        growth = float(relative(later(step, energy), energy)[0][0])
        if growth <= 1:
            continue
        matrix = np.eye(step.shape[-1])
        for time in range(1, max(TIMES) + 1):
            matrix = later(step, matrix)
            if time in TIMES:
                values, error = relative(growth**time * energy, matrix)
                yield Point(float(values[-1]), 1.0, error, {**where, "growth": growth, "t": time})


@AT_MINIMA.like(
    *(f"sgd-stability-s2-dimension-{d}" for d in (2, 3, 4)),
    words="η² s_2² at the exact mean-square threshold of SGD, in the directions of the theorem",
    because="the minimum is compressed to the dimension that the statement speaks of",
)
def dimension_points(theorem: Theorem, site: Site) -> Iterator[Point]:
    """One point for each minimum."""
    # a top eigenmatrix in d dimensions has d weights c_i
    dimension = sum(name.startswith("c_") for name in parameters(theorem.hypotheses))
    if site.hessians.size < dimension:
        return
    samples = compressed(site, dimension)
    stable = threshold(samples)
    scaled = stable.step_size * samples
    mean = scaled.mean(0)
    spread = float(np.linalg.eigvalsh((scaled @ scaled).mean(0) - mean @ mean)[-1])
    bound = float(evaluate(theorem, "bound").value)
    error = 10 * spread * (stable.residual + float(np.finfo(float).eps) * len(samples))
    yield Point(spread, bound, error, site.where(stable.step_size, 0.0, dimension=dimension))
