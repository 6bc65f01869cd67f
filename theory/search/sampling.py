"""Exact points of the parameter range that a theorem's conditions describe."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction

from theory.search.candidates import about_parameters, parameters, value
from theory.search.fields import Field, Point
from theory.trusted.statements import Condition, Hypothesis, Step
from theory.trusted.terms import Param, Relation

__all__ = ["points", "range_conditions"]

TRIES, IDLE = 40_000, 4_000


def range_conditions(
    hypotheses: Iterable[Hypothesis], proof: Iterable[Step] = ()
) -> list[tuple[str, Relation]]:
    """The conditions, and earlier steps, that are relations between parameters alone."""
    stated = [(h.name, h.relation) for h in hypotheses if isinstance(h, Condition)]
    stated += [(step.name, step.claim) for step in proof]
    return [(name, relation) for name, relation in stated if about_parameters(relation)]


def points(
    names: Sequence[str], relations: Sequence[Relation], seed: int = 0, interior: bool = True
) -> Iterator[Point]:
    """Different points with small numerators and denominators at which the relations hold.

    A relation `p == expression` determines the parameter p; other equalities are left to chance.

    Args:
        names: the parameters to be given values.
        relations: relations between parameters.
        seed: of the random choices.
        interior: whether `<=` must hold strictly, where parameters decide it.
    """
    chance = random.Random(seed)
    field = Field(tuple(sorted({*names, *parameters(*relations)})))
    elements = [(field.element(value(relation.slack)), relation.sign) for relation in relations]
    slacks = [
        (slack, sign, interior and not (slack.numer.is_ground and slack.denom.is_ground))
        for slack, sign in elements
    ]
    given = _determined(field, relations)
    seen: set[tuple[Fraction, ...]] = set()
    last = 0
    for attempt in range(TRIES):
        if attempt - last > IDLE:
            return
        top = 4 + attempt // 200
        point = {
            name: Fraction(chance.randint(1, top), chance.randint(1, min(top, 8 + top // 2)))
            * (1 if chance.random() < 0.8 else -1)
            * (interior or chance.random() < 0.9)  # zero is on many a boundary
            for name in field.names
        }
        try:
            for name, tree in given:
                point[name] = field.evaluate(tree, point)
            values = [(field.evaluate(slack, point), *how) for slack, *how in slacks]
        except ZeroDivisionError:
            continue
        key = tuple(point.values())
        if key not in seen and all(itertools.starmap(_holds, values)):
            seen.add(key)
            last = attempt
            yield point


def _determined(field: Field, relations: Sequence[Relation]) -> list[tuple[str, object]]:
    """The parameters that an equality gives in terms of others."""
    found: dict[str, object] = {}
    for relation in relations:
        for one, other in ((relation.left, relation.right), (relation.right, relation.left)):
            if relation.sign == "==" and isinstance(one, Param):
                loop = parameters(other) & {one.name, *found}
                if one.name not in found and not loop:
                    found[one.name] = field.element(value(other))
                    break
    return list(found.items())


def _holds(slack: Fraction, sign: str, interior: bool) -> bool:
    if sign == "==":
        return slack == 0
    return slack > 0 or (slack == 0 and sign == "<=" and not interior)
