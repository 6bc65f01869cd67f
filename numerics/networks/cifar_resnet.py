r"""CIFAR-10 with residual networks of growing width: the published setting."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from numerics.data.cifar10 import CLASSES, crop_and_flip, load_cifar10, standardise
from numerics.networks.resnet import ResNet18
from numerics.training.batch_norm import fit_module
from numerics.training.comparisons import Classification
from numerics.training.epochs import Data, Fit, StepSchedule

__all__ = ["CifarResNet"]


@dataclass(frozen=True)
class CifarResNet(Classification):
    r"""ResNet-18 with k filters in its first stage, scored by the error rate.

    Training and validation samples are disjoint parts of the 50000 training images; training
    images are shifted and mirrored at random.  The step size is divided by ten after half and three
    quarters of the epochs.  Running statistics of the batch normalisation follow the pass at the
    parameters themselves, never the perturbed one.  float32, one training after another.

    Attributes:
        filters: $k$; 4 to 256 gives 0.04 to 179 million parameters.
        data_seed: of the split.
    """

    samples: int = 45_000
    validation: int = 5000
    test: int = 10_000
    epochs: int = 200
    radii: Sequence[float] = (0.01, 0.02, 0.05, 0.1, 0.2)
    weight_decay: float = 5e-4
    filters: int = 64
    data_seed: int = 0

    @property
    def schedule(self) -> StepSchedule:
        """Two drops."""
        return StepSchedule((0.5, 0.75))

    def build(self, seed: int, device: str | torch.device = "cpu") -> ResNet18:
        """A fresh network."""
        return ResNet18(self.filters, CLASSES, seed, device=device)

    def data(self, seed: int = 0, device: str | torch.device = "cpu") -> Data:
        """The three sets; the seed of the training does not enter.

        Raises:
            DataAbsent: if the archive is not on this machine.
            ValueError: if it is damaged, or there are too few images.
        """
        split = self.split("CIFAR-10", _cifar10("train"), _cifar10("test"), self.data_seed)
        parts = (split.training, split.validation, split.test)
        return Data(*((x.to(device), y.to(device)) for x, y in parts))

    def fit(self, seed: int, device: str | torch.device = "cpu") -> tuple[Fit, ...]:
        """Train the members one after another, from one seed and on the same batches."""
        data = self.data(seed, device)
        return tuple(
            fit_module(
                self.build(seed, device),
                self.loss,
                data,
                member,
                epochs=self.epochs,
                schedule=self.schedule,
                score=self.score,
                augmentation=crop_and_flip,
            )
            for member in self.members(seed)
        )


@functools.cache
def _cifar10(split: str) -> tuple[Tensor, Tensor]:
    images, labels = load_cifar10(split)
    return standardise(images), torch.from_numpy(labels)
