"""The field of rational functions of the parameters, in which the search computes.

Untrusted: sympy only cancels and factors here, and whatever comes out goes through the kernel.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

from sympy import QQ
from sympy.polys.fields import FracField
from sympy.polys.orderings import grlex

from theory.trusted.lowering import ParamAtom
from theory.trusted.polynomials import Frac, Monomial, Poly
from theory.trusted.terms import Const, Param, Power, Product, Scalar, Sum

__all__ = ["Element", "Field", "Form", "Point", "Ring", "Unsupported", "factors", "fraction"]

Element = Any  # an element of QQ(parameters), by sympy
Ring = Any  # an element of QQ[parameters], by sympy
Point = Mapping[str, Fraction]
Form = dict[Monomial, Element]


class Unsupported(ValueError):
    """A statement outside what the search can treat, with the reason."""


@dataclass(frozen=True)
class Field:
    """QQ(parameters), with ways in and out.

    Attributes:
        names: the parameters, in the order of the variables.
    """

    names: tuple[str, ...]

    @cached_property
    def sympy(self) -> Any:
        """The field as sympy's object."""
        return FracField(self.names, QQ, grlex)

    def ring(self, poly: Poly) -> Ring:
        """A polynomial in the parameters alone.

        Raises:
            Unsupported: if anything but parameters occurs.
        """
        found = {}
        for monomial, coefficient in poly.terms.items():
            exponents = dict(monomial)
            key = tuple(exponents.pop(ParamAtom(name), 0) for name in self.names)
            if exponents:
                raise Unsupported("a divisor is not made of parameters alone")
            found[key] = QQ(coefficient.numerator, coefficient.denominator)
        return self.sympy.ring.from_dict(found)

    def element(self, value: Frac) -> Element:
        """A fraction in the parameters alone."""
        return self.sympy.field_new(self.ring(value.top)) / self.ring(value.bottom)

    def form(self, value: Frac) -> Form:
        """A fraction as a linear combination of monomials in everything but the parameters.

        Raises:
            Unsupported: if the divisor is not made of parameters alone.
        """
        parts: dict[Monomial, list[tuple[Monomial, Fraction]]] = {}
        for monomial, coefficient in value.top.terms.items():
            inside = frozenset(pair for pair in monomial if isinstance(pair[0], ParamAtom))
            parts.setdefault(monomial - inside, []).append((inside, coefficient))
        bottom = self.ring(value.bottom)
        found = {m: self.sympy.field_new(self.ring(Poly(p))) / bottom for m, p in parts.items()}
        return {m: c for m, c in found.items() if c}

    def constant(self, value: Fraction) -> Element:
        """A rational number."""
        return self.sympy.field_new(QQ(value.numerator, value.denominator))

    def evaluate(self, element: Element, point: Point) -> Fraction:
        """The exact value at a point.

        Raises:
            ZeroDivisionError: where the divisor vanishes.
        """
        return self.at(element.numer, point) / self.at(element.denom, point)

    def at(self, poly: Ring, point: Point) -> Fraction:
        """The exact value of a polynomial at a point."""
        total = Fraction(0)
        for exponents, coefficient in poly.terms():
            term = fraction(coefficient)
            for name, exponent in zip(self.names, exponents, strict=True):
                if exponent:
                    term *= point[name] ** exponent
            total += term
        return total

    def tree(self, poly: Ring) -> Scalar:
        """A polynomial as an expression."""
        terms: list[Scalar] = []
        for exponents, coefficient in poly.terms():
            factors: list[Scalar] = [
                Param(name) if exponent == 1 else Power(Param(name), exponent)
                for name, exponent in zip(self.names, exponents, strict=True)
                if exponent
            ]
            rational = fraction(coefficient)
            if rational != 1 or not factors:
                factors.insert(0, Const(rational))
            terms.append(factors[0] if len(factors) == 1 else Product(tuple(factors)))
        return terms[0] if len(terms) == 1 else Sum(tuple(terms))

    def monomials(self, degree: int) -> list[tuple[int, ...]]:
        """The exponents of all monomials up to a total degree, lowest first."""
        found: list[tuple[int, ...]] = [()]
        for _ in self.names:
            found = [(*m, k) for m in found for k in range(degree - sum(m) + 1)]
        return sorted(found, key=lambda m: (sum(m), m))

    def poly(self, coefficients: Iterable[tuple[tuple[int, ...], Fraction]]) -> Ring:
        """The polynomial with these coefficients."""
        return self.sympy.ring.from_dict({m: _qq(c) for m, c in coefficients if c})

    def quotient(self, top: Ring, bottom: Ring) -> Element:
        """A quotient of polynomials, in lowest terms."""
        return self.sympy.field_new(top) / bottom


def fraction(number: Any) -> Fraction:
    """A rational number of sympy as a `Fraction`."""
    return Fraction(int(number.numerator), int(number.denominator))


def _qq(value: Fraction) -> Any:
    return QQ(value.numerator, value.denominator)


def factors(poly: Ring) -> tuple[Fraction, list[tuple[Ring, int]]]:
    """The rational content and the irreducible factors with multiplicities."""
    if not poly.ring.ngens:  # sympy factors nothing in a ring without variables
        return fraction(poly.LC), []
    content, found = poly.factor_list()
    return fraction(content), [(factor, int(times)) for factor, times in found]
