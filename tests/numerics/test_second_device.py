"""Everything follows the device of its tensors: tried on a device that every machine has.

What `tests/oracles/second_device.py` computes, it computes by the same kernels: results are equal
up to round-off, and whatever mixes devices is an error, as on a GPU.
"""

import dataclasses
import functools
import math

import pytest
import torch
from oracles.second_device import NAME, WrongDevice, second_device
from torch import nn

import theory
from numerics.confrontations.cases import LeastSquaresCase, MnistMlpCase
from numerics.confrontations.registry import AT_MINIMA
from numerics.hessians import (
    CROSS_ENTROPY,
    SQUARE_LOSS,
    Objective,
    SampleHessians,
    exact,
    layer_blocks,
    moments,
    per_sample,
    sampled_moments,
    spectral_density,
    trace,
)
from numerics.networks.patch_attention import AttentionMnist
from numerics.networks.perceptrons import MnistMlp, mlp
from numerics.networks.scaled_mnist import ScaledMnist
from numerics.networks.sparse_mnist import SparseMnist
from numerics.networks.teacher_student import TeacherStudent
from numerics.problems import LeastSquares
from numerics.stability import stability_threshold
from theory.trusted.algorithms import SAM

FRESH = dataclasses.replace(SAM, fresh_batch=True)


def numbers(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda x: x + torch.ones(4), "aten.add.Tensor of tensors on two devices"),
        (lambda x: x @ torch.ones(4), "aten.mv.default of tensors on two devices"),
        (lambda x: torch.ones(3)[x[:, 0].long()], "with an index elsewhere"),
        (lambda x: x.numpy(), "use .cpu"),
        (
            lambda x: torch.randn(3, generator=torch.Generator(), device=x.device),
            "with a generator of the CPU",
        ),
        (lambda x: torch.func.vmap(lambda row: row @ torch.ones(4))(x), "two devices"),
        (lambda x: torch.func.grad(lambda y: (y * torch.ones(4)).sum())(x), "two devices"),
    ],
)
def test_what_a_gpu_refuses_is_refused(wrong, message):
    with second_device(), pytest.raises(WrongDevice, match=message):
        wrong(torch.ones(3, 4).to(NAME))


def test_what_a_gpu_computes_is_computed():
    x = numbers(3, 4)

    def function(y):
        z = (y @ y.mT).exp()
        z[1] = 2 * z[0]
        return (z.sum(1) / math.pi).unsqueeze_(0)

    with second_device():
        y = x.to(NAME)
        assert str(y.device) == NAME and y[torch.tensor([0, 2])].tolist() == x[[0, 2]].tolist()
        assert torch.equal(function(y).cpu(), function(x))
        assert float(y.sum()) == float(x.sum())
        gradient = torch.func.grad(lambda z: z.tanh().square().sum())
        assert gradient(y).tolist() == gradient(x).tolist()
    assert (x.to("meta") + 1).is_meta  # outside, the device is what it was


SMALL = {
    "samples": 60,
    "validation": 30,
    "test": 30,
    "epochs": 2,
    "radii": (0.05,),
    "batch_size": 20,
}
SPARSE = {**SMALL, "scale": 0.1, "remaining": 3000}
TRAININGS = {
    "perceptron": ScaledMnist(scale=0.05, **SMALL),
    "linearised": ScaledMnist(scale=0.05, linearised=True, **SMALL),
    "attention": AttentionMnist(width=8, **SMALL),
    "pruned at random": SparseMnist(pruning="random", **SPARSE),
    "pruned by SNIP": SparseMnist(pruning="snip", pruning_batch=20, **SPARSE),
    "student": TeacherStudent(hidden=10, **SMALL),
}


def assert_like(one, other):
    """The same, and numbers up to the round-off of float32, in which networks train.

    Where a product's operands lie in memory may change the order in which its sums are added up.
    """
    if isinstance(one, dict | list):
        pairs = one.items() if isinstance(one, dict) else enumerate(one)
        assert type(one) is type(other) and len(one) == len(other)
        for key, value in pairs:
            assert_like(value, other[key])
    else:
        close = pytest.approx(other, rel=1e-5) if isinstance(other, float) else other
        assert type(one) is type(other) and one == close


@pytest.mark.parametrize("kind", TRAININGS)
def test_comparisons_of_test_scores(kind):
    problem = TRAININGS[kind]
    here = problem.outcome(0)
    with second_device():
        there = problem.outcome(0, NAME)
    assert (here.pop("device"), there.pop("device")) == ("cpu", NAME)
    assert_like(here, there)


@pytest.mark.slow
def test_minima():
    setting = MnistMlp(samples=6, hidden=10, batch_size=3, target_loss=0.05, seeds=(0,))
    here = setting.minima()
    with second_device():
        there = setting.minima(NAME)
    for one, other in zip(here, there, strict=True):
        assert (one.moments.device, other.moments.device) == ("cpu", NAME)
        # Some hundred steps and a few eigenvalue problems pass on the round-off of float64.
        assert other.run.losses.tolist() == pytest.approx(one.run.losses.tolist(), rel=1e-8)
        mine, theirs = (dataclasses.asdict(minimum.moments) for minimum in (one, other))
        for name in ("sharpness", "s2", "s3", "s4"):
            assert theirs[name] == pytest.approx(mine[name], rel=1e-8)
        assert theirs.keys() == mine.keys() and theirs["batch_size"] == mine["batch_size"]


def convolutions():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(1, 2, 3), nn.Tanh(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(8, 2)
        ).double()


def attention():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layer = nn.TransformerEncoderLayer(4, 2, 3, 0.0, batch_first=True)
        return nn.Sequential(nn.Unflatten(1, (2, 4)), layer, nn.Flatten(), nn.Linear(8, 2)).double()


#: Numbers of order one through products, roots and eigenvalue problems of float64; where operands
#: lie in memory may change the order in which their sums are added up.
ROUNDING = 1e-10
NETWORKS = {
    "perceptron": (lambda: mlp((8, 3, 2)), (8,)),
    "convolutions": (convolutions, (1, 6, 6)),
    "attention": (attention, (8,)),
}


def measured(kind, device):
    """What the library says of one network, as numbers on the CPU."""
    numbers_of = functools.partial(torch.tensor, dtype=torch.float64)
    build, shape = NETWORKS[kind]
    model, x = build().to(device), numbers(5, *shape).to(device)
    labels = torch.tensor([0, 1, 1, 0, 1]).to(device)
    y = numbers(5, 2, seed=1).to(device)
    samples = per_sample(model, SQUARE_LOSS, x, y, part="gauss_newton")
    # Parameters of the second device are of a class of their own, which has no structured route.
    h = Objective(model, CROSS_ENTROPY, x, labels, route="generic").operator()
    density = spectral_density(h, probes=2, steps=5, seed=0)
    blocks = layer_blocks(model, SQUARE_LOSS, x, y)
    dense, lanczos = (
        moments(samples, batch_size=3, method=method) for method in ("dense", "lanczos")
    )
    return {
        "exact": exact(model, CROSS_ENTROPY, x, labels).cpu(),
        "per sample": samples.to_dense().cpu(),
        **{name: block.cpu() for name, block in blocks.items()},
        "dense": numbers_of([dense.sharpness, dense.s2, dense.s3, dense.s4]),
        "Lanczos": numbers_of([lanczos.sharpness, lanczos.s2, lanczos.s3, lanczos.s4]),
        "extremes": numbers_of([end.value for end in h.extremes()]),
        "trace": numbers_of(trace(h).value),
        "density": numbers_of(density.mean(abs).value),
    }


@pytest.mark.slow
@pytest.mark.parametrize("kind", NETWORKS)
def test_hessians_and_their_moments(kind):
    here = measured(kind, "cpu")
    with second_device():
        there = measured(kind, NAME)
    assert here.keys() == there.keys()
    for name, value in here.items():
        torch.testing.assert_close(there[name], value, rtol=ROUNDING, atol=ROUNDING, msg=name)


@pytest.mark.slow
def test_sampled_moments():
    rows = numbers(4, 3)

    def found(device):
        there = rows.to(device)
        return sampled_moments(
            lambda chosen: SampleHessians.from_rank_one(there[chosen]), 4, group_size=4, groups=4
        )

    with second_device():
        there = found(NAME)
    for k in (2, 3, 4):
        assert there.root(k) == pytest.approx(found("cpu").root(k), rel=ROUNDING)


@pytest.mark.parametrize(
    "options",
    [
        {"batch_size": 1},
        {"batch_size": 3},
        {"batch_size": 2, "ascent_per_sample": True},
        {"batch_size": 2, "spec": FRESH},
    ],
    ids=str,
)
def test_thresholds(options):
    rows = numbers(5, 4)
    here = stability_threshold(SampleHessians.from_rank_one(rows), 0.1, **options)
    with second_device():
        there = stability_threshold(SampleHessians.from_rank_one(rows.to(NAME)), 0.1, **options)
    ends = (here.lower, here.value, here.upper)
    assert (there.lower, there.value, there.upper) == pytest.approx(ends, rel=ROUNDING)


def least_squares(device):
    problem = LeastSquares.gaussian(4, 7)
    return LeastSquaresCase(
        "lsq", LeastSquares(problem.features, problem.targets, name=problem.name, device=device)
    )


def perceptrons(device):
    setting = MnistMlp(samples=6, hidden=10, batch_size=3, target_loss=0.05, seeds=(0,))
    return MnistMlpCase("mlp", setting, device)


STABILITY = tuple(
    name for name, t in theory.load().items() if t.refutation is None and AT_MINIMA.find(t)
)
#: The other rates follow long trajectories step by step, which is slow here.
RATES = ("pl-half-to-bare", "sgd-batch-gradients")
#: Thousands of steps or products, and nothing that least squares does not do.
LONG = ("lyapunov-stability", "sam-normalized-bounded")
FEW = tuple(name for name in STABILITY if name not in LONG)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "ids"), [(least_squares, (*STABILITY, *RATES)), (perceptrons, FEW)]
)
def test_confrontations(case, ids):
    problem = case("cpu")
    here = [problem.confront(theory.get(name)) for name in ids]
    with second_device():
        problem = case(NAME)
        there = [problem.confront(theory.get(name)) for name in ids]
    assert [(v.theorem, v.outcome) for v in there] == [(v.theorem, v.outcome) for v in here]
