"""The exact Hessian of a training loss, dense, and the factored Hessians of its samples."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import torch
from torch import Tensor, nn

from numerics.checks import check_choice
from numerics.hessians.assembly import BUDGET, balanced_slices, symmetrize_
from numerics.hessians.chains import Chain, as_chain
from numerics.hessians.chains import Derivatives as ChainDerivatives
from numerics.hessians.generic import FlatModel, SampleProducts
from numerics.hessians.guards import (
    MEMORY_LIMIT,
    check_data,
    check_deterministic,
    check_memory,
    check_precision,
)
from numerics.hessians.losses import Loss
from numerics.hessians.perceptrons import Derivatives, Perceptron, as_perceptron, differentiate
from numerics.hessians.probes import check_model, same_product
from numerics.hessians.samples import SampleHessians

__all__ = [
    "PARTS",
    "attempt",
    "exact",
    "layer_blocks",
    "per_sample",
    "prepare",
    "structured_network",
]

Result = TypeVar("Result")

ROUTES = ("auto", "structured", "generic")
PARTS = ("hessian", "gauss_newton", "residual")

SAMPLES_AT_ONCE = 128
"""Samples in one block of products of a general model: small enough for the caches."""

VECTORS_AT_ONCE = 64
"""Vectors in one block of products of a general model."""


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
    check_choice("reduction", reduction, ("mean", "sum"))
    check_choice("part", part, PARTS)
    inputs, targets, flat = prepare(model, loss, inputs, targets, dtype)
    size, n = flat.size, len(inputs)
    network = attempt(route, lambda: assembled_network(model, inputs, dtype, route))
    total = None
    if network is not None:
        block = network.block if isinstance(network, Chain) else 4 * min(BUDGET, n * size)
        _check_square(size, size**2 + block, dtype, memory_limit)
        total = attempt(route, lambda: _assembled(network, flat, inputs, targets, part))
    if total is not None and not same_product(flat, inputs, targets, part, total.matmul):
        _disagreement(route)
        total = None
    if total is None:
        _check_square(size, 2 * size**2 + 4 * min(BUDGET, n * size), dtype, memory_limit)
        total = _generic_block(flat, inputs, targets, slice(0, size), part)
    return total.div_(n) if reduction == "mean" else total


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
    check_choice("reduction", reduction, ("mean", "sum"))
    check_choice("part", part, PARTS)
    inputs, targets, flat = prepare(model, loss, inputs, targets, dtype)
    spans, width = flat.layers(), torch.finfo(dtype).bits // 8
    sizes = [span.stop - span.start for span in spans.values()]
    check_memory(
        f"{len(sizes)} blocks of at most {max(sizes)} x {max(sizes)}",
        (
            max(sizes) ** 2
            + sum(size**2 for size in sizes)
            + 4 * min(BUDGET, len(inputs) * flat.size)
        )
        * width,
        memory_limit,
        "use operator(...) and Lanczos, or fewer parameters",
    )
    network = attempt(route, lambda: assembled_network(model, inputs, dtype, route))
    blocks = None
    if network is not None:
        blocks = attempt(route, lambda: _layers(network, flat, inputs, targets, sizes, part))
    if blocks is not None and not _same_blocks(flat, inputs, targets, part, blocks):
        _disagreement(route)
        blocks = None
    if blocks is None:
        blocks = [_generic_block(flat, inputs, targets, s, part) for s in spans.values()]
    weight = 1 / len(inputs) if reduction == "mean" else 1.0
    return {name: block.mul_(weight) for name, block in zip(spans, blocks, strict=True)}


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
    check_choice("part", part, PARTS)
    inputs, targets, flat = prepare(model, loss, inputs, targets, dtype)
    n, size, width = len(inputs), flat.size, torch.finfo(dtype).bits // 8
    network = structured_network(model, inputs, dtype, route)
    if network is not None:
        check_memory(
            f"storing {n} factored Hessians of rank {network.rank}",
            2 * n * (sum(len(w) ** 2 for w in network.weights) + network.rank) * width,
            memory_limit,
            "use fewer samples",
        )
        factored = attempt(
            route, lambda: differentiate(network, flat.plain_loss, inputs, targets, part)
        )
        if factored is not None:
            found = SampleHessians(factored.basis, factored, memory_limit=memory_limit)
            if same_product(flat, inputs, targets, part, lambda v: n * found.mean_matvec(v)):
                return found
            _disagreement(route)
    products = SampleProducts(flat, inputs, targets, part)
    allowed = MEMORY_LIMIT if memory_limit is None else memory_limit
    stored = (n * size**2 + 2 * size**2) * width <= allowed
    cores = products.cores() if stored else products
    found = SampleHessians(products.basis, cores, memory_limit=memory_limit)
    if stored and not same_product(flat, inputs, targets, part, lambda v: n * found.mean_matvec(v)):
        raise ValueError(
            "the samples' Hessians do not add up to the Hessian of all: the model or loss couples "
            "the samples of a batch, and has no per-sample Hessians"
        )
    return found


def attempt(route: str, work: Callable[[], Result]) -> Result | None:
    """The structured route; None where PyTorch fails in it and another one may be taken.

    Raises:
        ValueError: if this route is demanded.
    """
    try:
        return work()
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, TypeError, IndexError) as problem:
        if route != "structured":
            return None
        what = " ".join(str(problem).split())[:160]
        raise ValueError(
            f"route is 'structured' and fails on this model or loss ({what}): use route='auto'"
        ) from problem


def _disagreement(route: str) -> None:
    """The structured route has another product than autograd: it is not taken.

    Raises:
        ValueError: if this route is demanded.
    """
    if route == "structured":
        raise ValueError(
            "route is 'structured' and its product with a random vector is not the one of "
            "torch.autograd: use route='auto'"
        )


def _check_square(size: int, numbers: int, dtype: torch.dtype, limit: int | None) -> None:
    check_memory(
        f"the {size} x {size} Hessian",
        numbers * torch.finfo(dtype).bits // 8,
        limit,
        "use operator(...) and Lanczos, or fewer parameters",
    )


def _assembled(
    network: Perceptron | Chain, flat: FlatModel, inputs: Tensor, targets: Tensor, part: str
) -> Tensor:
    """The sum over all samples, from the derivatives of the layers."""
    total = flat.point.new_zeros(flat.size, flat.size)
    for derivatives in _derivatives(network, flat.plain_loss, inputs, targets, part):
        derivatives.add_to(total)
    return symmetrize_(total)


def _layers(
    network: Perceptron | Chain,
    flat: FlatModel,
    inputs: Tensor,
    targets: Tensor,
    sizes: list[int],
    part: str,
) -> list[Tensor]:
    """The diagonal blocks of the same."""
    blocks = [flat.point.new_zeros(size, size) for size in sizes]
    for derivatives in _derivatives(network, flat.plain_loss, inputs, targets, part):
        for layer, block in enumerate(blocks):
            derivatives.add_layer_to(block, layer)
    return [symmetrize_(block) for block in blocks]


def _same_blocks(
    flat: FlatModel, inputs: Tensor, targets: Tensor, part: str, blocks: list[Tensor]
) -> bool:
    """Whether every layer's block is the one of autograd, by one product each."""
    return all(
        same_product(flat, inputs, targets, part, block.matmul, span)
        for block, span in zip(blocks, flat.layers().values(), strict=True)
    )


def _derivatives(
    network: Perceptron | Chain, loss: Loss, inputs: Tensor, targets: Tensor, part: str
) -> Iterator[Derivatives | ChainDerivatives]:
    """The derivatives of all samples' losses, some samples at a time."""
    for samples in balanced_slices(len(inputs), network.samples_at_once):
        x, y = inputs[samples], targets[samples]
        if isinstance(network, Chain):
            yield network.differentiate(loss, x, y, part)
        else:
            yield differentiate(network, loss, x, y, part)


def _generic_block(
    flat: FlatModel, inputs: Tensor, targets: Tensor, rows: slice, part: str
) -> Tensor:
    """Diagonal block of the sum over all samples, some samples and some vectors at a time."""
    size = rows.stop - rows.start
    total = flat.point.new_zeros(size, size)
    for samples in balanced_slices(len(inputs), SAMPLES_AT_ONCE):
        x, y = inputs[samples], targets[samples]
        at_once = min(VECTORS_AT_ONCE, BUDGET // (4 * (x.numel() + flat.size)))
        total += flat.block(x, y, rows, at_once, part)
    return total


def prepare(
    model: nn.Module, loss: Loss, inputs: Tensor, targets: Tensor, dtype: torch.dtype
) -> tuple[Tensor, Tensor, FlatModel]:
    """All guards, then the data in `dtype` and the flat model.

    Raises:
        ValueError: as in `exact`.
    """
    check_precision(dtype)
    check_deterministic(model)
    inputs, targets = check_data(inputs, targets, dtype)
    flat = FlatModel(model, loss, dtype)
    check_model(flat, inputs, targets)
    return inputs, targets, flat


def structured_network(
    model: nn.Module, inputs: Tensor, dtype: torch.dtype, route: str = "auto"
) -> Perceptron | None:
    """The perceptron where the structured route applies and is wanted, else None.

    Raises:
        ValueError: if it is demanded and does not apply.
    """
    if check_choice("route", route, ROUTES) == "generic":
        return None
    network = as_perceptron(model, inputs, dtype)
    if network is None and route == "structured":
        raise _no_structure(model, "plain perceptron")
    return network


def assembled_network(
    model: nn.Module, inputs: Tensor, dtype: torch.dtype, route: str = "auto"
) -> Perceptron | Chain | None:
    """What a dense Hessian is assembled from: a perceptron, a chain where it pays, or None.

    Raises:
        ValueError: if the structured route is demanded and does not apply.
    """
    if check_choice("route", route, ROUTES) == "generic":
        return None
    perceptron = as_perceptron(model, inputs, dtype)
    if perceptron is not None:
        return perceptron
    chain = as_chain(model, inputs, dtype)
    if route == "structured" and chain is None:
        raise _no_structure(model, "plain perceptron or convolutional chain")
    return chain if chain and (route == "structured" or chain.is_worthwhile) else None


def _no_structure(model: nn.Module, wanted: str) -> ValueError:
    return ValueError(
        f"route is 'structured' and the model is a {type(model).__name__} that is not a {wanted} "
        "with all parameters trainable: use route='auto'"
    )
