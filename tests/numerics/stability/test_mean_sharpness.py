"""The largest eigenvalue of H + ρE H_B², against all batches, and against exact stability."""

import numpy as np
import pytest
import torch
from oracles.hessians import batch_matrices

from numerics.hessians import SampleHessians
from numerics.stability import mean_sharpness, stability_threshold


def matrices(n, d, seed=0, shift=0.0):
    g = torch.Generator().manual_seed(seed)
    a = torch.randn(n, d, d, generator=g, dtype=torch.float64)
    return a @ a.mT / d - shift * torch.eye(d, dtype=torch.float64)


@pytest.mark.parametrize("shift", [0.0, 0.7])  # no sample need be positive semidefinite
@pytest.mark.parametrize("radius", [0.0, 0.3])
@pytest.mark.parametrize("batch_size", [1, 2, 4, 5])
def test_it_is_that_of_the_mean_over_all_batches(shift, radius, batch_size):
    h = matrices(5, 4, shift=shift)
    batches = batch_matrices(h.numpy(), batch_size)
    mean = np.mean([m + radius * m @ m for m in batches], axis=0)
    found = mean_sharpness(SampleHessians.from_dense(h), radius, batch_size=batch_size)
    expected = np.linalg.eigvalsh(mean)[-1]
    assert abs(found.value - expected) <= found.error + 1e-13 * abs(expected)
    assert found.error < 1e-9 * abs(expected)


@pytest.mark.parametrize("radius", [0.0, 0.1, 2.0])
@pytest.mark.parametrize("batch_size", [1, 3])
def test_no_minimum_is_stable_beyond_it(radius, batch_size):
    for seed in range(20):
        hessians = SampleHessians.from_dense(matrices(4, 3, seed))
        exact = stability_threshold(hessians, radius, batch_size=batch_size)
        found = mean_sharpness(hessians, radius, batch_size=batch_size)
        assert exact.lower <= 2 / found.value * (1 + 1e-12)


@pytest.mark.parametrize("unit", [2.0**-700, 2.0**-400, 2.0**400, 2.0**600])
@pytest.mark.parametrize("radius", [0.0, 0.3])
def test_squares_that_are_no_float64_do_not_matter(unit, radius):
    h = matrices(4, 3)
    expected = mean_sharpness(SampleHessians.from_dense(h), radius, batch_size=2)
    found = mean_sharpness(SampleHessians.from_dense(unit * h), radius / unit, batch_size=2)
    assert found.value / unit == pytest.approx(expected.value, rel=1e-13)
    assert 0 < found.error / unit < 1e-9 * expected.value


def test_what_is_no_float64_is_refused():
    hessians = SampleHessians.from_dense(1e200 * matrices(4, 3))
    for radius in (1.0, 1e200):
        with pytest.raises(ValueError, match="no float64"):
            mean_sharpness(hessians, radius)


def test_bad_arguments_are_refused():
    hessians = SampleHessians.from_dense(matrices(3, 2))
    for arguments in ({"radius": -1.0}, {"batch_size": 4}, {"batch_size": 0}):
        with pytest.raises(ValueError, match=next(iter(arguments))):
            mean_sharpness(hessians, **arguments)
