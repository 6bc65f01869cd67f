"""SAM on convex samples contracts the distance up to a radius of 3/β, with the right step size."""

from __future__ import annotations

from theory.language import *
from theory.library import _pl as pl
from theory.library import sam_distance as short
from theory.library import sam_pl_linear as published
from theory.library.sam_distance import above_minimum, known, own_loss, q, z

w = stretch
gain = (1 + q) * (2 - (1 + q) / (2 - z))
factor = 1 - step_size * mu * gain
best_step_size = (2 - w) / beta
best_factor = 1 - mu / beta * (1 + q) * (2 - w) ** 2
max_step_size = (3 - q) / (2 * beta)
max_radius = 3 / beta

on_stretch = Fact("stretch")  # 1 + q - w², which is zero
stretch_room = Fact("the stretch is at most 2")
room = times(known(2 * beta), Fact("step range"))  # 3 - q - 2βη
below_two = add(times(number(Fraction(1, 2)), room), known((1 + q) / 2))  # 2 - βη
long = times(known(beta * (1 + 2 * q)), Fact("long steps"))  # (1 + q)² - (1 + 2q)(2 - βη)

THEOREM = Theorem(
    id="sam-distance-large-radius",
    title="Beyond a golden radius SAM contracts the distance by long steps, up to 3/β",
    title_says=(
        "golden",
        "long steps",
        "rate",
        "the best step size",
        "the best step size is long",
        "the best step size is in range",
        "the largest radius",
    ),
    statement=(
        short.SETTING_IN_WORDS,
        said(
            "Let f(u) ≥ (μ/2)|u - x*|² with 0 < μ ≤ β.", "quadratic growth", "mu > 0", "mu <= beta"
        ),
        said(
            "Let q = βρ and ζ = √(1 + q) with ζ ≤ q, that is q ≥ (1 + √5)/2.",
            *("radius >= 0", "stretch > 0", "stretch", "golden"),
        ),
        said(
            "Unnormalised stochastic SAM with the same sample in both gradients and step size "
            "(1/β)(1 - q²/(1 + 2q)) ≤ η ≤ (3 - q)/(2β), η ≥ 0, satisfies E|x⁺ - x*|² ≤ (1 - "
            "ημ(1 + q)(2 - (1 + q)/(2 - βη)))|x - x*|² and the corresponding linear rate.",
            *("algorithm", "step >= 0", "long steps", "step range", "one step", "rate"),
        ),
        said(
            "The best step size is (2 - √(1 + q))/β, which is in this range, with factor 1 - "
            "(μ/β)(1 + q)(2 - √(1 + q))².",
            *("the best step size", "the best factor", "the best step size is long"),
            "the best step size is in range",
        ),
        said("The radius is at most 3/β.", "the largest radius"),
    ),
    source=short.SOURCE,
    kind=Kind.UPPER_BOUND,
    dynamics=published.dynamics,
    hypotheses=(
        *short.SETTING,
        *short.GROWS,
        Condition("long steps", step_size >= short.max_step_size),
        Condition("step range", step_size <= max_step_size),
        Condition("stretch > 0", w > ZERO),
        Condition("stretch", (w**2).equals(1 + q), "ζ = √(1 + βρ)"),
        Condition("golden", w <= q, "βρ ≥ (1 + √5)/2, where w² = w + 1"),
    ),
    divisors=(known(beta), known(2 * beta), known(1 + 2 * q), below_two, known(w)),
    proof=(
        Step(
            "self-bounding",
            norm2(pl.g) <= 2 * beta * own_loss,
            times(
                known(2 * beta),
                add(
                    RuleAt("smooth samples", "descent", (x, x - 1 / beta * pl.g)),
                    above_minimum(x - 1 / beta * pl.g),
                ),
            ),
            "The descent lemma at x - ∇f_b(x)/β, where f_b is still non-negative.",
        ),
        short.per_sample(
            2 * step_size * gain * own_loss,
            below_two,
            times(Invert(below_two), long, Fact("self-bounding")),
        ),
        Step(
            "the stretch is at most 2",
            w <= 2,
            times(Invert(known(2 + w)), add(room, known(2 * z), on_stretch)),
            "The step range is empty beyond βρ = 3.",
        ),
        Step(
            "the best step size",
            best_factor <= factor,
            times(
                known(mu / beta * (1 + q)),
                Invert(below_two),
                add(times(number(2), Square(2 - z - w)), Multiple(z, on_stretch)),
            ),
            "The arithmetic and geometric means of 2 - βη and (1 + q)/(2 - βη).",
        ),
        *short.contracts(
            factor,
            times(known(1 + q), Invert(below_two), room),
            add(
                Fact("the best step size"),
                times(Invert(known(beta)), Fact("mu <= beta")),
                times(
                    known(mu / beta),
                    add(
                        times(Square(1 - w), add(number(1), times(known(w), stretch_room))),
                        Multiple(-((2 - w) ** 2), on_stretch),
                    ),
                ),
            ),
        ),
        Step(
            "the best factor",
            substitute(factor, step_size, best_step_size).equals(best_factor),
            Multiple(-(mu / beta) * (1 + q) * (2 - w) / w, on_stretch),
            "Insert the best step size.",
        ),
        Step(
            "the best step size is long",
            short.max_step_size <= best_step_size,
            times(
                Invert(known(beta * (1 + 2 * q))),
                Invert(known(w + 1)),
                add(times(known(w * q), Fact("golden")), Multiple(1 + q, on_stretch)),
            ),
            "The golden ratio: w² ≥ w + 1.",
        ),
        Step(
            "the best step size is in range",
            best_step_size <= max_step_size,
            times(
                Invert(known(2 * beta)),
                add(times(known(w), stretch_room), minus(on_stretch)),
            ),
            "w ≤ 2.",
        ),
        Step(
            "the largest radius",
            radius <= max_radius,
            times(Invert(known(beta)), add(room, known(2 * z))),
            "The step range is empty beyond it.",
        ),
    ),
    conclusion=(
        "one step",
        "rate",
        "the best step size",
        "the best factor",
        "the best step size is long",
        "the best step size is in range",
        "the largest radius",
    ),
    witness=witness(
        {"beta": 4, "mu": 1, "step_size": "1/16", "radius": "33/64", "stretch": "7/4"},
        {"x_star": [0, 0]},
        pl.SAMPLES,
    ),
    quantities=(
        Quantity("factor", factor, "one-step contraction of the squared distance"),
        Quantity("best_step_size", best_step_size, "step size with the smallest factor"),
        Quantity("best_factor", best_factor, "the smallest factor"),
        Quantity("max_radius", max_radius, "largest admissible radius"),
    ),
    findings=(
        "At the golden radius the best step is also the longest of sam-distance-linear: there the "
        "two theorems meet.",
    ),
)
