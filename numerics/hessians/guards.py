"""What must hold before a Hessian is computed: each guard raises a one-line `ValueError`."""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.parameter import UninitializedParameter

from numerics.checks import check_finite, check_nonempty
from numerics.hessians.assembly import slices, symmetrize_

__all__ = [
    "MEMORY_LIMIT",
    "MemoryRefused",
    "cast",
    "check_data",
    "check_derivatives",
    "check_deterministic",
    "check_memory",
    "check_parameters",
    "check_precision",
    "check_replaceable",
    "check_symmetric",
    "wrong_derivative",
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
        ValueError: if there are none, or one is complex, sparse, without a shape yet, or has NaN or
            infinite entries.
    """
    chosen = {name: p for name, p in model.named_parameters() if p.requires_grad}
    if not chosen:
        raise ValueError("no parameter has requires_grad=True: there is nothing to differentiate")
    for name, p in chosen.items():
        if isinstance(p, UninitializedParameter):
            raise ValueError(f"parameter {name} has no shape yet: call the model on data once")
        if p.is_complex():
            raise ValueError(
                f"parameter {name} is complex: make torch.view_as_real(...) of it the parameter, "
                "and take torch.view_as_complex in forward()"
            )
        if p.layout != torch.strided:
            raise ValueError(f"parameter {name} has layout {p.layout}: use its to_dense()")
    with torch.inference_mode(False):  # copies made in that mode could not be differentiated
        return {
            name: check_finite(f"parameter {name}", p.detach()).to(dtype, copy=True)
            for name, p in chosen.items()
        }


def check_replaceable(model: nn.Module) -> None:
    """Refuse wrappers whose parameters cannot be replaced by others while they are evaluated.

    Raises:
        ValueError: for a module compiled by TorchScript, or one that spreads data over devices.
    """
    for name, module in model.named_modules():
        kind, where = type(module).__name__, f"module {name!r}" if name else "the model"
        if isinstance(module, torch.jit.ScriptModule):
            raise ValueError(
                f"{where} is compiled by TorchScript, and its parameters cannot be replaced: give "
                "the module that it was compiled from"
            )
        if isinstance(module, nn.DataParallel | nn.parallel.DistributedDataParallel):
            raise ValueError(f"{where} is a {kind}: give the module inside it, its .module")


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
            stacklevel=_to_caller(),
        )


def _to_caller() -> int:
    """How many calls up from our caller the first code outside of this package stands."""
    frame, level = sys._getframe(1), 1
    while frame.f_back and frame.f_globals["__name__"].startswith("numerics.hessians"):
        frame, level = frame.f_back, level + 1
    return level


def check_derivatives(name: str, derivatives: Tensor) -> Tensor:
    """Return what was differentiated twice.

    Raises:
        ValueError: if an entry is NaN or infinite.
    """
    if not math.isfinite(_largest(derivatives)):  # ten times as fast as looking at every entry
        bad = int((~torch.isfinite(derivatives)).sum())
        raise ValueError(
            f"{name} has {bad} NaN or infinite entries of {derivatives.numel()}: the model or loss "
            "has no second derivative here (a root or norm at 0); add a small constant inside it"
        )
    return derivatives


def check_symmetric(matrix: Tensor, names: Sequence[str], terms: float = 0.0) -> Tensor:
    r"""The symmetric part of a matrix that round-off alone makes asymmetric.

    A second derivative that PyTorch has wrong shows as an asymmetry of the size of the entries;
    half the digits are allowed for sums that cancel.  A matrix may be 0, and then all is round-off.

    Args:
        matrix: shape (d, d), changed in place.
        names: of the parameter behind each row.
        terms: size of what was added up; a matrix of its round-off is 0, and any asymmetry is.

    Raises:
        ValueError: if it has NaN or infinite entries, or is asymmetric above round-off.
    """
    check_derivatives("the Hessian", matrix)
    largest, eps = _largest(matrix), torch.finfo(matrix.dtype).eps
    allowed = max(eps**0.5 * largest, 8 * eps * terms)  # eight: one for each rounding of a term
    for rows in slices(len(matrix), 1024):
        gap = matrix[rows] - matrix[:, rows].mT
        asymmetry = _largest(gap)
        if asymmetry > allowed:
            row, column = divmod(int(gap.abs().argmax()), len(matrix))
            pair = names[rows.start + row], names[column]
            raise wrong_derivative(pair, f"asymmetric by {asymmetry:.2g} of {largest:.2g}")
    return symmetrize_(matrix, average=True)


def _largest(tensor: Tensor) -> float:
    """The largest absolute value; NaN if an entry is."""
    return float(torch.linalg.vector_norm(tensor, torch.inf))


def wrong_derivative(names: Sequence[str], how: str) -> ValueError:
    """The error for a derivative that is not the one of the model's values."""
    chosen = list(dict.fromkeys(names))
    listed = ", ".join(chosen[:3]) + (f" and {len(chosen) - 3} more" if len(chosen) > 3 else "")
    return ValueError(
        f"the second derivatives in {listed} are {how}: a derivative is not the one of the values "
        "(detach(), a custom backward, scale_grad_by_freq, a hook, a kink in this very point); "
        "replace that operation"
    )


def check_data(inputs: Tensor, targets: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Detached inputs and targets, floating-point ones in `dtype`, integer targets as int64.

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
    integer = not (targets.is_floating_point() or targets.is_complex())
    labels = integer and targets.dtype != torch.bool  # of which PyTorch's losses take int64 alone
    return cast(inputs, dtype), targets.detach().long() if labels else cast(targets, dtype)


def cast(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """The tensor, detached, in `dtype` if it is floating-point, in the complex one if complex."""
    if tensor.is_complex():
        return tensor.detach().to(dtype.to_complex())
    return tensor.detach().to(dtype) if tensor.is_floating_point() else tensor.detach()
