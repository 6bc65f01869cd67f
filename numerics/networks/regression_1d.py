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

from numerics.hessians import SQUARE_LOSS, exact
from numerics.training.ensembles import Stack, generator
from numerics.training.to_loss import Member, TrainingRun, train_ensemble
from theory.trusted.algorithms import GD, SamSpec

__all__ = ["FULL_SAM", "Found", "Paths", "Regression1d"]

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
class Paths:
    r"""The ways of GD and SAM from one start, in the plane through it and both ends.

    Attributes:
        steps: at which they are recorded, 0 first, shape (t,).
        places: algorithm -> coordinates of the orthogonal projection onto the plane, shape (t, 2);
            the start is the origin, and GD ends on the first axis.
        distances: algorithm -> distance from the plane, shape (t,).
        axes: coordinates of a square grid around both ways, two tensors of shape (g,).
        losses: training losses on the plane, shape (g, g), first coordinate first.
    """

    steps: Tensor
    places: dict[str, Tensor]
    distances: dict[str, Tensor]
    axes: tuple[Tensor, Tensor]
    losses: Tensor


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

    def paths(self, seed: int, records: int = 80, grid: int = 31) -> Paths:
        """The ways of both algorithms from one seed, recorded more densely where they begin.

        Args:
            seed: of the initial weights.
            records: at most so many steps after the first are recorded.
            grid: points of the loss in each direction of the plane.
        """
        times = torch.logspace(0, math.log10(self.steps), records, dtype=torch.float64)
        steps = torch.cat([torch.zeros(1), times.round()]).unique().long()
        ways = {spec.name: self._way(spec, seed, steps.tolist()) for spec in (GD, FULL_SAM)}
        start = ways[GD.name][0]
        ends = torch.stack([way[-1] - start for way in ways.values()], dim=1)
        basis, triangle = torch.linalg.qr(ends)
        basis = basis * triangle.diagonal().sign()
        moved = {name: way - start for name, way in ways.items()}
        places = {name: move @ basis for name, move in moved.items()}
        seen = torch.cat(list(places.values()))
        low, high = seen.amin(0), seen.amax(0)
        centre, reach = (low + high) / 2, 0.65 * float((high - low).max())
        side = torch.linspace(-reach, reach, grid, dtype=seen.dtype)
        first, second = (centre[k] + side for k in (0, 1))
        plane = torch.cartesian_prod(first, second) @ basis.mT + start
        stack = self._stack(GD, seed)
        stack.points = plane
        return Paths(
            steps=steps,
            places=places,
            distances={n: (m - places[n] @ basis.mT).norm(dim=1) for n, m in moved.items()},
            axes=(first, second),
            losses=stack.losses(*self.data()).mean(1).view(grid, grid),
        )

    def _stack(self, spec: SamSpec, seed: int) -> Stack:
        member = Member(seed, spec, self.step_size / self.neurons, self.radius)
        return Stack([self.build(seed)], SQUARE_LOSS, [member])

    def _way(self, spec: SamSpec, seed: int, steps: Sequence[int]) -> Tensor:
        """The parameters at the given steps, shape (steps, d)."""
        stack, data = self._stack(spec, seed), tuple(t.unsqueeze(0) for t in self.data())
        way, done = [], 0
        for step in steps:
            for _ in range(step - done):
                stack.step((data[0], data[1]))
            way.append(stack.points[0].clone())
            done = step
        return torch.stack(way)
