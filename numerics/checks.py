"""Validators of public arguments: each returns its argument or raises a one-line `ValueError`."""

from __future__ import annotations

import math
import numbers

import torch
from torch import Tensor

__all__ = [
    "as_vector",
    "check_choice",
    "check_count",
    "check_finite",
    "check_labels",
    "check_nonempty",
    "check_nonnegative",
    "check_positive",
    "pick_device",
]


def _real(name: str, value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, numbers.Real | Tensor):
        raise ValueError(f"{name} is {value!r}: give a real number")
    if isinstance(value, Tensor) and value.numel() != 1:
        raise ValueError(f"{name} has shape {tuple(value.shape)}: give one real number")
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{name} is {number}: give a finite number")
    return number


def check_nonnegative(name: str, value: float) -> float:
    """Return `value` as a float.

    Raises:
        ValueError: if it is not a finite real number that is at least zero.
    """
    number = _real(name, value)
    if number < 0:
        raise ValueError(f"{name} is {number:g}: it must be at least 0")
    return number


def check_positive(name: str, value: float) -> float:
    """Return `value` as a float.

    Raises:
        ValueError: if it is not a finite real number above zero.
    """
    number = _real(name, value)
    if number <= 0:
        raise ValueError(f"{name} is {number:g}: it must be above 0")
    return number


def check_count(name: str, value: int, least: int = 1, most: int | None = None) -> int:
    """Return `value` as an int.

    Raises:
        ValueError: if it is not an integer in `least` ... `most`.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise ValueError(f"{name} is {value!r}: give an integer")
    if value < least or (most is not None and value > most):
        wanted = f"at least {least}" if most is None else f"in {least} ... {most}"
        raise ValueError(f"{name} is {value}: it must be {wanted}")
    return int(value)


def check_choice(name: str, value: str, choices: tuple[str, ...]) -> str:
    """Return `value`.

    Raises:
        ValueError: if it is not one of `choices`.
    """
    if value not in choices:
        raise ValueError(f"{name} is {value!r}: choose one of {', '.join(choices)}")
    return value


def check_finite(name: str, tensor: Tensor) -> Tensor:
    """Return `tensor`.

    Raises:
        ValueError: if an entry is NaN or infinite.
    """
    finite = torch.isfinite(tensor)
    if not bool(finite.all()):
        bad = int((~finite).sum())
        raise ValueError(f"{name} has {bad} NaN or infinite entries of {tensor.numel()}: clean it")
    return tensor


def check_nonempty(name: str, tensor: Tensor) -> Tensor:
    """Return `tensor`.

    Raises:
        ValueError: if it has no entries.
    """
    if tensor.numel() == 0:
        raise ValueError(f"{name} is empty (shape {tuple(tensor.shape)}): give at least one sample")
    return tensor


def check_labels(name: str, labels: Tensor, classes: int) -> Tensor:
    """Return `labels`.

    Raises:
        ValueError: if they are not integers in 0 ... `classes` - 1.
    """
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise ValueError(f"{name} has dtype {labels.dtype}: class labels are integers")
    check_nonempty(name, labels)
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= classes:
        raise ValueError(
            f"{name} ranges over {low} ... {high}: {classes} classes need 0 ... {classes - 1}"
        )
    return labels


def as_vector(name: str, value: Tensor, size: int, like: Tensor) -> Tensor:
    """Return `value` as a finite vector of `size` entries, with the dtype and device of `like`.

    Raises:
        ValueError: if the shape is another one or an entry is not finite.
    """
    vector = torch.as_tensor(value, dtype=like.dtype, device=like.device)
    if vector.shape != (size,):
        raise ValueError(f"{name} has shape {tuple(vector.shape)}: give a vector of {size} entries")
    return check_finite(name, vector)


def pick_device(name: str, elsewhere: bool = False) -> str:
    """`cpu`, `cuda`, or for `auto` the better of the two that is there.

    Args:
        name: one of the three.
        elsewhere: whether other machines are meant, of which nothing is known: `cuda` is taken at
            its word, and `auto` is the CPU.

    Raises:
        ValueError: for `cuda` where there is none, or another name.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise ValueError(f"unknown device {name!r}: choose auto, cpu or cuda")
    if name == "cpu" or elsewhere:
        return "cuda" if name == "cuda" else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("device 'cuda' is not there: choose auto or cpu")
    return "cuda" if torch.cuda.is_available() else "cpu"
