"""The two routes to a Hessian: assembled from a network's layers, or by differentiating."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import torch
from torch import Tensor, nn

from numerics.hessians.assembly import BUDGET, balanced_slices, symmetrize_
from numerics.hessians.chains import Chain, ChainDerivatives, as_chain
from numerics.hessians.generic import FlatModel
from numerics.hessians.losses import Loss
from numerics.hessians.perceptrons import (
    Perceptron,
    PerceptronDerivatives,
    as_perceptron,
    differentiate,
)
from numerics.hessians.probes import same_product

__all__ = [
    "ROUTES",
    "assembled",
    "assembled_layers",
    "assembled_network",
    "attempt",
    "generic_block",
    "refuse_disagreement",
    "same_blocks",
    "structured_network",
]

Result = TypeVar("Result")

ROUTES = ("auto", "structured", "generic")

SAMPLES_AT_ONCE = 128
"""Samples in one block of products of a general model: small enough for the caches."""

VECTORS_AT_ONCE = 64
"""Vectors in one block of products of a general model."""


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


def refuse_disagreement(route: str) -> None:
    """The structured route has another product than autograd: it is not taken.

    Raises:
        ValueError: if this route is demanded.
    """
    if route == "structured":
        raise ValueError(
            "route is 'structured' and its product with a random vector is not the one of "
            "torch.autograd: use route='auto'"
        )


def assembled(
    network: Perceptron | Chain, flat: FlatModel, inputs: Tensor, targets: Tensor, part: str
) -> Tensor:
    """The sum over all samples, from the derivatives of the layers."""
    total = flat.point.new_zeros(flat.size, flat.size)
    for derivatives in _derivatives(network, flat.plain_loss, inputs, targets, part):
        derivatives.add_to(total)
    return symmetrize_(total)


def assembled_layers(
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


def same_blocks(
    flat: FlatModel, inputs: Tensor, targets: Tensor, part: str, blocks: list[Tensor]
) -> bool:
    """Whether every layer's block is the one of autograd, by one product each."""
    return all(
        same_product(flat, inputs, targets, part, block.matmul, span)
        for block, span in zip(blocks, flat.layers().values(), strict=True)
    )


def _derivatives(
    network: Perceptron | Chain, loss: Loss, inputs: Tensor, targets: Tensor, part: str
) -> Iterator[PerceptronDerivatives | ChainDerivatives]:
    """The derivatives of all samples' losses, some samples at a time."""
    for samples in balanced_slices(len(inputs), network.samples_at_once):
        x, y = inputs[samples], targets[samples]
        if isinstance(network, Chain):
            yield network.differentiate(loss, x, y, part)
        else:
            yield differentiate(network, loss, x, y, part)


def generic_block(
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


def structured_network(
    model: nn.Module, inputs: Tensor, dtype: torch.dtype, route: str = "auto"
) -> Perceptron | None:
    """The perceptron where the structured route applies and is wanted, else None.

    Raises:
        ValueError: if it is demanded and does not apply.
    """
    if route == "generic":
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
    if route == "generic":
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
