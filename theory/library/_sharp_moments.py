r"""What the sharp bounds on s_3 and s_4 share: a moment problem along one direction.

Along a unit $u$ the one-step condition is one linear constraint $E\,\phi(T) \le 0$ on the spectral
law of $T = \eta H_b$ at $u$, with $\phi(t) = (1 - t - rt^2)^2 - 1$ and $r = \rho/\eta$; and
$\eta^k s_k^k \le E\,T^k - M^k$ with $M = E\,T$.  A polynomial that is non-negative on $t \ge 0$ and
made of $\phi$, $t^k$, $t$ and 1 bounds the right side; where it vanishes sit the laws that attain
the bound.
"""

from __future__ import annotations

from math import comb

from theory.language import *
from theory.library import _stability as st
from theory.library._stability import eta, rho, u
from theory.library.sam_stability_moments import jensen

SOURCE = Source("this toolkit", "sharpens " + st.SAM_PAPER, Attribution.DERIVED)

m = Inner(u, H(u))
M = eta * m
one_step = RuleAt("one-step condition", "at", (u,))
at_edge = Fact("edge")

RADIUS = Condition("radius > 0", rho > ZERO)
SMALL_RADIUS = Condition("radius range", 8 * rho <= 3 * eta)
EDGE = (
    Condition("edge > 0", edge > ZERO),
    Condition("edge", (rho * edge**2 + eta * edge).equals(2 * eta), "t* = ηa at SAM's edge"),
)
SIGNS: dict[Scalar, str] = {
    eta: "step > 0",
    rho: "radius > 0",
    edge: "edge > 0",
    landing: "landing > 0",
    contact: "contact >= 0",
    peak: "peak >= 0",
    m: "curvature",
}

known = signs(SIGNS)


def on_range(*coefficients: int | Fraction) -> Cone:
    r"""A cone for $\eta^d p(\rho/\eta)$ where p is positive on the range of `SMALL_RADIUS`.

    Args:
        coefficients: of p, of degree d, from the constant on; in the Bernstein basis of the range
            they must not be negative.
    """
    a = [c * Fraction(3, 8) ** i for i, c in enumerate(coefficients)]
    d = len(a) - 1
    weights = [
        sum(comb(i, j) * a[j] / comb(d, j) for j in range(i + 1)) * comb(d, i) for i in range(d + 1)
    ]
    below, above = known(8 * rho), Fact(SMALL_RADIUS.name)
    third = number(Fraction(1, 3))
    return add(
        *(
            times(number(w), *(third,) * d, *(below,) * i, *(above,) * (d - i))
            for i, w in enumerate(weights)
        )
    )


def hypotheses(
    order: int, *more: Hypothesis, curvature: Assumption = st.SAMPLES_PSD
) -> tuple[Hypothesis, ...]:
    """What every bound on s_k assumes, and what one of them assumes besides."""
    s = Param(f"s_{order}")
    return (
        curvature,
        *more,
        st.SUFFICIENT,
        st.STEP,
        RADIUS,
        Condition("u is a unit vector", norm2(u).equals(1)),
        Condition(
            f"s_{order}",
            (s**order).equals(st.gap(order, u, u)),
            "at a top eigenvector u it is the largest eigenvalue",
        ),
    )


def off(point: Scalar) -> Vector:
    r"""$(T - t)u$ for a point $t$ of the attaining law."""
    return eta * H_b(u) - point * u


def distance(point: Scalar) -> Cone:
    r"""$E\,(T - t)^2$."""
    return MeanOf(Norm(off(point)))


def weighted(point: Scalar) -> Cone:
    r"""$E\,T(T - t)^2$."""
    return times(known(eta), MeanOf(RuleAt("H_b >= 0", "psd", (off(point),))))


def twice_weighted(point: Scalar) -> Cone:
    r"""$E\,T^2(T - t)^2$."""
    return MeanOf(Norm(eta * H_b(off(point))))


def preliminaries(order: int) -> tuple[Step, Step]:
    r"""$M \ge 0$ and $\langle u, H^k u\rangle \ge m^k$."""
    curvature = Step(
        "curvature",
        m >= ZERO,
        MeanOf(RuleAt("H_b >= 0", "psd", (u,))),
        "H is positive semidefinite.",
    )
    _, of_mean = jensen(order)
    return curvature, of_mean


def gap_below(order: int, slope: Scalar) -> Step:
    r"""$\eta^k s_k^k \le aM - M^k$, from the step `moment`, $\eta^{k-1}E\,H_b^k \le a\,m$."""
    s = Param(f"s_{order}")
    return Step(
        "gap",
        eta**order * s**order <= slope * M - M**order,
        add(
            times(known(eta), Fact("moment")),
            times(known(eta**order), Fact(f"Jensen for H^{order}")),
            Multiple(eta**order, Fact(f"s_{order}")),
        ),
        "The moment of H is at least that of the mean curvature.",
    )


def highest(order: int, slope: Scalar) -> Scalar:
    r"""A power of the largest $(aM - M^k)/\eta^k$ over M: rational in a.

    The largest value is $(k-1)(a/k)^{k/(k-1)}$, so its power $k - 1$ is a polynomial in a.
    """
    k = order
    top, bottom = scalar((k - 1) ** (k - 1)), scalar(k**k)
    return top * slope**k / (bottom * eta ** (k * (k - 1)))


def highest_bound(order: int, slope: Scalar, reason: Cone) -> tuple[Step, ...]:
    r"""From `gap` to the bound on $s_k^{k(k-1)}$, attained at $M^{k-1} = a/k$.

    Args:
        order: k, 3 or 4; for 3 a condition says that $s_3 \ge 0$.
        slope: a.
        reason: a cone whose value is a, positive.
    """
    s = Param(f"s_{order}")
    X, Y = eta**order * s**order, slope * M - M**order
    claim = s ** (order * (order - 1)) <= highest(order, slope)
    scale = Invert(known(order**order * eta ** (order * (order - 1))))
    if order == 4:
        cubes = add(Square(Y + X / 2), times(number(Fraction(3, 4)), Square(X)))
        factor = add(Square(4 * M**3 - 5 * slope), times(number(2), Square(slope)))
        above = add(times(number(256), Fact("gap"), cubes), times(Square(4 * M**3 - slope), factor))
        why = "aM - M⁴ is largest at 4M³ = a: 27 - 256y(1 - y)³ = (4y - 1)²((4y - 5)² + 2)."
        return (Step("sharp bound", claim, times(scale, above), why),)
    gap_cone = times(known(eta**3), *(Fact("s_3 >= 0"),) * 3)
    mean = Step(
        "mean",
        slope >= M**2,
        times(
            Invert(reason),
            add(times(known(M), add(Fact("gap"), gap_cone)), Square(slope - M**2)),
        ),
        "If M² were above a, then aM - M³ would be negative.",
    )
    above = add(
        times(number(27), Fact("gap"), add(Fact("gap"), times(number(2), gap_cone))),
        times(Square(3 * M**2 - slope), add(reason, times(number(3), Fact("mean")))),
    )
    why = "aM - M³ is largest at 3M² = a: 4 - 27y(1 - y)² = (3y - 1)²(4 - 3y)."
    return mean, Step("sharp bound", claim, times(scale, above), why)


def from_slope(order: int, slope: Scalar, reason: Cone, moment: Cone, why: str) -> tuple[Step, ...]:
    r"""The steps from $\eta^{k-1}E\,H_b^k \le a\,m$ to the bound.

    Args:
        order: k.
        slope: a.
        reason: a cone whose value is a, positive.
        moment: the certificate of the first step.
        why: its reason in words.
    """
    return (
        *preliminaries(order),
        Step("moment", eta ** (order - 1) * st.raw(order, u, u) <= slope * m, moment, why),
        gap_below(order, slope),
        *highest_bound(order, slope, reason),
    )
