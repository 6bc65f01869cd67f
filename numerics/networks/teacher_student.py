r"""Teacher and student: two-layer perceptrons of growing width learn another one from samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from numerics.hessians import SQUARE_LOSS
from numerics.hessians.losses import Loss
from numerics.networks.perceptrons import mlp
from numerics.training.comparisons import Trial
from numerics.training.ensembles import generator
from numerics.training.epochs import Data

__all__ = ["TeacherStudent"]


@dataclass(frozen=True)
class TeacherStudent(Trial):
    r"""Regression on $y = t(\xi) + \sigma\varepsilon$, $\xi \sim N(0, I)$, $t$ a ReLU perceptron.

    Teacher and student have one hidden layer; the teacher's outputs are scaled to variance 1 on the
    test set, which is noiseless, so that a test loss of 1/2 is what the zero function has.  Every
    seed draws its own teacher, samples and initial weights: the seeds are independent experiments.

    Attributes:
        hidden: width of the student.
        inputs: dimension of $\xi$.
        teacher: width of the teacher.
        noise: $\sigma$, of training and validation targets.
    """

    validation: int = 500
    epochs: int = 60
    radii: Sequence[float] = (0.05, 0.1, 0.2, 0.5, 1.0)
    step_size: float = 0.02
    hidden: int = 300
    inputs: int = 100
    teacher: int = 10
    noise: float = 0.2

    @property
    def loss(self) -> Loss:
        """Half the squared error."""
        return SQUARE_LOSS

    def build(self, seed: int, device: str | torch.device = "cpu") -> nn.Module:
        """A fresh student."""
        return mlp((self.inputs, self.hidden, 1), "relu", seed, device=device)

    def data(self, seed: int, device: str | torch.device = "cpu") -> Data:
        """The three sets of one seed."""
        stream = generator(seed, "teacher")
        teacher = mlp((self.inputs, self.teacher, 1), "relu", _draw(stream))
        with torch.no_grad():
            for weight in list(teacher.parameters())[:2]:  # kinks away from the origin, too
                weight.add_(0.1 * torch.randn(weight.shape, generator=stream, dtype=weight.dtype))
            sizes = (self.samples, self.validation, self.test)
            x = torch.randn(sum(sizes), self.inputs, generator=stream, dtype=torch.float64)
            y = teacher(x)
            y = (y - y[-self.test :].mean()) / y[-self.test :].std()
            noise = self.noise * torch.randn(y.shape, generator=stream, dtype=torch.float64)
            noise[-self.test :] = 0
        parts = zip(x.to(device).split(sizes), (y + noise).to(device).split(sizes), strict=True)
        return Data(*parts)


def _draw(stream: torch.Generator) -> int:
    return int(torch.randint(2**31, (1,), generator=stream))
