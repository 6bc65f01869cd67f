"""Any differentiable model: Hessians by differentiating the gradient, on copies."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_unflatten

from numerics.errors import ModelFails
from numerics.hessians.assembly import slices
from numerics.hessians.bases import IdentityBasis, Indices
from numerics.hessians.evaluation import (
    explained,
    kept_randomness,
    recording,
    twice_differentiable,
    untouched,
)
from numerics.hessians.guards import (
    cast,
    check_derivatives,
    check_parameters,
    check_replaceable,
    check_symmetric,
)
from numerics.hessians.losses import CrossEntropy, Loss, SquareLoss

__all__ = ["FlatModel", "HessianProduct", "SampleProducts", "dense"]

REPAIR = "replace the operation that has no second derivative"


class FlatModel:
    r"""A model's per-sample losses as a function of one flat parameter vector.

    The model itself is never touched: parameters and buffers are detached copies in `dtype`, and
    what an evaluation leaves in its modules is taken back.  It is evaluated by kernels that can be
    differentiated twice, and differentiated by `torch.autograd`, as it would be in training.

    Attributes:
        model: as it was given.
        names: of the trainable parameters.
        dtype: of the computation.
        point: the trainable parameters, flat, shape (d,), in the order of `model.parameters()`.
    """

    def __init__(self, model: nn.Module, loss: Loss, dtype: torch.dtype) -> None:
        check_replaceable(model)
        parameters = check_parameters(model, dtype)
        self._fixed = _constants(model, dtype, parameters)
        self._loss_fixed = _constants(loss, dtype) if isinstance(loss, nn.Module) else {}
        self.names, self.model, self.dtype = list(parameters), model, dtype
        self._shapes = [p.shape for p in parameters.values()]
        self._loss = loss.precise if type(loss) is CrossEntropy else loss
        self.loss = loss
        self.point = torch.cat([p.flatten() for p in parameters.values()])

    @property
    def size(self) -> int:
        """Number of trainable parameters d."""
        return self.point.numel()

    @property
    def spans(self) -> dict[str, slice]:
        """Where each trainable parameter stands in the flat vector."""
        spans, start = {}, 0
        for name, shape in zip(self.names, self._shapes, strict=True):
            spans[name] = slice(start, start + shape.numel())
            start = spans[name].stop
        return spans

    @property
    def plain_loss(self) -> Loss:
        """The loss as a function of tensors alone, its constants in `dtype`."""
        if type(self.loss) in (SquareLoss, CrossEntropy):
            return self.loss
        return lambda outputs, targets: self.losses_of(outputs, targets, len(outputs))

    def shaped(self, pieces: Sequence[Tensor]) -> list[Tensor]:
        """The parameters, given flat one by one."""
        return [piece.view(shape) for piece, shape in zip(pieces, self._shapes, strict=True)]

    def leaves(self, point: Tensor | None = None) -> list[Tensor]:
        """Fresh copies of the parameters, each of its own shape, to be differentiated in."""
        where = self.point if point is None else point
        return [piece.clone().requires_grad_(True) for piece in self._pieces(where)]

    def losses(self, point: Tensor, inputs: Tensor, targets: Tensor) -> Tensor:
        """Per-sample losses at a flat parameter vector, shape (n,), for `torch.func`.

        Raises:
            ValueError: if the loss does not return one value for each sample.
        """
        return self.losses_at(self._pieces(point), inputs, targets)

    def outputs(self, point: Tensor, inputs: Tensor) -> Tensor:
        """What the model returns at a flat parameter vector, for `torch.func`."""
        outputs: Tensor = self.outputs_at(self._pieces(point), inputs)
        return outputs

    def losses_at(self, pieces: Sequence[Tensor], inputs: Tensor, targets: Tensor) -> Tensor:
        """Per-sample losses, shape (n,), with the trainable parameters one by one."""
        return self.losses_of(self.outputs_at(pieces, inputs), targets, len(inputs))

    def outputs_at(self, pieces: Sequence[Tensor], inputs: Tensor) -> Tensor:
        """What the model returns, with the trainable parameters one by one."""
        fixed = {name: tensor.clone() for name, tensor in self._fixed.items()}
        named = fixed | dict(zip(self.names, pieces, strict=True))
        with (
            untouched(self.model, self.dtype),
            twice_differentiable(self.model),
            self._checked("model", len(inputs)),
        ):
            outputs: Tensor = torch.func.functional_call(self.model, named, (inputs.clone(),))
            return outputs

    def losses_of(self, outputs: Tensor, targets: Tensor, count: int) -> Tensor:
        """Per-sample losses of what the model returns, shape (n,).

        Raises:
            ValueError: if there is not one value for each sample.
        """
        with self._checked("loss", count):
            if isinstance(self._loss, nn.Module):
                with untouched(self._loss, self.dtype):
                    fixed = {name: tensor.clone() for name, tensor in self._loss_fixed.items()}
                    values = torch.func.functional_call(
                        self._loss, fixed, (outputs, targets.clone())
                    )
            else:
                values = self._loss(outputs, targets.clone())
        if not isinstance(values, Tensor) or values.shape != (count,):
            got = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
            raise ValueError(
                f"the loss returned shape {got} for {count} samples: return one value for "
                "each sample (reduction='none', summed over outputs)"
            )
        return values

    def product(self, inputs: Tensor, targets: Tensor, part: str = "hessian") -> HessianProduct:
        r"""The map $v \mapsto Hv$, H the Hessian of the sum of the losses.

        Args:
            inputs: shape (n, ...).
            targets: shape (n, ...).
            part: `hessian`, `gauss_newton`, or `residual`, their difference.
        """
        with recording(), kept_randomness(self.point.device):
            leaves = self.leaves()
            if part == "hessian":
                return self._hessian(self.losses_at(leaves, inputs, targets), leaves)
            outputs = self.outputs_at(leaves, inputs)
            found = self._gauss_newton(outputs, leaves, inputs, targets)
            if part == "gauss_newton":
                return found
            whole = self._hessian(self.losses_of(outputs, targets, len(inputs)), leaves)
            return HessianProduct(
                whole.losses, whole.gradient, lambda rows: whole.rows(rows) - found.rows(rows)
            )

    def _hessian(self, losses: Tensor, leaves: list[Tensor]) -> HessianProduct:
        with explained("the loss has no gradient that can be differentiated", REPAIR):
            gradient = _gradient([losses.sum()], leaves)
        return HessianProduct(losses.detach(), _flat(gradient), _PullBack(self, gradient, leaves))

    def _gauss_newton(
        self, outputs: Tensor, leaves: list[Tensor], inputs: Tensor, targets: Tensor
    ) -> HessianProduct:
        r"""$J^\top\nabla^2\ell\,J$: J is the pull-back of the linear map $u \mapsto J^\top u$."""
        everything, structure = tree_flatten(outputs)
        moving = [k for k, z in enumerate(everything) if isinstance(z, Tensor) and z.requires_grad]
        z = [everything[k] for k in moving]
        if not z:
            raise ValueError(
                f"the model returns a {type(outputs).__name__} without a tensor that depends on "
                "the parameters: part='gauss_newton' needs one (or a tuple or dict of them)"
            )
        at = [tensor.detach().clone().requires_grad_(True) for tensor in z]
        around = [t.detach() if isinstance(t, Tensor) else t for t in everything]
        for k, tensor in zip(moving, at, strict=True):
            around[k] = tensor
        losses = self.losses_of(tree_unflatten(around, structure), targets, len(inputs))
        directions = [torch.zeros_like(tensor, requires_grad=True) for tensor in z]
        with explained("the loss or the model has no second derivative", REPAIR):
            slope = _gradient([losses.sum()], at)
            pulled = _gradient(z, leaves, directions)
        push = _PullBack(self, pulled, directions)
        bend = _PullBack(self, slope, at)
        pull = _PullBack(self, z, leaves)
        gradient = pull(_flat(slope).unsqueeze(0))[0]
        return HessianProduct(losses.detach(), gradient, lambda rows: pull(bend(push(rows))))

    def block(
        self, inputs: Tensor, targets: Tensor, rows: slice, vectors_at_once: int, part: str
    ) -> Tensor:
        """Diagonal block of `product` for consecutive parameters, exactly symmetric.

        Raises:
            ValueError: if it is not symmetric up to round-off.
        """
        if part == "residual":  # each with the round-off of its own size
            whole = self.block(inputs, targets, rows, vectors_at_once, "hessian")
            return whole - self.block(inputs, targets, rows, vectors_at_once, "gauss_newton")
        product = self.product(inputs, targets, part)
        block = self.point.new_zeros(rows.stop - rows.start, rows.stop - rows.start)
        for some in slices(len(block), vectors_at_once):
            units = self.point.new_zeros(some.stop - some.start, self.size)
            units[:, rows.start + some.start : rows.start + some.stop].fill_diagonal_(1.0)
            block[some] = product.rows(units)[:, rows]
        owners = [name for name, span in self.spans.items() for _ in range(span.stop - span.start)]
        # (g/l)(g/l)' l is the size of the terms of a second derivative of l, which may all cancel.
        steep, high = float(product.gradient.norm()), float(product.losses.abs().sum())
        floor = steep * float(self.point.norm()) * torch.finfo(self.dtype).eps ** 0.5
        terms = steep**2 / max(high, floor) if steep else 0.0
        return check_symmetric(block, owners[rows], terms)

    def layers(self) -> dict[str, slice]:
        """The trainable parameters of each module that owns some, by its name."""
        spans: dict[str, slice] = {}
        for name, where in self.spans.items():
            owner = name.rpartition(".")[0]
            span = spans.get(owner, slice(where.start, where.start))
            if span.stop != where.start:
                raise ValueError(f"the parameters of layer {owner!r} are not consecutive")
            spans[owner] = slice(span.start, where.stop)
        return spans

    @contextlib.contextmanager
    def _checked(self, what: str, count: int) -> Iterator[None]:
        """Errors of the model or the loss in one line; no saved tensors that are computed again.

        What checkpointing computes again would use the model's own parameters.
        """
        problem = "checkpointing, or another hook for saved tensors, is on: switch it off"
        with (
            explained(
                f"the {what} fails on {count} samples in {self.dtype}",
                f"call it on them itself, with tensors of {self.dtype} throughout",
                ModelFails,
            ),
            torch.autograd.graph.disable_saved_tensors_hooks(problem),
        ):
            yield

    def _pieces(self, point: Tensor) -> list[Tensor]:
        return self.shaped(point.split([shape.numel() for shape in self._shapes]))


@dataclass(frozen=True)
class HessianProduct:
    """Products with the second derivatives of the sum of some losses, recorded once.

    Attributes:
        losses: shape (n,).
        gradient: of their sum, shape (d,).
        rows: products with vectors in rows, shape (m, d) to itself.
    """

    losses: Tensor
    gradient: Tensor
    rows: Callable[[Tensor], Tensor]

    def __call__(self, vector: Tensor) -> Tensor:
        """The product with one vector, shape (d,)."""
        return self.rows(vector.unsqueeze(0))[0]


class _PullBack:
    r"""Rows V to $V J$, J the Jacobian of a flat vector in some leaves, from its recorded graph."""

    def __init__(self, flat: FlatModel, values: list[Tensor], leaves: list[Tensor]) -> None:
        self._flat, self._leaves = flat, leaves
        self._sizes = [value.numel() for value in values]
        self._moving = [k for k, value in enumerate(values) if value.requires_grad]
        self._values = [values[k] for k in self._moving]
        self._at_once = not any(
            module._backward_hooks or module._backward_pre_hooks for module in flat.model.modules()
        )  # hooks would see, and might keep, tensors that stand for many

    def __call__(self, rows: Tensor) -> Tensor:
        """Shape (m, q) to (m, d)."""
        with (
            recording(),
            untouched(self._flat.model, self._flat.dtype),
            explained("the model or loss has no second derivative", REPAIR),
        ):
            if not self._values:
                return rows.new_zeros(len(rows), sum(leaf.numel() for leaf in self._leaves))
            if self._at_once and len(rows) > 1:
                try:
                    return self._pulled(rows)
                except RuntimeError:  # an operation that cannot take many vectors at once
                    self._at_once = False
            return torch.stack([self._pulled(row) for row in rows])

    def _pulled(self, vectors: Tensor) -> Tensor:
        """For one vector, or for many in rows at once."""
        many, batch = vectors.ndim == 2, vectors.shape[:-1]
        pieces = vectors.split(self._sizes, -1)
        # Copies: some operations take no views into the middle of a tensor.
        weights = [
            pieces[k].reshape((*batch, *value.shape)).clone()
            for k, value in zip(self._moving, self._values, strict=True)
        ]
        found = torch.autograd.grad(
            self._values,
            self._leaves,
            weights,
            retain_graph=True,
            allow_unused=True,
            is_grads_batched=many,
        )
        parts = [
            vectors.new_zeros(*batch, leaf.numel())
            if part is None
            else dense(part).reshape(*batch, -1)
            for part, leaf in zip(found, self._leaves, strict=True)
        ]
        return torch.cat(parts, -1).detach()


def _gradient(
    values: list[Tensor], leaves: list[Tensor], weights: list[Tensor] | None = None
) -> list[Tensor]:
    """The gradient of a sum in each leaf, recorded."""
    if not any(value.requires_grad for value in values):
        return [torch.zeros_like(leaf) for leaf in leaves]
    found = torch.autograd.grad(values, leaves, weights, create_graph=True, materialize_grads=True)
    return [dense(piece) for piece in found]


def _flat(pieces: list[Tensor]) -> Tensor:
    return torch.cat([piece.detach().flatten() for piece in pieces])


def dense(tensor: Tensor) -> Tensor:
    """The tensor; of a sparse one, what it stands for."""
    return tensor if tensor.layout == torch.strided else tensor.to_dense()


def _constants(
    module: nn.Module, dtype: torch.dtype, besides: Mapping[str, Tensor] = {}
) -> dict[str, Tensor]:
    """Copies in `dtype` of a module's buffers and of its parameters `besides` some."""
    state = dict(module.named_parameters()) | dict(module.named_buffers())
    with torch.inference_mode(False):
        return {name: cast(t, dtype).clone() for name, t in state.items() if name not in besides}


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
        products = [self.flat.product(x, y, self.part).rows(v.mT).mT for x, y, v in pairs]
        return check_derivatives("per-sample Hessians", torch.stack(products))

    def cores(self) -> Tensor:
        """The Hessians, shape (n, d, d)."""
        everything, size = slice(0, self.flat.size), self.flat.size
        pairs = zip(self.inputs.split(1), self.targets.split(1), strict=True)
        return torch.stack([self.flat.block(x, y, everything, size, self.part) for x, y in pairs])

    def select(self, indices: Indices) -> SampleProducts:
        """Those of some samples."""
        return SampleProducts(self.flat, self.inputs[indices], self.targets[indices], self.part)
