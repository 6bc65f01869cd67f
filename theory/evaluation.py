"""Theorems as vectorised float functions with a domain: what measurements and figures call.

Nothing here proves anything.  The expressions are those of the statement, so a formula is typed
once, in the library file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from theory.trusted.statements import Condition, Theorem
from theory.trusted.terms import (
    Const,
    Param,
    Power,
    Product,
    Quotient,
    Relation,
    Scalar,
    Sum,
    nodes,
)

__all__ = [
    "ROUNDING",
    "Evaluation",
    "Floats",
    "conditions",
    "evaluate",
    "holds",
    "implied",
    "is_numeric",
    "parameters",
    "positive_root",
    "value",
]

Floats = NDArray[np.float64]
ROUNDING = 1e-12  # relative: what the few float64 operations of a side of a relation can lose


@dataclass(frozen=True)
class Evaluation:
    """A quantity of a theorem at given parameters.

    Attributes:
        value: float64, broadcast over the parameters, and a float if all of them are numbers; NaN
            where the theorem says nothing.
        covered: whether the hypotheses on the parameters hold there, of the same shape.
        uncovered_by: the names of the conditions that fail somewhere.
    """

    value: Floats | float
    covered: NDArray[np.bool_] | bool
    uncovered_by: tuple[str, ...]

    def __repr__(self) -> str:
        failing = f"; failing: {', '.join(self.uncovered_by)}" if self.uncovered_by else ""
        if isinstance(self.value, float):
            return f"<Evaluation {self.value}{failing}>"
        inside = self.value[self.covered]
        span = f", from {inside.min():.6g} to {inside.max():.6g}" if inside.size else ""
        shape = f"of shape {self.value.shape}"
        return f"<Evaluation {shape}, {inside.size} covered{span}{failing}>"


def parameters(tree: Any) -> frozenset[str]:
    """The names of the parameters in an expression, relation or theorem."""
    return frozenset(node.name for node in nodes(tree) if isinstance(node, Param))


def is_numeric(tree: Any) -> bool:
    """Whether an expression or relation is made of parameters and rationals alone."""
    allowed = (Const, Param, Sum, Product, Quotient, Power)
    return all(
        isinstance(node, allowed) and not (isinstance(node, Power) and not _natural(node))
        for node in nodes(tree)
        if isinstance(node, Scalar)
    )


def _natural(power: Power) -> bool:
    return isinstance(power.exponent, int)


def value(
    tree: Scalar, measured: Mapping[Scalar, ArrayLike] | None = None, /, **given: ArrayLike
) -> Floats:
    """The float64 value of an expression made of parameters, rationals and measured parts.

    Args:
        tree: the expression.
        measured: numbers for whole subexpressions, such as a loss or an expectation.
        given: the parameters by name; anything that broadcasts.

    Raises:
        ValueError: if a parameter is missing, or the expression has no numeric meaning.
    """
    numbers = {name: np.asarray(number, dtype=np.float64) for name, number in given.items()}
    known = {part: np.asarray(x, dtype=np.float64) for part, x in (measured or {}).items()}

    def go(node: Scalar) -> Floats:
        if node in known:
            return known[node]
        match node:
            case Const(rational):
                return np.asarray(float(rational))
            case Param(name) if name in numbers:
                return numbers[name]
            case Param(name):
                raise ValueError(f"missing parameter {name}: give it by keyword")
            case Sum(terms):
                return np.asarray(sum((go(term) for term in terms), start=np.zeros(())))
            case Product(factors):
                result = np.ones(())
                for factor in factors:
                    result = result * go(factor)
                return np.asarray(result)
            case Quotient(numerator, divisor):
                with np.errstate(divide="ignore", invalid="ignore"):
                    return np.asarray(go(numerator) / go(divisor))
            case Power(base, int(exponent)):
                return np.asarray(go(base) ** exponent)
        raise ValueError(f"a {type(node).__name__} has no numeric value of its own")

    return go(tree)


def holds(relation: Relation, **given: ArrayLike) -> NDArray[np.bool_]:
    """Whether a relation between parameters holds, up to rounding on `<=` and `==`."""
    left, right = value(relation.left, **given), value(relation.right, **given)
    room = ROUNDING * np.maximum(np.abs(left), np.abs(right))
    if relation.sign == "<":
        return np.asarray(left < right)
    if relation.sign == "<=":
        return np.asarray(left <= right + room)
    return np.asarray(np.abs(left - right) <= room)


def conditions(theorem: Theorem, names: frozenset[str]) -> tuple[Condition, ...]:
    """The hypotheses that are relations between the named parameters alone."""
    return tuple(
        h
        for h in theorem.hypotheses
        if isinstance(h, Condition) and is_numeric(h.relation) and parameters(h.relation) <= names
    )


def implied(
    theorem: Theorem, wanted: frozenset[str], given: Mapping[str, ArrayLike]
) -> dict[str, Floats]:
    """The given parameters and, of those wanted, the ones that the theorem defines by an equation.

    A parameter that is not given is taken as the positive root of an equality hypothesis in which
    it is the only unknown, of degree one or two in it: `root` from `mu` and `beta`, for example.
    """
    known = {name: np.asarray(number, dtype=np.float64) for name, number in given.items()}
    for name in sorted(wanted - known.keys()):
        for h in theorem.hypotheses:
            if not isinstance(h, Condition) or h.relation.sign != "==":
                continue
            if is_numeric(h.relation) and parameters(h.relation) - known.keys() == {name}:
                at = [value(h.relation.slack, **known, **{name: x}) for x in (0.0, 1.0, -1.0)]
                known[name] = positive_root(at[0], (at[1] - at[2]) / 2, (at[1] + at[2]) / 2 - at[0])
    return known


def positive_root(a: Floats, b: Floats, c: Floats) -> Floats:
    """The positive root of a + b x + c x² = 0, stable also where c is 0; NaN if there is none."""
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.sqrt(b * b - 4 * a * c)
        first, second = 2 * a / (spread - b), 2 * a / (-spread - b)
    return np.where(first > 0, first, np.where(second > 0, second, np.nan))


def evaluate(theorem: Theorem, quantity: str, **given: ArrayLike) -> Evaluation:
    """A named quantity of a theorem, where its hypotheses on the parameters hold.

    The hypotheses that are checked are those that speak of the given parameters and the quantity's
    own alone; hypotheses on functions and operators are the caller's to establish.  A parameter
    that the theorem defines by an equation need not be given (see `implied`).

    Raises:
        ValueError: for an unknown quantity, or a missing parameter.
    """
    known = {q.name: q.expression for q in theorem.quantities}
    if quantity not in known:
        raise ValueError(
            f"{theorem.id} has no quantity {quantity!r}: it has {', '.join(known) or 'none'}"
        )
    tree = known[quantity]
    complete = implied(theorem, parameters(tree), given)
    number = value(tree, **complete)
    covered = np.ones(np.shape(number), dtype=bool)
    failing = []
    for condition in conditions(theorem, frozenset(complete)):
        here = holds(condition.relation, **complete)
        covered = covered & here
        if not np.all(here):
            failing.append(condition.name)
    if all(np.ndim(number) == 0 for number in given.values()):
        found = float(number) if covered else np.nan
        return Evaluation(found, bool(covered), tuple(failing))
    return Evaluation(np.where(covered, number, np.nan), covered, tuple(failing))
