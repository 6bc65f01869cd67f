"""Small samples and vectors in which hypotheses may hold: instances before their parameters."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from theory.trusted import terms as T
from theory.trusted.statements import Matrix, Quadratic, Row, Theorem

__all__ = [
    "DIRECTIONS",
    "SAMPLES",
    "SHEAR",
    "TURN",
    "Scene",
    "diagonal",
    "mean",
    "natural_scenes",
    "operators",
]

SAMPLES: tuple[tuple[tuple[int, ...], ...], ...] = (
    ((1,), (2,)),
    ((0,), (1,)),
    ((1, 2), (2, 1)),
    ((0,), (0,), (1,)),
    ((1, 2), (2, 4)),
    ((1,),),
    ((1, 0), (0, 1)),
    ((1, 3),),
    ((1, 0),),
    ((0,),),
)
DIRECTIONS: dict[int, tuple[tuple[Fraction, ...], ...]] = {
    1: ((Fraction(1),), (Fraction(0),)),
    2: (
        (Fraction(1), Fraction(0)),
        (Fraction(0), Fraction(1)),
        (Fraction(3, 5), Fraction(4, 5)),
        (Fraction(0), Fraction(0)),
    ),
}
NO, YES = Fraction(0), Fraction(1)
TURN = ((NO, YES), (-YES, NO))
SHEAR = ((YES, YES), (NO, YES))


@dataclass(frozen=True)
class Scene:
    """Samples and a value for every named vector: what a model is before its parameters."""

    vectors: tuple[Row, ...]
    curvatures: tuple[Matrix, ...]
    operators: tuple[tuple[str, tuple[Matrix, ...]], ...] = ()
    functions: tuple[tuple[str, tuple[Quadratic, ...]], ...] = ()


def diagonal(entries: Sequence[int | str | Fraction]) -> tuple[tuple[Fraction, ...], ...]:
    """A diagonal matrix."""
    return tuple(
        tuple(Fraction(entry) if i == j else Fraction(0) for j in range(len(entries)))
        for i, entry in enumerate(entries)
    )


def mean(*matrices: Sequence[Sequence[Fraction | int]]) -> Matrix:
    """The mean of matrices."""
    rows = zip(*matrices, strict=True)
    return tuple(
        tuple(Fraction(sum(entries)) / len(matrices) for entries in zip(*row, strict=True))
        for row in rows
    )


def natural_scenes(theorem: Theorem, vectors: Sequence[str]) -> Iterator[Scene]:
    """Small scenes for the symbols of a theorem, the least degenerate first.

    Args:
        theorem: whose hypotheses are meant.
        vectors: the vectors that need a value.
    """
    nodes = T.nodes((theorem.hypotheses, theorem.proof, theorem.dynamics))
    names = {n.name for n in nodes if isinstance(n, T.Function | T.Operator)} or {""}
    for samples in SAMPLES:
        curvatures = tuple(diagonal(entries) for entries in samples)
        for operators, functions in itertools.product(
            _operators(theorem, curvatures), _functions(theorem, curvatures)
        ):
            shared = curvatures if names - {name for name, _ in (*operators, *functions)} else ()
            for values in itertools.product(DIRECTIONS[len(samples[0])], repeat=len(vectors)):
                yield Scene(values, shared, operators, functions)


def _operators(
    theorem: Theorem, curvatures: Sequence[Matrix]
) -> Iterator[tuple[tuple[str, tuple[Matrix, ...]], ...]]:
    """Matrices that are not symmetric for the operators that need not be, and the identity."""
    size, found = len(curvatures[0]), operators(theorem)
    options: list[list[tuple[tuple[str, tuple[Matrix, ...]], ...]]] = []
    for name, sampled, symmetric in found:
        own = [diagonal((1,) * size)] if symmetric and len(found) > 1 and not sampled else []
        own = [TURN, SHEAR] if not symmetric and size == 2 else own
        entries = [((name, _multiples(m, len(curvatures) if sampled else 1)),) for m in own]
        options.append([*entries, ()] if not symmetric else [(), *entries])
    for choice in itertools.product(*options):
        yield tuple(itertools.chain.from_iterable(choice))


def operators(tree: object) -> list[tuple[str, bool, bool]]:
    """The operators of a tree: name, whether it is sampled somewhere, whether it is symmetric."""
    nodes = [node for node in T.nodes(tree) if isinstance(node, T.Operator)]
    names = dict.fromkeys(node.name for node in nodes)
    return [
        (
            name,
            any(node.sampled for node in nodes if node.name == name),
            any(node.symmetric for node in nodes if node.name == name),
        )
        for name in names
    ]


def _multiples(matrix: Sequence[Sequence[Fraction]], count: int) -> tuple[Matrix, ...]:
    return tuple(tuple(tuple(i * e for e in row) for row in matrix) for i in range(1, count + 1))


def _functions(
    theorem: Theorem, curvatures: Sequence[Matrix]
) -> Iterator[tuple[tuple[str, tuple[Quadratic, ...]], ...]]:
    """Nothing of its own; for one curvature also samples with opposite gradients at the origin."""
    nodes = [node for node in T.nodes(theorem.hypotheses) if isinstance(node, T.Function)]
    names = dict.fromkeys(node.name for node in nodes if node.sampled)
    if len(curvatures) == 1 and names:
        slope = (Fraction(1), *(Fraction(0),) * (len(curvatures[0]) - 1))
        for level in (Fraction(0), Fraction(1, 2)):
            samples = tuple(
                Quadratic(curvatures[0], tuple(sign * c for c in slope), level) for sign in (1, -1)
            )
            yield tuple((name, samples) for name in names)
    yield ()
