"""Gradients at displaced points: the measurements, and where the bounds are attained."""

from fractions import Fraction

import pytest
import torch

import theory
from numerics.confrontations.cases import LeastSquaresCase
from numerics.confrontations.perturbations import displaced, normalized_step
from numerics.confrontations.registry import ON_LEAST_SQUARES
from numerics.confrontations.verdicts import Outcome
from numerics.problems import LeastSquares
from numerics.training.optimizers import SAM
from theory.evaluation import evaluate
from theory.trusted.algorithms import NORMALIZED_SAM
from theory.trusted.terms import substitute

PROBLEM = LeastSquares.gaussian(6, 12, 0)
CASE = LeastSquaresCase("small", PROBLEM)
#: A quantity of each theorem, and what to divide it by to make it false.
MARKS = [
    ("sam-any-perturbation-convex", "noise", 10),
    ("sam-any-perturbation-linear", "factor", 10),
    ("sam-any-perturbation-linear", "floor", 10),
    ("sam-normalized-convex", "noise", 10),
    ("sam-any-perturbation-pl", "factor", 2),
    ("sam-any-perturbation-pl", "noise", 1000),
    ("sam-any-perturbation-pl", "floor", 1000),
    ("sam-no-trap", "share", Fraction(1, 10)),
]


def test_every_measurement_has_its_mark():
    assert {name for name, _, _ in MARKS} | {"sam-linear-limit"} == {
        name
        for name, (found, _) in ON_LEAST_SQUARES.special.items()
        if found.points.__module__.endswith("perturbations")
    }


@pytest.mark.parametrize(("name", "quantity", "mark"), MARKS)
def test_a_marked_formula_changes_the_verdict(name, quantity, mark):
    theorem = theory.get(name)
    assert CASE.confront(theorem).outcome is Outcome.CONSISTENT
    (old,) = (q.expression for q in theorem.quantities if q.name == quantity)
    verdict = CASE.confront(substitute(theorem, old, old / mark))
    assert verdict.outcome is Outcome.VIOLATED


def test_what_is_measured_is_the_step_of_the_optimiser():
    start = PROBLEM.minimiser() + torch.linspace(-1, 1, PROBLEM.d, dtype=torch.float64)
    after = normalized_step(PROBLEM, start, 0.1, 0.3)
    for i in range(PROBLEM.n):
        point = start.clone().requires_grad_()
        optimizer = SAM([point], NORMALIZED_SAM, 0.1, 0.3)

        def closure(point=point, i=i):
            loss = PROBLEM.losses(point)[i]
            loss.backward()
            return loss

        optimizer.step(closure)
        # the optimiser's safeguard is 1e-12 of gradients of order one
        torch.testing.assert_close(point.detach(), after[i], rtol=1e-11, atol=1e-11)


def test_every_sample_is_displaced_by_the_radius():
    kinds = set()
    for case in displaced(PROBLEM):
        lengths = torch.linalg.vector_norm(case.points - case.start, dim=1)
        torch.testing.assert_close(
            lengths, torch.full_like(lengths, case.radius), rtol=1e-9, atol=0
        )
        losses, before = (PROBLEM.residuals(p) ** 2 for p in (case.points, case.start))
        if case.kind == "up":
            assert bool((losses.diagonal() > before).all())
        kinds.add(case.kind)
    assert kinds == {"up", "down", "random"}


ROWS = [
    (Fraction(3, 5), Fraction(4, 5)),
    (Fraction(1), Fraction(0)),
    (Fraction(-5, 13), Fraction(12, 13)),
]
RADIUS = Fraction(1, 7)


def kaczmarz(point, row):
    """Normalised SAM at η = 1/β = 1 on ½⟨row, x⟩², |row| = 1: the step, in exact arithmetic."""
    residual = sum(r * x for r, x in zip(row, point, strict=True))
    at = residual + (RADIUS if residual > 0 else -RADIUS)
    return tuple(x - at * r for r, x in zip(row, point, strict=True)), residual


@pytest.mark.parametrize("point", [(Fraction(2), Fraction(-3)), (Fraction(1, 50), Fraction(1, 9))])
def test_equal_rows_attain_the_bound_at_every_point(point):
    """|x⁺|² = |x|² - 2f_b(x)/β + ρ² exactly, for every sample: nothing is given away."""
    theorem = theory.get("sam-normalized-convex")
    noise = evaluate(theorem, "noise", step_size=1.0, beta=1.0, radius=float(RADIUS)).value
    assert noise == pytest.approx(float(RADIUS) ** 2, rel=1e-15)
    for row in ROWS:
        after, residual = kaczmarz(point, row)
        left, right = (sum(x**2 for x in vector) for vector in (after, point))
        assert residual != 0 and left == right - residual**2 + RADIUS**2


@pytest.mark.parametrize("seed", range(3))
def test_with_equal_rows_the_long_run_loss_is_that_of_the_bound(seed):
    """The time average of f is βρ²/2 whatever the data: a stationary law has no other."""
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(6, 3, generator=generator, dtype=torch.float64)
    rows = rows * torch.tensor([1.0, 3.0, 10.0])
    rows /= torch.linalg.vector_norm(rows, dim=1, keepdim=True)
    samples, steps = rows.tolist(), 20_000
    point, radius, total = [0.3, -0.2, 0.1], 0.3, 0.0
    for i in torch.randint(6, (steps,), generator=generator).tolist():
        residuals = [sum(r * x for r, x in zip(row, point, strict=True)) for row in samples]
        total += sum(r**2 for r in residuals) / 12
        at = residuals[i] + (radius if residuals[i] > 0 else -radius)
        point = [x - at * r for r, x in zip(samples[i], point, strict=True)]
    # |x_t|² telescopes, so what is off is noise of order ρ²/√T
    assert total / steps == pytest.approx(radius**2 / 2, rel=0.05)


@pytest.mark.parametrize("name", sorted({name for name, _, _ in MARKS} | {"sam-linear-limit"}))
def test_a_sample_without_a_gradient_violates_nothing(name):
    """It has no direction to be displaced along, and stays where it is."""
    rows = LeastSquares.gaussian(4, 6, 0).features.clone()
    rows[1] = 0
    problem = LeastSquares(rows, rows.sum(1))
    verdict = LeastSquaresCase("x", problem).confront(theory.get(name))
    assert verdict.outcome is Outcome.CONSISTENT and verdict.points > 0, verdict.reason
