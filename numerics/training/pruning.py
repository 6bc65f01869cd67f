r"""Pruning at initialisation: which parameters of a network are there at all.

Weights (parameters with two axes or more) are pruned, biases are kept.  A mask has one entry for
each parameter, flat, in the order of `model.parameters()`, and keeps an exact number of them.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from numerics.checks import check_count
from numerics.hessians.guards import check_data
from numerics.hessians.losses import Loss
from numerics.training.ensembles import generator

__all__ = ["apply_mask", "kept_by_layer", "random_mask", "snip_mask", "snip_scores"]


def random_mask(model: nn.Module, remaining: int, seed: int) -> Tensor:
    r"""Keep the same share of every layer's weights, drawn uniformly.

    The shares are exact up to one weight a layer: of $k$ weights a layer with $w_l$ of all $w$ gets
    $\lfloor k w_l / w \rfloor$, and those with the largest remainders one more.

    Args:
        model: gives the shapes only.
        remaining: parameters to keep, biases included.
        seed: of the draw.

    Returns:
        shape (d,), bool, True where a parameter is kept.

    Raises:
        ValueError: if `remaining` is not between the number of biases and that of parameters.
    """
    wanted = _weights_to_keep(model, remaining)
    sizes = [p.numel() for p in model.parameters() if _pruned(p)]
    exact = [divmod(wanted * size, sum(sizes)) for size in sizes]
    missing = wanted - sum(whole for whole, _ in exact)
    largest = sorted(range(len(exact)), key=lambda layer: -exact[layer][1])[:missing]
    counts = iter(whole + (layer in largest) for layer, (whole, _) in enumerate(exact))
    stream = generator(seed, "random pruning")
    parts = []
    for parameter in model.parameters():
        part = torch.ones(parameter.numel(), dtype=torch.bool)
        if _pruned(parameter):
            part[torch.randperm(len(part), generator=stream)[next(counts) :]] = False
        parts.append(part.to(parameter.device))
    return torch.cat(parts)


def snip_scores(model: nn.Module, loss: Loss, inputs: Tensor, targets: Tensor) -> Tensor:
    r"""The connection sensitivity $|\theta_j\, \partial f_b(\theta) / \partial\theta_j|$.

    It is the derivative of the batch's mean loss $f_b$ with respect to a factor on $\theta_j$, at
    factor 1: to first order, how much the loss changes when the parameter is removed.

    Args:
        model: at initialisation; it is not touched.
        loss: per-sample loss, (outputs, targets) to shape (n,).
        inputs: one batch, shape (n, ...).
        targets: of the batch, shape (n, ...).

    Returns:
        shape (d,), of the parameters' dtype.

    Source: Lee, Ajanthan, Torr, SNIP: single-shot network pruning based on connection sensitivity
    (ICLR 2019), where the scores are divided by their sum.
    """
    named = dict(model.named_parameters())
    leaves = {name: p.detach().clone().requires_grad_(True) for name, p in named.items()}
    inputs, targets = check_data(inputs, targets, next(iter(leaves.values())).dtype)
    with torch.enable_grad():
        outputs = torch.func.functional_call(model, leaves, (inputs,))
        gradients = torch.autograd.grad(loss(outputs, targets).mean(), list(leaves.values()))
    pairs = zip(leaves.values(), gradients, strict=True)
    return torch.cat([(p.detach() * g).abs().flatten() for p, g in pairs])


def snip_mask(
    model: nn.Module, loss: Loss, inputs: Tensor, targets: Tensor, remaining: int
) -> Tensor:
    """Keep the weights with the highest `snip_scores` in the whole network; of equals, the first.

    Args:
        model: at initialisation; it is not touched.
        loss: per-sample loss, (outputs, targets) to shape (n,).
        inputs: one batch, shape (n, ...).
        targets: of the batch, shape (n, ...).
        remaining: parameters to keep, biases included.

    Returns:
        shape (d,), bool, True where a parameter is kept.

    Raises:
        ValueError: if `remaining` is not between the number of biases and that of parameters.
    """
    wanted = _weights_to_keep(model, remaining)
    scores = snip_scores(model, loss, inputs, targets)
    mask = torch.cat([torch.full_like(p, not _pruned(p)).flatten() for p in model.parameters()])
    mask = mask.to(torch.bool)
    order = scores.masked_fill(mask, -torch.inf).argsort(descending=True, stable=True)
    mask[order[:wanted]] = True
    return mask


@torch.no_grad()
def apply_mask(model: nn.Module, mask: Tensor, *, rescaled: bool) -> None:
    r"""Set pruned parameters to zero, in place.

    Args:
        model: to be pruned.
        mask: shape (d,), bool, True where a parameter is kept.
        rescaled: whether to multiply what is left of each weight $W$ by
            $\|W\|_F / \|M \odot W\|_F$, so that its Frobenius norm stays what it was.
    """
    for parameter, kept in _parts(model, mask):
        before = torch.linalg.vector_norm(parameter)
        parameter.mul_(kept.view_as(parameter))
        after = torch.linalg.vector_norm(parameter)
        if rescaled and after > 0:
            parameter.mul_(before / after)


def kept_by_layer(model: nn.Module, mask: Tensor) -> dict[str, float]:
    """The share of its weights that each pruned parameter keeps, by its name."""
    names = [name for name, _ in model.named_parameters()]
    named = zip(names, _parts(model, mask), strict=True)
    return {name: float(kept.double().mean()) for name, (p, kept) in named if _pruned(p)}


def _parts(model: nn.Module, mask: Tensor) -> Iterator[tuple[nn.Parameter, Tensor]]:
    """Each parameter with its part of the mask."""
    parameters = list(model.parameters())
    return zip(parameters, mask.split([p.numel() for p in parameters]), strict=True)


def _pruned(parameter: Tensor) -> bool:
    return parameter.ndim > 1


def _weights_to_keep(model: nn.Module, remaining: int) -> int:
    sizes = [(p.numel(), _pruned(p)) for p in model.parameters()]
    biases = sum(size for size, pruned in sizes if not pruned)
    total = sum(size for size, _ in sizes)
    return check_count("remaining", remaining, least=biases, most=total) - biases
