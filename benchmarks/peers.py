"""The same Hessians and products as other tools compute them, each in the way its manual shows."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import torch
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector

__all__ = ["COLUMNS", "NestedProducts", "Peer", "dense_moments", "hessian_peers"]

COLUMNS = 32
"""Columns that a loop over columns computes; its time is scaled up to all of them, and says so."""

VECTORS_AT_ONCE = 32
"""Hessian-vector products that run together; the fastest of 8 ... 256 on the machines tried."""


@dataclass(frozen=True)
class Peer:
    """Another way to the Hessian of the mean cross-entropy.

    Attributes:
        version: of the package, or why there is no call.
        matrix: returns the Hessian, or None.
        rows: for a loop over rows (or columns), returns the first few of them, or None.
    """

    version: str
    matrix: Callable[[], Tensor] | None = None
    rows: Callable[[int], Tensor] | None = None

    @property
    def runs(self) -> bool:
        """Whether there is something to call."""
        return self.matrix is not None or self.rows is not None


def hessian_peers(
    model: nn.Module, inputs: Tensor, labels: Tensor, *, loops: bool = True
) -> dict[str, Peer]:
    """Every peer; one that is not installed has the version `absent` and no call.

    Args:
        model: the network.
        inputs: shape (n, h).
        labels: shape (n,).
        loops: whether `torch.autograd.functional.hessian` may run to its end.
    """
    point, loss = _flat(model)

    def value(p: Tensor) -> Tensor:
        return loss(p, inputs, labels)

    def products_in_chunks() -> Tensor:
        _, pull_back = torch.func.vjp(torch.func.grad(value), point)
        identity = torch.eye(len(point), dtype=point.dtype, device=point.device)
        return torch.func.vmap(pull_back, chunk_size=VECTORS_AT_ONCE)(identity)[0]

    def product_per_column(columns: int) -> Tensor:
        leaf = point.clone().requires_grad_(True)
        (gradient,) = torch.autograd.grad(value(leaf), leaf, create_graph=True)
        rows = [
            torch.autograd.grad(gradient[k], leaf, retain_graph=True)[0] for k in range(columns)
        ]
        return torch.stack(rows)

    def functional_rows(rows: int) -> Tensor:
        """What `torch.autograd.functional.hessian` does, for the first entries of the gradient."""
        jacobian = torch.autograd.functional.jacobian
        return jacobian(lambda p: jacobian(value, p, create_graph=True)[:rows], point)

    if loops:
        functional = Peer(
            torch.__version__, lambda: torch.autograd.functional.hessian(value, point)
        )
    else:
        functional = Peer(torch.__version__, rows=functional_rows)
    return {
        "curvlinops": _curvlinops(model, inputs, labels),
        "vmapped products": Peer(torch.__version__, products_in_chunks),
        "product per column": Peer(torch.__version__, rows=product_per_column),
        "hessian-eigenthings": _eigenthings(model, inputs, labels),
        "PyHessian": _pyhessian(model, inputs, labels),
        "torch.autograd.functional.hessian": functional,
        "torch.func.hessian": Peer(torch.__version__, lambda: torch.func.hessian(value)(point)),
    }


class NestedProducts:
    """Average powers of per-sample Hessians by nested vmapped products, for `moments`.

    Attributes:
        size: number of parameters.
        samples: number of samples.
        dtype: of the parameters.
        device: of the parameters.
        calls: products asked for so far, by power.
    """

    def __init__(self, model: nn.Module, inputs: Tensor, labels: Tensor, at_once: int) -> None:
        point, loss = _flat(model)
        self.size, self.samples = len(point), len(inputs)
        self.dtype, self.device = point.dtype, point.device
        self.calls = dict.fromkeys((1, 2, 3, 4), 0)
        self._data = list(zip(inputs.split(at_once), labels.split(at_once), strict=True))

        def product(x: Tensor, y: Tensor, vector: Tensor) -> Tensor:
            gradient = torch.func.grad(lambda p: loss(p, x.unsqueeze(0), y.unsqueeze(0)))
            return torch.func.jvp(gradient, (point,), (vector,))[1]

        self._first = torch.func.vmap(product, in_dims=(0, 0, None))
        self._next = torch.func.vmap(product)

    def mean_matvec(self, vector: Tensor, power: int = 1) -> Tensor:
        """The average over the samples of the Hessian's power times one vector."""
        self.calls[power] += 1
        total = torch.zeros_like(vector)
        for x, y in self._data:
            products = self._first(x, y, vector)
            for _ in range(power - 1):
                products = self._next(x, y, products)
            total += products.sum(0)
        return total / self.samples


def dense_moments(model: nn.Module, inputs: Tensor, labels: Tensor) -> list[float]:
    """The sharpness and the three moment gaps from dense per-sample Hessians."""
    point, loss = _flat(model)

    def value(p: Tensor, x: Tensor, y: Tensor) -> Tensor:
        return loss(p, x.unsqueeze(0), y.unsqueeze(0))

    in_dims = (None, 0, 0)
    hessians = torch.func.vmap(torch.func.hessian(value), in_dims, chunk_size=8)(
        point, inputs, labels
    )
    mean = hessians.mean(0)
    found, power, powers = [float(torch.linalg.eigvalsh(mean)[-1])], mean, hessians
    for _ in range(3):
        power, powers = power @ mean, powers @ hessians
        found.append(float(torch.linalg.eigvalsh(powers.mean(0) - power)[-1]))
    return found


def _flat(model: nn.Module) -> tuple[Tensor, Callable[[Tensor, Tensor, Tensor], Tensor]]:
    """The parameters as one vector, and the mean cross-entropy as a function of it."""
    names = [name for name, _ in model.named_parameters()]
    shapes = [p.shape for p in model.parameters()]

    def loss(point: Tensor, inputs: Tensor, labels: Tensor) -> Tensor:
        pieces = point.split([shape.numel() for shape in shapes])
        named = {n: p.view(s) for n, p, s in zip(names, pieces, shapes, strict=True)}
        outputs = torch.func.functional_call(model, named, (inputs,))
        return nn.functional.cross_entropy(outputs, labels)

    return parameters_to_vector(model.parameters()).detach(), loss


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _curvlinops(model: nn.Module, inputs: Tensor, labels: Tensor) -> Peer:
    found = _installed("curvlinops-for-pytorch")
    if found is None:
        return Peer("absent")
    with warnings.catch_warnings():  # deprecations inside its own imports
        warnings.simplefilter("ignore")
        from curvlinops import HessianLinearOperator

    def dense() -> Tensor:
        operator = HessianLinearOperator(
            model,
            nn.CrossEntropyLoss(),
            dict(model.named_parameters())
            if int(found.split(".")[0]) > 3
            else list(model.parameters()),
            [(inputs, labels)],
            check_deterministic=False,
        )
        size = operator.shape[0]
        identity = torch.eye(size, dtype=inputs.dtype, device=inputs.device)
        blocks = identity.split(VECTORS_AT_ONCE * 8, 1)
        return torch.cat([operator @ block for block in blocks], 1)

    return Peer(found, dense)


def _eigenthings(model: nn.Module, inputs: Tensor, labels: Tensor) -> Peer:
    """pytorch-hessian-eigenthings: its operator, one column at a time (it takes one vector)."""
    found = _installed("hessian-eigenthings")
    if found is None:
        return Peer("absent")
    from hessian_eigenthings import HessianOperator

    def rows(count: int) -> Tensor:
        operator = HessianOperator(
            model,
            [(inputs, labels)],
            lambda network, batch: nn.functional.cross_entropy(network(batch[0]), batch[1]),
        )
        units = torch.eye(count, operator.size, dtype=inputs.dtype, device=inputs.device)
        return torch.stack([operator.matvec(unit) for unit in units])

    return Peer(found, rows=rows)


def _pyhessian(model: nn.Module, inputs: Tensor, labels: Tensor) -> Peer:
    """PyHessian: the product inside its power iteration, one column at a time."""
    found = _installed("PyHessian")
    if found is None:
        return Peer("absent")
    from pyhessian import hessian
    from pyhessian.utils import hessian_vector_product

    def rows(count: int) -> Tensor:
        own = copy.deepcopy(model)  # it changes the mode and the gradients of its model
        with warnings.catch_warnings():  # of backward(create_graph=True)
            warnings.simplefilter("ignore")
            found = hessian(own, nn.CrossEntropyLoss(), data=(inputs, labels), cuda=inputs.is_cuda)
        sizes = [p.numel() for p in found.params]
        units = torch.eye(count, sum(sizes), dtype=inputs.dtype, device=inputs.device)
        products = []
        for unit in units:
            pieces = zip(unit.split(sizes), found.params, strict=True)
            vector = [piece.view_as(p) for piece, p in pieces]
            product = hessian_vector_product(found.gradsH, found.params, vector)
            products.append(torch.cat([piece.flatten() for piece in product]))
        own.zero_grad()  # its gradients hold the graph
        return torch.stack(products).detach()

    return Peer(found, rows=rows)
