r"""Theorems on second moments of the linearised step: batches, the exact threshold, noise."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

import theory
from numerics.confrontations.full_gradient import quantity, same
from numerics.confrontations.registry import AT_MINIMA
from numerics.confrontations.stability import Site
from numerics.confrontations.verdicts import Point
from numerics.hessians import mean_square_map
from numerics.hessians.spectra import extreme_eigenvalue
from numerics.stability import StabilityThreshold, stability_threshold
from theory.trusted.statements import Theorem

__all__ = ["batched", "condition", "share"]

ROUNDING = 1e-11
#: Why these measurements are each for one statement.
BATCHES = "the statement gives a law, and not how batches are drawn that fulfil it"
EIGENMATRIX = "the statement holds for any V and κ: the exact threshold's are put in"
CONSTANTS = "the statement holds for any constants of the noise: the exact ones are put in"
VECTORS = "the hypothesis is on one vector: random ones are tried"
#: A mean Hessian with a condition number above this has no usable inverse root.
ILL_CONDITIONED = 1e8
#: Directions beyond which fewer batch sizes and radii are looked at.
LARGE = 100
#: Radii as shares of 2/a.
RADIUS_SHARES = (0.0, 0.1, 1.0)
#: Step sizes as shares of an exact threshold.
SHARES = (0.3, 0.8, 0.99, 1.01, 1.5)


@functools.lru_cache(maxsize=4)
def batched(site: Site) -> tuple[Site, ...]:
    """The site at several batch sizes, their powers kept for the theorems that follow."""
    n = site.hessians.samples
    wanted = {1, 2, n - 1, n} if site.hessians.size <= LARGE else {1, n // 5}
    return tuple(replace(site, batch_size=size) for size in sorted(wanted) if 1 <= size <= n)


def batch_settings(site: Site) -> Iterator[tuple[Site, float]]:
    """The site at several batch sizes, and step sizes for SGD."""
    yield from itertools.product(batched(site), dict(site.settings()))


@functools.lru_cache(maxsize=16)
def threshold_at(site: Site, radius: float) -> StabilityThreshold:
    """The exact threshold, kept for both of its theorems."""
    return stability_threshold(site.hessians, radius)


def share(site: Site, theorem: Theorem | None = None) -> float:
    """p, from a theorem's own expression; by default from that on mixtures."""
    given = {"n": float(site.hessians.samples), "batch_size": float(site.batch_size)}
    return quantity(theorem or theory.get("sgd-batch-mixture"), "noise_share", **given)


def condition(site: Site, step_size: float, noise: float) -> float:
    r"""$\lambda_{\max}((I - \eta H)^2 + \eta^2 p (E H_b^2 - H^2))$."""
    mean, second = site.hessians.mean_power(1), site.hessians.mean_power(2)
    step = torch.eye(len(mean), dtype=mean.dtype, device=mean.device) - step_size * mean
    return float(
        extreme_eigenvalue(step @ step + step_size**2 * noise * (second - mean @ mean)).value
    )


@AT_MINIMA.like(
    "sgd-batch-sufficient",
    words="the condition's matrix against the second moment over all batches",
    because=BATCHES,
)
def sufficient_points(theorem: Theorem, site: Site) -> Iterator[Point]:
    """The condition's matrix is the second moment; where it is at most 1, that does not grow."""
    for at, step_size in batch_settings(site):
        allowed = condition(at, step_size, share(at, theorem))
        found = at.step_second_moment(step_size, 0.0).value
        where = at.where(step_size, 0.0)
        yield same(found, allowed, where)
        if allowed <= 1:
            yield Point(found, 1.0, ROUNDING, where)


@AT_MINIMA.like(
    "sgd-batch-bounds",
    words="a and s_2 where the condition holds for a batch",
    because=BATCHES,
)
def bounds_points(theorem: Theorem, site: Site) -> Iterator[Point]:
    """Sharpness and non-uniformity of single samples, where the condition holds for a batch."""
    single = replace(site, batch_size=1).moments
    for at, step_size in batch_settings(site):
        noise = share(at)
        if noise <= 0 or condition(at, step_size, noise) > 1:
            continue
        where = at.where(step_size, 0.0)
        limit = quantity(theorem, "limit", step_size=step_size)
        yield Point(single.sharpness, limit, ROUNDING * limit, where)
        bound = quantity(theorem, "bound", step_size=step_size, p=noise)
        yield Point(float(single.s2) ** 2, bound, ROUNDING * bound, where)


@AT_MINIMA.like(
    "sgd-batch-mixture",
    words="both sides of the identity, all batches counted",
    because=BATCHES,
)
def mixture_points(theorem: Theorem, site: Site) -> Iterator[Point]:
    """Both sides for X = H at a random vector, the batches counted one by one or in pairs."""
    generator = torch.Generator().manual_seed(0)
    n = site.hessians.samples
    products = site.hessians.matvec(site.random_vector(generator))  # (n, d)
    test = site.hessians.mean_power(1)
    pairs = products @ test @ products.mT
    mean = float(pairs.mean())
    for batch_size, batched in batch_forms(pairs, n):
        at = replace(site, batch_size=batch_size)
        p = share(at, theorem)
        expected = (1 - p) * mean + p * float(pairs.diagonal().mean())
        yield same(batched / expected, 1.0, at.where(0.0, 0.0))


def batch_forms(pairs: Tensor, n: int) -> Iterator[tuple[int, float]]:
    r"""$E\langle K_B v, X K_B v\rangle$ over all batches, from all $\langle H_i v, X H_j v\rangle$.

    Batches of two are all pairs; batches of n - 1 leave one sample out.
    """
    own, rows, total = pairs.diagonal(), pairs.sum(1), pairs.sum()
    yield 1, float(own.mean())
    if n > 2:
        each = (own[:, None] + own + 2 * pairs) / 4
        yield 2, float((each.sum() - each.diagonal().sum()) / (n * (n - 1)))
        yield n - 1, float(((total - 2 * rows + own) / (n - 1) ** 2).mean())
    yield n, float(total / n**2)


@AT_MINIMA.like(
    "sgd-batch-monotone",
    words="the second moment at larger batches where the smaller is stable",
    because=BATCHES,
)
def monotone_points(_: Theorem, site: Site) -> Iterator[Point]:
    """X = I does not increase in the mean at one size: then at every larger one."""
    for smaller, larger in itertools.pairwise(batched(site)):
        for step_size in dict(site.settings()):
            if smaller.step_second_moment(step_size, 0.0).value <= 1:
                where = larger.where(step_size, 0.0, smaller_batch=smaller.batch_size)
                value = larger.step_second_moment(step_size, 0.0).value
                yield Point(value, 1.0, ROUNDING, where)


@AT_MINIMA.like(
    "sam-exact-threshold-stable",
    words="the leading second moment after a step below the exact threshold",
    because=EIGENMATRIX,
)
def stable_points(theorem: Theorem, site: Site) -> Iterator[Point]:
    """Below the threshold."""
    return threshold_points(theorem, site, stable=True)


@AT_MINIMA.like(
    "sam-exact-threshold-unstable",
    words="the leading second moment after a step beyond the exact threshold",
    because=EIGENMATRIX,
    ignores=("growth",),
)
def unstable_points(theorem: Theorem, site: Site) -> Iterator[Point]:
    """Beyond the threshold."""
    return threshold_points(theorem, site, stable=False)


def threshold_points(theorem: Theorem, site: Site, stable: bool) -> Iterator[Point]:
    r"""$E\langle x^+, V x^+\rangle$ at random points, V and $\kappa$ from the exact threshold."""
    generator = torch.Generator().manual_seed(0)
    for of_step in RADIUS_SHARES if site.hessians.size <= LARGE else RADIUS_SHARES[1:2]:
        radius = of_step * 2 / site.moments.sharpness
        found = threshold_at(site, radius)
        threshold = quantity(theorem, "threshold", kappa=2 / found.value)
        v = found.directions @ found.eigenmatrix @ found.directions.mT
        drawn = torch.randn(found.dimension, generator=generator, dtype=v.dtype)
        point = found.directions @ drawn.to(v.device)
        for of_threshold in SHARES:
            step_size = of_threshold * threshold
            if (step_size <= threshold) is not stable:
                continue
            later = mean_square_map(site.hessians, step_size, radius)(v)
            ratio = float(point @ later @ point) / float(point @ v @ point)
            # the eigenmatrix enters once, with its residual; 100 covers its spread over the form
            error = 100 * found.residual + ROUNDING
            where = site.where(step_size, radius, threshold=threshold)
            low, high = (ratio, 1.0) if stable else (1.0, ratio)
            yield Point(low, high, error * max(1.0, ratio), where)


def noise_settings(site: Site) -> Iterator[tuple[float, Tensor, Tensor, Tensor, Tensor]]:
    r"""For every radius: $\rho$, $H^{-1/2}$, $H$, $G$ and $E\,G_b H G_b$, if H is invertible."""
    hessian = site.hessians.mean_power(1)
    values, vectors = torch.linalg.eigh(hessian)
    if not float(values[0]) > float(values[-1]) / ILL_CONDITIONED:
        return
    root = vectors @ torch.diag(values**-0.5) @ vectors.mT
    for of_step in RADIUS_SHARES:
        radius = of_step * 2 / float(values[-1])
        mean = hessian + radius * site.hessians.mean_power(2)
        drift = mean @ hessian
        later = mean_square_map(site.hessians, 1.0, radius)(hessian)
        yield radius, root, hessian, mean, later - hessian + drift + drift.mT


def least(root: Tensor, form: Tensor) -> float:
    r"""The least eigenvalue of $H^{-1/2} F H^{-1/2}$."""
    return float(torch.linalg.eigvalsh(root @ form @ root)[0])


def growth_of_loss(site: Site, root: Tensor, hessian: Tensor, step: float, radius: float) -> float:
    r"""The least growth $\min_x E\,\ell(x^+)/\ell(x)$ of the linearised loss in one step."""
    return least(root, mean_square_map(site.hessians, step, radius)(hessian))


@AT_MINIMA.like(
    "sam-aligned-noise",
    words="least growth of the loss in a step, exact",
    because=CONSTANTS,
    ignores=("flatness",),
)
def aligned_points(theorem: Theorem, site: Site) -> Iterator[Point]:
    """The exact alignment of the noise, and the least growth of the loss at large step sizes."""
    for radius, root, hessian, mean, second in noise_settings(site):
        of_step = float(mean.norm())
        noise = second - mean @ hessian @ mean
        given = {
            "radius": radius,
            "alignment": max(0.0, least(root, noise) / of_step**2),
            "frobenius": float(hessian.norm()),
            "root_rank": len(hessian) ** 0.5,
        }
        for of_edge in (0.5, 1.0, 4.0):
            step_size = of_edge * 2 / site.moments.sharpness
            proved = quantity(theorem, "growth", step_size=step_size, **given)
            exact = growth_of_loss(site, root, hessian, step_size, radius)
            # the inverse root loses as many digits as H's condition number has, twice halved
            yield Point(proved, exact, 1e-9 * exact, site.where(step_size, radius))


@AT_MINIMA.like(
    "sam-coherence",
    words="least growth of the loss in a step, exact",
    because=CONSTANTS,
)
def coherent_points(theorem: Theorem, site: Site) -> Iterator[Point]:
    """The exact coherence, and the least growth of the loss where it exceeds the sharpness."""
    for radius, root, hessian, mean, second in noise_settings(site):
        kappa = least(root, second)
        a = -least(root, -(mean @ hessian + hessian @ mean) / 2)
        for beyond in (1.05, 2.0, 5.0):
            step_size = beyond * 2 * a / kappa
            proved = quantity(theorem, "growth", a=a, kappa=kappa, step_size=step_size)
            exact = growth_of_loss(site, root, hessian, step_size, radius)
            yield Point(proved, exact, 1e-9 * exact, site.where(step_size, radius))


@AT_MINIMA.like(
    "sgd-fourth-moment",
    words="fourth moments at random vectors",
    because=VECTORS,
)
def fourth_moment_points(theorem: Theorem, site: Site) -> Iterator[Point]:
    """The fourth moment of the gradients at random unit vectors where the hypothesis holds."""
    generator = torch.Generator().manual_seed(0)
    for step_size in dict(site.settings()):
        for _ in range(5):
            vector = site.random_vector(generator)
            vector = vector / vector.norm()
            products = site.hessians.matvec(vector)
            after = ((vector - step_size * products) ** 2).sum(1) ** 2
            if float(after.mean()) <= 1:
                bound = quantity(theorem, "bound", step_size=step_size)
                measured = float(((products**2).sum(1) ** 2).mean())
                yield Point(measured, bound, ROUNDING * bound, site.where(step_size, 0.0))
