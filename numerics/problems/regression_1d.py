r"""One-dimensional regression: the functions that GD and SAM find, their kinks and their curvature.

A perceptron with one hidden ReLU layer is piecewise linear: neuron j bends it at $-b_j / w_j$,
where the slope changes by $|w_j| v_j$.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from numerics.ensembles import generator
from numerics.hessians import SQUARE_LOSS, exact
from numerics.training import Member, TrainingRun, train_ensemble
from theory.algorithms import GD, SamSpec

__all__ = ["FULL_SAM", "Found", "Regression1d"]

FULL_SAM = SamSpec("normalised SAM", stochastic=False, normalized=True, epsilon=1e-12)
"""With the full gradient: without noise of batches, all differences to GD are SAM's."""


_NEVER = 1e-300
"""A target loss that no training reaches: all take the same number of steps."""


@dataclass(frozen=True)
class Found:
    r"""The function at the end of one training.

    Attributes:
        run: the training.
        kinks: where the slope changes inside the interval, sorted, shape (k,).
        bends: by how much, shape (k,).
        pieces: linear pieces; a kink counts if it has at least the share `Regression1d.visible`
            of the total change of slope.
        trace: of the exact Hessian of the training loss.
        sharpness: its largest eigenvalue.
    """

    run: TrainingRun
    kinks: Tensor
    bends: Tensor
    pieces: int
    trace: float
    sharpness: float


@dataclass(frozen=True)
class Regression1d:
    r"""$y_i = \sin(\pi x_i)$ plus noise at equally spaced points of $[-1, 1]$; full gradients.

    Hidden weights and biases start at $N(0, 1)$, output weights at $N(0, 1/h)$.  The curvature
    grows like the number of neurons h, so that the step size is divided by h.  Both algorithms take
    the same number of steps: GD and SAM (normalised) with one radius at every width.

    Attributes:
        neurons: $h$.
        samples: number of points.
        noise: deviation of the targets' noise; one draw for all seeds.
        step_size: $\eta h$.
        radius: $\rho$ of SAM.
        steps: of every training.
        visible: share of the total change of slope below which a kink counts as no kink.
        data_seed: of the noise.
    """

    neurons: int = 100
    samples: int = 12
    noise: float = 0.3
    step_size: float = 0.5
    radius: float = 0.2
    steps: int = 4000
    visible: float = 0.01
    data_seed: int = 0

    def data(self) -> tuple[Tensor, Tensor]:
        """Inputs and targets, shapes (n, 1)."""
        x = torch.linspace(-1, 1, self.samples, dtype=torch.float64).unsqueeze(1)
        stream = generator(self.data_seed, "noise")
        return x, torch.sin(math.pi * x) + self.noise * torch.randn(
            x.shape, generator=stream, dtype=x.dtype
        )

    def build(self, seed: int) -> nn.Sequential:
        """A fresh network."""
        stream = generator(seed, "regression")
        model = nn.Sequential(
            nn.utils.skip_init(nn.Linear, 1, self.neurons, dtype=torch.float64),
            nn.ReLU(),
            nn.utils.skip_init(nn.Linear, self.neurons, 1, dtype=torch.float64),
        )
        deviations = (1.0, 1.0, self.neurons**-0.5, 0.0)
        with torch.no_grad():
            for parameter, deviation in zip(model.parameters(), deviations, strict=True):
                parameter.normal_(generator=stream).mul_(deviation)
        return model

    def find(self, seeds: Sequence[int]) -> tuple[Found, ...]:
        """Train GD and SAM from every seed: all GD first, then all SAM."""
        x, y = self.data()
        step_size = self.step_size / self.neurons
        members = [
            Member(seed, spec, step_size, self.radius) for spec in (GD, FULL_SAM) for seed in seeds
        ]
        runs = train_ensemble(
            self.build,
            SQUARE_LOSS,
            x,
            y,
            members,
            target_loss=_NEVER,
            max_steps=self.steps,
            check_every=self.steps,
        )
        return tuple(self.describe(run) for run in runs)

    def describe(self, run: TrainingRun) -> Found:
        """Kinks and curvature where a training ended."""
        model, (x, y) = run.load_into(self.build(0)), self.data()
        w, b, v, _ = (parameter.detach().flatten() for parameter in model.parameters())
        places, order = (-b / w).sort()
        bends = (w.abs() * v)[order]
        inside = (places > x.min()) & (places < x.max())
        kinks, bends = places[inside], bends[inside]
        seen = bends.abs() >= self.visible * bends.abs().sum()
        hessian = exact(model, SQUARE_LOSS, x, y)
        return Found(
            run=run,
            kinks=kinks,
            bends=bends,
            pieces=1 + int(seen.sum()),
            trace=float(hessian.trace()),
            sharpness=float(torch.linalg.eigvalsh(hessian)[-1]),
        )
