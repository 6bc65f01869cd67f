"""Gauss-Newton, residual and layer blocks; what must be refused; how Hessians transform."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import hessians as oracle
from torch import nn

from numerics.hessians import (
    CROSS_ENTROPY,
    SQUARE_LOSS,
    SampleHessians,
    exact,
    layer_blocks,
    moments,
    per_sample,
)
from numerics.hessians.batches import batch_mean_powers
from numerics.hessians.perceptrons import as_perceptron, differentiate
from numerics.hessians.spectra import lanczos_eigenvalue
from numerics.networks.perceptrons import mlp

# Both sides are exact up to round-off: sums of order-1 terms, 1e-16 each.
ROUNDING = 1e-12


def data(n=6, inputs=3, outputs=2, seed=0):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(n, inputs, generator=g, dtype=torch.float64)
    y = torch.randn(n, outputs, generator=g, dtype=torch.float64)
    return x, y, torch.randint(0, outputs, (n,), generator=g)


@pytest.mark.parametrize("route", ["structured", "generic"])
@pytest.mark.parametrize("widths", [(3, 2), (3, 4, 2), (3, 4, 5, 2)])
@pytest.mark.parametrize("loss", [SQUARE_LOSS, CROSS_ENTROPY], ids=lambda loss: loss.name)
def test_gauss_newton_is_jacobian_times_loss_curvature(route, widths, loss):
    model, (x, y, labels) = mlp(widths, seed=2), data()
    targets = y if loss is SQUARE_LOSS else labels
    expected = 0
    for sample in x:
        outputs = model(sample)
        rows = [torch.autograd.grad(z, model.parameters(), retain_graph=True) for z in outputs]
        jacobian = torch.stack([torch.cat([g.flatten() for g in row]) for row in rows])
        p = outputs.softmax(0)
        curvature = torch.eye(2).double() if loss is SQUARE_LOSS else p.diag() - torch.outer(p, p)
        expected = expected + (jacobian.T @ curvature @ jacobian).detach() / len(x)
    found = exact(model, loss, x, targets, part="gauss_newton", route=route)
    torch.testing.assert_close(found, expected, rtol=0, atol=ROUNDING)
    rest = exact(model, loss, x, targets, part="residual", route=route)
    whole = exact(model, loss, x, targets, route=route)
    torch.testing.assert_close(found + rest, whole, rtol=0, atol=ROUNDING)
    samples = per_sample(model, loss, x, targets, part="residual", route=route)
    torch.testing.assert_close(samples.mean_power(1), rest, rtol=0, atol=ROUNDING)
    if len(widths) == 2:  # linear in its parameters
        assert float(rest.abs().max()) == 0


@pytest.mark.parametrize("route", ["structured", "generic"])
@pytest.mark.parametrize("part", ["hessian", "gauss_newton", "residual"])
def test_layer_blocks_are_blocks(route, part):
    model, (x, y, _) = mlp((3, 4, 5, 2), seed=2), data()
    whole = exact(model, SQUARE_LOSS, x, y, part=part, reduction="sum")
    blocks = layer_blocks(model, SQUARE_LOSS, x, y, part=part, route=route, reduction="sum")
    assert list(blocks) == ["0", "2", "4"]
    start = 0
    for block in blocks.values():
        stop = start + len(block)
        torch.testing.assert_close(block, whole[start:stop, start:stop], rtol=0, atol=ROUNDING)
        start = stop
    assert start == len(whole)


class Tied(nn.Module):
    """One weight used twice, and one parameter that is never used."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(3, 3)
        self.again = self.inner
        self.unused = nn.Parameter(torch.ones(2))

    def forward(self, z):
        return self.again(torch.tanh(self.inner(z)))


def test_shared_and_unused_parameters():
    torch.manual_seed(0)
    model, (x, _, _) = Tied().double(), data()
    y = torch.zeros(6, 3, dtype=torch.float64)
    hessian = exact(model, SQUARE_LOSS, x, y)
    names = [name for name, _ in model.named_parameters()]
    assert names == ["unused", "inner.weight", "inner.bias"]
    assert float(hessian[:2].abs().max()) == 0  # a zero block, not a missing one

    def gradient(point):
        w, b = point[:9].reshape(3, 3), point[9:]
        total = np.zeros(12)
        for sample in x.numpy():
            t = np.tanh(w @ sample + b)
            r = w @ t + b
            back = (w.T @ r) * (1 - t**2)
            weight = np.outer(r, t) + np.outer(back, sample)
            total += np.concatenate([weight.ravel(), r + back]) / len(x)
        return total

    point = torch.cat([p.detach().flatten() for p in model.inner.parameters()]).numpy()
    expected = oracle.central_difference_hessian(gradient, point, 1e-5)
    # Truncation h^2/6 |g'''| below 2e-9, round-off 1e-16/h below 1e-10.
    np.testing.assert_allclose(hessian[2:, 2:].numpy(), expected, atol=3e-9)


class Noisy(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 2)

    def forward(self, z):
        return nn.functional.dropout(self.linear(z), 0.5, training=True)


class Coupled(Noisy):
    def forward(self, z):
        z = self.linear(z)
        return z - z.mean(0)


def test_randomness_and_coupling_are_refused_and_leave_no_trace():
    x, y, _ = data()
    for model, message in [(Noisy(), "two evaluations"), (Coupled(), "couples the samples")]:
        state = torch.get_rng_state()
        for function in (exact, per_sample, layer_blocks):
            with pytest.raises(ValueError, match=message):
                function(model.double(), SQUARE_LOSS, x, y)
        assert torch.equal(state, torch.get_rng_state())


def test_loaders_and_low_precision():
    x, y, _ = data()
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), shuffle=True)
    with pytest.raises(ValueError, match="inputs is a DataLoader: give tensors"):
        exact(mlp((3, 2)), SQUARE_LOSS, loader, y)
    with pytest.warns(UserWarning, match=r"float32: a Hessian has at most 7 digits"):
        single = exact(mlp((3, 4, 2)), SQUARE_LOSS, x, y, dtype=torch.float32)
    double = exact(mlp((3, 4, 2)), SQUARE_LOSS, x, y)
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), double, rtol=0, atol=1e-5)  # 7 digits, d sums
    with pytest.raises(ValueError, match=r"dtype is torch\.int64"):
        exact(mlp((3, 2)), SQUARE_LOSS, x, y, dtype=torch.int64)
    with pytest.raises(ValueError, match="part is 'kfac'"):
        exact(mlp((3, 2)), SQUARE_LOSS, x, y, part="kfac")


@pytest.mark.slow
def test_batch_moments_within_monte_carlo():
    x, _, labels = data(n=40, inputs=3, outputs=3)
    samples = per_sample(mlp((3, 4, 3), seed=1), CROSS_ENTROPY, x, labels)
    matrices, draws, batch = samples.to_dense(), 10**5, 5
    g = torch.Generator().manual_seed(0)
    probe = torch.randn(samples.size, generator=g, dtype=torch.float64)
    exactly = [float(probe @ mean @ probe) for mean in batch_mean_powers(samples, batch)]
    values = []
    for _ in range(draws // 1000):
        order = torch.rand(1000, 40, generator=g).argsort(1)[:, :batch]
        means = torch.stack([matrices[order[:, k]] for k in range(batch)]).mean(0)
        once = means @ probe
        twice = (means @ once.unsqueeze(2)).squeeze(2)
        pairs = [(probe.expand_as(once), once), (once, once), (once, twice), (twice, twice)]
        values.append(torch.stack([(u * v).sum(1) for u, v in pairs], 1))
    values = torch.cat(values)
    error = values.std(0) / draws**0.5
    gap = (values.mean(0) - torch.tensor(exactly)).abs() / error
    assert gap.max() < 4  # four moments, 4 standard errors: false alarm below 3e-4
    # and the interval is sharp enough to tell B = 5 from B = 6, or from replacement
    other = [float(probe @ mean @ probe) for mean in batch_mean_powers(samples, 6)]
    assert abs(other[3] - exactly[3]) > 10 * error[3]


def moment_roots(samples, **arguments):
    found = moments(samples, **arguments)
    return np.array([found.sharpness, found.s2, found.s3, found.s4])


def rotation(size, seed):
    g = torch.Generator().manual_seed(seed)
    return torch.linalg.qr(torch.randn(size, size, generator=g, dtype=torch.float64))[0]


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    factor=st.floats(0.1, 10),
    batch_size=st.integers(1, 3),
    replacement=st.booleans(),
    method=st.sampled_from(["dense", "lanczos"]),
)
def test_moments_transform_as_they_must(seed, factor, batch_size, replacement, method):
    g = torch.Generator().manual_seed(seed)
    a = torch.randn(5, 4, 4, generator=g, dtype=torch.float64)
    matrices = a @ a.mT / 4
    q, order = rotation(4, seed), torch.randperm(5, generator=g)

    def roots(m):
        return moment_roots(
            SampleHessians.from_dense(m),
            batch_size=batch_size,
            replacement=replacement,
            method=method,
        )

    plain = roots(matrices)
    # Gaps keep 1e-14 of the largest word; roots of gaps far from 0 keep half of it at worst.
    same = {"rtol": 1e-9, "atol": 1e-9}
    rotated = q @ matrices @ q.T
    np.testing.assert_allclose(roots(0.5 * (rotated + rotated.mT)), plain, **same)
    np.testing.assert_allclose(roots(matrices[order]), plain, **same)
    np.testing.assert_allclose(roots(factor * matrices), factor * plain, **same)
    if batch_size == 1 or replacement:
        np.testing.assert_allclose(roots(matrices.repeat(3, 1, 1)), plain, **same)


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**16), factor=st.floats(0.5, 2))
def test_hessians_of_networks_transform_as_they_must(seed, factor):
    x, y, _ = data(seed=seed)
    model = mlp((3, 4, 2), "relu", seed=seed)
    hessian = exact(model, SQUARE_LOSS, x, y)
    # Hidden units in another order: the parameters move with them.
    g = torch.Generator().manual_seed(seed)
    units = torch.randperm(4, generator=g)
    permuted = copy.deepcopy(model)
    first, second = permuted[0], permuted[2]
    with torch.no_grad():
        first.weight.copy_(first.weight[units])
        first.bias.copy_(first.bias[units])
        second.weight.copy_(second.weight[:, units])
    places = torch.arange(26)
    moved = torch.cat(
        [
            places[:12].view(4, 3)[units].flatten(),
            places[12:16][units],
            places[16:24].view(2, 4)[:, units].flatten(),
            places[24:],
        ]
    )
    torch.testing.assert_close(
        exact(permuted, SQUARE_LOSS, x, y), hessian[moved][:, moved], rtol=0, atol=ROUNDING
    )
    plain = moment_roots(per_sample(model, SQUARE_LOSS, x, y), batch_size=2)
    # Roots of gaps that round at 1e-14 of their terms.
    same = {"rtol": 1e-8, "atol": 1e-8}
    units_moved = moment_roots(per_sample(permuted, SQUARE_LOSS, x, y), batch_size=2)
    np.testing.assert_allclose(units_moved, plain, **same)
    # Rotated inputs with W -> W Q': the first layer's Hessian rotates, eigenvalues stay.
    q = rotation(3, seed)
    turned = copy.deepcopy(model)
    with torch.no_grad():
        turned[0].weight.copy_(turned[0].weight @ q.T)
    values = torch.linalg.eigvalsh(exact(turned, SQUARE_LOSS, x @ q.T, y))
    torch.testing.assert_close(values, torch.linalg.eigvalsh(hessian), rtol=0, atol=100 * ROUNDING)
    inputs_turned = moment_roots(
        per_sample(turned, SQUARE_LOSS, x @ q.T, y), batch_size=2, method="lanczos"
    )
    np.testing.assert_allclose(inputs_turned, plain, **same)
    # Re-parameterised: relu(c z)/c is relu(z), so H becomes D H D with D = (1/c, 1/c, c, 1).
    scaled = copy.deepcopy(model)
    with torch.no_grad():
        scaled[0].weight.mul_(factor)
        scaled[0].bias.mul_(factor)
        scaled[2].weight.div_(factor)
    d = torch.tensor([1 / factor] * 16 + [factor] * 8 + [1.0] * 2, dtype=torch.float64)
    expected = d[:, None] * hessian * d
    torch.testing.assert_close(
        exact(scaled, SQUARE_LOSS, x, y), expected, rtol=0, atol=100 * ROUNDING
    )
    each = per_sample(model, SQUARE_LOSS, x, y).to_dense()
    np.testing.assert_allclose(
        moment_roots(per_sample(scaled, SQUARE_LOSS, x, y), batch_size=2),
        moment_roots(SampleHessians.from_dense(d[:, None] * each * d), batch_size=2),
        **same,
    )
    torch.testing.assert_close(
        exact(model, lambda z, t: factor * SQUARE_LOSS(z, t), x, y),
        factor * hessian,
        rtol=0,
        atol=10 * ROUNDING,
    )


@pytest.mark.parametrize("part", ["hessian", "gauss_newton", "residual"])
@pytest.mark.parametrize("widths", [(3, 2), (3, 4, 2), (3, 4, 5, 3, 2)])
def test_cores_are_applied_as_they_are_stored(part, widths):
    model, (x, _, labels) = mlp(widths, seed=2), data()
    network = as_perceptron(model, x, torch.float64)
    factored = differentiate(network, CROSS_ENTROPY, x, labels, part)
    g = torch.Generator().manual_seed(0)
    columns = torch.randn(len(x), network.rank, 2, generator=g, dtype=torch.float64)
    cores = factored.cores()
    assert torch.equal(cores, cores.mT) or float((cores - cores.mT).abs().max()) < ROUNDING
    torch.testing.assert_close(
        factored.apply_cores(columns), cores @ columns, rtol=0, atol=10 * ROUNDING
    )
    torch.testing.assert_close(
        factored.basis.apply_gram(columns),
        factored.basis.gram() @ columns,
        rtol=0,
        atol=10 * ROUNDING,
    )


def test_averages_without_matrices_are_refused_where_matrices_are_needed():
    class Products:
        size, samples = 3, 2
        dtype, device = torch.float64, torch.device("cpu")

        def mean_matvec(self, vector, power=1):
            return 2.0**power * vector

    # H_i = 2 I for all samples: nothing varies.
    found = moments(Products())
    assert found.method == "lanczos" and found.sharpness == pytest.approx(2, rel=1e-14)
    assert max(found.gaps) == 0
    with pytest.raises(ValueError, match="Products has no matrices: use method='lanczos'"):
        moments(Products(), method="dense")
    with pytest.raises(ValueError, match="Products has no single samples"):
        moments(Products(), batch_size=2)


def test_lanczos_goes_on_where_the_first_cycle_does_not_suffice():
    # 300 eigenvalues close together: 40 vectors are too few for 12 digits.
    values = torch.linspace(0, 1, 300, dtype=torch.float64)
    g = torch.Generator().manual_seed(0)
    start = torch.randn(300, generator=g, dtype=torch.float64)
    for smallest, expected in [(False, 1.0), (True, 0.0)]:
        found = lanczos_eigenvalue(lambda v: values * v + v, start, smallest=smallest)
        assert abs(found.value - 1 - expected) <= found.error < 1e-10
    zero = lanczos_eigenvalue(torch.zeros_like, start)
    assert (zero.value, zero.error) == (0, 0)
