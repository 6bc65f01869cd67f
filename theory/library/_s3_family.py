r"""A family of bounds on s_3, one for each place where the law of $\rho H_b$ may sit.

With $z = \rho t/\eta$ the condition's quartic, less a multiple of $t^3$ and a linear function of t,
is a positive multiple of $(z^2 - \omega z + pq)^2$ with $2pq = 1 - \omega^2 - 2\rho/\eta$.
"""

from __future__ import annotations

from dataclasses import replace

from theory.language import *
from theory.library import _sharp_moments as sm
from theory.library import _stability as st
from theory.library._sharp_moments import m, one_step
from theory.library._stability import eta, rho, u

s_3 = Param("s_3")
H_3 = st.raw(3, u, u)
#: Enough here, since a square is non-negative on all of the line: a sample may have any sign.
MEAN_PSD = positive_semidefinite("H >= 0", H, "the mean Hessian is positive semidefinite")


def of_the_mean(node: object) -> Cone | None:
    """The curvature of the mean in place of the mean of the curvatures."""
    if isinstance(node, MeanOf) and isinstance(node.part, RuleAt):
        return replace(node.part, assumption=MEAN_PSD.name)
    return None


def parts(contact: Scalar) -> tuple[Scalar, Scalar, Scalar]:
    """η(1 - ω² - 2r), η(ω² - ω + 2r) and the factor of s_3³."""
    return (
        eta * (1 - contact**2) - 2 * rho,
        eta * (contact**2 - contact) + 2 * rho,
        8 * rho**3 * eta**2 * (1 + contact),
    )


def least(contact: Scalar, peak: Scalar) -> Scalar:
    """The bound on s_3³ times its factor."""
    rest, _, _ = parts(contact)
    return 16 * eta**2 * (1 + contact) * peak**3 + rest**2


def peak_at(contact: Scalar, peak: Scalar) -> Condition:
    """The equation of ν."""
    _, slope, _ = parts(contact)
    return Condition("peak", slope.equals(6 * eta * peak**2), "ν/ρ is the mean of the worst law")


def family(contact: Scalar, peak: Scalar) -> tuple[Step, ...]:
    """The steps to a bound on s_3, given that ω and ν are non-negative and 6ην² is large enough.

    Args:
        contact: ω.
        peak: ν.
    """
    rest, slope, scale = parts(contact)
    touching = eta * (2 * rho**2 * H_b(H_b(u)) - 2 * rho * contact * H_b(u)) + rest * u
    known = signs(sm.SIGNS | {contact: "contact >= 0", peak: "peak >= 0"})
    return (
        *rebuild(sm.preliminaries(3), of_the_mean),
        Step(
            "moment",
            scale * H_3 <= 4 * rho * eta * (1 + contact) * slope * m + rest**2,
            add(
                times(known(4 * rho**2), one_step),
                MeanOf(Norm(touching)),
                Multiple(rest**2, Fact("u is a unit vector")),
            ),
            "The condition's quartic, less a cubic, is a square.",
        ),
        Step(
            "scaled bound",
            scale * s_3**3 <= least(contact, peak),
            add(
                Fact("moment"),
                times(known(scale), Fact("Jensen for H^3")),
                Multiple(scale, Fact("s_3")),
                times(
                    known(8 * eta**2 * (1 + contact)),
                    Square(rho * m - peak),
                    known(rho * m + 2 * peak),
                ),
                times(known(4 * rho * eta * (1 + contact) * m), Fact("peak")),
            ),
            "The right side less that multiple of m³ is largest at m = ν/ρ.",
        ),
    )
