r"""Networks of one architecture that move together: stacked parameters, one step for all.

Row k of every stack belongs to one member.  No operation mixes rows, so a member's numbers do not
depend on who shares the stack; on the CPU with one thread they are the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from numerics.checks import check_count, check_nonnegative, check_positive
from numerics.errors import ModelFails
from numerics.hessians.evaluation import kept_randomness
from numerics.hessians.generic import FlatModel
from numerics.hessians.guards import check_deterministic
from numerics.hessians.losses import Loss
from numerics.hessians.perceptrons import Perceptron, as_perceptron
from numerics.norms import nonzero_row_norms
from theory.trusted.algorithms import SamSpec

__all__ = ["Batch", "Member", "Stack", "generator", "threads_for"]

_WORK_PER_THREAD = 10**7
"""Multiplications in a step below which one thread is faster than two."""

Batch: TypeAlias = tuple[Tensor, Tensor]
"""Inputs and targets of each member, shapes (members, batch, ...)."""


@dataclass(frozen=True)
class Member:
    r"""One training of an ensemble.

    Attributes:
        seed: of the initial parameters and of the order of the samples.
        spec: the algorithm; `stochastic=False` takes the full batch.
        step_size: $\eta$.
        radius: $\rho$; ignored by unperturbed algorithms.
        batch_size: samples per step.
        momentum: $\gamma$, heavy ball.
        weight_decay: $\lambda$, added to the gradient of the descent step as $\lambda x$.
    """

    seed: int
    spec: SamSpec
    step_size: float
    radius: float = 0.0
    batch_size: int = 1
    momentum: float = 0.0
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        check_count("seed", self.seed, least=0)
        check_positive("step_size", self.step_size)
        check_count("batch_size", self.batch_size)
        for name in ("radius", "momentum", "weight_decay"):
            check_nonnegative(name, getattr(self, name))

    def batch_of(self, samples: int) -> int:
        """Samples per step out of `samples`."""
        return self.batch_size if self.spec.stochastic else samples


class Stack:
    r"""Members with one algorithm and batch size, each at its own point.

    With $h = g(x + s\,g(x))$, $s$ from `SamSpec.ascent_scale`, one step is
    $v^+ = \gamma v + h + \lambda x$, $x^+ = x - \eta v^+$, as in `training.optimizers.SAM`.

    Attributes:
        members: those that still move.
        points: their parameters, shape (members, d).
        loss: per-sample loss.

    Args:
        models: freshly initialised, one for each member, of one architecture, dtype and device;
            they are not touched.
        loss: per-sample loss, (outputs, targets) to shape (n,).
        members: the trainings.
        masks: shape (members, d), 0 where a parameter is pruned and 1 elsewhere; gradients are
            multiplied by them, so that pruned parameters stay zero.

    Raises:
        ValueError: if a layer makes the loss random, a parameter is frozen, a buffer differs
            between members, or the masks have another shape than the parameters.
    """

    def __init__(
        self,
        models: Sequence[nn.Module],
        loss: Loss,
        members: Sequence[Member],
        masks: Tensor | None = None,
    ) -> None:
        template = models[0]
        check_deterministic(template)
        for name, parameter in template.named_parameters():
            if not parameter.requires_grad:
                raise ValueError(f"parameter {name} is frozen: an ensemble trains all parameters")
        for name, buffer in template.named_buffers():
            if not all(torch.equal(buffer, model.get_buffer(name)) for model in models):
                raise ValueError(f"buffer {name} differs between members: train them one by one")
        flat = [nn.utils.parameters_to_vector(model.parameters()).detach() for model in models]
        self.members, self.points = list(members), torch.stack(flat)
        self._masks = masks
        if masks is not None:
            if masks.shape != self.points.shape:
                raise ValueError(
                    f"masks have shape {tuple(masks.shape)} and the parameters "
                    f"{tuple(self.points.shape)}: give every parameter of every member an entry"
                )
            self._masks = masks.to(self.points)
            self.points = self.points * self._masks
        self._spec, self.loss = members[0].spec, loss
        self._model = FlatModel(template, loss, self.points.dtype)
        self._networks: dict[int, Perceptron | None] = {}
        self._together = True
        self._sizes = [p.numel() for p in template.parameters()]
        settings = [(m.step_size, m.radius, m.momentum, m.weight_decay) for m in members]
        self._settings = self.points.new_tensor(settings)
        self._velocity = torch.zeros_like(self.points)
        self._heavy = any(m.momentum for m in members)
        self._decaying = any(m.weight_decay for m in members)

    def keep(self, mask: Tensor) -> None:
        """Drop the members for which the mask, shape (members,), is False."""
        self.members = [m for m, kept in zip(self.members, mask.tolist(), strict=True) if kept]
        self.points, self._settings = self.points[mask], self._settings[mask]
        self._velocity = self._velocity[mask]
        if self._masks is not None:
            self._masks = self._masks[mask]

    def step(self, batch: Batch, ascent_batch: Batch | None = None, factor: float = 1.0) -> None:
        """Take one step with every member.

        Args:
            batch: of the descent step.
            ascent_batch: of the ascent step, by default the same.
            factor: multiplies every step size.
        """
        step_size, radius, momentum, decay = self._settings.split(1, dim=1)
        point, spec = self.points, self._spec
        if spec.perturbed:
            ascent = self._gradient(point, batch if ascent_batch is None else ascent_batch)
            scale = spec.ascent_scale(
                radius, nonzero_row_norms(ascent) if spec.normalized else None
            )
            point = torch.addcmul(point, scale, ascent)
        direction = self._gradient(point, batch)
        if self._decaying:
            direction = torch.addcmul(direction, decay, self.points)
        if self._heavy:
            direction = self._velocity = torch.addcmul(direction, momentum, self._velocity)
        self.points = torch.addcmul(self.points, -factor * step_size, direction)

    @torch.no_grad()
    def losses(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Losses of every member on common samples, shape (members, n)."""
        return self.scores(inputs, targets, self.loss)

    @torch.no_grad()
    def scores(self, inputs: Tensor, targets: Tensor, score: Loss, at_once: int = 1000) -> Tensor:
        """Any per-sample score of every member on common samples, shape (members, n)."""
        pieces, members = self.points.split(self._sizes, dim=1), len(self.points)
        parts = []
        for x, y in zip(inputs.split(at_once), targets.split(at_once), strict=True):
            common = x.expand(members, *x.shape), y.expand(members, *y.shape)
            parts.append(self._values(pieces, *common, score))
        return torch.cat(parts, dim=1)

    def _gradient(self, points: Tensor, batch: Batch) -> Tensor:
        pieces = [p.requires_grad_(True) for p in points.detach().split(self._sizes, dim=1)]
        with torch.enable_grad():
            total = self._values(pieces, *batch, self.loss).mean(1).sum()
        gradient = torch.cat(torch.autograd.grad(total, pieces), dim=1)
        return gradient if self._masks is None else gradient.mul_(self._masks)

    def _values(
        self, pieces: Sequence[Tensor], inputs: Tensor, targets: Tensor, score: Loss
    ) -> Tensor:
        """Scores of each member on its own samples, shape (members, n)."""
        outputs = self._outputs(pieces, inputs)
        values = self._model.plain_loss if score is self.loss else score
        return values(outputs.flatten(0, 1), targets.flatten(0, 1)).unflatten(0, outputs.shape[:2])

    def _outputs(self, pieces: Sequence[Tensor], inputs: Tensor) -> Tensor:
        network = self._network(inputs)
        if network is None:
            return self._outputs_of_any(pieces, inputs)
        outputs, remaining = inputs.flatten(2), iter(pieces)
        for index, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
            stacked = next(remaining).unflatten(1, weight.shape).mT
            if bias is None:
                outputs = outputs @ stacked
            else:
                outputs = torch.baddbmm(next(remaining).unsqueeze(1), outputs, stacked)
            if index < len(network.activations):
                outputs = network.activations[index](outputs)
        return outputs

    def _network(self, inputs: Tensor) -> Perceptron | None:
        """The perceptron that all members are, if they are one for samples of this shape."""
        if inputs.ndim not in self._networks:
            found = as_perceptron(self._model.model, inputs[0], self.points.dtype)
            self._networks[inputs.ndim] = found
        return self._networks[inputs.ndim]

    def _outputs_of_any(self, pieces: Sequence[Tensor], inputs: Tensor) -> Tensor:
        """Outputs of other architectures: all members at once, or in turn where PyTorch cannot."""

        def one(flat: Sequence[Tensor], x: Tensor) -> Tensor:
            outputs: Tensor = self._model.outputs_at(self._model.shaped(flat), x)
            return outputs

        if self._together:
            try:
                return torch.func.vmap(one)(list(pieces), inputs)
            except ModelFails as problem:
                first = [piece[0] for piece in pieces]
                with torch.no_grad(), kept_randomness(self.points.device):
                    if not torch.equal(one(first, inputs[0]), one(first, inputs[0])):
                        raise ValueError(
                            "two evaluations of the model differ: remove its randomness "
                            "(functional dropout, noise)"
                        ) from problem
                self._together = False
        return torch.stack([one([p[k] for p in pieces], x) for k, x in enumerate(inputs)])


def generator(seed: int, purpose: str) -> torch.Generator:
    """A stream for one purpose, unrelated to `torch.Generator().manual_seed(seed)` itself."""
    # One 32-bit word: torch's CPU generator ignores the higher bits of a seed.
    word = np.random.SeedSequence([seed, *purpose.encode()]).generate_state(1)[0]
    return torch.Generator().manual_seed(int(word))


@contextmanager
def threads_for(work: int) -> Iterator[None]:
    """One thread for small steps, where starting several costs more than it saves; restored."""
    before = torch.get_num_threads()
    if work < _WORK_PER_THREAD:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
