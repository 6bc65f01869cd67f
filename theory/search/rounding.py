"""From a solver's floats at one point to exact rationals that solve the same problem there.

What is rounded is the kernel of S, whose entries are simple: then the multipliers solve a linear
system, exactly.  Near a tight inequality a solver sees multipliers only to the square root of its
precision, so it is polished first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from theory.proving.models import is_positive_semidefinite
from theory.search.fields import Point
from theory.search.linear import Solutions, solutions
from theory.search.sdp import Floats, Sdp, matrices, triangle
from theory.search.system import System, kernel_rows

__all__ = [
    "DENOMINATORS",
    "TOLERANCE",
    "Rounded",
    "identity_on",
    "is_valid",
    "kernels",
    "polish",
    "rational",
    "round_at",
]

DENOMINATORS = (12, 100, 1000, 10000)
TOLERANCE = 1e-6


@dataclass(frozen=True)
class Rounded:
    """An exact solution at a point.

    Attributes:
        pivots: the coordinates in which the kernel of S is the identity.
        kernel: a basis of the kernel of S, in that form.
        solutions: what satisfies the equations and has this kernel; a single point if verified.
    """

    pivots: tuple[int, ...]
    kernel: tuple[tuple[Fraction, ...], ...]
    solutions: Solutions


def polish(sdp: Sdp, unknowns: Floats, rank: int) -> Floats:
    """Newton's method on the equations with S = V V', V of the given rank; the best iterate."""
    head = sdp.nonnegative + sdp.free
    size = sdp.blocks[0]
    pairs = triangle(size)
    values, vectors = np.linalg.eigh(matrices(sdp, unknowns)[0])
    root = vectors[:, size - rank :] * np.sqrt(np.maximum(values[size - rank :], 0.0))
    multipliers = unknowns[:head].copy()
    best, lowest = unknowns, np.inf
    for _ in range(40):
        product = root @ root.T
        now = np.concatenate([multipliers, [product[i, j] for i, j in pairs]])
        residual = sdp.matrix @ now - sdp.right
        size_of = float(np.max(np.abs(residual), initial=0.0))
        if size_of < lowest:
            best, lowest = now, size_of
        if size_of < 1e-15:
            break
        slope = np.zeros((len(pairs), size * rank))
        for row, (i, j) in enumerate(pairs):
            slope[row, i * rank : (i + 1) * rank] += root[j]
            slope[row, j * rank : (j + 1) * rank] += root[i]
        jacobian = np.hstack([sdp.matrix[:, :head], sdp.matrix[:, head:] @ slope])
        if not np.all(np.isfinite(jacobian)):
            break
        step = np.linalg.lstsq(jacobian, -residual, rcond=1e-12)[0]
        multipliers = multipliers + step[:head]
        root = root + step[head:].reshape(size, rank)
    return best


def rational(number: float) -> Fraction | None:
    """The simplest rational nearby, or None: an arbitrary number has one with odds below 1%."""
    for bound in DENOMINATORS:
        found = Fraction(number).limit_denominator(bound)
        if abs(float(found) - number) <= min(TOLERANCE, 0.01 / bound**2) * max(1.0, abs(number)):
            return found
    return None


def identity_on(kernel: Floats, pivots: Sequence[int] | None) -> tuple[tuple[int, ...], Floats]:
    """The basis of a subspace (rows) that is the identity on some coordinates."""
    if pivots is None:
        chosen: list[int] = []
        rest = kernel.copy()
        for _ in range(len(kernel)):
            row, column = np.unravel_index(int(np.argmax(np.abs(rest))), rest.shape)
            chosen.append(int(column))
            rest = rest - np.outer(rest[:, column] / rest[row, column], rest[row])
        pivots = sorted(chosen)
    basis = np.linalg.solve(kernel[:, list(pivots)], kernel)
    return tuple(pivots), np.asarray(basis, dtype=np.float64)


def kernels(
    sdp: Sdp, unknowns: Floats, pivots: tuple[int, ...] | None
) -> Iterator[tuple[tuple[int, ...], tuple[tuple[Fraction, ...], ...]]]:
    """Rational guesses for the kernel of S, largest first."""
    size = sdp.blocks[0]
    values = np.linalg.eigvalsh(matrices(sdp, unknowns)[0])
    scale = max(float(values[-1]), 1e-3 * float(np.max(np.abs(unknowns), initial=0.0)), 1e-9)
    nullities = {int(np.sum(values < bound * scale)) for bound in (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)}
    for nullity in sorted(nullities, reverse=True):
        if pivots is not None and nullity != len(pivots):
            continue
        if nullity in (0, size):
            everything = tuple(range(size)) if nullity else ()
            yield (
                everything,
                tuple(
                    tuple(Fraction(1) if i == j else Fraction(0) for j in range(size))
                    for i in everything
                ),
            )
            continue
        polished = polish(sdp, unknowns, size - nullity)
        vectors = np.linalg.eigh(matrices(sdp, polished)[0])[1]
        try:
            chosen, basis = identity_on(vectors[:, :nullity].T, pivots)
        except np.linalg.LinAlgError:
            continue
        rows = [[rational(float(entry)) for entry in row] for row in basis]
        exact = tuple(tuple(e for e in row if e is not None) for row in rows)
        if all(len(row) == size for row in exact):
            yield chosen, exact


def round_at(
    system: System, point: Point, sdp: Sdp, unknowns: Floats, pivots: tuple[int, ...] | None = None
) -> Rounded | None:
    """An exact solution at a point, close to the floats; None if none is found.

    Args:
        system: the identities.
        point: the parameters.
        sdp: the semidefinite program at the point.
        unknowns: its approximate solution.
        pivots: the form in which the kernel is wanted; default: the best conditioned.
    """
    rows, right = system.at(point)
    size = system.size
    guesses = kernels(sdp, unknowns, pivots) if size else iter([((), ())])
    for chosen, kernel in guesses:
        extra = kernel_rows(system, kernel, Fraction(0))
        found = solutions(
            [*rows, *extra],
            [*right, *([Fraction(0)] * len(extra))],
            system.unknowns,
            Fraction(0),
            Fraction(1),
        )
        if found is None:
            continue
        if found.undetermined or is_valid(system, found.particular):
            return Rounded(chosen, kernel, found)
    return None


def is_valid(system: System, values: Sequence[Fraction]) -> bool:
    """Whether multipliers are non-negative and S is positive semidefinite, exactly."""
    if any(value < 0 for value in values[: len(system.candidates)]):
        return False
    matrix = np.empty((system.size, system.size), dtype=object)
    for i, j in triangle(system.size):
        matrix[i, j] = matrix[j, i] = values[system.entry(i, j)]
    return is_positive_semidefinite(matrix)
