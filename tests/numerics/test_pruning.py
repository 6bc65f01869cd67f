"""Masks against their definitions, and masked training against networks that multiply by masks."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from oracles.training import optimizer_of, train_epochs
from scipy import stats
from torch import nn
from torch.nn import functional

from numerics.hessians import CROSS_ENTROPY
from numerics.networks.perceptrons import mlp
from numerics.networks.scaled_mnist import ScaledMnist
from numerics.networks.sparse_mnist import SparseMnist
from numerics.training.ensembles import Member, Stack, generator
from numerics.training.epochs import Data, fit_ensemble
from numerics.training.pruning import apply_mask, kept_by_layer, random_mask, snip_mask, snip_scores
from theory.trusted.algorithms import NORMALIZED_SAM, SAM, SGD

BUILD = partial(mlp, (4, 6, 3), "relu")
WEIGHTS, BIASES = 4 * 6 + 6 * 3, 6 + 3
#: Flat positions of the weights, in the order weight, bias, weight, bias.
IS_WEIGHT = np.repeat([True, False, True, False], [24, 6, 18, 3])
TINY = SparseMnist(
    samples=60,
    validation=30,
    test=50,
    epochs=3,
    radii=(0.05,),
    batch_size=20,
    scale=0.05,
    remaining=3000,
    pruning_batch=40,
)


def samples(n, seed):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(n, 4, generator=g).double(), torch.randint(0, 3, (n,), generator=g)


DATA = Data(samples(23, 0), samples(10, 1), samples(20, 2))


def vector(model):
    return nn.utils.parameters_to_vector(model.parameters()).detach().clone()


def batch_loss(model, parameters):
    copy = BUILD(0)
    nn.utils.vector_to_parameters(parameters, copy.parameters())
    return functional.cross_entropy(copy(DATA.training[0]), DATA.training[1])


def test_snip_scores_are_derivatives_in_a_factor_on_each_parameter():
    """Lee et al.'s definition, c -> loss(c * theta), by central differences and by autograd."""
    model = BUILD(3)
    with torch.no_grad():
        model[0].bias.fill_(0.1)  # biases start at zero, which would hide an error in theirs
    theta, scores = vector(model), snip_scores(model, CROSS_ENTROPY, *DATA.training)
    step = 1e-5
    with torch.no_grad():
        for j, score in enumerate(scores):
            up, down = theta.clone(), theta.clone()
            up[j], down[j] = theta[j] * (1 + step), theta[j] * (1 - step)
            slope = (batch_loss(model, up) - batch_loss(model, down)) / (2 * step)
            # Cancellation 1e-16 / 1e-5; the third derivative's part is 1e-10 / 6.
            assert float(score) == pytest.approx(abs(float(slope)), abs=1e-9)
    factors = torch.ones_like(theta, requires_grad=True)
    names = dict(model.named_parameters())
    pieces = (factors * theta).split([p.numel() for p in names.values()])
    scaled = {n: c.view_as(p) for (n, p), c in zip(names.items(), pieces, strict=True)}
    outputs = torch.func.functional_call(model, scaled, (DATA.training[0],))
    functional.cross_entropy(outputs, DATA.training[1]).backward()
    # The same products in another order.
    torch.testing.assert_close(scores, factors.grad.abs(), rtol=1e-12, atol=1e-16)


@pytest.mark.parametrize("remaining", [BIASES, 20, 37, WEIGHTS + BIASES])
def test_snip_keeps_the_highest_scores_of_the_whole_network(remaining):
    model = BUILD(3)
    mask = snip_mask(model, CROSS_ENTROPY, *DATA.training, remaining).numpy()
    assert mask.dtype == bool and mask.sum() == remaining and mask[~IS_WEIGHT].all()
    scores = snip_scores(model, CROSS_ENTROPY, *DATA.training).numpy()
    kept, dropped = scores[mask & IS_WEIGHT], scores[~mask]
    if kept.size and dropped.size:
        assert kept.min() > dropped.max()


def test_snip_keeps_the_first_of_equals():
    model = BUILD(3)
    with torch.no_grad():
        model[2].weight.zero_()  # no gradient reaches the first layer, no weight of the second acts
    mask = snip_mask(model, CROSS_ENTROPY, *DATA.training, BIASES + 5)
    assert np.flatnonzero(mask.numpy() & IS_WEIGHT).tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("remaining", [BIASES, 20, 37, WEIGHTS + BIASES])
def test_random_masks_keep_the_same_share_of_each_layer(remaining):
    model = BUILD(0)
    mask = random_mask(model, remaining, seed=1)
    assert int(mask.sum()) == remaining and bool(mask[~torch.from_numpy(IS_WEIGHT)].all())
    share = (remaining - BIASES) / WEIGHTS
    for name, size in (("0.weight", 24), ("2.weight", 18)):
        assert abs(kept_by_layer(model, mask)[name] - share) * size < 1
    assert torch.equal(mask, random_mask(model, remaining, seed=1))


def test_random_masks_are_uniform():
    masks = np.array([random_mask(BUILD(0), BIASES + 21, seed).numpy() for seed in range(800)])
    counts = masks[:, IS_WEIGHT].sum(0)
    # Half of the weights: 400 expected at each, variance 200, less one constraint per layer.
    statistic = ((counts - 400) ** 2 / 200).sum()
    # Fixed seeds; a p-value on either side of 1e-4 would speak against uniform draws.
    assert 1e-4 < stats.chi2(WEIGHTS - 2).sf(statistic) < 1 - 1e-4


@pytest.mark.parametrize("rescaled", [False, True])
def test_masks_are_applied_in_place_and_norms_restored(rescaled):
    model, mask = BUILD(2), random_mask(BUILD(2), 30, seed=0)
    before = [p.detach().clone() for p in model.parameters()]
    apply_mask(model, mask, rescaled=rescaled)
    parts = mask.split([p.numel() for p in before])
    for old, new, part in zip(before, model.parameters(), parts, strict=True):
        left = old * part.view_as(old)
        if rescaled and old.ndim == 2:
            left = left * (old.norm() / left.norm())
        # Rescaling: the same few operations in another order; otherwise equal to the last bit.
        torch.testing.assert_close(new.detach(), left, rtol=1e-14 if rescaled else 0, atol=0)


def test_choosing_masks_has_no_side_effects():
    model = BUILD(0).train()
    before, state = vector(model), torch.get_rng_state()
    snip_mask(model, CROSS_ENTROPY, *DATA.training, 20)
    random_mask(model, 20, seed=0)
    assert torch.equal(before, vector(model)) and torch.equal(state, torch.get_rng_state())
    assert all(p.grad is None and p.requires_grad for p in model.parameters()) and model.training


class Masked(nn.Module):
    """A network whose forward pass multiplies by the mask, whatever its parameters are."""

    def __init__(self, inner, mask):
        super().__init__()
        self.inner = inner
        self.names = [name for name, _ in inner.named_parameters()]
        self.mask = mask

    def effective(self):
        parameters = list(self.inner.parameters())
        parts = self.mask.split([p.numel() for p in parameters])
        return [p * m.view_as(p) for p, m in zip(parameters, parts, strict=True)]

    def forward(self, x):
        state = dict(zip(self.names, self.effective(), strict=True))
        return torch.func.functional_call(self.inner, state, (x,))


def train_by_hand(member, mask, epochs):
    """The effective parameters after training the network above with the torch optimiser."""
    model = Masked(BUILD(member.seed), mask)
    for _ in train_epochs(model, optimizer_of(model, member), DATA.training, member, epochs):
        pass
    return torch.cat([p.detach().flatten() for p in model.effective()])


@pytest.mark.parametrize("spec", [SGD, SAM, NORMALIZED_SAM], ids=lambda s: s.name)
def test_pruned_training_equals_a_network_that_multiplies_by_its_mask(spec):
    members = [Member(seed, spec, 0.2, 0.05, 5, 0.9, 0.01) for seed in (0, 1)]
    masks = [random_mask(BUILD(0), 25 + m.seed, m.seed) for m in members]
    fits = fit_ensemble(BUILD, CROSS_ENTROPY, DATA, members, epochs=6, masks=masks)
    for member, mask, found in zip(members, masks, fits, strict=True):
        expected = train_by_hand(member, mask, 6)
        # 24 steps amplify round-off of 1e-16 by far less than 1e4.
        torch.testing.assert_close(found.parameters, expected, rtol=0, atol=1e-12)
        for parameters in (found.parameters, found.best_parameters):
            assert bool((parameters[~mask] == 0).all())
        assert bool((found.parameters[mask] != 0).any())


def test_a_pruned_member_is_the_same_to_the_last_bit_in_any_company():
    members = [Member(s, spec, 0.2, 0.05, 5, 0.9, 0.01) for s in (0, 1) for spec in (SGD, SAM)]
    masks = [random_mask(BUILD(0), 20 + 3 * k, k) for k in range(len(members))]
    train = partial(fit_ensemble, BUILD, CROSS_ENTROPY, DATA, epochs=4)
    for member, mask, found in zip(members, masks, train(members, masks=masks), strict=True):
        (alone,) = train([member], masks=[mask])
        assert torch.equal(found.parameters, alone.parameters)


def test_a_mask_of_ones_changes_nothing():
    members = [Member(s, NORMALIZED_SAM, 0.2, 0.05, 5, 0.9, 0.01) for s in (0, 1)]
    train = partial(fit_ensemble, BUILD, CROSS_ENTROPY, DATA, members, epochs=4)
    everything = [torch.ones(WEIGHTS + BIASES, dtype=torch.bool)] * 2
    for found, other in zip(train(), train(masks=everything), strict=True):
        assert torch.equal(found.parameters, other.parameters)


def test_members_that_stay_keep_their_masks():
    members = [Member(s, SGD, 0.2, 0.0, 5, 0.9, 0.01) for s in (0, 1)]
    masks = torch.stack([random_mask(BUILD(0), 20, seed) for seed in (0, 1)])
    stack = Stack([BUILD(0), BUILD(1)], CROSS_ENTROPY, members, masks)
    stack.keep(torch.tensor([False, True]))
    x, y = DATA.training
    stack.step((x[None], y[None]))
    assert bool((stack.points[:, ~masks[1]] == 0).all())
    assert bool((stack.points[:, masks[1] & ~masks[0]] != 0).any())


@pytest.mark.parametrize("pruning", ["random", "snip"])
def test_the_setting_prunes_to_the_stated_number_and_trains(pruning):
    setting = replace(TINY, pruning=pruning)
    mask = setting.prune(setting.build(3), 3, setting.data())
    assert int(mask.sum()) == setting.size == 3000
    for found in setting.fit(3):
        assert bool((found.parameters[~mask] == 0).all())
        assert int((found.parameters[mask] != 0).sum()) > 2900
    outcome = setting.outcome(3)
    assert outcome["size"] == 3000
    # 784 x 15, 15 x 5 and 5 x 10 weights; all but the 30 biases are counted.
    shares = zip(outcome["kept"].values(), (11760, 75, 50), strict=True)
    assert sum(share * size for share, size in shares) == pytest.approx(2970, rel=1e-12)


def test_snip_reads_the_stated_batch_of_the_training_set():
    setting = replace(TINY, pruning="snip")
    data, model = setting.data(), setting.build(3)
    order = torch.randperm(60, generator=generator(3, "pruning batch"))[:40]
    batch = (part[order] for part in data.training)
    expected = snip_mask(model, CROSS_ENTROPY, *batch, 3000)
    assert torch.equal(setting.prune(setting.build(3), 3, data), expected)


def test_without_pruning_the_setting_is_the_dense_one():
    names = ("samples", "validation", "test", "epochs", "radii", "batch_size", "scale")
    dense = ScaledMnist(**{name: getattr(TINY, name) for name in names})
    found = replace(TINY, remaining=None)
    assert found.size == dense.size
    for one, other in zip(found.fit(3), dense.fit(3), strict=True):
        assert torch.equal(one.parameters, other.parameters)


def test_images_are_averaged_over_windows():
    whole, pooled = (replace(TINY, pool=pool).data() for pool in (1, 2))
    pictures = whole.training[0].reshape(-1, 14, 2, 14, 2).mean((2, 4)).flatten(1)
    # float32: sums of four numbers below 3, in another order.
    torch.testing.assert_close(pooled.training[0], pictures, rtol=0, atol=1e-6)
    assert torch.equal(pooled.training[1], whole.training[1])
    # 196 x 15, 15 x 5 and 5 x 10 weights, 30 biases.
    assert replace(TINY, pool=2, remaining=None).size == 2940 + 75 + 50 + 30
    assert len(replace(TINY, pool=2, remaining=500).fit(0)[0].parameters) == 3095


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: random_mask(BUILD(0), BIASES - 1, 0), "remaining is 8: it must be in 9 ... 51"),
        (lambda: random_mask(BUILD(0), 52, 0), "remaining is 52: it must be in 9 ... 51"),
        (lambda: replace(TINY, pool=5).data(), "pool is 5: choose a divisor of 28"),
        (lambda: replace(TINY, pool=0).data(), "pool is 0: it must be at least 1"),
        (lambda: replace(TINY, linearised=True).fit(0), "linearised is True"),
        (lambda: replace(TINY, pruning="snip", pruning_batch=61).fit(0), "pruning_batch is 61"),
        (lambda: replace(TINY, pruning="magnitude").fit(0), "pruning is 'magnitude': choose"),
        (
            lambda: fit_ensemble(
                BUILD, CROSS_ENTROPY, DATA, [Member(0, SGD, 0.1)], epochs=1, masks=[]
            ),
            "masks are 0 and members 1",
        ),
        (
            lambda: Stack([BUILD(0)], CROSS_ENTROPY, [Member(0, SGD, 0.1)], torch.ones(1, 50)),
            r"masks have shape \(1, 50\) and the parameters \(1, 51\)",
        ),
    ],
)
def test_bad_input_is_one_clear_line(call, message):
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)
