"""Somebody else's model, evaluated: it stays as it was, and what fails says so in one line."""

from __future__ import annotations

import contextlib
import random
import sys
import warnings
from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode

__all__ = [
    "celu",
    "explained",
    "generators",
    "kept_randomness",
    "quiet",
    "recording",
    "twice_differentiable",
    "untouched",
]

_WALKED = 10**4
"""Entries of lists, dictionaries and objects that are looked through for a model's state."""

_OWN = set(nn.Module().__dict__) - {"_parameters", "_buffers", "_modules"}
"""What every module has beside its tensors and submodules: flags and hooks."""


@contextlib.contextmanager
def untouched(model: nn.Module, dtype: torch.dtype) -> Iterator[None]:
    """Whatever an evaluation leaves in the modules, their lists or their tensors is taken back.

    Tensors that are plain attributes (no parameters or buffers) are copies in `dtype` meanwhile.
    """
    modules = [(module, dict(module.__dict__)) for module in model.modules()]
    holders, tensors = _state(before for _, before in modules)
    contents = [(holder, _items(holder)) for holder in holders]
    values = [(t, t._version, t.grad_fn, t.detach().clone()) for t in tensors]
    for module, before in modules:
        for name, value in before.items():
            if type(value) is Tensor:
                module.__dict__[name] = _cast(value.clone(), dtype)
    try:
        yield
    finally:
        for module, before in modules:
            module.__dict__.clear()
            module.__dict__.update(before)
        for holder, items in contents:
            _refill(holder, items)
        for tensor, version, history, value in values:
            if tensor._version != version:
                tensor.data.copy_(value)
                if tensor.grad_fn is not history and not tensor._is_view():
                    tensor.detach_()


def _state(start: Iterator[dict[str, Any]]) -> tuple[list[Any], list[Tensor]]:
    """Containers and plain tensors in containers that can be reached from modules' attributes."""
    holders: dict[int, Any] = {}
    tensors: dict[int, Tensor] = {}
    waiting: list[Any] = []
    for attributes in start:
        for name, value in attributes.items():
            if name in ("_parameters", "_buffers", "_modules"):
                holders[id(value)] = value
            elif name not in _OWN and not isinstance(value, Tensor):
                waiting.append(value)
    while waiting and len(holders) < _WALKED:
        value = waiting.pop()
        if isinstance(value, Tensor):
            if type(value) is Tensor and not value.is_inference():
                tensors[id(value)] = value
            continue
        if isinstance(value, tuple):
            waiting += value
            continue
        if isinstance(value, nn.Module):
            inner: Any = value.__dict__
        elif isinstance(value, dict | list | set | deque):
            inner = value
        else:
            plain = type(value).__module__.partition(".")[0] not in ("torch", "numpy", "builtins")
            inner = getattr(value, "__dict__", None) if plain else None
        if isinstance(inner, dict | list | set | deque) and id(inner) not in holders:
            holders[id(inner)] = inner
            waiting += list(inner.values() if isinstance(inner, dict) else inner)[:_WALKED]
    return list(holders.values()), list(tensors.values())


def _items(holder: Any) -> list[Any]:
    return list(holder.items() if isinstance(holder, dict) else holder)


def _refill(holder: Any, items: list[Any]) -> None:
    """Put the entries of a container back unless it still has exactly those."""
    if isinstance(holder, dict):
        same = [*map(id, holder)] == [id(key) for key, _ in items] and all(
            holder[key] is value for key, value in items
        )
    else:
        same = [*map(id, holder)] == [*map(id, items)]
    if not same:
        holder.clear()
        holder.extend(items) if isinstance(holder, list | deque) else holder.update(items)


def _cast(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    return tensor.to(dtype) if tensor.is_floating_point() else tensor


@contextlib.contextmanager
def twice_differentiable(model: nn.Module) -> Iterator[None]:
    """No kernel that can be differentiated only once; PyTorch's settings are put back.

    Those are fused attention, the fast path of transformers, recurrence by cuDNN, and what
    `torch.compile` makes; weight normalisation, whose second derivative is wrong in PyTorch 2, and
    CELU, whose derivatives have few digits, go by their formulas.
    """
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with contextlib.ExitStack() as stack:
            stack.enter_context(sdpa_kernel(SDPBackend.MATH))
            if any(isinstance(module, nn.RNNBase) for module in model.modules()):
                stack.enter_context(torch.backends.cudnn.flags(enabled=False))
            stack.enter_context(_Formulas())
            if "torch._dynamo" in sys.modules:  # importing it takes seconds
                stack.enter_context(torch.compiler.set_stance("force_eager"))
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


def celu(x: Tensor, alpha: float) -> Tensor:
    r"""$x$ for $x > 0$, else $\alpha(e^{x/\alpha} - 1)$; PyTorch's derivative rounds $1/\alpha$."""
    return torch.where(x > 0, x, alpha * torch.expm1(x.clamp(max=0) / alpha))


def _celu(writes: bool, x: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    return x.copy_(celu(x.clone(), alpha)) if writes or inplace else celu(x, alpha)


class _Formulas(TorchFunctionMode):
    """By their formulas, the functions whose derivatives in PyTorch are not those of the values."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Any other function as it is."""
        given = kwargs or {}
        if func is torch._weight_norm:
            v, g, dim = (*args, 0)[:3]
            return v * (g / torch.norm_except_dim(v, 2, given.get("dim", dim)))
        if func in (torch.celu, torch.celu_, functional.celu):
            return _celu(func is torch.celu_, *args, **given)
        return func(*args, **given)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without what PyTorch says of how we differentiate, about which a caller can do nothing.

    Operations without a rule for many vectors at once are slower, and hooks of modules see that
    derivatives are taken of their outputs; both are as right as otherwise.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "There is a performance drop")
        warnings.filterwarnings("ignore", "Full backward hook is firing")
        yield


@contextlib.contextmanager
def recording() -> Iterator[None]:
    """Derivatives are recorded, whatever the caller has switched off."""
    with torch.inference_mode(False), torch.enable_grad(), quiet():
        yield


@contextlib.contextmanager
def kept_randomness(device: torch.device) -> Iterator[None]:
    """The random number generators of PyTorch, NumPy and Python are put back."""
    ours, theirs = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            yield
    finally:
        random.setstate(ours)
        np.random.set_state(theirs)


def generators(device: torch.device) -> tuple[object, ...]:
    """The states of the random number generators of PyTorch, NumPy and Python, to be compared."""
    name, key, *rest = np.random.get_state()
    cuda = device.type == "cuda"
    return (
        torch.get_rng_state().numpy().tobytes(),
        torch.cuda.get_rng_state(device).numpy().tobytes() if cuda else b"",
        (name, np.asarray(key).tobytes(), *rest),
        random.getstate(),
    )


@contextlib.contextmanager
def explained(what: str, remedy: str, kind: type[ValueError] = ValueError) -> Iterator[None]:
    """Errors of PyTorch and of calls that do not fit become one line, with their cause.

    Args:
        what: cannot be done.
        remedy: what to do.
        kind: of error.

    Raises:
        ValueError: in their place; other errors of the model's own code pass as they are.
    """
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, IndexError, TypeError, AssertionError) as problem:
        text = " ".join(str(problem).split())
        short = text if len(text) <= 160 else text[:157] + "..."
        name = type(problem).__name__
        raise kind(f"{what} ({name}: {short}): {remedy}") from problem
