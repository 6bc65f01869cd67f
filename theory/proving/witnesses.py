"""Untrusted: looks for exact instances of a theorem's hypotheses.  The kernel re-checks them.

The instances are the small quadratics of `scenes`.  Samples and vectors are tried from short lists;
parameters are assigned one by one, by solving the hypotheses that mention one unknown
parameter only (as `a + b p^k`), or from a short list of rationals.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

from theory.proving.degeneracy import degenerate
from theory.proving.models import Model, of_witness
from theory.proving.scenes import Scene, natural_scenes
from theory.trusted import terms as T
from theory.trusted.instances import Instance, read, unmet, written
from theory.trusted.reals import Real
from theory.trusted.statements import (
    Algebraic,
    Condition,
    Hypothesis,
    Matrix,
    Number,
    Quadratic,
    Root,
    Row,
    Theorem,
    Witness,
)

__all__ = [
    "GRID",
    "HAIR",
    "Exact",
    "Rows",
    "algebraic",
    "binomial_roots",
    "boundaries",
    "candidates",
    "completed",
    "find",
    "free_vectors",
    "instances",
    "of_model",
    "parameters",
    "positive_root",
    "quadratic",
    "rational_root",
    "witness",
]

Exact = int | str | Number
Rows = Sequence[Sequence[Exact]]
GRID = tuple(map(Fraction, ("1/2", "1/4", "1", "1/10", "2", "1/3", "4", "1/40", "8", "0", "-1")))
HAIR = Fraction(1, 2**60)
A_SCENE, ALL_TRIES = 6, 200  # instances to look at before another scene is tried, and in all


def witness(
    parameters: Mapping[str, Exact],
    vectors: Mapping[str, Sequence[Exact]],
    curvatures: Sequence[Rows] = (),
    operators: Mapping[str, Sequence[Any]] | None = None,
    functions: Mapping[str, Sequence[Quadratic]] | None = None,
    root: Root | None = None,
) -> Witness:
    """A witness from plain numbers.

    Args:
        parameters: the parameters by name, as integers, rationals or strings such as "1/3".
        vectors: the named vectors.
        curvatures: the symmetric matrices of the samples, for whatever has none of its own.
        operators: a matrix, or one for each sample, for operators of their own.
        functions: a quadratic for each sample, or a single one, for functions of their own.
        root: the number s, where some number is `algebraic`.
    """
    return Witness(
        tuple((name, _number(value)) for name, value in parameters.items()),
        tuple((name, _row(vector)) for name, vector in vectors.items()),
        tuple(map(_matrix, curvatures)),
        tuple((name, _matrices(entries)) for name, entries in (operators or {}).items()),
        tuple((name, tuple(entries)) for name, entries in (functions or {}).items()),
        root,
    )


def quadratic(matrix: Rows, linear: Sequence[Exact] = (), constant: Exact = 0) -> Quadratic:
    """The function ½⟨x, A x⟩ + ⟨c, x⟩ + a; c is 0 if it is left out."""
    slope = _row(linear) or (Fraction(0),) * len(matrix)
    return Quadratic(_matrix(matrix), slope, _number(constant))


def algebraic(*coefficients: int | str | Fraction) -> Algebraic:
    """The number c_0 + c_1 s + c_2 s² + ... in the root s of a witness."""
    return Algebraic(tuple(Fraction(coefficient) for coefficient in coefficients))


def positive_root(number: int | str | Fraction, order: int = 2) -> Root:
    """The number s > 0 with s^order = number."""
    power = Fraction(number)
    return Root((-power, *(order - 1) * (Fraction(0),), Fraction(1)), Fraction(0), power + 1)


def _number(number: Exact) -> Number:
    return number if isinstance(number, Algebraic) else Fraction(number)


def _row(numbers: Sequence[Exact]) -> Row:
    return tuple(map(_number, numbers))


def _matrix(rows: Rows) -> Matrix:
    return tuple(map(_row, rows))


def _matrices(entries: Any) -> tuple[Matrix, ...]:
    """One matrix, or several."""
    single = entries and entries[0] and isinstance(entries[0][0], int | str | Number)
    return (_matrix(entries),) if single else tuple(map(_matrix, entries))


def of_model(model: Model) -> Witness:
    """The witness that describes a model."""
    arrays = [model.curvatures, *model.vectors.values(), *model.operators.values()]
    arrays += [array for parts in model.functions.values() for array in parts]
    numbers = itertools.chain(model.parameters.values(), *(array.flat for array in arrays))
    functions = {
        name: [
            Quadratic(_plain(matrix), _plain(slope), _plain(level))
            for matrix, slope, level in zip(*parts, strict=True)
        ]
        for name, parts in model.functions.items()
    }
    return Witness(
        tuple((name, _plain(value)) for name, value in model.parameters.items()),
        tuple((name, _plain(vector)) for name, vector in model.vectors.items()),
        _plain(model.curvatures),
        tuple((name, _plain(matrices)) for name, matrices in model.operators.items()),
        tuple((name, tuple(quadratics)) for name, quadratics in functions.items()),
        next((number.root for number in numbers if isinstance(number, Real)), None),
    )


def _plain(numbers: Any) -> Any:
    """A number or an array of numbers as a witness writes it."""
    if getattr(numbers, "ndim", 0):
        return tuple(map(_plain, numbers))
    return _number(written(numbers.item() if hasattr(numbers, "item") else numbers))


def find(theorem: Theorem, budget: int = 20_000) -> Witness | None:
    """A witness for a theorem's hypotheses, or None if none of the small ones will do.

    One that is degenerate is given only if no other is found.

    Args:
        theorem: the theorem; its proof plays no part.
        budget: how many values of parameters to try in all.
    """
    thin: Witness | None = None
    seen, left = 0, [budget]
    for scene in natural_scenes(theorem, free_vectors(theorem.hypotheses)):
        search = _in_scene(theorem.hypotheses, scene, parameters(theorem.hypotheses), None, left)
        for found in itertools.islice(search, A_SCENE):
            case = replace(theorem, witness=found)
            if unmet(case):
                continue
            if not degenerate(case):
                return found
            thin, seen = thin or found, seen + 1
        if left[0] <= 0 or seen >= ALL_TRIES:
            break
    return thin


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
    unknown = tuple(dict.fromkeys((*parameters(tuple(hypotheses)), *also)))
    left = [budget]
    for scene in scenes:
        for found in _in_scene(hypotheses, scene, unknown, rng, left):
            yield of_witness(found)
        if left[0] <= 0:
            return


def _in_scene(
    hypotheses: Sequence[Hypothesis],
    scene: Scene,
    unknown: tuple[str, ...],
    rng: random.Random | None,
    left: list[int],
) -> Iterator[Witness]:
    """The choices of parameters for one scene."""
    vectors = tuple(zip(free_vectors(hypotheses), scene.vectors, strict=True))
    bare = Witness((), vectors, scene.curvatures, scene.operators, scene.functions)
    start = read(bare)
    if all(_satisfies(start, h) for h in hypotheses if not parameters(h)):
        for found in _assign(start, hypotheses, unknown, rng, left):
            values = ((name, written(value)) for name, value in found.parameters.items())
            yield replace(bare, parameters=tuple(values))


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
            for monomial in dict.fromkeys(m for poly in polys for m in poly):
                values = [poly.get(monomial, Fraction(0)) for poly in polys]
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
