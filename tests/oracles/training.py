"""Epochs of a plain loop around the torch optimiser, one network at a time."""

from __future__ import annotations

import torch
from torch.nn import functional

from numerics.training.ensembles import generator
from numerics.training.optimizers import SAM as Optimizer


def optimizer_of(model, member):
    """The torch optimiser with the settings of a member."""
    return Optimizer(
        model.parameters(),
        member.spec,
        member.step_size,
        member.radius,
        member.momentum,
        member.weight_decay,
    )


def train_epochs(model, optimizer, data, member, epochs):
    """Train a classifier in place; stops after each epoch."""
    x, y = data
    order = generator(member.seed, "epochs")
    for _ in range(epochs):
        shuffled = torch.randperm(len(x), generator=order)
        for start in range(0, len(x) - member.batch_size + 1, member.batch_size):
            batch = shuffled[start : start + member.batch_size]

            def closure(batch=batch):
                value = functional.cross_entropy(model(x[batch]), y[batch])
                value.backward()
                return value

            optimizer.step(closure)
        yield
