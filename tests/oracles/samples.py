"""Small sets of per-sample Hessians of every kind, for tests that also see them as matrices."""

from __future__ import annotations

import torch

from numerics.hessians import CROSS_ENTROPY, SQUARE_LOSS, SampleHessians, per_sample
from numerics.networks.perceptrons import mlp


def perceptron():
    g = torch.Generator().manual_seed(3)
    x = torch.randn(5, 3, generator=g, dtype=torch.float64)
    y = torch.randn(5, 2, generator=g, dtype=torch.float64)
    return per_sample(mlp((3, 4, 3, 2), seed=1), SQUARE_LOSS, x, y)


def classifier():
    g = torch.Generator().manual_seed(4)
    x = torch.randn(5, 3, generator=g, dtype=torch.float64)
    labels = torch.randint(0, 3, (5,), generator=g)
    return per_sample(mlp((3, 2, 3), "sigmoid", seed=1), CROSS_ENTROPY, x, labels)


def dense(samples=6, size=4, seed=0):
    g = torch.Generator().manual_seed(seed)
    a = torch.randn(samples, size, size, generator=g, dtype=torch.float64)
    return SampleHessians.from_dense(a @ a.mT / size)


def indefinite():
    g = torch.Generator().manual_seed(5)
    a = torch.randn(6, 4, 4, generator=g, dtype=torch.float64)
    return SampleHessians.from_dense(a + a.mT)


def rank_one():
    g = torch.Generator().manual_seed(6)
    return SampleHessians.from_rank_one(torch.randn(4, 6, generator=g, dtype=torch.float64))


KINDS = [perceptron, classifier, dense, indefinite, rank_one]
