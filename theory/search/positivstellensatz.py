r"""Polynomial inequalities on semialgebraic sets, $p = \sum_\alpha \sigma_\alpha g^\alpha$.

The multipliers are sums of squares (Schmüdgen).  Semidefinite programming proposes their Gram
matrices; these are reduced until they are definite, then rounded, and the identity solved exactly.

Source: Peyrl, Parrilo 2008, Computing sum of squares decompositions with rational coefficients.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from theory.proving.models import is_positive_semidefinite
from theory.search.fields import Field, Ring
from theory.search.handelman import (
    NOTHING,
    ONE,
    Known,
    degree,
    identity,
    multiples,
    products,
    scaled,
)
from theory.search.linear import eliminate, solutions
from theory.search.outcome import Clock
from theory.search.rounding import identity_on, rational
from theory.search.sdp import Floats, Sdp, SdpSolution, Solver, matrices, solve, triangle
from theory.search.squares import WeightedSquare, decompose
from theory.trusted.certificates import Add, Cone, Multiple, Number, Square, Times
from theory.trusted.terms import Const

__all__ = ["LARGE", "PRECISIONS", "TINY", "Block", "sum_of_squares"]

PRECISIONS = (1, 2, 12, 60, 1000, 10**5, 10**7)
TINY = 1e-6
LARGE = 800


@dataclass(frozen=True)
class Block:
    """A known product, and the polynomials whose squares may multiply it."""

    known: Known
    basis: tuple[Ring, ...]


def sum_of_squares(
    field: Field,
    target: Ring,
    known: Sequence[Known],
    zeros: Sequence[Known],
    top: int,
    solver: Solver,
    clock: Clock,
) -> tuple[Cone | None, SdpSolution]:
    """The target as a combination of products with sums of squares as multipliers.

    Args:
        field: the parameters.
        target: the polynomial.
        known: polynomials of known sign; products of two different ones are used.
        zeros: polynomials that vanish.
        top: the degree of every term.
        solver: proposes the Gram matrices.
        clock: the time limit.

    Returns:
        The certificate if there is one, and the solver's last answer.
    """
    pairs = [p for p in products(field, known, 2) if degree(p.poly) <= top]
    blocks = [
        Block(p, tuple(field.poly([(m, ONE)]) for m in field.monomials(half)))
        for p in pairs
        if (half := (top - degree(p.poly)) // 2) >= 0
    ]
    free = list(multiples(field, zeros, top))
    for _ in range(6):
        columns = [m * z.poly for m, z in free]
        for block in blocks:
            for i, j in triangle(len(block.basis)):
                square = block.known.poly * block.basis[i] * block.basis[j]
                columns.append(square if i == j else 2 * square)
        rows, right = identity(target, columns)
        sdp = Sdp(
            np.array(rows, dtype=float).reshape(len(rows), len(columns)),
            np.array(right, dtype=float),
            np.zeros(len(columns)),
            0,
            len(free),
            tuple(len(block.basis) for block in blocks),
        )
        answer = solve(sdp, solver, clock.left)
        if answer.unknowns is None:
            return None, answer
        if len(columns) > LARGE:
            return None, replace(answer, reason=f"{len(columns)} unknowns are too many to round")
        smaller = _reduced(field, blocks, sdp, answer.unknowns)
        if smaller is None:
            return None, answer
        if [len(b.basis) for b in smaller] == [len(b.basis) for b in blocks]:
            return _rounded(field, free, blocks, (rows, right), sdp, answer.unknowns), answer
        blocks = smaller
    return None, replace(answer, reason="the Gram matrices keep losing rank")


def _reduced(
    field: Field, blocks: Sequence[Block], sdp: Sdp, unknowns: Floats
) -> list[Block] | None:
    """The blocks without the directions in which their Gram matrices vanish; None if unclear."""
    scale = max(float(np.max(np.abs(unknowns), initial=0.0)), 1e-9)
    found = []
    for block, gram in zip(blocks, matrices(sdp, unknowns), strict=True):
        values, vectors = np.linalg.eigh(gram)
        nullity = int(np.sum(values < TINY * scale))
        if nullity == len(values):
            continue
        if nullity == 0:
            found.append(block)
            continue
        _, rough = identity_on(vectors[:, :nullity].T, None)
        kernel = [[_rough(float(entry)) for entry in row] for row in rough]
        if any(entry is None for row in kernel for entry in row):
            return None
        reduced, pivots = eliminate(kernel, range(len(values)))
        basis = []
        for j in range(len(values)):
            if j not in pivots:
                vector = block.basis[j]
                for row, pivot in zip(reduced, pivots, strict=True):
                    if row[j]:
                        vector = vector - scaled(field, row[j], block.basis[pivot])
                basis.append(vector)
        found.append(Block(block.known, tuple(basis)))
    return found


def _rough(number: float) -> Fraction | None:
    """A simple rational near a number known to three or four digits."""
    near = Fraction(number).limit_denominator(8)
    return near if abs(float(near) - number) < 2e-3 else rational(number)


def _rounded(
    field: Field,
    free: Sequence[tuple[Ring, Known]],
    blocks: Sequence[Block],
    equations: tuple[list[list[Fraction]], list[Fraction]],
    sdp: Sdp,
    unknowns: Floats,
) -> Cone | None:
    """The identity with rational Gram matrices that are exactly positive semidefinite."""
    exact = solutions(*equations, len(unknowns), NOTHING, ONE)
    if exact is None:
        return None
    for precision in PRECISIONS:
        values = list(exact.particular)
        for j, direction in zip(exact.undetermined, exact.directions, strict=True):
            step = Fraction(round(float(unknowns[j]) * precision), precision)
            if step:
                values = [v + step * d if d else v for v, d in zip(values, direction, strict=True)]
        grams, at = [], len(free)
        for block in blocks:
            gram = np.empty((len(block.basis),) * 2, dtype=object)
            for i, j in triangle(len(block.basis)):
                gram[i, j] = gram[j, i] = values[at]
                at += 1
            grams.append(gram)
        if all(is_positive_semidefinite(gram) for gram in grams):
            parts = [
                part for b, g in zip(blocks, grams, strict=True) for part in _cones(field, b, g)
            ]
            parts += [
                Multiple(field.tree(scaled(field, value, m)), zero.cone)
                for value, (m, zero) in zip(values, free, strict=False)
                if value
            ]
            return Add(tuple(parts))
    return None


def _cones(field: Field, block: Block, gram: Floats) -> Iterator[Cone]:
    """A block as non-negative multiples of squares times its known polynomial."""
    squares = decompose(
        gram.tolist(),
        acceptable=lambda square: square.weight > 0,
        clear=lambda pivot, row: WeightedSquare(pivot, tuple(entry / pivot for entry in row)),
        rank=lambda square: 0,
    )
    for square in squares or ():
        root = field.sympy.ring.zero
        for coefficient, poly in zip(square.coefficients, block.basis, strict=True):
            if coefficient:
                root = root + scaled(field, coefficient, poly)
        tree = field.tree(root)
        parts: list[Cone] = []
        if square.weight != 1:
            parts.append(Number(square.weight))
        if not isinstance(tree, Const) or tree.value != 1:
            parts.append(Square(tree))
        if not isinstance(block.known.cone, Number):
            parts.append(block.known.cone)
        yield parts[0] if len(parts) == 1 else Times(tuple(parts))
