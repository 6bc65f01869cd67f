r"""The kernel: replays certificates in exact arithmetic.  TRUSTED.

What is trusted, and nothing else:

* Python, `fractions.Fraction` and the data types of `terms`, `certificates` and `statements`;
* `wellformed`: the data is exactly of these types, and no bound symbol (`x`, `t`, `b`) escapes;
* `budget`: when to give up; giving up proves nothing;
* `polynomials`: sums, products and equality of exact polynomials and fractions;
* `lowering`: bilinearity and symmetry of inner products, symmetry of operators, linearity of
  expectations, $E f_b = f$, $E\nabla f_b = \nabla f$, $E H_b = H$;
* this file: squares are non-negative; sums, products, powers and expectations of non-negative
  numbers are; reciprocals of positive ones are; induction; the tower rule; a case split at zero;
* `Dynamics.step` and `SamSpec.step`, which say what one step of the algorithm is;
* `instances` with `reals`, and only for this: that the hypotheses hold together in the witness, and
  that in a refutation besides that a conclusion fails.

There is no float, no solver, no search and no simplification.  A step is accepted if its cone has
the sign of the claim and *equals* the claim's slack as an element of the field of fractions.  Every
divisor must first be proved positive.  The named vector `x` stands for an arbitrary point: no
hypothesis may mention it, so whatever is proved of it holds at every iterate.

A theorem with a refutation is `refuted` or `undecided`, whatever its proof says; one without is
`proved` or `undecided`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import IntEnum

from theory.trusted import certificates as C
from theory.trusted import terms as T
from theory.trusted.budget import limited, spend
from theory.trusted.instances import refuted, unmet
from theory.trusted.lowering import IllFormed, along, lower, mean, power
from theory.trusted.polynomials import Frac, Poly
from theory.trusted.statements import (
    ITERATE,
    Assumption,
    Condition,
    Report,
    Status,
    Step,
    StepReport,
    Theorem,
    Witness,
)
from theory.trusted.wellformed import RESERVED, check_scopes, conform, has


class Rejected(Exception):
    """A certificate that does not prove its claim, with the reason in one line."""


TAKEN = "the name {!r} is taken"
NO_CONCLUSION = "it names no step of the proof, or one that is not there"
MAY_VANISH = "a divisor is only known to be non-negative"
NO_RECIPROCAL = "the reciprocal of a number that is not known to be positive"
POWER_OF_ZERO = "a power of zero: write the number"
NOT_ZERO = "only something equal to zero may be multiplied by any scalar"
REFUSALS = (Rejected, IllFormed, OverflowError, RecursionError)


class Sign(IntEnum):
    """What a cone is known to be."""

    ZERO = 0
    NONNEGATIVE = 1
    POSITIVE = 2


@dataclass
class Context:
    """What is in force: facts, proved divisors, the step; `used` collects what was appealed to."""

    step: T.Vector | None
    start: T.Vector | None
    relations: dict[str, T.Relation]
    assumptions: dict[str, Assumption]
    used: set[str]
    divisors: list[Frac] = field(default_factory=list)

    def number(self, tree: T.Scalar) -> Frac:
        """The exact value of a scalar expression."""
        return lower(tree, lambda divisor: any(known.same(divisor) for known in self.divisors))


def check(theorem: Theorem) -> Report:
    """Replay every step of a theorem's proof, or evaluate its refutation.

    Never raises, whatever it is given: the report says what is wrong, and where.
    """
    steps: list[StepReport] = []
    at = ["the statement"]
    try:
        with limited():
            conform(theorem, Theorem)
            if theorem.refutation is not None:
                at = ["the refutation"]
                return _check_refutation(theorem, theorem.refutation)
            return _check_proof(theorem, steps, at)
    except Exception as problem:  # a refusal, or data that nothing here foresaw: never a proof
        reason = one_line(problem)
        if len(at) > len(steps) + 1 and len(steps) < len(theorem.proof):
            steps.append(StepReport(theorem.proof[len(steps)].name, False, reason))
        return Report(Status.UNDECIDED, f"{at[-1]}: {reason}", tuple(steps))


def one_line(problem: Exception) -> str:
    """What an exception says, with its type unless it is a refusal, on one line."""
    said = str(problem) if isinstance(problem, REFUSALS) else f"{type(problem).__name__}: {problem}"
    return " ".join(said.split())


def _check_proof(theorem: Theorem, steps: list[StepReport], at: list[str]) -> Report:
    """Replay the steps; `steps` are those that were accepted, `at` the places that were reached."""
    used: set[str] = set()
    context = enter(theorem, used)
    for step in theorem.proof:
        at.append(f"step {step.name!r}")
        if any(step.name in names for names in (context.relations, context.assumptions, RESERVED)):
            raise Rejected(TAKEN.format(step.name))
        check_step(theorem, step, context)
        context.relations[step.name] = step.claim
        steps.append(StepReport(step.name, True))
    at.append("the conclusion")
    if not theorem.conclusion or not {s.name for s in steps}.issuperset(theorem.conclusion):
        raise Rejected(NO_CONCLUSION)
    at.append("the witness")
    if missing := unmet(theorem):
        raise Rejected(f"no exact instance of the hypotheses: {missing}")
    unused = tuple(name for name in _named(theorem) if name not in used)
    return Report(Status.PROVED, "", tuple(steps), unused)


def _check_refutation(theorem: Theorem, refutation: Witness) -> Report:
    check_scopes(theorem)
    names = [step.name for step in theorem.proof]
    if len(set(names)) < len(names) or not set(names).issuperset(theorem.conclusion):
        raise Rejected("the conclusion names no step, or one of two")
    failure = refuted(theorem, refutation)
    reason = f"{failure.claim!r} fails: {failure.left} {failure.sign} {failure.right} is false"
    return Report(Status.REFUTED, reason, failure=failure)


def enter(theorem: Theorem, used: set[str]) -> Context:
    """The context before the first step: hypotheses read, divisors proved positive."""
    check_scopes(theorem)
    dynamics = theorem.dynamics
    context = Context(
        dynamics.step() if dynamics else None,
        dynamics.start if dynamics else None,
        {h.name: h.relation for h in theorem.hypotheses if isinstance(h, Condition)},
        {h.name: h for h in theorem.hypotheses if isinstance(h, Assumption)},
        used,
    )
    for divisor in theorem.divisors:
        value, sign = replay(divisor, context)
        if sign is not Sign.POSITIVE:
            raise Rejected(MAY_VANISH)
        context.divisors.append(value)
    for relation in context.relations.values():
        context.number(relation.slack)
    return context


def _named(theorem: Theorem) -> Iterator[str]:
    """The names under which the use of hypotheses is recorded: conditions, and single rules."""
    for h in theorem.hypotheses:
        yield from (
            [h.name] if isinstance(h, Condition) else [f"{h.name}: {r.name}" for r in h.rules]
        )


def check_step(theorem: Theorem, step: Step, context: Context) -> None:
    """Accept or reject one step with what is in force before it."""
    certificate = step.certificate
    spend(len(context.relations))
    if isinstance(certificate, C.ZeroOrPositive):
        parameter, at_zero, positive = cases(theorem, certificate.condition, context)
        claim, cone = T.substitute((step.claim, certificate.zero), parameter, T.ZERO)
        _verify(claim, cone, at_zero)
        _verify(step.claim, certificate.positive, positive)
    elif isinstance(certificate, C.Induction):
        _verify(at_time(step.claim, T.Time(False, 0)), certificate.base, context)
        now = replace(context, relations=context.relations | {"induction": step.claim})
        _verify(at_time(step.claim, T.Time(True, 1)), certificate.step, now)
    else:
        _verify(step.claim, certificate, context)


def cases(theorem: Theorem, name: str, context: Context) -> tuple[T.Param, Context, Context]:
    """The parameter of a condition, and what is in force where it is zero, and positive."""
    facts = context.relations
    relation = facts.get(name)
    if relation is None or relation != T.Relation(T.ZERO, "<=", relation.right):
        raise Rejected("a case split needs a condition of the form 0 <= parameter")
    if not isinstance(parameter := relation.right, T.Param):
        raise Rejected("a case split is on a parameter")
    context.used.add(name)
    at_zero = enter(T.substitute(theorem, parameter, T.ZERO), context.used)
    at_zero.step = T.substitute(context.step, parameter, T.ZERO)
    at_zero.relations = {n: T.substitute(its, parameter, T.ZERO) for n, its in facts.items()}
    strict = {name: T.Relation(T.ZERO, "<", parameter)}
    return parameter, at_zero, replace(context, relations=facts | strict)


def at_time(claim: T.Relation, time: T.Time) -> T.Relation:
    """The claim with the given time in place of t."""

    def rule(node: object) -> T.Time | None:
        if isinstance(node, T.Time) and node.symbolic:
            return T.Time(time.symbolic, node.shift + time.shift)
        return None

    return T.rebuild(claim, rule)


def _verify(claim: T.Relation, cone: C.Cone, context: Context) -> None:
    """Accept or reject: the cone has the right sign and is identically the claim's slack."""
    wanted = context.number(claim.slack)
    value, sign = replay(cone, context)
    if claim.sign == "==" and sign is not Sign.ZERO:
        raise Rejected("an equality needs a certificate made of equalities")
    if claim.sign == "<" and sign is not Sign.POSITIVE:
        raise Rejected("the claim is strict and the certificate is not")
    if not wanted.same(value):
        off = wanted.top * value.bottom - value.top * wanted.bottom
        raise Rejected(f"the certificate is not the claim: they differ in {len(off.terms)} terms")


def slack(relation: T.Relation, context: Context) -> tuple[Frac, Sign]:
    """What a relation says has a sign, and the sign."""
    signs = {"==": Sign.ZERO, "<=": Sign.NONNEGATIVE, "<": Sign.POSITIVE}
    return context.number(relation.slack), signs[relation.sign]


def _instance(name: str, rule_name: str, at: tuple[T.Vector, ...], context: Context) -> T.Relation:
    """An assumption's rule with vectors put for its variables, all at once."""
    rules = context.assumptions[name].rules if name in context.assumptions else ()
    spend(len(rules))
    rule = next((rule for rule in rules if rule.name == rule_name), None)
    if rule is None:
        raise Rejected(f"there is no assumption {name!r} with a rule {rule_name!r}")
    if len(at) != len(rule.variables):
        raise Rejected(f"rule {rule_name!r} wants {len(rule.variables)} vectors, not {len(at)}")
    if has(rule.relation, T.Mean) and has(at, sampled=True):
        raise Rejected(f"rule {rule_name!r} has an expectation that would capture the vectors")
    context.used.add(f"{name}: {rule_name}")
    put = dict(zip(rule.variables, at, strict=True))
    return T.rebuild(rule.relation, lambda n: put.get(n) if isinstance(n, T.Named) else None)


def replay(cone: C.Cone, context: Context) -> tuple[Frac, Sign]:
    """The exact value of a cone, and its sign."""
    spend(1)
    match cone:
        case C.Fact(name):
            if name not in context.relations:
                raise Rejected(f"there is no fact named {name!r} at this point")
            context.used.add(name)
            return slack(context.relations[name], context)
        case C.RuleAt(name, rule, at):
            return slack(_instance(name, rule, at, context), context)
        case C.Number(rational):
            if rational < 0:
                raise Rejected(f"the multiplier {rational} is negative")
            sign = Sign.POSITIVE if rational else Sign.ZERO
            return Frac.of(Poly.constant(rational)), sign
        case C.Square(root):
            value = context.number(root)
            return value * value, Sign.NONNEGATIVE
        case C.Norm(vector):
            return context.number(T.norm2(vector)), Sign.NONNEGATIVE
        case C.Add(parts):
            total, sign = Frac.of(Poly()), Sign.ZERO
            for part in parts:
                value, its = replay(part, context)
                total, sign = total + value, max(sign, its)
            return total, sign
        case C.Times(parts):
            total, sign = Frac.of(Poly.constant(1)), Sign.POSITIVE
            for part in parts:
                value, its = replay(part, context)
                total, sign = total * value, min(sign, its)
            return total, sign
        case C.Invert(part):
            value, sign = replay(part, context)
            if sign is not Sign.POSITIVE or not value.top.terms:
                raise Rejected(NO_RECIPROCAL)
            return value.inverse(), sign
        case C.MeanOf(part):
            value, sign = replay(part, context)
            return mean(value), sign
        case C.AlongOf(part, time):
            value, sign = replay(part, context)
            return along(value, time), sign
        case C.PowerOf(part, time):
            value, sign = replay(part, context)
            if sign is Sign.ZERO:
                raise Rejected(POWER_OF_ZERO)
            return power(value, time), sign
        case C.Multiple(coefficient, part):
            value, sign = replay(part, context)
            if sign is not Sign.ZERO:
                raise Rejected(NOT_ZERO)
            return context.number(coefficient) * value, sign
        case C.Tower(quantity, time):
            later = _moved(quantity, context.step)
            then = T.Along(quantity, T.Time(time.symbolic, time.shift + 1))
            return slack(T.Relation(T.Along(T.Mean(later), time), "==", then), context)
        case C.Start(quantity):
            first = _moved(quantity, context.start)
            return slack(T.Relation(first, "==", T.Along(quantity, T.Time(False, 0))), context)
    raise Rejected(f"not a certificate: {cone!r}")


def _moved(quantity: T.Scalar, point: T.Vector | None) -> T.Scalar:
    """A quantity of the iterate alone at another point: substitution has nothing to capture."""
    if point is None or has(quantity, T.Mean, T.Along, T.Time, sampled=True):
        raise Rejected("a quantity along the trajectory must depend on x alone")
    return T.substitute(quantity, ITERATE, point)
