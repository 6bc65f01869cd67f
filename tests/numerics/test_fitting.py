"""Epochs of an ensemble against a plain loop around the torch optimiser, one network at a time."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from oracles.training import optimizer_of, train_epochs
from torch import nn

from numerics.hessians import CROSS_ENTROPY, SQUARE_LOSS
from numerics.networks.perceptrons import mlp
from numerics.training.epochs import Data, StepSchedule, fit_ensemble, mistakes
from numerics.training.to_loss import Member
from theory.trusted.algorithms import NORMALIZED_SAM, SAM, SGD, SamSpec

BUILD = partial(mlp, (4, 6, 3), "relu")
EPOCHS = 8
SCHEDULE = StepSchedule((0.25, 0.5, 0.75))
HEAVY = {"momentum": 0.9, "weight_decay": 0.01}


def samples(n, seed):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(n, 4, generator=g).double(), torch.randint(0, 3, (n,), generator=g)


DATA = Data(samples(23, 0), samples(10, 1), samples(2100, 2))


def fit(members, build=BUILD, loss=CROSS_ENTROPY, data=DATA, **options):
    settings = {"epochs": EPOCHS, "schedule": SCHEDULE, "score": mistakes} | options
    return fit_ensemble(build, loss, data, members, **settings)


def by_hand(member):
    """Models after each epoch, trained by the optimiser in the usual way."""
    model, states = BUILD(member.seed), []
    optimizer = optimizer_of(model, member)
    milestones = [2, 4, 6]  # quarters of eight epochs
    decays = torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones, 0.1)
    for _ in train_epochs(model, optimizer, DATA.training, member, EPOCHS):
        decays.step()
        states.append(nn.utils.parameters_to_vector(model.parameters()).detach().clone())
    return states


def error_rate(parameters, part):
    model, (x, y) = BUILD(0), part
    nn.utils.vector_to_parameters(parameters, model.parameters())
    return float((model(x).argmax(1) != y).double().mean())


@pytest.mark.parametrize("spec", [SGD, SAM, NORMALIZED_SAM], ids=lambda s: s.name)
@pytest.mark.parametrize("settings", [{}, HEAVY], ids=["plain", "momentum and decay"])
@pytest.mark.parametrize("batch", [5, 23])
def test_each_member_equals_the_optimiser_alone(spec, settings, batch):
    members = [Member(s, spec, 0.2, 0.05 * s, batch, **settings) for s in range(3)]
    for member, found in zip(members, fit(members), strict=True):
        states = by_hand(member)
        # 32 steps amplify round-off of 1e-16 by far less than 1e4.
        torch.testing.assert_close(found.parameters, states[-1], rtol=0, atol=1e-12)
        errors = [error_rate(state, DATA.validation) for state in states]
        assert found.validation_scores.tolist() == pytest.approx(errors, abs=1e-15)
        assert found.best_epoch == 1 + errors.index(min(errors))
        best = states[found.best_epoch - 1]
        torch.testing.assert_close(found.best_parameters, best, rtol=0, atol=1e-12)
        assert found.test_best == pytest.approx(error_rate(best, DATA.test), abs=1e-15)
        assert found.test_last == pytest.approx(error_rate(states[-1], DATA.test), abs=1e-15)
        assert found.training_score == pytest.approx(error_rate(states[-1], DATA.training))
        assert found.member is member and not found.diverged


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_member_is_the_same_to_the_last_bit_in_any_company(dtype):
    """Small networks run on one thread, where no kernel's result depends on the stack's height."""
    build = partial(BUILD, dtype=dtype)
    members = [
        Member(seed, spec, step_size, radius, 5, **HEAVY)
        for seed in (1, 2)
        for spec in (SGD, SAM, NORMALIZED_SAM)
        for step_size in (0.05, 0.2)
        for radius in (0.0, 0.1)
    ]
    together = fit(members, build)
    for member, found in zip(members, together, strict=True):
        (alone,) = fit([member], build)
        assert torch.equal(found.parameters, alone.parameters)
        assert torch.equal(found.validation_scores, alone.validation_scores)
    for found, other in zip(together, fit(members[::-1], build)[::-1], strict=True):
        assert torch.equal(found.parameters, other.parameters)


def test_any_module_fits_like_a_perceptron():
    class Wrapped(nn.Module):
        def __init__(self, seed):
            super().__init__()
            self.inner = BUILD(seed)

        def forward(self, x):
            return self.inner(x)

    members = [Member(s, SAM, 0.2, 0.05, 5, **HEAVY) for s in (0, 1)]
    for found, other in zip(fit(members), fit(members, Wrapped), strict=True):
        # Another order of the sums in each product: round-off over 32 steps.
        torch.testing.assert_close(found.parameters, other.parameters, rtol=0, atol=1e-12)


def test_regression_scores_by_the_loss():
    data = Data(*((x, x[:, :2]) for x, _ in (DATA.training, DATA.validation, DATA.test)))
    build = partial(mlp, (4, 2), "relu")
    (found,) = fit([Member(0, SGD, 0.1, 0.0, 5)], build, SQUARE_LOSS, data, score=None, epochs=60)
    # Linear least squares without noise: the start is about 1, and 240 steps of rate about 0.9.
    assert found.test_last < 1e-2 and found.training_score == found.training_loss < 1e-2


def test_divergence_is_reported_and_leaves_others_alone():
    wild, tame = Member(0, SGD, 1e200, 0.0, 5), Member(0, SGD, 0.1, 0.0, 5)
    diverged, found = fit([wild, tame])
    (alone,) = fit([tame])
    assert diverged.diverged and torch.isinf(diverged.validation_scores[-1])
    assert torch.equal(found.parameters, alone.parameters) and not found.diverged


def test_fitting_has_no_side_effects():
    model = BUILD(0)
    before = nn.utils.parameters_to_vector(model.parameters()).detach().clone()
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    fit([Member(0, SAM, 0.1, 0.05, 5, **HEAVY)], lambda _seed: model)
    assert torch.equal(before, nn.utils.parameters_to_vector(model.parameters()).detach())
    assert torch.equal(state, torch.get_rng_state()) and threads == torch.get_num_threads()
    assert all(p.grad is None and p.requires_grad for p in model.parameters())


FRESH = SamSpec("fresh SAM", fresh_batch=True)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fit([]), "members is empty"),
        (lambda: fit([Member(0, SGD, 0.1)], epochs=0), "epochs is 0"),
        (lambda: fit([Member(0, FRESH, 0.1)]), "fresh SAM ascends on fresh batches"),
        (lambda: fit([Member(0, SGD, 0.1, 0.0, 24)]), "batch_size is 24: it must be in 1 ... 23"),
        (lambda: fit([Member(0, SGD, 0.1)], schedule=StepSchedule((0.5,), -1.0)), "decay is -1"),
        (lambda: Member(0, SGD, 0.1, momentum=-0.5), "momentum is -0.5"),
        (lambda: Member(0, SGD, 0.1, weight_decay=float("inf")), "weight_decay is inf"),
    ],
)
def test_bad_input_is_one_clear_line(call, message):
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)
