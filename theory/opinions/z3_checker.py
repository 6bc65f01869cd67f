"""A second opinion from z3's nonlinear real arithmetic.

Each obligation is first asked without its certificate: do the facts entail the claim?  If z3 gives
up, it is asked to check the certificate: the identity, after clearing denominators, and the sign of
every sum and product, all by its own arithmetic.  A model that z3 finds counts only after an exact
check in rational arithmetic.
"""

from __future__ import annotations

import builtins
import functools
import importlib.util
import operator
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from typing import Any

from theory.opinions import DISPUTED, SKIPPED, Opinion, z3_refutation
from theory.opinions.atoms import describe
from theory.opinions.goals import (
    Divisor,
    Expression,
    Obligation,
    ProductOf,
    Rational,
    Scaled,
    SquareOf,
    SumOf,
    Use,
    refutes,
)
from theory.opinions.obligations import Unstated, problem
from theory.proving import models
from theory.trusted.kernel import Sign
from theory.trusted.lowering import ParamAtom
from theory.trusted.polynomials import Atom, Poly
from theory.trusted.statements import Status, Theorem

__all__ = ["FREELY", "LIBRARY", "SECONDS", "Answer", "Reply", "answer", "fix", "load", "opinion"]

LIBRARY = "Z3_LIB_DIRS"  # the name among the builtins by which z3 is told where its library lies
SECONDS = 10.0  # per obligation
FREELY = 1.0  # of these, how many at most without the certificate


class Reply(StrEnum):
    """What came of one obligation."""

    FREE = "proved freely"
    CERTIFICATE = "proved by certificate"
    COUNTEREXAMPLE = "has an exact counterexample"
    UNDECIDED = "undecided"
    BROKEN = "z3 failed"


@dataclass(frozen=True)
class Answer:
    """What z3 says of one obligation; `values` is the exact counterexample, if there is one."""

    obligation: str
    outcome: Reply
    reason: str = ""
    values: Mapping[Atom, Fraction] | None = None


def load() -> Any:
    """The z3 module, or None if it is not installed; whichever it is, once and for all.

    Raises:
        Z3Exception: if it is broken.
    """
    found = _found()
    if isinstance(found, Exception):
        raise found
    return found


def fix() -> None:
    """Import z3, or settle that it is absent or broken."""
    _found()


@functools.cache
def _found() -> Any:
    """The module, None, or what importing it raised."""
    try:
        package = importlib.util.find_spec("z3")
        if package is not None and not hasattr(builtins, LIBRARY):
            # z3 itself looks for its library in the working folder first
            folders = map(Path, (*(package.submodule_search_locations or ()), sys.prefix))
            setattr(builtins, LIBRARY, [str(p) for f in folders for p in (f / "lib", f)])
        return importlib.import_module("z3")
    except ImportError:
        return None
    except Exception as problem:
        return problem


def opinion(theorem: Theorem, seconds: float = SECONDS) -> Opinion:
    """What z3 says of a theorem: all its obligations must be proved, freely or by certificate."""
    z3 = load()
    if z3 is None:
        return Opinion(SKIPPED, "absent: pip install z3-solver")
    if theorem.refutation is not None:
        return z3_refutation.opinion(z3, theorem, seconds)
    try:
        obligations = problem(theorem).obligations
    except Unstated as reason:
        return Opinion(Status.UNDECIDED.value, str(reason))
    found = [answer(z3, obligation, seconds) for obligation in obligations]
    by = {outcome: [a for a in found if a.outcome is outcome] for outcome in Reply}
    for broken in by[Reply.BROKEN]:
        return Opinion(Status.ERROR.value, f"{broken.obligation}: {broken.reason}")
    for refuted in by[Reply.COUNTEREXAMPLE]:
        return _counterexample(theorem, refuted)
    if given_up := by[Reply.UNDECIDED]:
        first = given_up[0]
        more = f" (and {len(given_up) - 1} more)" if len(given_up) > 1 else ""
        return Opinion(Status.UNDECIDED.value, f"{first.obligation}: {first.reason}{more}")
    free, certified = len(by[Reply.FREE]), len(by[Reply.CERTIFICATE])
    return Opinion(Status.PROVED.value, f"{free} obligations freely, {certified} by certificate")


def _counterexample(theorem: Theorem, found: Answer) -> Opinion:
    """A counterexample to a step sinks the theorem itself only if it is an instance of it."""
    values = found.values or {}
    point = ", ".join(f"{describe(atom)} = {value}" for atom, value in values.items())
    reason = f"{found.obligation}: fails although its facts hold, at {point}"
    if _is_refuted_at(theorem, values):
        return Opinion(Status.REFUTED.value, reason)
    return Opinion(DISPUTED, reason)


def _is_refuted_at(theorem: Theorem, values: Mapping[Atom, Fraction]) -> bool:
    """Whether parameter values alone refute a theorem that speaks of parameters alone."""
    if not all(isinstance(atom, ParamAtom) for atom in values):
        return False
    given = {atom.param: value for atom, value in values.items() if isinstance(atom, ParamAtom)}
    model = models.Model(given, {}, models.rational([[[1]]]))
    try:
        return models.refutes(model, theorem)
    except (KeyError, ValueError, TypeError, ArithmeticError):
        return False  # it speaks of more than these parameters


def answer(z3: Any, obligation: Obligation, seconds: float = SECONDS) -> Answer:
    """Ask z3 about one obligation, first freely and then with the certificate."""
    try:
        return _Question(z3, obligation, seconds).answer()
    except Exception as problem:  # whatever the tool raises is the tool's failure, never a verdict
        return Answer(obligation.name, Reply.BROKEN, f"{type(problem).__name__}: {problem}")


class _Question:
    """One obligation in z3's terms."""

    def __init__(self, z3: Any, obligation: Obligation, seconds: float) -> None:
        self.z3, self.obligation, self.seconds = z3, obligation, seconds
        self.reals = {atom: z3.Real(f"v{i}") for i, atom in enumerate(obligation.ordered_atoms)}

    def answer(self) -> Answer:
        name = self.obligation.name
        free = min(FREELY, self.seconds)
        verdict, model = self.decide(self.negation(), free)
        if verdict == self.z3.unsat:
            return Answer(name, Reply.FREE)
        if verdict == self.z3.sat:
            return self.examine(model)
        reason = self.certificate_fails()
        if reason:
            return Answer(name, Reply.UNDECIDED, f"z3 gave up; {reason}")
        return Answer(name, Reply.CERTIFICATE)

    def decide(self, constraints: Iterable[Any], seconds: float) -> tuple[Any, Any]:
        """z3's verdict on some constraints, and its model if it has one."""
        solver = z3_refutation.solver_for(self.z3, seconds)
        solver.add(*constraints)
        verdict = solver.check()
        if verdict not in (self.z3.sat, self.z3.unsat, self.z3.unknown):
            raise ValueError(f"z3 answered {verdict!r}")
        return verdict, solver.model() if verdict == self.z3.sat else None

    def entails(self, facts: Iterable[Any], claim: Any, seconds: float) -> bool:
        verdict, _ = self.decide([*facts, self.z3.Not(claim)], seconds)
        return bool(verdict == self.z3.unsat)

    def negation(self) -> list[Any]:
        """The facts and the negated claim; all denominators are products of positive divisors."""
        claim = self.has(self.poly(self.obligation.claim.top), self.obligation.sign)
        facts = [self.has(self.poly(f.value.top), f.sign) for f in self.obligation.facts]
        positive = [self.poly(poly) > 0 for poly in self.obligation.divisors]
        return [*positive, *facts, self.z3.Not(claim)]

    def has(self, value: Any, sign: Sign) -> Any:
        return {Sign.ZERO: value == 0, Sign.NONNEGATIVE: value >= 0, Sign.POSITIVE: value > 0}[sign]

    def poly(self, poly: Poly) -> Any:
        terms = []
        for monomial, coefficient in poly.terms.items():
            factors = [self.reals[atom] for atom, exponent in monomial for _ in range(exponent)]
            terms.append(functools.reduce(operator.mul, factors, self.number(coefficient)))
        return functools.reduce(operator.add, terms, self.number(Fraction(0)))

    def number(self, value: Fraction) -> Any:
        return self.z3.Q(value.numerator, value.denominator)

    def examine(self, model: Any) -> Answer:
        """Check a model in exact arithmetic; only a rational one can be."""
        name = self.obligation.name
        values, exact = {}, True
        for atom, real in self.reals.items():
            value = model.eval(real, model_completion=True)
            if not self.z3.is_rational_value(value):
                exact, value = False, value.approx(20)
            values[atom] = Fraction(value.numerator_as_long(), value.denominator_as_long())
        if refutes(values, self.obligation):
            return Answer(name, Reply.COUNTEREXAMPLE, "", values)
        if exact:
            return Answer(name, Reply.BROKEN, "its model does not satisfy what it was asked")
        return Answer(name, Reply.UNDECIDED, "z3 found an irrational model, which is not checked")

    def certificate_fails(self) -> str:
        """Why z3 does not accept the certificate, or nothing if it does."""
        top, below = self.value(self.obligation.certificate)
        claim = Counter(dict(self.obligation.claim.below))
        left = self.poly(self.obligation.claim.top) * self.power(below - claim)
        right = top * self.power(claim - below)
        if not self.entails([], left == right, self.seconds):
            return "nor does it confirm the certificate's identity"
        sign = self.sign(self.obligation.certificate)
        wanted = self.obligation.sign
        if sign is None or (sign is not wanted and wanted is not Sign.NONNEGATIVE):
            return "nor does it confirm the certificate's sign"
        return ""

    def power(self, below: Counter[Poly]) -> Any:
        """A product of divisors."""
        factors = [self.poly(poly) for poly in below.elements()]
        return functools.reduce(operator.mul, factors, self.number(Fraction(1)))

    def value(self, tree: Expression) -> tuple[Any, Counter[Poly]]:
        """An expression as an unexpanded numerator over divisors."""
        match tree:
            case Use(fact):
                value = self.obligation.facts[fact].value
                return self.poly(value.top), Counter(dict(value.below))
            case Rational(value):
                return self.number(value), Counter()
            case SquareOf(root):
                top, below = self.poly(root.top), Counter(dict(root.below))
                return top * top, below + below
            case Divisor(poly, inverted=True):
                return self.number(Fraction(1)), Counter([poly])
            case Divisor(poly):
                return self.poly(poly), Counter()
            case Scaled(coefficient, part):
                top, below = self.value(part)
                return self.poly(coefficient.top) * top, below + Counter(dict(coefficient.below))
            case ProductOf(parts):
                top, below = self.number(Fraction(1)), Counter()
                for its_top, its in map(self.value, parts):
                    top, below = top * its_top, below + its
                return top, below
            case SumOf(parts):
                top, below = self.number(Fraction(0)), Counter()
                for its_top, its in map(self.value, parts):
                    joint = below | its
                    top = top * self.power(joint - below) + its_top * self.power(joint - its)
                    below = joint
                return top, below
        raise TypeError(f"not an expression: {tree!r}")

    def sign(self, tree: Expression) -> Sign | None:
        """The sign of an expression, each step of it confirmed by z3; None if one is not."""
        match tree:
            case Use(fact):
                return self.obligation.facts[fact].sign
            case Rational(value):
                known = (Sign.POSITIVE, Sign.ZERO)
                return next((s for s in known if self.confirm_number(value, s)), None)
            case SquareOf():
                return self.confirm(lambda x, _: x * x, None, None, Sign.NONNEGATIVE)
            case Divisor(_, inverted):
                x, y = self.z3.Reals("x y")
                facts = [x > 0, x * y == 1]
                positive = not inverted or self.entails(facts, y > 0, self.seconds)
                return Sign.POSITIVE if positive else None
            case Scaled(_, part):
                sign = self.sign(part)
                if sign is not Sign.ZERO:
                    return None
                return self.confirm(operator.mul, None, sign, Sign.ZERO)
            case SumOf(parts):
                total: Sign | None = Sign.ZERO
                for its in map(self.sign, parts):
                    if total is None or its is None:
                        return None
                    total = self.confirm(operator.add, total, its, max(total, its))
                return total
            case ProductOf(parts):
                total = Sign.POSITIVE
                for its in map(self.sign, parts):
                    if total is None or its is None:
                        return None
                    total = self.confirm(operator.mul, total, its, min(total, its))
                return total
        raise TypeError(f"not an expression: {tree!r}")

    def confirm_number(self, value: Fraction, sign: Sign) -> bool:
        return self.entails([], self.has(self.number(value), sign), self.seconds)

    def confirm(
        self,
        combine: Callable[[Any, Any], Any],
        left: Sign | None,
        right: Sign | None,
        sign: Sign,
    ) -> Sign | None:
        """The sign, if z3 confirms that a combination of numbers with the given signs has it."""
        x, y = self.z3.Reals("x y")
        known = [self.has(v, s) for v, s in ((x, left), (y, right)) if s is not None]
        holds = self.entails(known, self.has(combine(x, y), sign), self.seconds)
        return sign if holds else None
