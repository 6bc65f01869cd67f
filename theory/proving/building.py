"""Untrusted helpers that write certificates.  Whatever they produce, the kernel decides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from functools import partial

from theory.trusted.certificates import (
    NOTHING,
    Add,
    AlongOf,
    Cone,
    Fact,
    Induction,
    Invert,
    Multiple,
    Number,
    Start,
    Times,
    Tower,
)
from theory.trusted.statements import ITERATE, Step, Theorem
from theory.trusted.terms import (
    Along,
    Const,
    Param,
    Power,
    Product,
    Quotient,
    Relation,
    Scalar,
    Sum,
    Time,
    scalar,
    substitute,
)

__all__ = [
    "NOW",
    "UNPROVED",
    "add",
    "geometric_decay",
    "geometric_growth",
    "minus",
    "number",
    "positive",
    "signs",
    "times",
    "with_growth",
    "with_rate",
]

NOW = Time()
UNPROVED = NOTHING  # the empty certificate: what a statement with a refutation gives its claims


def positive(tree: Scalar | int | Fraction, facts: Mapping[Scalar, str]) -> Cone:
    """A cone for a scalar whose sign can be read off its shape.

    Args:
        tree: sums, products, quotients and natural powers of non-negative rationals and of the
            keys of `facts`.
        facts: which fact says `0 <= key` or `0 < key`.

    Raises:
        ValueError: if the shape does not show the sign.
    """
    tree = scalar(tree)
    if tree in facts:
        return Fact(facts[tree])
    match tree:
        case Const(value) if value >= 0:
            return Number(value)
        case Sum(parts):
            return Add(tuple(positive(part, facts) for part in parts))
        case Product(parts):
            return Times(tuple(positive(part, facts) for part in parts))
        case Quotient(numerator, divisor):
            return Times((positive(numerator, facts), Invert(positive(divisor, facts))))
        case Power(base, int(exponent)):
            return Times((positive(base, facts),) * exponent)
        case Param(name):
            raise ValueError(f"nothing says that {name} is non-negative")
    raise ValueError(f"the sign of {tree!r} does not show")


def signs(facts: Mapping[Scalar, str]) -> Callable[[Scalar | int | Fraction], Cone]:
    """`positive` with these facts, as a function of the scalar alone."""
    return partial(positive, facts=facts)


def times(*parts: Cone) -> Times:
    """A product of cones."""
    return Times(parts)


def add(*parts: Cone) -> Add:
    """A sum of cones."""
    return Add(parts)


def number(value: int | Fraction) -> Number:
    """A non-negative rational multiplier."""
    return Number(Fraction(value))


def minus(zero: Cone) -> Multiple:
    """Something equal to zero, with the other sign."""
    return Multiple(scalar(-1), zero)


def geometric_decay(quantity: Scalar, factor: Cone, one_step: str) -> Induction:
    r"""From $E_b\Phi(x^+) \le q\,\Phi(x)$ for all x to $E\,\Phi(x_t) \le q^t \Phi(x_0)$.

    Args:
        quantity: $\Phi$, an expression in `x`.
        factor: a cone whose value is $q$.
        one_step: the name of the one-step lemma.
    """
    return Induction(
        base=minus(Start(quantity)),
        step=add(
            times(factor, Fact("induction")),
            AlongOf(Fact(one_step), NOW),
            minus(Tower(quantity, NOW)),
        ),
    )


def with_rate(
    theorem: Theorem, one_step: str, quantity: Scalar, factor: Scalar, reason: Cone
) -> Theorem:
    r"""The theorem followed by $E\,\Phi(x_t) \le q^t \Phi(x_0)$, from its one-step lemma.

    Args:
        theorem: it names the algorithm, and has the step `one_step`.
        one_step: the name of the step $E_b\Phi(x^+) \le q\,\Phi(x)$.
        quantity: $\Phi$, an expression in `x`.
        factor: $q$.
        reason: a cone whose value is $q$.

    Raises:
        ValueError: if the theorem runs no algorithm.
    """
    start = _at_start(theorem, quantity)
    claim = Along(quantity, NOW) <= factor**NOW * start
    return _at_every_time(theorem, "rate", claim, geometric_decay(quantity, reason, one_step))


def geometric_growth(quantity: Scalar, factor: Cone, one_step: str) -> Induction:
    r"""From $E_b\Phi(x^+) \ge q\,\Phi(x)$ for all x to $E\,\Phi(x_t) \ge q^t \Phi(x_0)$.

    Args:
        quantity: $\Phi$, an expression in `x`.
        factor: a cone whose value is $q$.
        one_step: the name of the one-step lemma.
    """
    return Induction(
        base=Start(quantity),
        step=add(
            times(factor, Fact("induction")), AlongOf(Fact(one_step), NOW), Tower(quantity, NOW)
        ),
    )


def with_growth(
    theorem: Theorem, one_step: str, quantity: Scalar, factor: Scalar, reason: Cone
) -> Theorem:
    r"""The theorem followed by $E\,\Phi(x_t) \ge q^t \Phi(x_0)$; arguments as in `with_rate`.

    Raises:
        ValueError: if the theorem runs no algorithm.
    """
    start = _at_start(theorem, quantity)
    claim = factor**NOW * start <= Along(quantity, NOW)
    return _at_every_time(theorem, "growth", claim, geometric_growth(quantity, reason, one_step))


def _at_start(theorem: Theorem, quantity: Scalar) -> Scalar:
    if theorem.dynamics is None:
        raise ValueError(f"{theorem.id} runs no algorithm, so there is no iterate t")
    return substitute(quantity, ITERATE, theorem.dynamics.start)


def _at_every_time(theorem: Theorem, name: str, claim: Relation, proof: Induction) -> Theorem:
    """The theorem with one conclusion more, by induction."""
    step = Step(name, claim, proof, "Induction on t by the tower rule.")
    return replace(theorem, proof=(*theorem.proof, step), conclusion=(*theorem.conclusion, name))
