"""z3 on a refutation: every hypothesis holds for all real vectors, and a conclusion does not."""

from __future__ import annotations

import functools
import operator
from fractions import Fraction
from typing import Any

from theory.opinions import Opinion
from theory.opinions.ground import Ground, NoRefutation, statements
from theory.trusted.kernel import Sign
from theory.trusted.statements import Status, Theorem

__all__ = ["opinion", "solver_for"]


def opinion(z3: Any, theorem: Theorem, seconds: float) -> Opinion:
    """What z3 says of a refutation: refuted if the negation of every statement is unsatisfiable.

    Args:
        z3: the module.
        theorem: a theorem with a refutation.
        seconds: the time limit for each statement.
    """
    try:
        found = statements(theorem)
    except NoRefutation as reason:
        return Opinion(Status.UNDECIDED.value, f"the refutation: {reason}")
    for ground in found:
        solver = solver_for(z3, seconds)
        solver.add(_negation(z3, ground))
        verdict = solver.check()
        if verdict != z3.unsat:
            said = "is false" if verdict == z3.sat else "is not decided"
            return Opinion(Status.UNDECIDED.value, f"the refutation: {ground.name!r} {said}")
    return Opinion(
        Status.REFUTED.value, f"{found[-1].name!r} fails; {len(found)} statements about rationals"
    )


def solver_for(z3: Any, seconds: float) -> Any:
    """A solver for one question about real polynomials, with a time limit and a fixed seed."""
    solver = z3.SolverFor("QF_NRA")
    solver.set("timeout", max(1, int(1000 * seconds)))
    solver.set("random_seed", 0)
    solver.set("ctrl_c", False)  # an interrupt ends the program, not only this question
    return solver


def _negation(z3: Any, ground: Ground) -> Any:
    point = [z3.RealVal(1), *z3.Reals([f"z{i}" for i in range(1, len(ground.form))])]
    terms = [
        _number(z3, entry) * point[i] * point[j]
        for i, row in enumerate(ground.form)
        for j, entry in enumerate(row)
    ]
    value = functools.reduce(operator.add, terms)
    says = {Sign.ZERO: value == 0, Sign.NONNEGATIVE: value >= 0, Sign.POSITIVE: value > 0}
    return says[ground.sign] if ground.fails else z3.Not(says[ground.sign])


def _number(z3: Any, value: Fraction) -> Any:
    return z3.Q(value.numerator, value.denominator)
