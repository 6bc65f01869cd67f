"""SGD under the strong growth condition, and interpolation with PL as a case of it."""

from __future__ import annotations

from theory.language import *
from theory.library import _pl as pl
from theory.library.sgd_pl_linear import descent, dynamics

PAPER = (
    "Vaswani, Bach, Schmidt 2019, Fast and faster convergence of SGD for over-parameterized models "
    "and an accelerated perceptron"
)
u, growth = Named("u"), Param("growth")
factor = 1 - 2 * step_size * mu + L * growth * mu * step_size**2
best_step_size = 1 / (L * growth)
best_factor = 1 - mu / (L * growth)
at_least_one = Fact("growth >= 1")
constant = add(number(1), at_least_one)

known = signs(pl.KNOWN | {mu: "mu > 0"})

STRONG_GROWTH = Assumption(
    "strong growth",
    "E|∇f_b|² ≤ γ|∇f|² everywhere",
    "Vaswani, Bach, Schmidt 2019",
    (
        Rule(
            "growth",
            (u,),
            Mean(norm2(Gradient(f_b, u))) <= growth * norm2(Gradient(f, u)),
        ),
    ),
)

RATE = with_rate(
    Theorem(
        id="sgd-strong-growth",
        title="SGD under strong growth contracts the loss, at best by 1 - μ/(Lγ) in a step",
        title_says=("strong growth", "PL", "rate", "the best step size", "the best factor"),
        statement=(
            said(
                "Let f be L-smooth and PL (convention PL-half, 0 < μ ≤ L) with minimum 0, and "
                "E|∇f_b|² ≤ γ|∇f|² with γ ≥ 1.",
                *("smooth mean", "L > 0", "PL", "mu > 0", "PL <= L", "strong growth"),
                "growth >= 1",
            ),
            said(
                "Then SGD with 0 ≤ η ≤ 2/(Lγ) satisfies E f(x⁺) ≤ (1 - 2ημ + Lγμη²) f(x), and the "
                "corresponding linear rate.",
                *("algorithm", "step >= 0", "step range", "one step", "rate"),
            ),
            said(
                "The best step size is η = 1/(Lγ), with factor 1 - μ/(Lγ).",
                *("the best step size", "the best factor"),
            ),
        ),
        source=Source(PAPER, "PL functions under strong growth", Attribution.RECONSTRUCTED),
        kind=Kind.UPPER_BOUND,
        dynamics=dynamics,
        hypotheses=(
            pl.SMOOTH_MEAN,
            polyak_lojasiewicz("PL", f, mu, "half"),
            STRONG_GROWTH,
            pl.L_POSITIVE,
            Condition("mu > 0", mu > ZERO),
            pl.STEP,
            Condition("step range", L * growth * step_size <= 2),
            Condition("growth >= 1", growth >= 1, "Jensen's inequality, unless f is flat"),
            Condition("PL <= L", mu <= L, "fails only if f is zero", implicit=True),
        ),
        divisors=(times(known(L), constant),),
        proof=(
            pl.gradient_dominates(mu, 2),
            descent,
            Step(
                "one step",
                Mean(Value(f, dynamics.step())) <= factor * pl.loss,
                add(
                    MeanOf(Fact("descent")),
                    times(
                        known(L * step_size**2 / 2),
                        RuleAt("strong growth", "growth", (x,)),
                    ),
                    times(known(step_size / 2), Fact("step range"), Fact("gradient dominates")),
                ),
                "The noise costs at most Lγη²/2 of |∇f|².",
            ),
            Step(
                "the factor is non-negative",
                factor >= ZERO,
                times(
                    Invert(times(known(L), constant)),
                    add(
                        times(known(mu), Square(L * growth * step_size - 1)),
                        times(known(L), at_least_one),
                        Fact("PL <= L"),
                    ),
                ),
                "Complete the square in η; μ ≤ L ≤ Lγ.",
            ),
            Step(
                "the best step size",
                substitute(factor, step_size, best_step_size) <= factor,
                times(known(L * mu), constant, Square(step_size - best_step_size)),
                "The factor is a parabola in η.",
            ),
            Step(
                "the best factor",
                substitute(factor, step_size, best_step_size).equals(best_factor),
                NOTHING,
                "Insert η = 1/(Lγ).",
            ),
        ),
        conclusion=("one step", "the best step size", "the best factor"),
        witness=witness({"L": 3, "mu": 1, "growth": 2, "step_size": "1/12"}, {}, pl.SAMPLES),
        quantities=(
            Quantity("factor", factor, "one-step contraction of the expected loss"),
            Quantity("best_step_size", best_step_size, "step size with the smallest factor"),
            Quantity("best_factor", best_factor, "the smallest factor"),
        ),
        findings=(
            "With γ = β/μ (sgd-strong-growth-constant) the best step size is μ/(Lβ) and the factor "
            "1 - μ²/(Lβ): exactly the rate of sgd-pl-linear.",
        ),
    ),
    "one step",
    pl.loss,
    factor,
    Fact("the factor is non-negative"),
)

CONSTANT = Theorem(
    id="sgd-strong-growth-constant",
    title="Interpolation, smoothness and PL give strong growth with constant β/μ",
    title_says=("interpolation", "PL", "strong growth"),
    statement=(
        said(
            "If every f_b is β-smooth, one point makes all f_b zero, and f is PL (convention "
            "PL-half), then E|∇f_b(x)|² ≤ (β/μ)|∇f(x)|² everywhere.",
            *("smooth samples", "beta > 0", "interpolation", "PL", "mu > 0", "strong growth"),
        ),
    ),
    source=Source(PAPER, "strong growth from interpolation", Attribution.RECONSTRUCTED),
    kind=Kind.UPPER_BOUND,
    hypotheses=(
        pl.smooth_samples("descent"),
        pl.INTERPOLATION,
        polyak_lojasiewicz("PL", f, mu, "half"),
        pl.BETA_POSITIVE,
        Condition("mu > 0", mu > ZERO),
    ),
    divisors=(known(beta), known(mu)),
    proof=(
        *pl.self_bounding(),
        pl.gradient_dominates(mu, 2),
        Step(
            "strong growth",
            Mean(norm2(pl.g)) <= beta / mu * norm2(pl.G),
            add(
                Fact("mean self-bounding"),
                times(known(beta / mu), Fact("gradient dominates")),
            ),
            "The loss lies between the two gradients.",
        ),
    ),
    conclusion=("strong growth",),
    witness=witness({"beta": 4, "mu": 1}, {}, pl.SAMPLES),
    quantities=(Quantity("growth", beta / mu, "the strong growth constant"),),
)

THEOREMS = (RATE, CONSTANT)
