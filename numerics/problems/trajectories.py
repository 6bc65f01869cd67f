r"""Expected losses and distances on least squares: exact, and losses also by Monte Carlo.

With residuals $r = A x - b$ and $K = A A^\top$, one unnormalised SAM step on sample $i$ is
$$ r^+ = r - \eta\,(1 + \rho\|a_i\|^2)\,K e_i e_i^\top r, $$
so in $z_i = \sqrt{c_i}\, r_i$ with $c_i = 1 + \rho\|a_i\|^2$ it is SGD with features
$\sqrt{c_i}\,a_i$.  A linear random map has a closed recursion for the second moment
$E z z^\top$; averaged over $i$ and written in the singular basis of the features, $z = U w$, it
costs two matrix products per step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from numerics.checks import check_count, check_nonnegative
from numerics.norms import nonzero_row_norms
from numerics.problems.base import LossCurve
from numerics.problems.constants import compact_svd
from numerics.progress import progress
from theory.trusted.algorithms import SamSpec

__all__ = ["LinearSystem", "expected_distances", "expected_losses", "sampled_losses"]


class LinearSystem(Protocol):
    r"""What is read of a least-squares problem $A x = b$.

    Attributes:
        name: for tables.
        n: number of rows.
        features: A, shape (n, d).
        targets: b, shape (n,).
    """

    name: str
    n: int
    features: Tensor
    targets: Tensor

    @property
    def factors(self) -> tuple[Tensor, Tensor, Tensor]:
        r"""$A = U \operatorname{diag}(\sigma) V^\top$: $U$, $\sigma$, $V$."""

    def residuals(self, x: Tensor) -> Tensor:
        """$A x - b$."""

    def start(self, x0: Tensor | None = None) -> Tensor:
        """`x0` checked, or the origin."""


def expected_losses(
    problem: LinearSystem,
    spec: SamSpec,
    step_size: float,
    radius: float,
    steps: int,
    start: Tensor | None = None,
    *,
    batch_size: int | None = None,
) -> LossCurve:
    r"""Exact $E f(x_t)$, $t = 0 \dots$ `steps`, by propagating the second moment of the residuals.

    Covered: the full gradient (GD, unnormalised full-batch SAM); SGD with batches of any size,
    drawn without replacement; unnormalised SAM with one sample per step, ascending on the same or
    on a fresh sample.

    Args:
        problem: the least-squares problem.
        spec: the algorithm.
        step_size: $\eta \ge 0$.
        radius: $\rho \ge 0$; unused if the algorithm is not perturbed.
        steps: number of steps.
        start: $x_0$, shape (d,); by default the origin.
        batch_size: samples per step, default 1; n for algorithms that use the full gradient.

    Raises:
        ValueError: on bad arguments, or for an algorithm without a (cheap) closed recursion.
    """
    step_size, radius, batch_size = _check(problem, spec, step_size, radius, steps, batch_size)
    mean = _exact(problem, spec, step_size, radius, steps, start, batch_size, distances=False)
    return LossCurve(
        mean=mean,
        standard_error=torch.zeros_like(mean),
        samples=None,
        problem=problem.name,
        algorithm=spec.name,
        step_size=step_size,
        radius=radius,
        batch_size=batch_size,
        seed=None,
        how="exact second moment of the residuals, float64",
    )


def expected_distances(
    problem: LinearSystem,
    spec: SamSpec,
    step_size: float,
    radius: float,
    steps: int,
    start: Tensor | None = None,
    *,
    batch_size: int | None = None,
) -> Tensor:
    r"""Exact $E\|x_t - x_*\|^2$, $t = 0 \dots$ `steps`: shape (`steps` + 1,).

    $x_*$ is the minimiser nearest to $x_0$; every step stays in the row space of the features
    around it.  Arguments, coverage and errors are those of `expected_losses`.
    """
    step_size, radius, batch_size = _check(problem, spec, step_size, radius, steps, batch_size)
    return _exact(problem, spec, step_size, radius, steps, start, batch_size, distances=True)


def _exact(
    problem: LinearSystem,
    spec: SamSpec,
    step_size: float,
    radius: float,
    steps: int,
    start: Tensor | None,
    batch_size: int,
    *,
    distances: bool,
) -> Tensor:
    """The expected loss, or the expected squared distance, at every step."""
    rho = radius if spec.perturbed else 0.0
    full = batch_size == problem.n
    if rho and spec.normalized:
        raise ValueError(
            f"{spec.name} is normalised, so a step is not linear in the residuals and their second "
            "moment obeys no closed recursion: use sampled_losses"
        )
    if rho and not full and batch_size > 1:
        raise ValueError(
            f"{spec.name} with batch_size {batch_size} mixes products of four sampled matrices: "
            f"use batch_size 1 or {problem.n}, or sampled_losses"
        )
    residuals = problem.residuals(problem.start(start))
    if full:
        return _full_batch(problem, residuals, step_size, rho, steps, distances)
    return _second_moment(problem, residuals, spec, step_size, rho, steps, batch_size, distances)


def sampled_losses(
    problem: LinearSystem,
    spec: SamSpec,
    step_size: float,
    radius: float,
    steps: int,
    start: Tensor | None = None,
    *,
    runs: int = 1000,
    seed: int = 0,
    batch_size: int | None = None,
) -> LossCurve:
    r"""Estimate $E f(x_t)$, $t = 0 \dots$ `steps`, for any algorithm, from independent runs.

    All runs advance together, in coordinates of the row space of the features (an isometry, so
    that norms and gradients are unchanged).  Samples are drawn on the CPU: one seed gives the same
    indices on every device.

    Args:
        problem: the least-squares problem.
        spec: the algorithm.
        step_size: $\eta \ge 0$.
        radius: $\rho \ge 0$; unused if the algorithm is not perturbed.
        steps: number of steps.
        start: $x_0$, shape (d,); by default the origin.
        runs: number of independent runs.
        seed: of all runs together.
        batch_size: samples per step, without replacement, default 1; n for algorithms that use
            the full gradient.

    Raises:
        ValueError: on bad arguments.
    """
    step_size, radius, batch_size = _check(problem, spec, step_size, radius, steps, batch_size)
    check_count("runs", runs)
    generator = torch.Generator().manual_seed(check_count("seed", seed, least=0))
    left, sigma, right = problem.factors
    features = left * sigma
    point = (right.mT @ problem.start(start)).expand(runs, -1)

    def draw() -> Callable[[Tensor], Tensor]:
        """The gradient on a fresh batch, one batch per run: shape (runs, m) to (runs, m)."""
        if batch_size == problem.n:
            return lambda y: (y @ features.mT - problem.targets) @ features / problem.n
        batch = _batches(runs, problem.n, batch_size, generator).to(features.device)
        rows, values = features[batch], problem.targets[batch]

        def gradient(y: Tensor) -> Tensor:
            errors = (rows @ y.unsqueeze(-1)).squeeze(-1) - values
            return (errors.unsqueeze(-2) @ rows).squeeze(-2) / batch_size

        return gradient

    samples = features.new_empty(runs, steps + 1)
    for t in progress(range(steps + 1), f"{spec.name}: {runs} runs"):
        samples[:, t] = ((point @ features.mT - problem.targets) ** 2).mean(dim=1) / 2
        if t < steps:
            gradient = draw()
            ascent = draw() if spec.perturbed and spec.fresh_batch else None
            point = spec.step(
                point, step_size, radius, gradient, ascent_gradient=ascent, norm=nonzero_row_norms
            )
    samples = samples.nan_to_num(nan=torch.inf, posinf=torch.inf)
    mean, error = LossCurve.statistics(samples)
    return LossCurve(
        mean=mean,
        standard_error=error,
        samples=samples,
        problem=problem.name,
        algorithm=spec.name,
        step_size=step_size,
        radius=radius,
        batch_size=batch_size,
        seed=seed,
        how=f"Monte Carlo, {runs} runs, float64",
    )


def _check(
    problem: LinearSystem,
    spec: SamSpec,
    step_size: float,
    radius: float,
    steps: int,
    batch_size: int | None,
) -> tuple[float, float, int]:
    check_count("steps", steps, least=0)
    if batch_size is None:
        batch_size = 1 if spec.stochastic else problem.n
    check_count("batch_size", batch_size, most=problem.n)
    if not spec.stochastic and batch_size != problem.n:
        raise ValueError(
            f"batch_size is {batch_size}: {spec.name} uses the full gradient of {problem.n} samples"
        )
    return (
        check_nonnegative("step_size", step_size),
        check_nonnegative("radius", radius),
        batch_size,
    )


def _full_batch(
    problem: LinearSystem,
    residuals: Tensor,
    eta: float,
    rho: float,
    steps: int,
    distances: bool,
) -> Tensor:
    r"""Each singular component of $r$ is multiplied by $1 - \eta h (1 + \rho h)$ in every step."""
    left, sigma, _ = problem.factors
    curvature = sigma**2 / problem.n
    factor = 1 - eta * curvature * (1 + rho * curvature)
    times = torch.arange(steps + 1, dtype=factor.dtype, device=factor.device)
    weights = (left.mT @ residuals) ** 2 / (sigma**2 if distances else 2 * problem.n)
    present = weights > 0  # a component that is absent stays so, also where its factor overflows
    powers = (factor[present] ** 2) ** times.unsqueeze(1)
    return powers @ weights[present]


def _second_moment(
    problem: LinearSystem,
    residuals: Tensor,
    spec: SamSpec,
    eta: float,
    rho: float,
    steps: int,
    batch: int,
    distances: bool,
) -> Tensor:
    r"""Propagate $W = E w w^\top$, where $z = U w$ are the (scaled) residuals.

    With $\Lambda$ the squared singular values and $E z_i^2 = s_i = u_i^\top W u_i$,
    $$ W^+ = W - \Phi W - W \Phi + \Lambda\,(p W + U^\top \operatorname{diag}(q)\, U)\,\Lambda. $$
    One sample: $\Phi = \eta\Lambda/n$, $p = 0$, $q = \eta^2 s / n$.  For batches of size B without
    replacement $p$ and $q$ follow from the inclusion probabilities; for ascent on a fresh sample
    $j$, $z_i$ is replaced by $r_i + \rho K_{ij} r_j$ in the step on $i$.
    """
    n = problem.n
    fresh = spec.fresh_batch and rho > 0
    scale = 1 + (0.0 if fresh else rho) * (problem.features**2).sum(dim=1)
    left, sigma, _ = compact_svd(scale.sqrt().unsqueeze(1) * problem.features)
    spectrum = sigma**2

    one, two = batch / n, batch * (batch - 1) / (n * (n - 1))
    drift = eta * spectrum / n
    if fresh:
        drift = drift * (1 + rho * spectrum / n)
        squared_gram = ((left * spectrum) @ left.mT) ** 2
    outer = torch.outer(spectrum, spectrum)
    decay = 1 - drift - drift.unsqueeze(1) + (eta / batch) ** 2 * two * outer

    component = left.mT @ (scale.sqrt() * residuals)
    moment = torch.outer(component, component)
    mean = residuals.new_full((steps + 1,), torch.inf)
    for t in progress(range(steps + 1), f"{spec.name}: exact"):
        image = left @ moment
        squares = (image * left).sum(dim=1)
        loss = (squares / scale).mean() / 2
        value = (moment.diagonal() / spectrum).sum() if distances else loss
        if not torch.isfinite(value):
            break
        mean[t] = value
        if fresh:
            cross = (image * left) @ spectrum
            squares = squares + (rho / n) * (2 * cross + rho * squared_gram @ squares)
        noise = (left.mT * squares) @ left
        moment = decay * moment + ((eta / batch) ** 2 * (one - two)) * outer * noise
    return mean


def _batches(runs: int, n: int, size: int, generator: torch.Generator) -> Tensor:
    """Uniform index sets without replacement, shape (runs, size)."""
    if size == 1:
        return torch.randint(n, (runs, 1), generator=generator)
    return torch.rand(runs, n, generator=generator).argsort(dim=1)[:, :size]
