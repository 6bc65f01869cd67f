r"""Training networks with batch normalisation: one at a time, by the torch optimiser.

Batch normalisation couples the samples of a batch and keeps running statistics, so that such
networks do not share a `numerics.training.ensembles.Stack`.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

import torch
from torch import Tensor, nn

from numerics.checks import check_count
from numerics.hessians.losses import Loss
from numerics.progress import progress
from numerics.training.ensembles import Member, generator
from numerics.training.epochs import Data, Fit, StepSchedule
from numerics.training.optimizers import SAM

__all__ = ["Augmentation", "fit_module", "frozen_statistics", "mean_score", "sam_closure"]

Augmentation: TypeAlias = Callable[[Tensor, torch.Generator], Tensor]
"""A batch of inputs to other inputs with the same targets."""


@contextmanager
def frozen_statistics(model: nn.Module) -> Iterator[None]:
    """Every buffer ends as it began: running statistics, and the vectors of spectral norms.

    Restored at the end, also when something raises; run the backward pass inside.
    """
    before = [
        (module, name, buffer, buffer.clone())
        for module in model.modules()
        for name, buffer in module._buffers.items()
        if buffer is not None
    ]
    try:
        yield
    finally:
        with torch.no_grad():
            for module, name, buffer, value in before:
                buffer.copy_(value)
                module._buffers[name] = buffer


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Every module in evaluation mode; each gets its own mode back, also when something raises."""
    before = [(module, module.training) for module in model.modules()]
    try:
        model.eval()
        yield
    finally:
        for module, training in before:
            module.training = training


def sam_closure(
    model: nn.Module, loss: Loss, inputs: Tensor, targets: Tensor
) -> Callable[[], Tensor]:
    """A closure for one step of `training.optimizers.SAM` on a model with batch normalisation.

    Running statistics, and all other buffers, follow the first pass, at the parameters themselves;
    the second one, at the perturbed parameters, leaves them alone.  It draws the random numbers of
    the first once more: the same dropout masks, so that both gradients are of one function.

    Args:
        model: in training mode.
        loss: per-sample loss, (outputs, targets) to shape (n,).
        inputs: of the batch.
        targets: of the batch.
    """
    states: list[Tensor] = []
    device = inputs.device
    accelerators = [device] if device.type == "cuda" else []

    def run() -> Tensor:
        value = loss(model(inputs), targets).mean()
        torch.autograd.backward(value)
        return value

    def closure() -> Tensor:
        if not states:
            states.append(torch.get_rng_state())
            states.extend(torch.cuda.get_rng_state(one) for one in accelerators)
            return run()
        with torch.random.fork_rng(accelerators), frozen_statistics(model):
            torch.set_rng_state(states[0])
            for one, state in zip(accelerators, states[1:], strict=True):
                torch.cuda.set_rng_state(state, one)
            return run()

    return closure


@torch.no_grad()
def mean_score(
    model: nn.Module, score: Loss, inputs: Tensor, targets: Tensor, at_once: int = 1000
) -> float:
    """The mean of a per-sample score, by the running statistics; all modes are restored."""
    with evaluation_mode(model):
        parts = [
            score(model(x), y)
            for x, y in zip(inputs.split(at_once), targets.split(at_once), strict=True)
        ]
    return float(torch.cat(parts).mean())


def fit_module(
    model: nn.Module,
    loss: Loss,
    data: Data,
    member: Member,
    *,
    epochs: int,
    schedule: StepSchedule,
    score: Loss,
    augmentation: Augmentation | None = None,
) -> Fit:
    r"""Train one network for `epochs` passes over the training set, as `fit_ensemble` does many.

    Orders of the samples and augmentations depend on the member's seed alone, so that members with
    one seed are paired.  Scores and the training loss are those of the running statistics.  The
    caller's model is copied, not trained.

    Args:
        model: freshly initialised, on the device of the data.
        loss: per-sample loss, (outputs, targets) to shape (n,).
        data: where to train, choose and test.
        member: the training.
        epochs: passes over the training set; incomplete batches are left out.
        schedule: of the step size.
        score: per-sample score that chooses the epoch, lower is better.
        augmentation: of each training batch.

    Raises:
        ValueError: if the batch is larger than the training set, or the algorithm ascends on fresh
            batches.
    """
    check_count("epochs", epochs)
    inputs, targets = data.training
    size = check_count("batch_size", member.batch_of(len(inputs)), most=len(inputs))
    if member.spec.fresh_batch and member.spec.perturbed:
        raise ValueError(f"{member.spec.name} ascends on fresh batches: use one batch for both")
    model = copy.deepcopy(model).train()
    settings = (member.step_size, member.radius, member.momentum, member.weight_decay)
    optimizer = SAM(model.parameters(), member.spec, *settings)
    order, noise = (generator(member.seed, purpose) for purpose in ("epochs", "augmentation"))
    validation = torch.full((epochs,), torch.inf, dtype=torch.float64)
    best, best_epoch, diverged = copy.deepcopy(model), 0, False
    for epoch in progress(range(epochs), f"fitting {member.spec.name}"):
        for group in optimizer.param_groups:
            group["lr"] = member.step_size * schedule.factor(epoch, epochs)
        shuffled = torch.randperm(len(inputs), generator=order).to(inputs.device)
        try:
            for batch in shuffled.split(size)[: len(inputs) // size]:
                x = inputs[batch] if augmentation is None else augmentation(inputs[batch], noise)
                optimizer.step(sam_closure(model, loss, x, targets[batch]))
        except FloatingPointError:
            diverged = True
            break
        value = mean_score(model, score, *data.validation)
        validation[epoch] = value if math.isfinite(value) else torch.inf
        if validation[epoch] < (validation[:epoch].min() if epoch else torch.inf):
            best, best_epoch = copy.deepcopy(model), epoch + 1
    training_loss = mean_score(model, loss, inputs, targets)
    flat = nn.utils.parameters_to_vector(model.parameters()).detach()
    return Fit(
        member=member,
        parameters=flat,
        best_parameters=nn.utils.parameters_to_vector(best.parameters()).detach(),
        best_epoch=best_epoch,
        training_loss=training_loss,
        training_score=mean_score(model, score, inputs, targets),
        validation_scores=validation,
        test_last=mean_score(model, score, *data.test),
        test_best=mean_score(best, score, *data.test),
        diverged=diverged or not math.isfinite(training_loss),
        dtype=str(flat.dtype).removeprefix("torch."),
        device=str(flat.device),
    )
