r"""What SAM's stability itself bounds, in every dimension: proved growth against the exact one."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from numerics.confrontations.registry import AT_MINIMA
from numerics.confrontations.stability import TIMES, Site, worst_growth
from numerics.confrontations.verdicts import Point
from numerics.hessians.spectra import extreme_eigenvalue
from theory.evaluation import evaluate
from theory.trusted.statements import Theorem

__all__ = ["growing"]

START = "it starts at an eigenvector, and the worst start is measured"


def growing(
    theorem: Theorem,
    site: Site,
    step_size: float,
    radius: float,
    each_step: int,
    error: float,
    **measured: float,
) -> Iterator[Point]:
    """The proved growth against the exact one, where the theorem's hypotheses hold.

    Args:
        theorem: it has the quantity `growth`.
        site: the minimum.
        step_size: η.
        radius: ρ.
        each_step: which power of `growth` a step multiplies the mean square by.
        error: the relative error of `growth`.
        measured: the parameters that are measured there.
    """
    growth = evaluate(theorem, "growth", step_size=step_size, radius=radius, **measured)
    if not growth.covered:
        return
    for time, worst in worst_growth(site, step_size, radius):
        proved = float(growth.value) ** (each_step * time)
        where = site.where(step_size, radius, t=time, **measured)
        yield Point(proved, worst.value, worst.error + each_step * time * error * proved, where)


@AT_MINIMA.like(
    "sam-stability-mean-edge",
    words=f"R^(2t) against the exact worst E|x_t|² at t in {TIMES}, where the exact largest "
    "eigenvalue of H + ρE H_b² exceeds 2/η",
    because=START,
    ignores=("limit",),
)
def edge_points(theorem: Theorem, site: Site) -> Iterator[Point]:
    """At a top eigenvector v of the mean surrogate Hessian."""
    for step_size, radius in site.settings():
        matrix = site.powers[0] + radius * site.powers[1]
        seen = extreme_eigenvalue(matrix, scale=float(matrix.norm()))
        # R = η a_G - 1 > 1, so its relative error is at most twice that of a_G
        error = 2 * seen.error / seen.value
        yield from growing(theorem, site, step_size, radius, 2, error, a_G=seen.value)


@AT_MINIMA.like(
    "sam-stability-s2-every-dimension",
    words=f"R^(2t) against the exact worst E|x_t|² at t in {TIMES}, where s_2² > 2/(ηρ)",
    because=START,
    ignores=("bound",),
)
def spread_points(theorem: Theorem, site: Site) -> Iterator[Point]:
    """At the exact s_2, where the radius is not 0."""
    moments = site.moments
    error = 4 * moments.s2_error / moments.s2
    for step_size, radius in site.settings():
        yield from growing(theorem, site, step_size, radius, 2, error, s_2=moments.s2)


@AT_MINIMA.like(
    "sam-stability-fourth-moment",
    words=f"R^t against the exact worst E|x_t|² at t in {TIMES}, where E|H_b u|⁴ > 4/(ηρ)² at the "
    "top eigenvector u of E H_b²",
    because="it starts where an eigenmatrix is positive, and the worst start is measured",
    ignores=("bound",),
)
def fourth_points(theorem: Theorem, site: Site) -> Iterator[Point]:
    """At one direction, in which samples are steep."""
    u = torch.linalg.eigh(site.powers[1]).eigenvectors[:, -1]
    moment = float((site.hessians.matvec(u) ** 2).sum(1).square().mean())
    for step_size, radius in site.settings():
        # u is a unit vector up to rounding, and so is every product with it
        yield from growing(theorem, site, step_size, radius, 1, 1e-11, h_4=moment)
