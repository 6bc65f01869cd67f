"""SAM on convex samples never moves away from a common minimiser, at radii of order 1/β."""

from __future__ import annotations

from theory.language import *
from theory.library import _angles as angles
from theory.library import _pl as pl
from theory.library import sam_pl_linear as published
from theory.library._convex import CONVEX_SAMPLES, between

x_star, w = Named("x_star"), stretch
after, perturbed, h, q = published.after, published.perturbed, published.h, published.q
distance, own_loss = norm2(x - x_star), Value(f_b, x)
z = beta * step_size
max_step_size = 1 / beta * (1 - q**2 / (1 + 2 * q))
share = (1 + q) * (2 - (1 + q) / (2 - z))

SIGNS = pl.KNOWN | {mu: "mu > 0", w: "stretch > 0"}
MINIMISER = minimiser("common minimiser", f_b, x_star)
VALUE = Condition("value 0", Value(f_b, x_star).equals(ZERO), "interpolation: f_b(x*) = 0")
GROWTH = Assumption(
    "quadratic growth",
    "f grows at least like (μ/2)|u - x*|²",
    "Karimi et al. 2016: PL-half with μ implies it, x* being the nearest minimiser",
    (Rule("growth", (u,), mu / 2 * norm2(u - x_star) <= Value(f, u)),),
)
GROWS: tuple[Hypothesis, ...] = (
    GROWTH,
    angles.MU,
    Condition("mu <= beta", mu <= beta, "f is a mean of β-smooth losses", implicit=True),
)
SETTING: tuple[Hypothesis, ...] = (
    pl.smooth_samples("descent"),
    CONVEX_SAMPLES,
    MINIMISER,
    VALUE,
    pl.BETA_POSITIVE,
    pl.STEP,
    pl.RADIUS,
)
start = substitute(distance, x, x_0)
SETTING_IN_WORDS = said(
    "Let every f_b be convex and β-smooth, and let x* minimise every f_b, with value 0.",
    *("smooth samples", "convex samples", "common minimiser", "value 0", "beta > 0"),
)
SOURCE = Source("this toolkit", "", Attribution.DERIVED)

known = signs(SIGNS)


def above_minimum(point: Vector) -> Cone:
    """f_b(point) ≥ 0: the tangent at x*."""
    return add(
        RuleAt("convex samples", "tangent", (x_star, point)),
        minus(RuleAt("common minimiser", "critical", (point - x_star,))),
        minus(Fact("value 0")),
    )


#: <h, y - x*> ≥ f_b(y) + |h|²/(2β) at the perturbed point y, by the descent from x* along h.
TOWARDS_MINIMUM = add(
    RuleAt("convex samples", "tangent", (perturbed, x_star + 1 / beta * h)),
    RuleAt("smooth samples", "descent", (x_star, x_star + 1 / beta * h)),
    Multiple(1 / beta, RuleAt("common minimiser", "critical", (h,))),
    Fact("value 0"),
)


def per_sample(decrease: Scalar, below_two: Cone, rest: Cone) -> Step:
    r"""The step on one sample decreases the squared distance by $2\eta c f_b(x)$, $0 \le c \le 1$.

    Args:
        decrease: $2\eta c f_b(x)$.
        below_two: a cone for $2 - \eta\beta$.
        rest: a cone for $(2 - \eta\beta - c)\|g\|^2 - (1 - \eta\beta - q)^2\|g\|^2/(2 - \eta\beta)
            + (1 - c)(2\beta f_b(x) - \|g\|^2)$.
    """
    slope = (1 - z - q) / (2 - z)
    return Step(
        "one sample",
        norm2(after - x_star) <= distance - decrease,
        times(
            known(step_size / beta),
            add(
                times(known(2 * beta), add(between(x, perturbed), TOWARDS_MINIMUM)),
                times(below_two, Norm(h - pl.g + slope * pl.g)),
                rest,
            ),
        ),
        "Convexity and smoothness of f_b between x, the perturbed point and x*; one square.",
    )


def contracts(factor: Scalar, gain: Cone, nonnegative: Cone) -> tuple[Step, ...]:
    r"""With quadratic growth, the distance contracts by $1 - \eta c \mu$.

    Args:
        factor: $1 - \eta c \mu$.
        gain: a cone for $c$.
        nonnegative: a cone for the factor.
    """
    growth = RuleAt("quadratic growth", "growth", (x,))
    return (
        Step(
            "one step",
            Mean(norm2(after - x_star)) <= factor * distance,
            add(MeanOf(Fact("one sample")), times(known(2 * step_size), gain, growth)),
            "Average over the samples; the loss grows with the distance.",
        ),
        Step("the factor is non-negative", factor >= ZERO, nonnegative, "μ ≤ β."),
        Step(
            "rate",
            Along(distance, Time()) <= factor ** Time() * start,
            geometric_decay(distance, Fact("the factor is non-negative"), "one step"),
            "Induction on t by the tower rule.",
        ),
    )


SHORT = Condition("short steps", step_size <= max_step_size)
BELOW_TWO = add(number(1), times(known(beta), Fact("short steps")), known(q**2 / (1 + 2 * q)))
short = per_sample(
    2 * step_size * own_loss,
    BELOW_TWO,
    times(known(beta * (1 + 2 * q)), Fact("short steps"), Invert(BELOW_TWO), Norm(pl.g)),
)
short_factor = 1 - step_size * mu
short_best = 1 - mu / beta * (1 - q**2 / (1 + 2 * q))
DIVISORS = (known(beta), known(1 + 2 * q), BELOW_TWO)

DISTANCE = Theorem(
    id="sam-distance",
    title="SAM on convex samples never moves away from a common minimiser in the mean",
    title_says=("convex samples", "common minimiser", "bounded"),
    statement=(
        SETTING_IN_WORDS,
        said(
            "Unnormalised stochastic SAM with the same sample in both gradients and step size 0"
            " ≤ η ≤ (1/β)(1 - β²ρ²/(1 + 2βρ)), so that β²ρ² ≤ 1 + 2βρ, that is βρ ≤ 1 + √2, "
            "satisfies E|x⁺ - x*|² ≤ |x - x*|² - 2ηf(x).",
            *("algorithm", "step >= 0", "radius >= 0", "short steps", "largest radius", "one step"),
        ),
        said("Hence E|x_t - x*|² ≤ |x_0 - x*|².", "bounded"),
    ),
    source=SOURCE,
    kind=Kind.UPPER_BOUND,
    dynamics=published.dynamics,
    hypotheses=(*SETTING, SHORT),
    divisors=DIVISORS,
    proof=(
        short,
        Step(
            "one step",
            Mean(norm2(after - x_star)) <= distance - 2 * step_size * pl.loss,
            MeanOf(Fact("one sample")),
            "Average over the samples.",
        ),
        Step(
            "no step away",
            Mean(norm2(after - x_star)) <= distance,
            add(Fact("one step"), times(known(2 * step_size), MeanOf(above_minimum(x)))),
            "The loss is non-negative.",
        ),
        Step(
            "bounded",
            Along(distance, Time()) <= start,
            geometric_decay(distance, number(1), "no step away"),
            "Induction on t by the tower rule.",
        ),
        Step(
            "largest radius",
            q**2 <= 1 + 2 * q,
            times(known(beta), known(1 + 2 * q), add(Fact("step >= 0"), Fact("short steps"))),
            "Beyond it no step is short enough.",
        ),
    ),
    conclusion=("one step", "bounded", "largest radius"),
    witness=witness(
        {"beta": 4, "step_size": "1/8", "radius": "1/4"}, {"x_star": [0, 0]}, pl.SAMPLES
    ),
    quantities=(Quantity("max_step_size", max_step_size, "largest admissible step size"),),
    findings=(
        "The radius is of order 1/β whatever the conditioning, while a rate for the loss "
        "(sam-pl-convex) shrinks it with √(μ/β).",
        "Summed over t: at a fixed step size the mean of E f(x_0), ..., E f(x_{t-1}) is at most "
        "|x_0 - x*|²/(2ηt).",
    ),
)
LINEAR = Theorem(
    id="sam-distance-linear",
    title="SAM contracts the distance at a rate linear in μ, at a radius of order 1/β",
    title_says=("quadratic growth", "short steps", "rate"),
    statement=(
        SETTING_IN_WORDS,
        said(
            "Let f(u) ≥ (μ/2)|u - x*|² with 0 < μ ≤ β.", "quadratic growth", "mu > 0", "mu <= beta"
        ),
        said(
            "Unnormalised stochastic SAM with the same sample in both gradients and step size 0"
            " ≤ η ≤ (1/β)(1 - β²ρ²/(1 + 2βρ)) satisfies E|x⁺ - x*|² ≤ (1 - ημ)|x - x*|² and the"
            " corresponding linear rate.",
            *("algorithm", "step >= 0", "radius >= 0", "short steps", "one step", "rate"),
        ),
        said(
            "The largest step size is the best, with factor 1 - (μ/β)(1 - β²ρ²/(1 + 2βρ)).",
            *("the best step size", "the best factor"),
        ),
        unchecked(
            "The space may be any that the iterates stay in, such as the range of the gradients"
            " around x_0."
        ),
    ),
    source=SOURCE,
    kind=Kind.UPPER_BOUND,
    dynamics=published.dynamics,
    hypotheses=(*SETTING, *GROWS, SHORT),
    divisors=DIVISORS,
    proof=(
        short,
        *contracts(
            short_factor,
            number(1),
            add(
                times(Invert(known(beta)), Fact("mu <= beta")),
                times(
                    known(mu / beta),
                    add(times(known(beta), Fact("short steps")), known(q**2 / (1 + 2 * q))),
                ),
            ),
        ),
        Step(
            "the best step size",
            short_best <= short_factor,
            times(known(mu), Fact("short steps")),
            "The factor decreases in η.",
        ),
        Step(
            "the best factor",
            substitute(short_factor, step_size, max_step_size).equals(short_best),
            NOTHING,
            "Insert the largest step size.",
        ),
    ),
    conclusion=("one step", "rate", "the best step size", "the best factor"),
    witness=witness(
        {"beta": 4, "mu": 1, "step_size": "1/8", "radius": "1/4"}, {"x_star": [0, 0]}, pl.SAMPLES
    ),
    quantities=(
        Quantity("factor", short_factor, "one-step contraction of the squared distance"),
        Quantity("best_step_size", max_step_size, "step size with the smallest factor"),
        Quantity("best_factor", short_best, "the smallest factor"),
    ),
    findings=(
        "The loss contracts at a rate quadratic in μ/β (sam-pl-linear-optimal); the distance at a "
        "linear one.",
        "Attained at ρ = 0, η = 1/β by samples with curvature β or 0; for ρ > 0 it agrees with "
        "performance estimation as μ/β tends to 0.",
    ),
)
THEOREMS = (DISTANCE, LINEAR)
