"""Exact polynomials and fractions over the rationals in hashable atoms.  TRUSTED.

A polynomial maps monomials to non-zero rationals; a monomial is a frozen set of (atom, exponent)
pairs.  Equality of polynomials is equality of these maps: there is no simplification to trust.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from fractions import Fraction

from theory.trusted.budget import bits, spend, weigh

Atom = Hashable
Monomial = frozenset[tuple[Atom, int]]
ONE: Monomial = frozenset()
UNIT = {ONE: Fraction(1)}
MAX_PRODUCT, MAX_POWER = 200_000, 1_000_000


def times(left: Monomial, right: Monomial) -> Monomial:
    """The product of two monomials."""
    exponents = dict(left)
    for atom, exponent in right:
        exponents[atom] = exponents.get(atom, 0) + exponent
    return frozenset(exponents.items())


class Poly:
    """A polynomial; immutable by convention, hashable."""

    __slots__ = ("_hash", "terms")

    def __init__(self, terms: Iterable[tuple[Monomial, Fraction]] = ()) -> None:
        collected: dict[Monomial, Fraction] = {}
        for monomial, coefficient in terms:
            known = collected.get(monomial)
            collected[monomial] = coefficient if known is None else weigh(known + coefficient)
        spend(1 + len(collected))
        self.terms = {m: c for m, c in collected.items() if c}
        self._hash: int | None = None

    @classmethod
    def constant(cls, value: Fraction | int) -> Poly:
        """A rational number as a polynomial."""
        return cls([(ONE, Fraction(value))])

    @classmethod
    def atom(cls, atom: Atom) -> Poly:
        """A single atom as a polynomial."""
        return cls([(frozenset([(atom, 1)]), Fraction(1))])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Poly) and self.terms == other.terms

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash(frozenset(self.terms.items()))
        return self._hash

    def __add__(self, other: Poly) -> Poly:
        return Poly([*self.terms.items(), *other.terms.items()])

    def __neg__(self) -> Poly:
        return Poly((m, -c) for m, c in self.terms.items())

    def __sub__(self, other: Poly) -> Poly:
        return self + -other

    def __mul__(self, other: Poly) -> Poly:
        if self.terms == UNIT or other.terms == UNIT:
            return other if self.terms == UNIT else self
        if len(self.terms) * len(other.terms) > MAX_PRODUCT:
            raise OverflowError(f"a product of polynomials with over {MAX_PRODUCT} pairs of terms")
        spend(len(self.terms) * other._atoms() + len(other.terms) * self._atoms())
        return Poly(
            (times(m, n), weigh(c * d))
            for m, c in self.terms.items()
            for n, d in other.terms.items()
        )

    def __pow__(self, exponent: int) -> Poly:
        longest = max(map(bits, self.terms.values()), default=0)
        if exponent * longest > MAX_POWER:
            raise OverflowError(f"a power with over {MAX_POWER} binary digits")
        result = Poly.constant(1)
        for _ in range(exponent):
            result = result * self
        return result

    def _atoms(self) -> int:
        """How many factors the monomials have, each counted once more: the work of copying them."""
        return len(self.terms) + sum(map(len, self.terms))

    @property
    def is_constant(self) -> bool:
        """Whether no atom occurs."""
        return all(monomial == ONE for monomial in self.terms)

    @property
    def atoms(self) -> frozenset[Atom]:
        """The atoms that occur."""
        return frozenset(atom for monomial in self.terms for atom, _ in monomial)


@dataclass(frozen=True)
class Frac:
    """A quotient of polynomials; whoever makes one vouches that the divisor is non-zero."""

    top: Poly
    bottom: Poly

    @classmethod
    def of(cls, poly: Poly) -> Frac:
        """A polynomial as a fraction."""
        return cls(poly, Poly.constant(1))

    def __add__(self, other: Frac) -> Frac:
        if self.bottom == other.bottom:
            return Frac(self.top + other.top, self.bottom)
        return Frac(self.top * other.bottom + other.top * self.bottom, self.bottom * other.bottom)

    def __neg__(self) -> Frac:
        return Frac(-self.top, self.bottom)

    def __mul__(self, other: Frac) -> Frac:
        return Frac(self.top * other.top, self.bottom * other.bottom)

    def inverse(self) -> Frac:
        """The reciprocal."""
        return Frac(self.bottom, self.top)

    def same(self, other: Frac) -> bool:
        """Whether both are the same element of the field of fractions."""
        return self.top * other.bottom == other.top * self.bottom
