"""The grammar of losses and targets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from numerics.hessians import CROSS_ENTROPY, SQUARE_LOSS
from numerics.soundness.dice import Dice

__all__ = ["Criterion", "draw_criterion"]

Values = Callable[[Any, Tensor], Tensor]


@dataclass(frozen=True)
class Criterion:
    """A loss and the targets for it.

    Attributes:
        name: of the loss.
        loss: from outputs and targets to the samples' values; one for each.
        targets: shape (n, ...).
        plain: the loss without what was put around it.
    """

    name: str
    loss: Values
    targets: Tensor
    plain: Values


def _huber(z: Tensor, y: Tensor) -> Tensor:
    return functional.huber_loss(z, y, reduction="none", delta=0.5).flatten(1).sum(1)


def _log_cosh(z: Tensor, y: Tensor) -> Tensor:
    return torch.log(torch.cosh(z - y)).flatten(1).sum(1)


def _gaussian(z: Tensor, y: Tensor) -> Tensor:
    scale = functional.softplus(z[:, 1:2])
    return functional.gaussian_nll_loss(z[:, :1], y[:, :1], scale, reduction="none")[:, 0]


def _binary(z: Tensor, y: Tensor) -> Tensor:
    hot = (y > 0).to(z.dtype)
    return functional.binary_cross_entropy_with_logits(z, hot, reduction="none").flatten(1).sum(1)


def _poisson(z: Tensor, y: Tensor) -> Tensor:
    return functional.poisson_nll_loss(z, y.square(), reduction="none").flatten(1).sum(1)


def _distance(z: Tensor, y: Tensor) -> Tensor:
    return (z - y).flatten(1).norm(dim=1)


def _no_distance(z: Tensor, y: Tensor) -> Tensor:
    return (z - z.detach()).flatten(1).norm(dim=1)


def _root(z: Tensor, y: Tensor) -> Tensor:
    return torch.sqrt(torch.relu(z)).flatten(1).sum(1)


def _infinite(z: Tensor, y: Tensor) -> Tensor:
    return z.flatten(1).sum(1) / torch.zeros(len(z), dtype=z.dtype)


def _scalar(z: Tensor, y: Tensor) -> Tensor:
    return functional.mse_loss(z, y)


def _column(z: Tensor, y: Tensor) -> Tensor:
    return (z - y).square().flatten(1).sum(1, keepdim=True)


def _contrast(z: Tensor, y: Tensor) -> Tensor:
    rows = z.flatten(1)
    return (rows @ rows.T).logsumexp(1) - y.flatten(1)[:, 0]


def _vector(z: Tensor, y: Tensor) -> Tensor:
    return (z - y).square()


def _random(z: Tensor, y: Tensor) -> Tensor:
    return (z - y + 0.1 * torch.rand_like(z)).square().flatten(1).sum(1)


def _margins(z: Tensor, y: Tensor) -> Tensor:
    """The cross-entropy, whose derivatives by autograd keep their digits where z is certain."""
    own = functional.one_hot(y, z.shape[1]).bool()
    margins = (z - z.gather(1, y.unsqueeze(1)))[~own].view(len(z), -1)
    return torch.cat([z.new_zeros(len(z), 1), margins], 1).logsumexp(1)


def _smooth(z: Tensor, y: Tensor) -> Tensor:
    return functional.cross_entropy(z, y, label_smoothing=0.2, reduction="none")


def _focal(z: Tensor, y: Tensor) -> Tensor:
    value = functional.cross_entropy(z, y, reduction="none")
    return (1 - torch.exp(-value)).square() * value


def _sequence(z: Tensor, y: Tensor) -> Tensor:
    return functional.cross_entropy(z.mT, y, reduction="none").sum(1)


SQUARES: dict[Values, float] = {
    SQUARE_LOSS: 8,
    _huber: 2,
    _log_cosh: 2,
    _binary: 2,
    _poisson: 1,
    _distance: 1,
    _scalar: 0.3,
    _column: 0.3,
    _contrast: 0.4,
    _no_distance: 0.3,
    _root: 0.5,
    _infinite: 0.3,
    _random: 0.3,
}
CLASSES: dict[Values, float] = {CROSS_ENTROPY: 8, _smooth: 1.5, _focal: 1.5}


@dataclass(frozen=True)
class _Scaled:
    inner: Values
    factor: float

    def __call__(self, z: Any, y: Tensor) -> Tensor:
        return self.factor * self.inner(z, y)


@dataclass(frozen=True)
class _Taken:
    """What a model returns beside one tensor, taken apart."""

    inner: Values

    def __call__(self, z: Any, y: Tensor) -> Tensor:
        return self.inner(z["scores"] if isinstance(z, dict) else z[0], y)


@dataclass(frozen=True)
class _Decayed:
    """A loss that reads the parameters of the module itself."""

    inner: Values
    model: nn.Module
    half: bool

    def __call__(self, z: Any, y: Tensor) -> Tensor:
        # A complex number counts as the pair that it is in the twin.
        real = [torch.view_as_real(p) if p.is_complex() else p for p in self.model.parameters()]
        values = self.inner(z, y)
        squares = [p.square().sum().to(values.dtype) for p in real if p.ndim > 1 or not self.half]
        return values + 0.05 * torch.stack([*squares, values.new_zeros(())]).sum()


def draw_criterion(dice: Dice, model: nn.Module, outputs: object) -> Criterion:
    """A loss that fits what a model returns, and targets.

    Args:
        dice: the choices.
        model: the model, for losses that read its parameters.
        outputs: what it returns for the inputs.
    """
    z = outputs
    if isinstance(z, dict):
        z = z["scores"]
    elif isinstance(z, tuple):
        z = z[0]
    assert isinstance(z, Tensor)
    criterion = _of_tensor(dice, z)
    loss, name = criterion.loss, criterion.name
    if not isinstance(outputs, Tensor):
        bare = dice.chance(0.2) and not dice.ideal
        loss = loss if bare else _Taken(loss)
    if dice.chance(0.2):
        power = dice.pick((-12, -6, -3, -1, 1, 3, 6, 12))
        loss, name = _Scaled(loss, 10.0**power), f"1e{power} {name}"
    if dice.chance(0.04):
        loss, name = _Decayed(loss, model, dice.chance(0.5)), f"{name} + decay"
    return Criterion(name, loss, criterion.targets, criterion.loss)


def _of_tensor(dice: Dice, z: Tensor) -> Criterion:
    n = len(z)
    if z.ndim >= 2 and z.shape[-1] > 1 and dice.chance(0.55):
        labels = dice.integers(z.shape[-1], *(z.shape[:-1] if z.ndim == 3 else (n,)))
        kind = dice.weighted({torch.int64: 6, torch.int32: 1, torch.uint8: 1, torch.int16: 0.5})
        weighing = dice.pick((torch.float64, torch.float32, torch.float16))
        numbers = 0.5 + dice.normal(z.shape[-1]).square()
        if z.ndim == 3:
            return Criterion("sequence", _sequence, labels, _sequence)
        if z.ndim == 2:
            if dice.chance(0.15):
                weights = numbers.to(weighing)
                weights = weights.double() if dice.ideal else weights
                weighted = nn.CrossEntropyLoss(weight=weights, reduction="none")
                return Criterion(f"weighted {weighing}", weighted, labels, weighted)
            loss = dice.weighted(CLASSES)
            ours = loss is CROSS_ENTROPY
            name = f"cross-entropy {kind}" if ours else getattr(loss, "__name__", "")
            cast = labels.to(kind) if ours and not dice.ideal else labels
            return Criterion(name, _margins if ours and dice.ideal else loss, cast, loss)
    targets = dice.normal(*z.shape)
    if z.ndim == 2 and z.shape[1] > 1 and dice.chance(0.08):
        return Criterion("_gaussian", _gaussian, targets, _gaussian)
    rows: tuple[Values, ...] = (SQUARE_LOSS, _vector)
    loss = dice.weighted(SQUARES) if z.ndim > 1 else dice.pick(rows)
    name = "square" if loss is SQUARE_LOSS else getattr(loss, "__name__", "")
    return Criterion(name, loss, targets, loss)
