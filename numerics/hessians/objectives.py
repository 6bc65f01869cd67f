r"""The objective $f = \frac1n\sum_i \ell(\text{model}(x_i), y_i)$ whose Hessians are asked for."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from numerics.checks import check_choice, check_count
from numerics.hessians.assembly import BUDGET, slices
from numerics.hessians.chains import Chain
from numerics.hessians.evaluation import kept_randomness, recording
from numerics.hessians.generic import FlatModel, SampleProducts, dense
from numerics.hessians.guards import (
    MEMORY_LIMIT,
    check_data,
    check_derivatives,
    check_deterministic,
    check_memory,
    check_precision,
)
from numerics.hessians.losses import Loss
from numerics.hessians.operators import HessianOperator
from numerics.hessians.perceptrons import differentiate
from numerics.hessians.probes import check_model, direction, same_product
from numerics.hessians.routes import (
    ROUTES,
    assembled,
    assembled_layers,
    assembled_network,
    attempt,
    generic_block,
    refuse_disagreement,
    same_blocks,
    structured_network,
)
from numerics.hessians.samples import SampleHessians

__all__ = ["PARTS", "Objective"]

PARTS = ("hessian", "gauss_newton", "residual")

_APART = 0.1
"""Distance of a trial from the parameters, relative to them."""


@dataclass(frozen=True, eq=False)
class Objective:
    r"""What is minimised in training, and how its Hessians are to be computed.

    `exact`, `layer_blocks`, `per_sample` and `operator` share one objective: its model and loss are
    put to the test once, at the first of them.  Every result is that of the parameters, modes and
    data at the time it is asked for.  Where these, or the losses and gradients of a trial near the
    parameters, are others than before, the tests are made again.

    Attributes:
        model: any module; no batch normalisation or dropout in training mode.
        loss: per-sample loss, (outputs, targets) to shape (n,): `SQUARE_LOSS`, `CROSS_ENTROPY` or
            any differentiable callable.
        inputs: shape (n, ...).
        targets: shape (n, ...).
        reduction: `mean` or `sum` over the samples; nothing to `per_sample`.
        part: `hessian`; `gauss_newton`, $J^\top \nabla^2_z\ell\, J$ with the Jacobian J of the
            outputs z; or `residual`, the rest $\sum_k \partial_{z_k}\ell\, \nabla^2 z_k$.
        dtype: of the computation; parameters and data are cast to it.
        route: `auto`, or force `structured` or `generic`; of `operator`, the trace alone.
        memory_limit: bytes allowed for a result and its temporaries; 4 GiB by default.

    Raises:
        ValueError: if a choice is not one of those, or the dtype is not floating-point.

    Example:
        >>> from numerics import SQUARE_LOSS, Objective
        >>> model = nn.Linear(2, 1, bias=False)
        >>> objective = Objective(model, SQUARE_LOSS, torch.eye(2), torch.zeros(2, 1))
        >>> objective.exact().diagonal().tolist()
        [1.0, 1.0]
        >>> objective.operator().exact_trace
        2.0
    """

    model: nn.Module
    loss: Loss
    inputs: Tensor
    targets: Tensor
    reduction: str = field(default="mean", kw_only=True)
    part: str = field(default="hessian", kw_only=True)
    dtype: torch.dtype = field(default=torch.float64, kw_only=True)
    route: str = field(default="auto", kw_only=True)
    memory_limit: int | None = field(default=None, kw_only=True)
    #: Asked for one result and then dropped: no trial is made, which nobody would look at.
    _once: bool = field(default=False, kw_only=True, repr=False)
    _tested: list[_Trial] = field(default_factory=list, init=False, repr=False)

    def __post_init__(self) -> None:
        check_choice("reduction", self.reduction, ("mean", "sum"))
        check_choice("part", self.part, PARTS)
        check_choice("route", self.route, ROUTES)
        check_precision(self.dtype)

    def __repr__(self) -> str:
        loss = getattr(self.loss, "__name__", type(self.loss).__name__)
        trained = sum(p.numel() for p in self.model.parameters() if p.requires_grad)
        dtype = str(self.dtype).removeprefix("torch.")
        return (
            f"Objective({loss} of {type(self.model).__name__}, d={trained}, "
            f"n={len(self.inputs)}, {self.reduction}, {self.part}, {dtype})"
        )

    def exact(self) -> Tensor:
        """The dense Hessian, shape (d, d), symmetric.

        Raises:
            ValueError: as `numerics.exact`.
        """
        inputs, targets, flat = self._ready()
        size, n = flat.size, len(inputs)
        network = attempt(
            self.route, lambda: assembled_network(self.model, inputs, self.dtype, self.route)
        )
        total = None
        if network is not None:
            block = network.block if isinstance(network, Chain) else 4 * min(BUDGET, n * size)
            self._check_square(size, size**2 + block)
            total = attempt(
                self.route, lambda: assembled(network, flat, inputs, targets, self.part)
            )
        if total is not None and not same_product(flat, inputs, targets, self.part, total.matmul):
            refuse_disagreement(self.route)
            total = None
        if total is None:
            self._check_square(size, 2 * size**2 + 4 * min(BUDGET, n * size))
            total = generic_block(flat, inputs, targets, slice(0, size), self.part)
        return total.div_(n) if self.reduction == "mean" else total

    def layer_blocks(self) -> dict[str, Tensor]:
        """The diagonal block of every layer, by the layer's name; the rest is never formed.

        Raises:
            ValueError: as `numerics.layer_blocks`.
        """
        inputs, targets, flat = self._ready()
        spans, part = flat.layers(), self.part
        sizes = [span.stop - span.start for span in spans.values()]
        largest, samples = max(sizes), 4 * min(BUDGET, len(inputs) * flat.size)
        check_memory(
            f"{len(sizes)} blocks of at most {largest} x {largest}",
            (largest**2 + sum(size**2 for size in sizes) + samples) * self.dtype.itemsize,
            self.memory_limit,
            "use operator(...) and Lanczos, or fewer parameters",
        )
        network = attempt(
            self.route, lambda: assembled_network(self.model, inputs, self.dtype, self.route)
        )
        blocks = None
        if network is not None:
            blocks = attempt(
                self.route, lambda: assembled_layers(network, flat, inputs, targets, sizes, part)
            )
        if blocks is not None and not same_blocks(flat, inputs, targets, part, blocks):
            refuse_disagreement(self.route)
            blocks = None
        if blocks is None:
            blocks = [generic_block(flat, inputs, targets, s, part) for s in spans.values()]
        weight = self._weight(len(inputs))
        return {name: block.mul_(weight) for name, block in zip(spans, blocks, strict=True)}

    def per_sample(self) -> SampleHessians:
        r"""Every sample's exact Hessian, in factored form $H_i = U_i C_i U_i^\top$.

        Raises:
            ValueError: as `numerics.per_sample`.
        """
        inputs, targets, flat = self._ready()
        n, size, part, limit = len(inputs), flat.size, self.part, self.memory_limit

        def add_up(found: SampleHessians) -> bool:
            return same_product(flat, inputs, targets, part, lambda v: n * found.mean_matvec(v))

        network = structured_network(self.model, inputs, self.dtype, self.route)
        if network is not None:
            check_memory(
                f"storing {n} factored Hessians of rank {network.rank}",
                2
                * n
                * (sum(len(w) ** 2 for w in network.weights) + network.rank)
                * self.dtype.itemsize,
                limit,
                "use fewer samples",
            )
            factored = attempt(
                self.route, lambda: differentiate(network, flat.plain_loss, inputs, targets, part)
            )
            if factored is not None:
                found = SampleHessians(factored.basis, factored, memory_limit=limit)
                if add_up(found):
                    return found
                refuse_disagreement(self.route)
        products = SampleProducts(flat, inputs, targets, part)
        allowed = MEMORY_LIMIT if limit is None else limit
        stored = (n * size**2 + 2 * size**2) * self.dtype.itemsize <= allowed
        cores = products.cores() if stored else products
        found = SampleHessians(products.basis, cores, memory_limit=limit)
        if stored and not add_up(found):
            raise ValueError(
                "the samples' Hessians do not add up to the Hessian of all: the model or loss "
                "couples the samples of a batch, and has no per-sample Hessians"
            )
        return found

    def operator(self, *, samples_at_once: int | None = None) -> HessianOperator:
        """The Hessian as an operator: no matrix is formed.

        Args:
            samples_at_once: as in `numerics.operator`.

        Raises:
            ValueError: as `numerics.operator`.
        """
        inputs, targets, flat = self._ready()
        weight, part = self._weight(len(inputs)), self.part
        if samples_at_once is None:
            samples_at_once = len(inputs)
        parts = list(slices(len(inputs), check_count("samples_at_once", samples_at_once)))
        recorded = flat.product(inputs, targets, part) if len(parts) == 1 else None

        def product(vector: Tensor) -> Tensor:
            if recorded is not None:
                return check_derivatives("a Hessian-vector product", weight * recorded(vector))
            total = torch.zeros_like(vector)
            for some in parts:
                total += flat.product(inputs[some], targets[some], part)(vector)
            return check_derivatives("a Hessian-vector product", weight * total)

        network, trace = structured_network(self.model, inputs, self.dtype, self.route), None
        if network is not None:
            vector = direction(flat)

            def traced() -> tuple[float, Tensor]:
                total, image = 0.0, torch.zeros_like(vector)
                for some in parts:
                    piece = differentiate(
                        network, flat.plain_loss, inputs[some], targets[some], part
                    )
                    total += piece.trace()
                    whole = SampleHessians(piece.basis, piece)
                    image += whole.samples * whole.mean_matvec(vector)
                return weight * total, image

            found = attempt(self.route, traced)
            if found and same_product(flat, inputs, targets, part, lambda _: found[1]):
                trace = found[0]
            elif found:
                refuse_disagreement(self.route)
        return HessianOperator(flat.size, self.dtype, flat.point.device, trace, product)

    def _ready(self) -> tuple[Tensor, Tensor, FlatModel]:
        """Copies of the data, in `dtype`, and of the parameters as they are now, all tested."""
        check_deterministic(self.model)
        inputs, targets = check_data(self.inputs, self.targets, self.dtype)
        flat = FlatModel(self.model, self.loss, self.dtype)
        before = self._tested[0] if self._tested else None
        if before is None or not before.is_same(_Trial.of(flat, inputs, targets)):
            self._tested.clear()
            inputs, targets = inputs.clone(), targets.clone()
            check_model(flat, inputs, targets)
            if not self._once:
                self._tested.append(_Trial.of(flat, inputs, targets))
            return inputs, targets, flat
        return before.inputs, before.targets, flat

    def _weight(self, samples: int) -> float:
        return 1 / samples if self.reduction == "mean" else 1.0

    def _check_square(self, size: int, numbers: int) -> None:
        check_memory(
            f"the {size} x {size} Hessian",
            numbers * self.dtype.itemsize,
            self.memory_limit,
            "use operator(...) and Lanczos, or fewer parameters",
        )


@dataclass(frozen=True)
class _Trial:
    """What a change of model, loss or data shows in.

    Attributes:
        names: of the trainable parameters.
        inputs: in the dtype of the computation.
        targets: likewise.
        state: the parameters, and all losses and their gradient at a point near them; None where
            they cannot be evaluated, and then nothing is the same.
    """

    names: tuple[str, ...]
    inputs: Tensor
    targets: Tensor
    state: tuple[Tensor, ...] | None

    @classmethod
    def of(cls, flat: FlatModel, inputs: Tensor, targets: Tensor) -> _Trial:
        """The trial of a model and data as they are now."""
        state = None
        with recording(), kept_randomness(flat.point.device):
            leaves = flat.leaves(flat.point + _APART * direction(flat, 2))
            # Off the parameters a model may fail as it likes: then the tests are just made again.
            with contextlib.suppress(Exception):
                losses = flat.losses_at(leaves, inputs, targets)
                found = torch.autograd.grad(losses.sum(), leaves, materialize_grads=True)
                state = (flat.point, losses.detach(), *map(dense, found))
        return cls(tuple(flat.names), inputs, targets, state)

    def is_same(self, other: _Trial) -> bool:
        """Whether nothing has changed, to the last bit."""
        if self.state is None or other.state is None or self.names != other.names:
            return False
        mine = (self.inputs, self.targets, *self.state)
        theirs = (other.inputs, other.targets, *other.state)
        return all(
            one.device == two.device and one.dtype == two.dtype and torch.equal(one, two)
            for one, two in zip(mine, theirs, strict=True)
        )
