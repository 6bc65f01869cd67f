r"""SGD beside SAM at several radii, from one seed: what every comparison of test scores shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import torch
from torch import Tensor, nn

from numerics.hessians.losses import CROSS_ENTROPY, Loss
from numerics.training.epochs import Data, Fit, StepSchedule, fit_ensemble, mistakes
from numerics.training.to_loss import Member
from theory.trusted.algorithms import NORMALIZED_SAM, SAM, SGD

__all__ = ["Classification", "Trial"]


@dataclass(frozen=True)
class Trial:
    r"""Heavy ball with and without SAM (normalised over all parameters or not, same batch).

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
        normalized: whether SAM divides its ascent step by the norm of the gradient.
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
    normalized: bool = True

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

    def prune(self, model: nn.Module, seed: int, data: Data) -> Tensor | None:
        """Prune a fresh network in place; which parameters are left, None where all are."""
        return None

    def split(
        self,
        name: str,
        everything: tuple[Tensor, Tensor],
        held_out: tuple[Tensor, Tensor],
        seed: int,
    ) -> Data:
        """Disjoint training and validation sets from one set, the beginning of another for tests.

        Args:
            name: of the data, for the message.
            everything: inputs and labels to draw from.
            held_out: inputs and labels of the test set.
            seed: of the draw.

        Raises:
            ValueError: if there are too few samples.
        """
        (x, y), (test_x, test_y) = everything, held_out
        for what, wanted, present in (
            ("samples + validation", self.samples + self.validation, len(x)),
            ("test", self.test, len(test_x)),
        ):
            if wanted > present:
                raise ValueError(f"{what} is {wanted}: {name} has {present} of these images")
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
        # From the two ends, so that the validation set does not depend on the training samples.
        training, validation = order[: self.samples], order[len(x) - self.validation :]
        return Data(
            (x[training], y[training]),
            (x[validation], y[validation]),
            (test_x[: self.test], test_y[: self.test]),
        )

    @property
    def schedule(self) -> StepSchedule:
        """Of the step size."""
        return StepSchedule((0.25, 0.5, 0.75))

    def members(self, seed: int) -> list[Member]:
        """The trainings from one seed: SGD, then SAM with each radius."""
        sam = NORMALIZED_SAM if self.normalized else SAM
        settings = (self.batch_size, self.momentum, self.weight_decay)
        return [
            Member(seed, spec, self.step_size, radius, *settings)
            for spec, radius in ((SGD, 0.0), *((sam, radius) for radius in self.radii))
        ]

    def fit(self, seed: int, device: str | torch.device = "cpu") -> tuple[Fit, ...]:
        """Train all members from one seed and on the same batches."""
        data, members = self.data(seed, device), self.members(seed)
        model = self.build(seed, device)
        mask = self.prune(model, seed, data)
        return fit_ensemble(
            lambda _: model,
            self.loss,
            data,
            members,
            epochs=self.epochs,
            schedule=self.schedule,
            score=self.score,
            masks=None if mask is None else [mask] * len(members),
        )

    def outcome(self, seed: int, device: str | torch.device = "cpu") -> dict[str, Any]:
        """What tables need of `fit`, as JSON values; None for a number that is not finite."""
        fits = self.fit(seed, device)
        return {"device": fits[0].device, "size": self.size, "members": [_scores(f) for f in fits]}


@dataclass(frozen=True)
class Classification(Trial):
    """Training by the cross-entropy, scores by the error rate."""

    @property
    def loss(self) -> Loss:
        """The cross-entropy."""
        return CROSS_ENTROPY

    @property
    def score(self) -> Loss:
        """Mistakes, 0 or 1."""
        return mistakes


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
