"""What must hold before a Hessian is computed: each guard raises a one-line `ValueError`."""

from __future__ import annotations

import math
import warnings

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from numerics.checks import check_finite, check_nonempty

__all__ = [
    "MEMORY_LIMIT",
    "MemoryRefused",
    "check_data",
    "check_deterministic",
    "check_memory",
    "check_parameters",
    "check_precision",
]

MEMORY_LIMIT = 4 * 2**30
"""Bytes that one dense result and its temporaries may take unless a caller says otherwise."""

_GIB = 2.0**30


class MemoryRefused(ValueError):
    """A dense result would take more memory than is allowed."""


def check_memory(what: str, needed: int, limit: int | None, remedy: str) -> None:
    """Refuse an allocation before it is made.

    Args:
        what: the result, e.g. `the 970 x 970 Hessian`.
        needed: bytes that the result and its temporaries take at once.
        limit: bytes allowed; `MEMORY_LIMIT` if None.
        remedy: what to do instead.

    Raises:
        MemoryRefused: if `needed` exceeds `limit`.
    """
    allowed = MEMORY_LIMIT if limit is None else limit
    if needed > allowed:
        raise MemoryRefused(
            f"{what} needs {needed / _GIB:.3g} GiB and memory_limit is {allowed / _GIB:.3g} GiB: "
            f"{remedy}, or raise memory_limit"
        )


def check_deterministic(model: nn.Module) -> None:
    """Refuse layers whose training mode makes the loss random or couples the samples.

    Raises:
        ValueError: if a batch normalisation or an active dropout layer is in training mode.
    """
    for name, module in model.named_modules():
        dropout = isinstance(module, _DropoutNd) and module.p > 0
        if module.training and (dropout or isinstance(module, _BatchNorm)):
            effect = "random" if dropout else "depend on the whole batch"
            raise ValueError(
                f"{type(module).__name__} layer {name!r} is in training mode, which makes each "
                f"sample's loss {effect}: call model.eval() first"
            )


def check_parameters(model: nn.Module, dtype: torch.dtype) -> dict[str, Tensor]:
    """Detached copies, in `dtype`, of the parameters with `requires_grad`, in model order.

    Raises:
        ValueError: if there are none, or one has NaN or infinite entries.
    """
    chosen = {name: p for name, p in model.named_parameters() if p.requires_grad}
    if not chosen:
        raise ValueError("no parameter has requires_grad=True: there is nothing to differentiate")
    return {
        name: check_finite(f"parameter {name}", p.detach()).to(dtype) for name, p in chosen.items()
    }


def check_precision(dtype: torch.dtype) -> None:
    """Warn of a dtype in which second derivatives keep few digits.

    Raises:
        ValueError: if it is not a floating-point dtype.
    """
    if not dtype.is_floating_point:
        raise ValueError(f"dtype is {dtype}: use torch.float64")
    if dtype != torch.float64:
        digits = round(-math.log10(torch.finfo(dtype).eps))
        warnings.warn(
            f"dtype is {dtype}: a Hessian has at most {digits} digits, differences of its moments "
            "fewer; the default torch.float64 casts parameters and data",
            stacklevel=4,
        )


def check_data(inputs: Tensor, targets: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Detached inputs and targets, floating-point ones in `dtype`.

    Raises:
        ValueError: if they are empty, of different lengths, NaN or infinite.
    """
    for name, tensor in (("inputs", inputs), ("targets", targets)):
        if not isinstance(tensor, Tensor):
            raise ValueError(
                f"{name} is a {type(tensor).__name__}: give tensors with all samples "
                "(torch.cat of a loader's batches, in one fixed order)"
            )
        check_nonempty(name, tensor)
        if tensor.ndim == 0:
            raise ValueError(f"{name} is a scalar: its first axis must run over the samples")
        check_finite(name, tensor)
    if len(inputs) != len(targets):
        raise ValueError(f"inputs have {len(inputs)} samples and targets {len(targets)}: pair them")
    return _cast(inputs, dtype), _cast(targets, dtype)


def _cast(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    return tensor.detach().to(dtype) if tensor.is_floating_point() else tensor.detach()
