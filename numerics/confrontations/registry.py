"""Which confrontation speaks to a theorem: the shape of its statement tells, or all that it states.

A confrontation registers itself beside its implementation, in one of two ways.  By `shape`, if a
predicate can tell from hypotheses, algorithm and claims that what is measured is what is claimed.
By `like`, where that takes more than a shape: then a theorem must state the same as the one of the
library for which the confrontation was written, up to the values of its quantities.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar

import theory
from numerics.confrontations.verdicts import Measurement, Point, inconclusive, judge
from theory.evaluation import conditions, holds, implied, is_numeric, parameters
from theory.trusted.statements import Assumption, Condition, Theorem
from theory.trusted.terms import (
    Const,
    Param,
    Power,
    Product,
    Quotient,
    Relation,
    Scalar,
    Sum,
    substitute,
)

__all__ = [
    "AT_MINIMA",
    "ON_LEAST_SQUARES",
    "Confrontation",
    "Register",
    "admits",
    "assumed",
    "atoms",
    "computable",
    "rules_of",
    "unestablished",
]

Subject = TypeVar("Subject")
#: What a theorem lacks for being measured, in words; None if its claim is of another shape.
Lacks = Callable[[Theorem], Sequence[str] | None]


@dataclass(frozen=True)
class Confrontation(Generic[Subject]):
    """A way to measure what a theorem claims.

    Attributes:
        points: the settings in which the hypotheses hold, each with both sides of the claim.
        words: what is measured.
        because: why the shape of a statement does not tell that it may be measured; "" if it does.
    """

    points: Callable[[Theorem, Subject], Iterator[Point]]
    words: Callable[[Theorem], str]
    because: str = ""

    def __call__(self, theorem: Theorem, problem: str, subjects: Iterable[Subject]) -> Measurement:
        """What a problem says of a theorem, from all of its minima or from itself."""
        points = (point for subject in subjects for point in self.points(theorem, subject))
        try:
            return judge(theorem.id, problem, self.words(theorem), points)
        except OverflowError:
            return inconclusive(theorem.id, problem, "a rational of it is no float64: divide it")


@dataclass(frozen=True)
class Taken:
    """What a measurement takes from a theorem, and so may differ from the library's.

    Attributes:
        reads: conclusions whose right side it takes.
        ignores: quantities that it does not take; it takes all others.
    """

    reads: tuple[str, ...] = ()
    ignores: tuple[str, ...] = ()


Points = Callable[[Theorem, Subject], Iterator[Point]]
Decorator = Callable[[Points[Subject]], Points[Subject]]


class Register(Generic[Subject]):
    """The confrontations that one kind of problem offers."""

    def __init__(self) -> None:
        self.shapes: list[tuple[Lacks, Confrontation[Subject]]] = []
        self.special: dict[str, tuple[Confrontation[Subject], Taken]] = {}

    def shape(self, lacks: Lacks, words: str | Callable[[Theorem], str]) -> Decorator[Subject]:
        """Register a confrontation of every theorem that lacks nothing for it."""

        def decorate(points: Points[Subject]) -> Points[Subject]:
            self.shapes.append((lacks, Confrontation(points, as_words(words))))
            return points

        return decorate

    def like(
        self,
        *ids: str,
        words: str,
        because: str,
        reads: tuple[str, ...] = (),
        ignores: tuple[str, ...] = (),
    ) -> Decorator[Subject]:
        """Register a confrontation of all that states the same as a theorem of the library.

        Args:
            ids: of the theorems for which it was written.
            words: what is measured.
            because: why the shape of the statement does not tell.
            reads: conclusions whose right side the measurement takes from the theorem.
            ignores: quantities that it does not take from there: they must be the library's.
        """

        def decorate(points: Points[Subject]) -> Points[Subject]:
            found = Confrontation(points, as_words(words), because)
            self.special |= dict.fromkeys(ids, (found, Taken(reads, ignores)))
            return points

        return decorate

    def find(self, theorem: Theorem) -> Confrontation[Subject] | None:
        """The confrontation for what a theorem claims; None if there is none."""
        for name, (found, taken) in self.special.items():
            if states_the_same(theorem, name, taken):
                return found
        return next((found for lacks, found in self.shapes if lacks(theorem) == ()), None)

    def lacking(self, theorem: Theorem) -> tuple[str, ...]:
        """What keeps a theorem from a confrontation that its claim has the shape for."""
        return tuple(what for lacks, _ in self.shapes for what in lacks(theorem) or ())


def as_words(words: str | Callable[[Theorem], str]) -> Callable[[Theorem], str]:
    """What is measured, as a function of the theorem."""
    return words if callable(words) else lambda _: words


def unestablished(
    theorem: Theorem,
    rules: frozenset[tuple[Any, Relation]],
    given: Iterable[str],
    granted: Callable[[Relation], bool] = lambda _: False,
) -> Iterator[str]:
    """The hypotheses of a theorem that a problem does not establish, in words.

    Args:
        theorem: of any kind.
        rules: variables and relation of every rule that holds there.
        given: the parameters that have a value there; an equation may define others.
        granted: whether a condition that speaks of more than parameters holds there.
    """
    known = frozenset(given)
    known |= defined(theorem, known, parameters(theorem.hypotheses))
    for h in theorem.hypotheses:
        if isinstance(h, Assumption):
            missing = [r for r in h.rules if (r.variables, r.relation) not in rules]
            if missing or not h.rules:
                yield f"the hypothesis {h.name!r} is not established there"
        elif granted(h.relation):
            continue
        elif not is_numeric(h.relation):
            yield f"the condition {h.name!r} is not established there"
        elif unknown := sorted(parameters(h.relation) - known):
            yield f"{', '.join(unknown)} in the condition {h.name!r} has no value there"


def computable(theorem: Theorem, tree: Any, given: Iterable[str]) -> bool:
    """Whether every parameter of an expression is given, or defined by equations (`implied`)."""
    known = frozenset(given)
    return parameters(tree) <= known | defined(theorem, known, parameters(tree))


def admits(theorem: Theorem, given: Mapping[str, float]) -> bool:
    """Whether all conditions on parameters hold, those on parameters that others define too."""
    complete = implied(theorem, parameters(theorem.hypotheses), given)
    wanted = conditions(theorem, frozenset(complete))
    return all(bool(holds(condition.relation, **complete)) for condition in wanted)


def defined(theorem: Theorem, given: frozenset[str], wanted: frozenset[str]) -> frozenset[str]:
    """The wanted parameters that `implied` computes from the given ones."""
    known = given
    for name in sorted(wanted - given):
        for h in theorem.hypotheses:
            if not isinstance(h, Condition) or h.relation.sign != "==":
                continue
            if is_numeric(h.relation) and parameters(h.relation) - known == {name}:
                known |= {name}
    return known - given


def assumed(theorem: Theorem, name: str) -> Assumption:
    """An assumption of a theorem, by name."""
    (found,) = (h for h in theorem.hypotheses if isinstance(h, Assumption) and h.name == name)
    return found


def rules_of(*assumptions: Assumption) -> frozenset[tuple[Any, Relation]]:
    """Variables and relation of every rule."""
    return frozenset((r.variables, r.relation) for a in assumptions for r in a.rules)


def states_the_same(theorem: Theorem, name: str, taken: Taken) -> bool:
    """Whether a theorem says what one of the library says, up to what a measurement takes from it.

    That, quantities and right sides of conclusions, may be another expression, in nothing that the
    library's is not made of.
    """
    if names(theorem) != names(theory.load()[name]):  # most differ here, which is quickly seen
        return False
    theirs, own = skeleton(theorem, taken), of_library(name, taken)
    if theirs[0] != own[0]:
        return False
    return all(x <= y for x, y in zip(theirs[1], own[1], strict=True))


def names(theorem: Theorem) -> tuple[tuple[str, ...], ...]:
    """What the hypotheses, conclusions and quantities are called."""
    hypotheses = tuple(h.name for h in theorem.hypotheses)
    return hypotheses, theorem.conclusion, tuple(q.name for q in theorem.quantities)


@cache
def of_library(name: str, taken: Taken) -> tuple[Any, tuple[frozenset[Any], ...]]:
    """The skeleton of a theorem of the library."""
    return skeleton(theory.load()[name], taken)


def skeleton(theorem: Theorem, taken: Taken) -> tuple[Any, tuple[frozenset[Any], ...]]:
    """What a theorem states, without the values that a measurement reads, and their parts."""
    quantities = [q for q in theorem.quantities if q.name not in taken.ignores]
    read = [frozenset(atoms(q.expression)) for q in quantities]
    claims = {step.name: step.claim for step in theorem.proof}
    read += [frozenset(atoms(claims[name].right)) for name in taken.reads if name in claims]
    said: Any = (
        tuple(
            (h.name, h.relation if isinstance(h, Condition) else h.rules)
            for h in theorem.hypotheses
        ),
        tuple(
            (n, claims[n].left, claims[n].sign, None if n in taken.reads else claims[n].right)
            for n in theorem.conclusion
        ),
        tuple(q.expression for q in quantities),
        tuple(q.expression for q in theorem.quantities if q.name in taken.ignores),
        theorem.dynamics,
    )
    for i, quantity in enumerate(quantities):
        said = substitute(said, said[2][i], Param(f"({quantity.name})"))
    return said, tuple(read)


def atoms(tree: Scalar) -> Iterator[Scalar]:
    """What an expression combines by arithmetic."""
    match tree:
        case Const():
            return
        case Sum(parts) | Product(parts):
            pass
        case Quotient(numerator, divisor):
            parts = (numerator, divisor)
        case Power(base, int()):
            parts = (base,)
        case _:
            yield tree
            return
    for part in parts:
        yield from atoms(part)


#: Least squares with exact constants, and minima with exact Hessians of every sample.
ON_LEAST_SQUARES: Register[Any] = Register()
AT_MINIMA: Register[Any] = Register()
