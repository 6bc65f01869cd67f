"""Generated claims: true ones with their certificate, false ones with a plausible one.

Both kinds are built around a rational point at which all generated hypotheses hold.  A true claim
is the value of a random certificate, rewritten so that it no longer looks like one.  A false claim
is violated at the point, which is checked by evaluating it there, and comes with a certificate that
is wrong in one of the ways in which certificates go wrong.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

from theory.proving.models import Model, rational
from theory.proving.witnesses import witness
from theory.soundness.steps import accepts
from theory.trusted import certificates as C
from theory.trusted import terms as T
from theory.trusted.statements import Attribution, Condition, Kind, Source, Step, Theorem

__all__ = [
    "NAMES",
    "POWERS",
    "TRICKS",
    "Draft",
    "Generated",
    "Point",
    "absent_hypothesis",
    "case_split",
    "circle",
    "cone",
    "division",
    "divisors_of",
    "draft",
    "equality",
    "expression",
    "false_case",
    "hypotheses_at",
    "inverse",
    "is_true_at_witness",
    "make",
    "multiplied_out",
    "negated_square",
    "negative_number",
    "number",
    "own_conclusion",
    "own_induction",
    "polynomial",
    "positive_case",
    "power",
    "product_for_square",
    "run",
    "strict",
    "true_case",
    "unchanged",
    "value",
    "wrong_multiplier",
]

NAMES = ("p", "q", "r")
POWERS = (0, 1, 1, 2)
Point = dict[str, Fraction]


@dataclass(frozen=True)
class Generated:
    """A generated theorem and whether its claim is true; `trick` says how a false one cheats."""

    theorem: Theorem
    true: bool
    trick: str = ""


def number(rng: random.Random) -> Fraction:
    """A small rational."""
    return Fraction(rng.randint(-6, 6), rng.randint(1, 4))


def polynomial(rng: random.Random, size: int = 3) -> T.Scalar:
    """A random polynomial in the parameters."""
    terms: list[T.Scalar] = []
    for _ in range(rng.randint(1, size)):
        factors = [T.Param(name) ** rng.choice(POWERS) for name in rng.sample(NAMES, 2)]
        terms.append(T.Product((T.Const(number(rng)), *factors)))
    return T.Sum(tuple(terms))


def value(tree: T.Scalar, point: Point) -> Fraction:
    """The exact value at a point."""
    return Fraction(Model(point, {}, rational([[[1]]])).scalar(tree).item())


def make(
    claim: T.Relation,
    certificate: C.Certificate,
    hypotheses: tuple[Condition, ...],
    point: Point,
    divisors: tuple[C.Cone, ...] = (),
    before: tuple[Step, ...] = (),
) -> Theorem:
    """A theorem about parameters alone, with the point as its witness."""
    return Theorem(
        id="generated",
        title="generated",
        statement="",
        source=Source("", "", Attribution.DERIVED),
        kind=Kind.IDENTITY,
        hypotheses=hypotheses,
        divisors=divisors,
        proof=(*before, Step("claim", claim, certificate, "")),
        conclusion=("claim",),
        witness=witness(point, {}, [[[1]]]),
    )


def hypotheses_at(
    rng: random.Random, point: Point, tight: bool
) -> tuple[tuple[Condition, ...], dict[str, C.Cone]]:
    """Conditions `0 <= g` that hold at the point (with equality if `tight`), and `1 <= 1 + g²`."""
    found = []
    for i in range(rng.randint(1, 3)):
        g = polynomial(rng)
        room = Fraction(0) if tight else Fraction(rng.randint(0, 5), 2)
        shifted = g - T.Const(value(g, point) - room)
        found.append(Condition(f"g{i}", T.Const(Fraction(0)) <= shifted))
    return tuple(found), {h.name: C.Fact(h.name) for h in found}


def cone(rng: random.Random, facts: dict[str, C.Cone], depth: int) -> C.Cone:
    """A random certificate of a non-negative number."""
    if depth == 0:
        match rng.randrange(4):
            case 0:
                return C.Number(abs(number(rng)))
            case 1:
                return C.Square(polynomial(rng, 2))
            case _:
                return rng.choice(list(facts.values()))
    parts = tuple(cone(rng, facts, depth - 1) for _ in range(2))
    match rng.randrange(5):
        case 0:
            return C.Times(parts)
        case 1:
            return C.MeanOf(C.Add(parts))
        case 2:
            return C.Times((C.Invert(_positive(rng)), *parts[:1]))
        case _:
            return C.Add(parts)


def _positive(rng: random.Random) -> C.Cone:
    return C.Add((C.Number(Fraction(rng.randint(1, 3))), C.Square(T.Param(rng.choice(NAMES)))))


def divisors_of(certificate: C.Cone) -> tuple[C.Cone, ...]:
    """What a certificate takes the reciprocal of."""
    return tuple(node.part for node in T.nodes(certificate) if isinstance(node, C.Invert))


def expression(certificate: C.Cone, conditions: dict[str, T.Relation]) -> T.Scalar:
    """The scalar that a generated certificate stands for, each branch spelled out."""
    match certificate:
        case C.Fact(name):
            return conditions[name].slack
        case C.Number(rational_value):
            return T.Const(rational_value)
        case C.Square(root):
            return root**2
        case C.Add(parts):
            return T.Sum(tuple(expression(part, conditions) for part in parts))
        case C.Times(parts):
            return T.Product(tuple(expression(part, conditions) for part in parts))
        case C.MeanOf(part):
            return expression(part, conditions)
        case C.Invert(part):
            return 1 / expression(part, conditions)
    raise ValueError(f"{type(certificate).__name__} is not generated")


def multiplied_out(tree: T.Scalar) -> T.Scalar:
    """The same number with products of sums distributed and squares written as products."""
    match tree:
        case T.Sum(terms):
            return T.Sum(tuple(map(multiplied_out, terms)))
        case T.Product((T.Sum(terms), *rest)) if rest:
            others = tuple(rest)
            return T.Sum(tuple(multiplied_out(T.Product((*others, term))) for term in terms))
        case T.Power(base, 2):
            return multiplied_out(T.Product((base, base)))
    return tree


def true_case(rng: random.Random) -> Generated:
    """A claim that is the value of a random certificate, moved across the sign and expanded."""
    point = {name: number(rng) for name in NAMES}
    hypotheses, facts = hypotheses_at(rng, point, tight=False)
    certificate = cone(rng, facts, rng.randint(1, 2))
    conditions = {h.name: h.relation for h in hypotheses}
    total = multiplied_out(expression(certificate, conditions))
    moved = polynomial(rng)
    claim = moved <= moved + total
    return Generated(make(claim, certificate, hypotheses, point, divisors_of(certificate)), True)


@dataclass(frozen=True)
class Draft:
    """A false claim `epsilon <= total` in the making: `total` is zero at the point."""

    rng: random.Random
    point: Point
    hypotheses: tuple[Condition, ...]
    parts: tuple[C.Cone, ...]
    total: T.Scalar
    epsilon: Fraction

    def theorem(self, claim: T.Relation, certificate: C.Certificate, **more: object) -> Theorem:
        """A theorem with these hypotheses."""
        return make(claim, certificate, self.hypotheses, self.point, **more)  # type: ignore[arg-type]

    @property
    def shifted(self) -> T.Relation:
        """The claim that is false at the point, where both squares and hypotheses vanish."""
        return T.Const(self.epsilon) <= self.total


def draft(rng: random.Random) -> Draft:
    """Squares and hypotheses that all vanish at one point, and their weighted sum."""
    point = {name: number(rng) for name in NAMES}
    hypotheses, _ = hypotheses_at(rng, point, tight=True)
    roots = [polynomial(rng, 2) for _ in range(2)]
    squares = [C.Square(root - T.Const(value(root, point))) for root in roots]
    weighted = [C.Times((C.Number(abs(number(rng)) + 1), C.Fact(h.name))) for h in hypotheses]
    parts: tuple[C.Cone, ...] = (*squares, *weighted)
    conditions = {h.name: h.relation for h in hypotheses}
    total = expression(C.Add(parts), conditions)
    return Draft(rng, point, hypotheses, parts, total, Fraction(1, rng.choice((1, 7, 1000, 2**40))))


def negative_number(d: Draft) -> Theorem:
    """The missing epsilon as a negative multiplier."""
    return d.theorem(d.shifted, C.Add((*d.parts, C.Number(-d.epsilon))))


def unchanged(d: Draft) -> Theorem:
    """The certificate of the true claim."""
    return d.theorem(d.shifted, C.Add(d.parts))


def negated_square(d: Draft) -> Theorem:
    """A square of a constant with the wrong sign in front."""
    minus = C.Multiple(T.Const(-d.epsilon), C.Square(T.Const(Fraction(1))))
    return d.theorem(d.shifted, C.Add((*d.parts, minus)))


def product_for_square(d: Draft) -> Theorem:
    """A product of two different factors in place of a square, as if any scalar could be scaled."""
    one = C.Number(Fraction(1))
    factors = C.Multiple(T.Const(-d.epsilon) * T.Const(Fraction(1)), one)
    return d.theorem(d.shifted, C.Add((*d.parts, factors)))


def wrong_multiplier(d: Draft) -> Theorem:
    """A hypothesis with a negative multiplier: its slack is used upside down."""
    slack = d.rng.choice(d.hypotheses).relation.slack + T.Const(d.epsilon)
    with_room = replace(d, hypotheses=(Condition("room", T.Const(Fraction(0)) <= slack),))
    certificate = C.Multiple(T.Const(Fraction(-1)), C.Fact("room"))
    return with_room.theorem(T.Const(Fraction(0)) <= -1 * slack, certificate)


def own_conclusion(d: Draft) -> Theorem:
    """The claim as its own reason."""
    return d.theorem(d.shifted, C.Fact("claim"))


def circle(d: Draft) -> Theorem:
    """Two steps, each of which appeals to the other."""
    first = Step("first", d.shifted, C.Fact("claim"), "")
    return d.theorem(d.shifted, C.Fact("first"), before=(first,))


def own_induction(d: Draft) -> Theorem:
    """Induction without a base: the induction hypothesis proves itself."""
    return d.theorem(d.shifted, C.Induction(C.Fact("induction"), C.Fact("induction")))


def absent_hypothesis(d: Draft) -> Theorem:
    """A hypothesis that was never declared."""
    return d.theorem(d.shifted, C.Fact("epsilon <= total"))


def division(d: Draft) -> Theorem:
    """Something over itself, at a point where it vanishes."""
    h = d.rng.choice(d.hypotheses)
    claim = T.Const(d.epsilon) <= T.Const(d.epsilon) * h.relation.slack / h.relation.slack
    divisors: tuple[C.Cone, ...] = d.rng.choice(((), (C.Fact(h.name),)))
    return d.theorem(claim, C.NOTHING, divisors=divisors)


def inverse(d: Draft) -> Theorem:
    """The reciprocal of a number that may be zero."""
    h = d.rng.choice(d.hypotheses)
    one = C.Times((C.Fact(h.name), C.Invert(C.Fact(h.name))))
    claim = T.Const(Fraction(1)) <= d.total + 1 - T.Const(d.epsilon)
    return d.theorem(claim, C.Add((*d.parts, C.Times((C.Number(d.epsilon), one)))))


def strict(d: Draft) -> Theorem:
    """A strict claim from a certificate that only shows non-negativity."""
    return d.theorem(T.Const(Fraction(0)) < d.total, C.Add(d.parts))


def equality(d: Draft) -> Theorem:
    """An equality from inequalities."""
    shifted = d.total + T.Const(d.epsilon)
    certificate = C.Add((*d.parts, C.Number(d.epsilon)))
    return d.theorem(T.Relation(T.Const(Fraction(0)), "==", shifted), certificate)


def power(d: Draft) -> Theorem:
    """A strict power of what may be zero."""
    h = d.rng.choice(d.hypotheses)
    claim = T.Const(Fraction(0)) < h.relation.slack ** T.Time()
    return d.theorem(claim, C.PowerOf(C.Fact(h.name), T.Time()))


def positive_case(d: Draft) -> Theorem:
    """A strict claim that fails in the zero case, with the certificate of the positive one."""
    name = d.rng.choice(NAMES)
    parameter = T.Param(name)
    condition = Condition("split", T.Const(Fraction(0)) <= parameter)
    zero = d.rng.choice((C.NOTHING, C.Fact("split"), C.Number(d.epsilon)))
    at_zero = replace(d, point=d.point | {name: Fraction(0)}, hypotheses=(condition,))
    split = C.ZeroOrPositive("split", zero, C.Fact("split"))
    return at_zero.theorem(T.Const(Fraction(0)) < parameter, split)


def case_split(d: Draft) -> Theorem:
    """A case split on something that is not a condition on a parameter."""
    name = d.rng.choice(d.hypotheses).name
    return d.theorem(d.shifted, C.ZeroOrPositive(name, C.Add(d.parts), C.Add(d.parts)))


TRICKS: tuple[Callable[[Draft], Theorem], ...] = (
    negative_number,
    unchanged,
    negated_square,
    product_for_square,
    wrong_multiplier,
    own_conclusion,
    circle,
    own_induction,
    absent_hypothesis,
    division,
    inverse,
    strict,
    equality,
    power,
    positive_case,
    case_split,
)


def false_case(rng: random.Random) -> Generated:
    """A claim that its own witness refutes."""
    while True:
        trick = rng.choice(TRICKS)
        theorem = trick(draft(rng))
        if not is_true_at_witness(theorem):
            return Generated(theorem, False, trick.__name__)


def is_true_at_witness(theorem: Theorem) -> bool:
    """Whether the claim holds at the witness, at t = 0 and 1; a division by zero does not."""
    if theorem.witness is None:
        return True
    model = Model(dict(theorem.witness.parameters), {}, rational(theorem.witness.curvatures))
    try:
        return all(replace(model, time=t).holds(theorem.proof[-1].claim) for t in (0, 1))
    except ZeroDivisionError:
        return False


def run(kind: Callable[[random.Random], Generated], count: int, seed: int = 0) -> dict[str, int]:
    """How many claims were generated and how many were accepted; the false ones also by trick."""
    rng = random.Random(seed)
    tally = {"claims": 0, "accepted": 0}
    for _ in range(count):
        case = kind(rng)
        tally["claims"] += 1
        if accepts(case.theorem):
            tally["accepted"] += 1
            if not case.true:
                tally[case.trick] = tally.get(case.trick, 0) + 1
    return tally
