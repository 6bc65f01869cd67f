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
        return 0.5 * self._residuals(outputs, targets).square().flatten(1).sum(1)

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

    def derivatives(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        r"""Gradients $p - e_y$, shape (n, c), and Hessians $\mathrm{diag}(p) - pp^\top$."""
        probabilities = outputs.softmax(1)
        labels = self._labels(outputs, targets)
        gradient = probabilities - functional.one_hot(labels, outputs.shape[1]).to(outputs.dtype)
        outer = probabilities.unsqueeze(2) * probabilities.unsqueeze(1)
        return gradient, torch.diag_embed(probabilities) - outer

    @staticmethod
    def _labels(outputs: Tensor, targets: Tensor) -> Tensor:
        _check_outputs(outputs)
        if outputs.ndim != 2 or targets.shape != outputs.shape[:1]:
            raise ValueError(
                f"targets have shape {tuple(targets.shape)} and outputs {tuple(outputs.shape)}: "
                "the cross-entropy needs one integer label for each row of outputs"
            )
        return check_labels("targets", targets, outputs.shape[1])


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

    Closed forms where the loss has them (`derivatives`), automatic differentiation otherwise.
    """
    if isinstance(loss, SquareLoss | CrossEntropy):
        return loss.derivatives(outputs, targets)

    def value(output: Tensor, target: Tensor) -> Tensor:
        return loss(output.unsqueeze(0), target.unsqueeze(0)).squeeze(0)

    gradient = torch.func.vmap(torch.func.grad(value))(outputs, targets)
    hessian = torch.func.vmap(torch.func.jacrev(torch.func.grad(value)))(outputs, targets)
    return gradient, hessian
