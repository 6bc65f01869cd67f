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

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from numerics.hessians.bases import KroneckerBasis
from numerics.hessians.losses import Loss, loss_derivatives

__all__ = ["Perceptron", "as_perceptron", "perceptron_factors"]

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

    def stacked_outputs(self, points: Tensor, inputs: Tensor) -> Tensor:
        """Outputs of many networks of this architecture at once, by batched matrix products.

        Args:
            points: one flat parameter vector for each network, shape (m, d).
            inputs: shape (m, n, h).

        Returns:
            Shape (m, n, c).
        """
        outputs, start = inputs, 0
        for index, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            stop = start + weight.numel()
            stacked = points[:, start:stop].unflatten(1, weight.shape).mT
            if bias is None:
                outputs, start = outputs @ stacked, stop
            else:
                start = stop + bias.numel()
                outputs = torch.baddbmm(points[:, None, stop:start], outputs, stacked)
            if index < len(self.activations):
                outputs = self.activations[index](outputs)
        return outputs


def as_perceptron(model: nn.Module, dtype: torch.dtype) -> Perceptron | None:
    """Recognise `nn.Sequential` of Linear layers with elementwise activations between them.

    Returns:
        The perceptron in `dtype`, or None where the structured route does not apply: another
        architecture, hooks, subclasses, shared or frozen parameters.
    """
    if type(model) is not nn.Sequential or any(not p.requires_grad for p in model.parameters()):
        return None
    modules = list(model)
    if modules and type(modules[0]) is nn.Flatten and modules[0].start_dim == 1:
        modules = modules[1:]
    if any(_hooked(module) for module in (model, *modules)):
        return None
    linear, activations = [], []
    for module in modules:
        if type(module) is nn.Linear:
            if linear and len(activations) < len(linear):
                activations.append(nn.Identity())
            linear.append(module)
        elif type(module) in ACTIVATIONS and len(linear) == len(activations) + 1:
            activations.append(module)
        else:
            return None
    shared = len({id(p) for p in model.parameters()}) < sum(
        1 + (layer.bias is not None) for layer in linear
    )
    if shared or not linear or len(activations) != len(linear) - 1:
        return None
    return Perceptron(
        tuple(layer.weight.detach().to(dtype) for layer in linear),
        tuple(None if b.bias is None else b.bias.detach().to(dtype) for b in linear),
        tuple(activations),
    )


def perceptron_factors(
    network: Perceptron, loss: Loss, inputs: Tensor, targets: Tensor
) -> tuple[KroneckerBasis, Tensor]:
    r"""Basis and cores, shape (n, r, r), of the per-sample Hessians $U_i C_i U_i^\top$.

    Args:
        network: the perceptron.
        loss: per-sample loss.
        inputs: shape (n, ...), flattened to (n, h).
        targets: whatever the loss takes.
    """
    a, first, second, outputs = _forward(network, inputs.flatten(1))
    gradient, curvature = loss_derivatives(loss, outputs, targets)
    depth = len(network.weights)
    deltas, curvatures = [gradient], [curvature]
    for index in range(depth - 2, -1, -1):
        weight, slope = network.weights[index + 1], first[index]
        pulled = deltas[0] @ weight
        inner = weight.T @ curvatures[0] @ weight
        outer = slope.unsqueeze(2) * slope.unsqueeze(1)
        curvatures.insert(0, inner * outer + torch.diag_embed(second[index] * pulled))
        deltas.insert(0, pulled * slope)
    biases = tuple(bias is not None for bias in network.biases)
    basis = KroneckerBasis(tuple(a), tuple(deltas), biases)
    return basis, _cores(network, first, curvatures)


def _forward(
    network: Perceptron, inputs: Tensor
) -> tuple[list[Tensor], list[Tensor], list[Tensor], Tensor]:
    """Inputs of every layer, slopes and curvatures of every activation, outputs."""
    layer_inputs, first, second = [inputs], [], []
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


def _cores(network: Perceptron, first: list[Tensor], curvatures: list[Tensor]) -> Tensor:
    """The cores, in the column order of `KroneckerBasis`."""
    widths = [(w.shape[0], w.shape[1] if m else 0) for m, w in enumerate(network.weights)]
    starts = [sum(map(sum, widths[:m])) for m in range(len(widths))]
    cores = curvatures[0].new_zeros(len(curvatures[0]), network.rank, network.rank)
    for low, (outputs, _) in enumerate(widths):
        rows = slice(starts[low], starts[low] + outputs)
        cores[:, rows, rows] = curvatures[low]
        jacobian = None
        for high in range(low + 1, len(widths)):
            slope = first[high - 1]
            into = torch.diag_embed(slope) if jacobian is None else slope[:, :, None] * jacobian
            jacobian = network.weights[high] @ into
            middle = starts[high] + widths[high][0]
            cross = torch.cat([curvatures[high] @ jacobian, into], 1)
            columns = slice(starts[high], middle + widths[high][1])
            cores[:, columns, rows] = cross
            cores[:, rows, columns] = cross.mT
    return cores


def _hooked(module: nn.Module) -> bool:
    return bool(module._forward_hooks or module._forward_pre_hooks)
