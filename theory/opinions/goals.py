"""First-order problems over the reals: what every second opinion is asked, as frozen data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from theory.opinions.atoms import in_order
from theory.opinions.ratios import Ratio
from theory.trusted.kernel import Sign
from theory.trusted.polynomials import Atom, Poly
from theory.trusted.terms import Time

__all__ = [
    "Argument",
    "ByInduction",
    "Cases",
    "Divisor",
    "Expression",
    "Obligation",
    "Origin",
    "Plain",
    "Problem",
    "ProductOf",
    "Rational",
    "Scaled",
    "Signed",
    "SquareOf",
    "SumOf",
    "Use",
    "has",
    "parts",
    "refutes",
]


class Origin(StrEnum):
    """Where a fact comes from."""

    HYPOTHESIS = "hypothesis"
    RULE = "rule"
    STEP = "earlier step"
    INDUCTION = "induction hypothesis"
    NORM = "squared norm"
    TOWER = "tower rule"
    START = "starting point"
    MEAN = "expectation"
    ALONG = "expectation along the trajectory"
    POWER = "power"


@dataclass(frozen=True)
class Signed:
    """A fact: a value with its sign.

    Attributes:
        label: a readable name.
        value: what is known to be zero, non-negative or positive.
        sign: which of these.
        origin: where it comes from.
        inside: for an image, the obligation that proves the inside; for a step, the step.
        time: for an image, the time or exponent.
    """

    label: str
    value: Ratio
    sign: Sign
    origin: Origin
    inside: str = ""
    time: Time | None = None


@dataclass(frozen=True)
class Use:
    """The value of a fact of the obligation, by its position."""

    fact: int


@dataclass(frozen=True)
class Rational:
    """A non-negative number."""

    value: Fraction


@dataclass(frozen=True)
class SquareOf:
    """A genuine square."""

    root: Ratio


@dataclass(frozen=True)
class Divisor:
    """A polynomial that is known to be positive, or (`inverted`) its reciprocal."""

    poly: Poly
    inverted: bool = False


@dataclass(frozen=True)
class SumOf:
    """A sum."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True)
class ProductOf:
    """A product."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True)
class Scaled:
    """Any scalar times something that is zero."""

    coefficient: Ratio
    part: Expression


Expression = Use | Rational | SquareOf | Divisor | SumOf | ProductOf | Scaled


@dataclass(frozen=True)
class Obligation:
    """One problem: from the facts and the positive divisors follows the claim.

    Attributes:
        name: unique within the theorem.
        facts: what may be used.
        claim: the value whose sign is claimed.
        sign: the sign that is claimed.
        certificate: an expression in the facts, of this sign, that is said to be the claim.
        divisors: the polynomials that are divided by, each proved positive before.
    """

    name: str
    facts: tuple[Signed, ...]
    claim: Ratio
    sign: Sign
    certificate: Expression
    divisors: tuple[Poly, ...]

    @property
    def atoms(self) -> frozenset[Atom]:
        """The variables that occur."""
        polys = [*self.divisors, self.claim.top, *(fact.value.top for fact in self.facts)]
        roots = [part.root.top for part in parts(self.certificate) if isinstance(part, SquareOf)]
        scales = [
            part.coefficient.top for part in parts(self.certificate) if isinstance(part, Scaled)
        ]
        return frozenset(atom for poly in [*polys, *roots, *scales] for atom in poly.atoms)

    @property
    def ordered_atoms(self) -> list[Atom]:
        """The variables in an order that does not depend on hashing."""
        return in_order(self.atoms)


@dataclass(frozen=True)
class Plain:
    """A step with one obligation."""

    step: str
    claim: Ratio
    sign: Sign
    obligation: str


@dataclass(frozen=True)
class Cases:
    """A step in two cases of a condition `0 <= parameter`."""

    step: str
    claim: Ratio
    sign: Sign
    condition: Signed
    zero: str
    positive: str


@dataclass(frozen=True)
class ByInduction:
    """A step by induction; the claim is that at time t."""

    step: str
    claim: Ratio
    sign: Sign
    base: str
    successor: str


Argument = Plain | Cases | ByInduction


@dataclass(frozen=True)
class Problem:
    """A theorem's obligations in order, how they make up its steps, and its variables in order."""

    obligations: tuple[Obligation, ...]
    steps: tuple[Argument, ...]
    conclusion: tuple[str, ...]
    atoms: tuple[Atom, ...]


def parts(tree: Expression) -> list[Expression]:
    """Every node of an expression."""
    match tree:
        case SumOf(below) | ProductOf(below):
            return [tree, *(node for part in below for node in parts(part))]
        case Scaled(_, part):
            return [tree, *parts(part)]
    return [tree]


def refutes(values: Mapping[Atom, Fraction], obligation: Obligation) -> bool:
    """Whether all facts hold at a rational point and the claim does not, in exact arithmetic."""
    return (
        all(_value(poly, values) > 0 for poly in obligation.divisors)
        and all(has(_value(fact.value.top, values), fact.sign) for fact in obligation.facts)
        and not has(_value(obligation.claim.top, values), obligation.sign)
    )


def has(value: Fraction, sign: Sign) -> bool:
    """Whether a number has a sign."""
    return {Sign.ZERO: value == 0, Sign.NONNEGATIVE: value >= 0, Sign.POSITIVE: value > 0}[sign]


def _value(poly: Poly, values: Mapping[Atom, Fraction]) -> Fraction:
    total = Fraction(0)
    for monomial, coefficient in poly.terms.items():
        for atom, exponent in monomial:
            coefficient *= values[atom] ** exponent
        total += coefficient
    return total
