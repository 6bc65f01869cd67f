"""Normalised SAM stays bounded on quadratics at every radius, where unnormalised SAM diverges."""

from __future__ import annotations

from theory.language import *
from theory.library import _quadratic as qd
from theory.library._quadratic import eta, g, known, rho, u, y

q, ball = Param("q"), Param("squared_radius_of_ball")
after = qd.normalized_step(y, g)
inner_step, push = y - eta * H(y), eta * rho / g * H(H(y))
noise = (eta * rho * beta) ** 2 / (1 - q)
smallest_ball = noise / (1 - q)
contracting, below_one = Fact("q > 0"), Fact("q < 1")

THEOREM = Theorem(
    id="sam-normalized-bounded",
    title=(
        "Normalised SAM maps balls around a quadratic's minimum into themselves from ηρβ/(1 - q) on"
    ),
    title_says=("contraction", "bounded", "large ball", "invariant ball"),
    statement=(
        said(
            "Let |(I - ηH)u| ≤ q|u| with 0 < q < 1 and |Hu| ≤ β|u| for all u.",
            *("contraction", "bounded", "q > 0", "q < 1"),
        ),
        said(
            "Then a step of normalised SAM with the full gradient, from a y where that is not "
            "0, satisfies |y⁺|² ≤ q|y|² + (ηρβ)²/(1 - q).",
            *("gradient", "gradient_norm > 0", "one step"),
        ),
        said(
            "So every ball around the minimum with a radius R ≥ ηρβ/(1 - q) is mapped into "
            "itself, whatever ρ is.",
            *("inside", "large ball", "invariant ball"),
        ),
        unchecked(
            "The iterates stay in it, by induction over the steps; where the gradient is 0 "
            "there is no step."
        ),
    ),
    source=Source(
        "Dai, Ahn, Sra 2023, The crucial role of normalization in sharpness-aware minimization",
        "normalisation stabilises, on quadratics",
        Attribution.RECONSTRUCTED,
    ),
    kind=Kind.UPPER_BOUND,
    hypotheses=(
        Assumption(
            "contraction",
            "|1 - ηλ| ≤ q for every eigenvalue λ of H",
            "definition",
            (Rule("at", (u,), norm2(u - eta * H(u)) <= q**2 * norm2(u)),),
        ),
        qd.bounded(beta),
        Condition("q > 0", q > ZERO),
        Condition("q < 1", q < scalar(1)),
        qd.MOVING,
        Condition("gradient", (g**2).equals(norm2(H(y))), "the gradient's norm at y"),
        Condition("inside", norm2(y) <= ball, "y lies in a ball"),
        Condition("large ball", smallest_ball <= ball, "which is at least so large"),
    ),
    divisors=(known(g), below_one, contracting),
    proof=(
        Step(
            "push",
            norm2(push) <= (eta * rho * beta) ** 2,
            add(
                times(Square(eta * rho / g), RuleAt("bounded", "norm", (H(y),))),
                Multiple(-((eta * rho * beta / g) ** 2), Fact("gradient")),
            ),
            "The perturbation has length ρ, and H stretches by at most β.",
        ),
        Step(
            "one step",
            norm2(after) <= q * norm2(y) + noise,
            add(
                times(Invert(contracting), RuleAt("contraction", "at", (y,))),
                times(Invert(below_one), Fact("push")),
                times(
                    contracting,
                    Invert(below_one),
                    Norm((1 - q) / q * inner_step + push),
                ),
            ),
            "Young's inequality with weights 1/q and 1/(1 - q).",
        ),
        Step(
            "invariant ball",
            norm2(after) <= ball,
            add(
                Fact("one step"),
                times(contracting, Fact("inside")),
                times(below_one, Fact("large ball")),
            ),
            "q M + (1 - q) M = M.",
        ),
    ),
    conclusion=("one step", "invariant ball"),
    witness=witness(
        {
            "step_size": "1/2",
            "radius": 1,
            "beta": 1,
            "q": "1/2",
            "gradient_norm": 1,
            "squared_radius_of_ball": 1,
        },
        {"y": [1]},
        [[[1]]],
    ),
    quantities=(
        Quantity("smallest_ball", smallest_ball, "square of the radius of the smallest ball"),
    ),
    findings=(
        "Unnormalised SAM on the same quadratic diverges as soon as ηβ(1 + ρβ) > 2 (sam-edge); "
        "here ρ has no limit.",
        "In one dimension with ηβ = 1/2 the ball is three times too large: the cycle of "
        "sam-two-cycle has amplitude ηρβ/(2 - ηβ).",
    ),
)
