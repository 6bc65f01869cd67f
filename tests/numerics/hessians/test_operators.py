"""Products, spectrum ends, traces and densities against dense matrices of known spectrum."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse.linalg
import torch
from torch import nn

from numerics.hessians import (
    CROSS_ENTROPY,
    SQUARE_LOSS,
    HessianOperator,
    exact,
    operator,
    spectral_density,
    trace,
)
from numerics.networks.perceptrons import mlp

# Both sides are exact up to round-off: sums of order-1 terms, 1e-16 each.
ROUNDING = 1e-12


def problem(n=7):
    g = torch.Generator().manual_seed(0)
    x = torch.randn(n, 3, generator=g, dtype=torch.float64)
    return mlp((3, 5, 4, 2), seed=1), x, torch.randint(0, 2, (n,), generator=g)


def known(eigenvalues, seed=0):
    """An operator whose spectrum is given."""
    values = torch.tensor(eigenvalues, dtype=torch.float64)
    g = torch.Generator().manual_seed(seed)
    noise = torch.randn(len(values), len(values), generator=g, dtype=torch.float64)
    basis = torch.linalg.qr(noise)[0]
    matrix = basis @ torch.diag(values) @ basis.T
    return HessianOperator(
        len(values), torch.float64, matrix.device, None, lambda v: matrix @ v
    ), matrix


@pytest.mark.parametrize("part", ["hessian", "gauss_newton", "residual"])
@pytest.mark.parametrize("samples_at_once", [None, 5])  # 5 and 2: uneven parts weigh by size
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_products_equal_the_dense_matrix(part, samples_at_once, reduction):
    model, x, y = problem()
    dense = exact(model, CROSS_ENTROPY, x, y, part=part, reduction=reduction)
    h = operator(
        model,
        CROSS_ENTROPY,
        x,
        y,
        part=part,
        reduction=reduction,
        samples_at_once=samples_at_once,
    )
    identity = torch.eye(h.size, dtype=torch.float64)
    torch.testing.assert_close(h(identity), dense, rtol=0, atol=ROUNDING)
    torch.testing.assert_close(h(identity[0]), dense[0], rtol=0, atol=ROUNDING)
    assert h.exact_trace == pytest.approx(float(dense.trace()), abs=10 * ROUNDING)
    found = h.to_scipy() @ identity.numpy()
    np.testing.assert_allclose(found, dense.numpy(), atol=ROUNDING)


def test_scipy_finds_the_same_ends():
    model, x, y = problem()
    h = operator(model, CROSS_ENTROPY, x, y)
    values = torch.linalg.eigvalsh(exact(model, CROSS_ENTROPY, x, y))
    low, high = h.extremes()
    for found, value in [(low, values[0]), (high, values[-1])]:
        # The residual bounds the distance; the dense values carry round-off themselves.
        assert abs(found.value - float(value)) <= found.error + 1e-14
        assert found.error < 1e-9
    start = np.ones(h.size)
    other = scipy.sparse.linalg.eigsh(h.to_scipy(), k=1, which="LA", v0=start)[0]
    assert other[0] == pytest.approx(high.value, rel=1e-10)  # ARPACK's default is round-off


def test_trace_of_a_perceptron_is_exact():
    model, x, y = problem()
    found = trace(operator(model, CROSS_ENTROPY, x, y))
    expected = float(exact(model, CROSS_ENTROPY, x, y, route="generic").trace())
    assert found.exact and found.standard_error == 0 and found.probes == 0
    assert found.value == pytest.approx(expected, abs=10 * ROUNDING)


def test_sampled_trace_covers_the_truth_as_often_as_it_says():
    h, matrix = known(np.linspace(-1, 3, 30))
    errors = []
    for seed in range(40):
        found = trace(h, probes=24, seed=seed)
        assert not found.exact and found.probes == 24
        errors.append((found.value - float(matrix.trace())) / found.standard_error)
    # Studentised errors: mean square 23/21 in theory; 40 of them spread by about 0.25.
    assert 0.5 < np.mean(np.square(errors)) < 2
    # One variance in closed form: 2 sum over off-diagonal entries squared.
    off = matrix - matrix.diag().diag()
    deviation = float((2 * off.square().sum()).sqrt())
    assert trace(h, probes=4000).standard_error * 4000**0.5 == pytest.approx(deviation, rel=0.05)


def test_trace_of_a_diagonal_matrix_needs_no_luck():
    h = HessianOperator(3, torch.float64, torch.device("cpu"), None, lambda v: 2.0 * v)
    found = trace(h, probes=2)
    assert (found.value, found.standard_error) == (6.0, 0.0)


def test_density_is_exact_for_polynomials_up_to_sampling():
    h, matrix = known(np.linspace(-1, 3, 30))
    rule = spectral_density(h, probes=16, steps=4)
    for power in range(8):  # degree 7 = 2 * 4 - 1
        per_probe = [float(w @ t**power) for t, w in zip(rule.nodes, rule.weights, strict=True)]
        found = rule.mean(lambda t, k=power: t**k)
        assert found.value == pytest.approx(np.mean(per_probe), rel=1e-14)
        moment = torch.linalg.matrix_power(matrix, power)
        bits = torch.randint(0, 2, (16, 30), generator=torch.Generator().manual_seed(0))
        signs = (2 * bits - 1).double()
        direct = torch.einsum("pi,ij,pj->p", signs, moment, signs) / 30
        np.testing.assert_allclose(per_probe, direct.numpy(), rtol=1e-10, atol=1e-10 * 3**power)


def test_density_integrates_to_one_and_finds_two_clusters():
    h, _ = known([0.0] * 20 + [5.0] * 10)
    rule = spectral_density(h, probes=400, steps=10)
    # Two distinct eigenvalues: Lanczos breaks down after two steps, and adds no ghost.
    assert all(len(nodes) == 2 for nodes in rule.nodes)
    grid = np.linspace(-3, 8, 2000)
    density, error = rule.density(grid, width=0.3)
    assert np.trapezoid(density, grid) == pytest.approx(1, abs=1e-12)  # tails beyond 10 widths
    share = rule.mean(lambda t: (t > 2.5).astype(float))
    assert abs(share.value - 1 / 3) < 4 * share.standard_error < 0.05
    assert (error >= 0).all() and error.max() > 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda h: h(torch.ones(4)), r"give \(3,\)"),
        (lambda h: trace(h, probes=1), "probes is 1"),
        (lambda h: spectral_density(h, steps=0), "steps is 0"),
        (lambda h: spectral_density(h, probes=1), "probes is 1"),
        (lambda h: spectral_density(h, probes=2).density(np.zeros(2), 0.0), "width is 0"),
    ],
)
def test_bad_input_is_one_clear_line(call, message):
    h, _ = known([1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match=message):
        call(h)


def test_no_samples_at_once_is_refused():
    model, x, y = problem()
    with pytest.raises(ValueError, match="samples_at_once is 0"):
        operator(model, CROSS_ENTROPY, x, y, samples_at_once=0)


def test_other_models_have_no_exact_trace():
    x = torch.randn(4, 1, 5, 5, generator=torch.Generator().manual_seed(0)).double()
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Tanh(), nn.Flatten(), nn.Linear(18, 2)).double()
    y = torch.zeros(4, 2, dtype=torch.float64)
    h = operator(model, SQUARE_LOSS, x, y)
    dense = exact(model, SQUARE_LOSS, x, y)
    found = trace(h, probes=64)
    assert not found.exact
    assert abs(found.value - float(dense.trace())) < 4 * found.standard_error  # 4 sigma
