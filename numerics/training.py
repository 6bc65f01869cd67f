"""Train many networks at once: seeds times algorithms, each as if it were trained alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from numerics.checks import check_count, check_nonnegative, check_positive
from numerics.hessians.generic import FlatModel
from numerics.hessians.guards import check_data, check_deterministic
from numerics.hessians.losses import Loss
from numerics.hessians.perceptrons import as_perceptron
from numerics.progress import progress
from theory.algorithms import SamSpec

__all__ = ["Member", "TrainingRun", "train_ensemble"]

_WORK_PER_THREAD = 10**7
"""Multiplications in a step below which one thread is faster than two."""


@dataclass(frozen=True)
class Member:
    r"""One training of an ensemble.

    Attributes:
        seed: of the initial parameters and of the order of the samples.
        spec: the algorithm; `stochastic=False` takes the full batch.
        step_size: $\eta$.
        radius: $\rho$; ignored by unperturbed algorithms.
        batch_size: samples per step, drawn without replacement, independently in each step.
    """

    seed: int
    spec: SamSpec
    step_size: float
    radius: float = 0.0
    batch_size: int = 1

    def __post_init__(self) -> None:
        check_count("seed", self.seed, least=0)
        check_positive("step_size", self.step_size)
        check_nonnegative("radius", self.radius)
        check_count("batch_size", self.batch_size)


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
    diverge leave the stack.  A member's initial parameters come from `build(seed)` and its batches
    from a generator of its own, so its run does not depend on the others (round-off apart), and
    members with one seed share initialisation and batches whatever their algorithm: differences
    are paired.

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
    if not members:
        raise ValueError("members is empty: give at least one training")
    models = {seed: build(seed) for seed in dict.fromkeys(member.seed for member in members)}
    template = models[members[0].seed]
    check_deterministic(template)
    frozen = [name for name, p in template.named_parameters() if not p.requires_grad]
    if frozen:
        raise ValueError(f"parameter {frozen[0]} is frozen: an ensemble trains all parameters")
    first = next(iter(template.parameters()))
    inputs, targets = check_data(inputs, targets, first.dtype)
    for member in members:
        if member.spec.stochastic:
            check_count("batch_size", member.batch_size, most=len(inputs))
    FlatModel(template, loss, inputs.dtype).check_dependence(inputs, targets)
    groups: dict[tuple[SamSpec, int], list[int]] = defaultdict(list)
    for index, member in enumerate(members):
        groups[member.spec, _batch(member, len(inputs))].append(index)
    runs: dict[int, TrainingRun] = {}
    for indices in groups.values():
        group = _Group(template, loss, inputs, targets, [members[i] for i in indices], models)
        with _threads_for(group.work):
            group.check(target_loss)
            for start in progress(range(0, max_steps, check_every), f"training {group.spec.name}"):
                if not group.active:
                    break
                group.advance(min(check_every, max_steps - start))
                group.check(target_loss)
        runs.update(zip(indices, group.finished(target_loss), strict=True))
    return tuple(runs[index] for index in range(len(members)))


class _Group:
    """Members with one algorithm and batch size; row k of every stack belongs to `active[k]`."""

    def __init__(
        self,
        template: nn.Module,
        loss: Loss,
        inputs: Tensor,
        targets: Tensor,
        members: list[Member],
        models: dict[int, nn.Module],
    ) -> None:
        self._loss, self._inputs, self._targets = loss, inputs, targets
        self._model = FlatModel(template, loss, inputs.dtype)
        self._network = as_perceptron(template, inputs.dtype)
        self._members, self.spec = members, members[0].spec
        self.active = list(range(len(members)))
        self._points = torch.stack(
            [nn.utils.parameters_to_vector(models[m.seed].parameters()).detach() for m in members]
        )
        self._settings = self._points.new_tensor([[m.step_size, m.radius] for m in members])
        self._generators = [_generator(m.seed, "batches") for m in members]
        self._ascent_generators = [_generator(m.seed, "ascent batches") for m in members]
        self._step = 0
        self._history: list[list[tuple[int, float]]] = [[] for _ in members]
        self._final: list[Tensor] = list(self._points)

    @property
    def work(self) -> int:
        """Multiplications of one forward pass, roughly: members x batch x parameters."""
        return self._points.numel() * _batch(self._members[0], len(self._inputs))

    def advance(self, steps: int) -> None:
        """Take `steps` steps with every active member."""
        spec = self.spec
        step_size, radius = self._settings[self.active].split(1, dim=1)
        batches = self._draw(self._generators, steps)
        ascent_batches = self._draw(self._ascent_generators, steps) if spec.fresh_batch else batches
        for batch, ascent_batch in zip(batches, ascent_batches, strict=True):
            self._points = spec.step(
                self._points,
                step_size,
                radius,
                self._gradient(batch),
                ascent_gradient=self._gradient(ascent_batch),
                norm=_row_norms,
            )
        self._step += steps

    def check(self, target_loss: float) -> None:
        """Record the full losses of the active members, and retire those that are done."""
        values = self._losses(self._points, self._inputs, self._targets, shared=True).mean(1)
        for index, point, value in zip(self.active, self._points, values.tolist(), strict=True):
            self._history[index].append((self._step, value))
            self._final[index] = point
        going = torch.isfinite(values) & (values > target_loss)
        if not bool(going.all()):
            self.active = [k for k, keep in zip(self.active, going.tolist(), strict=True) if keep]
            self._points = self._points[going]

    def finished(self, target_loss: float) -> list[TrainingRun]:
        """The runs, in the order of the members."""
        return [
            TrainingRun(
                member=member,
                parameters=point.clone(),
                losses=torch.tensor([value for _, value in history], dtype=torch.float64),
                loss_steps=torch.tensor([step for step, _ in history]),
                converged=history[-1][1] <= target_loss,
                target_loss=target_loss,
                dtype=str(point.dtype).removeprefix("torch."),
                device=str(point.device),
            )
            for member, point, history in zip(
                self._members, self._final, self._history, strict=True
            )
        ]

    def _draw(self, generators: list[torch.Generator], steps: int) -> list[Tensor | None]:
        """One batch of indices for each step and active member, shape (active, batch size)."""
        n, batch = len(self._inputs), _batch(self._members[0], len(self._inputs))
        if batch == n:
            return [None] * steps
        drawn = [
            torch.rand(steps, n, generator=generators[k]).argsort(1)[:, :batch] for k in self.active
        ]
        return list(torch.stack(drawn, 1).to(self._inputs.device))

    def _gradient(self, batch: Tensor | None) -> Callable[[Tensor], Tensor]:
        shared = batch is None
        inputs = self._inputs if shared else self._inputs[batch]
        targets = self._targets if shared else self._targets[batch]

        def gradient(points: Tensor) -> Tensor:
            points = points.detach().requires_grad_(True)
            total = self._losses(points, inputs, targets, shared=shared).mean(1).sum()
            return torch.autograd.grad(total, points)[0]

        return gradient

    def _losses(self, points: Tensor, inputs: Tensor, targets: Tensor, *, shared: bool) -> Tensor:
        """Per-sample losses of every active member, shape (active, samples)."""
        if self._network is None:
            axis = None if shared else 0
            losses = torch.func.vmap(self._model.losses, in_dims=(0, axis, axis))
            return losses(points, inputs, targets)
        if shared:
            inputs = inputs.expand(len(points), *inputs.shape)
            targets = targets.expand(len(points), *targets.shape)
        outputs = self._network.stacked_outputs(points, inputs.flatten(2))
        values = self._loss(outputs.flatten(0, 1), targets.flatten(0, 1))
        return values.unflatten(0, outputs.shape[:2])


def _batch(member: Member, n: int) -> int:
    return member.batch_size if member.spec.stochastic else n


def _generator(seed: int, purpose: str) -> torch.Generator:
    """A stream for one purpose, unrelated to `torch.Generator().manual_seed(seed)` itself."""
    # One 32-bit word: torch's CPU generator ignores the higher bits of a seed.
    word = np.random.SeedSequence([seed, *purpose.encode()]).generate_state(1)[0]
    return torch.Generator().manual_seed(int(word))


def _row_norms(points: Tensor) -> Tensor:
    """Norms of the rows, infinite for zero rows: their ascent step is zero by definition."""
    norms = torch.linalg.vector_norm(points, dim=1, keepdim=True)
    return norms.masked_fill(norms == 0, torch.inf)


@contextmanager
def _threads_for(work: int) -> Iterator[None]:
    """One thread for small steps, where starting several costs more than it saves; restored."""
    before = torch.get_num_threads()
    if work < _WORK_PER_THREAD:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
