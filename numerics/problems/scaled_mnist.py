r"""MNIST with perceptrons of growing width: the setting of the generalisation figures."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from numerics.data import CLASSES, load_mnist, noisy_labels, standardise
from numerics.fitting import Data, mistakes
from numerics.hessians import CROSS_ENTROPY
from numerics.hessians.losses import Loss
from numerics.problems.comparisons import Comparison
from numerics.problems.networks import mlp

__all__ = ["ScaledMnist"]

_PIXELS = 784


@dataclass(frozen=True)
class ScaledMnist(Comparison):
    r"""Three-layer ReLU perceptrons with hidden widths 300 k and 100 k, scored by the error rate.

    Training and validation samples are disjoint parts of MNIST's training set; label noise enters
    the training part only.  The data is the same for every seed.  float32: differences between
    seeds are far above its rounding.

    Attributes:
        scale: $k$; 0.25 to 10 gives 0.06 to 5.4 million parameters.
        label_noise: share of the training labels that are wrong.
        data_seed: of the split and of the label noise.
    """

    samples: int = 2000
    validation: int = 2000
    test: int = 10_000
    radii: Sequence[float] = (0.01, 0.02, 0.05, 0.1, 0.2)
    scale: float = 1.0
    label_noise: float = 0.0
    data_seed: int = 0

    @property
    def loss(self) -> Loss:
        """The cross-entropy."""
        return CROSS_ENTROPY

    @property
    def score(self) -> Loss:
        """Mistakes, 0 or 1."""
        return mistakes

    def build(self, seed: int, device: str | torch.device = "cpu") -> nn.Module:
        """A fresh network."""
        widths = (_PIXELS, round(300 * self.scale), round(100 * self.scale), CLASSES)
        return mlp(widths, "relu", seed, torch.float32, device)

    def data(self, seed: int = 0, device: str | torch.device = "cpu") -> Data:
        """The three sets; the seed of the training does not enter.

        Raises:
            ValueError: if there are too few images, or the label noise is not a share.
        """
        (x, y), (test_x, test_y) = _mnist("train"), _mnist("test")
        for name, wanted, present in (
            ("samples + validation", self.samples + self.validation, len(x)),
            ("test", self.test, len(test_x)),
        ):
            if wanted > present:
                raise ValueError(f"{name} is {wanted}: MNIST has {present} of these images")
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(self.data_seed))
        # From the two ends, so that the validation set does not depend on the training samples.
        training, validation = order[: self.samples], order[len(x) - self.validation :]
        noisy = noisy_labels(y[training], self.label_noise, self.data_seed)
        parts = (
            (x[training], noisy),
            (x[validation], y[validation]),
            (test_x[: self.test], test_y[: self.test]),
        )
        return Data(*((inputs.to(device), labels.to(device)) for inputs, labels in parts))


@functools.cache
def _mnist(split: str) -> tuple[Tensor, Tensor]:
    images, labels = load_mnist(split)
    return standardise(images, torch.float32), torch.from_numpy(labels)
