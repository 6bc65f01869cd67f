"""Exact counterexamples: small rational models in which the hypotheses hold and a claim fails."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from theory.proving import models
from theory.proving.models import Model, rational
from theory.search.candidates import about_parameters, parameters
from theory.search.outcome import Clock
from theory.search.sampling import points, range_conditions
from theory.trusted import terms as T
from theory.trusted.statements import Condition, Theorem

__all__ = ["NOTHING", "UNUSABLE", "candidates", "refute"]

NOTHING = Fraction(0)
UNUSABLE = (ValueError, KeyError, ZeroDivisionError)


def refute(theorem: Theorem, seconds: float = 3.0, seed: int = 0) -> Model | None:
    """A model that refutes the theorem's conclusion, exactly; None if none is found in time.

    Args:
        theorem: its certificates are not looked at.
        seconds: the time limit.
        seed: of the random choices.
    """
    clock = Clock(seconds)
    for model in candidates(theorem, seed):
        if clock.left <= 0:
            return None
        try:
            if models.failing_claims(model, theorem) and models.refutes(model, theorem):
                return model
        except UNUSABLE:
            continue
    return None


def candidates(theorem: Theorem, seed: int) -> Iterator[Model]:
    """Models with quadratics of curvatures taken from the parameters, and small vectors.

    Each comes once more with linear terms, and with general or skew matrices for operators that
    need not be symmetric.
    """
    chance, other_chance = random.Random(seed), random.Random(seed)
    functions = sorted({n.name for n in T.nodes(theorem) if isinstance(n, T.Function)})
    operators = [n for n in T.nodes(theorem) if isinstance(n, T.Operator)]
    general = sorted({n.name for n in operators if not n.symmetric})
    names = sorted(parameters(theorem))
    relations = [relation for _, relation in range_conditions(theorem.hypotheses)]
    vectors = {n.name for n in T.nodes(theorem) if isinstance(n, T.Named)} - _bound(theorem)
    special = {
        n.name for h in theorem.hypotheses for n in T.nodes(h) if isinstance(n, T.Named)
    } & vectors
    claims = [step.claim for step in theorem.proof if step.name in theorem.conclusion]
    scalar = all(about_parameters(claim) for claim in claims)
    general = sorted(
        {n.name for n in T.nodes(theorem) if isinstance(n, T.Operator) and not n.symmetric}
    )
    ranges = _ranges(names, relations, claims, scalar, seed)
    for n, point in enumerate(ranges if scalar else itertools.cycle(ranges)):
        if scalar:
            yield Model(point, {}, rational([[[0]]]), dynamics=theorem.dynamics)
            continue
        for dimension, samples in ((1, 1), (1, 2), (2, 1 + n % 2)):
            curvatures = _curvatures(chance, point, dimension, samples)
            for zero in (True, False):
                chosen = {
                    name: rational([
                        0 if zero and name in special else chance.randint(-3, 3)
                        for _ in range(dimension)
                    ])
                    for name in sorted(vectors)
                }  # fmt: skip
                model = Model(point, chosen, curvatures, dynamics=theorem.dynamics)
                yield model
                if functions or general:
                    yield _furnished(model, functions, general, other_chance)


def _bound(theorem: Theorem) -> set[str]:
    """The names of variables that rules bind."""
    rules = [r for h in theorem.hypotheses if not isinstance(h, Condition) for r in h.rules]
    return {variable.name for rule in rules for variable in rule.variables}


def _curvatures(
    chance: random.Random, point: Mapping[str, Fraction], dimension: int, samples: int
) -> Any:
    """Symmetric matrices with eigenvalues among the parameters, 0 and small rationals.

    One draw in four takes their negatives too: samples, and functions, need not be convex.
    """
    pool = [*point.values(), *point.values(), NOTHING, Fraction(chance.randint(1, 6), 2)]
    if chance.random() < 0.25:
        pool += [-value for value in pool]
    found = np.empty((samples, dimension, dimension), dtype=object)
    found.fill(NOTHING)
    for sample, i in itertools.product(range(samples), range(dimension)):
        found[sample, i, i] = chance.choice(pool)
    if dimension == 2 and chance.random() < 0.5:  # turn by the angle of the triangle 3, 4, 5
        turn = rational([[3, -4], [4, 3]]) * Fraction(1, 5)
        found[-1] = turn @ found[-1] @ turn.T
    return found


def _furnished(
    model: Model, functions: Sequence[str], general: Sequence[str], chance: random.Random
) -> Model:
    """The model with linear terms and constants, and with operators that are not symmetric.

    Half of the linear terms have mean zero: gradient noise where the mean gradient vanishes.
    """
    samples, size, _ = model.curvatures.shape

    def integers(*shape: int) -> Any:
        flat = [chance.randint(-2, 2) for _ in range(int(np.prod(shape)))]
        return rational(np.array(flat, dtype=object).reshape(shape).tolist())

    data = {}
    for name in functions:
        slopes = integers(samples, size)
        if chance.random() < 0.5:
            slopes = slopes - slopes.sum(0) / samples
        data[name] = (model.curvatures, slopes, integers(samples))
    operators = {name: integers(samples, size, size) for name in general}
    if chance.random() < 0.5:
        operators = {name: m - m.swapaxes(1, 2) for name, m in operators.items()}
    return replace(model, functions=data, operators=operators)


def _general(
    chance: random.Random, names: Sequence[str], dimension: int, samples: int
) -> dict[str, Any]:
    """Matrices for operators that need not be symmetric: skew ones, turns and any other."""
    found = {}
    for name in names:
        drawn = np.empty((samples, dimension, dimension), dtype=object)
        for sample, i, j in itertools.product(range(samples), range(dimension), range(dimension)):
            drawn[sample, i, j] = Fraction(chance.randint(-2, 2))
        if chance.random() < 0.5:
            drawn = drawn - drawn.swapaxes(-1, -2)
        found[name] = drawn
    return found


def _ranges(
    names: Sequence[str],
    relations: Sequence[T.Relation],
    claims: Sequence[T.Relation],
    scalar: bool,
    seed: int,
) -> Iterator[Mapping[str, Fraction]]:
    """Points of the range, the boundary included; for a scalar claim first where it is smallest."""
    if scalar:
        yield from _smallest(names, relations, claims, seed)
    yield from points(names, relations, seed, interior=False)


def _smallest(
    names: Sequence[str], relations: Sequence[T.Relation], claims: Sequence[T.Relation], seed: int
) -> Iterator[Mapping[str, Fraction]]:
    """Rational points near floating-point minima of the claims' slacks over the range."""
    from scipy.optimize import minimize  # type: ignore[import-untyped]

    from theory.evaluation import value

    chance = np.random.default_rng(seed)

    def penalised(at: Any, claim: T.Relation) -> float:
        given = dict(zip(names, at, strict=True))
        try:
            off = [min(float(value(r.slack, **given)), 0.0) for r in relations if r.sign != "=="]
            size = float(at @ at)
            return float(value(claim.slack, **given)) / (1 + size) ** 2 - 100 * sum(off)
        except (ValueError, FloatingPointError, OverflowError):
            return float("inf")

    for claim, _ in itertools.product(claims, range(8 if names else 0)):
        with np.errstate(all="ignore"):
            start = chance.normal(size=len(names)) * 2
            best = minimize(penalised, start, args=(claim,), method="Nelder-Mead").x
        for bound in (1, 2, 4, 10, 100, 10_000) if np.all(np.isfinite(best)) else ():
            yield {
                name: Fraction(float(v)).limit_denominator(bound)
                for name, v in zip(names, best, strict=True)
            }
