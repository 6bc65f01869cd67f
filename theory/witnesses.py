"""Untrusted: looks for exact instances of a theorem's hypotheses.  The kernel re-checks them.

The instances are the small quadratics of `theory.models`.  Samples and vectors are tried from short
lists; parameters are assigned one by one, by solving the hypotheses that mention one unknown
parameter only (as `a + b p^k`), or from a short list of rationals.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from theory.expressions import terms as T
from theory.instances import Instance, read, unmet
from theory.models import Model, rational
from theory.statements import Condition, Hypothesis, Matrix, Theorem, Witness

Exact = int | str | Fraction
GRID = tuple(map(Fraction, ("1/2", "1/4", "1", "1/10", "2", "1/3", "4", "1/40", "8", "0", "-1")))
HAIR = Fraction(1, 2**60)
DIAGONALS: tuple[tuple[tuple[int, ...], ...], ...] = (
    ((1,), (2,)),
    ((0,), (1,)),
    ((1,),),
    ((0,), (0,), (1,)),
    ((1, 2), (2, 1)),
    ((1, 0), (0, 1)),
    ((1, 3),),
    ((1, 2), (2, 4)),
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


@dataclass(frozen=True)
class Scene:
    """Samples and a value for every named vector: what a model is before its parameters."""

    vectors: tuple[tuple[Fraction, ...], ...]
    curvatures: tuple[tuple[tuple[Fraction, ...], ...], ...]


def witness(
    parameters: Mapping[str, Exact],
    vectors: Mapping[str, Sequence[Exact]],
    curvatures: Sequence[Sequence[Sequence[Exact]]],
    operators: Mapping[str, Sequence[Sequence[Exact]]] | None = None,
) -> Witness:
    """A witness from plain numbers.

    Args:
        parameters: the parameters by name, as integers, rationals or strings such as "1/3".
        vectors: the named vectors.
        curvatures: the matrices of the samples; all of them symmetric.
        operators: symmetric matrices for operators that no sample changes, by name.
    """
    return Witness(
        tuple((name, Fraction(value)) for name, value in parameters.items()),
        tuple((name, _exact(vector)) for name, vector in vectors.items()),
        tuple(_exact_matrix(matrix) for matrix in curvatures),
        tuple((name, _exact_matrix(matrix)) for name, matrix in (operators or {}).items()),
    )


def _exact(numbers: Sequence[Exact]) -> tuple[Fraction, ...]:
    return tuple(Fraction(number) for number in numbers)


def _exact_matrix(rows: Sequence[Sequence[Exact]]) -> Matrix:
    return tuple(_exact(row) for row in rows)


def of_model(model: Model) -> Witness:
    """The witness that describes a model."""
    return witness(
        model.parameters,
        {name: vector.tolist() for name, vector in model.vectors.items()},
        model.curvatures.tolist(),
        {name: matrix.tolist() for name, matrix in model.operators.items()},
    )


def find(theorem: Theorem, budget: int = 20_000) -> Witness | None:
    """A witness for a theorem's hypotheses, or None if none of the small ones will do.

    Args:
        theorem: the theorem; its proof plays no part.
        budget: how many values of parameters to try in all.
    """
    scenes = natural_scenes(free_vectors(theorem.hypotheses))
    for model in instances(theorem.hypotheses, scenes, budget=budget):
        found = of_model(model)
        if not unmet(replace(theorem, witness=found)):
            return found
    return None


def completed(theorem: Theorem) -> Theorem:
    """The theorem with a witness, if its proof needs one that it lacks and one is found."""
    if theorem.witness or theorem.refutation or not theorem.hypotheses:
        return theorem
    return replace(theorem, witness=find(theorem))


def free_vectors(hypotheses: Sequence[Hypothesis]) -> tuple[str, ...]:
    """The names of the vectors that hypotheses mention outside of the rules that bind them."""
    names: dict[str, None] = {}
    for hypothesis in hypotheses:
        for relation, bound in _relations(hypothesis):
            nodes = (node for node in T.nodes(relation) if isinstance(node, T.Named))
            names |= dict.fromkeys(node.name for node in nodes if node not in bound)
    return tuple(names)


def parameters(tree: object) -> tuple[str, ...]:
    """The names of the parameters of an expression, relation or theorem, in order."""
    return tuple(dict.fromkeys(node.name for node in T.nodes(tree) if isinstance(node, T.Param)))


def diagonal(entries: Sequence[Exact]) -> tuple[tuple[Fraction, ...], ...]:
    """A diagonal matrix."""
    return tuple(
        tuple(Fraction(entry) if i == j else Fraction(0) for j in range(len(entries)))
        for i, entry in enumerate(entries)
    )


def natural_scenes(names: Sequence[str]) -> Iterator[Scene]:
    """Small scenes, the least degenerate first."""
    for samples in DIAGONALS:
        for vectors in itertools.product(DIRECTIONS[len(samples[0])], repeat=len(names)):
            yield Scene(vectors, tuple(diagonal(entries) for entries in samples))


def instances(
    hypotheses: Sequence[Hypothesis],
    scenes: Iterator[Scene],
    *,
    also: Sequence[str] = (),
    rng: random.Random | None = None,
    budget: int = 20_000,
) -> Iterator[Model]:
    """Exact models in which all hypotheses hold, at most every choice of the parameters in turn.

    Args:
        hypotheses: what must hold.
        scenes: samples and vectors to try.
        also: parameters that get a value although no hypothesis mentions them.
        rng: shuffles the values of the parameters, those that make a hypothesis tight to the front;
            without it the least degenerate values come first.
        budget: how many values of parameters to try in all.
    """
    names = free_vectors(hypotheses)
    unknown = tuple(dict.fromkeys((*parameters(tuple(hypotheses)), *also)))
    left = [budget]
    for scene in scenes:
        vectors = tuple(zip(names, scene.vectors, strict=True))
        start = read(Witness((), vectors, scene.curvatures))
        ready = [h for h in hypotheses if not parameters(h)]
        if all(_satisfies(start, h) for h in ready):
            for found in _assign(start, hypotheses, unknown, rng, left):
                arrays = {name: rational(vector) for name, vector in vectors}
                yield Model(found.parameters, arrays, rational(scene.curvatures))
        if left[0] <= 0:
            return


def _satisfies(instance: Instance, hypothesis: Hypothesis) -> bool:
    try:
        return all(instance.holds(*bound) for bound in _relations(hypothesis))
    except ValueError:
        return False


def _assign(
    instance: Instance,
    hypotheses: Sequence[Hypothesis],
    unknown: tuple[str, ...],
    rng: random.Random | None,
    left: list[int],
) -> Iterator[Instance]:
    """Backtracking: give the next parameter every value that fits, then the others."""
    if not unknown:
        yield instance
        return
    alone: dict[str, list[Hypothesis]] = {name: [] for name in unknown}
    for hypothesis in hypotheses:
        missing = [name for name in parameters(hypothesis) if name in alone]
        if len(missing) == 1:
            alone[missing[0]].append(hypothesis)
    name = min(unknown, key=lambda n: _freedom(alone[n]))
    for value in candidates(instance, name, alone[name], rng):
        left[0] -= 1
        if left[0] < 0:
            return
        put = replace(instance, parameters=instance.parameters | {name: value})
        if all(_satisfies(put, h) for h in alone[name]):
            rest = tuple(other for other in unknown if other != name)
            yield from _assign(put, hypotheses, rest, rng, left)


def _freedom(alone: Sequence[Hypothesis]) -> int:
    """How little a parameter is determined: equalities first, then rules, then conditions."""
    if any(relation.sign == "==" for h in alone for relation, _ in _relations(h)):
        return 0
    if any(not isinstance(h, Condition) for h in alone):
        return 1
    return 3 if not alone else 2


def _relations(hypothesis: Hypothesis) -> list[tuple[T.Relation, tuple[T.Named, ...]]]:
    """The relations of a hypothesis, each with the variables that it binds."""
    if isinstance(hypothesis, Condition):
        return [(hypothesis.relation, ())]
    return [(rule.relation, rule.variables) for rule in hypothesis.rules]


def candidates(
    instance: Instance,
    name: str,
    alone: Sequence[Hypothesis],
    rng: random.Random | None,
) -> list[Fraction]:
    """Values to try for a parameter: where hypotheses become tight, and those of the grid."""
    of_rules: list[Fraction] = []
    of_conditions: list[Fraction] = []
    for hypothesis in alone:
        found = boundaries(instance, name, hypothesis)
        if any(relation.sign == "==" for relation, _ in _relations(hypothesis)):
            return found
        if not isinstance(hypothesis, Condition):
            of_rules += found
        elif hypothesis.relation.sign == "<":
            of_conditions += [root * (1 + side * HAIR) for root in found for side in (1, -1)]
        else:
            of_conditions += found
    values = [*of_rules, *GRID, *of_conditions]
    if rng is not None:
        values = [*5 * of_rules, *3 * of_conditions, *GRID]
        rng.shuffle(values)
    return list(dict.fromkeys(values))


def boundaries(instance: Instance, name: str, hypothesis: Hypothesis) -> list[Fraction]:
    """The rational values of a parameter at which a slack, read as `a + b p^k`, is zero.

    For a rule the slack is a polynomial in the coordinates of its variables, read one by one.
    """
    roots: dict[Fraction, None] = {}
    puts = [
        replace(instance, parameters=instance.parameters | {name: Fraction(point)})
        for point in range(1, 5)
    ]
    for relation, variables in _relations(hypothesis):
        try:
            slacks = list(zip(*(put.slacks(relation, variables) for put in puts), strict=True))
        except ValueError:
            continue
        for polys in slacks:
            for monomial in dict.fromkeys(m for poly in polys for m in poly.terms):
                values = [poly.terms.get(monomial, Fraction(0)) for poly in polys]
                roots |= dict.fromkeys(binomial_roots(values))
    return list(roots)


def binomial_roots(values: Sequence[Fraction]) -> list[Fraction]:
    """The rational roots of `a + b p^k` for k = 1, 2, 3, 4 or -1, from its values at 1, 2, 3, 4."""
    points = [Fraction(i) for i in range(1, 5)]
    for power in (1, 2, 3, 4, -1):
        b = (values[1] - values[0]) / (points[1] ** power - 1)
        a = values[0] - b
        if b == 0 or any(a + b * p**power != v for p, v in zip(points, values, strict=True)):
            continue
        target = -a / b
        if power == -1:
            return [1 / target] if target else []
        root = rational_root(abs(target), power)
        if root is None or (target < 0 and power % 2 == 0):
            return []
        signed = -root if target < 0 else root
        return [signed, -signed] if power % 2 == 0 and signed else [signed]
    return []


def rational_root(value: Fraction, power: int) -> Fraction | None:
    """The exact non-negative root of a non-negative rational, if it is rational."""
    if power == 1:
        return value
    parts = []
    for number in (value.numerator, value.denominator):
        root = round(number ** (1 / power)) if number < 10**12 else 0
        if root**power != number:
            return None
        parts.append(root)
    return Fraction(parts[0], parts[1])
