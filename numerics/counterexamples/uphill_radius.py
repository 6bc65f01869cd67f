r"""The radius at which SAM on convex quadratics starts to move uphill in the mean.

With components $f_b(x) = \tfrac12 x^{\mathsf T} A_b x$, $0 \preceq A_b \preceq \beta I$,
$H = E A_b$ and $S = E A_b^2$, SAM's mean direction is $(H + \rho S)x$, and its inner product with
the gradient $Hx$ is $x^{\mathsf T}(H^2 + \rho\,\tfrac12(HS + SH))x$.  H and S are positive, their
symmetrised product need not be: for a large enough $\rho$ the form can be negative at some x, and
then $E f$, which is convex, increases at every step size.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from numerics.checks import check_positive

__all__ = ["UphillRadius", "pair", "smallest_uphill_radius", "uphill_radius"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class UphillRadius:
    r"""The smallest radius that was found, for $\beta = 1$.

    Attributes:
        mu: the smallest eigenvalue of H.
        radius: $\rho$, infinite if no pair moves uphill.
        ratio: $\rho / \sqrt\mu$, what theorems on nonconvex and convex components are stated in.
        share: the curvature of the flatter of the two components.
        tolerance: absolute, of the logarithm of the share at which the minimum was located.
        curvatures: both components, shape (2, 2, 2).
    """

    mu: float
    radius: float
    ratio: float
    share: float
    tolerance: float
    curvatures: Floats = field(repr=False)


def uphill_radius(curvatures: Floats) -> tuple[float, Floats]:
    """The radius from which on some point moves uphill in the mean, and that point.

    Args:
        curvatures: the A_b, symmetric, shape (n, d, d), float64, with a positive definite mean.

    Returns:
        The radius, infinite if there is none, and the point, shape (d,).

    Raises:
        ValueError: if the mean is not positive definite.
    """
    inverse_radius, point = _largest(curvatures)
    return (1 / inverse_radius if inverse_radius > 0 else np.inf), point


def _largest(curvatures: Floats) -> tuple[float, Floats]:
    """The largest eigenvalue of the form relative to H², with the sign changed; and where."""
    mean, square = curvatures.mean(0), (curvatures @ curvatures).mean(0)
    if np.linalg.eigvalsh(mean)[0] <= 0:
        raise ValueError("the mean of the curvatures is singular: restrict them to its range")
    inverse = np.linalg.inv(mean)
    values, vectors = np.linalg.eigh(-(square @ inverse + inverse @ square) / 2)
    return float(values[-1]), inverse @ vectors[:, -1]


def pair(share: float, mu: float) -> Floats:
    """Two rank-one components of curvatures 1 and `share` whose mean has smallest eigenvalue mu.

    Raises:
        ValueError: if there is no such pair.
    """
    trace = (1 + share) / 2
    squared_sine = 4 * mu * (trace - mu) / share
    if not 0 < squared_sine <= 1:
        raise ValueError(f"mu = {mu:g} is too large for a component of curvature {share:g}")
    direction = np.array([np.sqrt(1 - squared_sine), np.sqrt(squared_sine)])
    return np.array([np.diag([1.0, 0.0]), share * np.outer(direction, direction)])


def smallest_uphill_radius(mu: float) -> UphillRadius:
    """The smallest uphill radius of two rank-one components with curvatures at most 1.

    Args:
        mu: the smallest eigenvalue of their mean, below 1/8.

    Raises:
        ValueError: for another mu.
    """
    if check_positive("mu", mu) >= 1 / 8:
        raise ValueError(f"mu = {mu:g}: give less than 1/8")
    tolerance = 1e-8
    least = 4 * mu  # from here on a pair exists, for mu below 1/8
    found = minimize_scalar(
        lambda log: -_largest(pair(float(np.exp(log)), mu))[0],
        bounds=(np.log(least), 0.0),
        method="bounded",
        options={"xatol": tolerance},
    )
    share = float(np.exp(found.x))
    curvatures = pair(share, mu)
    radius, _ = uphill_radius(curvatures)
    return UphillRadius(mu, radius, radius / float(np.sqrt(mu)), share, tolerance, curvatures)
