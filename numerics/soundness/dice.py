"""All choices of one draw, from its seed and index alone."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

__all__ = ["Dice"]

Item = TypeVar("Item")


class Dice:
    """Choices and numbers of one draw, the same on every machine.

    Numbers come from NumPy's generators, which do not depend on the processor's vector width as
    those of torch do.

    Attributes:
        ideal: whether the draw's twin is built, which computes the same function of its parameters
            in float64 and by differentiable operations only.
    """

    def __init__(self, seed: int, index: int, attempt: int = 0, *, ideal: bool = False) -> None:
        self.ideal = ideal
        self._choices = random.Random(f"{seed}/{index}/{attempt}")
        self._numbers = np.random.default_rng([seed, index, attempt])

    def pick(self, options: Sequence[Item]) -> Item:
        """One of some options."""
        return options[self._choices.randrange(len(options))]

    def weighted(self, options: dict[Item, float]) -> Item:
        """One of some options, by weights."""
        return self._choices.choices(list(options), list(options.values()))[0]

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self._choices.random() < probability

    def whole(self, least: int, most: int) -> int:
        """An integer, both ends included."""
        return self._choices.randint(least, most)

    def normal(self, *shape: int) -> Tensor:
        """Independent standard normal numbers, in float64."""
        return torch.from_numpy(np.asarray(self._numbers.standard_normal(shape)))

    def integers(self, below: int, *shape: int) -> Tensor:
        """Independent uniform integers in 0 ... `below` - 1."""
        return torch.from_numpy(np.asarray(self._numbers.integers(0, below, shape)))

    def fill(self, model: nn.Module) -> nn.Module:
        """Give every parameter normal values of a usual size, and every running statistic some."""
        with torch.no_grad():
            for parameter in model.parameters():
                fan = math.prod(parameter.shape[1:]) if parameter.ndim > 1 else 4
                parameter.copy_(self.normal(*parameter.shape) / math.sqrt(fan))
            for name, buffer in model.named_buffers():
                if name.endswith("running_mean"):
                    buffer.copy_(0.3 * self.normal(*buffer.shape))
                elif name.endswith("running_var"):
                    buffer.copy_(0.5 + self.normal(*buffer.shape).square())
        return model
