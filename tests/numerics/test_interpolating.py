"""The interpolating minimum beside a training: exact, nearby, with the right Hessians."""

import dataclasses

import pytest
import torch

from numerics.hessians import moments, per_sample
from numerics.networks.interpolating import interpolating_minimum
from numerics.networks.perceptrons import NetworkProblem
from numerics.training.to_loss import Member, train_ensemble
from theory import SGD


@pytest.fixture(scope="module")
def trained():
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(8, 5, generator=generator, dtype=torch.float64)
    targets = torch.randn(8, 2, generator=generator, dtype=torch.float64)
    problem = NetworkProblem("random", inputs, targets, (5, 12, 2))
    (run,) = train_ensemble(
        problem.build,
        problem.loss,
        inputs,
        targets,
        [Member(0, SGD, 0.05, batch_size=4)],
        target_loss=1e-2,
        max_steps=20_000,
    )
    assert run.converged
    return problem, run


def test_every_residual_vanishes(trained):
    problem, run = trained
    found = interpolating_minimum(problem, run)
    model = problem.build(0)
    torch.nn.utils.vector_to_parameters(found.parameters, model.parameters())
    residual = (model(problem.inputs) - problem.targets).detach().abs().max()
    assert float(residual) <= 1e-12 * float(problem.targets.abs().max())
    assert found.moved == pytest.approx(float((found.parameters - run.parameters).norm()))
    assert 0 < found.moved < 0.5 * float(run.parameters.norm())


def test_moments_are_those_of_the_full_hessians_there(trained):
    """J'J in the joint range against the exact per-sample Hessians in all of parameter space."""
    problem, run = trained
    found = interpolating_minimum(problem, run)
    model = problem.build(0)
    torch.nn.utils.vector_to_parameters(found.parameters, model.parameters())
    full = moments(per_sample(model, problem.loss, problem.inputs, problem.targets))
    reduced = moments(found.hessians)
    for name in ("sharpness", "s2", "s3", "s4"):
        # the residual part is at most 1e-12 times second derivatives of order one
        assert getattr(reduced, name) == pytest.approx(getattr(full, name), rel=1e-10), name


def test_the_caller_keeps_his_run(trained):
    problem, run = trained
    before = run.parameters.clone()
    state = torch.get_rng_state()
    interpolating_minimum(problem, run)
    assert torch.equal(before, run.parameters) and torch.equal(state, torch.get_rng_state())


def test_too_few_parameters_are_refused(trained):
    problem, _ = trained
    narrow = dataclasses.replace(problem, widths=(5, 1, 2))
    (run,) = train_ensemble(
        narrow.build,
        narrow.loss,
        narrow.inputs,
        narrow.targets,
        [Member(0, SGD, 0.01, batch_size=4)],
        target_loss=1e-9,
        max_steps=200,
    )
    with pytest.raises(ValueError, match="Gauss-Newton steps; train to a smaller loss"):
        interpolating_minimum(narrow, run)
