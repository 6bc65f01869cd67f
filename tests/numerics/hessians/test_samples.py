"""Powers, averages, moments and steps of per-sample Hessians against explicit loops."""

from __future__ import annotations

import dataclasses
import sys

import numpy as np
import pytest
import torch
from oracles import hessians as oracle
from oracles.samples import classifier, dense, indefinite, rank_one

from numerics.hessians import (
    SampleHessians,
    mean_square_radius,
    moments,
    step_mean_extremes,
    step_polynomial,
    step_second_moment,
)
from numerics.hessians.batches import batch_mean_powers
from theory.trusted.algorithms import NORMALIZED_SAM, SAM, SGD

# Both sides are exact up to round-off, which grows with the power: relative to the largest entry.
ROUNDING = 1e-12
ROOT_FIELDS = ("sharpness", "s2", "s3", "s4")


@pytest.mark.parametrize("power", [1, 2, 3, 4])
def test_powers_equal_loops(pair, power):
    samples, matrices = pair
    powers = np.array([np.linalg.matrix_power(m, power) for m in matrices])
    scale = ROUNDING * np.abs(powers).max()
    g = torch.Generator().manual_seed(0)
    for shape in [(samples.size,), (samples.size, 3)]:
        v = torch.randn(shape, generator=g, dtype=torch.float64)
        expected = powers @ v.numpy()
        np.testing.assert_allclose(samples.matvec(v, power).numpy(), expected, atol=10 * scale)
        mean = samples.mean_matvec(v, power).numpy()
        np.testing.assert_allclose(mean, expected.mean(0), atol=10 * scale)
    np.testing.assert_allclose(samples.mean_power(power).numpy(), powers.mean(0), atol=scale)
    for k, mean in enumerate(samples.mean_powers(power), start=1):
        assert torch.equal(mean, mean.T)
        if k == power:
            np.testing.assert_allclose(mean.numpy(), powers.mean(0), atol=scale)


def test_polynomials_and_congruences_equal_loops(pair):
    samples, matrices = pair
    coefficients = [0.5, -1.0, 0.25, 2.0]
    eye = np.eye(samples.size)
    inner = [-m + 0.25 * m @ m + 2 * m @ m @ m for m in matrices]
    scale = ROUNDING * max(np.abs(m).max() for m in inner) ** 2
    mean = samples.mean_polynomial(coefficients).numpy()
    np.testing.assert_allclose(mean, 0.5 * eye + np.mean(inner, axis=0), atol=scale)
    x = torch.randn(samples.size, samples.size, generator=torch.Generator().manual_seed(1)).double()
    x = x + x.T
    image = samples.mean_congruence(x, samples.polynomial_core(coefficients)).numpy()
    expected = np.mean([m @ x.numpy() @ m for m in inner], axis=0)
    np.testing.assert_allclose(image, expected, atol=10 * scale)


@pytest.mark.parametrize("method", ["dense", "lanczos"])
def test_moments_equal_loops(pair, method):
    samples, matrices = pair
    found = moments(samples, method=method)
    expected = oracle.moment_roots(matrices)
    for field, value in zip(ROOT_FIELDS, expected, strict=True):
        error = getattr(found, f"{field}_error")
        # The oracle's own round-off is of the size of the reported error.
        assert abs(getattr(found, field) - value) <= 2 * error + 1e-14
        assert error <= 1e-10 * max(value, 1.0)
    assert found.method == method and found.dtype == "float64"
    assert (found.samples, found.size) == (samples.samples, samples.size)


@pytest.mark.parametrize("batch_size", [1, 2, 3, 4])
def test_batch_moments_equal_enumeration(pair, batch_size):
    samples, matrices = pair
    batches = oracle.batch_matrices(matrices, batch_size)
    for k, mean in enumerate(batch_mean_powers(samples, batch_size), start=1):
        expected = np.mean([np.linalg.matrix_power(m, k) for m in batches], axis=0)
        scale = np.abs(np.linalg.matrix_power(matrices, k)).max()
        # The weights of the words reach n^3/B^3 < 100 and cancel: 100 roundings of the scale.
        np.testing.assert_allclose(mean.numpy(), expected, atol=100 * ROUNDING * scale)
    found = moments(samples, batch_size=batch_size)
    if batch_size < samples.samples:
        expected = oracle.moment_roots(batches)
        # Half the digits would be lost only at a vanishing gap, which these samples do not have.
        np.testing.assert_allclose([getattr(found, f) for f in ROOT_FIELDS], expected, rtol=1e-8)


def test_second_batch_moment_scales():
    samples, size = dense(), 3
    one, more = moments(samples), moments(samples, batch_size=size)
    n = samples.samples
    factor = ((n - size) / (size * (n - 1))) ** 0.5
    assert more.s2 == pytest.approx(factor * one.s2, rel=1e-12)


def test_the_full_batch_does_not_vary():
    found = moments(dense(), batch_size=6)
    # Roots of round-off: (1e-15)^(1/4) is 2e-4.
    assert max(found.s2, found.s3, found.s4) < 5e-3
    assert max(map(abs, found.gaps)) < 1e-11


def test_moments_in_closed_form():
    # Orthogonal a_i of length c: H = c^2/n I, E H_b^k = c^{2k}/n I on their span.
    n, c = 4, 1.5
    found = moments(SampleHessians.from_rank_one(c * torch.eye(n, dtype=torch.float64)))
    expected = [c**2 / n] + [c**2 * (1 / n - n**-k) ** (1 / k) for k in (2.0, 3.0, 4.0)]
    np.testing.assert_allclose([getattr(found, f) for f in ROOT_FIELDS], expected, rtol=1e-13)


def test_negative_gap_gives_zero():
    # For n = 1 every gap is 0; for these indefinite samples E H^3 - H^3 is negative definite.
    pair = torch.tensor([[[-3.0]], [[1.0]]], dtype=torch.float64)
    found = moments(SampleHessians.from_dense(pair))
    assert found.gaps[1] == pytest.approx(-13 + 1) and found.s3 == 0
    assert found.s2 == pytest.approx(2)  # (9 + 1)/2 - 1 = 4


def test_dense_is_the_default_only_while_small(monkeypatch):
    assert moments(dense()).method == "dense"
    monkeypatch.setattr(sys.modules["numerics.hessians.moments"], "DENSE_LIMIT", 3)
    assert moments(dense()).method == "lanczos"


@pytest.mark.parametrize(("step_size", "radius"), [(0.1, 0.0), (0.1, 0.04), (0.3, 0.2)])
def test_steps_equal_loops(pair, step_size, radius):
    samples, matrices = pair
    steps = oracle.step_matrices(matrices, step_size, radius)
    second = step_second_moment(samples, step_size, radius)
    top = np.linalg.eigvalsh(np.mean([m @ m for m in steps], axis=0))[-1]
    assert second.value == pytest.approx(top, rel=1e-11)  # round-off of squares of order 1 to 1e4
    assert abs(second.value - top) <= 2 * second.error
    low, high = step_mean_extremes(samples, step_size, radius)
    ends = np.linalg.eigvalsh(steps.mean(0))[[0, -1]]
    assert (low.value, high.value) == pytest.approx(tuple(ends), rel=1e-11, abs=1e-12)


@pytest.mark.parametrize("batch_size", [2, 3])
def test_batch_steps_equal_enumeration(pair, batch_size):
    samples, matrices = pair
    steps = oracle.step_matrices(oracle.batch_matrices(matrices, batch_size), 0.1, 0.04)
    second = step_second_moment(samples, 0.1, 0.04, batch_size=batch_size)
    top = np.linalg.eigvalsh(np.mean([m @ m for m in steps], axis=0))[-1]
    assert second.value == pytest.approx(top, rel=1e-11)  # as above
    low, high = step_mean_extremes(samples, 0.1, 0.04, batch_size=batch_size)
    ends = np.linalg.eigvalsh(steps.mean(0))[[0, -1]]
    assert (low.value, high.value) == pytest.approx(tuple(ends), rel=1e-11, abs=1e-12)


@pytest.mark.parametrize("step_size", [0.0, 0.5])
def test_zero_step_size_is_the_identity(step_size):
    low, high = step_mean_extremes(dense(), step_size, 0.0)
    assert (low.value == high.value == 1) == (step_size == 0)


@pytest.mark.parametrize("kind", [dense, indefinite, rank_one, classifier])
@pytest.mark.parametrize(("step_size", "radius"), [(0.1, 0.0), (0.1, 0.04), (0.6, 0.3)])
def test_mean_square_radius_equals_the_kronecker_matrix(kind, step_size, radius):
    samples = kind()
    expected = oracle.mean_square_radius(samples.to_dense().numpy(), step_size, radius)
    found = mean_square_radius(samples, step_size, radius)
    assert found.value == pytest.approx(expected, rel=1e-10)  # ARPACK stops at 1e-12
    assert abs(found.value - expected) <= found.error + 1e-11 * expected
    assert found.dimension == (4 if kind is not classifier else found.dimension)


def test_mean_square_radius_in_closed_form():
    # Orthonormal a_i: E M X M has eigenvalue 1 - 1/n + (1 - eta - eta rho)^2/n on e_i e_i'.
    n, step_size, radius = 5, 0.7, 0.4
    vectors = torch.eye(8, dtype=torch.float64)[:n]
    found = mean_square_radius(SampleHessians.from_rank_one(vectors), step_size, radius)
    expected = 1 - 1 / n + (1 - step_size * (1 + radius)) ** 2 / n
    assert found.value == pytest.approx(expected, rel=1e-12) and found.dimension == n


def test_step_polynomial_is_the_algorithm():
    eta, rho = 0.3, 0.2
    assert step_polynomial(eta, rho) == pytest.approx([1, -eta, -eta * rho], rel=1e-15)
    assert step_polynomial(eta, rho, SGD) == pytest.approx([1, -eta], rel=1e-15)
    with pytest.raises(ValueError, match="not a polynomial"):
        step_polynomial(eta, rho, NORMALIZED_SAM)
    with pytest.raises(ValueError, match="not a polynomial"):
        step_polynomial(eta, rho, dataclasses.replace(SAM, fresh_batch=True))


def test_radius_zero_is_sgd():
    samples = dense()
    sam, sgd = (mean_square_radius(samples, 0.2, 0.0, spec).value for spec in (SAM, SGD))
    assert sam == pytest.approx(sgd, rel=1e-13)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: SampleHessians.from_dense(torch.ones(2, 3, 4)), "give .n, d, d."),
        (lambda: SampleHessians.from_dense(torch.ones(0, 3, 3)), "empty"),
        (lambda: SampleHessians.from_dense(torch.full((1, 2, 2), torch.nan)), "NaN"),
        (lambda: SampleHessians.from_dense(torch.tensor([[[0.0, 1], [0, 0]]])), "symmetrise"),
        (lambda: SampleHessians.from_rank_one(torch.ones(3)), "give .n, d."),
        (lambda: dense().matvec(torch.ones(5)), r"give \(4,\)"),
        (lambda: dense().mean_power(0), "power is 0"),
        (lambda: moments(dense(), method="guess"), "method is 'guess'"),
        (lambda: moments(dense(), batch_size=7), "batch_size is 7"),
        (lambda: moments(dense(), batch_size=0), "batch_size is 0"),
        (lambda: moments(dense(), batch_size=7, method="lanczos"), "batch_size is 7"),
        (lambda: step_second_moment(dense(), -0.1, 0.0), "step_size is -0.1"),
        (lambda: step_second_moment(dense(), 0.1, float("nan")), "radius is nan"),
        (lambda: mean_square_radius(dense(), 0.1, -1.0), "radius is -1"),
        (
            lambda: mean_square_radius(SampleHessians.from_dense(torch.zeros(1, 2, 2)), 0.1, 0.0),
            "all per-sample Hessians are 0",
        ),
        (
            lambda: SampleHessians.from_rank_one(torch.ones(2, 9), memory_limit=100).to_dense(),
            "memory_limit",
        ),
        (
            lambda: moments(
                SampleHessians.from_rank_one(torch.ones(2, 9), memory_limit=100), method="dense"
            ),
            "mean_matvec and Lanczos",
        ),
    ],
)
def test_bad_input_is_one_clear_line(call, message):
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_the_radius_sees_small_curvature_of_either_sign():
    """A direction of relative curvature -1e-7 grows: E H_b^2 alone knows only its square."""
    for small in (-1e-7, 1e-7, -1e-11):
        h = SampleHessians.from_dense(torch.diag(torch.tensor([1.0, small]).double())[None])
        found = mean_square_radius(h, 0.5, 0.0)
        assert found.dimension == 2
        assert abs(found.value - (1 - 0.5 * small) ** 2) <= found.error < 1e-11


@pytest.mark.parametrize("c", [1e-200, 1e-12, 1e12, 1e200])
def test_the_radius_does_not_depend_on_the_units(c):
    one = mean_square_radius(dense(), 0.3, 0.2)
    found = mean_square_radius(dense().scaled(c), 0.3 / c, 0.2 / c)
    assert found.value == pytest.approx(one.value, rel=1e-12)
    assert found.dimension == one.dimension
