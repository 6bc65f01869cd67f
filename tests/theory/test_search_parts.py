"""The parts of the search: exact where they say so."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import theory
from theory.proving.assumptions import ZERO
from theory.search import SearchStatus, prove
from theory.search.fields import Field
from theory.search.interpolate import fit
from theory.search.linear import solutions
from theory.search.rounding import rational
from theory.search.sampling import points
from theory.search.sdp import Sdp, SolverStatus, clarabel, matrices, solve
from theory.trusted.instances import is_positive_semidefinite
from theory.trusted.statements import Attribution, Condition, Kind, Source, Status, Theorem
from theory.trusted.terms import Const, Param, scalar

p, q, r = Param("p"), Param("q"), Param("r")
FIELD = Field(("p", "q"))
P, Q = FIELD.sympy.gens
GRID = [
    {"p": Fraction(i, 3), "q": Fraction(j, 2)} for i, j in itertools.product(range(1, 9), repeat=2)
]
FUNCTIONS = [P, 1 / P, (P + Q) / (P - 7 * Q), 2 * P * (1 - P * Q) / (1 + Q), P**2 * Q - Q**2]


@pytest.mark.parametrize("function", FUNCTIONS, ids=str)
def test_rational_functions_are_recognised_from_their_values(function):
    assert fit(FIELD, GRID, [FIELD.evaluate(function, at) for at in GRID]) == function


def test_one_wrong_value_is_noticed():
    values = [FIELD.evaluate(FUNCTIONS[2], at) for at in GRID]
    values[5] += Fraction(1, 10**9)
    assert fit(FIELD, GRID, values) is None


def test_values_that_are_no_rational_function_are_not_fitted():
    chance = np.random.default_rng(0)
    assert fit(FIELD, GRID, [Fraction(int(chance.integers(1, 99)), 7) for _ in GRID]) is None


def test_too_few_points_are_not_interpolated():
    few = GRID[:4]
    assert fit(FIELD, few, [FIELD.evaluate(FUNCTIONS[3], at) for at in few]) is None


def test_points_satisfy_the_relations_and_differ():
    relations = [p > ZERO, p < q, r.equals(p + q), q <= 2 / p]
    found = list(itertools.islice(points(("p", "q", "r"), relations), 50))
    assert len({tuple(point.items()) for point in found}) == 50
    for at in found:
        assert 0 < at["p"] < at["q"] < 2 / at["p"]
        assert at["r"] == at["p"] + at["q"]
    assert list(points(("p",), [p > ZERO, p < ZERO])) == []


def test_linear_systems_are_solved_exactly_or_not_at_all():
    rows = [[Fraction(1), Fraction(2), Fraction(3)], [Fraction(2), Fraction(4), Fraction(7)]]
    found = solutions(rows, [Fraction(1), Fraction(2)], 3, Fraction(0), Fraction(1))
    assert found is not None and len(found.undetermined) == 1
    for weight in (Fraction(0), Fraction(5, 3)):
        y = [s + weight * d for s, d in zip(found.particular, found.directions[0], strict=True)]
        assert [sum(a * b for a, b in zip(row, y, strict=True)) for row in rows] == [1, 2]
    assert solutions([rows[0], rows[0]], [Fraction(1), Fraction(2)], 3, 0, 1) is None


def test_rationals_are_recognised_and_irrationals_are_not():
    assert rational(1 / 3) == Fraction(1, 3)
    assert rational(-17 / 91 + 1e-9) == Fraction(-17, 91)
    assert rational(2**0.5) is None


def test_the_solver_says_what_it_found():
    # y >= 0 and a 2 by 2 matrix with unit diagonal: minimise y subject to y + S_01 = 1, or = -3
    matrix = np.array([[1.0, 0, 2, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
    for right, status in ((1.0, SolverStatus.SOLVED), (-3.0, SolverStatus.INFEASIBLE)):
        sdp = Sdp(matrix, np.array([right, 1.0, 1.0]), np.array([1.0, 0, 0, 0]), 1, 0, (2,))
        answer = solve(sdp, clarabel, 10.0)
        assert answer.status is status
        if status is SolverStatus.SOLVED:
            (found,) = matrices(sdp, answer.unknowns)
            # solved to 1e-9, and the optimum is y = 0, S_01 = 1/2
            assert found[0, 1] == pytest.approx(0.5, abs=1e-5)
    unbounded = Sdp(np.zeros((0, 1)), np.zeros(0), np.array([-1.0]), 1, 0, ())
    assert solve(unbounded, clarabel, 10.0).status is SolverStatus.UNBOUNDED
    assert solve(unbounded, clarabel, 0.0).status is SolverStatus.TIMEOUT


def polynomial(coefficients):
    """A polynomial of degree 2 in p and q."""
    monomials = (scalar(1), p, q, p**2, p * q, q**2)
    return sum((Const(Fraction(k)) * m for k, m in zip(coefficients, monomials, strict=True)), ZERO)


def of_parameters(claim, *conditions):
    source = Source("", "", Attribution.DERIVED)
    empty = Theorem("t", "", "", source, Kind.UPPER_BOUND, conditions, (), (), ())
    return prove(empty, "claim", claim)


small = st.lists(st.integers(-3, 3), min_size=3, max_size=3)


@pytest.mark.slow
@settings(max_examples=40, deadline=None, derandomize=True)
@given(small, small, st.integers(0, 2))
def test_sums_of_squares_are_found(one, other, constant):
    squares = sum(((k[0] * p + k[1] * q + k[2]) ** 2 for k in (one, other)), scalar(constant))
    outcome = of_parameters(squares >= ZERO)
    assert outcome.status is SearchStatus.FOUND, outcome.reason
    assert theory.check(outcome.theorem).status is Status.PROVED


six = st.lists(st.integers(-4, 4), min_size=6, max_size=6)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(six)
def test_a_quadratic_is_found_exactly_if_it_is_nonnegative(coefficients):
    """Against the matrix of the quadratic form, whose sign is decided by elimination."""
    k = [Fraction(number) for number in coefficients]
    rows = [[2 * k[0], k[1], k[2]], [k[1], 2 * k[3], k[4]], [k[2], k[4], 2 * k[5]]]
    outcome = of_parameters(polynomial(coefficients) >= ZERO)
    assert (outcome.status is SearchStatus.FOUND) is is_positive_semidefinite(rows)


@pytest.mark.slow
@settings(max_examples=40, deadline=None, derandomize=True)
@given(six)
def test_what_is_negative_somewhere_on_the_quadrant_is_not_found(coefficients):
    k, steps = coefficients, [Fraction(i, 4) for i in range(25)]
    lowest = min(
        k[0] + k[1] * s + k[2] * t + k[3] * s * s + k[4] * s * t + k[5] * t * t
        for s, t in itertools.product(steps, repeat=2)
    )
    claim = polynomial(coefficients) >= ZERO
    outcome = of_parameters(claim, Condition("p", p >= ZERO), Condition("q", q >= ZERO))
    if lowest < 0:
        assert outcome.status is SearchStatus.REFUTED
    else:
        assert outcome.status is not SearchStatus.REFUTED
        if all(number >= 0 for number in k):
            assert outcome.status is SearchStatus.FOUND
