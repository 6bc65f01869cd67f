r"""What SAM's stability itself bounds, in every dimension: proved growth against the exact one."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch

from numerics.confrontations.registry import AT_MINIMA
from numerics.confrontations.stability import TIMES, Site, worst_growth
from numerics.confrontations.verdicts import Point
from numerics.hessians.spectra import Estimate, extreme_eigenvalue
from theory.evaluation import evaluate
from theory.trusted.statements import Theorem

__all__ = ["growing"]

START = "it starts at an eigenvector, and the worst start is measured"


def growing(
    theorem: Theorem,
    site: Site,
    name: str,
    measured: Callable[[float], Estimate],
    *,
    power: int = 1,
    each_step: int = 2,
) -> Iterator[Point]:
    """The proved growth against the exact one, in every setting where the hypotheses hold.

    Args:
        theorem: its quantity `growth` is R = c m^p - 1 > 1, c known and m measured.
        site: the minimum.
        name: of the parameter m.
        measured: m with its error, at a radius.
        power: p.
        each_step: which power of R a step multiplies the mean square by.
    """
    for step_size, radius in site.settings():
        m = measured(radius)
        given = {"step_size": step_size, "radius": radius, name: m.value}
        growth = evaluate(theorem, "growth", **given)
        if not growth.covered:
            continue
        relative = 2 * power * m.error / m.value  # R > 1, so c m^p is at most twice R
        for time, worst in worst_growth(site, step_size, radius):
            proved = float(growth.value) ** (each_step * time)
            where = site.where(step_size, radius, t=time, **{name: m.value})
            error = worst.error + each_step * time * relative * proved
            yield Point(proved, worst.value, error, where)


@AT_MINIMA.like(
    "sam-stability-mean-edge",
    words=f"R^(2t) against the exact worst E|x_t|² at t in {TIMES}, where the exact largest "
    "eigenvalue of H + ρE H_b² exceeds 2/η",
    because=START,
    ignores=("limit",),
)
def edge_points(theorem: Theorem, site: Site) -> Iterator[Point]:
    """At a top eigenvector v of the mean surrogate Hessian."""

    def mean_sharpness(radius: float) -> Estimate:
        matrix = site.powers[0] + radius * site.powers[1]
        return extreme_eigenvalue(matrix, scale=float(matrix.norm()))

    return growing(theorem, site, "a_G", mean_sharpness)


@AT_MINIMA.like(
    "sam-stability-s2-every-dimension",
    words=f"R^(2t) against the exact worst E|x_t|² at t in {TIMES}, where s_2² > 2/(ηρ)",
    because=START,
    ignores=("bound",),
)
def spread_points(theorem: Theorem, site: Site) -> Iterator[Point]:
    """At the exact s_2, where the radius is not 0."""
    found = Estimate(site.moments.s2, site.moments.s2_error)
    return growing(theorem, site, "s_2", lambda _: found, power=2)


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
    # u is a unit vector up to rounding, and so is every product with it
    found = Estimate(moment, 5e-12 * moment)
    return growing(theorem, site, "h_4", lambda _: found, each_step=1)
