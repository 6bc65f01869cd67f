"""Moments of mini-batches, as matrices and as products with vectors, against all batches."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from oracles import hessians as oracle
from oracles.samples import dense, perceptron
from torch import nn

from numerics.hessians import CROSS_ENTROPY, SQUARE_LOSS, moments, per_sample
from numerics.hessians.batches import (
    batch_mean_powers,
    batch_weights,
    distinct_weights,
    independent_weights,
    word_weights,
)
from numerics.hessians.words import BatchHessians
from numerics.networks.perceptrons import mlp

# Both sides are exact up to round-off, which grows with the power: relative to the largest entry.
ROUNDING = 1e-12
ROOTS = ("sharpness", "s2", "s3", "s4")


@pytest.mark.parametrize("replacement", [False, True])
@pytest.mark.parametrize("batch_size", [1, 2, 3, 4])
def test_products_and_matrices_equal_enumeration(pair, batch_size, replacement):
    samples, matrices = pair
    batches = oracle.batch_matrices(matrices, batch_size, replacement)
    vector = torch.randn(samples.size, generator=torch.Generator().manual_seed(0)).double()
    found = BatchHessians(samples, batch_size, replacement=replacement)
    means = batch_mean_powers(samples, batch_size, replacement=replacement)
    for power, mean in enumerate(means, start=1):
        expected = np.mean([np.linalg.matrix_power(m, power) for m in batches], axis=0)
        scale = ROUNDING * np.abs(np.linalg.matrix_power(matrices, power)).max()
        np.testing.assert_allclose(mean.numpy(), expected, atol=10 * scale)
        product = found.mean_matvec(vector, power).numpy()
        atol = 10 * scale * float(vector.norm())
        np.testing.assert_allclose(product, expected @ vector.numpy(), atol=atol)
        assert found.terms_norm(vector, power) >= np.linalg.norm(product) * (1 - ROUNDING)


@pytest.mark.parametrize("replacement", [False, True])
@pytest.mark.parametrize("batch_size", [2, 3])
def test_lanczos_moments_equal_enumeration(pair, batch_size, replacement):
    samples, matrices = pair
    batches = oracle.batch_matrices(matrices, batch_size, replacement)
    found = moments(samples, batch_size=batch_size, replacement=replacement, method="lanczos")
    assert (found.method, found.batch_size, found.replacement) == (
        "lanczos",
        batch_size,
        replacement,
    )
    for name, value in zip(ROOTS, oracle.moment_roots(batches), strict=True):
        error = getattr(found, f"{name}_error")
        # The oracle's own round-off is of the size of the reported error.
        assert abs(getattr(found, name) - value) <= 2 * error + 1e-14
        assert error <= 1e-9 * max(value, 1.0)


def test_every_sample_count_at_once_gives_the_same(monkeypatch):
    x = torch.randn(7, 3, generator=torch.Generator().manual_seed(1)).double()
    y = torch.zeros(7, 2, dtype=torch.float64)
    batches = BatchHessians(per_sample(mlp((3, 4, 5, 2), seed=2), SQUARE_LOSS, x, y), 3)
    vector = torch.randn(batches.size, generator=torch.Generator().manual_seed(2)).double()
    expected = batches.mean_matvec(vector, 4)
    monkeypatch.setattr("numerics.hessians.words._AT_ONCE", 2 * 7 * 20)  # 2, 2, 2, 1 samples
    scale = ROUNDING * batches.terms_norm(vector, 4)
    torch.testing.assert_close(batches.mean_matvec(vector, 4), expected, rtol=0, atol=scale)


def test_a_batch_of_all_samples_does_not_vary_and_is_found_at_once():
    found = moments(perceptron(), batch_size=5, method="lanczos")
    assert found.gaps == (0, 0, 0)


def test_almost_full_batches_converge_although_their_gaps_drown_in_round_off():
    x = torch.randn(60, 3, generator=torch.Generator().manual_seed(1)).double()
    labels = (x[:, 0] > 0).long()
    samples = per_sample(mlp((3, 4, 2), seed=2), CROSS_ENTROPY, x, labels)
    ours, theirs = (moments(samples, batch_size=59, method=m) for m in ("lanczos", "dense"))
    for name in ROOTS:
        assert abs(getattr(ours, name) - getattr(theirs, name)) <= getattr(
            ours, f"{name}_error"
        ) + getattr(theirs, f"{name}_error")


@pytest.mark.slow
def test_lanczos_equals_dense_beyond_enumeration():
    g = torch.Generator().manual_seed(0)
    x, labels = torch.randn(40, 9, generator=g).double(), torch.randint(0, 4, (40,), generator=g)
    samples = per_sample(mlp((9, 6, 5, 4), seed=1), CROSS_ENTROPY, x, labels)
    ours, theirs = (moments(samples, batch_size=8, method=m) for m in ("lanczos", "dense"))
    for name in ROOTS:
        # Both stop at round-off of terms 8^3 times the gap at most.
        assert getattr(ours, name) == pytest.approx(getattr(theirs, name), rel=1e-9)


def convolution():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Conv1d(1, 2, 3), nn.Tanh(), nn.Flatten(), nn.Linear(4, 2))
    g = torch.Generator().manual_seed(0)
    return model, torch.randn(5, 1, 4, generator=g), torch.tensor([0, 1, 1, 0, 1])


def test_what_does_not_fit_is_only_multiplied():
    model, x, labels = convolution()
    stored = per_sample(model, CROSS_ENTROPY, x, labels)
    multiplied = per_sample(model, CROSS_ENTROPY, x, labels, memory_limit=1000)
    vectors = torch.randn(stored.size, 2, generator=torch.Generator().manual_seed(1)).double()
    for power in (1, 3):
        torch.testing.assert_close(
            multiplied.select(torch.tensor([4, 1])).matvec(vectors, power),
            stored.matvec(vectors, power)[[4, 1]],
            rtol=0,
            atol=ROUNDING,
        )
    with pytest.raises(ValueError, match=r"memory_limit is .*use fewer samples .*lanczos"):
        moments(multiplied, method="dense")
    batches, vector = BatchHessians(multiplied, 2), vectors[:, 0]
    for power, mean in enumerate(batch_mean_powers(stored, 2), start=1):
        torch.testing.assert_close(
            batches.mean_matvec(vector, power), mean @ vector, rtol=0, atol=10 * ROUNDING
        )


@pytest.mark.parametrize("stored", [True, False])
def test_means_over_some_samples_at_a_time(stored, monkeypatch):
    model, x, labels = convolution()
    limit = None if stored else 1000
    samples = per_sample(model, CROSS_ENTROPY, x, labels, memory_limit=limit)
    vector = torch.randn(samples.size, generator=torch.Generator().manual_seed(1)).double()
    expected = samples.mean_matvec(vector, 2)
    monkeypatch.setattr("numerics.hessians.samples.BUDGET", 2 * samples.size)  # 2, 2 and 1 samples
    found = samples.mean_matvec(vector, 2)
    torch.testing.assert_close(found, expected, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("batch_size", [2, 3, 4])
@pytest.mark.parametrize("power", [1, 2, 3, 4])
def test_word_weights_add_up_and_approach_independence(power, batch_size):
    assert sum(batch_weights(power, 9, batch_size).values()) == 1
    assert sum(batch_weights(power, 9, batch_size, replacement=True).values()) == 1
    many = word_weights(power, 10**9, batch_size)
    for word, weight in independent_weights(power, batch_size).items():
        assert many[word] == pytest.approx(weight, abs=1e-7)  # corrections of order B^2/n


def test_weights_of_full_batches_and_of_pairs_by_hand():
    assert batch_weights(4, 6, 6) == {"abcd": 1}
    assert batch_weights(3, 6, 1) == {"aaa": 1}
    n, size = 7, 3
    own = Fraction(n - size, size * (n - 1))  # E H_B^2 - H^2 is this share of E H_i^2 - H^2
    assert batch_weights(2, n, size) == {"aa": own, "ab": 1 - own}
    # Unbiased for H^2 of infinitely many from n of them: leave out the equal indices.
    limit = distinct_weights(2, n, 10**12)
    assert float(limit["aa"]) == pytest.approx(-1 / (n - 1), abs=1e-11)


def test_too_few_samples_are_refused():
    with pytest.raises(ValueError, match="there are 3 samples: 4 or more"):
        distinct_weights(4, 3, 10)
    with pytest.raises(ValueError, match="batch_size is 7"):
        BatchHessians(dense(), 7)
    with pytest.raises(ValueError, match="power is 5"):
        BatchHessians(dense(), 2).mean_matvec(torch.ones(4).double(), 5)
