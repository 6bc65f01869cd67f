"""Verdicts: what they say, and that they come from theory's own expressions."""

import dataclasses
import math

import numpy as np
import pytest
import torch

import theory
from numerics.confrontations import rates, stability
from numerics.confrontations.cases import CASES, LeastSquaresCase
from numerics.confrontations.stability import Evaluator, Site
from numerics.confrontations.verdicts import Outcome, Point, judge, worst_step
from numerics.hessians import SampleHessians
from numerics.problems import LeastSquares
from numerics.statistics import paired_ratio
from theory.trusted.terms import substitute


@pytest.fixture(scope="module")
def case():
    return LeastSquaresCase("small", LeastSquares.gaussian(6, 12, 0))


def marked(theorem, quantity, mark):
    """The theorem with one of its expressions divided by a number, wherever it stands."""
    old = next(q.expression for q in theorem.quantities if q.name == quantity)
    return substitute(theorem, old, old / mark)


CLAIMED = [theorem for theorem in theory.load().values() if theorem.refutation is None]


@pytest.mark.parametrize("theorem", CLAIMED, ids=lambda t: t.id)
def test_least_squares_is_consistent_with_every_theorem(case, theorem):
    verdict = case.confront(theorem)
    assert verdict.outcome is Outcome.CONSISTENT, verdict.reason
    assert verdict.points > 0
    assert verdict.worst.error <= 1e-6 * max(abs(verdict.worst.bound), 1e-5)


@pytest.mark.parametrize(
    ("theorem_id", "quantity", "mark"),
    [
        ("sgd-pl-linear", "factor", 2),
        ("sam-pl-linear", "factor", 2),
        ("sam-pl-linear-published", "factor", 2),
        ("sam-stability-s2", "bound", 1000),
        ("sam-stability-s2-sharp", "bound", 1000),
        ("sam-pl-linear-improved", "factor", 2),
        ("sam-stability-s3", "bound", 1000),
        ("sam-stability-s4", "bound", 1000),
    ],
)
def test_a_marked_formula_changes_the_verdict(case, theorem_id, quantity, mark):
    """The number that decides is the theorem's own expression, not a copy of it."""
    verdict = case.confront(marked(theory.get(theorem_id), quantity, mark))
    assert verdict.outcome is Outcome.VIOLATED
    assert "measured" in verdict.reason


def test_a_marked_growth_rate_is_violated(case):
    theorem = theory.get("sam-stability-sharpness")
    old = next(q.expression for q in theorem.quantities if q.name == "growth")
    verdict = case.confront(substitute(theorem, old, old * 1000))
    assert verdict.outcome is Outcome.VIOLATED


def test_a_marked_identity_is_violated(case):
    theorem = theory.get("sam-stability-expansion")
    claim = theorem.proof[-1].claim
    wrong = dataclasses.replace(claim, right=claim.right * 2)
    proof = (dataclasses.replace(theorem.proof[-1], claim=wrong),)
    verdict = case.confront(dataclasses.replace(theorem, proof=proof))
    assert verdict.outcome is Outcome.VIOLATED


def test_the_rate_is_compared_at_every_time():
    problem = LeastSquares.gaussian(5, 9, 1)
    theorem = theory.get("sam-pl-linear")
    for point in rates.rate_points(theorem, problem):
        curve = problem.expected_losses(
            theory.SAM, point.where["step_size"], point.where["radius"], rates.STEPS
        ).mean.numpy()
        constants = problem.constants()
        factor = theory_factor(theorem, point, constants)
        bounds = curve[0] * factor ** np.arange(rates.STEPS + 1)
        assert point.slack == pytest.approx(np.min(1 - curve[1:] / bounds[1:]), abs=1e-12)


def theory_factor(theorem, point, constants):
    from theory.evaluation import evaluate

    return float(
        evaluate(
            theorem,
            "factor",
            step_size=point.where["step_size"],
            radius=point.where["radius"],
            beta=constants.beta,
            L=constants.smoothness,
            mu=constants.mu,
        ).value
    )


def test_worst_growth_is_the_enumerated_one():
    """E|x_t|² for the worst start, against all 3^4 sample sequences."""
    generator = torch.Generator().manual_seed(3)
    roots = torch.randn(3, 2, 2, generator=generator, dtype=torch.float64)
    matrices = roots @ roots.mT
    site = Site("test", SampleHessians.from_dense(matrices))
    step_size, radius = 0.3, 0.1
    maps = torch.eye(2) - step_size * matrices - step_size * radius * matrices @ matrices
    products = [torch.eye(2, dtype=torch.float64)]
    for time in range(1, 6):
        products = [m @ p for p in products for m in maps]
        second = sum(p.mT @ p for p in products) / len(products)
        if time in stability.TIMES:
            exact = dict(stability.worst_growth(site, step_size, radius))[time]
            # sums of at most 243 products of 2 x 2 matrices: far below 1e-12 relative
            assert exact.value == pytest.approx(float(torch.linalg.eigvalsh(second)[-1]), rel=1e-12)


def test_the_evaluator_reads_words_in_the_right_order():
    """E<u, H_b H H_b u> and <Hu, H_b ...>: against dense matrices."""
    from theory.trusted.terms import Inner, Mean, Named, Operator

    generator = torch.Generator().manual_seed(4)
    roots = torch.randn(3, 4, 4, generator=generator, dtype=torch.float64)
    matrices = roots @ roots.mT
    vector = torch.randn(4, generator=generator, dtype=torch.float64)
    u, H, H_b = (
        Named("u"),
        Operator("H", symmetric=True),
        Operator("H", sampled=True, symmetric=True),
    )
    at = Evaluator(SampleHessians.from_dense(matrices), vector, {})
    mean = matrices.mean(0)
    want = sum(vector @ m @ mean @ m @ m @ vector for m in matrices) / 3
    assert float(at.scalar(Mean(Inner(u, H_b(H(H_b(H_b(u)))))))) == pytest.approx(
        float(want), rel=1e-13
    )


def test_judging_points():
    good = Point(1.0, 2.0, 0.0, {})
    edge = Point(1.0 + 1e-12, 1.0, 1e-9, {})
    bad = Point(1.1, 1.0, 1e-9, {"t": 3})
    assert judge("t", "p", "", [good, edge]).outcome is Outcome.CONSISTENT
    verdict = judge("t", "p", "", [good, bad, edge])
    assert verdict.outcome is Outcome.VIOLATED and "t=3" in verdict.reason
    assert judge("t", "p", "", []).outcome is Outcome.INCONCLUSIVE
    assert judge("t", "p", "", [Point(math.nan, 1.0, 0.0, {})]).outcome is Outcome.VIOLATED


def test_paired_ratio_against_the_textbook():
    values, base = np.array([1.0, 2.2, 2.9]), np.array([2.0, 4.0, 6.1])
    found = paired_ratio(values, base)
    logs = np.log(values / base)
    half = 4.302652729911275 * logs.std(ddof=1) / np.sqrt(3)  # t quantile .975, 2 degrees
    assert found.ratio == pytest.approx(np.exp(logs.mean()), rel=1e-12)
    assert found.low == pytest.approx(np.exp(logs.mean() - half), rel=1e-9)
    assert found.high == pytest.approx(np.exp(logs.mean() + half), rel=1e-9)
    with pytest.raises(ValueError, match="not positive"):
        paired_ratio([1.0, 0.0], [1.0, 1.0])
    with pytest.raises(ValueError, match="give 2 or more"):
        paired_ratio([1.0], [1.0])


def test_every_case_names_itself():
    for name, build in CASES.items():
        assert build("cpu", 2).name == name


def test_a_site_is_a_minimum_of_every_sample():
    """Theorems assume H_b >= 0: a semidefinite mean does not establish that."""
    h = torch.diag_embed(torch.tensor([[1.0, 2.0], [1.0, -1.0]], dtype=torch.float64))
    with pytest.raises(ValueError, match=r"sample 1 has an eigenvalue of -0\.5 times"):
        Site("no minimum", SampleHessians.from_dense(h))


@pytest.mark.parametrize(
    ("curve", "bounds", "expected"),
    [
        # a bound that is 0, over a curve that reaches 0 later: the violation is the first step
        ([1e-3, 0.0], [0.0, 0.0], (1e-3, 0.0, 1, True)),
        # where both have underflowed there is nothing left to compare
        ([1.0, 5e-324], [2.0, 0.0], (5e-324, 0.0, 2, False)),
        ([0.9, 0.4, 0.3], [1.0, 0.5, 0.25], (0.3, 0.25, 3, True)),
        ([0.9, 0.4, 0.2], [1.0, 0.5, 0.25], (0.9, 1.0, 1, False)),
        # a curve beyond float64 exceeds every number; a bound beyond it ends the comparison
        ([1.0, math.inf], [1.0, 1e300], (math.inf, 1e300, 2, True)),
        ([1.0, math.nan], [1.0, 1e300], (math.nan, 1e300, 2, True)),
        ([1.0, math.inf], [2.0, math.inf], (1.0, 2.0, 1, False)),
        ([1.0, 7.0], [2.0, math.nan], (1.0, 2.0, 1, False)),
    ],
)
def test_the_worst_step_of_a_curve(curve, bounds, expected):
    (point,) = worst_step(np.array(curve), np.array(bounds), 1e-11, {"radius": 0.5})
    value, bound, step, violated = expected
    assert (point.bound, point.violated) == (bound, violated)
    assert point.where == {"radius": 0.5, "t": step}
    np.testing.assert_equal(point.measured, value)


def test_a_curve_without_a_bound_is_not_measured():
    curve, bounds = np.ones(2), np.full(2, math.inf)
    assert not list(worst_step(curve, bounds, 1e-11, {}))
