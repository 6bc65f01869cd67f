"""Rational functions from their values: the smallest one that passes through all points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from theory.search.fields import Element, Field, Point
from theory.search.linear import eliminate

__all__ = ["DEGREE", "PRIME", "SPARE", "Residue", "fit"]

PRIME = 2**127 - 1
SPARE = 4
DEGREE = 6


class Residue:
    """An integer modulo the prime: a field in which elimination does not make numbers longer."""

    __slots__ = ("n",)

    def __init__(self, n: int) -> None:
        self.n = n % PRIME

    def __bool__(self) -> bool:
        return self.n != 0

    def __sub__(self, other: Residue) -> Residue:
        return Residue(self.n - other.n)

    def __mul__(self, other: Residue) -> Residue:
        return Residue(self.n * other.n)

    def __truediv__(self, other: Residue) -> Residue:
        return Residue(self.n * pow(other.n, -1, PRIME))


def fit(field: Field, points: Sequence[Point], values: Sequence[Fraction]) -> Element | None:
    """The rational function with the fewest coefficients through the points.

    Every point counts: the function is only returned if it has exactly these values, and there
    are at least `SPARE` more points than coefficients.

    Args:
        field: where the function lives.
        points: different points.
        values: the values there.
    """
    if len(set(values)) == 1 and (len(values) > SPARE or not field.names):
        return field.constant(values[0])
    degrees = [(n, d) for n in range(DEGREE + 1) for d in range(DEGREE + 1) if n + d > 0]
    sizes = {k: len(field.monomials(k)) for k in range(DEGREE + 1)}
    degrees.sort(key=lambda pair: (sizes[pair[0]] + sizes[pair[1]], pair[1]))
    for top, bottom in degrees:
        if sizes[top] + sizes[bottom] + SPARE <= len(points):
            found = _through(field, points, values, top, bottom)
            if found is not None:
                return found
    return None


def _through(
    field: Field, points: Sequence[Point], values: Sequence[Fraction], top: int, bottom: int
) -> Element | None:
    """A quotient of polynomials of these degrees with the given values, if there is one."""
    above, below = field.monomials(top), field.monomials(bottom)
    rows = [
        [_power(field, p, m) for m in above] + [-v * _power(field, p, m) for m in below]
        for p, v in zip(points, values, strict=True)
    ]
    scaled = np.array([[float(entry) for entry in row] for row in rows])
    scaled = scaled / np.maximum(np.abs(scaled).max(axis=0), 1e-300)
    scaled = scaled / np.maximum(np.abs(scaled).max(axis=1, keepdims=True), 1e-300)
    spectrum = np.linalg.svd(scaled, compute_uv=False)
    if spectrum[-1] > 1e-7 * spectrum[0]:
        return None
    coefficients = _null_vector(rows)
    if coefficients is None:
        return None
    denominator = field.poly(zip(below, coefficients[len(above) :], strict=True))
    if not denominator:
        return None
    found = field.quotient(field.poly(zip(above, coefficients, strict=False)), denominator)
    try:
        exact = all(field.evaluate(found, p) == v for p, v in zip(points, values, strict=True))
    except ZeroDivisionError:
        return None
    return found if exact else None


def _power(field: Field, point: Point, exponents: tuple[int, ...]) -> Fraction:
    return math.prod(
        (point[n] ** e for n, e in zip(field.names, exponents, strict=True) if e),
        start=Fraction(1),
    )


def _null_vector(rows: Sequence[Sequence[Fraction]]) -> list[Fraction] | None:
    """A rational vector that all rows annihilate, found modulo a prime."""
    width = len(rows[0])
    residues = []
    for row in rows:
        common = math.lcm(*(entry.denominator for entry in row))
        residues.append([Residue(int(entry * common)) for entry in row])
    reduced, pivots = eliminate(residues, range(width))
    free = [j for j in range(width) if j not in pivots]
    if not free:
        return None
    vector = [Fraction(0)] * width
    vector[free[0]] = Fraction(1)
    for row, pivot in zip(reduced, pivots, strict=True):
        entry = _reconstruct(-row[free[0]].n % PRIME)
        if entry is None:
            return None
        vector[pivot] = entry
    return vector


def _reconstruct(residue: int) -> Fraction | None:
    """The fraction with small numerator and denominator that a residue stands for."""
    bound = math.isqrt(PRIME // 2)
    before, now = (PRIME, 0), (residue, 1)
    while now[0] > bound:
        times = before[0] // now[0]
        before, now = now, (before[0] - times * now[0], before[1] - times * now[1])
    if now[1] == 0 or abs(now[1]) > bound:
        return None
    return Fraction(now[0], now[1])
