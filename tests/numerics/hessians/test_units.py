"""Moments and spectra at every scale, their error bounds against exact rational arithmetic."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import torch
from torch import nn

from numerics.hessians import (
    SQUARE_LOSS,
    HessianOperator,
    SampleHessians,
    enclosed_moments,
    moments,
    operator,
    per_sample,
    sampled_moments,
    spectral_density,
    step_mean_extremes,
    step_second_moment,
    trace,
)
from numerics.hessians.bases import IdentityBasis

FIELDS = ("sharpness", "s2", "s3", "s4")
KINDS = ("definite", "indefinite", "rank one", "equal", "nearly equal", "mean zero", "scalar")


def drawn(kind, n, d, rng):
    """Symmetric matrices, shape (n, d, d)."""
    a = rng.standard_normal((n, d, d))
    symmetric, definite = a + a.transpose(0, 2, 1), a @ a.transpose(0, 2, 1)
    match kind:
        case "definite":
            return definite
        case "indefinite":
            return symmetric
        case "rank one":
            return np.einsum("ni,nj->nij", a[:, 0], a[:, 0])
        case "equal":
            return np.repeat(symmetric[:1], n, 0)
        case "nearly equal":
            return np.repeat(definite[:1], n, 0) * (1 + 1e-9 * rng.standard_normal((n, 1, 1)))
        case "mean zero":
            return symmetric - symmetric.mean(0)
    return np.stack([rng.integers(0, 3) * np.eye(d) for _ in range(n)])


def product(left, right):
    return [
        [sum(x * y for x, y in zip(r, c, strict=True)) for c in zip(*right, strict=True)]
        for r in left
    ]


def mean(matrices):
    return [
        [sum(entries) / len(matrices) for entries in zip(*rows, strict=True)]
        for rows in zip(*matrices, strict=True)
    ]


def largest(matrix):
    entries = [[mpmath.mpf(x.numerator) / x.denominator for x in row] for row in matrix]
    if len(entries) == 1:
        return entries[0][0]
    return max(mpmath.eigsy(mpmath.matrix(entries), eigvals_only=True))


def exact_moments(matrices, size, replacement):
    """By enumeration of all batches, in rational numbers and then 60 digits."""
    rational = [[[Fraction(float(x)) for x in row] for row in m] for m in matrices]
    every = itertools.product if replacement else itertools.combinations
    batches = [
        mean([rational[i] for i in batch])
        for batch in (
            every(range(len(rational)), repeat=size)
            if replacement
            else every(range(len(rational)), size)
        )
    ]
    average = mean(rational)
    found, power, powers = [largest(average)], average, batches
    for order in (2, 3, 4):
        power = product(power, average)
        powers = [product(p, batch) for p, batch in zip(powers, batches, strict=True)]
        gap = [
            [x - y for x, y in zip(*rows, strict=True)]
            for rows in zip(mean(powers), power, strict=True)
        ]
        top = largest(gap)
        found.append(mpmath.root(top, order) if top > 0 else mpmath.mpf(0))
    return found


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("c", [1e-250, 1e-88, 1e-16, 1.0, 1e8, 1e250])
def test_error_bounds_cover_at_every_scale(kind, c, seed):
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    n, d = rng.integers(1, 4), rng.integers(1, 4)
    matrices = c * drawn(kind, n, d, rng)
    matrices = (matrices + matrices.transpose(0, 2, 1)) / 2
    samples = SampleHessians.from_dense(torch.tensor(matrices))
    size, replacement = int(rng.integers(1, n + 1)), bool(rng.integers(2))
    with mpmath.workdps(60):
        right = exact_moments(matrices, size, replacement)
        for method in ("dense", "lanczos"):
            found = moments(samples, batch_size=size, replacement=replacement, method=method)
            for order, (name, exact) in enumerate(zip(FIELDS, right, strict=True), start=1):
                error = getattr(found, f"{name}_error")
                assert abs(getattr(found, name) - exact) <= error
                # The k-th power is known to some hundred roundings of the largest sample's.
                assert error <= np.abs(matrices).max() * (1e-12 ** (1 / order))


@pytest.mark.parametrize("method", ["dense", "lanczos"])
@pytest.mark.parametrize("k", [-830, -400, -150, 150, 400, 830])
def test_a_power_of_two_changes_the_units_alone(method, k):
    a = torch.randn(5, 4, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    c = 2.0**k
    one, other = (
        moments(SampleHessians.from_dense(size * (a + a.mT)), method=method, batch_size=2)
        for size in (1.0, c)
    )
    for name in FIELDS:
        # the last bit of a root, and of an average that Lanczos stops at
        assert getattr(other, name) / c == pytest.approx(getattr(one, name), rel=1e-14)
        assert getattr(other, f"{name}_error") / c == pytest.approx(
            getattr(one, f"{name}_error"), rel=0.5
        )


def test_factored_hessians_keep_their_units():
    """Rows of size 1e-60 on a perceptron: powers of its Hessians are far below any float64."""
    torch.manual_seed(0)
    x, y = torch.randn(4, 2, dtype=torch.float64), torch.randn(4, 1, dtype=torch.float64)
    model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)).double()

    def tiny(z, t):
        return 2.0**-400 * SQUARE_LOSS(z, t)

    one, small = per_sample(model, SQUARE_LOSS, x, y), per_sample(model, tiny, x, y)
    expected = moments(one)
    for method in ("dense", "lanczos"):
        found = moments(small, method=method)
        for name in FIELDS:
            assert getattr(found, name) / 2.0**-400 == pytest.approx(getattr(expected, name))
            assert getattr(found, f"{name}_error") < 1e-9 * getattr(found, name)


@pytest.mark.parametrize("c", [1e-150, 1.0, 1e150])
def test_sampled_and_enclosed_moments_at_every_scale(c):
    a = torch.randn(12, 3, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    h = c * (a @ a.mT)

    def select(indices):
        return SampleHessians.from_dense(h[indices])

    computed = moments(SampleHessians.from_dense(h), batch_size=2)
    sampled = sampled_moments(select, 12, group_size=12, groups=4, batch_size=2)
    proved = enclosed_moments(h[:4])
    single = moments(SampleHessians.from_dense(h[:4]))
    for order, name in enumerate(FIELDS[1:], start=2):
        low, high = sampled.root(order)
        # groups of all samples: nothing is random, the interval is the number
        assert low == pytest.approx(getattr(computed, name), rel=1e-5)
        assert high == pytest.approx(getattr(computed, name), rel=1e-5)
        enclosure, value = getattr(proved, name), getattr(single, name)
        assert 0 < enclosure.low <= enclosure.high <= enclosure.low * (1 + 1e-14)
        assert abs(value - enclosure.low) <= getattr(single, f"{name}_error") + 1e-14 * value


def diagonal(values):
    v = torch.tensor(values, dtype=torch.float64)
    return HessianOperator(len(v), torch.float64, v.device, None, lambda x: v * x)


SPECTRA = {
    "singular": [0.0] * 99 + [1.0],
    "zero": [0.0] * 100,
    "identity": [1.0] * 100,
    "negative": [-1.0, -1e-9] + [-0.5] * 60,
    "decaying": list(np.logspace(-16, 0, 100)),
    "barely indefinite": [-1e-8] + [0.0] * 98 + [1.0],
    "a hidden one": [-1e-10] + [0.0] * 98 + [1.0],
    "one by one": [-2.0],
    "two by two": [0.0, 3.0],
}


@pytest.mark.parametrize("c", [1e-150, 1e-12, 1.0, 1e150])
@pytest.mark.parametrize("name", SPECTRA)
def test_extremes_of_singular_operators(name, c):
    values = [c * value for value in SPECTRA[name]]
    low, high = diagonal(values).extremes()
    assert abs(low.value - min(values)) <= low.error
    assert abs(high.value - max(values)) <= high.error
    # the tolerance 1e-10 times the square root of d, at most
    assert max(low.error, high.error) <= 1e-9 * max(map(abs, values))


def test_extremes_of_a_network_that_interpolates():
    torch.manual_seed(0)
    x, y = torch.randn(5, 4, dtype=torch.float64), torch.randn(5, 1, dtype=torch.float64)
    model = nn.Sequential(nn.Linear(4, 30), nn.Tanh(), nn.Linear(30, 1)).double()
    low, high = operator(model, SQUARE_LOSS, x, y, part="gauss_newton").extremes()
    assert abs(low.value) <= low.error < 1e-9 * high.value  # 181 parameters, rank 5


def test_what_is_not_finite_is_refused():
    bad = diagonal([1.0, float("nan"), 2.0])
    for call in (bad.extremes, lambda: trace(bad), lambda: bad(torch.ones(3))):
        with pytest.raises(ValueError, match="NaN or infinite"):
            call()


@dataclass(frozen=True)
class Products:
    """Cores that are multiplied, never stored."""

    basis: IdentityBasis
    like: torch.Tensor

    def cores(self):
        return self.like

    def apply_cores(self, coefficients):
        return self.like @ coefficients

    def select(self, indices):
        return Products(self.basis.select(indices), self.like[indices])


def test_auto_takes_products_where_nothing_else_fits():
    a = torch.randn(5, 6, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    products = Products(IdentityBasis(5, 6), a @ a.mT)
    few = SampleHessians(products.basis, products, memory_limit=1000)
    for size in (1, 2):
        found, expected = (
            moments(h, batch_size=size) for h in (few, SampleHessians.from_dense(products.like))
        )
        assert (found.method, expected.method) == ("lanczos", "dense")
        assert found.s4 == pytest.approx(expected.s4, rel=1e-9)
    with pytest.raises(ValueError, match="memory_limit"):
        moments(few, method="dense")


@pytest.mark.parametrize("c", [1e-200, 1e160])
def test_densities_at_every_scale(c):
    values = torch.linspace(-1, 3, 20, dtype=torch.float64)
    one, found = (spectral_density(diagonal(list(size * values)), steps=5) for size in (1.0, c))
    for expected, nodes in zip(one.nodes, found.nodes, strict=True):
        np.testing.assert_allclose(nodes / c, expected, rtol=1e-10)


@pytest.mark.parametrize("kind", ["definite", "indefinite", "mean zero"])
@pytest.mark.parametrize("c", [1e-120, 1.0, 1e120])
def test_step_bounds_cover_at_every_scale(kind, c):
    rng = np.random.default_rng(KINDS.index(kind))
    matrices = drawn(kind, 3, 2, rng)
    if kind == "mean zero":  # terms of 1e8 cancel, and leave their round-off
        matrices *= 1e8
        matrices[2] -= matrices.sum(0)
    matrices = c * (matrices + matrices.transpose(0, 2, 1)) / 2
    step = 0.2 / float(np.abs(matrices).max())
    samples = SampleHessians.from_dense(torch.tensor(matrices))
    with mpmath.workdps(60):
        eta, steps = Fraction(step), []
        for batch in itertools.combinations(matrices, 2):
            h = mean([[[Fraction(float(x)) for x in row] for row in m] for m in batch])
            square = product(h, h)
            steps.append(
                [
                    [
                        Fraction(int(i == j)) - eta * h[i][j] - eta**2 * square[i][j]
                        for j in range(2)
                    ]
                    for i in range(2)
                ]
            )
        second = step_second_moment(samples, step, step, batch_size=2)
        low, high = step_mean_extremes(samples, step, step, batch_size=2)
        average = mean(steps)
        least = -largest([[-x for x in row] for row in average])
        assert abs(second.value - largest(mean([product(m, m) for m in steps]))) <= second.error
        assert abs(high.value - largest(average)) <= high.error < 1e-12
        assert abs(low.value - least) <= low.error < 1e-12
