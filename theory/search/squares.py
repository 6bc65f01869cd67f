"""Symmetric matrices as sums of squares: elimination with a proof of every sign that it needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Number", "Simplicity", "WeightedSquare", "decompose"]

Number = Any
Simplicity = Callable[[Number, Sequence[Number]], Any]


@dataclass(frozen=True)
class WeightedSquare:
    """`weight * (sum of coefficients * basis)^2`."""

    weight: Number
    coefficients: tuple[Number, ...]


def decompose(
    matrix: Sequence[Sequence[Number]],
    acceptable: Callable[[WeightedSquare], bool],
    clear: Callable[[Number, Sequence[Number]], WeightedSquare],
    rank: Callable[[WeightedSquare], Any],
) -> list[WeightedSquare] | None:
    """A matrix as a sum of weighted squares with acceptable weights, or None.

    Args:
        matrix: symmetric, over any field.
        acceptable: whether the weight's sign, and that of its divisors, can be certified.
        clear: a pivot and its row as a weighted square without divisors in the coefficients.
        rank: the acceptable square of lowest rank is eliminated first.
    """
    size = len(matrix)
    rows = [list(row) for row in matrix]
    found: list[WeightedSquare] = []
    while any(any(row) for row in rows):
        pivots = [(clear(rows[i][i], rows[i]), i) for i in range(size) if rows[i][i]]
        pivots.sort(key=lambda pair: rank(pair[0]))
        chosen = next((pair for pair in pivots if acceptable(pair[0])), None)
        if chosen is None:
            return None
        square, i = chosen
        found.append(square)
        pivot, row = rows[i][i], list(rows[i])
        rows = [
            [entry - row[a] * row[b] / pivot for b, entry in enumerate(its)]
            for a, its in enumerate(rows)
        ]
    return found
