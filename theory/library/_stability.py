"""What the stability theorems share: SAM on the quadratics H_b, the minimum at the origin."""

from __future__ import annotations

from theory.language import *

SAM_PAPER = "Shin, Lee, Andriushchenko, Lee 2023, arXiv 2311.17539"

u = Named("u")
eta, rho = step_size, radius
linearised = Dynamics(SAM, H, x_0)

SAMPLES_PSD = positive_semidefinite("H_b >= 0", H_b, "every H_b is positive semidefinite")
STEP = Condition("step > 0", eta > ZERO)
RADIUS = Condition("radius >= 0", rho >= ZERO)
POSITIVE_RADIUS = Condition("radius > 0", rho > ZERO)


def stepped(vector: Vector) -> Vector:
    """M_b applied to a vector: one step of the linearised dynamics."""
    return substitute(linearised.step(), x, vector)


def applied(operator: Operator, times: int, vector: Vector) -> Vector:
    """A power of an operator applied to a vector."""
    return vector if times == 0 else operator(applied(operator, times - 1, vector))


def raw(order: int, left: Vector, right: Vector) -> Scalar:
    """<left, E[H_b^k] right>."""
    return Mean(Inner(left, applied(H_b, order, right)))


def gap(order: int, left: Vector, right: Vector) -> Scalar:
    """<left, (E[H_b^k] - H^k) right>."""
    return raw(order, left, right) - Inner(left, applied(H, order, right))


def published_form(left: Vector, right: Vector) -> Scalar:
    """The published matrix of the one-step condition, as a bilinear form."""
    mean_step = right - eta * H(right) - eta * (rho * applied(H, 2, right))
    mean_step_left = left - eta * H(left) - eta * (rho * applied(H, 2, left))
    return (
        Inner(mean_step_left, mean_step)
        + eta * (eta - 2 * rho) * gap(2, left, right)
        + 2 * eta**2 * rho * gap(3, left, right)
        + eta**2 * rho**2 * gap(4, left, right)
    )


SUFFICIENT = Assumption(
    "one-step condition",
    "λ_max((I - ηH - ηρH²)² + η(η - 2ρ)(E H_b² - H²) + 2η²ρ(E H_b³ - H³) + η²ρ²(E H_b⁴ - H⁴)) ≤ 1",
    SAM_PAPER,
    (Rule("at", (u,), published_form(u, u) <= norm2(u)),),
)
