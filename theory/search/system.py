"""The linear identities that a proof must satisfy, with symbolic parameters and at a point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from theory.search.candidates import Candidate, Ingredients
from theory.search.fields import Element, Form, Point
from theory.search.linear import Solutions, solutions
from theory.search.sdp import Sdp, triangle

__all__ = ["Row", "System", "build", "kernel_rows"]

Row = tuple[Element, ...]


@dataclass(frozen=True)
class System:
    """`claim == sum of multipliers times candidates + v' S v`, monomial by monomial.

    The unknowns are the multipliers, which are not negative, and the upper triangle of S by rows.

    Attributes:
        given: where the system comes from; equalities have been eliminated.
        candidates: the inequalities in use.
        rows: one equation for each monomial, and the equations added since.
        right: their right-hand sides.
    """

    given: Ingredients
    candidates: tuple[Candidate, ...]
    rows: tuple[Row, ...]
    right: tuple[Element, ...]

    @property
    def size(self) -> int:
        """The size of S."""
        return len(self.given.vectors)

    @property
    def unknowns(self) -> int:
        """How many numbers are sought."""
        return len(self.candidates) + self.size * (self.size + 1) // 2

    def entry(self, i: int, j: int) -> int:
        """Which unknown is the entry i, j of S."""
        return len(self.candidates) + triangle(self.size).index((min(i, j), max(i, j)))

    def with_rows(self, rows: Sequence[Row], right: Sequence[Element]) -> System:
        """The system with further equations."""
        return System(self.given, self.candidates, (*self.rows, *rows), (*self.right, *right))

    def fixed(self, unknown: int, value: Element) -> System:
        """The system with one unknown fixed."""
        zero, one = self.given.field.sympy.zero, self.given.field.sympy.one
        row = tuple(one if j == unknown else zero for j in range(self.unknowns))
        return self.with_rows([row], [value])

    def annihilating(self, kernel: Sequence[Sequence[Element]]) -> System:
        """The system with the equations `S w == 0` for the given vectors w."""
        zero = self.given.field.sympy.zero
        rows = kernel_rows(self, kernel, zero)
        return self.with_rows(rows, [zero] * len(rows))

    def solve(self) -> Solutions | None:
        """All solutions with symbolic parameters, signs left aside."""
        field = self.given.field.sympy
        return solutions(self.rows, self.right, self.unknowns, field.zero, field.one)

    def at(self, point: Point) -> tuple[list[list[Fraction]], list[Fraction]]:
        """The equations with numbers for the parameters.

        Raises:
            ZeroDivisionError: where a coefficient has no value.
        """
        value = self.given.field.evaluate
        nothing = Fraction(0)
        rows = [[value(c, point) if c else nothing for c in row] for row in self.rows]
        return rows, [value(c, point) if c else nothing for c in self.right]

    def sdp(self, point: Point, cost: Sequence[float]) -> Sdp:
        """The semidefinite program at a point."""
        rows, right = self.at(point)
        return Sdp(
            np.array(rows, dtype=float).reshape(len(rows), self.unknowns),
            np.array(right, dtype=float),
            np.array(cost, dtype=float),
            len(self.candidates),
            0,
            (self.size,) if self.size else (),
        )

    def costs(self, multipliers: float, trace: float) -> list[float]:
        """A cost on the multipliers and on the trace of S."""
        diagonal = {self.entry(i, i) for i in range(self.size)}
        return [
            multipliers if j < len(self.candidates) else trace if j in diagonal else 0.0
            for j in range(self.unknowns)
        ]


def build(given: Ingredients, kept: Sequence[int] | None = None) -> System:
    """The system for the candidates that are kept; default: all."""
    chosen = [given.candidates[j] for j in kept] if kept is not None else [*given.candidates]
    columns: list[Form] = [c.form for c in chosen]
    for i, j in triangle(len(given.vectors)):
        form = given.gram[i, j]
        columns.append(form if i == j else {m: c + c for m, c in form.items()})
    monomials = list(dict.fromkeys(m for form in (given.claim, *columns) for m in form))
    zero = given.field.sympy.zero
    return System(
        given,
        tuple(chosen),
        tuple(tuple(form.get(m, zero) for form in columns) for m in monomials),
        tuple(given.claim.get(m, zero) for m in monomials),
    )


def kernel_rows(
    system: System, kernel: Sequence[Sequence[Element]], zero: Element
) -> list[tuple[Element, ...]]:
    """The rows of `S w == 0`, in the unknowns of the system."""
    rows = []
    for w in kernel:
        for i in range(system.size):
            row = [zero] * system.unknowns
            for j in range(system.size):
                row[system.entry(i, j)] = w[j]
            rows.append(tuple(row))
    return rows
