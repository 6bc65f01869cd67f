"""Layers that share weights between positions, and which modules are made of them."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules import module as torch_modules

from numerics.hessians.evaluation import celu

__all__ = [
    "Layer",
    "flattened",
    "is_plain",
    "out_of_place",
    "owns_all_parameters",
    "patches_of",
    "without_bias",
]


@dataclass(frozen=True)
class Layer:
    """A layer with weights, and the fixed modules behind it.

    Attributes:
        weight: shape (C, K), detached.
        bias: shape (C,), or None.
        patches_of: which input stands where in the patches, shape (K, positions); numbered from 1,
            where 0 is padding.
        channels_last: whether the output has its channels in the last axis.
        behind: the fixed modules up to the next layer with weights.
        start: first of its parameters among all.
        inputs: numbers in one sample's input.
        outputs: shape of one sample's output.
    """

    weight: Tensor
    bias: Tensor | None
    patches_of: Tensor
    channels_last: bool
    behind: tuple[nn.Module, ...]
    start: int
    inputs: int
    outputs: torch.Size

    @property
    def width(self) -> int:
        """Numbers in z, C times the positions."""
        return math.prod(self.outputs)

    @property
    def positions(self) -> int:
        """Positions that share the weights."""
        return self.patches_of.shape[1]

    @property
    def columns(self) -> int:
        """Rows of the patches, the row of ones included."""
        return self.weight.shape[1] + (self.bias is not None)

    @property
    def places(self) -> Tensor:
        """Where the parameters (c, k), with a bias as last k, stand among all."""
        weights = torch.arange(self.weight.numel()).view(self.weight.shape)
        if self.bias is not None:
            biases = self.weight.numel() + torch.arange(len(self.bias))
            weights = torch.cat([weights, biases.unsqueeze(1)], 1)
        return (self.start + weights.flatten()).to(self.weight.device)

    def patches(self, inputs: Tensor) -> Tensor:
        """Patches of flat inputs: shape (n, h, ...) to (n, K, positions, ...)."""
        padded = torch.cat([torch.zeros_like(inputs[:, :1]), inputs], 1)
        return padded[:, self.patches_of]

    def scattered(self, patches: Tensor) -> Tensor:
        """The adjoint of `patches`: shape (n, K, positions) to (n, h)."""
        flat = patches.new_zeros(len(patches), 1 + self.inputs)
        return flat.index_add_(1, self.patches_of.flatten(), patches.flatten(1))[:, 1:]

    def outputs_at(self, patches: Tensor) -> Tensor:
        """z, shape (n, C, positions)."""
        z = self.weight @ patches
        return z if self.bias is None else z + self.bias.unsqueeze(1)

    def follow(self, z: Tensor) -> Tensor:
        """What the fixed modules make of z, flat: shape (n, C, positions) to (n, h)."""
        x = (z.mT if self.channels_last else z).reshape(len(z), *self.outputs)
        for module in self.behind:
            x = module(x)
        return x.flatten(1)


def flattened(model: nn.Module) -> list[nn.Module] | None:
    """The modules of nested `nn.Sequential`, in order; None if one is of a kind not known here."""
    if not is_plain(model):
        return None
    if type(model) is nn.Sequential:
        parts = [flattened(module) for module in model]
        return None if None in parts else [m for part in parts for m in part or ()]
    if type(model) is nn.Conv2d:
        plain = model.groups == 1 and model.padding_mode == "zeros"
        return [model] if plain and not isinstance(model.padding, str) else None
    fixed = type(model).__module__.startswith("torch.nn.modules") and not model._modules
    known = fixed and not (model._parameters or model._buffers)
    return [model] if known or type(model) is nn.Linear else None


def is_plain(module: nn.Module) -> bool:
    """Whether a module computes what its type says: its own `forward`, and no hooks."""
    replaced = "forward" in module.__dict__ or module._compiled_call_impl is not None
    return not replaced and not any(
        (
            module._forward_hooks,
            module._forward_pre_hooks,
            module._backward_hooks,
            module._backward_pre_hooks,
            torch_modules._global_forward_hooks,
            torch_modules._global_forward_pre_hooks,
            torch_modules._global_backward_hooks,
            torch_modules._global_backward_pre_hooks,
        )
    )


def owns_all_parameters(model: nn.Module, layers: Sequence[nn.Linear | nn.Conv2d]) -> bool:
    """Whether the layers' weights and biases are the model's parameters, in its order.

    Each once, trainable, real, and of no class of its own.
    """
    own = [p for layer in layers for p in (layer.weight, layer.bias) if p is not None]
    everything = list(model.parameters())
    return (
        [id(p) for p in own] == [id(p) for p in everything]
        and all(type(p) is nn.Parameter and p.requires_grad for p in everything)
        and all(p.is_floating_point() and p.layout == torch.strided for p in everything)
    )


def out_of_place(module: nn.Module) -> nn.Module:
    """The module, or one of its values and their derivatives that does not overwrite its inputs."""
    if type(module) is nn.CELU:
        return _Celu(module.alpha)
    if not getattr(module, "inplace", False):
        return module
    other = copy.copy(module)
    other.__dict__["inplace"] = False
    return other


class _Celu(nn.Module):
    def __init__(self, alpha: float) -> None:
        super().__init__()
        self.alpha = alpha

    def forward(self, x: Tensor) -> Tensor:
        """By the formula."""
        return celu(x, self.alpha)


def without_bias(module: nn.Linear | nn.Conv2d, weight: Tensor, x: Tensor) -> Tensor:
    """The layer without its bias, in the dtype of the weight."""
    if isinstance(module, nn.Linear):
        return functional.linear(x, weight)
    return functional.conv2d(x, weight, None, module.stride, module.padding, module.dilation)


def patches_of(module: nn.Linear | nn.Conv2d, numbers: Tensor) -> Tensor:
    """Which entry of one sample's input stands where in its patches, shape (K, positions)."""
    if isinstance(module, nn.Linear):
        return numbers.view(-1, numbers.shape[-1]).T
    assert not isinstance(module.padding, str), "`flattened` refuses paddings by name"
    return functional.unfold(
        numbers.double(), module.kernel_size, module.dilation, module.padding, module.stride
    )[0].long()
