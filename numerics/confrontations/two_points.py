r"""The law of $H_b$ on two points that attains the bound on s_3, from the theorem's equations."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.optimize import brentq

from numerics.confrontations.registry import AT_MINIMA
from numerics.confrontations.stability import IDENTITY, Site
from numerics.confrontations.verdicts import Point
from theory.evaluation import implied, value
from theory.trusted.statements import Condition, Theorem

__all__ = ["law", "solved"]


@AT_MINIMA.like(
    "sam-stability-s3-attained",
    words="the law on two points: relative distance of E|x⁺|² from |x|² and of s_3³ from its bound",
    because="the statement is met by a law that is made for it",
    reads=("attained",),
)
def attained_points(theorem: Theorem, site: Site) -> Iterator[Point]:
    r"""One direction in which $H_b$ has the law, at the settings that the theorem covers.

    What is measured is how far $E|M_b x|^2$ is from $|x|^2$, and $E H_b^3 - H^3$ from the bound.
    """
    claims = {step.name: step.claim for step in theorem.proof}
    for step_size, radius in site.settings():
        if not 0 < 8 * radius <= 3 * step_size:
            continue
        given = solved(theorem, step_size, radius)
        bound = float(value(claims["attained"].right, **given))
        curvatures, weights = law(given)
        step = 1 - step_size * curvatures - step_size * radius * curvatures**2
        gap = float(weights @ curvatures**3 - (weights @ curvatures) ** 3)
        where = site.where(step_size, radius, contact=given["contact"])
        yield Point(abs(float(weights @ step**2) - 1), 0.0, IDENTITY, where)
        yield Point(abs(gap / bound - 1), 0.0, IDENTITY, where)


def solved(theorem: Theorem, step_size: float, radius: float) -> dict[str, float]:
    """The parameters that solve the theorem's equations, found by bisection over the contact."""
    (best,) = (
        h.relation.slack
        for h in theorem.hypotheses
        if isinstance(h, Condition) and h.name == "best contact"
    )

    def completed(contact: float) -> dict[str, float]:
        given = {"step_size": step_size, "radius": radius, "contact": contact}
        return {k: float(x) for k, x in implied(theorem, frozenset({"peak"}), given).items()}

    # below this contact the square of the peak is negative
    least = (1 + max(0.0, 1 - 8 * radius / step_size) ** 0.5) / 2 + 1e-12
    root = brentq(lambda contact: float(value(best, **completed(contact))), least, 1, xtol=1e-15)
    return completed(root)


def law(given: dict[str, float]) -> tuple[np.ndarray, np.ndarray]:
    r"""The two curvatures and their weights: $\rho H_b$ on the roots of $z^2 - \omega z + pq$.

    Raises:
        ValueError: if it is not a law on non-negative numbers.
    """
    product = (1 - given["contact"] ** 2 - 2 * given["radius"] / given["step_size"]) / 2
    low, high = np.sort(np.roots([1, -given["contact"], product]))
    if not 0 <= low <= given["peak"] <= high:
        raise ValueError(f"the mean {given['peak']} is not between the points {low} and {high}")
    share = (given["peak"] - low) / (high - low)
    return np.array([low, high]) / given["radius"], np.array([1 - share, share])
