r"""Losses of one sample, with the derivatives in the outputs $z$ that exact Hessians need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from numerics.checks import check_labels

__all__ = ["CROSS_ENTROPY", "SQUARE_LOSS", "CrossEntropy", "Loss", "SquareLoss", "loss_derivatives"]

Loss = Callable[[Tensor, Tensor], Tensor]
r"""Outputs (n, c) and targets to the n values $\ell(z_i, y_i)$: one per sample, never averaged."""


@dataclass(frozen=True)
class SquareLoss:
    r"""$\ell(z, y) = \tfrac12 \|z - y\|^2$, targets of the shape of the outputs."""

    name: str = "square"

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Values of shape (n,)."""
        return 0.5 * self._residuals(outputs, targets).square().reshape(len(outputs), -1).sum(1)

    def derivatives(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        r"""Gradients $z - y$, shape (n, c), and Hessians $I$, shape (n, c, c)."""
        gradient = self._residuals(outputs, targets)
        classes = outputs.shape[1]
        identity = torch.eye(classes, dtype=outputs.dtype, device=outputs.device)
        return gradient, identity.expand(len(outputs), classes, classes)

    @staticmethod
    def _residuals(outputs: Tensor, targets: Tensor) -> Tensor:
        _check_outputs(outputs)
        if outputs.shape != targets.shape:
            raise ValueError(
                f"targets have shape {tuple(targets.shape)} and outputs {tuple(outputs.shape)}: "
                "the square loss needs equal shapes (one-hot rows for classes)"
            )
        return outputs - targets


@dataclass(frozen=True)
class CrossEntropy:
    r"""$\ell(z, y) = \log\sum_k e^{z_k} - z_y$ for integer labels $y$."""

    name: str = "cross-entropy"

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Values of shape (n,)."""
        return functional.cross_entropy(outputs, self._labels(outputs, targets), reduction="none")

    def precise(self, outputs: Tensor, targets: Tensor) -> Tensor:
        r"""The same as $\log(1 + \sum_{k \ne y} e^{z_k - z_y})$; where tiny, it keeps digits."""
        labels = self._labels(outputs, targets).unsqueeze(1)
        margins = outputs - outputs.gather(1, labels)
        others = margins.scatter(1, labels, -torch.inf)
        top = others.detach().amax(1).clamp(min=0)
        total = (others - top.unsqueeze(1)).exp().sum(1)
        return top + torch.where(top > 0, (total + (-top).exp()).log(), total.log1p())

    def derivatives(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        r"""Gradients $p - e_y$, shape (n, c), and Hessians $\mathrm{diag}(p) - pp^\top$.

        $1 - p_k$ is summed from the other probabilities: where $p_k$ rounds to 1 it keeps digits.
        """
        probabilities = outputs.softmax(1)
        labels = self._labels(outputs, targets)
        outer = probabilities.unsqueeze(2) * probabilities.unsqueeze(1)
        own = torch.eye(outputs.shape[1], dtype=torch.bool, device=outputs.device)
        rest = probabilities.unsqueeze(1).masked_fill(own, 0).sum(2)
        mine = functional.one_hot(labels, outputs.shape[1]).bool()
        curvature = torch.diag_embed(probabilities * rest) - outer.masked_fill(own, 0)
        return torch.where(mine, -rest, probabilities), curvature

    @staticmethod
    def _labels(outputs: Tensor, targets: Tensor) -> Tensor:
        _check_outputs(outputs)
        if outputs.ndim != 2 or targets.shape != outputs.shape[:1]:
            raise ValueError(
                f"targets have shape {tuple(targets.shape)} and outputs {tuple(outputs.shape)}: "
                "the cross-entropy needs one integer label for each row of outputs"
            )
        return check_labels("targets", targets, outputs.shape[1]).long()


def _check_outputs(outputs: object) -> None:
    """Refuse what a model returns beside, or in place of, one tensor."""
    if not isinstance(outputs, Tensor):
        raise ValueError(
            f"the model returns a {type(outputs).__name__}: wrap it in a module that returns one "
            "tensor, or give a loss of your own that takes what it returns"
        )


SQUARE_LOSS = SquareLoss()
CROSS_ENTROPY = CrossEntropy()


def loss_derivatives(loss: Loss, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    r"""Gradients (n, c) and Hessians (n, c, c) of a loss in the outputs.

    Closed forms where the loss has them (`derivatives`), automatic differentiation otherwise, of
    the sum of the losses: each depends on its own outputs only.
    """
    if type(loss) in (SquareLoss, CrossEntropy):  # a subclass may compute something else
        assert isinstance(loss, SquareLoss | CrossEntropy)
        return loss.derivatives(outputs, targets)
    with torch.enable_grad():
        z = outputs.detach().requires_grad_(True)
        gradient = _slope(loss(z, targets).sum(), z)
        columns = [_slope(column.sum(), z, last=True) for column in gradient.unbind(1)]
    return gradient.detach(), torch.stack(columns, 2)


def _slope(value: Tensor, z: Tensor, last: bool = False) -> Tensor:
    """The gradient in z, zero where nothing depends on z."""
    if not value.requires_grad:
        return torch.zeros_like(z)
    (found,) = torch.autograd.grad(
        value, z, create_graph=not last, retain_graph=True, materialize_grads=True
    )
    return found
