r"""Multilayer perceptrons: every per-sample Hessian in factored form by one forward-backward pass.

For $z_l = W_l a_{l-1} + b_l$, $a_l = \varphi_l(z_l)$ and the loss $\ell(z_L, y)$ of one sample, let
$\delta_l = \partial\ell/\partial z_l$, $Q_l = \partial^2\ell/\partial z_l^2$ (later weights held
fixed), $P_{ml} = \partial a_{m-1}/\partial z_l$ and $J_{ml} = W_m P_{ml}$.  Then
$$ Q_L = \nabla^2\ell, \qquad Q_l = D_l W_{l+1}^\top Q_{l+1} W_{l+1} D_l
   + \mathrm{diag}\big(\varphi_l''(z_l) \odot W_{l+1}^\top \delta_{l+1}\big), \quad
   D_l = \mathrm{diag}\,\varphi_l'(z_l), $$
and for $l \le m$, with $\tilde a = (a, 1)$,
$$ \frac{\partial^2 \ell}{\partial W_l[j,p]\,\partial W_m[k,q]}
   = \tilde a_{l-1}[p]\,(Q_m J_{ml})[k,j]\,\tilde a_{m-1}[q]
   + \tilde a_{l-1}[p]\,\delta_m[k]\,P_{ml}[q,j] \quad (\text{second term: } l < m). $$
Both terms are of the form $U C U^\top$ with the columns of `KroneckerBasis`.  The first is the
Gauss-Newton part and the part of the activations' curvature; nothing is left out.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from numerics.hessians.assembly import BUDGET, add_diagonal, add_products, add_symmetric
from numerics.hessians.bases import Indices
from numerics.hessians.kronecker import KroneckerBasis, ParameterGroup
from numerics.hessians.layers import is_plain, out_of_place, owns_all_parameters
from numerics.hessians.losses import Loss, loss_derivatives

__all__ = ["Perceptron", "PerceptronDerivatives", "as_perceptron", "differentiate"]

ACTIVATIONS = (
    nn.CELU,
    nn.ELU,
    nn.GELU,
    nn.Identity,
    nn.LeakyReLU,
    nn.LogSigmoid,
    nn.ReLU,
    nn.SELU,
    nn.SiLU,
    nn.Sigmoid,
    nn.Softplus,
    nn.Softsign,
    nn.Tanh,
)
"""Elementwise activations; kinks have measure zero and are ignored."""


@dataclass(frozen=True)
class Perceptron:
    """Weights and activations of a multilayer perceptron, detached.

    Attributes:
        weights: per layer, shape (w, h).
        biases: per layer, shape (w,), or None.
        activations: between the layers, one fewer than layers.
    """

    weights: tuple[Tensor, ...]
    biases: tuple[Tensor | None, ...]
    activations: tuple[nn.Module, ...]

    @property
    def size(self) -> int:
        """Number of parameters d."""
        return sum(w.numel() for w in self.weights) + sum(
            b.numel() for b in self.biases if b is not None
        )

    @property
    def rank(self) -> int:
        """Columns of the factored per-sample Hessian."""
        return sum(w.shape[0] for w in self.weights) + sum(w.shape[1] for w in self.weights[1:])

    @property
    def widest(self) -> int:
        """Largest width of a layer's outputs."""
        return max(w.shape[0] for w in self.weights)

    @property
    def samples_at_once(self) -> int:
        """Samples whose curvatures fit into one temporary."""
        return BUDGET // self.widest**2


def as_perceptron(model: nn.Module, inputs: Tensor, dtype: torch.dtype) -> Perceptron | None:
    """Recognise `nn.Sequential` of Linear layers with elementwise activations between them.

    Args:
        model: any module.
        inputs: shape (n, ...), for the shape of one sample; nothing else is read of it.
        dtype: of the detached weights.

    Returns:
        The perceptron, or None where the structured route does not apply: another architecture,
        hooks, a replaced `forward`, subclasses, shared, frozen or further parameters, several
        positions in one sample.
    """
    if type(model) is not nn.Sequential or not all(map(is_plain, (model, *model))):
        return None
    modules, positions = list(model), inputs.ndim != 2
    if modules and type(modules[0]) is nn.Flatten:
        if (modules[0].start_dim, modules[0].end_dim) != (1, -1):
            return None
        modules, positions = modules[1:], inputs.ndim < 2
    linear: list[nn.Linear] = []
    activations: list[nn.Module] = []
    for module in modules:
        if type(module) is nn.Linear:
            if linear and len(activations) < len(linear):
                activations.append(nn.Identity())
            linear.append(module)
        elif type(module) in ACTIVATIONS and len(linear) == len(activations) + 1:
            activations.append(module)
        else:
            return None
    if positions or not linear or len(activations) != len(linear) - 1:
        return None
    if not owns_all_parameters(model, linear):
        return None
    return Perceptron(
        tuple(layer.weight.detach().to(dtype) for layer in linear),
        tuple(None if b.bias is None else b.bias.detach().to(dtype) for b in linear),
        tuple(map(out_of_place, activations)),
    )


def differentiate(
    network: Perceptron, loss: Loss, inputs: Tensor, targets: Tensor, part: str = "hessian"
) -> PerceptronDerivatives:
    r"""One forward and one backward pass of the recursions above.

    Args:
        network: the perceptron.
        loss: per-sample loss.
        inputs: shape (n, ...), flattened to (n, h).
        targets: whatever the loss takes.
        part: `hessian`; `gauss_newton` drops $\varphi''$ and the second term; `residual` keeps
            only what these bring.
    """
    layer_inputs, slopes, bends, outputs = _forward(network, inputs.flatten(1))
    gradient, curvature = loss_derivatives(loss, outputs, targets)
    deltas = [gradient]
    bent: list[Tensor] = []
    curvatures = [torch.zeros_like(curvature) if part == "residual" else curvature]
    for weight, slope, bend in zip(
        reversed(network.weights), reversed(slopes), reversed(bends), strict=False
    ):
        pulled = deltas[0] @ weight
        moved = slope.unsqueeze(1) * weight
        inner = moved.mT @ curvatures[0] @ moved
        if part != "gauss_newton":
            bent.insert(0, bend * pulled)
            inner.diagonal(dim1=1, dim2=2).add_(bent[0])
        curvatures.insert(0, inner)
        deltas.insert(0, pulled * slope)
    biases = tuple(bias is not None for bias in network.biases)
    basis = KroneckerBasis(tuple(layer_inputs), tuple(deltas), biases)
    return PerceptronDerivatives(
        network,
        basis,
        tuple(curvatures),
        tuple(slopes),
        None if part == "gauss_newton" else tuple(bent),
    )


@dataclass(frozen=True)
class PerceptronDerivatives:
    r"""What the second derivatives of all samples' losses are made of.

    Attributes:
        network: the perceptron.
        basis: the inputs $a$ and gradients $\delta$ of every layer.
        curvatures: Q, per layer, shape (n, w, w).
        slopes: $\varphi'(z)$, per hidden layer, shape (n, w).
        bends: $\varphi''(z) \odot W^\top\delta$, per hidden layer, shape (n, w); None in the
            Gauss-Newton part, where the second term of the formula is missing too.
    """

    network: Perceptron
    basis: KroneckerBasis
    curvatures: tuple[Tensor, ...]
    slopes: tuple[Tensor, ...]
    bends: tuple[Tensor, ...] | None

    @property
    def like(self) -> Tensor:
        """A tensor of the dtype, on the device."""
        return self.curvatures[0]

    def apply_cores(self, coefficients: Tensor) -> Tensor:
        r"""$C_i c_i$ without the cores: one tangent forward and one adjoint backward pass.

        The columns of the first kind carry a direct change of $z_l$, those of the second one of
        $\delta_l$ pulled through the weight: $O(\sum_l w_l w_{l+1})$ operations per sample.

        Args:
            coefficients: shape (n, r, m).
        """
        first, second = self._columns()
        columns = coefficients.mT
        tangents, moved = [columns[..., first[0]]], []
        for high in range(1, len(first)):
            moved.append(self.slopes[high - 1].unsqueeze(1) * tangents[-1])
            tangents.append(columns[..., first[high]] + moved[-1] @ self.network.weights[high].T)
        result = torch.zeros_like(columns)
        adjoint = tangents[-1] @ self.curvatures[-1]
        result[..., first[-1]] = adjoint
        for low in range(len(first) - 2, -1, -1):
            pulled = adjoint @ self.network.weights[low + 1]
            if self.bends is not None:
                pulled = pulled + columns[..., second[low + 1]]
                result[..., second[low + 1]] = moved[low]
            adjoint = self.slopes[low].unsqueeze(1) * pulled
            if self.bends is not None:
                adjoint = adjoint + self.bends[low].unsqueeze(1) * tangents[low]
            result[..., first[low]] = adjoint
        return result.mT

    def select(self, indices: Indices) -> PerceptronDerivatives:
        """Those of some samples."""
        return PerceptronDerivatives(
            self.network,
            self.basis.select(indices),
            tuple(q[indices] for q in self.curvatures),
            tuple(slope[indices] for slope in self.slopes),
            None if self.bends is None else tuple(bend[indices] for bend in self.bends),
        )

    def cores(self) -> Tensor:
        """The cores, shape (n, r, r), in the column order of `KroneckerBasis`."""
        rank, (first, second) = self.network.rank, self._columns()
        cores = self.curvatures[0].new_zeros(self.basis.samples, rank, rank)
        for low, rows in enumerate(first):
            cores[:, rows, rows] = self.curvatures[low]
            for high, into, cross in self._crossings(low):
                cores[:, rows, first[high]] = cross
                cores[:, first[high], rows] = cross.mT
                if self.bends is not None:
                    into = torch.diag_embed(self.slopes[low]) if into is None else into
                    cores[:, rows, second[high]] = into.mT
                    cores[:, second[high], rows] = into
        return cores

    def trace(self) -> float:
        """Trace of the sum over the samples; the second term has no diagonal blocks."""
        return sum(
            float(
                (
                    self.curvatures[group.layer].diagonal(dim1=1, dim2=2).sum(1)
                    * group.factor.square().sum(1)
                ).sum()
            )
            for group in self.basis.groups
        )

    def add_to(self, total: Tensor) -> None:
        """Add the sum over the samples to the upper triangle of a (d, d) matrix, in place.

        At most $n d^2$ operations for the first term, in large matrix products; the second term
        is diagonal between neighbours.
        """
        groups = self.basis.groups
        for low in range(len(self.curvatures)):
            here = [group for group in groups if group.layer == low]
            self._add_own(total, here)
            for high, into, cross in self._crossings(low):
                beyond = [group for group in groups if group.layer == high]
                for group, other in itertools.product(here, beyond):
                    window = group.window(other, total)
                    add_products(window, cross, group.factor, other.factor)
                    if other.delta is None or self.bends is None:
                        continue
                    window = window.permute(0, 1, 3, 2)
                    if into is None:
                        add_diagonal(window, self.slopes[low], group.factor, other.delta)
                    else:
                        add_products(window, into.mT, group.factor, other.delta)

    def add_layer_to(self, total: Tensor, layer: int) -> None:
        """Add one layer's diagonal block, its upper triangle at least, to a matrix, in place."""
        groups = [group for group in self.basis.groups if group.layer == layer]
        first = groups[0].start
        self._add_own(total, [replace(group, start=group.start - first) for group in groups])

    def _add_own(self, total: Tensor, groups: list[ParameterGroup]) -> None:
        """Add the block of one layer's weight and bias with themselves."""
        for index, group in enumerate(groups):
            curvature = self.curvatures[group.layer]
            add_symmetric(group.window(group, total), curvature, group.factor)
            for other in groups[index + 1 :]:
                window = group.window(other, total)
                add_products(window, curvature, group.factor, other.factor)

    def _crossings(self, low: int) -> Iterator[tuple[int, Tensor | None, Tensor]]:
        r"""For each layer m above l: m, $P_{ml}$ (None: diagonal) and $(Q_m J_{ml})^\top$."""
        jacobian = None
        for high in range(low + 1, len(self.curvatures)):
            slope, weight = self.slopes[high - 1], self.network.weights[high]
            into = None if jacobian is None else slope.unsqueeze(2) * jacobian
            jacobian = weight * slope.unsqueeze(1) if into is None else weight @ into
            yield high, into, (self.curvatures[high] @ jacobian).mT

    def _columns(self) -> tuple[list[slice], list[slice]]:
        """Columns of both kinds, per layer."""
        by_layer = {group.layer: group for group in self.basis.groups}
        groups = [by_layer[layer] for layer in range(len(self.curvatures))]
        return [group.first for group in groups], [group.second for group in groups]


def _forward(
    network: Perceptron, inputs: Tensor
) -> tuple[list[Tensor], list[Tensor], list[Tensor], Tensor]:
    """Inputs of every layer, slopes and curvatures of every activation, outputs."""
    layer_inputs = [inputs]
    first: list[Tensor] = []
    second: list[Tensor] = []
    for index, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
        z = layer_inputs[-1] @ weight.T
        if bias is not None:
            z = z + bias
        if index == len(network.weights) - 1:
            return layer_inputs, first, second, z
        slope = torch.func.grad(lambda t, f=network.activations[index]: f(t).sum())
        first.append(slope(z))
        second.append(torch.func.grad(lambda t, g=slope: g(t).sum())(z))
        layer_inputs.append(network.activations[index](z).detach())
    raise AssertionError("a perceptron has at least one layer")
