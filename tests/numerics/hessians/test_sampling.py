"""Sampled moments: unbiased by enumeration of all groups, and as often right as they say."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from oracles import hessians as oracle
from oracles.samples import dense, indefinite, perceptron

from numerics.hessians import CROSS_ENTROPY, moments, per_sample, sampled_moments
from numerics.hessians.sampling import gap_weights
from numerics.hessians.words import apply_words
from numerics.networks.perceptrons import mlp

# Both sides are exact up to round-off: sums of order-1 terms, 1e-16 each.
ROUNDING = 1e-12


def exact_gap(matrices, order, batch_size):
    batches = oracle.batch_matrices(matrices, batch_size)
    power = np.linalg.matrix_power
    mean = batches.mean(0)
    if order == 1:
        return mean
    return np.mean([power(m, order) for m in batches], axis=0) - power(mean, order)


def estimate(group, order, batch_size, samples):
    """The dense matrix that a group estimates."""
    weights = gap_weights(order, group.samples, batch_size, samples)
    rounded = {word: float(weight) for word, weight in weights.items()}
    columns = [apply_words(group, rounded, unit) for unit in torch.eye(group.size).double()]
    return torch.stack(columns, 1).numpy()


@pytest.mark.parametrize("batch_size", [1, 2, 3])
@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", [dense, indefinite])
def test_the_mean_over_all_groups_is_exact_and_their_maxima_are_above(kind, order, batch_size):
    samples = kind()
    exact = exact_gap(samples.to_dense().numpy(), order, batch_size)
    found = [
        estimate(samples.select(torch.tensor(chosen)), order, batch_size, 6)
        for chosen in itertools.combinations(range(6), 4)
    ]
    scale = np.abs(found).max()
    np.testing.assert_allclose(np.mean(found, axis=0), exact, atol=100 * ROUNDING * scale)
    tops = np.linalg.eigvalsh(0.5 * (np.array(found) + np.transpose(found, (0, 2, 1))))[:, -1]
    assert tops.mean() > np.linalg.eigvalsh(exact)[-1]  # Jensen, strictly: the groups differ


def test_a_group_of_all_samples_is_exact():
    samples = perceptron()
    found = sampled_moments(samples.select, 5, group_size=5, groups=4, batch_size=2)
    exactly = moments(samples, batch_size=2)
    assert found.sharpness.low == pytest.approx(exactly.sharpness, rel=1e-6)  # its tolerance
    for gap, value in zip(found.gaps, exactly.gaps, strict=True):
        assert (gap.low, gap.high) == pytest.approx((value, value), rel=1e-5)
    assert found.root(2) == pytest.approx((exactly.s2, exactly.s2), rel=1e-5)


def test_batches_of_all_samples_have_no_gap():
    found = sampled_moments(perceptron().select, 5, group_size=4, groups=4, batch_size=5)
    assert {(gap.low, gap.high) for gap in found.gaps} == {(0.0, 0.0)}
    assert found.root(4) == (0.0, 0.0)


@pytest.mark.slow
def test_intervals_cover_as_often_as_they_say_and_shrink():
    g = torch.Generator().manual_seed(0)
    x, labels = torch.randn(300, 3, generator=g).double(), torch.randint(0, 2, (300,), generator=g)
    samples = per_sample(mlp((3, 2), seed=1), CROSS_ENTROPY, x, labels)
    exactly = moments(samples)
    truth = np.array([exactly.sharpness, *exactly.gaps])

    def bounds(seed, size):
        found = sampled_moments(samples.select, 300, group_size=size, groups=8, seed=seed)
        return np.array([(b.low, b.high) for b in (found.sharpness, *found.gaps)])

    ends = np.array([bounds(seed, 24) for seed in range(24)])
    # Each end may miss with probability 0.025: 4 or more of 24 have probability 0.003.
    assert (truth < ends[..., 0]).sum(0).max() <= 3
    assert (truth > ends[..., 1]).sum(0).max() <= 3
    larger = np.array([bounds(seed, 96) for seed in range(3)])
    assert (np.diff(larger).mean(0) < np.diff(ends).mean(0)).all()


def test_seeds_decide_the_groups_and_nothing_else():
    samples, state = dense(), torch.get_rng_state()
    one, two, other = (
        sampled_moments(samples.select, 6, group_size=4, groups=4, seed=s) for s in (1, 1, 2)
    )
    assert one == two and one != other
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"group_size": 3}, "group_size is 3"),
        ({"group_size": 6}, "group_size is 6"),
        ({"groups": 2}, "groups is 2"),
        ({"groups": 5}, "even number"),
        ({"batch_size": 6}, "batch_size is 6"),
        ({"confidence": 1.0}, "must be below 1"),
        ({"samples": 3}, "samples is 3"),
    ],
)
def test_bad_input_is_one_clear_line(change, message):
    arguments = {"samples": 5, "group_size": 4, "groups": 4} | change
    with pytest.raises(ValueError, match=message) as caught:
        sampled_moments(perceptron().select, **arguments)
    assert "\n" not in str(caught.value)


def test_orders_without_a_root_are_refused():
    found = sampled_moments(dense().select, 6, group_size=4, groups=4)
    with pytest.raises(ValueError, match="order is 1"):
        found.root(1)
