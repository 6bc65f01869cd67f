r"""From a float instance to an exact one that the kernel accepts as a refutation.

The step size is taken a little below the threshold, factors and Lyapunov matrix are rounded to
rationals with a common denominator, and `theory.check` decides; denominators grow until it accepts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

import theory
from numerics.counterexamples.stability_ratio import RatioSearch, threshold
from theory.proving.witnesses import witness
from theory.trusted.statements import Witness

__all__ = ["DENOMINATORS", "REFUTED", "Certified", "certify"]

Floats = NDArray[np.float64]
REFUTED = "sgd-stability-s2-published"
DENOMINATORS = (10, 30, 100, 300, 1000, 3000, 10_000, 100_000)


@dataclass(frozen=True)
class Certified:
    """An exact instance that the kernel accepted.

    Attributes:
        instance: the numbers.
        ratio: the exact ratio of the two sides of the claim that fails, η² s_2² along u.
        denominator: the common denominator of the samples' factors and of the Lyapunov matrix.
    """

    instance: Witness
    ratio: Fraction
    denominator: int


def certify(
    found: RatioSearch, share: float = 0.99, denominators: Iterable[int] = DENOMINATORS
) -> Certified | None:
    """The instance with the smallest denominator that refutes the published bound on s_2.

    Args:
        found: what a search found.
        share: how much of the ratio that was found the exact instance must reach.
        denominators: those to try, the smallest first.

    Returns:
        The instance, or None if the kernel accepts none; always None at ratios of 1 and below.
    """
    claim = theory.get(REFUTED)
    for denominator in denominators:
        instance = rounded(found.curvatures, denominator)
        if instance is None:
            continue
        failure = theory.check(replace(claim, refutation=instance)).failure
        if failure is None:
            continue
        left, right = (side for side in (failure.left, failure.right) if isinstance(side, Fraction))
        if left >= share * found.ratio * right:
            return Certified(instance, left / right, denominator)
    return None


def rounded(curvatures: Floats, denominator: int) -> Witness | None:
    """A rational instance near a float one, or None if it is not visibly stable.

    Args:
        curvatures: η H_b at the threshold, shape (n, d, d).
        denominator: of the factors of the samples and of the Lyapunov matrix.
    """
    near = [_positive(matrix, denominator) for matrix in curvatures]
    samples = np.array([[[float(q) for q in row] for row in matrix] for matrix in near])
    limit = threshold(samples).step_size
    step_size = Fraction(int(limit * denominator * (1 - 1e-9)), denominator)
    energy = lyapunov(samples, float(step_size))
    if energy is None:
        return None
    d = samples.shape[-1]
    u = [1, *[0] * (d - 1)]
    return witness({"step_size": step_size}, {"u": u}, near, {"P": _rounded(energy, denominator)})


def _positive(matrix: Floats, denominator: int) -> list[list[Fraction]]:
    """A rational positive semidefinite matrix: rounded factors, multiplied out."""
    values, vectors = np.linalg.eigh(matrix)
    kept = values > 1e-9 * max(values[-1], 1.0)
    factor = _rounded(vectors[:, kept] * np.sqrt(values[kept]), denominator)
    return [
        [sum((a * b for a, b in zip(row, column, strict=True)), Fraction(0)) for column in factor]
        for row in factor
    ]


def _rounded(matrix: Floats, denominator: int) -> list[list[Fraction]]:
    return [[Fraction(round(float(x) * denominator), denominator) for x in row] for row in matrix]


def lyapunov(samples: Floats, step_size: float) -> Floats | None:
    r"""A matrix $P \succeq I$ with $E\,M_b P M_b \prec P$, of smallest eigenvalue above 1.

    It solves $P - E\,M_b P M_b = Q$ with Q the part of the identity in the joint range; beyond it
    nothing moves.
    """
    d = samples.shape[-1]
    step = np.eye(d) - step_size * samples
    values, vectors = np.linalg.eigh(samples.mean(0))
    moving = vectors[:, values > 1e-9 * values[-1]]
    inside = moving.T @ step @ moving
    size = moving.shape[1]
    operator = np.eye(size * size) - np.mean([np.kron(m, m) for m in inside], axis=0)
    solution = np.linalg.solve(operator, np.eye(size).ravel()).reshape(size, size)
    smallest = np.linalg.eigvalsh(solution)[0]
    if smallest <= 0:
        return None
    still = np.eye(d) - moving @ moving.T
    return moving @ solution @ moving.T / smallest * 1.01 + 1.01 * still
