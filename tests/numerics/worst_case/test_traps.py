"""SAM ends at a point that minimises nothing: exact membership, and the optimiser's own runs."""

import dataclasses
from fractions import Fraction

import numpy as np
import pytest
import torch

from numerics.training.optimizers import SAM as Optimizer
from numerics.worst_case.traps import normalized_trap, unnormalized_trap
from theory import NORMALIZED_SAM, SAM, SGD

TRAPS = {
    "unnormalised": (unnormalized_trap(), SAM),
    "normalised": (normalized_trap(), NORMALIZED_SAM),
}
every_trap = pytest.mark.parametrize("name", TRAPS)


@every_trap
def test_it_is_a_trap_of_interpolating_samples(name):
    trap, _ = TRAPS[name]
    assert trap.flaw() == "" and trap.split.mu == 1
    first, second = trap.split.components
    mean = (first.slope(Fraction(1)) + second.slope(Fraction(1))) / 2
    assert mean == trap.split.mu  # the mean goes downhill there: it is no minimiser
    assert trap.perturbed(first, Fraction(1)) == trap.perturbed(second, Fraction(1)) == 0
    if not trap.normalized:
        product = trap.split.beta * trap.split.radius
        assert product > 1 / (1 - 2 * trap.split.mu / trap.split.beta) > 1


class Line(torch.autograd.Function):
    """A profile as a function of one number, whose derivative is looked up on a fine table."""

    @staticmethod
    def forward(ctx, v, profile):
        ctx.profile = profile
        ctx.save_for_backward(v)
        return v.sum() * 0

    @staticmethod
    def backward(ctx, grad):
        (v,) = ctx.saved_tensors
        knots = np.array([float(k) for k in ctx.profile.knots])
        curvatures = np.array([float(c) for c in ctx.profile.curvatures])
        at = float(v.detach())
        if at < 0:
            return torch.full_like(v, at), None
        ends = np.append(knots[1:], np.inf)
        return torch.full_like(v, float(curvatures @ np.clip(at - knots, 0, ends - knots))), None


def run(trap, spec, step_size, start, steps, seed):
    point = torch.tensor([start], dtype=torch.float64, requires_grad=True)
    optimizer = Optimizer([point], spec, step_size, float(trap.split.radius))
    drawn = np.random.default_rng(seed).integers(2, size=steps)
    for i in drawn:

        def closure(i=i):
            loss = Line.apply(point, trap.split.components[i])
            loss.backward()
            return loss

        optimizer.step(closure)
    return float(point.detach())


@every_trap
@pytest.mark.parametrize("step_size", [0.05, 0.5, 1.0, 1.5])
def test_the_optimiser_ends_in_the_trap(name, step_size):
    trap, spec = TRAPS[name]
    for sign in (1, -1):
        start = 1 + sign * 0.9 * float(trap.reach)
        end = run(trap, spec, step_size, start, 600, seed=0)
        # 600 steps contract by 0.95 at least; the safeguard of the norm, 1e-12, meets slopes of 20
        assert abs(end - 1) < 1e-10


@every_trap
def test_sgd_leaves_it_for_the_minimiser(name):
    trap, _ = TRAPS[name]
    ends = [run(trap, SGD, 0.02, 1 + 0.9 * float(trap.reach), 2000, seed) for seed in range(3)]
    assert max(map(abs, ends)) < 1e-12


def test_what_is_no_trap_is_refused():
    trap = unnormalized_trap()
    wide = dataclasses.replace(trap, reach=Fraction(1, 50))
    assert wide.flaw() != ""
    short = dataclasses.replace(trap.split, radius=Fraction(1, 30))  # βρ = 2/3
    assert (
        dataclasses.replace(trap, split=short).flaw()
        == "a perturbed derivative is not the contraction"
    )
    rough = dataclasses.replace(trap.split, beta=Fraction(19))
    assert dataclasses.replace(trap, split=rough).flaw() == "a component is not smooth enough"
    assert dataclasses.replace(trap, normalized=True).flaw() != ""
    assert dataclasses.replace(trap, reach=Fraction(0)).flaw() == "it attracts from nowhere"
