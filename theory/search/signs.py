"""Why a polynomial or rational function of the parameters has its sign, as a cone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from dataclasses import field as default
from fractions import Fraction

from theory.search.candidates import value
from theory.search.fields import Element, Field, Point, Ring, factors
from theory.search.handelman import Known, combination, degree, products, scaled
from theory.search.outcome import Clock
from theory.search.positivstellensatz import sum_of_squares
from theory.search.sdp import SdpSolution, Solver, SolverStatus
from theory.trusted.certificates import Add, Cone, Fact, Invert, Number, Square, Times
from theory.trusted.terms import Relation

__all__ = ["MARGINS", "NOT_ASKED", "ORDERS", "Signs"]

ORDERS = (1, 2, 3)
NOT_ASKED = SdpSolution(SolverStatus.SOLVED, reason="the solver was not asked")
MARGINS = (Fraction(1), Fraction(1, 10), Fraction(1, 100))


@dataclass
class Signs:
    """What is known of the signs of polynomials in the parameters.

    Attributes:
        field: the parameters.
        solver: for sums of squares.
        clock: the time limit.
        points: points of the range: what is negative at one of them needs no proof attempt.
        top: the degree of the sums of squares that are tried, at least that of the target.
        known: polynomials with the reason of their sign.
        zeros: polynomials that vanish, with the reason.
        failed: the polynomials whose sign was asked for in vain.
        answer: what the solver said of the last sum of squares.
    """

    field: Field
    solver: Solver
    clock: Clock
    points: Sequence[Point] = ()
    top: int = 0
    known: list[Known] = default(default_factory=list)
    zeros: list[Known] = default(default_factory=list)
    failed: list[Ring] = default(default_factory=list)
    answer: SdpSolution = NOT_ASKED
    _memory: dict[tuple[Ring, bool], Cone | None] = default(default_factory=dict)
    _columns: dict[int, list[Known]] = default(default_factory=dict)

    def learn(self, relations: Iterable[tuple[str, Relation]]) -> None:
        """Take in conditions; those with divisors after the signs of these are known."""
        waiting = list(relations)
        while waiting:
            later = [pair for pair in waiting if not self._learn(*pair)]
            if len(later) == len(waiting):
                return
            waiting = later

    def _learn(self, name: str, relation: Relation) -> bool:
        slack = self.field.element(value(relation.slack))
        cone: Cone = Fact(name)
        if degree(slack.denom):
            below = self.sign(slack.denom, strict=True)
            if below is None:
                return False
            cone = Times((cone, below))
            poly = slack.numer
        else:
            poly = slack.numer
            content = Fraction(1) / self._constant(slack.denom)
            poly = scaled(self.field, content, poly)
        if relation.sign == "==":
            self.zeros.append(Known(poly, cone, False))
        elif degree(poly):
            self.known.append(Known(poly, cone, relation.sign == "<"))
        self._memory = {key: its for key, its in self._memory.items() if its is not None}
        self._columns.clear()
        return True

    def element(self, number: Element, strict: bool) -> Cone | None:
        """A cone for a rational function, or None."""
        if not number:
            return None if strict else Number(Fraction(0))
        above, below = number.numer, number.denom
        if not degree(below):
            whole = scaled(self.field, Fraction(1) / self._constant(below), above)
            return self.sign(whole, strict)
        bottom = self.sign(below, strict=True)
        if bottom is None:
            above, below = -above, -below
            bottom = self.sign(below, strict=True)
        top = self.sign(above, strict) if bottom is not None else None
        return Times((top, Invert(bottom))) if top is not None and bottom is not None else None

    def sign(self, poly: Ring, strict: bool) -> Cone | None:
        """A cone whose value is the polynomial: positive if `strict`, else non-negative."""
        if not degree(poly):
            constant = self._constant(poly)
            good = constant > 0 or (constant == 0 and not strict)
            return Number(constant) if good else None
        key = (poly, strict)
        if key not in self._memory:
            if any(self.field.at(poly, point) < 0 for point in self.points):
                self._memory[key] = None
            else:
                self._memory[key] = self._by_factors(poly, strict)
            if self._memory[key] is None:
                self.failed.append(poly)
        return self._memory[key]

    def _constant(self, poly: Ring) -> Fraction:
        return self.field.at(poly, dict.fromkeys(self.field.names, Fraction(0)))

    def _by_factors(self, poly: Ring, strict: bool) -> Cone | None:
        """The sign of a product from those of its factors, else that of the whole."""
        content, found = factors(poly)
        if len(found) == 1 and found[0][1] == 1:
            return self._whole(poly, strict)
        parts: list[Cone] = []
        for factor, times in found:
            if times % 2 == 0 and not strict:
                parts.append(Square(self.field.tree(factor ** (times // 2))))
                continue
            cone = self.sign(factor, strict)
            if cone is None:
                cone, content = self.sign(-factor, strict), content * (-1) ** times
            if cone is None:
                return self._whole(poly, strict)
            parts += [cone] * times
        if content < 0:
            return None
        return Times((*([Number(content)] if content != 1 else []), *parts))

    def _whole(self, poly: Ring, strict: bool) -> Cone | None:
        """A cone for a polynomial: a known one, a combination of products, a sum of squares."""
        for known in self.known:
            ratio = _ratio(self.field, poly, known.poly)
            if ratio is not None and ratio > 0 and (known.strict or not strict):
                return known.cone if ratio == 1 else Times((Number(ratio), known.cone))
        for order in ORDERS:
            self.clock.check()
            columns = self._products(order)
            cone = combination(self.field, poly, columns, self.zeros, strict)
            if cone is not None:
                return cone
        positive = [p for p in self._products(2) if p.strict and degree(p.poly)]
        for order in ORDERS[1:] if positive else ():
            self.clock.check()
            columns = self._products(order)
            cone = combination(self.field, poly, columns, self.zeros, strict, positive)
            if cone is not None:
                return cone
        if not strict:
            return self._squares(poly)
        for margin in MARGINS:
            cone = self._squares(poly - scaled(self.field, margin, self.field.sympy.ring.one))
            if cone is not None:
                return Add((Number(margin), cone))
        return None

    def _products(self, order: int) -> list[Known]:
        if order not in self._columns:
            self._columns[order] = products(self.field, self.known, order)
        return self._columns[order]

    def _squares(self, poly: Ring) -> Cone | None:
        """A sum of squares with known factors; then one of 1 + |p|^2 times the polynomial."""
        top = max(self.top, degree(poly) + degree(poly) % 2)
        cone, answer = sum_of_squares(
            self.field, poly, self.known, self.zeros, top, self.solver, self.clock
        )
        self.answer = answer
        if cone is not None or answer.status is not SolverStatus.INFEASIBLE:
            return cone
        names = self.field.sympy.ring.gens if self.field.names else ()
        one = self.field.sympy.ring.one
        factor = sum((name**2 for name in names), start=one)
        cone, _ = sum_of_squares(
            self.field, poly * factor, self.known, self.zeros, top + 2, self.solver, self.clock
        )
        if cone is None:
            return None
        squares = (Square(self.field.tree(name)) for name in names)
        return Times((cone, Invert(Add((Number(Fraction(1)), *squares)))))


def _ratio(field: Field, one: Ring, other: Ring) -> Fraction | None:
    """The rational number that one polynomial is of another, if it is."""
    if not one or set(one) != set(other):
        return None
    quotient = field.quotient(one, other)
    if degree(quotient.numer) or degree(quotient.denom):
        return None
    return field.evaluate(quotient, dict.fromkeys(field.names, Fraction(0)))
