"""Simulated growth against the exact spectral radius, and the rule of decision."""

import math

import pytest
import torch

from numerics.hessians import SampleHessians, mean_square_radius
from numerics.stability import stability_threshold
from numerics.stability.minima import MnistParity, network_step
from numerics.stability.simulation import (
    DECISIVE,
    Growth,
    draw_batches,
    linearised_step,
    mean_square_growth,
    simulated_threshold,
)


@pytest.fixture(scope="module")
def hessians():
    g = torch.Generator().manual_seed(0)
    return SampleHessians.from_rank_one(torch.randn(8, 4, generator=g, dtype=torch.float64))


START = torch.zeros(4, dtype=torch.float64)


@pytest.mark.parametrize("factor", [0.8, 1.0, 1.2])
def test_growth_is_the_logarithm_of_the_spectral_radius(hessians, factor):
    step_size = factor * stability_threshold(hessians, 0.1).value
    step = linearised_step(hessians, step_size, 0.1)
    found = mean_square_growth(step, START, steps=300, burn_in=100, particles=512)
    exact = math.log(mean_square_radius(hessians, step_size, 0.1).value)
    # Student's t with 15 degrees of freedom: 4.07 is 0.1%; the bias is known to its own size.
    assert abs(found.rate - exact) <= 4.07 * found.standard_error + found.bias
    assert found.standard_error < 0.01


def test_an_average_over_trajectories_would_miss_it(hessians):
    """Why importance sampling: typical trajectories shrink where the mean square grows."""
    step_size = 1.05 * stability_threshold(hessians).value
    step = linearised_step(hessians, step_size)
    generator = torch.Generator().manual_seed(0)
    points = torch.randn(1000, 4, generator=generator, dtype=torch.float64)
    for _ in range(400):
        points = step(points, generator)
    typical = float(points.norm(dim=1).log().median())
    assert typical < -10
    assert mean_square_growth(step, START, steps=200, burn_in=100).verdict == "unstable"


@pytest.mark.slow
@pytest.mark.parametrize(("radius", "size"), [(0.0, 1), (0.1, 1), (0.1, 3)])
def test_simulated_boundary_is_within_two_percent_where_decisive(hessians, radius, size):
    exact = stability_threshold(hessians, radius, batch_size=size).value
    found = simulated_threshold(
        lambda eta: linearised_step(hessians, eta, radius, batch_size=size),
        START,
        0.7 * exact,
        1.5 * exact,
        steps=100,
        longest=200,
        particles=128,
    )
    assert found.decisive
    assert abs(math.log(found.value / exact)) <= math.log(DECISIVE) / 2 * 1.0001 + 1e-12
    assert found.stable < exact < found.unstable


@pytest.fixture(scope="module")
def network():
    setting = MnistParity(samples=12, hidden=6, batch_size=12, target_loss=0.01)
    return setting.problem(), setting.minimum()


@pytest.mark.slow
@pytest.mark.parametrize(("factor", "verdict"), [(0.9, "stable"), (1.1, "unstable")])
def test_true_dynamics_of_a_network_has_the_same_boundary(network, factor, verdict):
    problem, minimum = network
    exact = stability_threshold(minimum.hessians, 0.01, batch_size=6).value
    start = torch.zeros(minimum.hessians.size, dtype=torch.float64)
    step = network_step(problem, minimum, factor * exact, 0.01, batch_size=6)
    assert mean_square_growth(step, start, steps=60, particles=32).verdict == verdict


def test_true_step_is_the_linearised_step_up_to_the_displacement(network):
    """Both work in the basis that one singular value decomposition gives, on the same batches."""
    problem, minimum = network
    g = torch.Generator().manual_seed(0)
    points = torch.randn(5, minimum.hessians.size, generator=g, dtype=torch.float64)
    linear, true = (
        step(points, torch.Generator().manual_seed(1))
        for step in (
            linearised_step(minimum.hessians, 0.02, 0.03, batch_size=4),
            network_step(problem, minimum, 0.02, 0.03, batch_size=4),
        )
    )
    # third derivatives of order 10 times displacements of 1e-6; the steps themselves are about 1
    assert float((true - linear).abs().max()) < 1e-4
    assert float((linear - points).abs().max()) > 0.1


def test_indecisive_runs_are_not_called():
    def made(rate, error, bias=0.0):
        return Growth(rate, error, bias, 1, 1, 2, 2, 0).verdict

    assert made(-1.0, 0.2) == "stable"
    assert made(1.0, 0.2) == "unstable"
    assert made(1.0, 0.3) == made(-1.0, 0.3) == made(1.0, 0.2, 0.5) == "inconclusive"


def test_bisection_stops_where_simulation_cannot_decide(hessians):
    """With two steps to look at, nothing near the boundary can be decided."""
    exact = stability_threshold(hessians).value
    found = simulated_threshold(
        lambda eta: linearised_step(hessians, eta),
        START,
        0.01 * exact,
        20 * exact,
        steps=2,
        longest=2,
        particles=4,
    )
    assert not found.decisive
    assert found.stable < exact < found.unstable


def test_bisection_refuses_an_interval_without_the_boundary(hessians):
    exact = stability_threshold(hessians).value
    with pytest.raises(ValueError, match="the boundary is not between"):
        simulated_threshold(
            lambda eta: linearised_step(hessians, eta),
            START,
            3 * exact,
            9 * exact,
            steps=50,
            longest=50,
        )
    with pytest.raises(ValueError, match="give low < high"):
        simulated_threshold(lambda eta: None, START, 2.0, 1.0, steps=1, longest=1)


def test_batches_hold_different_samples_and_all_of_them():
    g = torch.Generator().manual_seed(0)
    for size in (1, 3, 5):
        drawn = draw_batches(5, size, 2000, g)
        assert drawn.shape == (2000, size)
        assert all(len(set(row)) == size for row in drawn.tolist())
        # binomial: 2000 draws of probability size / 5, five standard deviations
        counts = torch.bincount(drawn.flatten(), minlength=5) / 2000
        p = size / 5
        assert float((counts - p).abs().max()) <= 5 * (p * (1 - p) / 2000) ** 0.5


def test_simulation_leaves_the_global_generator_alone(hessians):
    before = torch.get_rng_state()
    mean_square_growth(linearised_step(hessians, 0.1), START, steps=3, particles=4)
    assert torch.equal(torch.get_rng_state(), before)
