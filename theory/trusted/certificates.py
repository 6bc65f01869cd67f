r"""Certificates: why a number is non-negative, written as a tree.  TRUSTED data.

A `Cone` denotes a scalar together with the reason for its sign.  The leaves are facts
(hypotheses, their instances, earlier lemmas), non-negative rationals and squares; the branches are
the operations that keep the sign.  A claim `left <= right` is proved by a cone that *is*
`right - left`, identically.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from theory.trusted.terms import Scalar, Time, Vector


@dataclass(frozen=True)
class Fact:
    """The slack of a condition or of an earlier lemma; `induction` inside an induction step."""

    name: str


@dataclass(frozen=True)
class RuleAt:
    """The slack of an assumption's rule at given vectors."""

    assumption: str
    rule: str
    at: tuple[Vector, ...]


@dataclass(frozen=True)
class Number:
    """A non-negative rational."""

    value: Fraction


@dataclass(frozen=True)
class Square:
    """The square of a scalar."""

    root: Scalar


@dataclass(frozen=True)
class Norm:
    """The squared norm of a vector."""

    vector: Vector


@dataclass(frozen=True)
class Add:
    """A sum of non-negative numbers; the empty one is zero."""

    parts: tuple[Cone, ...]


@dataclass(frozen=True)
class Times:
    """A product of non-negative numbers."""

    parts: tuple[Cone, ...]


@dataclass(frozen=True)
class Invert:
    """The reciprocal of a positive number."""

    part: Cone


@dataclass(frozen=True)
class MeanOf:
    """The expectation over the sample of something that is non-negative for every sample."""

    part: Cone


@dataclass(frozen=True)
class AlongOf:
    """The expectation over the law of $x_t$ of something non-negative at every `x`."""

    part: Cone
    time: Time


@dataclass(frozen=True)
class PowerOf:
    """A non-negative number to the power $t$."""

    part: Cone
    time: Time


@dataclass(frozen=True)
class Multiple:
    """Any scalar times something that is zero."""

    coefficient: Scalar
    zero: Cone


@dataclass(frozen=True)
class Tower:
    r"""Zero: $E\,\Phi(x_{t+1}) - E\,E_b\,\Phi(x^+(x_t, b))$, by independence of $b$ and $x_t$."""

    quantity: Scalar
    time: Time


@dataclass(frozen=True)
class Start:
    r"""Zero: $E\,\Phi$ along the trajectory at time 0, minus $\Phi$ at the starting point."""

    quantity: Scalar


Cone = (
    Fact
    | RuleAt
    | Number
    | Square
    | Norm
    | Add
    | Times
    | Invert
    | MeanOf
    | AlongOf
    | PowerOf
    | Multiple
    | Tower
    | Start
)


@dataclass(frozen=True)
class ZeroOrPositive:
    """Two cases of a condition `0 <= parameter`: set it to 0 everywhere, or take it positive."""

    condition: str
    zero: Cone
    positive: Cone


@dataclass(frozen=True)
class Induction:
    """Induction on $t$: the claim at 0, and at $t + 1$ from the fact `induction` at $t$."""

    base: Cone
    step: Cone


Certificate = Cone | ZeroOrPositive | Induction

NOTHING = Add(())  # of two sides that are identical
