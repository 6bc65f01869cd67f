"""Polynomial inequalities by linear programming: combinations of products of known ones.

Floats only say which products to use: their weights solve the identity in rational arithmetic.

Source: Handelman 1988, Representing polynomials by positive linear functions on compact convex
polyhedra; with a positive multiplier on the left side, Krivine 1964.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from scipy.optimize import linprog  # type: ignore[import-untyped]

from theory.search.fields import Field, Ring, fraction
from theory.search.linear import solutions
from theory.trusted.certificates import Add, Cone, Invert, Multiple, Number, Times

__all__ = ["MANY", "Known", "combination", "degree", "identity", "multiples", "products", "scaled"]

NOTHING, ONE = Fraction(0), Fraction(1)
MANY = 500


@dataclass(frozen=True)
class Known:
    """A polynomial whose sign is known, and the reason."""

    poly: Ring
    cone: Cone
    strict: bool


def products(field: Field, known: Sequence[Known], order: int) -> list[Known]:
    """All products of at most `order` known polynomials, repetitions allowed; first the empty."""
    found = [Known(field.sympy.ring.one, Number(ONE), True)]
    for k in range(1, order + 1):
        for chosen in itertools.combinations_with_replacement(known, k):
            poly = field.sympy.ring.one
            for one in chosen:
                poly = poly * one.poly
            cone = chosen[0].cone if k == 1 else Times(tuple(one.cone for one in chosen))
            found.append(Known(poly, cone, all(one.strict for one in chosen)))
    return found[:MANY]


def degree(poly: Ring) -> int:
    """The total degree; 0 for zero."""
    return max((sum(exponents) for exponents in poly), default=0)


def combination(
    field: Field,
    target: Ring,
    columns: Sequence[Known],
    zeros: Sequence[Known],
    strict: bool,
    factors: Sequence[Known] = (),
) -> Cone | None:
    """The target as a non-negative rational combination of products, by linear programming.

    Args:
        field: the parameters.
        target: the polynomial.
        columns: polynomials of known sign, such as `products`.
        zeros: polynomials that vanish; any polynomial multiple may be used.
        strict: whether a positive one must take part.
        factors: positive polynomials; some combination of them times the target will do.
    """
    sides = factors or products(field, (), 0)
    top = max((degree(c.poly) for c in columns), default=0)
    top = max(top, degree(target) + max(degree(side.poly) for side in sides))
    free = list(multiples(field, zeros, top))
    polys = [*(-target * side.poly for side in sides), *(c.poly for c in columns)]
    polys += [m * zero.poly for m, zero in free]
    rows, right = identity(field.sympy.ring.zero, polys)
    first, last = len(sides), len(sides) + len(columns)
    total = [ONE] * first + [NOTHING] * (len(polys) - first)
    counting = [ONE if first <= j < last and columns[j - first].strict else NOTHING
                for j in range(len(polys))]  # fmt: skip
    rows, right = [*rows, total], [*right, ONE]
    shares = (None, ONE, Fraction(1, 10), Fraction(1, 100)) if strict else (None,)
    for share in shares:
        extra = [] if share is None else [(counting, share)]
        values = _vertex(
            [*rows, *(row for row, _ in extra)], [*right, *(b for _, b in extra)], last,
            [1.0 + degree(poly) / 10 if first <= j < last else 0.0 for j, poly in enumerate(polys)],
        )  # fmt: skip
        if values is None:
            continue
        if strict and not any(c and v for c, v in zip(counting, values, strict=True)):
            continue
        sum_of = Add((
            *_weighted(values[first:last], columns),
            *(Multiple(field.tree(scaled(field, v, m)), zero.cone)
              for v, (m, zero) in zip(values[last:], free, strict=True) if v),
        ))  # fmt: skip
        if not factors:
            return sum_of
        return Times((sum_of, Invert(Add(tuple(_weighted(values[:first], sides))))))
    return None


def _vertex(
    rows: Sequence[Sequence[Fraction]],
    right: Sequence[Fraction],
    nonnegative: int,
    cost: Sequence[float],
) -> list[Fraction] | None:
    """An exact solution with few non-zero entries, the first ones non-negative; None if none."""
    try:
        answer = linprog(
            cost,
            A_eq=np.array(rows, dtype=float),
            b_eq=np.array(right, dtype=float),
            bounds=[(0, None)] * nonnegative + [(None, None)] * (len(cost) - nonnegative),
            method="highs",
        )
    except (ValueError, OverflowError):  # numbers out of range
        return None
    if answer.status != 0:
        return None
    support = [j for j, value in enumerate(answer.x) if abs(value) > 1e-9]
    exact = solutions(
        [[row[j] for j in support] for row in rows], right, len(support), NOTHING, ONE
    )
    if exact is None:
        return None
    values = [NOTHING] * len(cost)
    for j, value in zip(support, exact.particular, strict=True):
        values[j] = value
    return values if all(value >= 0 for value in values[:nonnegative]) else None


def _weighted(values: Sequence[Fraction], columns: Sequence[Known]) -> Iterator[Cone]:
    """The columns that take part, with their weights."""
    for value, column in zip(values, columns, strict=True):
        if value:
            yield _times(value, column.cone)


def _times(value: Fraction, cone: Cone) -> Cone:
    if isinstance(cone, Number):
        return Number(value * cone.value)
    return cone if value == 1 else Times((Number(value), cone))


def multiples(field: Field, zeros: Sequence[Known], top: int) -> Iterator[tuple[Ring, Known]]:
    """Monomials times what vanishes, up to a degree."""
    for zero in zeros:
        for exponents in field.monomials(max(top - degree(zero.poly), 0)):
            yield field.poly([(exponents, ONE)]), zero


def identity(target: Ring, polys: Sequence[Ring]) -> tuple[list[list[Fraction]], list[Fraction]]:
    """The equations that say that a combination of polynomials is the target."""
    monomials = list(dict.fromkeys(m for poly in (target, *polys) for m in poly))
    rows = [[fraction(poly[m]) if m in poly else NOTHING for poly in polys] for m in monomials]
    return rows, [fraction(target[m]) if m in target else NOTHING for m in monomials]


def scaled(field: Field, value: Fraction, poly: Ring) -> Ring:
    """A rational multiple of a polynomial."""
    return field.poly([((0,) * len(field.names), value)]) * poly
