"""Best step sizes and threshold radii, where they are known."""

import math

import pytest
from scipy.optimize import minimize_scalar

from numerics.worst_case import (
    ProblemClass,
    ProgramStatus,
    best_step_size,
    threshold_radius,
    worst_case,
)
from numerics.worst_case import search as module


def test_best_step_of_gradient_descent():
    """2 / (L + mu), with factor ((L - mu) / (L + mu))^2."""
    setting = ProblemClass(
        0.25, samples="strongly convex", mean="smooth", measure="squared distance", components=2
    )
    found = best_step_size(setting, 0.0)
    # A kink: the factor is off by the slope, about 1, times the tolerance of the step.
    assert found.best.value == pytest.approx(0.36, abs=5e-3)
    assert found.best.step_size == pytest.approx(1.6, rel=5e-3)
    assert found.unsolved == 0 and found.evaluated > 5


def test_best_step_against_a_search_of_its_own():
    setting = ProblemClass(0.25, components=3)
    other = minimize_scalar(
        lambda step: worst_case(setting, step, 0.2).value, bounds=(0.05, 0.5), method="bounded"
    )
    # A smooth minimum: quadratic in the error of the step.
    assert best_step_size(setting, 0.2).best.value == pytest.approx(other.fun, abs=1e-5)


@pytest.mark.parametrize("mu", [0.04, 0.1])
def test_smooth_samples_stop_decreasing_at_the_radius_of_the_theorem(mu):
    """From three components on the bound changes its sign at sqrt(mu / beta) / beta."""
    root = math.sqrt(mu)
    for count in (3, math.inf):
        found = threshold_radius(
            ProblemClass(mu, components=count), largest=2 * root, tolerance=1e-3
        )
        # The slope is 2 mu (radius / root - 1): an error of 1e-7 of the solver moves it by 1e-6.
        assert found.decreases <= root <= found.undecided + 2e-3 * root
        assert found.undecided - found.decreases <= 2e-3 * root
        assert found.slopes[0].value < 0


def test_convex_samples_go_at_least_as_far_as_the_theorem():
    """2 s / (1 - s) is proved (MATH: range of theorem C)."""
    found = threshold_radius(ProblemClass(0.04, samples="convex"), largest=2.0)
    assert found.decreases >= 0.5 - 2e-3


@pytest.mark.parametrize("size", [2, 4])
def test_the_radius_grows_with_the_batch(size):
    """Small batches of 24: s / sqrt(w + (1 - w) s^2), w the weight of the batch law.

    E|g_b|^2 <= 2 w f + 2 (1 - w) mu f in the worst case, and <h, G> is positive while
    radius^2 E|g_b|^2 < |G|^2 = 2 mu f.
    """
    mu, weight = 0.04, (24 - size) / (size * 23)
    expected = math.sqrt(mu / (weight + (1 - weight) * mu))
    setting = ProblemClass(mu, batch_size=size)
    found = threshold_radius(setting, largest=1.0, tolerance=1e-3)
    assert found.decreases <= expected + 1e-4 and expected - 1e-4 <= found.undecided


def test_the_slope_is_that_of_the_loss():
    """For a short step the loss changes by the slope, up to L/2 eta^2 E|h|^2 <= 2 eta^2."""
    step = 1e-3
    slope = worst_case(ProblemClass(0.25, measure="slope", components=3), 0.0, 0.2).value
    loss = worst_case(ProblemClass(0.25, components=3), step, 0.2).value
    assert slope * step - 1e-6 <= loss - 1 <= slope * step + 2 * step**2


def test_a_failing_solver_stops_the_search(monkeypatch):
    failed = worst_case(ProblemClass(0.25), 0.1, 0.1)
    object.__setattr__(failed, "status", ProgramStatus.FAILED)
    monkeypatch.setattr(module, "worst_case", lambda *_: failed)
    with pytest.raises(RuntimeError, match="try another solver"):
        best_step_size(ProblemClass(0.25), 0.1)
    with pytest.raises(RuntimeError, match="try another solver"):
        threshold_radius(ProblemClass(0.25), largest=1.0)


def test_bad_searches():
    with pytest.raises(ValueError, match="measure 'slope' has no step size"):
        best_step_size(ProblemClass(0.25, measure="slope"), 0.1)
    with pytest.raises(ValueError, match=r"largest = 0\.1 is not apt"):
        threshold_radius(ProblemClass(0.25), largest=0.1)
