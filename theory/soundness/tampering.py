"""Certificates with one field changed, and when such a change leaves an equally good proof.

A changed certificate that the kernel accepts must denote the same number at the innermost cone that
contains the change, as an exact fraction: `Norm(-v)` for `Norm(v)`, a sum in another order, two
facts with the same slack, in the zero case of a split a term that the parameter multiplies.
Anything else that is accepted counts as a failure of the kernel.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, get_args

from theory.soundness.mutants import Path, changes, places, put
from theory.soundness.steps import Place
from theory.trusted import certificates as C
from theory.trusted import terms as T
from theory.trusted.lowering import lower
from theory.trusted.statements import Step

__all__ = ["CONES", "Tampered", "denote", "is_equivalent", "of_step", "tamperings"]

CONES: tuple[type, ...] = get_args(C.Cone)


@dataclass(frozen=True)
class Tampered:
    """A step with a changed certificate, and the path of the change inside the certificate."""

    step: Step
    path: Path
    change: str


def of_step(place: Place) -> Iterator[Tampered]:
    """Every single change of the certificate of a step."""
    certificate = place.step.certificate
    names = [*place.context.relations, "induction", "no such fact"]
    rules = [(a.name, rule.name) for a in place.context.assumptions.values() for rule in a.rules]
    for path, node in places(certificate):
        for word, new in tamperings(node, names, rules):
            if new == node:
                continue
            try:
                changed = put(certificate, path, new)
            except T.IllFormed:
                continue
            yield Tampered(replace(place.step, certificate=changed), path, word)


def tamperings(
    node: Any, names: Sequence[str], rules: Sequence[tuple[str, str]]
) -> Iterator[tuple[str, Any]]:
    """The ways in which one node of a certificate is changed, with a word for each."""
    match node:
        case C.Fact():
            yield from (("another fact", C.Fact(name)) for name in names)
        case C.RuleAt(_, _, at):
            yield from (("another rule", C.RuleAt(*rule, at)) for rule in rules)
            yield "vectors in another order", replace(node, at=at[::-1])
            yield "a vector less", replace(node, at=at[:-1])
            yield "a vector more", replace(node, at=(*at, *at[:1]))
        case C.Number(value):
            yield "one percent up", C.Number(value * Fraction(101, 100))
            yield "a hair", C.Number(value + Fraction(1, 2**40))
            yield "sign", C.Number(-value)
            yield "zero", C.Number(Fraction(0))
        case C.Square(root):
            yield "not squared", C.Multiple(root, C.Number(Fraction(1)))
            yield "sign inside", C.Square(-root)
            yield "cubed", C.Times((C.Square(root), C.Square(root)))
        case C.Norm(vector):
            yield "sign inside", C.Norm(-1 * vector)
            yield "half the vector", C.Norm(T.Const(Fraction(1, 2)) * vector)
        case C.Add(parts) | C.Times(parts):
            kind = type(node)
            for i, part in enumerate(parts):
                yield "a part dropped", kind((*parts[:i], *parts[i + 1 :]))
                yield "a part twice", kind((*parts[:i], part, *parts[i:]))
                minus = C.Multiple(T.Const(Fraction(-1)), part)
                yield "sign of a part", kind((*parts[:i], minus, *parts[i + 1 :]))
            yield "another order", kind(parts[::-1])
            yield "sum and product", (C.Times if kind is C.Add else C.Add)(parts)
        case C.Invert(part) | C.MeanOf(part) | C.AlongOf(part) | C.PowerOf(part):
            yield "without it", part
        case C.Multiple(coefficient, zero):
            yield "without it", zero
            yield "coefficient negated", C.Multiple(-coefficient, zero)
        case C.Tower(quantity, time):
            yield "no start", C.Start(quantity)
            yield "earlier time", C.Tower(quantity, T.Time(not time.symbolic, time.shift))
        case C.Start(quantity):
            yield "no tower", C.Tower(quantity, T.Time())
        case C.ZeroOrPositive(condition, zero, positive):
            yield from (("another condition", replace(node, condition=name)) for name in names)
            yield "cases exchanged", C.ZeroOrPositive(condition, positive, zero)
            yield "zero case only", zero
            yield "positive case only", positive
        case C.Induction(base, step):
            yield "base and step exchanged", C.Induction(step, base)
            yield "base only", base
            yield "step only", step
        case T.Named():
            yield from (("another vector", T.Named(name)) for name in ("x", "x_0", "u", "w"))
        case T.Operator():
            yield from changes(node)
            if not node.symmetric:
                yield "adjoint", node.adjoint
        case T.Param():
            yield "negated", -node
            yield "one percent up", Fraction(101, 100) * node
        case _:
            yield from changes(node)
    if isinstance(node, CONES) and not isinstance(node, C.Add):
        yield "made nothing", C.NOTHING


def is_equivalent(place: Place, tampered: Tampered) -> bool:
    """Whether the innermost cone around the change denotes exactly the same number as before."""
    before, after = place.step.certificate, tampered.step.certificate
    if isinstance(before, C.ZeroOrPositive) and isinstance(after, C.ZeroOrPositive):
        relations = place.context.relations
        return relations.get(before.condition) == relations.get(after.condition) and (
            before == replace(after, condition=before.condition) or _same(place, tampered)
        )
    return type(before) is type(after) and _same(place, tampered)


def _same(place: Place, tampered: Tampered) -> bool:
    pair: list[Any] = [place.step.certificate, tampered.step.certificate]
    innermost: list[Any] = []
    zero = _zero_case(place, tampered)
    for step in (*tampered.path, None):
        if all(isinstance(node, CONES) for node in pair):
            innermost = list(pair)
        others = (*pair[0][:step], *pair[0][step + 1 :]) if isinstance(step, int) else ()
        if any(_vanishes(part, zero) for part in others) and isinstance(innermost[0], C.Times):
            return True
        if step is not None:
            pair = [n[step] if isinstance(step, int) else getattr(n, step) for n in pair]
    if not innermost:
        return False
    try:
        numbers = [denote(cone, place) for cone in innermost]
        if zero:
            parameter = place.context.relations[zero.name].right
            numbers = [T.substitute(n, parameter, T.Const(Fraction(0))) for n in numbers]
        values = [lower(number, lambda divisor: True) for number in numbers]
    except (T.IllFormed, KeyError, ValueError):
        return False
    return all(v.bottom.terms for v in values) and values[0].same(values[1])


def _zero_case(place: Place, tampered: Tampered) -> C.Fact | None:
    """In the zero case of a split: the fact whose slack, the parameter, is zero there."""
    certificate = place.step.certificate
    if isinstance(certificate, C.ZeroOrPositive) and tampered.path[:1] == ("zero",):
        return C.Fact(certificate.condition)
    return None


def _vanishes(cone: object, zero: C.Fact | None) -> bool:
    """Whether the fact that is zero is a factor of the cone."""
    if isinstance(cone, C.Times):
        return any(_vanishes(part, zero) for part in cone.parts)
    return zero is not None and cone == zero


def denote(cone: C.Cone, place: Place) -> T.Scalar:
    """The scalar that a cone stands for, read off its definition and not from the kernel's replay.

    Raises:
        KeyError: for a fact or rule that does not exist.
        ValueError: for a rule with the wrong number of vectors, or a trajectory without algorithm.
    """

    def of(part: C.Cone) -> T.Scalar:
        return denote(part, place)

    context = place.context
    match cone:
        case C.Fact("induction"):
            return place.step.claim.slack
        case C.Fact(name):
            return context.relations[name].slack
        case C.RuleAt(name, rule_name, at):
            rules = {rule.name: rule for rule in context.assumptions[name].rules}
            rule = rules[rule_name]
            put_for = dict(zip(rule.variables, at, strict=True))
            return T.rebuild(
                rule.relation, lambda n: put_for.get(n) if isinstance(n, T.Named) else None
            ).slack
        case C.Number(value):
            return T.Const(value)
        case C.Square(root):
            return root * root
        case C.Norm(vector):
            return T.norm2(vector)
        case C.Add(parts):
            return T.Sum(tuple(map(of, parts)))
        case C.Times(parts):
            return T.Product(tuple(map(of, parts)))
        case C.Invert(part):
            return 1 / of(part)
        case C.MeanOf(part):
            return T.Mean(of(part))
        case C.AlongOf(part, time):
            return T.Along(of(part), time)
        case C.PowerOf(part, time):
            return of(part) ** time
        case C.Multiple(coefficient, zero):
            return coefficient * of(zero)
        case C.Tower(quantity, time):
            later = T.substitute(quantity, T.Named("x"), _known(context.step))
            then = replace(time, shift=time.shift + 1)
            return T.Along(quantity, then) - T.Along(T.Mean(later), time)
        case C.Start(quantity):
            first = T.substitute(quantity, T.Named("x"), _known(context.start))
            return T.Along(quantity, T.Time(False)) - first
    raise ValueError(f"not a cone: {cone!r}")


def _known(vector: T.Vector | None) -> T.Vector:
    if vector is None:
        raise ValueError("the theorem runs no algorithm")
    return vector
