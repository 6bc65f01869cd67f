"""Confrontations of the rates: what they measure, and that a wrong rate is noticed."""

import dataclasses
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from oracles import least_squares as oracle
from oracles.rates import decrement_with_a_lead_point

import theory
from numerics.confrontations import rates
from numerics.confrontations.cases import LeastSquaresCase
from numerics.confrontations.registry import ON_LEAST_SQUARES
from numerics.confrontations.verdicts import Outcome
from numerics.problems import LeastSquares
from numerics.problems.constants import Constants
from numerics.worst_case import ProblemClass, worst_case
from theory import SAM, SGD
from theory.evaluation import evaluate
from theory.trusted.terms import substitute

PROBLEM = LeastSquares.gaussian(6, 12, 0)
CASE = LeastSquaresCase("small", PROBLEM)
RATES = [name for name, theorem in theory.load().items() if ON_LEAST_SQUARES.find(theorem)]


@pytest.mark.parametrize(("spec", "size"), [(SGD, 1), (SGD, 2), (SGD, 4), (SAM, 1), (SAM, 4)])
@pytest.mark.parametrize("d", [6, 3])
def test_exact_distances_by_enumeration(spec, size, d):
    problem = LeastSquares.gaussian(4, d, seed=d)
    start = torch.linspace(-1, 1, d, dtype=torch.float64)
    found = problem.expected_distances(spec, 0.7, 0.4, 3, start, batch_size=size)
    data = (values.numpy() for values in (problem.features, problem.targets, start))
    rho = 0.4 if spec.perturbed else 0.0
    expected = oracle.enumerated_distances(*data, 0.7, rho, 3, size)
    # at most 216 terms of order 1; dividing by squared singular values costs their condition
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-11)


@pytest.mark.parametrize("theorem_id", RATES)
def test_the_problem_is_consistent_with_every_rate(theorem_id):
    verdict = CASE.confront(theory.get(theorem_id))
    assert verdict.outcome is Outcome.CONSISTENT, verdict.reason
    assert verdict.points >= 1  # a constant is one number, a rate one for every setting


@pytest.mark.parametrize(
    ("theorem_id", "mark"),
    [
        ("sgd-pl-minibatch", 2),
        ("sam-pl-linear-optimal", 2),
        ("sam-pl-linear-optimal-comparison", 0.5),  # there the factor is what is measured
        ("sam-pl-minibatch", 2),
        ("sam-pl-minibatch-best-step", 2),
        ("sam-pl-convex", 2),
        ("sam-distance-linear", 2),
        ("sam-distance-large-radius", 2),
        ("sam-quadratic", 2),
        ("sam-quadratic-best-step", 2),
        ("sam-quadratic-short-steps", 2),
    ],
)
def test_a_marked_factor_is_violated(theorem_id, mark):
    """The factor that decides is the theorem's own expression."""
    theorem = theory.get(theorem_id)
    (factor,) = (q.expression for q in theorem.quantities if q.name == "factor")
    wrong = substitute(theorem, factor, factor / Fraction(mark))
    assert CASE.confront(wrong).outcome is Outcome.VIOLATED


@pytest.mark.parametrize(
    ("theorem_id", "step"),
    [("sam-distance", "one step"), ("sgd-batch-gradients", "batch gradient")],
)
def test_half_of_the_bound_is_violated(theorem_id, step):
    theorem = theory.get(theorem_id)
    (claim,) = (s.claim for s in theorem.proof if s.name == step)
    halved = dataclasses.replace(claim, right=claim.right / 2)
    wrong = substitute(theorem, claim, halved)
    assert CASE.confront(wrong).outcome is Outcome.VIOLATED


def test_settings_cover_the_range_and_every_batch_size():
    sizes = {s.batch_size for s in rates.settings(theory.get("sgd-pl-minibatch"), PROBLEM)}
    assert sizes == {1, 2, 3, 6}
    radii = {s.parameters["radius"] for s in rates.settings(theory.get("sam-pl-convex"), PROBLEM)}
    assert len(radii) == len(rates.RADIUS_SHARES) and min(radii) == 0.0


def test_what_a_rate_is_of():
    assert rates.is_of_loss(theory.get("sam-pl-convex"))
    assert not rates.is_of_loss(theory.get("sam-quadratic"))


def share_of_the_worst_case(theorem_id, mu, radius, **setting):
    """The decrement of performance estimation over the proved one, both at the best step."""
    theorem = theory.get(theorem_id)
    given = {"beta": 1.0, "L": 1.0, "mu": mu, "radius": radius}
    step_size = float(evaluate(theorem, "best_step_size", **given).value)
    factor = evaluate(theorem, "factor", step_size=step_size, **given)
    assert factor.covered
    found = worst_case(ProblemClass(mu=mu, components=24, **setting), step_size, radius)
    return (1 - found.value) / (1 - float(factor.value))


CONVEX = {"samples": "convex"}
FAR = CONVEX | {"mean": "quadratic growth", "measure": "squared distance"}
# interior point solutions are good to 1e-8 of 1, and the decrements are at least 1e-4
SOLVED = 1 - 1e-3


@pytest.mark.parametrize("mu", [0.04, 0.25, 0.5])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.9])
def test_with_every_sample_at_its_own_points_two_angles_are_nearly_all_there_is(mu, share):
    """The finding of sam-pl-linear-optimal, for conditioning up to 1/2."""
    ratio = share_of_the_worst_case("sam-pl-linear-optimal", mu, share * mu**0.5, points="own")
    assert SOLVED <= ratio <= 1.03


@pytest.mark.parametrize("mu", [0.04, 0.25, 0.6])
def test_the_rate_on_convex_samples_is_far_from_the_worst_case_at_the_end(mu):
    """The finding of sam-pl-convex: quadratic growth, which PL implies, is not used."""
    largest = float(evaluate(theory.get("sam-pl-convex"), "max_radius", beta=1.0, mu=mu).value)
    middle, end = (
        share_of_the_worst_case("sam-pl-convex", mu, share * largest, **CONVEX)
        for share in (0.25, 0.9)
    )
    assert SOLVED <= middle <= 2
    assert end >= 3


@pytest.mark.parametrize(
    ("theorem_id", "radius"),
    [("sam-distance-linear", 0.5), ("sam-distance-linear", 1.5), ("sam-distance-large-radius", 2)],
)
def test_the_rate_of_the_distance_is_the_worst_case_for_small_mu(theorem_id, radius):
    ratios = [share_of_the_worst_case(theorem_id, mu, radius, **FAR) for mu in (0.1, 0.01)]
    assert SOLVED <= ratios[1] <= ratios[0] and ratios[1] <= 1.02


@pytest.mark.parametrize(("mu", "least"), [(0.25, 3), (0.5, 7)])
def test_what_is_open_lies_at_the_perturbed_point_of_the_mean(mu, least):
    """The finding of sam-pl-linear-optimal: near the largest radius much more can be had."""
    theorem, given = theory.get("sam-pl-linear-optimal"), {"beta": 1.0, "L": 1.0, "mu": mu}
    radius = 0.9 * mu**0.5
    step_size = float(evaluate(theorem, "best_step_size", radius=radius, **given).value)
    proved = 1 - float(evaluate(theorem, "best_factor", radius=radius, **given).value)
    found = decrement_with_a_lead_point(mu, step_size, radius)
    assert found > least * proved


def test_nonconvex_samples_contract_beyond_the_radius_of_two_angles():
    assert decrement_with_a_lead_point(0.5, 0.05, 1.1 * 0.5**0.5) > 0.01


@pytest.mark.slow
@pytest.mark.parametrize(
    "theorem_id",
    [n for n in RATES if ON_LEAST_SQUARES.find(theory.get(n)).points.__module__ == rates.__name__],
)
def test_no_step_size_is_a_rounding_error(theorem_id):
    """At the largest radius a theorem's step size is exactly zero, on whatever processor."""
    theorem = theory.get(theorem_id)
    if not {quantity.name for quantity in theorem.quantities} & set(rates.ANCHORS):
        pytest.skip("the theorem is not about step sizes")
    bounded = any(quantity.name == "max_radius" for quantity in theorem.quantities)
    drawn = np.random.default_rng(0).uniform(size=(40, 3))
    for scale, first, second in drawn:
        beta = 10 ** (8 * scale - 4)
        smoothness = beta * 10 ** (-2 * first)
        constants = Constants(beta, smoothness, smoothness * 10 ** (-4 * second), 0.0, "drawn")
        problem = SimpleNamespace(constants=lambda constants=constants: constants, n=5)
        for setting in rates.settings(theorem, problem):
            step = setting.parameters["step_size"]
            if step == step:  # the theorem covers the radius
                assert step == 0 or abs(step) > 1e-12 * constants.mu / (beta * smoothness)
                assert step >= 0 or not bounded
