"""Lowering keeps the meaning: random expressions, evaluated on exact random instances both ways."""

from fractions import Fraction

import numpy as np
import pytest
from oracles import lowered

from theory.proving.models import Model, rational
from theory.trusted.lowering import combine, lower
from theory.trusted.terms import (
    Const,
    Function,
    Gradient,
    Inner,
    Mean,
    Named,
    Operator,
    Param,
    Value,
    norm2,
)

PARAMETERS = [Param("step_size"), Param("radius"), Param("p")]
VECTORS = [Named("x"), Named("y")]
FUNCTIONS = [Function("f"), Function("f", sampled=True)]
OPERATORS = [Operator("H", symmetric=True), Operator("H", sampled=True, symmetric=True)]


def random_model(rng, n=3, d=2):
    roots = rational(rng.integers(-3, 4, size=(n, d, d)).tolist())
    numbers = [Fraction(int(rng.integers(1, 9)), int(rng.integers(1, 9))) for _ in PARAMETERS]
    return Model(
        {p.name: value for p, value in zip(PARAMETERS, numbers, strict=True)},
        {v.name: rational(rng.integers(-4, 5, size=d).tolist()) for v in VECTORS},
        np.array([root @ root.T for root in roots], dtype=object),
    )


def random_vector(rng, depth):
    if depth == 0:
        return VECTORS[rng.integers(2)]
    inner = random_vector(rng, depth - 1)
    match rng.integers(5):
        case 0:
            return Gradient(FUNCTIONS[rng.integers(2)], inner)
        case 1:
            return OPERATORS[rng.integers(2)](inner)
        case 2:
            return inner - random_vector(rng, depth - 1)
        case 3:
            return PARAMETERS[rng.integers(3)] * inner
        case _:
            return inner + Const(Fraction(2, 3)) * random_vector(rng, 0)


def random_scalar(rng, depth):
    if depth == 0:
        match rng.integers(4):
            case 0:
                return PARAMETERS[rng.integers(3)]
            case 1:
                return Const(Fraction(int(rng.integers(-3, 4)), 2))
            case 2:
                return Inner(random_vector(rng, 2), random_vector(rng, 2))
            case _:
                return Value(FUNCTIONS[rng.integers(2)], random_vector(rng, 2))
    left, right = random_scalar(rng, depth - 1), random_scalar(rng, depth - 1)
    match rng.integers(6):
        case 0:
            return left + right
        case 1:
            return left - right
        case 2:
            return left * right
        case 3:
            return Mean(left)
        case 4:
            return left / (1 + norm2(VECTORS[rng.integers(2)]))
        case _:
            return left**2


@pytest.mark.parametrize("seed", range(60))
def test_lowering_and_direct_evaluation_agree_exactly(seed):
    rng = np.random.default_rng(seed)
    model = random_model(rng)
    tree = random_scalar(rng, 3)
    direct = np.broadcast_to(model.scalar(tree), (3,))
    through_atoms = lowered.fraction(lower(tree, lambda divisor: True), model)
    assert (direct == through_atoms).all()


def test_equal_points_have_equal_atoms():
    x, p = VECTORS[0], PARAMETERS[2]
    f_b = FUNCTIONS[1]
    one, other = p * x + x, (1 + p) * x
    difference = Inner(Gradient(f_b, one) - Gradient(f_b, other), x)
    assert not lower(difference, lambda d: False).top.terms


def test_a_zero_coefficient_leaves_no_trace():
    x, y = VECTORS
    moved = combine(x + Const(Fraction(0)) * y, lambda d: False)
    assert moved == combine(x, lambda d: False)
