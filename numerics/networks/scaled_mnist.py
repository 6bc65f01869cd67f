r"""MNIST with perceptrons of growing width: the setting of the generalisation figures."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from numerics.checks import check_count
from numerics.data.mnist import CLASSES, load_mnist, noisy_labels, standardise
from numerics.networks.perceptrons import mlp
from numerics.training.comparisons import Classification
from numerics.training.epochs import Data
from numerics.training.linearised import Linearised

__all__ = ["SIDE", "MnistComparison", "ScaledMnist", "check_window"]

SIDE = 28
"""Pixels in a row of an image."""


@dataclass(frozen=True)
class MnistComparison(Classification):
    r"""Networks on MNIST, scored by the error rate.

    Training and validation samples are disjoint parts of MNIST's training set; label noise enters
    the training part only.  The data is the same for every seed.  float32: differences between
    seeds are far above its rounding.

    Attributes:
        label_noise: share of the training labels that are wrong.
        data_seed: of the split and of the label noise.
    """

    samples: int = 2000
    validation: int = 2000
    test: int = 10_000
    radii: Sequence[float] = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
    label_noise: float = 0.0
    data_seed: int = 0

    def data(self, seed: int = 0, device: str | torch.device = "cpu") -> Data:
        """The three sets; the seed of the training does not enter.

        Raises:
            ValueError: if there are too few images, or the label noise is not a share.
        """
        split = self.split("MNIST", _mnist("train"), _mnist("test"), self.data_seed)
        inputs, labels = split.training
        noisy = noisy_labels(labels, self.label_noise, self.data_seed)
        parts = ((inputs, noisy), split.validation, split.test)
        return Data(*((x.to(device), y.to(device)) for x, y in parts))


@dataclass(frozen=True)
class ScaledMnist(MnistComparison):
    r"""Three-layer ReLU perceptrons with hidden widths 300 k and 100 k.

    Attributes:
        scale: $k$; 0.25 to 10 gives 0.06 to 5.4 million parameters.
        linearised: whether the network is replaced by its linearisation where training starts.
    """

    scale: float = 1.0
    linearised: bool = False

    @property
    def pixels(self) -> int:
        """Inputs of the network."""
        return SIDE**2

    def build(self, seed: int, device: str | torch.device = "cpu") -> nn.Module:
        """A fresh network."""
        widths = (self.pixels, round(300 * self.scale), round(100 * self.scale), CLASSES)
        network = mlp(widths, "relu", seed, torch.float32, device)
        return Linearised(network) if self.linearised else network


def check_window(name: str, side: int) -> int:
    """Return the side of a window that tiles an image.

    Raises:
        ValueError: if it is no divisor of 28.
    """
    if check_count(name, side) > SIDE or SIDE % side:
        raise ValueError(f"{name} is {side}: choose a divisor of {SIDE}")
    return side


@functools.cache
def _mnist(split: str) -> tuple[Tensor, Tensor]:
    images, labels = load_mnist(split)
    return standardise(images, torch.float32), torch.from_numpy(labels)
