"""Calling the library as a stranger would: what it returned, refused, or let through."""

from __future__ import annotations

import io
import random
import re
import traceback
import warnings
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from numerics.soundness.draws import Draw

__all__ = ["STATUSES", "Called", "Snapshot", "attempt", "can_be_saved"]

STATUSES = ("right", "refused", "raw", "wrong")
"""Of a call, and of a draw, whose status is the last of those of its calls."""

_PACKAGES = Path(__file__).parents[2]


@dataclass(frozen=True)
class Called:
    """What came of one call.

    Attributes:
        status: `right`; `refused`, in one line of the library's own; `raw`, an error or a warning
            of another library, or one of several lines; or `wrong`.
        call: its name.
        reason: why.
        due: whether a threshold was refused of matrices that do not fulfil its premises; it is
            counted, and the draw is right if all else is.
    """

    status: str
    call: str
    reason: str = ""
    due: bool = False

    @property
    def kind(self) -> str:
        """The reason with numbers and names left out, so that like ones are counted together."""
        short = re.sub(r"'[^']*'", "'...'", self.reason)
        short = re.sub(r"[-+]?\d[\d.]*(e[-+]?\d+)?", "#", short)
        return f"{self.call}: {short[:150]}"


def attempt(
    name: str, call: Callable[[], Any], usual: Collection[str] = ()
) -> tuple[Any, Called | None]:
    """What a call returns, or what is to be said of its refusal; a warning counts as raw.

    Args:
        name: of the call.
        call: without arguments.
        usual: warnings that ordinary use of the model brings about as well.
    """
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        try:
            value = call()
        except Exception as problem:
            return None, Called("refused" if _is_own(problem) else "raw", name, _line(problem))
    for warning in heard:
        text = " ".join(str(warning.message).split())
        if text in usual:
            continue
        return value, Called("raw", name, f"warning: {text[:100]}")
    return value, None


def _is_own(problem: Exception) -> bool:
    """Whether the library raised it on purpose, and in one line."""
    if not isinstance(problem, ValueError | FloatingPointError) or "\n" in str(problem):
        return False
    last = traceback.extract_tb(problem.__traceback__)[-1].filename
    return Path(last).is_relative_to(_PACKAGES / "numerics") and "soundness" not in last


def _line(problem: Exception) -> str:
    return f"{type(problem).__name__}: {' '.join(str(problem).split())}"[:220]


def can_be_saved(model: nn.Module) -> bool:
    """Whether torch.save takes it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            torch.save(model, io.BytesIO())
        except Exception:
            return False
    return True


class Snapshot:
    """Everything that a call must leave as it was."""

    def __init__(self, draw: Draw) -> None:
        self._draw = draw
        self._state = {name: t.detach().clone() for name, t in self._tensors()}
        self._forms = self._described()
        self._global = self._around()

    def changes(self) -> list[str]:
        """What is different now, in words."""
        found = []
        now = dict(self._tensors())
        if now.keys() != self._state.keys():
            found.append("the model's tensors have other names")
        found += [
            f"{name.partition(' ')[0]} changed: {name.partition(' ')[2]}"
            for name, before in self._state.items()
            if name in now and not _same(before, now[name])
        ]
        for before, after in zip(self._forms, self._described(), strict=True):
            if before != after:
                found.append(f"a module changed from {before[:4]} to {after[:4]}")
        for name, value in self._around().items():
            if not _same(value, self._global[name]):
                found.append(f"{name} changed")
        for path, module in self._draw.model.named_modules():
            for key, value in vars(module).items():
                pieces = value if isinstance(value, tuple | list) else (value,)
                for piece in pieces:
                    if isinstance(piece, Tensor) and _is_wrapped(piece):
                        found.append(f"a dead wrapper in {path or 'the model'}.{key}")
        return found

    def _tensors(self) -> list[tuple[str, Tensor]]:
        model = self._draw.model
        found = [(f"parameter {name}", p.data) for name, p in model.named_parameters()]
        found += [(f"buffer {name}", b) for name, b in model.named_buffers()]
        found += [(f"grad {n}", p.grad) for n, p in model.named_parameters() if p.grad is not None]
        return [*found, ("inputs", self._draw.inputs), ("targets", self._draw.criterion.targets)]

    def _described(self) -> list[tuple[Any, ...]]:
        return [
            (
                type(module).__name__,
                module.training,
                "forward" in vars(module),
                len(module._forward_hooks) + len(module._forward_pre_hooks),
                [
                    (name, id(p), type(p).__name__, p.requires_grad)
                    for name, p in module._parameters.items()
                    if p is not None
                ],
                [name for name in vars(module) if name not in ("last", "weight")],
            )
            for module in self._draw.model.modules()
        ]

    @staticmethod
    def _around() -> dict[str, Any]:
        numbers: Any = np.random.get_state(legacy=True)
        return {
            "torch's generator": torch.get_rng_state(),
            "numpy's generator": torch.from_numpy(np.array(numbers[1], dtype=np.int64)),
            "python's generator": hash(random.getstate()),
            "grad mode": torch.is_grad_enabled(),
            "inference mode": torch.is_inference_mode_enabled(),
            "default dtype": torch.get_default_dtype(),
            "threads": torch.get_num_threads(),
            "fast path": torch.backends.mha.get_fastpath_enabled(),
            "kernels": (
                torch.backends.cuda.flash_sdp_enabled(),
                torch.backends.cuda.math_sdp_enabled(),
                torch.backends.cuda.mem_efficient_sdp_enabled(),
            ),
            "cudnn": torch.backends.cudnn.enabled,
            "deterministic algorithms": torch.are_deterministic_algorithms_enabled(),
            "anomaly mode": torch.is_anomaly_enabled(),
        }


def _same(before: Any, after: Any) -> bool:
    if isinstance(before, Tensor) and isinstance(after, Tensor):
        if before.shape != after.shape or before.dtype != after.dtype:
            return False
        if before.is_sparse:
            before, after = before.to_dense(), after.to_dense()
        return bool(torch.equal(before, after))
    return bool(before == after)


def _is_wrapped(tensor: Tensor) -> bool:
    return torch._C._functorch.is_functorch_wrapped_tensor(tensor)
