"""The stability map: theorem boundaries in closed form, and verdicts that follow the boundaries."""

import dataclasses

import numpy as np
import pytest
import torch

import theory
from numerics.hessians import SampleHessians, moments
from numerics.stability import bounds, stability_map, theorem_threshold
from numerics.stability.maps import THEOREMS

RADII = (0.0, 0.05, 0.3)


@pytest.fixture(scope="module")
def hessians():
    g = torch.Generator().manual_seed(0)
    return SampleHessians.from_rank_one(torch.randn(8, 5, generator=g, dtype=torch.float64))


@pytest.fixture(scope="module")
def table(hessians):
    return stability_map(hessians, np.geomspace(1e-2, 10, 12), RADII)


def closed_forms(m, rho):
    """Where each theorem's inequality turns into an equality, solved by hand for eta."""
    a, s2, s3, s4 = m.sharpness, m.s2, m.s3, m.s4
    forms = {
        "sharpness": 2 / (a * (1 + rho * a)),
        "s2": rho + np.sqrt(rho**2 + 1 / s2**2),
        # put t* = 2 eta s2 into rho t*^2 + eta t* = 2 eta
        "s2-sharp": 1 / (s2 * (1 + 2 * rho * s2)),
    }
    if rho:  # the published bounds speak from eta = 2 rho on
        forms["s3"] = max(np.sqrt(1 / (2 * rho * s3**3)), 2 * rho)
        forms["s4"] = max(1 / (rho * s4**2), 2 * rho)
        # the same bound, proved for larger radii: rho / eta <= (3 + 2 sqrt 3) / 2
        forms["s4-sharp"] = 1 / (rho * s4**2)
        assert rho / forms["s4-sharp"] < 3
    return forms


@pytest.mark.parametrize("rho", RADII)
def test_theorem_thresholds_are_where_the_inequality_is_an_equality(hessians, rho):
    m = moments(hessians, method="dense")
    for name, expected in closed_forms(m, rho).items():
        found = theorem_threshold(THEOREMS[name], m, rho)
        # bisection to 1e-13 on evaluations that are exact to a few units of round-off
        assert found == pytest.approx(expected, rel=1e-12), name


def test_verdicts_follow_the_boundaries(table):
    points = list(table.points())
    assert len(points) == 12 * len(RADII)
    for point in points:
        at = next(b for b in table.boundaries if b.radius == point.radius)
        assert point.exact == at.exact.classify(point.step_size)
        if point.one_step:
            assert point.exact == "stable"
            assert all(
                point.theorems.values()
            )  # each bound is necessary for the one-step condition
        if not point.directional or not point.theorems["sharpness"]:
            assert point.exact == "unstable"
    assert {point.exact for point in points} == {"stable", "unstable"}


def test_a_changed_theorem_moves_its_boundary(hessians, monkeypatch):
    """The map asks the theorem; a formula of its own would not notice."""
    m = moments(hessians, method="dense")
    before = theorem_threshold(THEOREMS["sharpness"], m, 0.1)
    (theorem_id,) = THEOREMS["sharpness"]
    original = theory.get(theorem_id)
    marked = dataclasses.replace(
        original,
        quantities=tuple(
            dataclasses.replace(q, expression=q.expression / 2) if q.name == "limit" else q
            for q in original.quantities
        ),
    )
    monkeypatch.setattr(bounds.theory, "get", lambda _: marked)
    after = theorem_threshold(THEOREMS["sharpness"], m, 0.1)
    assert after == pytest.approx(before / 2, rel=1e-12)


def test_refusals(hessians):
    with pytest.raises(ValueError, match="step_size is 0"):
        stability_map(hessians, [0.0], [0.1])
    with pytest.raises(ValueError, match="radius is -1"):
        stability_map(hessians, [0.1], [-1.0])
