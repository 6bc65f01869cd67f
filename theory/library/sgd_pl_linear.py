"""SGD converges linearly under smoothness, interpolation and the PL condition."""

from __future__ import annotations

from theory.language import *
from theory.library import _pl as pl

dynamics = Dynamics(SGD, f, x_0)
after = dynamics.step()

factor = 1 - 2 * step_size * mu + L * beta * step_size**2
best_step_size = mu / (L * beta)
best_factor = 1 - mu * best_step_size

known = signs(pl.KNOWN | {mu: "mu > 0"})

descent = Step(
    "descent",
    Value(f, after) <= pl.loss - step_size * Inner(pl.G, pl.g) + L / 2 * step_size**2 * norm2(pl.g),
    RuleAt("smooth mean", "descent", (x, after)),
    "The descent lemma for f between x and x⁺.",
)
one_step = Step(
    "one step",
    Mean(Value(f, after)) <= factor * pl.loss,
    add(
        MeanOf(Fact("descent")),
        times(known(step_size), Fact("gradient dominates")),
        times(known(L * step_size**2 / 2), Fact("mean self-bounding")),
    ),
    "Average the descent lemma, then bound both gradient terms by the loss.",
)
nonnegative_factor = Step(
    "the factor is non-negative",
    factor >= ZERO,
    times(
        Invert(known(L * beta)),
        add(
            Square(L * beta * step_size - mu),
            times(known(L), Fact("L <= beta")),
            pl.at_least_square(known(L), known(mu), Fact("PL <= L")),
        ),
    ),
    "Complete the square in η; μ ≤ L ≤ β.",
)
rate = Step(
    "rate",
    Along(pl.loss, Time()) <= factor ** Time() * Value(f, x_0),
    geometric_decay(pl.loss, Fact("the factor is non-negative"), "one step"),
    "Induction on t by the tower rule.",
)
optimal = Step(
    "the best step size",
    substitute(factor, step_size, best_step_size) <= factor,
    times(known(L * beta), Square(step_size - best_step_size)),
    "The factor is a parabola in η.",
)
optimal_value = Step(
    "the best factor",
    substitute(factor, step_size, best_step_size).equals(best_factor),
    NOTHING,
    "Insert η = μ/(Lβ).",
)

THEOREM = Theorem(
    id="sgd-pl-linear",
    title="SGD contracts the loss under interpolation and PL",
    title_says=("interpolation", "PL", "rate"),
    statement=(
        said(
            "Let every f_b be β-smooth, f = E f_b be L-smooth and PL (convention PL-half, 0 < μ"
            " ≤ L ≤ β), and let one point make every f_b zero.",
            *("smooth samples", "beta > 0", "smooth mean", "L > 0", "PL", "mu > 0", "PL <= L"),
            *("L <= beta", "interpolation"),
        ),
        said(
            "Then SGD with any step size η ≥ 0 satisfies E f(x⁺) ≤ (1 - 2ημ + Lβη²) f(x), hence"
            " E f(x_t) ≤ (1 - 2ημ + Lβη²)^t f(x_0).",
            *("algorithm", "step >= 0", "one step", "rate"),
        ),
        said(
            "The best step size is η = μ/(Lβ), with factor 1 - μη.",
            *("the best step size", "the best factor"),
        ),
    ),
    source=Source(
        "Bassily, Belkin, Ma 2018, On exponential convergence of SGD in non-convex "
        "over-parametrized learning",
        "Theorem 1, batch size 1",
        Attribution.RECONSTRUCTED,
    ),
    kind=Kind.UPPER_BOUND,
    dynamics=dynamics,
    hypotheses=(
        pl.smooth_samples("descent"),
        pl.SMOOTH_MEAN,
        pl.INTERPOLATION,
        polyak_lojasiewicz("PL", f, mu, "half"),
        pl.BETA_POSITIVE,
        pl.L_POSITIVE,
        Condition("mu > 0", mu > ZERO),
        pl.STEP,
        *pl.constants_ordered(mu),
    ),
    divisors=(known(beta), known(L * beta)),
    proof=(
        *pl.self_bounding(),
        pl.gradient_dominates(mu, 2),
        descent,
        one_step,
        nonnegative_factor,
        rate,
        optimal,
        optimal_value,
    ),
    conclusion=("one step", "rate", "the best step size", "the best factor"),
    witness=witness({"beta": 4, "L": 3, "mu": 1, "step_size": "1/12"}, {}, pl.SAMPLES),
    quantities=(
        Quantity("factor", factor, "one-step contraction of the expected loss"),
        Quantity("best_step_size", best_step_size, "step size with the smallest factor"),
        Quantity("best_factor", best_factor, "the smallest factor"),
    ),
)
