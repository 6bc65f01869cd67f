"""Ensembles against one-by-one loops typed here, and what members may and may not share."""

from __future__ import annotations

import itertools
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from numerics.hessians import CROSS_ENTROPY, SQUARE_LOSS
from numerics.networks.perceptrons import MnistMlp, mlp
from numerics.training.to_loss import Member, train_ensemble
from theory.trusted.algorithms import GD, NORMALIZED_SAM, SAM, SGD, SamSpec

FULL_SAM = SamSpec("full-batch SAM", stochastic=False)
FULL_NORMALIZED = SamSpec("full normalised SAM", stochastic=False, normalized=True)
FRESH = SamSpec("fresh SAM", fresh_batch=True)


BUILD = partial(mlp, (3, 4, 2), "tanh")


def data(n=8, seed=0):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 3, generator=g, dtype=torch.float64)
    return x, torch.randn(n, 2, generator=g, dtype=torch.float64)


def train(members, build=BUILD, loss=SQUARE_LOSS, x=None, y=None, **options):
    x, y = data() if x is None else (x, y)
    settings = {"target_loss": 1e-9, "max_steps": 40} | options
    return train_ensemble(build, loss, x, y, members, **settings)


def by_hand(seed, step_size, radius, steps, normalized):
    """Full-batch SAM on one tanh network with hand-written derivatives."""
    x, y = (t.numpy() for t in data())
    w, b, v, c = (p.detach().numpy().copy() for p in BUILD(seed).parameters())

    def gradient(w, b, v, c):
        a = np.tanh(x @ w.T + b)
        delta = (a @ v.T + c - y) / len(x)
        back = (delta @ v) * (1 - a**2)
        return back.T @ x, back.sum(0), delta.T @ a, delta.sum(0)

    for _ in range(steps):
        g = gradient(w, b, v, c)
        scale = radius / np.sqrt(sum((p**2).sum() for p in g)) if normalized else radius
        up = [p + scale * q for p, q in zip((w, b, v, c), g, strict=True)]
        w, b, v, c = (p - step_size * q for p, q in zip((w, b, v, c), gradient(*up), strict=True))
    return np.concatenate([p.ravel() for p in (w, b, v, c)])


@pytest.mark.parametrize(
    ("spec", "radius"), [(GD, 0.0), (FULL_SAM, 0.1), (FULL_NORMALIZED, 0.1)], ids=lambda s: str(s)
)
def test_full_batch_equals_hand_written_loop(spec, radius):
    members = [Member(seed, spec, 0.1 * (1 + seed), radius) for seed in range(3)]
    for member, run in zip(members, train(members), strict=True):
        expected = by_hand(member.seed, member.step_size, radius, 40, spec.normalized)
        # 40 smooth steps amplify round-off of 1e-16 by far less than 1e4.
        np.testing.assert_allclose(run.parameters.numpy(), expected, atol=1e-12)
        assert run.steps == 40 and not run.converged and run.member is member


def test_a_member_does_not_depend_on_its_company():
    members = [
        Member(seed, spec, step_size, 0.05, 3)
        for seed in (5, 7)
        for spec in (SGD, SAM, NORMALIZED_SAM, FRESH)
        for step_size in (0.05, 0.2)
    ]
    together = train(members)
    for member, run in zip(members, together, strict=True):
        alone = train([member])[0]
        # To the last bit: so small a network runs on one thread.
        assert torch.equal(run.parameters, alone.parameters)
        assert torch.equal(run.losses, alone.losses)
    shuffled = train(members[::-1])[::-1]
    for run, other in zip(together, shuffled, strict=True):
        assert torch.equal(run.parameters, other.parameters)


def test_seeds_pair_the_algorithms():
    members = [Member(3, spec, 0.1, 0.0, 2) for spec in (SGD, SAM, NORMALIZED_SAM)]
    sgd, sam, normalised = train(members)
    # With radius 0 all three are SGD on the same batches.
    torch.testing.assert_close(sam.parameters, sgd.parameters, rtol=0, atol=1e-13)
    torch.testing.assert_close(normalised.parameters, sgd.parameters, rtol=0, atol=1e-13)
    other = train([Member(4, SGD, 0.1, 0.0, 2)])[0]
    assert float((other.parameters - sgd.parameters).abs().max()) > 0.1


def test_fresh_ascent_batches_differ():
    same, fresh = train([Member(0, SAM, 0.1, 0.5, 1), Member(0, FRESH, 0.1, 0.5, 1)])
    assert float((same.parameters - fresh.parameters).abs().max()) > 1e-3


def test_batches_are_uniform_subsets_without_repetition():
    # One step of size n/B from 0 on f_i = (w - e_i)^2/2 ... gives the indicator of the batch.
    n, batch, members = 5, 2, 500
    linear = nn.Linear(n, 1, bias=False).double()

    def zero(_seed):
        with torch.no_grad():
            linear.weight.zero_()
        return linear

    runs = train_ensemble(
        zero,
        SQUARE_LOSS,
        torch.eye(n, dtype=torch.float64),
        torch.ones(n, 1, dtype=torch.float64),
        [Member(seed, SGD, float(batch), 0.0, batch) for seed in range(members)],
        target_loss=1e-9,
        max_steps=1,
    )
    drawn = torch.stack([run.parameters for run in runs])
    assert bool(((drawn == 0) | (drawn == 1)).all()) and bool((drawn.sum(1) == batch).all())
    for pair in itertools.combinations(range(n), batch):
        share = float(drawn[:, list(pair)].all(1).double().mean())
        # Ten equally likely pairs: five standard errors of a share of 1/10.
        assert abs(share - 0.1) < 5 * (0.1 * 0.9 / members) ** 0.5


def test_stops_at_the_target_and_lets_others_go_on():
    members = [Member(0, GD, 0.5), Member(0, GD, 0.01), Member(0, GD, 1e4)]
    fast, slow, diverged = train(members, target_loss=0.2, max_steps=60, check_every=1)
    assert fast.converged and fast.loss <= 0.2 < float(fast.losses[-2])
    assert fast.steps < 60 and not slow.converged and slow.steps == 60
    assert not diverged.converged
    model = fast.load_into(BUILD(9))
    x, y = data()
    assert SQUARE_LOSS(model(x), y).mean().item() == pytest.approx(fast.loss, rel=1e-12)


def test_divergence_is_reported_not_raised():
    run = train([Member(0, GD, 1e3)], build=lambda s: mlp((3, 2), seed=s), max_steps=400)[0]
    assert not run.converged and not np.isfinite(run.loss) and run.steps < 400


def test_already_converged_takes_no_step():
    run = train([Member(0, SGD, 0.1)], target_loss=1e3)[0]
    assert run.converged and run.steps == 0
    initial = nn.utils.parameters_to_vector(BUILD(0).parameters())
    assert torch.equal(run.parameters, initial.detach())


def test_zero_gradient_stays_put():
    # x = 0 and y = +-1: at zero bias the gradient vanishes and the loss is 1/2, not 0.
    x, y = torch.zeros(2, 3).double(), torch.tensor([[1.0], [-1.0]]).double()
    build = partial(mlp, (3, 1), "tanh")
    run = train([Member(0, FULL_NORMALIZED, 0.1, 0.1)], build=build, x=x, y=y)[0]
    assert run.steps == 40 and run.loss == pytest.approx(0.5, rel=1e-15)


class Wrapped(nn.Module):
    def __init__(self, seed):
        super().__init__()
        self.inner = BUILD(seed)

    def forward(self, x):
        return self.inner(x)


def test_any_module_trains_like_a_perceptron():
    members = [Member(s, spec, 0.1, 0.05, 3) for s in (0, 1) for spec in (SAM, GD)]
    for run, other in zip(train(members), train(members, build=Wrapped), strict=True):
        torch.testing.assert_close(run.parameters, other.parameters, rtol=0, atol=1e-12)


def test_cross_entropy_with_labels():
    x, labels = data()[0], torch.tensor([0, 1] * 4)
    run = train([Member(0, SGD, 0.5, 0.0, 4)], loss=CROSS_ENTROPY, x=x, y=labels, max_steps=100)[0]
    assert run.loss < float(run.losses[0]) / 2


def test_no_side_effects():
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    first, second = train([Member(0, SAM, 0.1, 0.1, 2)]), train([Member(0, SAM, 0.1, 0.1, 2)])
    assert torch.equal(first[0].parameters, second[0].parameters)
    assert torch.equal(state, torch.get_rng_state()) and threads == torch.get_num_threads()


def test_mlp_is_seeded_and_scaled():
    assert torch.equal(mlp((3, 2), seed=1)[0].weight, mlp((3, 2), seed=1)[0].weight)
    weight = mlp((400, 300), seed=0)[0].weight
    # 120000 entries: the sample variance of N(0, 1/400) is known to 0.4%; five of these.
    assert float(weight.detach().var()) == pytest.approx(1 / 400, rel=0.02)
    assert mlp((3, 2), dtype=torch.float32)[0].weight.dtype == torch.float32


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: train([]), "members is empty"),
        (lambda: train([Member(0, SGD, 0.1, 0.0, 9)]), "batch_size is 9: it must be in 1 ... 8"),
        (lambda: Member(0, SGD, -0.1), "step_size is -0.1"),
        (lambda: Member(0, SAM, 0.1, float("nan")), "radius is nan"),
        (lambda: Member(-1, SAM, 0.1), "seed is -1"),
        (lambda: train([Member(0, SGD, 0.1)], target_loss=0.0), "target_loss is 0"),
        (lambda: train([Member(0, SGD, 0.1)], max_steps=0), "max_steps is 0"),
        (lambda: train([Member(0, SGD, 0.1)], loss=lambda z, t: t.sum(1)), "does not depend"),
        (
            lambda: train([Member(0, SGD, 0.1)], build=lambda s: BUILD(s).requires_grad_(False)),
            "frozen",
        ),
        (
            lambda: train([Member(0, SGD, 0.1)], x=data()[0] * torch.nan, y=data()[1]),
            "inputs has 24 NaN",
        ),
        (lambda: mlp((3,)), "at least the input and output"),
        (lambda: mlp((3, 0)), "width is 0"),
        (lambda: mlp((3, 2), "step"), "activation is 'step'"),
    ],
)
def test_bad_input_is_one_clear_line(call, message):
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_small_mnist_setting():
    setting = MnistMlp(
        samples=10, hidden=12, batch_size=5, target_loss=0.05, max_steps=1000, seeds=(1,)
    )
    problem, minima = setting.problem(), setting.minima()
    assert problem.size == sum(p.numel() for p in problem.build(0).parameters())
    assert [m.run.member for m in minima] == list(setting.members())
    for minimum in minima:
        assert minimum.run.converged and minimum.moments.size == problem.size
    # The largest eigenvalue is convex: a is at most the mean over the samples.
    tops = torch.linalg.eigvalsh(problem.hessians(minima[0].run).to_dense())[:, -1]
    assert 0 < minima[0].moments.sharpness <= float(tops.mean()) + 1e-9


@pytest.mark.slow
def test_sam_finds_flatter_and_more_uniform_minima_on_mnist():
    setting = MnistMlp()
    assert setting.problem().overparameterisation > 2
    minima = setting.minima()
    assert all(m.run.converged for m in minima)
    count = len(setting.seeds)
    sgd, sam, normalised = (minima[k * count : (k + 1) * count] for k in range(3))
    edge = 2 / setting.step_size
    for base, *others in zip(sgd, sam, normalised, strict=True):
        assert base.moments.sharpness < edge
        for other in others:
            for field in ("sharpness", "s2", "s3", "s4"):
                assert getattr(other.moments, field) < getattr(base.moments, field)
    for minimum in sam:  # a (1 + rho a) <= 2 / eta, necessary for the stability of unnormalised SAM
        a = minimum.moments.sharpness
        assert a * (1 + setting.radius * a) < edge
