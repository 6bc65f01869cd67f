"""The attention model against torch's own attention, cut patches by hand, and a plain training."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import nn
from torch.nn import functional

from numerics.hessians import CROSS_ENTROPY
from numerics.networks.patch_attention import AttentionMnist, PatchAttention, attention
from numerics.training.ensembles import Member, generator
from numerics.training.epochs import Data, fit_ensemble
from numerics.training.optimizers import SAM as Optimizer
from theory.trusted.algorithms import NORMALIZED_SAM, SAM, SGD

BUILD = partial(PatchAttention, 6, 14)


def images(n, seed):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(n, 784, generator=g).double(), torch.randint(0, 10, (n,), generator=g)


DATA = Data(images(20, 0), images(8, 1), images(12, 2))


@pytest.mark.parametrize("shape", [(5, 3), (2, 7, 4), (2, 3, 16, 8)])
def test_attention_is_that_of_torch(shape):
    g = torch.Generator().manual_seed(0)
    q, k, v = (3 * torch.randn(shape, generator=g, dtype=torch.float64) for _ in range(3))
    expected = functional.scaled_dot_product_attention(q, k, v)
    # Sums of at most 16 terms of size below 100, in another order.
    torch.testing.assert_close(attention(q, k, v), expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("patch", [7, 14])
def test_outputs_from_patches_cut_by_hand(patch):
    model, (x, _) = PatchAttention(5, patch, seed=3), images(4, 5)
    for image, found in zip(x, model(x), strict=True):
        picture = image.reshape(28, 28)
        corners = [(i, j) for i in range(0, 28, patch) for j in range(0, 28, patch)]
        tokens = torch.stack(
            [
                functional.relu(
                    model.embedding.weight @ picture[i : i + patch, j : j + patch].flatten()
                    + model.embedding.bias
                    + position
                )
                for (i, j), position in zip(corners, model.positions, strict=True)
            ]
        )
        layers = (model.queries, model.keys, model.values)
        q, k, v = (tokens @ layer.weight.T + layer.bias for layer in layers)
        mean = functional.scaled_dot_product_attention(q, k, v).mean(0)
        expected = model.readout.weight @ mean + model.readout.bias
        # Sums of at most 196 terms of order one, in another order.
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


def test_swapping_patches_with_their_positions_changes_nothing():
    model, (x, _) = PatchAttention(5, 14, seed=3), images(4, 5)
    before = model(x)
    halves = x.reshape(4, 2, 14, 28).flip(1).reshape(4, 784)  # the upper two change with the lower
    with torch.no_grad():
        model.positions.copy_(model.positions[[2, 3, 0, 1]])
    # The same sums in another order.
    torch.testing.assert_close(model(halves), before, rtol=0, atol=1e-12)


def train_by_hand(member, epochs):
    model, (x, y) = BUILD(member.seed), DATA.training
    optimizer = Optimizer(
        model.parameters(), member.spec, member.step_size, member.radius, 0.9, 0.01
    )
    order = generator(member.seed, "epochs")
    for _ in range(epochs):
        for batch in torch.randperm(len(x), generator=order).split(5):

            def closure(batch=batch):
                value = functional.cross_entropy(model(x[batch]), y[batch])
                value.backward()
                return value

            optimizer.step(closure)
    return nn.utils.parameters_to_vector(model.parameters()).detach()


MEMBERS = [
    Member(seed, spec, 0.05, 0.05, 5, 0.9, 0.01)
    for seed in (0, 1)
    for spec in (SGD, SAM, NORMALIZED_SAM)
]


def test_an_ensemble_of_attention_models_equals_each_trained_alone():
    train = partial(fit_ensemble, BUILD, CROSS_ENTROPY, DATA, epochs=3)
    for member, found in zip(MEMBERS, train(MEMBERS), strict=True):
        # 12 steps amplify round-off of 1e-15 by far less than 1e4.
        expected = train_by_hand(member, 3)
        torch.testing.assert_close(found.parameters, expected, rtol=0, atol=1e-11)
        (alone,) = train([member])
        assert torch.equal(found.parameters, alone.parameters)


def test_a_seed_is_a_network_and_the_global_state_stays():
    state = torch.get_rng_state()
    one, same, other = PatchAttention(6, 7, 1), PatchAttention(6, 7, 1), PatchAttention(6, 7, 2)
    assert torch.equal(state, torch.get_rng_state())
    assert torch.equal(one.keys.weight, same.keys.weight)
    assert not torch.equal(one.keys.weight, other.keys.weight)
    assert not torch.equal(one.keys.weight, one.queries.weight)
    assert all(bool((layer.bias == 0).all()) for layer in one.children())


@pytest.mark.parametrize("width", [8, 64])
def test_size(width):
    """Embedding, positions, three square maps and the readout, with biases."""
    expected = 50 * width + 16 * width + 3 * (width**2 + width) + 10 * width + 10
    assert AttentionMnist(width=width).size == expected


def test_it_learns_digits():
    setting = AttentionMnist(
        samples=500, validation=200, test=500, epochs=15, batch_size=20, width=16, radii=()
    )
    (fit,) = setting.fit(0)
    # Guessing has 90% errors; 375 steps reach about 40%.
    assert fit.test_best < 0.6


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: PatchAttention(0), "width is 0"),
        (lambda: PatchAttention(4, 5), "patch is 5: choose a divisor of 28"),
        (lambda: PatchAttention(4, 56), "patch is 56: choose a divisor of 28"),
        (lambda: PatchAttention(4, seed=-1), "seed is -1"),
    ],
)
def test_bad_input_is_one_clear_line(call, message):
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)
