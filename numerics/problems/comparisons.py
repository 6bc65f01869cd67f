r"""SGD beside SAM at several radii, from one seed: what every comparison of test scores shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import torch
from torch import nn

from numerics.fitting import Data, Fit, StepSchedule, fit_ensemble
from numerics.hessians.losses import Loss
from numerics.training import Member
from theory.algorithms import NORMALIZED_SAM, SGD

__all__ = ["Comparison"]


@dataclass(frozen=True)
class Comparison:
    r"""Heavy ball with and without SAM (normalised over all parameters, same batch).

    Weight decay is added to the gradient of the descent step and not perturbed; the step size is
    divided by ten after a quarter, half and three quarters of the epochs.

    Attributes:
        samples: of the training set.
        validation: samples that choose the epoch and the radius.
        test: samples of the test set.
        epochs: passes over the training set.
        radii: $\rho$ of SAM; SGD is trained beside them.
        step_size: $\eta$.
        batch_size: samples per step.
        momentum: $\gamma$.
        weight_decay: $\lambda$.
    """

    samples: int = 1000
    validation: int = 1000
    test: int = 5000
    epochs: int = 40
    radii: Sequence[float] = (0.02, 0.05, 0.1, 0.2)
    step_size: float = 0.1
    batch_size: int = 128
    momentum: float = 0.9
    weight_decay: float = 1e-4

    @property
    def loss(self) -> Loss:
        """What is minimised, per sample."""
        raise NotImplementedError

    @property
    def score(self) -> Loss:
        """What is compared, per sample, lower is better."""
        return self.loss

    @property
    def size(self) -> int:
        """Number of parameters."""
        return sum(parameter.numel() for parameter in self.build(0).parameters())

    def build(self, seed: int, device: str | torch.device = "cpu") -> nn.Module:
        """A fresh network."""
        raise NotImplementedError

    def data(self, seed: int, device: str | torch.device = "cpu") -> Data:
        """The three sets."""
        raise NotImplementedError

    def fit(self, seed: int, device: str | torch.device = "cpu") -> tuple[Fit, ...]:
        """Train SGD, then SAM with each radius, from one seed and on the same batches."""
        algorithms = [(SGD, 0.0), *((NORMALIZED_SAM, radius) for radius in self.radii)]
        return fit_ensemble(
            lambda wanted: self.build(wanted, device),
            self.loss,
            self.data(seed, device),
            [
                Member(
                    seed,
                    spec,
                    self.step_size,
                    radius,
                    self.batch_size,
                    self.momentum,
                    self.weight_decay,
                )
                for spec, radius in algorithms
            ],
            epochs=self.epochs,
            schedule=StepSchedule((0.25, 0.5, 0.75)),
            score=self.score,
        )

    def outcome(self, seed: int, device: str | torch.device = "cpu") -> dict[str, Any]:
        """What tables need of `fit`, as JSON values; None for a number that is not finite."""
        fits = self.fit(seed, device)
        return {"device": fits[0].device, "size": self.size, "members": [_scores(f) for f in fits]}


def _scores(fit: Fit) -> dict[str, Any]:
    numbers = {
        "radius": fit.member.radius,
        "validation": float(fit.validation_scores.min()),
        "test_best": fit.test_best,
        "test_last": fit.test_last,
        "training_loss": fit.training_loss,
        "training_score": fit.training_score,
    }
    finite = {name: value if isfinite(value) else None for name, value in numbers.items()}
    return {**finite, "best_epoch": fit.best_epoch, "diverged": fit.diverged}
