"""Unnormalised SAM under PL and the expected residual condition; interpolation is a case."""

from __future__ import annotations

from theory.language import *
from theory.library import _pl as pl
from theory.library import sam_pl_improved as improved
from theory.library import sam_pl_linear as published
from theory.library import sam_pl_noise as noisy
from theory.library.sam_pl_noise import floor

PAPER = "Oikonomou, Loizou 2025, Sharpness-aware minimization: general analysis and improved rates"
u, A, B, C = Named("u"), Param("residual"), Param("growth"), Param("noise")
weight = noisy.gradient_weight
decrease = step_size * mu - 2 * weight * (A + B * mu)
factor = 1 - decrease
excess = pl.loss - floor
under_interpolation = substitute(substitute(factor, A, beta), B, ZERO)
KNOWN = pl.KNOWN | {
    mu: "mu > 0",
    step_size: "step > 0",
    A: "residual >= 0",
    B: "growth >= 0",
}

known = signs(KNOWN)

half = number(Fraction(1, 2))

THEOREM = with_rate(
    Theorem(
        id="sam-pl-expected-residual",
        title="SAM under PL and expected residual: one rate for noise, growth and interpolation",
        title_says=("expected residual", "PL", "rate", "decrement under interpolation"),
        statement=(
            said(
                "Let every f_b be β-smooth, f be L-smooth and PL (convention PL-half, μ > 0) with "
                "minimum 0, and E|∇f_b|² ≤ 2A f + γ|∇f|² + C with A, γ ≥ 0.",
                *("smooth samples", "beta > 0", "smooth mean", "L > 0", "PL", "mu > 0"),
                *("expected residual", "residual >= 0", "growth >= 0"),
            ),
            said(
                "Put q = βρ and W = (η/2 + Lη²)q² + Lη², with η > 0, 2Wγ ≤ η and ημ ≤ 1.",
                *("step > 0", "growth range", "step range"),
            ),
            said(
                "Then unnormalised SAM satisfies E f(x⁺) ≤ (1 - ημ + 2W(A + γμ)) f(x) + WC.",
                *("algorithm", "one step"),
            ),
            said(
                "Hence E f(x_t) - N ≤ (1 - ημ + 2W(A + γμ))^t (f(x_0) - N), where N solves (ημ - "
                "2W(A + γμ))N = WC.",
                *("floor", "rate"),
            ),
            said(
                "At A = β, γ = C = 0, which is interpolation, the factor is 1 - η(μ - βq²) + "
                "2βLη²(1 + q²); at every η it is above that of sam-pl-linear-improved, where √(μ/β)"
                " is the number θ with μ = θ²β.",
                *("decrement under interpolation", "above the improved factor", "root squared"),
            ),
        ),
        source=Source(
            PAPER,
            "PL and expected residual, unnormalised case (λ = 0); constants derived here",
            Attribution.DERIVED,
        ),
        kind=Kind.UPPER_BOUND,
        dynamics=noisy.dynamics,
        hypotheses=(
            pl.smooth_samples("lipschitz"),
            pl.SMOOTH_MEAN,
            Assumption(
                "expected residual",
                "E|∇f_b|² ≤ 2A f + γ|∇f|² + C everywhere",
                PAPER,
                (
                    Rule(
                        "second moment",
                        (u,),
                        Mean(norm2(Gradient(f_b, u)))
                        <= 2 * A * Value(f, u) + B * norm2(Gradient(f, u)) + C,
                    ),
                ),
            ),
            polyak_lojasiewicz("PL", f, mu, "half"),
            pl.BETA_POSITIVE,
            pl.L_POSITIVE,
            Condition("mu > 0", mu > ZERO),
            Condition("root squared", mu.equals(root**2 * beta), "θ = √(μ/β)"),
            Condition("step > 0", step_size > ZERO),
            Condition("residual >= 0", A >= ZERO),
            Condition("growth >= 0", B >= ZERO),
            Condition("growth range", 2 * weight * B <= step_size),
            Condition("step range", step_size * mu <= 1),
            Condition(
                "floor",
                (decrease * floor).equals(weight * C),
                "what remains of the expected loss: the fixed point of the recursion",
            ),
        ),
        divisors=(),
        proof=(
            published.PERTURBED_GRADIENT,
            published.DESCENT,
            pl.gradient_dominates(mu, 2),
            Step(
                "one step",
                Mean(Value(f, noisy.after)) <= factor * pl.loss + weight * C,
                noisy.decreasing(
                    RuleAt("expected residual", "second moment", (x,)),
                    times(half, Fact("growth range"), Fact("gradient dominates")),
                ),
                "As in sam-pl-noise.",
            ),
            Step(
                "the factor is non-negative",
                factor >= ZERO,
                add(
                    Fact("step range"), times(number(2), noisy.on_second_moment, known(A + B * mu))
                ),
                "ημ ≤ 1.",
            ),
            Step(
                "excess",
                Mean(substitute(excess, x, noisy.after)) <= factor * excess,
                add(Fact("one step"), minus(Fact("floor"))),
                "The neighbourhood is the fixed point of the recursion.",
            ),
            Step(
                "decrement under interpolation",
                (1 - under_interpolation).equals(
                    step_size * (mu - beta * noisy.q**2)
                    - 2 * beta * L * step_size**2 * (1 + noisy.q**2)
                ),
                NOTHING,
                "Insert A = β and B = 0; for small η the sign of μ - βq² decides.",
            ),
            Step(
                "above the improved factor",
                improved.factor < under_interpolation,
                add(
                    times(known(step_size * beta), Square(root - noisy.q)),
                    times(
                        known(beta * L * step_size**2),
                        add(number(1), times(number(2), Square(noisy.q))),
                    ),
                    Multiple(-step_size, Fact("root squared")),
                ),
                "Both stop contracting at ρ = √(μ/β)/β as η goes to 0.",
            ),
        ),
        conclusion=("one step", "decrement under interpolation", "above the improved factor"),
        witness=witness(
            {
                "beta": 3,
                "L": 2,
                "mu": 2,
                "root": algebraic(0, "1/3"),
                "step_size": "1/16",
                "radius": "1/12",
                "residual": "1/2",
                "growth": 1,
                "noise": 1,
                "floor": "21/151",
            },
            {},
            functions={"f": [quadratic([[a]], [c]) for a in (1, 3) for c in (1, -1)]},
            root=positive_root(6),
        ),
        quantities=(
            Quantity("factor", factor, "one-step contraction of the expected loss, but for noise"),
            Quantity("floor", floor, "what remains of the expected loss"),
            Quantity("factor_under_interpolation", under_interpolation, "at A = β, γ = C = 0"),
        ),
        findings=(
            "A = 0, γ = 1, C = σ² is bounded variance (sam-pl-noise), A = γ = 0 bounded gradients, "
            "A = C = 0 strong growth.",
            "The published ranges of step size and radius are not transcribed: the setting is the "
            "paper's, the constants are those of this proof.",
        ),
    ),
    "excess",
    excess,
    factor,
    Fact("the factor is non-negative"),
)
