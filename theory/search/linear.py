"""Exact linear algebra over any field: the rationals, or the rational functions of parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Number", "Solutions", "eliminate", "solutions"]

Number = Any  # anything with + - * / whose zero is false


@dataclass(frozen=True)
class Solutions:
    """All solutions of a linear system.

    Attributes:
        particular: one of them, with zero for the undetermined unknowns.
        undetermined: the unknowns that may be chosen.
        directions: for each of them, how all unknowns change with it.
    """

    particular: tuple[Number, ...]
    undetermined: tuple[int, ...]
    directions: tuple[tuple[Number, ...], ...]


def eliminate(
    rows: Sequence[Sequence[Number]], order: Sequence[int]
) -> tuple[list[Any], list[int]]:
    """The reduced row echelon form, pivots sought in the given order of columns.

    Returns:
        The non-zero rows, and the pivot column of each.
    """
    left = [list(row) for row in rows if any(row)]
    done: list[list[Number]] = []
    pivots: list[int] = []
    for column in order:
        found = [row for row in left if row[column]]
        if not found:
            continue
        pivot = min(found, key=lambda row: sum(1 for entry in row if entry))
        left.remove(pivot)
        lead = pivot[column]
        pivot = [entry / lead if entry else entry for entry in pivot]
        left = [row for row in (_cleared(row, pivot, column) for row in left) if any(row)]
        done = [_cleared(row, pivot, column) for row in done]
        done.append(pivot)
        pivots.append(column)
    return [*done, *left], pivots


def _cleared(row: list[Number], pivot: list[Number], column: int) -> list[Number]:
    factor = row[column]
    if not factor:
        return row
    return [a - factor * b if b else a for a, b in zip(row, pivot, strict=True)]


def solutions(
    rows: Sequence[Sequence[Number]],
    right: Sequence[Number],
    unknowns: int,
    zero: Number,
    one: Number,
) -> Solutions | None:
    """All solutions of `rows @ y == right`, or None if there are none.

    The last unknowns are solved for first, so that the first ones are left undetermined.
    """
    augmented = [[*row, b] for row, b in zip(rows, right, strict=True)]
    reduced, pivots = eliminate(augmented, list(reversed(range(unknowns))))
    if len(reduced) > len(pivots):
        return None
    undetermined = tuple(j for j in range(unknowns) if j not in pivots)
    particular = [zero] * unknowns
    for row, pivot in zip(reduced, pivots, strict=True):
        particular[pivot] = row[-1]
    directions = []
    for j in undetermined:
        direction = [zero] * unknowns
        direction[j] = one
        for row, pivot in zip(reduced, pivots, strict=True):
            direction[pivot] = zero - row[j]
        directions.append(tuple(direction))
    return Solutions(tuple(particular), undetermined, tuple(directions))
