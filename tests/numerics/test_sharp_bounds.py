"""The sharp bounds on s_3 and s_4 where they are measured: the expressions that decide."""

from fractions import Fraction

import pytest

import theory
from numerics.confrontations.cases import LeastSquaresCase
from numerics.confrontations.two_points import law, solved
from numerics.confrontations.verdicts import Outcome
from numerics.problems import LeastSquares
from theory.trusted.terms import Const, substitute

#: A bound divided by this is below the moments of six Gaussian rows, or of the attaining law.
MARKS = {
    "sam-stability-s3-sharp-small": 1000,
    "sam-stability-s3-closed-form": 1000,
    "sam-stability-s3-sharp-large": 10**6,
    "sam-stability-s4-sharp": 1000,
    "sam-stability-s4-sharp-middle": 10**9,
    "sam-stability-s4-sharp-large": 10**9,
}


@pytest.fixture(scope="module")
def case():
    return LeastSquaresCase("small", LeastSquares.gaussian(6, 12, 0))


@pytest.mark.parametrize("name", MARKS)
def test_the_theorem_s_own_expression_decides(case, name):
    theorem = theory.get(name)
    (quantity,) = theorem.quantities
    marked = substitute(theorem, quantity.expression, quantity.expression / MARKS[name])
    assert case.confront(theorem).outcome is Outcome.CONSISTENT
    assert case.confront(marked).outcome is Outcome.VIOLATED


def test_the_attained_bound_is_met_on_both_sides(case):
    theorem = theory.get("sam-stability-s3-attained")
    (claim,) = (step.claim for step in theorem.proof if step.name == "attained")
    assert case.confront(theorem).outcome is Outcome.CONSISTENT
    for factor in (1 + 10**-9, 1 - 10**-9):
        number = Const(Fraction(factor))
        marked = substitute(theorem, claim.right, claim.right * number)
        assert case.confront(marked).outcome is Outcome.VIOLATED


def test_a_mean_that_is_not_between_the_points_is_refused():
    given = solved(theory.get("sam-stability-s3-attained"), 1.0, 0.2)
    curvatures, weights = law(given)
    assert (curvatures > 0).all() and (weights > 0).all()
    with pytest.raises(ValueError, match="not between the points"):
        law(given | {"peak": 10.0})
