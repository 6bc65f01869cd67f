"""Both SAMs on least squares against closed forms typed here."""

import pytest
import torch

from numerics.hessians import SampleHessians
from numerics.problems.least_squares import LeastSquares
from numerics.stability.normalisation import both_sams, edge_radius
from numerics.stability.threshold import stability_threshold
from theory.trusted.algorithms import SAM

PROBLEM = LeastSquares.mnist(6)
TOP = float(torch.linalg.eigvalsh(PROBLEM.features @ PROBLEM.features.T)[-1]) / 6


@pytest.mark.parametrize("step_size", [0.1, 1.0, 3.0])
def test_the_edge_is_where_the_step_overshoots_by_one(step_size):
    """eta a (1 + rho a) = 2."""
    expected = (2 / (step_size * TOP) - 1) / TOP
    # The root is found to 1e-14 in a number above 0.1.
    assert edge_radius(PROBLEM, step_size) == pytest.approx(expected, rel=1e-12)


def test_the_edge_is_the_exact_stability_threshold():
    hessians = SampleHessians.from_rank_one(PROBLEM.features)
    threshold = stability_threshold(hessians, edge_radius(PROBLEM, 1.0), SAM, batch_size=6)
    # Krylov iteration to a relative residual of 1e-11.
    assert threshold.value == pytest.approx(1.0, rel=1e-9)


@pytest.mark.parametrize(("share", "grows"), [(0.99, False), (1.01, True)])
def test_unnormalised_sam_changes_at_the_edge(share, grows):
    found = both_sams(PROBLEM, 1.0, share * edge_radius(PROBLEM, 1.0), 1000)
    assert (found.unnormalised[-1] > found.unnormalised[-100]) == grows
    assert torch.isfinite(found.normalised).all()


@pytest.mark.parametrize("radius", [0.01, 1.0, 50.0])
def test_normalised_sam_ends_on_the_cycle_at_every_radius(radius):
    found = both_sams(PROBLEM, 1.0, radius, 2000)
    amplitude = radius * TOP / (2 - TOP)
    assert found.cycle == pytest.approx(TOP * amplitude**2 / 2, rel=1e-12)  # a few operations
    # The slowest direction contracts by 0.95 in a step: to round-off long before step 1900.
    assert found.normalised[-100:].tolist() == pytest.approx([found.cycle] * 100, rel=1e-6)
    contraction = float(
        (1 - torch.linalg.eigvalsh(PROBLEM.features @ PROBLEM.features.T) / 6).max()
    )
    ball = radius * TOP / (1 - contraction)
    assert found.ball == pytest.approx(TOP * ball**2 / 2, rel=1e-9)  # 1 - q loses a digit
    assert found.cycle <= found.ball


def test_without_radius_both_are_gradient_descent():
    found = both_sams(PROBLEM, 1.0, 0.0, 50)
    # Two ways to the same powers of eigenvalues.
    torch.testing.assert_close(found.unnormalised, found.normalised, rtol=1e-9, atol=0)
    assert found.cycle == found.ball == 0


@pytest.mark.parametrize(
    ("step_size", "radius", "message"),
    [
        (2.01 / TOP, 0.1, "gradient descent diverges, stay below"),
        (0.0, 0.1, "step_size is 0"),
        (1.0, -1.0, "radius is -1"),
    ],
)
def test_bad_input_is_one_clear_line(step_size, radius, message):
    with pytest.raises(ValueError, match=message):
        both_sams(PROBLEM, step_size, radius, 10)
