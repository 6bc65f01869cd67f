"""One draw of the grammar: a model, a loss, data and settings; and its twin for the oracles."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from numerics.soundness.criteria import Criterion, draw_criterion
from numerics.soundness.dice import Dice
from numerics.soundness.networks import CORE, FAMILIES
from numerics.soundness.twists import TWISTS, plain

__all__ = ["LARGEST", "Draw", "build"]

LARGEST = 64
"""Most trainable parameters of a model."""

_ATTEMPTS = 50


@dataclass(frozen=True)
class Draw:
    """What is given to the library.

    Attributes:
        model: the model.
        criterion: its loss and targets.
        inputs: shape (n, ...).
        reduction: of the samples' losses.
        part: of the Hessian.
        route: by which it is computed.
        batch_size: for the moments.
        replacement: for the moments.
        surroundings: the mode that the library is called in.
        core: whether this is so ordinary that it must not be refused.
        words: what was drawn, in short.
    """

    model: nn.Module
    criterion: Criterion
    inputs: Tensor
    reduction: str
    part: str
    route: str
    batch_size: int
    replacement: bool
    surroundings: str
    core: bool
    words: str


def build(seed: int, index: int, *, ideal: bool = False) -> Draw:
    """The draw of this index; always the same, built anew with nothing shared.

    Args:
        seed: of all draws.
        index: of this one.
        ideal: whether to build the twin, as in `Dice`, with everything in float64.
    """
    for attempt in range(_ATTEMPTS):
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.manual_seed(0)
            found = _attempt(Dice(seed, index, attempt, ideal=ideal))
        if found is not None:
            return found
    raise RuntimeError(f"no model of at most {LARGEST} parameters in {_ATTEMPTS} attempts")


def _attempt(dice: Dice) -> Draw | None:
    n = dice.pick((1, 2, 2, 3, 3, 4, 5, 6))
    family = dice.weighted(FAMILIES)
    model, inputs = family(dice, n)
    dice.fill(model.double())
    twist = dice.weighted(TWISTS)
    twisted = twist(dice, model, inputs)
    name = twist.__name__ if twisted is not None else "plain"
    model, inputs = plain(dice, model, inputs) if twisted is None else twisted
    model = model.double() if not any(p.is_complex() for p in model.parameters()) else model
    sizes = [p.numel() * (1 + p.is_complex()) for p in model.parameters() if p.requires_grad]
    if not 0 < sum(sizes) <= LARGEST:
        return None
    kept = dice.weighted(
        {torch.float64: 6, torch.float32: 3, torch.float16: 0.5, torch.bfloat16: 0.5}
    )
    given = dice.pick((torch.float64, torch.float64, torch.float32))
    floats = inputs.is_floating_point()
    if floats:
        inputs = inputs.to(given)
    try:
        with torch.no_grad():
            outputs = model(inputs.to(torch.float64, copy=True) if floats else inputs.clone())
    except (ValueError, RuntimeError):
        return None  # it does not work at all, as batch normalisation of one sample in training
    criterion = draw_criterion(dice, model, outputs)
    if kept != torch.float64 and name != "coefficients":
        model = model.to(kept)
    if ideal := dice.ideal:
        model, inputs = model.double(), inputs.double() if floats else inputs
    part = dice.weighted({"hessian": 6, "gauss_newton": 2, "residual": 1})
    route = dice.weighted({"auto": 14, "generic": 4, "structured": 1})
    batch_size = dice.whole(1, min(n, 3))
    reduction, replacement = dice.pick(("mean", "sum")), dice.chance(0.4)
    surroundings = dice.weighted({"": 20, "no_grad": 1, "inference_mode": 0.5, "autocast": 0.5})
    usual = (
        "square" in criterion.name
        or criterion.name.endswith(("cross-entropy torch.int64", "_huber", "_smooth"))
    ) and "decay" not in criterion.name
    core = (
        not ideal
        and name == "plain"
        and family.__name__ in CORE
        and usual
        and route != "structured"
        and surroundings in ("", "no_grad")
    )
    words = (
        f"{family.__name__} | {name} | {criterion.name} | {part}, {route}, n={n}, d={sum(sizes)}"
    )
    if kept != torch.float64:
        words += f", {str(kept).removeprefix('torch.')}"
    if surroundings:
        words += f", in {surroundings}"
    return Draw(
        model,
        criterion,
        inputs,
        reduction,
        part,
        route,
        batch_size,
        replacement,
        surroundings,
        core,
        words,
    )
