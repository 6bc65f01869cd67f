"""Any differentiable model: Hessians by differentiating the gradient, on copies."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from numerics.hessians.assembly import slices, symmetrize_
from numerics.hessians.bases import IdentityBasis, Indices
from numerics.hessians.guards import check_parameters
from numerics.hessians.losses import Loss

__all__ = ["FlatModel", "SampleProducts"]


class FlatModel:
    r"""A model's per-sample losses as a function of one flat parameter vector.

    The model itself is never touched: parameters and buffers are detached copies in `dtype`.  It is
    evaluated by kernels that can be differentiated twice.

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
        self._recurrent = any(isinstance(module, nn.RNNBase) for module in model.modules())
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

    def check_repeatable(self, inputs: Tensor, targets: Tensor) -> None:
        """Refuse a loss that is random, or couples the samples of a batch.

        The losses are computed twice, and once more for the first sample alone; the state of the
        global random number generators is put back.

        Raises:
            ValueError: naming which of the two it is.
        """
        devices = [self.point.device] if self.point.device.type == "cuda" else []
        with torch.no_grad(), torch.random.fork_rng(devices):
            once, again = (self.losses(self.point, inputs, targets) for _ in range(2))
            alone = self.losses(self.point, inputs[:1], targets[:1])
        allowed = torch.finfo(once.dtype).eps ** 0.75 * (1 + float(once.abs().max()))
        change = float((once - again).abs().max())
        if change > allowed:
            raise ValueError(
                f"two evaluations of the loss differ by {change:.3g}: remove the randomness of the "
                "model or loss (functional dropout, noise, shuffling)"
            )
        change = float((once[:1] - alone).abs())
        if change > allowed:
            raise ValueError(
                f"the first sample's loss changes by {change:.3g} when it is alone: the model or "
                "loss couples the samples of a batch, and has no per-sample Hessians"
            )

    def outputs(self, point: Tensor, inputs: Tensor) -> Tensor:
        """What the model returns at a flat parameter vector."""
        return self._outputs(self._unflatten(point), inputs)

    def product(
        self, inputs: Tensor, targets: Tensor, part: str = "hessian"
    ) -> Callable[[Tensor], Tensor]:
        r"""The map $v \mapsto Hv$, H the Hessian of the sum of the losses, for v of shape (d,).

        The gradient is recorded once and pulled back along each v (reverse mode twice: H is
        symmetric).  In the Gauss-Newton part $J^\top \nabla^2\ell\,J$, J is the pull-back of the
        linear map $u \mapsto J^\top u$, so that nothing needs forward mode.

        Args:
            inputs: shape (n, ...).
            targets: shape (n, ...).
            part: `hessian`, `gauss_newton`, or `residual`, their difference.
        """
        gradient = torch.func.grad(lambda point: self.losses(point, inputs, targets).sum())
        if part != "gauss_newton":
            pull_back = torch.func.vjp(gradient, self.point)[1]
            if part == "hessian":
                return lambda vector: pull_back(vector)[0]
        # [:2] since vjp is typed as if it could always return auxiliary outputs, too.
        outputs, pull = torch.func.vjp(lambda p: self.outputs(p, inputs), self.point)[:2]
        slope = torch.func.grad(lambda z: self._loss(z, targets).sum())
        push = torch.func.vjp(lambda u: pull(u)[0], torch.zeros_like(outputs))[1]
        bend = torch.func.vjp(slope, outputs)[1]

        def gauss_newton(vector: Tensor) -> Tensor:
            return pull(bend(push(vector)[0])[0])[0]

        if part == "gauss_newton":
            return gauss_newton
        return lambda vector: pull_back(vector)[0] - gauss_newton(vector)

    def hessian(
        self, inputs: Tensor, targets: Tensor, vectors_at_once: int, part: str = "hessian"
    ) -> Tensor:
        """Dense matrix of `product`, shape (d, d), exactly symmetric, by blocks of unit vectors."""
        everything = slice(0, self.size)
        return self.block(inputs, targets, everything, vectors_at_once, part)

    def block(
        self, inputs: Tensor, targets: Tensor, rows: slice, vectors_at_once: int, part: str
    ) -> Tensor:
        """Diagonal block of `product` for consecutive parameters, exactly symmetric."""
        product = torch.func.vmap(self.product(inputs, targets, part))
        block = self.point.new_zeros(rows.stop - rows.start, rows.stop - rows.start)
        for some in slices(len(block), vectors_at_once):
            units = self.point.new_zeros(some.stop - some.start, self.size)
            units[:, rows.start + some.start : rows.start + some.stop].fill_diagonal_(1.0)
            block[some] = product(units)[:, rows]
        return symmetrize_(block, average=True)

    def layers(self) -> dict[str, slice]:
        """The trainable parameters of each module that owns some, by its name."""
        spans: dict[str, slice] = {}
        start = 0
        for name, shape in zip(self._names, self._shapes, strict=True):
            owner = name.rpartition(".")[0]
            span = spans.get(owner, slice(start, start))
            if span.stop != start:
                raise ValueError(f"the parameters of layer {owner!r} are not consecutive")
            start += shape.numel()
            spans[owner] = slice(span.start, start)
        return spans

    def sample_hessians(self, inputs: Tensor, targets: Tensor, part: str = "hessian") -> Tensor:
        """Hessians of the losses, shape (n, d, d)."""
        pairs = zip(inputs.split(1), targets.split(1), strict=True)
        return torch.stack([self.hessian(x, y, self.size, part) for x, y in pairs])

    def _unflatten(self, point: Tensor) -> dict[str, Tensor]:
        pieces = point.split([shape.numel() for shape in self._shapes])
        named = zip(self._names, pieces, self._shapes, strict=True)
        return {name: piece.view(shape) for name, piece, shape in named}

    def _outputs(self, trainable: dict[str, Tensor], inputs: Tensor) -> Tensor:
        with _twice_differentiable(self._recurrent):
            return torch.func.functional_call(self._model, {**self._fixed, **trainable}, (inputs,))

    def _losses(self, trainable: dict[str, Tensor], inputs: Tensor, targets: Tensor) -> Tensor:
        values = self._loss(self._outputs(trainable, inputs), targets)
        if not isinstance(values, Tensor) or values.shape != (len(inputs),):
            got = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
            raise ValueError(
                f"the loss returned shape {got} for {len(inputs)} samples: return one value for "
                "each sample (reduction='none', summed over outputs)"
            )
        return values


@contextlib.contextmanager
def _twice_differentiable(recurrent: bool) -> Iterator[None]:
    """No fused attention, fast path of transformers or cuDNN recurrence: they have one derivative.

    PyTorch's settings are put back.
    """
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with contextlib.ExitStack() as stack:
            stack.enter_context(sdpa_kernel(SDPBackend.MATH))
            if recurrent:
                stack.enter_context(torch.backends.cudnn.flags(enabled=False))
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


@dataclass(frozen=True)
class SampleProducts:
    """Hessians of single samples that are only multiplied; as cores, with the identity as basis.

    Attributes:
        flat: the model.
        inputs: shape (n, ...).
        targets: shape (n, ...).
        part: as in `FlatModel.product`.
    """

    flat: FlatModel
    inputs: Tensor
    targets: Tensor
    part: str

    @property
    def basis(self) -> IdentityBasis:
        """All directions."""
        return IdentityBasis(len(self.inputs), self.flat.size)

    @property
    def like(self) -> Tensor:
        """A tensor of the dtype, on the device."""
        return self.flat.point

    def apply_cores(self, coefficients: Tensor) -> Tensor:
        r"""$H_i v_i$: shape (n, d, m) to itself, one sample after the other."""
        pairs = zip(self.inputs.split(1), self.targets.split(1), coefficients, strict=True)
        products = [
            torch.func.vmap(self.flat.product(x, y, self.part), 1, 1)(vectors)
            for x, y, vectors in pairs
        ]
        return torch.stack(products)

    def cores(self) -> Tensor:
        """The Hessians, shape (n, d, d)."""
        return self.flat.sample_hessians(self.inputs, self.targets, self.part)

    def select(self, indices: Indices) -> SampleProducts:
        """Those of some samples."""
        return SampleProducts(self.flat, self.inputs[indices], self.targets[indices], self.part)
