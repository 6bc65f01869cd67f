"""Train many networks at once to one loss: seeds times algorithms, each as if trained alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from numerics.checks import check_count, check_positive
from numerics.hessians.evaluation import recording
from numerics.hessians.generic import FlatModel
from numerics.hessians.guards import check_data
from numerics.hessians.losses import Loss
from numerics.hessians.probes import check_dependence
from numerics.progress import progress
from numerics.shown import LOOKS, axes
from numerics.training.ensembles import Member, Stack, generator, threads_for
from theory.trusted.algorithms import SamSpec

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Member", "TrainingRun", "group_members", "prepare", "train_ensemble"]


@dataclass(frozen=True)
class TrainingRun:
    r"""The outcome of one training.

    Attributes:
        member: seed, algorithm, step size, radius and batch size.
        parameters: the final parameters, flat, shape (d,).
        losses: full training losses at the checks, shape (checks,), the initial one first.
        loss_steps: the steps at which they were taken, shape (checks,).
        converged: whether the last loss is at most `target_loss`; False after divergence.
        target_loss: the loss asked for.
        dtype: of the training.
        device: of the training.
    """

    member: Member
    parameters: Tensor
    losses: Tensor
    loss_steps: Tensor
    converged: bool
    target_loss: float
    dtype: str
    device: str

    def __repr__(self) -> str:
        end = "converged" if self.converged else "not converged"
        name, seed = self.member.spec.name, self.member.seed
        return f"TrainingRun({name}, seed {seed}, {self.steps} steps, loss {self.loss:.6g}, {end})"

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the full training loss against the step.

        Args:
            ax: where to draw; matplotlib's current axes by default.
        """
        ax, name = axes(ax), self.member.spec.name
        look = LOOKS[name].line if name in LOOKS else {}
        ax.plot(self.loss_steps.cpu().numpy(), self.losses.cpu().numpy(), label=name, **look)
        ax.set_yscale("log")
        ax.set_xlabel("step")
        ax.set_ylabel("loss")
        return ax

    @property
    def steps(self) -> int:
        """Steps taken."""
        return int(self.loss_steps[-1])

    @property
    def loss(self) -> float:
        """The last full training loss; not finite after divergence."""
        return float(self.losses[-1])

    def load_into(self, model: nn.Module) -> nn.Module:
        """Copy the parameters into a model of the same architecture, and return it."""
        with torch.no_grad():
            nn.utils.vector_to_parameters(self.parameters, model.parameters())
        return model


def train_ensemble(
    build: Callable[[int], nn.Module],
    loss: Loss,
    inputs: Tensor,
    targets: Tensor,
    members: Sequence[Member],
    *,
    target_loss: float,
    max_steps: int,
    check_every: int = 5,
) -> tuple[TrainingRun, ...]:
    r"""Train every member until the full training loss is at most `target_loss`.

    The parameters of all members are stacked and move together; members that reach the target or
    diverge leave the stack.  A member's initial parameters come from `build(seed)` and its batches,
    drawn without replacement and independently in each step, from a generator of its own.  So its
    run does not depend on the others: to the last bit with one thread on the CPU, with more
    threads up to round-off.  Members with one seed share initialisation and batches whatever their
    algorithm: differences are paired.

    Args:
        build: seed to a freshly initialised module; all of one architecture, dtype and device.
        loss: per-sample loss, (outputs, targets) to shape (n,).
        inputs: shape (n, ...).
        targets: shape (n, ...).
        members: the trainings.
        target_loss: mean loss over all samples at which to stop.
        max_steps: steps after which to give up.
        check_every: steps between two evaluations of the full loss; the stop overshoots by fewer.

    Returns:
        One run for each member, in order.  Divergence is reported as `converged=False`.

    Raises:
        ValueError: if data or settings are malformed, or a batch is larger than the data set.
    """
    check_positive("target_loss", target_loss)
    check_count("max_steps", max_steps)
    check_count("check_every", check_every)
    models, inputs, targets = prepare(build, loss, inputs, targets, members)
    runs: dict[int, TrainingRun] = {}
    for indices in group_members(members, len(inputs)):
        chosen = [members[i] for i in indices]
        group = _Group(
            Stack([models[m.seed] for m in chosen], loss, chosen), inputs, targets, target_loss
        )
        with threads_for(group.work):
            group.check()
            title = f"training {chosen[0].spec.name}"
            for start in progress(range(0, max_steps, check_every), title):
                if not group.active:
                    break
                group.advance(min(check_every, max_steps - start))
                group.check()
        runs.update(zip(indices, group.finished(chosen), strict=True))
    return tuple(runs[index] for index in range(len(members)))


def prepare(
    build: Callable[[int], nn.Module],
    loss: Loss,
    inputs: Tensor,
    targets: Tensor,
    members: Sequence[Member],
) -> tuple[dict[int, nn.Module], Tensor, Tensor]:
    """Seed -> initial model, and the data in the models' dtype, all checked.

    Raises:
        ValueError: if there are no members, the data is malformed, a batch is larger than the data
            set, or the loss does not depend on the parameters.
    """
    if not members:
        raise ValueError("members is empty: give at least one training")
    models = {seed: build(seed) for seed in dict.fromkeys(member.seed for member in members)}
    template = models[members[0].seed]
    dtype = next(iter(template.parameters())).dtype
    inputs, targets = check_data(inputs, targets, dtype)
    for member in members:
        if member.spec.stochastic:
            check_count("batch_size", member.batch_size, most=len(inputs))
    if all(parameter.requires_grad for parameter in template.parameters()):  # else Stack refuses
        few = slice(member.batch_of(len(inputs)))
        with recording():
            check_dependence(FlatModel(template, loss, dtype), inputs[few], targets[few])
    return models, inputs, targets


def group_members(members: Sequence[Member], samples: int) -> list[list[int]]:
    """Indices of the members that can share a stack: one algorithm, one batch size."""
    groups: dict[tuple[SamSpec, int], list[int]] = defaultdict(list)
    for index, member in enumerate(members):
        groups[member.spec, member.batch_of(samples)].append(index)
    return list(groups.values())


class _Group:
    """A stack on its way to the target loss; `active[k]` is the member in row k."""

    def __init__(self, stack: Stack, inputs: Tensor, targets: Tensor, target_loss: float) -> None:
        self._stack, self._inputs, self._targets = stack, inputs, targets
        self._target_loss = target_loss
        self._batch_size = stack.members[0].batch_of(len(inputs))
        self._fresh = stack.members[0].spec.fresh_batch
        self.active = list(range(len(stack.members)))
        self.work = stack.points.numel() * self._batch_size
        self._generators = [generator(m.seed, "batches") for m in stack.members]
        self._ascent_generators = [generator(m.seed, "ascent batches") for m in stack.members]
        self._step = 0
        self._history: list[list[tuple[int, float]]] = [[] for _ in stack.members]
        self._final: list[Tensor] = list(stack.points)

    def advance(self, steps: int) -> None:
        """Take `steps` steps with every active member."""
        batches = self._draw(self._generators, steps)
        ascent = self._draw(self._ascent_generators, steps) if self._fresh else batches
        for batch, ascent_batch in zip(batches, ascent, strict=True):
            ascends_on = self._samples(ascent_batch) if self._fresh else None
            self._stack.step(self._samples(batch), ascends_on)
        self._step += steps

    def check(self) -> None:
        """Record the full losses of the active members, and retire those that are done."""
        values = self._stack.losses(self._inputs, self._targets).mean(1)
        for index, point, value in zip(
            self.active, self._stack.points, values.tolist(), strict=True
        ):
            self._history[index].append((self._step, value))
            self._final[index] = point
        going = torch.isfinite(values) & (values > self._target_loss)
        if not bool(going.all()):
            self.active = [k for k, keep in zip(self.active, going.tolist(), strict=True) if keep]
            self._stack.keep(going)

    def finished(self, members: Sequence[Member]) -> list[TrainingRun]:
        """The runs, in the order of the members."""
        return [
            TrainingRun(
                member=member,
                parameters=point.clone(),
                losses=torch.tensor([value for _, value in history], dtype=torch.float64),
                loss_steps=torch.tensor([step for step, _ in history]),
                converged=history[-1][1] <= self._target_loss,
                target_loss=self._target_loss,
                dtype=str(point.dtype).removeprefix("torch."),
                device=str(point.device),
            )
            for member, point, history in zip(members, self._final, self._history, strict=True)
        ]

    def _draw(self, generators: list[torch.Generator], steps: int) -> list[Tensor | None]:
        """One batch of indices for each step and active member, shape (active, batch size)."""
        n, batch = len(self._inputs), self._batch_size
        if batch == n:
            return [None] * steps
        drawn = [
            torch.rand(steps, n, generator=generators[k]).argsort(1)[:, :batch] for k in self.active
        ]
        return list(torch.stack(drawn, 1).to(self._inputs.device))

    def _samples(self, batch: Tensor | None) -> tuple[Tensor, Tensor]:
        if batch is None:
            count = len(self.active)
            inputs, targets = self._inputs, self._targets
            return inputs.expand(count, *inputs.shape), targets.expand(count, *targets.shape)
        return self._inputs[batch], self._targets[batch]
