"""The exact Hessian of a training loss, dense, and the factored Hessians of its samples."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from numerics.checks import check_choice
from numerics.hessians.bases import IdentityBasis
from numerics.hessians.generic import FlatModel
from numerics.hessians.guards import check_data, check_deterministic, check_memory
from numerics.hessians.losses import Loss
from numerics.hessians.perceptrons import Perceptron, as_perceptron, perceptron_factors
from numerics.hessians.samples import SampleHessians

__all__ = ["exact", "per_sample"]

ROUTES = ("auto", "structured", "generic")
_CHUNK = 2**24
"""Numbers in a temporary over samples or vectors (128 MiB in float64)."""


def exact(
    model: nn.Module,
    loss: Loss,
    inputs: Tensor,
    targets: Tensor,
    *,
    reduction: str = "mean",
    dtype: torch.dtype = torch.float64,
    route: str = "auto",
    memory_limit: int | None = None,
) -> Tensor:
    r"""Dense Hessian $\nabla^2 f$ of $f = \frac1n\sum_i \ell(\text{model}(x_i), y_i)$.

    Perceptrons (`nn.Sequential` of Linear and elementwise activations) are assembled from
    per-layer factors by large matrix products; any other model by blocks of Hessian-vector
    products.  The model is left as it was; everything is computed on copies, on the
    device of the model and the data.  Kinks of piecewise-linear activations are ignored.

    Args:
        model: any module; no batch normalisation or dropout in training mode.
        loss: per-sample loss, (outputs, targets) to shape (n,): `SQUARE_LOSS`, `CROSS_ENTROPY` or
            any differentiable callable.
        inputs: shape (n, ...).
        targets: shape (n, ...).
        reduction: `mean` or `sum` over the samples.
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
    check_choice("reduction", reduction, ("mean", "sum"))
    inputs, targets, flat = _prepare(model, loss, inputs, targets, dtype)
    size, width = flat.size, torch.finfo(dtype).bits // 8
    check_memory(
        f"the {size} x {size} Hessian",
        (2 * size**2 + 2 * min(_CHUNK, len(inputs) * size)) * width,
        memory_limit,
        "use per_sample(...).mean_matvec and Lanczos, fewer parameters",
    )
    network = _structured(model, dtype, route)
    if network is None:
        per_vector = max(1, inputs.numel() + size)
        total = flat.hessian(inputs, targets, max(1, _CHUNK // (4 * per_vector)))
    else:
        total = torch.zeros(size, size, dtype=dtype, device=flat.point.device)
        chunk = max(1, _CHUNK // max(size, network.rank**2))
        for x, y in zip(inputs.split(chunk), targets.split(chunk), strict=True):
            basis, cores = perceptron_factors(network, loss, x, y)
            total += basis.assemble(cores)
    return total / len(inputs) if reduction == "mean" else total


def per_sample(
    model: nn.Module,
    loss: Loss,
    inputs: Tensor,
    targets: Tensor,
    *,
    dtype: torch.dtype = torch.float64,
    route: str = "auto",
    memory_limit: int | None = None,
) -> SampleHessians:
    r"""Every sample's exact Hessian, in factored form.

    $H_i = \nabla^2 \ell(\text{model}(x_i), y_i) = U_i C_i U_i^\top$, $U_i$ of shape (d, r).  For a
    perceptron with layer widths $w_1, \dots, w_L$ the rank r is $\sum_l w_l + \sum_{l<L} w_l$, and
    no d x d matrix is formed; for any other model the Hessians are stored densely.

    Args:
        model: as in `exact`.
        loss: as in `exact`.
        inputs: shape (n, ...).
        targets: shape (n, ...).
        dtype: of the computation.
        route: `auto`, or force `structured` or `generic`.
        memory_limit: bytes allowed; 4 GiB by default.

    Raises:
        ValueError: as in `exact`.
    """
    inputs, targets, flat = _prepare(model, loss, inputs, targets, dtype)
    n, size, width = len(inputs), flat.size, torch.finfo(dtype).bits // 8
    network = _structured(model, dtype, route)
    if network is None:
        check_memory(
            f"storing {n} Hessians of {size} x {size}",
            (n * size**2 + 2 * size**2) * width,
            memory_limit,
            "use fewer samples or parameters, or a perceptron",
        )
        cores = flat.sample_hessians(inputs, targets)
        return SampleHessians(IdentityBasis(n, size), cores, memory_limit=memory_limit)
    check_memory(
        f"storing {n} factored Hessians of rank {network.rank}",
        4 * n * network.rank**2 * width,
        memory_limit,
        "use fewer samples",
    )
    basis, cores = perceptron_factors(network, loss, inputs, targets)
    return SampleHessians(basis, cores, memory_limit=memory_limit)


def _prepare(
    model: nn.Module, loss: Loss, inputs: Tensor, targets: Tensor, dtype: torch.dtype
) -> tuple[Tensor, Tensor, FlatModel]:
    check_deterministic(model)
    inputs, targets = check_data(inputs, targets, dtype)
    flat = FlatModel(model, loss, dtype)
    flat.check_dependence(inputs, targets)
    return inputs, targets, flat


def _structured(model: nn.Module, dtype: torch.dtype, route: str) -> Perceptron | None:
    network = None
    if check_choice("route", route, ROUTES) != "generic":
        network = as_perceptron(model, dtype)
        if network is None and route == "structured":
            raise ValueError(
                f"route is 'structured' and the model is a {type(model).__name__} that is not a "
                "plain perceptron with all parameters trainable: use route='auto'"
            )
    return network
