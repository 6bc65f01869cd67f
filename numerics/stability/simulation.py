r"""Growth of $E\|x_t\|^2$ by simulation: an oracle that knows nothing of eigenvalues.

A plain average over trajectories misses the mean square: it is carried by rare trajectories that
multiply many large factors, while the typical one may shrink.  So the particles are an importance
sample: each step multiplies a weight by $\|x^+\|^2 / \|x\|^2$, and where weights have become
uneven the directions are redrawn in proportion to them.  The product of the mean factors is an
unbiased estimate Z of $E\|x_t\|^2$ for every number of particles (Del Moral 2004).  After a
burn-in, $\log Z$ per step, averaged over independent replicas, estimates $\log r(T_\eta)$ from
below, by half the variance of $\log Z$ where that is nearly normal; the rate is corrected for it.

The rule of decision: a run says `stable` or `unstable` when the rate differs from zero by more
than `CONFIDENCE` standard errors plus that correction, and `inconclusive` otherwise.  A bisection
over step sizes is decisive when a stable and an unstable step size within `DECISIVE` of each other
were found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from numerics.checks import check_count, check_positive
from numerics.hessians import SampleHessians
from theory.trusted.algorithms import SAM, SamSpec

__all__ = [
    "DECISIVE",
    "Growth",
    "SimulatedThreshold",
    "draw_batches",
    "linearised_step",
    "mean_square_growth",
    "simulated_threshold",
]

#: Standard errors by which a rate must differ from zero: two-sided 0.1% of Student's t with 15
#: degrees of freedom.
CONFIDENCE = 4.07
REPLICAS = 16
#: Largest ratio of an unstable to a stable step size that still places the boundary within 2%.
DECISIVE = 1.04

Step = Callable[[Tensor, torch.Generator], Tensor]


@dataclass(frozen=True)
class Growth:
    r"""The measured rate $\frac1t \log E\|x_t\|^2$.

    Attributes:
        rate: per step.
        standard_error: of the rate, over independent replicas.
        bias: the correction that the rate contains, for the concavity of the logarithm.
        steps: averaged over.
        burn_in: steps before them.
        particles: in each replica.
        replicas: independent ones.
        seed: of all random numbers.
    """

    rate: float
    standard_error: float
    bias: float
    steps: int
    burn_in: int
    particles: int
    replicas: int
    seed: int

    @property
    def verdict(self) -> str:
        """`stable`, `unstable`, or `inconclusive` where the rate is within its error of zero."""
        if abs(self.rate) <= CONFIDENCE * self.standard_error + self.bias:
            return "inconclusive"
        return "stable" if self.rate < 0 else "unstable"


@dataclass(frozen=True)
class SimulatedThreshold:
    r"""The boundary between step sizes that simulation calls stable and unstable.

    Attributes:
        stable: the largest step size called stable.
        unstable: the smallest called unstable.
        runs: step size and growth, in the order of the bisection.
    """

    stable: float
    unstable: float
    runs: tuple[tuple[float, Growth], ...]

    @property
    def value(self) -> float:
        """The geometric mean of both ends."""
        return float((self.stable * self.unstable) ** 0.5)

    @property
    def decisive(self) -> bool:
        """Whether the ends are so near that the boundary is known to 2%."""
        return self.unstable <= self.stable * DECISIVE


def mean_square_growth(
    step: Step,
    start: Tensor,
    *,
    steps: int,
    particles: int = 256,
    burn_in: int | None = None,
    seed: int = 0,
) -> Growth:
    r"""Estimate the rate at which $E\|x_t\|^2$ grows.

    From an isotropic start the expected rate at time t approaches $\log r(T_\eta)$ from below as t
    grows; too short a burn-in therefore errs towards stability.

    Args:
        step: one random step of every particle, shape (m, R) to itself, homogeneous of degree 1.
        start: any tensor of shape (R,); gives size, dtype and device.
        steps: to average over.
        particles: in each of 16 replicas.
        burn_in: steps before; as many as `steps` by default.
        seed: of a generator of its own.
    """
    check_count("steps", steps)
    check_count("particles", particles, least=2)
    burn_in = check_count("burn_in", steps if burn_in is None else burn_in, least=0)
    generator = torch.Generator(device=start.device).manual_seed(seed)
    shape = (REPLICAS * particles, start.numel())
    points = torch.randn(shape, generator=generator, dtype=start.dtype, device=start.device)
    points = points / points.norm(dim=1, keepdim=True)
    logs = start.new_zeros(REPLICAS)
    weights = start.new_full((REPLICAS, particles), 1 / particles)
    for time in range(burn_in + steps):
        points = step(points, generator)
        sizes = points.norm(dim=1, keepdim=True)
        points = points / sizes
        weights = weights * sizes.view(REPLICAS, particles).square()
        total = weights.sum(1, keepdim=True)
        if time >= burn_in:
            logs = logs + total.squeeze(1).log()
        weights = weights / total
        if bool((weights.square().sum(1) * particles > 2).any()):
            points = points[_redrawn(weights, generator)]
            weights = torch.full_like(weights, 1 / particles)
    variance = float(logs.var())
    bias = variance / (2 * steps)
    # of the mean, and of half the variance, for normal log Z
    error = (variance / REPLICAS + variance**2 / (2 * (REPLICAS - 1))) ** 0.5 / steps
    rate = float(logs.mean()) / steps + bias
    return Growth(rate, error, bias, steps, burn_in, particles, REPLICAS, seed)


def _redrawn(weights: Tensor, generator: torch.Generator) -> Tensor:
    """Systematic resampling within each replica: row numbers, shape (replicas x particles,)."""
    replicas, particles = weights.shape
    offset = torch.rand(
        replicas, 1, generator=generator, dtype=weights.dtype, device=weights.device
    )
    places = (torch.arange(particles, device=weights.device) + offset) / particles
    chosen = torch.searchsorted(weights.cumsum(1), places).clamp(max=particles - 1)
    first = particles * torch.arange(replicas, device=weights.device)
    return (chosen + first[:, None]).flatten()


def simulated_threshold(
    step_at: Callable[[float], Step],
    start: Tensor,
    low: float,
    high: float,
    *,
    steps: int,
    longest: int,
    particles: int = 256,
    seed: int = 0,
) -> SimulatedThreshold:
    r"""Bisect for the boundary between two step sizes, doubling the runs that decide nothing.

    Args:
        step_at: step size to step.
        start: as in `mean_square_growth`.
        low: a step size below the boundary, simulated too.
        high: a step size above it, simulated too.
        steps: of the first run at each step size.
        longest: steps at which a run that is still inconclusive ends the search.
        particles: in each replica.
        seed: of the first run; later ones count on.

    Raises:
        ValueError: if `low` is found unstable, or `high` stable.
    """
    if not check_positive("low", low) < check_positive("high", high):
        raise ValueError(f"low is {low:g} and high {high:g}: give low < high")
    runs: list[tuple[float, Growth]] = []

    def verdict(step_size: float) -> str:
        length = steps
        while True:
            found = mean_square_growth(
                step_at(step_size), start, steps=length, particles=particles, seed=seed + len(runs)
            )
            runs.append((step_size, found))
            if found.verdict != "inconclusive" or 2 * length > longest:
                return found.verdict
            length *= 2

    if verdict(low) == "unstable" or verdict(high) == "stable":
        raise ValueError(f"the boundary is not between {low:g} and {high:g}: widen the interval")
    while high > low * DECISIVE:
        middle = (low * high) ** 0.5
        found = verdict(middle)
        if found == "inconclusive":  # at the boundary itself: step off it to both sides
            below, above = middle / DECISIVE**0.49, middle * DECISIVE**0.49
            low = below if below > low and verdict(below) == "stable" else low
            high = above if above < high and verdict(above) == "unstable" else high
            break
        low, high = (middle, high) if found == "stable" else (low, middle)
    return SimulatedThreshold(low, high, tuple(runs))


def linearised_step(
    hessians: SampleHessians,
    step_size: float,
    radius: float = 0.0,
    spec: SamSpec = SAM,
    *,
    batch_size: int = 1,
) -> Step:
    r"""One step of the linearised dynamics $x^+ = M_b x$, as the algorithm itself says.

    Args:
        hessians: of every sample, on their joint range.
        step_size: $\eta$.
        radius: $\rho$.
        spec: an algorithm that uses one batch.
        batch_size: samples in a batch, drawn without replacement.
    """
    n, rank = hessians.samples, hessians.basis.rank
    identity = torch.eye(rank, dtype=hessians.dtype, device=hessians.device)
    columns = hessians.basis.expand_each(identity.expand(n, -1, -1))
    rows = (hessians.cores @ columns.mT).contiguous()  # C_i U_i'
    columns = columns.mT.contiguous()

    def step(points: Tensor, generator: torch.Generator) -> Tensor:
        batch = draw_batches(n, batch_size, len(points), generator)
        left, right = (part[batch].flatten(1, 2) for part in (columns, rows))

        def gradient(at: Tensor) -> Tensor:
            inner = right @ at.unsqueeze(2)
            return (left.mT @ inner).squeeze(2) / batch_size

        return spec.step(points, step_size, radius, gradient)

    return step


def draw_batches(n: int, size: int, count: int, generator: torch.Generator) -> Tensor:
    """Independent batches of different samples, shape (count, size)."""
    if size == 1:
        return torch.randint(n, (count, 1), generator=generator, device=generator.device)
    order = torch.rand(count, n, generator=generator, device=generator.device)
    return order.topk(size, dim=1).indices
