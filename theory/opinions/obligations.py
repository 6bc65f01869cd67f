r"""Proof obligations: a theorem as first-order problems over the reals, for second opinions.

Every step of a proof becomes one or more `Obligation`s: real variables (the atoms of the lowering),
facts about them, a claim, and the certificate as an expression in the facts.  A case split gives
two, an induction a base and a step.  An expectation is opaque to real arithmetic, so the inside of
every `MeanOf`, `AlongOf` and `PowerOf` is an obligation of its own and its image is a fact; a
reciprocal needs an obligation that its divisor is positive.  All checkers translate these problems,
and nothing else.  The values of single facts come from the kernel's lowering; how a certificate
combines them is worked out here a second time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from theory.opinions.atoms import in_order
from theory.opinions.goals import (
    Argument,
    ByInduction,
    Cases,
    Divisor,
    Expression,
    Obligation,
    Origin,
    Plain,
    Problem,
    ProductOf,
    Rational,
    Scaled,
    Signed,
    SquareOf,
    SumOf,
    Use,
    parts,
)
from theory.opinions.ratios import Ratio, factors, ratio, reduced
from theory.trusted import certificates as C
from theory.trusted import kernel
from theory.trusted import terms as T
from theory.trusted.budget import limited
from theory.trusted.kernel import Context, Rejected, Sign
from theory.trusted.lowering import IllFormed, PowerAtom, along, mean, power
from theory.trusted.polynomials import Atom, Frac, Poly
from theory.trusted.statements import Step, Theorem
from theory.trusted.wellformed import RESERVED, conform

__all__ = ["Unstated", "Walked", "problem"]


class Unstated(ValueError):
    """A proof that does not even state its obligations, with the step and the reason."""


def problem(theorem: Theorem) -> Problem:
    """The obligations of a theorem.

    Raises:
        Unstated: if its proof has a step that cannot be read; nothing is then said of any step.
    """
    found: list[Obligation] = []
    steps: list[Argument] = []
    at = ["the statement"]
    try:
        with limited():
            conform(theorem, Theorem)
            _read(theorem, found, steps, at)
    except (Rejected, IllFormed, ValueError, OverflowError, RecursionError) as reason:
        raise Unstated(f"{at[-1]}: {reason}") from reason
    atoms = frozenset(atom for obligation in found for atom in obligation.atoms)
    atoms |= frozenset(atom for step in steps for atom in step.claim.top.atoms)
    atoms |= frozenset(inner for atom in atoms for inner in _in_powers(atom))
    return Problem(tuple(found), tuple(steps), theorem.conclusion, tuple(in_order(atoms)))


def _read(theorem: Theorem, found: list[Obligation], steps: list[Argument], at: list[str]) -> None:
    """Collect the obligations and the steps; `at` are the places that were reached."""
    scope = _enter(kernel.enter(theorem, set()), theorem, found, "")
    for step in theorem.proof:
        at.append(f"step {step.name!r}")
        if step.name in {*scope.context.relations, *scope.context.assumptions, *RESERVED}:
            raise Rejected(kernel.TAKEN.format(step.name))
        steps.append(_step(theorem, step, scope))
        scope.context.relations[step.name] = step.claim
        scope.steps.add(step.name)
    at.append("the conclusion")
    if not theorem.conclusion or not scope.steps.issuperset(theorem.conclusion):
        raise Rejected(kernel.NO_CONCLUSION)


def _in_powers(atom: Atom) -> frozenset[Atom]:
    """The atoms in the base of a power."""
    if not isinstance(atom, PowerAtom):
        return frozenset()
    below = atom.base.top.atoms | atom.base.bottom.atoms
    return below.union(*(_in_powers(inner) for inner in below))


@dataclass
class _Scope:
    """What is in force, and where obligations are collected; parts share the divisors."""

    context: Context
    found: list[Obligation]
    divisors: list[Poly] = field(default_factory=list)
    steps: set[str] = field(default_factory=set)
    label: str = ""
    facts: list[Signed] = field(default_factory=list)
    count: int = 0

    def ratio(self, value: Frac) -> Ratio:
        """A value over the divisors that are known here."""
        return ratio(value, self.divisors)

    def part(self, word: str) -> _Scope:
        """A scope for an obligation inside this one, with facts of its own."""
        self.count += 1
        return replace(self, label=f"{self.label}, {word} {self.count}", facts=[], count=0)

    def fact(self, known: Signed) -> Use:
        """A leaf: the fact's position, added if it is new."""
        if known not in self.facts:
            self.facts.append(known)
        return Use(self.facts.index(known))

    def emit(self, claim: Ratio, sign: Sign, certificate: Expression, once: bool = False) -> str:
        """Record an obligation and return its name; with `once`, not if it is there already."""
        below = {poly for poly, _ in claim.below}
        below |= {poly for fact in self.facts for poly, _ in fact.value.below}
        for part in parts(certificate):
            match part:
                case Divisor(poly):
                    below.add(poly)
                case SquareOf(value) | Scaled(value):
                    below |= {poly for poly, _ in value.below}
        divisors = tuple(poly for poly in self.divisors if poly in below)
        name = self.label
        while any(old.name == name for old in self.found):
            name += "'"
        new = Obligation(name, tuple(self.facts), claim, sign, certificate, divisors)
        for old in self.found if once else ():
            if replace(old, name=new.name) == new:
                return old.name
        self.found.append(new)
        return new.name


def _enter(context: Context, theorem: Theorem, found: list[Obligation], label: str) -> _Scope:
    """A scope in which the theorem's divisors are known to be positive."""
    scope = _Scope(context, found, label=label)
    for number, cone in enumerate(theorem.divisors, 1):
        name = f"{label}, divisor {number}" if label else f"divisor {number}"
        inner = replace(scope, label=name, facts=[])
        _positive(inner, *_walk(cone, inner))
    return scope


def _step(theorem: Theorem, step: Step, scope: _Scope) -> Argument:
    """The obligations of one step."""
    certificate, context, name = step.certificate, scope.context, step.name
    value, sign = kernel.slack(step.claim, context)
    if isinstance(certificate, C.ZeroOrPositive):
        zero, positive = _cases(theorem, step, certificate, scope)
        condition = _known(C.Fact(certificate.condition), scope)
        return Cases(name, scope.ratio(value), sign, condition, zero, positive)
    if isinstance(certificate, C.Induction):
        first, later = T.Time(False, 0), T.Time(True, 1)
        now = replace(context, relations=context.relations | {"induction": step.claim})
        at_base, at_step = kernel.at_time(step.claim, first), kernel.at_time(step.claim, later)
        base = _claim(at_base, certificate.base, _fresh(scope, f"{name} (base)", context))
        successor = _claim(at_step, certificate.step, _fresh(scope, f"{name} (step)", now))
        return ByInduction(name, scope.ratio(value), sign, base, successor)
    obligation = _claim(step.claim, certificate, _fresh(scope, name, context))
    return Plain(name, scope.ratio(value), sign, obligation)


def _cases(theorem: Theorem, step: Step, split: C.ZeroOrPositive, scope: _Scope) -> tuple[str, str]:
    """The obligations of a case split: the parameter set to zero everywhere, or positive."""
    parameter, at_zero, positive = kernel.cases(theorem, split.condition, scope.context)
    there, claim, cone = T.substitute((theorem, step.claim, split.zero), parameter, T.ZERO)
    inner = _enter(at_zero, there, scope.found, f"{step.name} ({parameter.name} = 0)")
    inner.steps = scope.steps
    outer = _fresh(scope, f"{step.name} ({parameter.name} > 0)", positive)
    return _claim(claim, cone, inner), _claim(step.claim, split.positive, outer)


def _fresh(scope: _Scope, label: str, context: Context) -> _Scope:
    """A scope for one obligation; divisors that are added in it stay in it."""
    divisors = list(scope.divisors)
    return replace(scope, context=context, divisors=divisors, label=label, facts=[], count=0)


def _claim(claim: T.Relation, cone: C.Cone, scope: _Scope) -> str:
    """The obligation that a cone is a claim's slack."""
    value, sign = kernel.slack(claim, scope.context)
    _, its, expression = _walk(cone, scope)
    if sign is not Sign.NONNEGATIVE and its is not sign:
        raise Rejected(f"the certificate is {its.name.lower()} and the claim {sign.name.lower()}")
    return scope.emit(scope.ratio(value), sign, expression)


Walked = tuple[Frac, Sign, Expression]


def _walk(cone: C.Cone, scope: _Scope) -> Walked:
    """A cone's value, its sign, and the expression that says how it is made of facts."""
    context = scope.context
    match cone:
        case C.Number(rational):
            return *kernel.replay(cone, context), Rational(rational)
        case C.Square(root):
            value = context.number(root)
            return value * value, Sign.NONNEGATIVE, SquareOf(scope.ratio(value))
        case C.Add(below):
            return _sum([_walk(part, scope) for part in below])
        case C.Times(below):
            return _product([_walk(part, scope) for part in below])
        case C.Multiple(coefficient, part):
            value, sign, expression = _walk(part, scope)
            if sign is not Sign.ZERO:
                raise Rejected(kernel.NOT_ZERO)
            factor = context.number(coefficient)
            return factor * value, sign, Scaled(scope.ratio(factor), expression)
        case C.Invert(part):
            return _reciprocal(part, scope)
        case C.MeanOf(part):
            return _image(part, scope, Origin.MEAN, None)
        case C.AlongOf(part, time):
            return _image(part, scope, Origin.ALONG, time)
        case C.PowerOf(part, time):
            return _image(part, scope, Origin.POWER, time)
    return _leaf(cone, scope)


def _leaf(cone: C.Cone, scope: _Scope) -> Walked:
    """A single fact."""
    known = _known(cone, scope)
    return kernel.replay(cone, scope.context)[0], known.sign, scope.fact(known)


def _known(cone: C.Cone, scope: _Scope) -> Signed:
    """What a leaf says; its value is what the kernel lowers it to."""
    value, sign = kernel.replay(cone, scope.context)
    inside = ""
    match cone:
        case C.Fact("induction"):
            label, origin = "induction hypothesis", Origin.INDUCTION
        case C.Fact(name) if name in scope.steps:
            label, origin, inside = name, Origin.STEP, name
        case C.Fact(name):
            label, origin = name, Origin.HYPOTHESIS
        case C.RuleAt(name, rule, _):
            label, origin = f"{name}: {rule}", Origin.RULE
        case C.Norm():
            label, origin = "a squared norm", Origin.NORM
        case C.Tower():
            label, origin = "tower rule", Origin.TOWER
        case _:
            assert isinstance(cone, C.Start)  # the kernel has refused what is no certificate
            label, origin = "starting point", Origin.START
    return Signed(label, scope.ratio(value), sign, origin, inside)


def _sum(walked: Sequence[Walked]) -> Walked:
    total, sign = Frac.of(Poly()), Sign.ZERO
    for value, its, _ in walked:
        total, sign = total + value, max(sign, its)
    return total, sign, SumOf(tuple(expression for _, _, expression in walked))


def _product(walked: Sequence[Walked]) -> Walked:
    total, sign = Frac.of(Poly.constant(1)), Sign.POSITIVE
    for value, its, _ in walked:
        total, sign = total * value, min(sign, its)
    return total, sign, ProductOf(tuple(expression for _, _, expression in walked))


def _image(part: C.Cone, scope: _Scope, origin: Origin, time: T.Time | None) -> Walked:
    """The image of a cone under an expectation or a power, and the obligation for its inside."""
    inner = scope.part("inside")
    value, sign, expression = _walk(part, inner)
    if origin is Origin.POWER and sign is Sign.ZERO:
        raise Rejected(kernel.POWER_OF_ZERO)
    label = f"{origin.value} of {_words(expression, inner)}"
    is_leaf = isinstance(expression, Use) and origin is not Origin.POWER
    name = "" if is_leaf else inner.emit(inner.ratio(value), sign, expression)
    if time is None:
        value = mean(value)
    else:
        value = along(value, time) if origin is Origin.ALONG else power(value, time)
    image = Signed(label, scope.ratio(value), sign, origin, name, time)
    return value, sign, scope.fact(image)


def _words(expression: Expression, scope: _Scope) -> str:
    """What an image is of: a fact by name, anything else by the obligation that proves it."""
    return scope.facts[expression.fact].label if isinstance(expression, Use) else scope.label


def _reciprocal(part: C.Cone, scope: _Scope) -> Walked:
    """The reciprocal of a cone, written with divisors that are proved positive."""
    inner = scope.part("divisor")
    value, sign, expression = _walk(part, inner)
    if sign is not Sign.POSITIVE:
        raise Rejected(kernel.NO_RECIPROCAL)
    top = _positive(inner, value, sign, expression)
    return value.inverse(), Sign.POSITIVE, ProductOf((*_divided(value.bottom, scope), *top))


def _positive(
    scope: _Scope, value: Frac, sign: Sign, expression: Expression
) -> tuple[Expression, ...]:
    """Make what is new in a positive value's numerator a divisor, and prove it positive.

    Returns the reciprocal of the numerator as factors.
    """
    if sign is not Sign.POSITIVE:
        raise Rejected(kernel.MAY_VANISH)
    new, used = reduced(value.top, scope.divisors)
    if not new.is_constant:
        others = tuple(Divisor(poly, inverted=True) for poly in used.elements())
        certificate = ProductOf((expression, *_divided(value.bottom, scope), *others))
        scope.emit(Ratio(new), Sign.POSITIVE, certificate, once=True)
        scope.divisors.append(new)
    return _divided(value.top, scope, inverted=True)


def _divided(poly: Poly, scope: _Scope, inverted: bool = False) -> tuple[Expression, ...]:
    """A positive polynomial, or its reciprocal, as a product of divisors and a rational."""
    found = factors(poly, scope.divisors)
    if found is None or found[0] <= 0:
        raise Rejected("a divisor is not a positive multiple of divisors known to be positive")
    rational, below = found
    number = Rational(1 / rational if inverted else rational)
    return (number, *(Divisor(factor, inverted) for factor in below.elements()))
