"""A better rate for SAM under the same hypotheses: Cauchy-Schwarz where Young lost."""

from __future__ import annotations

from theory.language import *
from theory.library import _pl as pl
from theory.library import sam_pl_linear as published

dynamics, after, h, q = published.dynamics, published.after, published.h, published.q
e = h - pl.g
s = root

margin = mu - q * s * beta
factor = 1 - 2 * step_size * margin + beta * L * step_size**2
best_step_size = margin / (beta * L)
max_radius = s / beta
max_step_size = mu / (beta * L)

known = signs(pl.KNOWN | {mu: "mu > 0", s: "root > 0"})

zero_slack = Fact("root squared")  # root² β - μ, which is zero
room_radius = times(Fact("beta > 0"), Fact("radius range"))  # root - βρ
room_step = times(known(beta * L), Fact("step range"))  # μ - βLη
inverse_q = Invert(times(Fact("beta > 0"), Fact("radius >= 0")))  # for ρ > 0

on_gradient = times(
    known(step_size), Invert(known(2 * s)), add(known(s + 2 * L * step_size * q), room_radius)
)
on_self_bounding = known(
    L * step_size**2 * (1 + q**2) / 2 + step_size * s * q / 2 + L**2 * step_size**3 * q / (2 * s)
)
weight = times(known(step_size * s / 2), inverse_q)
remainder = e + q / s * (pl.G - L * step_size * pl.g)

one_step = Step(
    "one step",
    Mean(Value(f, after)) <= factor * pl.loss,
    ZeroOrPositive(
        "radius >= 0",
        zero=add(
            MeanOf(Fact("descent")),
            times(known(step_size), Fact("gradient dominates")),
            times(known(L * step_size**2 / 2), Fact("mean self-bounding")),
        ),
        positive=add(
            MeanOf(Fact("descent")),
            times(add(weight, known(L * step_size**2 / 2)), MeanOf(Fact("perturbed gradient"))),
            times(on_gradient, Fact("gradient dominates")),
            times(on_self_bounding, Fact("mean self-bounding")),
            times(weight, MeanOf(Norm(remainder))),
            times(
                known(beta * L * step_size**2 * q),
                add(room_radius, times(room_step, Invert(known(beta * s)))),
                Fact("the loss is non-negative"),
            ),
            Multiple(step_size * q * (1 - L * step_size) / s * pl.loss, zero_slack),
        ),
    ),
    "The two gradients' difference is kept whole: one square instead of Young's inequality.",
)
factor_is_nonnegative = Step(
    "the factor is non-negative",
    factor >= ZERO,
    times(
        Invert(known(beta * L)),
        add(
            Square(beta * L * step_size - margin),
            times(known(L), Fact("L <= beta")),
            pl.at_least_square(known(L), known(mu), Fact("PL <= L")),
            pl.at_least_square(known(mu), Fact("margin"), known(q * s * beta)),
        ),
    ),
    "Complete the square in η; the margin is at most μ ≤ L ≤ β.",
)
comparison = (
    Step(
        "better than the published factor",
        factor <= published.factor(mu),
        add(
            times(known(step_size * q * beta), Square(1 - s)),
            known(L * beta * step_size**2 * (2 * q + q**2)),
            Multiple(-step_size * q, zero_slack),
        ),
        "At every step size: what Young's inequality gave away.",
    ),
    Step(
        "wider than the published range",
        published.max_radius <= max_radius,
        times(
            Invert(known((beta + mu) * beta)),
            add(times(known(s * beta), Square(1 - s)), Multiple(2 - s, zero_slack)),
        ),
        "2μ/(β + μ) ≤ √(μ/β).",
    ),
)

THEOREM = Theorem(
    id="sam-pl-linear-improved",
    title="SAM's rate without Young's inequality: better factor, wider radius",
    title_says=(
        "one step",
        "rate",
        "better than the published factor",
        "wider than the published range",
    ),
    statement=(
        published.SETTING_IN_WORDS,
        said(
            "Let μ > 0 be in convention PL-half, θ = √(μ/β) and μ ≤ L ≤ β.",
            *("PL", "mu > 0", "root > 0", "root squared", "PL <= L", "L <= beta"),
        ),
        said(
            "Unnormalised stochastic SAM with the same sample in both gradients, radius ρ ≤ θ/β"
            " and step size 0 ≤ η ≤ μ/(βL) satisfies E f(x⁺) ≤ (1 - 2η(μ - βρ√(μβ)) + βLη²) "
            "f(x) and the corresponding linear rate.",
            *("algorithm", "radius >= 0", "radius range", "step >= 0", "step range", "one step"),
            "rate",
        ),
        said(
            "The best step size is (μ - βρ√(μβ))/(βL).",
            *("the best step size", "the best step size is admissible"),
        ),
        said(
            "At every step size the factor is at most that of sam-pl-linear, and the admissible"
            " radius is at least the one there.",
            *("better than the published factor", "wider than the published range"),
        ),
    ),
    source=Source("this toolkit", "improves " + published.SAM_PAPER, Attribution.DERIVED),
    kind=Kind.UPPER_BOUND,
    dynamics=dynamics,
    hypotheses=(
        pl.smooth_samples("lipschitz", "descent"),
        pl.SMOOTH_MEAN,
        pl.INTERPOLATION,
        polyak_lojasiewicz("PL", f, mu, "half"),
        pl.BETA_POSITIVE,
        pl.L_POSITIVE,
        Condition("mu > 0", mu > ZERO),
        Condition("root > 0", s > ZERO),
        Condition("root squared", mu.equals(s**2 * beta), "root = √(μ/β)"),
        pl.STEP,
        Condition("step range", step_size <= max_step_size),
        pl.RADIUS,
        Condition("radius range", radius <= max_radius),
        *pl.constants_ordered(mu),
    ),
    divisors=(known(beta), known(beta * L), known(s), known((beta + mu) * beta)),
    proof=(
        published.PERTURBED_GRADIENT,
        *pl.self_bounding(),
        pl.gradient_dominates(mu, 2),
        Step(
            "the loss is non-negative",
            pl.loss >= ZERO,
            MeanOf(RuleAt("interpolation", "nonnegative", (x,))),
            "Every f_b is.",
        ),
        published.DESCENT,
        one_step,
        Step(
            "margin",
            margin >= ZERO,
            add(times(known(s * beta), room_radius), minus(zero_slack)),
            "The admissible radius.",
        ),
        factor_is_nonnegative,
        Step(
            "rate",
            Along(pl.loss, Time()) <= factor ** Time() * Value(f, x_0),
            geometric_decay(pl.loss, Fact("the factor is non-negative"), "one step"),
            "Induction on t by the tower rule.",
        ),
        Step(
            "the best step size",
            substitute(factor, step_size, best_step_size) <= factor,
            times(known(beta * L), Square(step_size - best_step_size)),
            "The factor is a parabola in η.",
        ),
        Step(
            "the best step size is admissible",
            best_step_size <= max_step_size,
            times(known(q * s * beta), Invert(known(beta * L))),
            "The margin is at most μ.",
        ),
        *comparison,
    ),
    conclusion=(
        "one step",
        "rate",
        "the best step size",
        "the best step size is admissible",
        "better than the published factor",
        "wider than the published range",
    ),
    witness=witness(
        {"beta": 4, "L": 3, "mu": 1, "root": "1/2", "step_size": "1/20", "radius": "1/20"},
        {},
        pl.SAMPLES,
    ),
    quantities=(
        Quantity("factor", factor, "one-step contraction of the expected loss"),
        Quantity("best_step_size", best_step_size, "step size with the smallest factor"),
        Quantity("max_step_size", max_step_size, "largest admissible step size"),
        Quantity("max_radius", max_radius, "largest admissible radius"),
    ),
)
