"""Simple functions of the parameters for a multiplier that has a whole range to choose from."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np

from theory.search.candidates import Ingredients
from theory.search.fields import Element, Point, Ring, factors
from theory.search.sdp import Floats

__all__ = ["NUMBERS", "building_blocks", "guesses"]

NUMBERS = tuple(map(Fraction, ("1", "2", "1/2", "4", "1/4", "3", "3/2", "-1", "-2", "-1/2")))
MOST_FACTORS, MOST_TERMS = 8, 3


def building_blocks(given: Ingredients, hints: Sequence[Ring]) -> list[Ring]:
    """The parameters, and the irreducible factors of what is known to be positive or occurs."""
    found = [generator.numer for generator in given.field.sympy.gens]
    forms = (given.claim, *(candidate.form for candidate in given.candidates))
    polys = [*hints, *(c.denom for form in forms for c in form.values())]
    for poly in polys:
        for factor, _ in factors(poly)[1] if poly else ():
            if factor not in found and -factor not in found and len(factor) <= MOST_TERMS:
                found.append(factor)
    return found[:MOST_FACTORS]


def guesses(
    given: Ingredients, hints: Sequence[Ring], points: Sequence[Point], ranges: Floats
) -> Iterator[Element]:
    """Rational multiples of products of powers inside the given ranges, the simplest first.

    Args:
        given: whose field and factors are used.
        hints: further polynomials whose factors may occur.
        points: where the ranges are known.
        ranges: shape (points, 2).
    """
    field = given.field
    room = 1e-7 * (1 + np.abs(ranges[np.isfinite(ranges)]).max(initial=0.0))
    if np.all((ranges[:, 0] <= room) & (ranges[:, 1] >= -room)):
        yield field.sympy.zero
    blocks = building_blocks(given, hints)
    order = 4 if len(blocks) <= 5 else 3
    powers = [
        exponents
        for exponents in itertools.product(range(-2, 3), repeat=len(blocks))
        if sum(map(abs, exponents)) <= order
    ]
    powers.sort(key=lambda exponents: (sum(map(abs, exponents)), min(exponents, default=0) < 0))
    at = np.array([[float(field.at(block, point)) for point in points] for block in blocks])
    for exponents in powers:
        with np.errstate(all="ignore"):
            product = np.prod(at ** np.array(exponents, dtype=float)[:, None], axis=0)
        for number in NUMBERS:
            values = float(number) * product
            if np.all((ranges[:, 0] - room <= values) & (values <= ranges[:, 1] + room)):
                element = field.constant(number)
                for block, exponent in zip(blocks, exponents, strict=True):
                    element = element * field.sympy.field_new(block) ** exponent
                yield element
