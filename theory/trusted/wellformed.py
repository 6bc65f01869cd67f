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
import re
import types
import typing
from collections.abc import Callable, Iterator
from enum import Enum
from fractions import Fraction
from typing import Any

from theory.trusted import certificates as C
from theory.trusted import terms as T
from theory.trusted.algorithms import GD, NORMALIZED_SAM, SAM, SGD
from theory.trusted.budget import fault
from theory.trusted.notation import written
from theory.trusted.statements import ITERATE, Assumption, Condition, Theorem

MAX_DEPTH = 150
MAX_NODES = 200_000
RESERVED = ("induction",)
NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)*", re.ASCII)
TIMED = re.compile(r"_[bt]\Z|\Ax_[0-9]*[1-9]\Z")
# Letters that do not show: no space and no control character, and yet invisible or empty.
INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U0001d159]"
    "|[\U000e0100-\U000e01ef]"
)
STANDARD = {spec.name: spec for spec in (GD, SGD, SAM, NORMALIZED_SAM)}
START = T.Named("x_0")
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
        return lambda item: type(item) is str and shows(item)
    if annotation is float:
        return lambda item: (
            (type(item) is float or type(item) is int) and math.isfinite(typing.cast(float, item))
        )
    if annotation is Fraction:
        return lambda item: type(item) is Fraction and not fault(item)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return lambda item: any(item is member for member in annotation)
    return lambda item: type(item) is annotation


def shows(text: str) -> bool:
    """Whether every character of a text shows."""
    return text.isprintable() and not INVISIBLE.search(text)


def _shown(value: Any) -> str:
    """What stands in a field, where its type does not say it; of a tuple the first fault."""
    if type(value) is str and not shows(value):
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


def check_names(theorem: Theorem) -> None:
    """Refuse names that are not what they look like, and one that is two things.

    Raises:
        IllFormed: naming it, with the remedy.
    """
    if not NAME.fullmatch(theorem.id.replace("-", "_")):
        raise T.IllFormed(f"the id {theorem.id!r} is not made of letters, digits, _ and -")
    owners: dict[str, T.Function | T.Named | T.Operator | T.Param] = {}
    for item in T.nodes(theorem):
        if not isinstance(item, T.Function | T.Named | T.Operator | T.Param):
            continue
        if not NAME.fullmatch(item.name) or item.name in ("E", "t") or TIMED.search(item.name):
            raise T.IllFormed(
                f"{item.name!r} is no name: take letters, digits and single _, but not E, t, "
                "a last _b or _t, nor x_1, which stand for other things"
            )
        other = owners.setdefault(written(item), item)
        same = type(other) is type(item) and other.name == item.name
        if same and isinstance(item, T.Operator) and isinstance(other, T.Operator):
            same = item.symmetric == other.symmetric
        if not same:
            raise T.IllFormed(
                f"{other!r} and {item!r} are written alike: give one of them another name"
            )
    if "b" in owners and has(theorem, sampled=True):
        raise T.IllFormed("b is the random sample: give what is named so another name")
    if theorem.dynamics is not None:
        spec = theorem.dynamics.algorithm
        if spec != STANDARD.get(spec.name, spec):
            raise T.IllFormed(f"{spec.name} is the name of another algorithm: give it its own")
        if theorem.dynamics.start != START and START in owners.values():
            raise T.IllFormed("x_0 is the iterate at time 0, and the algorithm starts elsewhere")


def check_scopes(theorem: Theorem) -> None:
    """Refuse hypotheses and starting points in which `x`, `t` or `b` would be captured.

    Raises:
        IllFormed: with the reason.
    """
    check_names(theorem)
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
