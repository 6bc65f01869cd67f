"""Whether a theorem is what its types and its scopes promise.  TRUSTED.

The kernel dispatches on types and trusts equality, so every part of a theorem must be *exactly* of
the type that its field declares: no subclass (it could lie about equality), no bool for an int, no
int for a rational, no character that does not show.  And a bound symbol must not escape: the
iterate `x`, the time `t` and the sample `b` have their places.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import types
import typing
from collections.abc import Callable, Iterator
from enum import Enum
from fractions import Fraction
from typing import Any

from theory import certificates as C
from theory.expressions import terms as T
from theory.expressions.budget import fault
from theory.statements import ITERATE, Assumption, Condition, Theorem

MAX_DEPTH = 150
MAX_NODES = 200_000
RESERVED = ("induction",)
# By identity: a class decides itself what it is equal to.
FAMILIES: dict[Any, frozenset[int]] = {
    base: frozenset(
        id(item)
        for item in vars(T).values()
        if isinstance(item, type) and issubclass(item, base) and item is not base
    )
    for base in (T.Scalar, T.Vector)
}


class IllShaped(T.IllFormed):
    """Data that is not of the declared type, with the place in one line."""


@functools.cache
def fits(annotation: Any) -> Callable[[object], bool]:
    """A test for one field: exact types; the fields of a dataclass are not looked into."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        options = [fits(option) for option in arguments]
        return lambda item: any(option(item) for option in options)
    if origin is tuple and arguments[-1] is Ellipsis:
        each = fits(arguments[0])
        return lambda item: type(item) is tuple and all(each(part) for part in item)
    if origin is tuple:
        parts = [fits(argument) for argument in arguments]
        return lambda item: (
            type(item) is tuple
            and len(item) == len(parts)
            and all(part(its) for part, its in zip(parts, item, strict=True))
        )
    if annotation in FAMILIES:
        return lambda item: id(type(item)) in FAMILIES[annotation]
    if annotation is str:
        return lambda item: type(item) is str and item.isprintable()
    if annotation is float:
        return lambda item: (
            (type(item) is float or type(item) is int) and math.isfinite(typing.cast(float, item))
        )
    if annotation is Fraction:
        return lambda item: type(item) is Fraction and not fault(item)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return lambda item: any(item is member for member in annotation)
    return lambda item: type(item) is annotation


def _shown(value: Any) -> str:
    """What stands in a field, where its type does not say it; of a tuple the first fault."""
    if type(value) is str and not value.isprintable():
        return "text with a character that does not show"
    if type(value) is Fraction and fault(value):
        return fault(value)
    parts = map(_shown, value) if type(value) is tuple else ()
    return next((said for said in parts if " " in said), type(value).__name__)


@functools.cache
def fields(kind: type) -> dict[str, Any]:
    """The declared types of a dataclass's fields."""
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


def check_fields(kind: type, values: dict[str, Any]) -> None:
    """Compare the fields of one dataclass with what it declares.

    Raises:
        IllShaped: naming the field that differs.
    """
    for name, annotation in fields(kind).items():
        if not fits(annotation)(values[name]):
            shown = _shown(values[name])
            raise IllShaped(f"{kind.__name__}.{name} is declared otherwise than {shown}")


def conform(item: object, annotation: Any) -> None:
    """Compare a whole tree with a declared type.

    Raises:
        IllShaped: naming the first field that differs; also for a tree that is too deep or large.
    """
    if not fits(annotation)(item):
        raise IllShaped(f"a {type(item).__name__} stands where another type is declared")
    seen = 0
    waiting: list[tuple[Any, int]] = [(item, 0)]
    while waiting:
        node, depth = waiting.pop()
        seen += 1
        if depth > MAX_DEPTH or seen > MAX_NODES:
            raise IllShaped(f"more than {MAX_DEPTH} levels or {MAX_NODES} nodes")
        if dataclasses.is_dataclass(node) and not isinstance(node, type):
            kind, values = type(node), vars(node)
            if values.keys() != fields(kind).keys():
                raise IllShaped(f"a {kind.__name__} has other attributes than its fields")
            check_fields(kind, values)
            if hasattr(kind, "__post_init__"):
                kind.__post_init__(node)
            waiting += [(value, depth + 1) for value in values.values()]
        elif isinstance(node, tuple):
            waiting += [(part, depth + 1) for part in node]


def has(tree: object, *kinds: type, sampled: bool = False) -> bool:
    """Whether a tree has a node of these kinds, or (`sampled`) a sample-dependent function."""
    return any(
        isinstance(node, kinds)
        or (sampled and isinstance(node, T.Function | T.Operator) and node.sampled)
        for node in T.nodes(tree)
    )


def _free(hypothesis: Condition | Assumption) -> Iterator[object]:
    """The nodes of a hypothesis, without the variables that a rule binds."""
    if isinstance(hypothesis, Condition):
        yield from T.nodes(hypothesis.relation)
        return
    for rule in hypothesis.rules:
        bound = frozenset(variable.name for variable in rule.variables)
        for node in T.nodes(rule.relation):
            if not (isinstance(node, T.Named) and node.name in bound):
                yield node


def check_scopes(theorem: Theorem) -> None:
    """Refuse hypotheses and starting points in which `x`, `t` or `b` would be captured.

    Raises:
        IllFormed: with the reason.
    """
    names = [h.name for h in theorem.hypotheses]
    if len(set(names)) < len(names) or set(names) & set(RESERVED):
        raise T.IllFormed("two hypotheses share a name, or one has a reserved name")
    if any(ITERATE in _free(hypothesis) for hypothesis in theorem.hypotheses):
        raise T.IllFormed("a hypothesis mentions x, which stands for an arbitrary point")
    if has(theorem.hypotheses, T.Time):
        raise T.IllFormed("a hypothesis mentions the time t, which stands for an arbitrary time")
    if theorem.dynamics is None:
        if has((theorem.proof, theorem.divisors), T.Along, C.AlongOf, C.Tower, C.Start):
            raise T.IllFormed("a trajectory is mentioned, and the theorem runs no algorithm")
    else:
        start = theorem.dynamics.start
        if ITERATE in T.nodes(start) or has(start, T.Time, sampled=True):
            raise T.IllFormed("the starting point depends on x, on the time or on the sample")
