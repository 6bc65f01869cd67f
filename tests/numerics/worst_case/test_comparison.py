"""The table of theorems and worst cases, on the grid that the theorems are judged by."""

import dataclasses
import math

import pytest

import theory
from numerics.worst_case import (
    FAMILIES,
    ProblemClass,
    best_step_size,
    compare,
    proved,
    worst_case,
)

GRID = [(mu, at) for mu in (0.04, 0.1, 0.25) for at in (0.0, 0.1, 0.25, 0.5, 0.75, 0.9)]


def comparison(family, mu, at, label="best proved"):
    chosen = FAMILIES[family]
    setting, radius = chosen.setting(mu), chosen.radius(at, mu)
    return compare(setting, chosen.theorems[label], radius)


@pytest.mark.slow
@pytest.mark.parametrize(("mu", "at"), GRID)
def test_the_optimal_rate_is_within_four_percent(mu, at):
    found = comparison("smooth", mu, at)
    # At least 1 because the worst case is bounded by the theorem; a percent for the solver.
    assert 0.99 < found.ratio <= found.ratio_at_best <= 1.04


@pytest.mark.slow
@pytest.mark.parametrize(("mu", "at"), GRID)
def test_the_published_rate_is_far_off_or_absent(mu, at):
    chosen = FAMILIES["smooth"]
    radius = chosen.radius(at, mu)
    bound = proved(chosen.theorems["published"], mu=mu, beta=1.0, L=1.0, radius=radius)
    if at == 0:
        assert bound.factor == pytest.approx(1 - mu**2, abs=1e-15)
    elif bound is not None:
        best = best_step_size(chosen.setting(mu), radius).best
        assert (1 - best.value) / (1 - bound.factor) > 1.2
    else:
        assert radius > 2 * mu / (1 + mu)


@pytest.mark.parametrize("at", [0.25, 1.0, 2.0])
def test_the_rate_on_quadratics_is_tight_at_its_step(at):
    found = comparison("quadratic", 0.25, at)
    # The solver's 1e-7 over a decrease of a tenth or more.
    assert found.ratio == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize(("family", "at"), [("convex", 0.5), ("distance", 0.5), ("distance", 2.0)])
def test_other_families_bound_their_worst_case(family, at):
    found = comparison(family, 0.25, at)
    assert found.same_step.value <= found.bound.factor + 1e-6
    assert 1 - 1e-4 <= found.ratio <= found.ratio_at_best
    assert found.at_best.value <= found.same_step.value


def test_the_closed_forms_typed_a_second_time():
    """From MATH 6: the angles of the optimal rate, and the range of the large radii."""
    s, q = 0.2, 0.1
    bound = proved(("sam-pl-linear-optimal",), mu=s**2, beta=1.0, L=1.0, radius=q)
    expected = 1 - s**2 * math.sin(math.asin(s) - math.asin(q)) ** 2
    # A dozen float64 operations.
    assert bound.factor == pytest.approx(expected, abs=1e-14)
    distance = FAMILIES["distance"].theorems["best proved"]
    near = proved(distance, mu=0.1, beta=1.0, L=1.0, radius=0.5)
    assert near.theorem == "sam-distance-linear"
    assert near.factor == pytest.approx(1 - 0.1 * (1 - 0.25 / 2), abs=1e-14)
    far = proved(distance, mu=0.1, beta=1.0, L=1.0, radius=2.5)
    assert far.theorem == "sam-distance-large-radius"
    assert far.factor == pytest.approx(1 - 0.1 * 3.5 * (2 - math.sqrt(3.5)) ** 2, abs=1e-14)
    assert proved(distance, mu=0.1, beta=1.0, L=1.0, radius=3.5) is None


def test_radii_in_their_units():
    assert FAMILIES["smooth"].radius(0.5, 0.04, beta=2.0) == pytest.approx(
        0.5 * math.sqrt(0.02) / 2, rel=1e-14
    )
    assert FAMILIES["convex"].radius(1.0, 0.04) == pytest.approx(2 * 0.2 / 0.8, rel=1e-12)
    assert FAMILIES["distance"].radius(1.5, 0.04, beta=3.0) == 0.5


def test_a_changed_theorem_changes_the_comparison(monkeypatch):
    """The bounds are the theorems' own expressions: nothing is typed here."""
    original = theory.get("sam-pl-linear-optimal")
    marked = dataclasses.replace(
        original,
        quantities=tuple(
            dataclasses.replace(q, expression=q.expression / 2) if q.name == "factor" else q
            for q in original.quantities
        ),
    )
    known = {"mu": 0.04, "beta": 1.0, "L": 1.0, "radius": 0.1}
    before = proved(("sam-pl-linear-optimal",), **known)
    monkeypatch.setattr(theory, "get", lambda _: marked)
    assert proved(("sam-pl-linear-optimal",), **known).factor == before.factor / 2


@pytest.mark.parametrize(("size", "at"), [(2, 0.25), (4, 0.5), (8, 0.5)])
def test_the_rate_with_small_batches_is_within_four_percent(size, at):
    """24 samples; the radius in units of the largest admissible one, typed a second time."""
    mu, weight = 0.25, (24 - size) / (size * 23)
    radius = at * math.sqrt(mu / (weight + (1 - weight) * mu))
    known = {"mu": mu, "beta": 1.0, "L": 1.0, "p": weight, "radius": radius}
    bound = proved(("sam-pl-minibatch-best-step",), **known)
    worst = worst_case(ProblemClass(mu, batch_size=size), bound.step_size, radius)
    # At least 1 because the theorem bounds it; the solver is exact to 1e-7 or so.
    assert 1 - 1e-5 <= (1 - worst.value) / (1 - bound.factor) <= 1.04
