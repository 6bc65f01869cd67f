r"""Train ensembles for a number of epochs, choose an epoch by validation, and test once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from numerics.checks import check_count, check_positive
from numerics.hessians.guards import check_data
from numerics.hessians.losses import Loss
from numerics.progress import progress
from numerics.training.ensembles import Member, Stack, generator, threads_for
from numerics.training.to_loss import group_members, prepare

__all__ = ["Data", "Fit", "StepSchedule", "fit_ensemble", "mistakes"]


@dataclass(frozen=True)
class Data:
    """A training set, a validation set that chooses, and a test set that is read at the end.

    Attributes:
        training: inputs (n, ...) and targets (n, ...).
        validation: the same for other samples.
        test: the same for other samples.
    """

    training: tuple[Tensor, Tensor]
    validation: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]


@dataclass(frozen=True)
class StepSchedule:
    """The step size is multiplied by `decay` after each of the fractions `at` of the epochs."""

    at: tuple[float, ...] = ()
    decay: float = 0.1

    def factor(self, epoch: int, epochs: int) -> float:
        """The factor during epoch `epoch` = 0 ... `epochs` - 1."""
        return float(self.decay ** sum(epoch >= share * epochs for share in self.at))


@dataclass(frozen=True)
class Fit:
    """The outcome of one training.

    Attributes:
        member: seed, algorithm and its settings.
        parameters: after the last epoch, flat, shape (d,).
        best_parameters: after the epoch with the lowest validation score, shape (d,).
        best_epoch: that epoch, 1 ... epochs; 0 if every epoch diverged.
        training_loss: mean over the training set after the last epoch.
        training_score: of the last epoch.
        validation_scores: after each epoch, shape (epochs,); infinite after divergence.
        test_last: test score after the last epoch.
        test_best: test score after the best epoch.
        diverged: whether a loss was not finite; the last parameters and scores mean nothing then.
        dtype: of the training.
        device: of the training.
    """

    member: Member
    parameters: Tensor
    best_parameters: Tensor
    best_epoch: int
    training_loss: float
    training_score: float
    validation_scores: Tensor
    test_last: float
    test_best: float
    diverged: bool
    dtype: str
    device: str


def mistakes(outputs: Tensor, labels: Tensor) -> Tensor:
    """1 where the largest output is not the label's, else 0: shape (n,)."""
    return (outputs.argmax(1) != labels).to(outputs.dtype)


def fit_ensemble(
    build: Callable[[int], nn.Module],
    loss: Loss,
    data: Data,
    members: Sequence[Member],
    *,
    epochs: int,
    schedule: StepSchedule | None = None,
    score: Loss | None = None,
    masks: Sequence[Tensor] | None = None,
) -> tuple[Fit, ...]:
    r"""Train every member for `epochs` passes over the training set.

    Each epoch goes through a fresh permutation in batches and leaves the incomplete one out.
    Initial parameters and permutations depend on a member's seed alone: members with one seed are
    paired, and a member does not depend on the others (see `numerics.training.ensembles`).

    Args:
        build: seed to a freshly initialised module; all of one architecture, dtype and device.
        loss: per-sample loss, (outputs, targets) to shape (n,).
        data: where to train, choose and test.
        members: the trainings; their data sets, epochs and schedule are common.
        epochs: passes over the training set.
        schedule: of the step size; by default constant.
        score: per-sample score that chooses the epoch and is reported, lower is better; the loss
            by default, `mistakes` for the error rate.
        masks: of each member, shape (d,), 0 where a parameter is pruned: it starts at zero and
            stays there; by default none is.

    Returns:
        One fit for each member, in order.

    Raises:
        ValueError: if data or settings are malformed, a batch is larger than the training set,
            masks do not fit the members, or an algorithm ascends on fresh batches.
    """
    check_count("epochs", epochs)
    schedule = schedule or StepSchedule()
    check_positive("decay", schedule.decay)
    for member in members:
        if member.spec.fresh_batch and member.spec.perturbed:
            raise ValueError(f"{member.spec.name} ascends on fresh batches: use train_ensemble")
    if masks is not None and len(masks) != len(members):
        raise ValueError(f"masks are {len(masks)} and members {len(members)}: give each its mask")
    models, inputs, targets = prepare(build, loss, *data.training, members)
    others = (check_data(*part, inputs.dtype) for part in (data.validation, data.test))
    checked = Data((inputs, targets), *others)
    fits: dict[int, Fit] = {}
    for indices in group_members(members, len(inputs)):
        chosen = [members[i] for i in indices]
        pruned = None if masks is None else torch.stack([masks[i] for i in indices])
        stack = Stack([models[m.seed] for m in chosen], loss, chosen, pruned)
        with threads_for(stack.points.numel() * chosen[0].batch_of(len(inputs))):
            done = _fit(stack, checked, epochs, schedule, score or loss)
            fits.update(zip(indices, done, strict=True))
    return tuple(fits[index] for index in range(len(members)))


def _fit(
    stack: Stack, data: Data, epochs: int, schedule: StepSchedule, score: Loss
) -> Iterator[Fit]:
    inputs, targets = data.training
    members, generators = stack.members, [generator(m.seed, "epochs") for m in stack.members]
    size = members[0].batch_of(len(inputs))
    best, best_epochs = stack.points.clone(), torch.zeros(len(members), dtype=torch.int64)
    validation = stack.points.new_full((len(members), epochs), torch.inf)
    for epoch in progress(range(epochs), f"fitting {members[0].spec.name}"):
        orders = torch.stack([torch.randperm(len(inputs), generator=g) for g in generators])
        factor = schedule.factor(epoch, epochs)
        for batch in orders.to(inputs.device).split(size, dim=1)[: len(inputs) // size]:
            stack.step((inputs[batch], targets[batch]), factor=factor)
        finite = torch.isfinite(stack.points).all(1)
        scores = stack.scores(*data.validation, score).mean(1)
        validation[:, epoch] = torch.where(finite, scores, torch.inf).nan_to_num(
            nan=torch.inf, posinf=torch.inf
        )
        better = validation[:, epoch] < validation[:, :epoch].amin(1) if epoch else finite
        best[better] = stack.points[better]
        best_epochs[better.cpu()] = epoch + 1
    losses, training = (stack.scores(inputs, targets, f).mean(1) for f in (stack.loss, score))
    last, test_last = stack.points, stack.scores(*data.test, score).mean(1)
    stack.points = best
    test_best = stack.scores(*data.test, score).mean(1)
    for k, member in enumerate(members):
        yield Fit(
            member=member,
            parameters=last[k].clone(),
            best_parameters=best[k].clone(),
            best_epoch=int(best_epochs[k]),
            training_loss=float(losses[k]),
            training_score=float(training[k]),
            validation_scores=validation[k].cpu(),
            test_last=float(test_last[k]),
            test_best=float(test_best[k]),
            diverged=not bool(torch.isfinite(losses[k])),
            dtype=str(last.dtype).removeprefix("torch."),
            device=str(last.device),
        )
