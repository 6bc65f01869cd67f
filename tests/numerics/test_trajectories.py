from dataclasses import replace

import numpy as np
import pytest
import torch
from oracles import least_squares as oracle

from numerics.problems import LeastSquares
from theory import GD, NORMALIZED_SAM, SAM, SGD

FRESH = replace(SAM, name="fresh SAM", fresh_batch=True)
FULL = replace(SAM, name="full-batch SAM", stochastic=False)
FULL_NORMALIZED = replace(NORMALIZED_SAM, name="full normalised SAM", stochastic=False)

# Algorithm, batch size, steps: every algorithm and size for which a closed recursion is claimed.
CLOSED = [
    (GD, 4, 4),
    (FULL, 4, 4),
    (SGD, 1, 4),
    (SGD, 2, 4),
    (SGD, 3, 4),
    (SGD, 4, 4),
    (SAM, 1, 4),
    (SAM, 4, 4),
    (FRESH, 1, 3),
]


def names(case):
    return str(getattr(case, "name", case))


def enumerated(problem, spec, eta, rho, steps, size, start):
    return oracle.enumerated_losses(
        problem.features.numpy(),
        problem.targets.numpy(),
        start.numpy(),
        eta,
        rho if spec.perturbed else 0.0,
        steps,
        size,
        normalized=spec.normalized,
        fresh=spec.fresh_batch,
    )


@pytest.mark.parametrize("d", [6, 2])
@pytest.mark.parametrize(("spec", "size", "steps"), CLOSED, ids=names)
def test_exact_losses_by_enumeration(spec, size, steps, d):
    problem = LeastSquares.gaussian(4, d, seed=d)
    start = torch.linspace(-1, 1, d, dtype=torch.float64)
    eta, rho = 0.7, 0.4
    curve = problem.expected_losses(spec, eta, rho, steps, start, batch_size=size)
    expected = enumerated(problem, spec, eta, rho, steps, size, start)
    # At most 4096 terms of size 1, a handful of products each.
    np.testing.assert_allclose(curve.mean.numpy(), expected, rtol=1e-12, atol=0)
    assert curve.exact and curve.steps == steps and not curve.standard_error.any()


def test_the_enumeration_tells_the_algorithms_apart():
    problem = LeastSquares.gaussian(4, 6, seed=6)
    curves = [problem.expected_losses(s, 0.7, 0.4, 3, batch_size=b).mean for s, b, _ in CLOSED]
    different = {round(float(curve[-1]), 10) for curve in curves}
    # SGD and SAM on batches of all four samples are GD and full-batch SAM; the rest differ.
    assert len(different) == len(CLOSED) - 2


def test_one_sample_has_a_closed_form():
    problem = LeastSquares(
        torch.tensor([[0.6, 0.8, 1.0]], dtype=torch.float64), torch.tensor([2.0])
    )
    eta, rho, a = 0.3, 0.2, 2.0
    curve = problem.expected_losses(SAM, eta, rho, 50).mean
    powers = (1 - eta * a * (1 + rho * a)) ** (2 * np.arange(51))
    # 0.16 = 1 - 0.84 is known to 6e-16, relatively; its hundredth power to a hundred times that.
    np.testing.assert_allclose(curve.numpy(), 2.0 * powers, rtol=2e-13)


def test_sam_on_orthogonal_rows():
    # One sample of n orthonormal rows is corrected per step: E r_i^2 shrinks by 1 - (1 - m^2)/n.
    problem = LeastSquares(torch.eye(5), torch.arange(1, 6))
    eta, rho = 0.5, 0.3
    factor = 1 - (1 - (1 - eta * (1 + rho)) ** 2) / 5
    curve = problem.expected_losses(SAM, eta, rho, 400).mean
    expected = float(problem.loss(problem.start())) * factor ** np.arange(401)
    # Down to 1e-30 of the start; one rounding per step accumulates.
    np.testing.assert_allclose(curve.numpy(), expected, rtol=1e-12)


def test_radius_zero_is_sgd():
    problem = LeastSquares.gaussian(5, 8)
    reference = problem.expected_losses(SGD, 0.5, 0.0, 30).mean
    for spec in (SAM, FRESH, NORMALIZED_SAM):
        assert torch.equal(problem.expected_losses(spec, 0.5, 0.0, 30).mean, reference)
    assert torch.equal(problem.expected_losses(SGD, 0.5, 9.0, 30).mean, reference)


@pytest.mark.parametrize(("spec", "size"), [(SGD, 1), (SGD, 3), (SAM, 1), (FRESH, 1)], ids=names)
def test_monte_carlo_agrees_with_the_exact_curve(spec, size):
    problem = LeastSquares.gaussian(10, 20, seed=3)
    exact = problem.expected_losses(spec, 0.5, 0.4, 40, batch_size=size).mean
    sampled = problem.sampled_losses(spec, 0.5, 0.4, 40, runs=4000, seed=5, batch_size=size)
    assert torch.allclose(sampled.mean[0], exact[0], rtol=1e-13)
    deviation = (sampled.mean - exact)[1:] / sampled.standard_error[1:]
    # Five standard errors; the seed is fixed.
    assert float(deviation.abs().max()) < 5
    # Precise enough to tell the algorithms apart: the error is below 3% of the loss.
    assert float((sampled.standard_error[1:] / exact[1:]).max()) < 0.03


@pytest.mark.parametrize(
    ("spec", "size"),
    [
        (NORMALIZED_SAM, 1),
        (NORMALIZED_SAM, 2),
        (SAM, 2),
        (replace(FRESH, normalized=True), 1),
        (replace(FRESH, name="fresh batch SAM"), 2),
    ],
    ids=names,
)
def test_monte_carlo_agrees_with_enumeration(spec, size):
    problem = LeastSquares.gaussian(3, 5, seed=8)
    start = torch.ones(5, dtype=torch.float64)
    expected = enumerated(problem, spec, 0.6, 0.5, 3, size, start)
    sampled = problem.sampled_losses(spec, 0.6, 0.5, 3, start, runs=20000, seed=1, batch_size=size)
    deviation = (sampled.mean.numpy() - expected)[1:] / sampled.standard_error.numpy()[1:]
    assert np.abs(deviation).max() < 5
    assert sampled.standard_error.numpy()[1:].max() < 0.01 * expected[0]


@pytest.mark.parametrize("spec", [GD, FULL, FULL_NORMALIZED], ids=names)
def test_full_gradient_runs_are_deterministic(spec):
    problem = LeastSquares.gaussian(4, 6)
    start = torch.ones(6, dtype=torch.float64)
    sampled = problem.sampled_losses(spec, 0.8, 0.3, 5, start, runs=3)
    expected = enumerated(problem, spec, 0.8, 0.3, 5, 4, start)
    # Five steps in rotated coordinates; epsilon = 1e-12 in the normalised step moves it by as much.
    np.testing.assert_allclose(sampled.mean.numpy(), expected, rtol=1e-10)
    assert torch.equal(sampled.samples[0], sampled.samples[2])


def test_sampling_is_seeded_and_leaves_the_global_state_alone():
    problem = LeastSquares.gaussian(4, 6)
    state = torch.get_rng_state()
    first, same, other = (
        problem.sampled_losses(SAM, 0.5, 0.1, 5, runs=2, seed=seed).samples for seed in (1, 1, 2)
    )
    assert torch.equal(first, same) and not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), state)


def test_batches_are_uniform_without_replacement():
    problem = LeastSquares(torch.eye(4), torch.ones(4))
    # eta = 2 on a batch of two orthonormal rows sets exactly those two residuals to zero.
    samples = problem.sampled_losses(SGD, 2.0, 0.0, 2, runs=4000, seed=0, batch_size=2).samples
    assert torch.equal(samples[:, 1], torch.full((4000,), 0.25, dtype=torch.float64))
    # The second batch hits 0, 1 or 2 of the remaining two with probabilities 1/6, 4/6, 1/6.
    left = torch.stack([(samples[:, 2] == k / 8).double().mean() for k in (2, 1, 0)])
    # Five standard errors of a frequency among 4000.
    assert torch.allclose(left, torch.tensor([1 / 6, 4 / 6, 1 / 6]).double(), rtol=0, atol=0.04)


def test_the_minimum_is_a_fixed_point_of_normalised_sam():
    problem = LeastSquares(torch.eye(3), torch.zeros(3))
    for epsilon in (0.0, 1e-12):
        spec = replace(NORMALIZED_SAM, epsilon=epsilon)
        assert not problem.sampled_losses(spec, 0.5, 0.1, 4, runs=2).samples.any()


def test_divergence_is_infinite_and_never_nan():
    problem = LeastSquares.gaussian(5, 8)
    for curve in (
        problem.expected_losses(SAM, 50.0, 5.0, 400),
        problem.expected_losses(GD, 500.0, 0.0, 400),
        problem.sampled_losses(SAM, 50.0, 5.0, 400, runs=20),
    ):
        assert float(curve.mean[-1]) == float("inf")
        assert not curve.mean.isnan().any() and not curve.standard_error.isnan().any()
        assert float(curve.mean[1]) < float("inf")


def test_an_absent_component_cannot_diverge():
    problem = LeastSquares(torch.tensor([[1.0, 0.0], [0.0, 10.0]]), torch.zeros(2))
    start = torch.tensor([1.0, 0.0])
    for spec, factor in ((GD, 0.25), (SGD, 0.5)):
        # The second coordinate is multiplied by -49 or -99 but starts at zero.
        curve = problem.expected_losses(spec, 1.0, 0.0, 400, start).mean
        np.testing.assert_allclose(curve.numpy(), 0.25 * factor ** np.arange(401.0), rtol=1e-12)


def test_one_run_has_no_standard_error():
    curve = LeastSquares.gaussian(3, 4).sampled_losses(SAM, 0.5, 0.1, 2, runs=1)
    assert bool(curve.standard_error.isnan().all()) and not curve.mean.isnan().any()


@pytest.mark.parametrize(
    ("spec", "arguments", "message"),
    [
        (NORMALIZED_SAM, {}, "is normalised, so a step is not linear .*: use sampled_losses"),
        (SAM, {"batch_size": 2}, "SAM with batch_size 2 .*use batch_size 1 or 5"),
        (FRESH, {"batch_size": 2}, "fresh SAM with batch_size 2"),
        (GD, {"batch_size": 2}, "GD uses the full gradient of 5 samples"),
        (SAM, {"batch_size": 6}, "batch_size is 6"),
        (SAM, {"step_size": -1.0}, "step_size is -1: it must be at least 0"),
        (SAM, {"radius": float("nan")}, "radius is nan"),
        (SAM, {"steps": -1}, "steps is -1"),
        (SAM, {"start": torch.zeros(3)}, "start has shape"),
    ],
    ids=names,
)
def test_bad_requests(spec, arguments, message):
    problem = LeastSquares.gaussian(5, 8)
    good = {"step_size": 0.1, "radius": 0.1, "steps": 3}
    with pytest.raises(ValueError, match=message):
        problem.expected_losses(spec, **good | arguments)


def test_a_long_exact_curve_decreases():
    problem = LeastSquares.gaussian(100, 784)
    curve = problem.expected_losses(SAM, 0.3, 0.2, 2000)
    assert 0 < float(curve.mean[-1]) < float(curve.mean[0])
