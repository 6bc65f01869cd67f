"""What the numbers must be: torch.autograd twice, sample by sample, checked by differences."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from numerics.soundness.draws import Draw

__all__ = ["NoTruth", "Truth", "batches", "enumerated", "moved", "second_look", "truth_of"]


_EPS = torch.finfo(torch.float64).eps
_REPEATS = 12
"""Evaluations that must agree: a mask of two numbers is another one each time, or nearly."""


class NoTruth(Exception):
    """The draw has no per-sample Hessians: every number that is returned for it is wrong."""


@dataclass(frozen=True)
class Truth:
    r"""The samples' Hessians, evaluated one by one.

    Attributes:
        hessians: $\nabla^2\ell_i$, shape (n, d, d).
        gauss_newton: $J_i^\top \nabla^2_z\ell_i J_i$, shape (n, d, d); zero where not asked for.
        values: losses, shape (n,).
        coarse: whether the model itself computes in less than float64 somewhere.
    """

    hessians: Tensor
    gauss_newton: Tensor
    values: Tensor
    coarse: bool

    def part(self, name: str) -> Tensor:
        """The part of this name, shape (n, d, d)."""
        if name == "hessian":
            return self.hessians
        if name == "gauss_newton":
            return self.gauss_newton
        return self.hessians - self.gauss_newton

    @property
    def scale(self) -> float:
        """The largest entry of any sample's Hessian or of its parts."""
        return max(float(self.hessians.abs().max()), float(self.gauss_newton.abs().max()))


class _Lowest(TorchDispatchMode):
    """Notes whether anything floating point is computed in less than float64."""

    def __init__(self) -> None:
        super().__init__()
        self.found = False

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        pieces = result if isinstance(result, tuple | list) else (result,)
        for piece in pieces:
            if isinstance(piece, Tensor) and piece.dtype in (torch.float32, torch.float16):
                self.found = True
        return result


def truth_of(subject: Draw, twin: Draw, control: Draw) -> Truth:
    """The oracle's Hessians of a draw.

    Args:
        subject: not touched; its size is compared.
        twin: of the draw, changed freely.
        control: another copy of the draw, changed freely.

    Raises:
        NoTruth: saying why.
        AssertionError: if the oracles contradict one another.
    """
    with _PlainKernels():
        loss = twin.criterion.loss
        x, y = _doubled(twin.inputs), _doubled(twin.criterion.targets)
        singles = list(zip(x.split(1), y.split(1), strict=True))
        try:
            first, *again = (
                torch.stack([_value(twin.model, loss, *pair).detach() for pair in singles])
                for _ in range(_REPEATS)
            )
        except NoTruth:
            raise
        except Exception as problem:
            raise NoTruth(f"single samples cannot be evaluated: {type(problem).__name__}") from None
        if not all(torch.equal(first, values) for values in again):
            raise NoTruth("the loss is random")
        if not bool(torch.isfinite(first).all()):
            raise NoTruth("the loss is not finite")
        parameters = [p for p in twin.model.parameters() if p.requires_grad]
        whole = subject.part == "hessian"
        pairs = [_second(twin.model, loss, *pair, parameters, whole=whole) for pair in singles]
        hessians = torch.stack([pair[0] for pair in pairs])
        if not bool(torch.isfinite(hessians).all()):
            raise NoTruth("second derivatives are not finite")
        coarse = _compare(control, first)
        found = Truth(hessians, torch.stack([pair[1] for pair in pairs]), first, coarse)
        _differences(twin.model, loss, singles, parameters, found)
    return found


def moved(twin: Draw, size: float) -> Draw:
    """The twin with every parameter changed by a random relative amount of this size."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for p in twin.model.parameters():
            p.mul_(1 + size * torch.randn(p.shape, generator=generator, dtype=p.dtype))
    return twin


def batches(matrices: Tensor, size: int, *, replacement: bool) -> Tensor:
    """The mean matrix of every batch, one after the other, shape (batches, d, d)."""
    n = len(matrices)
    chosen = (
        itertools.product(range(n), repeat=size)
        if replacement
        else itertools.combinations(range(n), size)
    )
    return torch.stack([matrices[list(batch)].mean(0) for batch in chosen])


class _PlainKernels:
    """No fused kernels, which have one derivative only; no warnings of torch's."""

    def __enter__(self) -> None:
        self._fast = torch.backends.mha.get_fastpath_enabled()
        torch.backends.mha.set_fastpath_enabled(False)
        self._kernel, self._quiet = sdpa_kernel(SDPBackend.MATH), warnings.catch_warnings()
        self._kernel.__enter__()
        self._quiet.__enter__()
        warnings.simplefilter("ignore")

    def __exit__(self, *problem: Any) -> None:
        self._quiet.__exit__(*problem)
        self._kernel.__exit__(*problem)
        torch.backends.mha.set_fastpath_enabled(self._fast)


def _doubled(tensor: Tensor) -> Tensor:
    if tensor.is_floating_point():
        return tensor.detach().double()
    return tensor.detach().clone()


def _value(model: nn.Module, loss: Any, x: Tensor, y: Tensor) -> Tensor:
    """The loss of one sample."""
    return _checked(loss(model(x.clone()), y))


def _checked(value: Any) -> Tensor:
    if not isinstance(value, Tensor) or value.shape != (1,):
        raise NoTruth("the loss is not one value for each sample")
    return value[0]


def _flat(tensors: Sequence[Tensor | None], like: Sequence[Tensor]) -> Tensor:
    pieces = zip(tensors, like, strict=True)
    return torch.cat([(torch.zeros_like(p) if t is None else t).reshape(-1) for t, p in pieces])


def _rows(values: Tensor, parameters: Sequence[Tensor]) -> Tensor:
    """The derivative of every entry, shape (entries, d)."""
    rows = []
    for value in values.reshape(-1):
        slopes: Sequence[Tensor | None] = [None] * len(parameters)
        if value.requires_grad:
            slopes = torch.autograd.grad(
                value, parameters, retain_graph=True, allow_unused=True, materialize_grads=False
            )
        rows.append(_flat(slopes, parameters).detach())
    return torch.stack(rows)


def _second(
    model: nn.Module,
    loss: Any,
    x: Tensor,
    y: Tensor,
    parameters: Sequence[Tensor],
    *,
    whole: bool,
) -> tuple[Tensor, Tensor]:
    """Hessian and Gauss-Newton matrix of one sample; zeros for the latter if only the whole."""
    outputs = model(x.clone())
    value = _checked(loss(outputs, y))
    if not value.requires_grad:
        raise NoTruth("the loss does not depend on the parameters")
    slopes = torch.autograd.grad(value, parameters, create_graph=True, allow_unused=True)
    if all(slope is None for slope in slopes):
        raise NoTruth("the loss does not depend on the parameters")
    hessian = _rows(_flat(slopes, parameters), parameters)
    if whole:
        return hessian, torch.zeros_like(hessian)
    names = list(outputs) if isinstance(outputs, dict) else []
    tensors = [outputs[name] for name in names] if names else outputs
    tensors = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    jacobian = torch.cat([_rows(t, parameters) for t in tensors])
    leaves = [t.detach().clone().requires_grad_(True) for t in tensors]
    again: Any = leaves[0] if isinstance(outputs, Tensor) else tuple(leaves)
    again = dict(zip(names, leaves, strict=True)) if names else again
    pulls = torch.autograd.grad(
        _checked(loss(again, y)), leaves, create_graph=True, allow_unused=True
    )
    curvature = _rows(_flat(pulls, leaves), leaves)
    return hessian, jacobian.T @ curvature @ jacobian


def _compare(control: Draw, values: Tensor) -> bool:
    """Whether the model computes in less than float64; its twin must give the same values."""
    if not any(p.is_complex() for p in control.model.parameters()):
        control.model.double()
    x, y = _doubled(control.inputs), _doubled(control.criterion.targets)
    lowest = _Lowest()
    try:
        with torch.no_grad(), lowest:
            outputs = [control.model(sample.clone()) for sample in x.split(1)]
        with torch.no_grad():
            losses = [
                control.criterion.loss(z, t) for z, t in zip(outputs, y.split(1), strict=True)
            ]
        found = torch.cat(losses).double()
    except Exception:
        return (
            lowest.found
        )  # what works in the twin only, as labels in int32 for torch's own losses
    allowed = (1e-4 if lowest.found else 1e-9) * float(values.abs().max())
    assert float((found - values).abs().max()) <= allowed, "the twin is another function"
    return lowest.found


def _differences(
    model: nn.Module,
    loss: Any,
    singles: Sequence[tuple[Tensor, Tensor]],
    parameters: Sequence[nn.Parameter],
    truth: Truth,
) -> None:
    """Compare v'Hv with second differences of the loss along three random lines.

    With step h they are off by h² times a fourth derivative and by round-off eps |z| / h², z the
    loss or the largest output; a kink may lie in one line's way.  So one line and one step
    that agree to a thousandth for all samples are enough; where all parameters are tiny, a kink at
    0 lies within every step, and nothing is compared.
    """
    start = nn.utils.parameters_to_vector(parameters).detach().clone()
    if float(start.abs().max()) < 1e-2:
        return
    free = torch.cat([_free(model, p).reshape(-1) for p in parameters])
    generator, values = torch.Generator().manual_seed(0), truth.values
    with torch.no_grad():
        outputs = [z for x, _ in singles for z in tree_leaves(model(x.clone()))]
    size = max(float(z.abs().max()) for z in outputs if isinstance(z, Tensor))
    for step in (3e-4,) * 3 + (1e-3,) * 2 + (1e-4,) * 2 + (3e-5,) * 2 + (1e-5, 3e-6):
        direction = torch.randn(len(start), generator=generator, dtype=torch.float64)
        direction *= free
        direction /= direction.norm()
        ends = []
        for sign in (1, -1):
            nn.utils.vector_to_parameters(start + sign * step * direction, parameters)
            with torch.no_grad():
                ends.append(torch.stack([_value(model, loss, *pair) for pair in singles]))
        nn.utils.vector_to_parameters(start, parameters)
        found = (ends[0] - 2 * values + ends[1]) / step**2
        expected = truth.hessians @ direction @ direction
        allowed = 1e-3 * truth.scale + 1e-6 * float(values.abs().max()) + _EPS * size / step**2
        if float((found - expected).abs().max()) <= allowed:
            return
    raise AssertionError("second derivatives contradict differences of the loss")


def _free(model: nn.Module, parameter: nn.Parameter) -> Tensor:
    """1 for every entry but the padding rows of tables, which torch takes for constants."""
    free = torch.ones_like(parameter)
    for module in model.modules():
        if isinstance(module, nn.Embedding) and module.weight is parameter:
            free[range(0) if module.padding_idx is None else module.padding_idx] = 0
    return free.detach()


def enumerated(matrices: Tensor, size: int, *, replacement: bool) -> Iterator[Tensor]:
    r"""$H$, then $E H_B^k - H^k$ for k = 2, 3, 4, from a list of all batches."""
    every = batches(matrices, size, replacement=replacement)
    mean = every.mean(0)
    yield mean
    power, raised = mean, every
    for _ in range(3):
        power, raised = power @ mean, raised @ every
        yield raised.mean(0) - power


def second_look(twin: Draw) -> Truth:
    """The Hessians of a changed twin; no differences are taken again."""
    with _PlainKernels():
        x, y = _doubled(twin.inputs), _doubled(twin.criterion.targets)
        parameters = [p for p in twin.model.parameters() if p.requires_grad]
        pairs = [
            _second(
                twin.model, twin.criterion.loss, *pair, parameters, whole=twin.part == "hessian"
            )
            for pair in zip(x.split(1), y.split(1), strict=True)
        ]
        hessians, inner = (torch.stack(list(found)) for found in zip(*pairs, strict=True))
        return Truth(hessians, inner, torch.zeros(len(x)), coarse=False)
