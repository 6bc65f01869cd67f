"""Fractions with their denominators as products of polynomials known to be positive.

The lowering multiplies divisors out.  Second opinions want them back as the factors whose sign has
been proved, so that clearing denominators is a step that anyone can follow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from theory.trusted.polynomials import Atom, Frac, Poly

__all__ = ["Exponents", "Ratio", "constant", "factors", "quotient", "ratio", "reduced"]

Exponents = tuple[int, ...]


@dataclass(frozen=True)
class Ratio:
    """A polynomial over a product of powers of positive polynomials."""

    top: Poly
    below: tuple[tuple[Poly, int], ...] = ()


def quotient(poly: Poly, divisor: Poly) -> Poly | None:
    """The exact quotient of two polynomials, or None if there is none."""
    if not divisor.terms or not divisor.atoms <= poly.atoms:
        return None
    atoms = list(poly.atoms)
    rest, by = _by_exponents(poly, atoms), _by_exponents(divisor, atoms)
    lead = max(by)
    result: dict[Exponents, Fraction] = {}
    while rest:
        high = max(rest)
        shift = tuple(h - low for h, low in zip(high, lead, strict=True))
        if any(s < 0 for s in shift):
            return None
        factor = result[shift] = rest[high] / by[lead]
        for exponents, coefficient in by.items():
            at = tuple(s + e for s, e in zip(shift, exponents, strict=True))
            left = rest.pop(at, Fraction(0)) - factor * coefficient
            if left:
                rest[at] = left
    return Poly(
        (frozenset((a, e) for a, e in zip(atoms, exponents, strict=True) if e), coefficient)
        for exponents, coefficient in result.items()
    )


def _by_exponents(poly: Poly, atoms: Sequence[Atom]) -> dict[Exponents, Fraction]:
    found = {}
    for monomial, coefficient in poly.terms.items():
        powers = dict(monomial)
        found[tuple(powers.get(atom, 0) for atom in atoms)] = coefficient
    return found


def constant(poly: Poly) -> Fraction:
    """The value of a polynomial without atoms."""
    return sum(poly.terms.values(), Fraction(0))


def factors(poly: Poly, known: Sequence[Poly]) -> tuple[Fraction, Counter[Poly]] | None:
    """A polynomial as a rational times a product of known ones, or None if it is not one."""
    if poly.is_constant:
        return constant(poly), Counter()
    for i, factor in enumerate(known):
        rest = quotient(poly, factor)
        found = factors(rest, known[i:]) if rest is not None else None
        if found is not None:
            return found[0], found[1] + Counter([factor])
    return None


def reduced(poly: Poly, known: Sequence[Poly]) -> tuple[Poly, Counter[Poly]]:
    """What is left of a polynomial after dividing by known ones, and by which."""
    used: Counter[Poly] = Counter()
    for factor in known:
        while not poly.is_constant and (rest := quotient(poly, factor)) is not None:
            poly = rest
            used[factor] += 1
    return poly, used


def ratio(fraction: Frac, known: Sequence[Poly]) -> Ratio:
    """A fraction as a ratio.

    Raises:
        ValueError: if the denominator is not a product of the known polynomials.
    """
    found = factors(fraction.bottom, known)
    if found is None:
        raise ValueError("a denominator is not a product of divisors known to be positive")
    rational, below = found
    top = fraction.top * Poly.constant(1 / rational)
    for factor in known:
        while below[factor] and (rest := quotient(top, factor)) is not None:
            top, below[factor] = rest, below[factor] - 1
    return Ratio(top, tuple((factor, below[factor]) for factor in known if below[factor]))
