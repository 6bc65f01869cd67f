"""Any differentiable model: Hessians by differentiating the gradient, on copies."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from numerics.hessians.guards import check_parameters
from numerics.hessians.losses import Loss

__all__ = ["FlatModel"]


class FlatModel:
    r"""A model's per-sample losses as a function of one flat parameter vector.

    The model itself is never touched: parameters and buffers are detached copies in `dtype`.

    Attributes:
        point: the trainable parameters, flat, shape (d,), in the order of `model.parameters()`.
    """

    def __init__(self, model: nn.Module, loss: Loss, dtype: torch.dtype) -> None:
        parameters = check_parameters(model, dtype)
        state = dict(model.named_parameters()) | dict(model.named_buffers())
        self._fixed = {
            name: t.detach().clone().to(dtype if t.is_floating_point() else t.dtype)
            for name, t in state.items()
            if name not in parameters
        }
        self._names = list(parameters)
        self._shapes = [p.shape for p in parameters.values()]
        self._model, self._loss = model, loss
        self.point = torch.cat([p.flatten() for p in parameters.values()])

    @property
    def size(self) -> int:
        """Number of trainable parameters d."""
        return self.point.numel()

    def losses(self, point: Tensor, inputs: Tensor, targets: Tensor) -> Tensor:
        """Per-sample losses at a flat parameter vector, shape (n,).

        Raises:
            ValueError: if the loss does not return one value for each sample.
        """
        return self._losses(self._unflatten(point), inputs, targets)

    def check_dependence(self, inputs: Tensor, targets: Tensor) -> None:
        """Refuse a loss that no trainable parameter reaches, or that is not finite.

        Raises:
            ValueError: naming which of the two it is.
        """
        leaves = {
            name: piece.clone().requires_grad_(True)
            for name, piece in self._unflatten(self.point).items()
        }
        with torch.enable_grad():
            total = self._losses(leaves, inputs, targets).sum()
        if not bool(torch.isfinite(total)):
            raise ValueError(f"the training loss is {total.item()}: it must be finite")
        gradients = (
            torch.autograd.grad(total, list(leaves.values()), allow_unused=True)
            if total.requires_grad
            else ()
        )
        if all(gradient is None for gradient in gradients):
            raise ValueError(
                "the loss does not depend on the parameters: compute it from the model's outputs, "
                "without detach() or item()"
            )

    def hessian(self, inputs: Tensor, targets: Tensor, vectors_at_once: int) -> Tensor:
        """Hessian of the sum of the losses, shape (d, d), by blocks of Hessian-vector products.

        The gradient is recorded once and pulled back along all unit vectors (reverse mode twice:
        the Hessian is symmetric).
        """
        gradient = torch.func.grad(lambda point: self.losses(point, inputs, targets).sum())
        _, pull_back = torch.func.vjp(gradient, self.point)
        identity = torch.eye(self.size, dtype=self.point.dtype, device=self.point.device)
        hessian = torch.func.vmap(pull_back, chunk_size=vectors_at_once)(identity)[0]
        return 0.5 * (hessian + hessian.T)

    def sample_hessians(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Hessians of the losses, shape (n, d, d)."""
        rows = [self.hessian(inputs[[i]], targets[[i]], self.size) for i in range(len(inputs))]
        return torch.stack(rows)

    def _unflatten(self, point: Tensor) -> dict[str, Tensor]:
        pieces = point.split([shape.numel() for shape in self._shapes])
        named = zip(self._names, pieces, self._shapes, strict=True)
        return {name: piece.view(shape) for name, piece, shape in named}

    def _losses(self, trainable: dict[str, Tensor], inputs: Tensor, targets: Tensor) -> Tensor:
        outputs = torch.func.functional_call(self._model, {**self._fixed, **trainable}, (inputs,))
        values = self._loss(outputs, targets)
        if not isinstance(values, Tensor) or values.shape != (len(inputs),):
            got = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
            raise ValueError(
                f"the loss returned shape {got} for {len(inputs)} samples: return one value for "
                "each sample (reduction='none', summed over outputs)"
            )
        return values
