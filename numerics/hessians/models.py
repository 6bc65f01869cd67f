"""The Hessian of a training loss: dense, layer by layer, sample by sample, or only multiplied.

Each function builds an `Objective` and asks it; whoever asks for several builds it once himself.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from numerics.hessians.losses import Loss
from numerics.hessians.objectives import Objective
from numerics.hessians.operators import HessianOperator
from numerics.hessians.samples import SampleHessians

__all__ = ["exact", "layer_blocks", "operator", "per_sample"]


def exact(
    model: nn.Module,
    loss: Loss,
    inputs: Tensor,
    targets: Tensor,
    *,
    reduction: str = "mean",
    part: str = "hessian",
    dtype: torch.dtype = torch.float64,
    route: str = "auto",
    memory_limit: int | None = None,
) -> Tensor:
    r"""Dense Hessian $\nabla^2 f$ of $f = \frac1n\sum_i \ell(\text{model}(x_i), y_i)$.

    Perceptrons (`nn.Sequential` of Linear and elementwise activations) and convolutional chains
    (of Conv2d, Linear, and modules without parameters) are assembled from per-layer factors by
    large matrix products; any other model by blocks of Hessian-vector products.  The model is left
    as it was; everything is computed on copies, on the device of the model and the data.  Kinks of
    piecewise-linear activations are ignored.

    Args:
        model: any module; no batch normalisation or dropout in training mode.
        loss: per-sample loss, (outputs, targets) to shape (n,): `SQUARE_LOSS`, `CROSS_ENTROPY` or
            any differentiable callable.
        inputs: shape (n, ...).
        targets: shape (n, ...).
        reduction: `mean` or `sum` over the samples.
        part: `hessian`; `gauss_newton`, $J^\top \nabla^2_z\ell\, J$ with the Jacobian J of the
            outputs z; or `residual`, the rest $\sum_k \partial_{z_k}\ell\, \nabla^2 z_k$.
        dtype: of the computation; parameters and data are cast to it.
        route: `auto`, or force `structured` or `generic`.
        memory_limit: bytes allowed for the result and its temporaries; 4 GiB by default.

    Returns:
        Shape (d, d), symmetric, in `dtype`: the parameters with `requires_grad`, in the order of
        `torch.nn.utils.parameters_to_vector`.  Frozen parameters are constants.

    Raises:
        ValueError: if the data or parameters are empty, mismatched or not finite, a layer is in
            training mode, the loss ignores the parameters, or the memory does not suffice.
    """
    objective = Objective(
        model,
        loss,
        inputs,
        targets,
        reduction=reduction,
        part=part,
        dtype=dtype,
        route=route,
        memory_limit=memory_limit,
        _once=True,
    )
    return objective.exact()


def layer_blocks(
    model: nn.Module,
    loss: Loss,
    inputs: Tensor,
    targets: Tensor,
    *,
    reduction: str = "mean",
    part: str = "hessian",
    dtype: torch.dtype = torch.float64,
    route: str = "auto",
    memory_limit: int | None = None,
) -> dict[str, Tensor]:
    r"""The diagonal block of every layer, by the layer's name; the rest is never formed.

    Args:
        model: as in `exact`.
        loss: as in `exact`.
        inputs: shape (n, ...).
        targets: shape (n, ...).
        reduction: `mean` or `sum` over the samples.
        part: as in `exact`: which part of a layer's block carries its sharpness.
        dtype: of the computation.
        route: as in `exact`.
        memory_limit: as in `exact`.

    Raises:
        ValueError: as in `exact`, or if a layer's parameters are not consecutive.
    """
    objective = Objective(
        model,
        loss,
        inputs,
        targets,
        reduction=reduction,
        part=part,
        dtype=dtype,
        route=route,
        memory_limit=memory_limit,
        _once=True,
    )
    return objective.layer_blocks()


def per_sample(
    model: nn.Module,
    loss: Loss,
    inputs: Tensor,
    targets: Tensor,
    *,
    part: str = "hessian",
    dtype: torch.dtype = torch.float64,
    route: str = "auto",
    memory_limit: int | None = None,
) -> SampleHessians:
    r"""Every sample's exact Hessian, in factored form.

    $H_i = \nabla^2 \ell(\text{model}(x_i), y_i) = U_i C_i U_i^\top$, $U_i$ of shape (d, r).  For a
    perceptron with layer widths $w_1, \dots, w_L$ the rank r is $\sum_l w_l + \sum_{l<L} w_l$, and
    no d x d matrix is formed; for any other model the Hessians are stored densely where they fit,
    and otherwise only multiplied, sample by sample (`moments` by Lanczos, `sampled_moments`).

    Args:
        model: as in `exact`.
        loss: as in `exact`.
        inputs: shape (n, ...).
        targets: shape (n, ...).
        part: as in `exact`.
        dtype: of the computation.
        route: `auto`, or force `structured` or `generic`.
        memory_limit: bytes allowed; 4 GiB by default.

    Raises:
        ValueError: as in `exact`.
    """
    objective = Objective(
        model,
        loss,
        inputs,
        targets,
        part=part,
        dtype=dtype,
        route=route,
        memory_limit=memory_limit,
        _once=True,
    )
    return objective.per_sample()


def operator(
    model: nn.Module,
    loss: Loss,
    inputs: Tensor,
    targets: Tensor,
    *,
    reduction: str = "mean",
    part: str = "hessian",
    dtype: torch.dtype = torch.float64,
    samples_at_once: int | None = None,
) -> HessianOperator:
    r"""The Hessian of a training loss as an operator: no matrix is formed.

    Args:
        model: as in `exact`.
        loss: as in `exact`.
        inputs: shape (n, ...).
        targets: shape (n, ...).
        reduction: `mean` or `sum` over the samples.
        part: as in `exact`.
        dtype: of the computation.
        samples_at_once: bounds the memory: the gradient is recorded for so many samples at a time,
            once for all products if that covers the data (the default), else in each product,
            of the model as it is then, at the parameters and data of this call.

    Raises:
        ValueError: as in `exact`.
    """
    objective = Objective(
        model, loss, inputs, targets, reduction=reduction, part=part, dtype=dtype, _once=True
    )
    return objective.operator(samples_at_once=samples_at_once)
