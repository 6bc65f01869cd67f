r"""Function classes as inequalities between finitely many samples of a function.

A *sample* of a function is a point with the value and the gradient there.  Each class below says
which inequalities hold between samples, and whether these are sufficient, too: whether numbers that
satisfy them always come from a function of the class in some dimension.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from numerics.worst_case.symmetry import Combination, Components, combine

__all__ = [
    "STAR",
    "Sample",
    "curved",
    "dominated",
    "growth",
    "pair",
    "quadratic_pair",
    "quadratic_spectrum",
    "quadratic_value",
    "self_bounded",
]


@dataclass(frozen=True)
class Sample:
    """Where a function is looked at, and what is seen there.

    Attributes:
        name: for messages and multipliers.
        point: relative to the common minimiser.
        gradient: the gradient there.
        value: the function's value there, above its minimum.
    """

    name: str
    point: Combination
    gradient: Combination
    value: Combination


#: The common minimiser: the origin, where every component and its gradient vanish.
STAR = Sample("x*", {}, {}, {})


def pair(at: Components, u: Sample, v: Sample, lower: float, upper: float) -> Combination:
    r"""Curvature between `lower` m and `upper` M, from v to u, as a row that is at most zero.

    $$ f_v + \langle g_v, u - v\rangle + \frac{1}{2(1 - m/M)}\Bigl(\tfrac1M\|g_u - g_v\|^2 +
       m\|u - v\|^2 - \tfrac{2m}{M}\langle g_u - g_v, u - v\rangle\Bigr) - f_u \le 0. $$
    Between all ordered pairs it is necessary and sufficient for $m = -M$ (smooth), $m = 0$ (smooth
    and convex) and $0 < m < M$ (smooth and strongly convex).

    Source: Taylor, Hendrickx, Glineur 2017, Smooth strongly convex interpolation and exact
        worst-case performance of first-order methods; 2017, Exact worst-case performance of
        first-order methods for composite convex optimization, for smooth functions.
    """
    move = combine((1.0, u.point), (-1.0, v.point))
    turn = combine((1.0, u.gradient), (-1.0, v.gradient))
    scale = 1 / (2 * (1 - lower / upper))
    return combine(
        (1.0, at.value(v.value)),
        (-1.0, at.value(u.value)),
        (1.0, at.inner(v.gradient, move)),
        (scale / upper, at.inner(turn, turn)),
        (scale * lower, at.inner(move, move)),
        (-2 * scale * lower / upper, at.inner(turn, move)),
    )


def curved(
    at: Components, who: str, samples: Sequence[Sample], lower: float, upper: float
) -> dict[str, Combination]:
    """`pair` between all ordered pairs of samples, by name."""
    return {
        f"{who}: {u.name} from {v.name}": pair(at, u, v, lower, upper)
        for u, v in itertools.permutations(samples, 2)
    }


def self_bounded(at: Components, u: Sample, upper: float) -> Combination:
    r"""A smooth function without negative values: $\|g_u\|^2/(2M) - f_u \le 0$.

    Together with `pair` for $m = -M$ it is necessary and sufficient for a smooth function with
    the given minimum.

    Source: Drori, Shamir 2020, The complexity of finding stationary points with stochastic
        gradient descent, on interpolation by smooth functions that are bounded below.
    """
    return combine((1 / (2 * upper), at.inner(u.gradient, u.gradient)), (-1.0, at.value(u.value)))


def dominated(at: Components, u: Sample, mu: float) -> Combination:
    r"""Polyak-Łojasiewicz, convention PL-half: $\mu f_u - \tfrac12\|g_u\|^2 \le 0$.  Necessary."""
    return combine((mu, at.value(u.value)), (-0.5, at.inner(u.gradient, u.gradient)))


def growth(at: Components, u: Sample, mu: float) -> Combination:
    r"""Quadratic growth: $\tfrac\mu2\|u\|^2 - f_u \le 0$.  Necessary.

    The minimiser at the origin is taken to be the one nearest to u.
    """
    return combine((mu / 2, at.inner(u.point, u.point)), (-1.0, at.value(u.value)))


def quadratic_pair(at: Components, u: Sample, v: Sample) -> Combination:
    r"""Zero for a quadratic function: $\langle u, g_v\rangle - \langle v, g_u\rangle$."""
    return combine((1.0, at.inner(u.point, v.gradient)), (-1.0, at.inner(v.point, u.gradient)))


def quadratic_value(at: Components, u: Sample) -> Combination:
    r"""Zero for a quadratic function: $f_u - \tfrac12\langle u, g_u\rangle$."""
    return combine((1.0, at.value(u.value)), (-0.5, at.inner(u.point, u.gradient)))


def quadratic_spectrum(
    at: Components, samples: Sequence[Sample], lower: float, upper: float
) -> list[list[Combination]]:
    r"""Eigenvalues in $[m, M]$: the matrix of $\langle g_u - m u, M v - g_v\rangle$ is PSD.

    With `quadratic_pair` and `quadratic_value` it is necessary and sufficient.

    Source: Bousselmi, Hendrickx, Glineur 2024, Interpolation conditions for linear operators and
        applications to performance estimation problems.
    """
    above = [combine((1.0, u.gradient), (-lower, u.point)) for u in samples]
    below = [combine((upper, u.point), (-1.0, u.gradient)) for u in samples]
    return [
        [
            combine((0.5, at.inner(above[i], below[j])), (0.5, at.inner(above[j], below[i])))
            for j in range(len(samples))
        ]
        for i in range(len(samples))
    ]
