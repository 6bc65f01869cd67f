"""The radius at which SAM moves uphill on convex quadratics, against its definition."""

import numpy as np
import pytest

import theory
from numerics.counterexamples import smallest_uphill_radius
from numerics.counterexamples.uphill_radius import pair, uphill_radius


def descent(curvatures, radius, point):
    """E <∇f_b(x + ρ∇f_b(x)), ∇f(x)>, sample by sample."""
    mean = curvatures.mean(0) @ point
    return np.mean([(a @ (point + radius * (a @ point))) @ mean for a in curvatures])


@pytest.mark.parametrize("mu", [1e-2, 1e-3, 1e-4])
def test_the_inner_product_changes_sign_at_the_radius(mu):
    found = smallest_uphill_radius(mu)
    radius, point = uphill_radius(found.curvatures)
    assert radius == found.radius == pytest.approx(found.ratio * mu**0.5, rel=1e-15)
    scale = np.linalg.norm(found.curvatures.mean(0) @ point) ** 2
    # the inverse of a matrix of condition 1e4
    assert abs(descent(found.curvatures, radius, point)) < 1e-10 * scale
    assert descent(found.curvatures, 1.01 * radius, point) < -1e-3 * scale
    for other in np.random.default_rng(0).standard_normal((200, 2)):
        assert descent(found.curvatures, 0.99 * radius, other) > 0


@pytest.mark.parametrize("mu", [1e-2, 1e-4])
def test_the_components_are_convex_smooth_and_as_conditioned_as_asked(mu):
    found = smallest_uphill_radius(mu)
    eigenvalues = np.linalg.eigvalsh(found.curvatures)
    assert eigenvalues.min() > -1e-15 and eigenvalues.max() <= 1 + 1e-15
    # the smallest eigenvalue of a matrix of norm 1: rounding is absolute
    assert np.linalg.eigvalsh(found.curvatures.mean(0))[0] == pytest.approx(mu, abs=1e-15)
    for share in np.geomspace(4 * mu, 1, 30):
        assert uphill_radius(pair(share, mu))[0] >= found.radius * (1 - 1e-9)


def test_the_librarys_instance_is_close_to_the_best_pair():
    theorem = theory.get("sam-convex-every-radius")
    given = {name: float(value) for name, value in theorem.refutation.parameters}
    samples = np.array(theorem.refutation.curvatures, dtype=float)
    radius, _ = uphill_radius(samples)
    best = smallest_uphill_radius(given["mu"]).radius
    assert best < radius < given["radius"] < 1.2 * best


def test_commuting_components_never_move_uphill():
    radius, _ = uphill_radius(np.array([np.diag([1.0, 0.1]), np.diag([0.2, 0.9])]))
    assert radius == np.inf


def test_bad_arguments():
    with pytest.raises(ValueError, match="give less than 1/8"):
        smallest_uphill_radius(0.2)
    with pytest.raises(ValueError, match="mu"):
        smallest_uphill_radius(0.0)
    with pytest.raises(ValueError, match="singular"):
        uphill_radius(np.array([np.diag([1.0, 0.0])]))
    with pytest.raises(ValueError, match="too large"):
        pair(0.01, 0.1)
