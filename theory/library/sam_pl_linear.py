"""Unnormalised stochastic SAM converges linearly under interpolation and PL."""

from __future__ import annotations

from theory.language import *
from theory.library import _pl as pl
from theory.library import sgd_pl_linear

dynamics = Dynamics(SAM, f, x_0)
after = dynamics.step()
perturbed = x + radius * pl.g
h = Gradient(f_b, perturbed)
q = beta * radius

SAM_PAPER = "Shin, Lee, Andriushchenko, Lee 2023, arXiv 2311.17539"
SETTING_IN_WORDS = said(
    "Let every f_b be β-smooth, f = E f_b be L-smooth and PL, and let one point make every f_b "
    "zero.",
    *("smooth samples", "smooth mean", "PL", "interpolation", "beta > 0", "L > 0"),
)

PERTURBED_GRADIENT = Step(
    "perturbed gradient",
    norm2(h - pl.g) <= q**2 * norm2(pl.g),
    RuleAt("smooth samples", "lipschitz", (x, perturbed)),
    "Smoothness of f_b between x and x + ρ∇f_b(x).",
)
DESCENT = Step(
    "descent",
    Value(f, after) <= pl.loss - step_size * Inner(pl.G, h) + L / 2 * step_size**2 * norm2(h),
    RuleAt("smooth mean", "descent", (x, after)),
    "The descent lemma for f between x and x⁺.",
)


def margin(constant: Scalar) -> Scalar:
    """What is left of the PL constant, in convention PL-half, after the perturbation."""
    return constant - (beta + constant) * beta * radius / 2


def factor(constant: Scalar) -> Scalar:
    """The one-step contraction factor for a PL-half constant."""
    return 1 - 2 * step_size * margin(constant) + L * beta * step_size**2 * (1 + q) ** 2


def best_step_size(constant: Scalar) -> Scalar:
    """The step size with the smallest factor."""
    return margin(constant) / (L * beta * (1 + q) ** 2)


known = signs(pl.KNOWN | {mu: "mu > 0", alpha: "alpha > 0"})


def steps(constant: Scalar, multiplier: int, alignment: Cone, in_range: Cone) -> tuple[Step, ...]:
    """The proof, for a PL-half constant that may be written through the other convention.

    Args:
        constant: the PL constant in convention PL-half.
        multiplier: 2 if the hypothesis is PL-half, 1 if it is PL-bare.
        alignment: a cone for 1 - βρ/2.
        in_range: a cone for `margin(constant)`.
    """
    positive_radius = Fact("radius >= 0")
    inverse_q = Invert(times(Fact("beta > 0"), positive_radius))
    return (
        PERTURBED_GRADIENT,
        Step(
            "alignment",
            norm2(pl.G) * (1 - q / 2) - q / 2 * Mean(norm2(pl.g)) <= Mean(Inner(h, pl.G)),
            ZeroOrPositive(
                "radius >= 0",
                zero=NOTHING,
                positive=times(
                    number(Fraction(1, 2)),
                    inverse_q,
                    MeanOf(add(Norm(h - pl.g + q * pl.G), Fact("perturbed gradient"))),
                ),
            ),
            "Young's inequality with weight βρ; for ρ = 0 both gradients are the same.",
        ),
        Step(
            "growth",
            norm2(h) <= (1 + q) ** 2 * norm2(pl.g),
            ZeroOrPositive(
                "radius >= 0",
                zero=NOTHING,
                positive=add(
                    times(known(1 + q), inverse_q, Fact("perturbed gradient")),
                    times(inverse_q, Norm(h - pl.g - q * pl.g)),
                ),
            ),
            "The triangle inequality, squared.",
        ),
        *pl.self_bounding(),
        pl.gradient_dominates(constant, multiplier),
        DESCENT,
        Step("half", 1 - q / 2 >= ZERO, alignment, "The admissible radius implies βρ ≤ 2."),
        Step("margin", margin(constant) >= ZERO, in_range, "The admissible radius."),
        Step(
            "one step",
            Mean(Value(f, after)) <= factor(constant) * pl.loss,
            add(
                MeanOf(Fact("descent")),
                times(known(step_size), Fact("alignment")),
                times(known(L / 2 * step_size**2), MeanOf(Fact("growth"))),
                times(known(step_size), Fact("half"), Fact("gradient dominates")),
                times(
                    known(step_size * q / 2 + L / 2 * step_size**2 * (1 + q) ** 2),
                    Fact("mean self-bounding"),
                ),
            ),
            "Average the descent lemma and bound every gradient term by the loss.",
        ),
        Step(
            "the factor is non-negative",
            factor(constant) >= ZERO,
            times(
                Invert(known(L * beta * (1 + q) ** 2)),
                add(
                    Square(L * beta * (1 + q) ** 2 * step_size - margin(constant)),
                    known(L * beta * (2 * q + q**2)),
                    times(known(L), Fact("L <= beta")),
                    pl.at_least_square(known(L), known(constant), Fact("PL <= L")),
                    pl.at_least_square(
                        known(constant), Fact("margin"), known((beta + constant) * q / 2)
                    ),
                ),
            ),
            "Complete the square in η; the margin is at most μ ≤ L ≤ β.",
        ),
    )


def optimality(constant: Scalar) -> tuple[Step, ...]:
    """The best step size, its factor, and the reduction to SGD."""
    best = best_step_size(constant)
    return (
        Step(
            "the best step size",
            substitute(factor(constant), step_size, best) <= factor(constant),
            times(known(L * beta * (1 + q) ** 2), Square(step_size - best)),
            "The factor is a parabola in η.",
        ),
        Step(
            "the best factor",
            substitute(factor(constant), step_size, best).equals(1 - margin(constant) * best),
            NOTHING,
            "Insert the best step size.",
        ),
        Step(
            "radius zero is SGD",
            substitute(factor(constant), radius, ZERO).equals(
                substitute(sgd_pl_linear.factor, mu, constant)
            ),
            NOTHING,
            "At ρ = 0 the factor is the one proved for SGD.",
        ),
    )


max_radius = 2 * mu / ((beta + mu) * beta)
below_max = times(known(beta * (beta + mu)), Fact("radius range"))

HALF = Theorem(
    id="sam-pl-linear",
    title="Unnormalised stochastic SAM contracts the loss under interpolation and PL",
    title_says=("interpolation", "PL", "rate"),
    statement=(
        SETTING_IN_WORDS,
        said(
            "Let μ > 0 be in convention PL-half, μ ≤ L ≤ β and m = μ - (β + μ)βρ/2.",
            *("PL", "mu > 0", "PL <= L", "L <= beta"),
        ),
        said(
            "Unnormalised stochastic SAM with the same sample in both gradients, radius ρ ≤ "
            "2μ/((β + μ)β) and any step size η ≥ 0 satisfies E f(x⁺) ≤ (1 - 2ηm + Lβη²(1 + "
            "βρ)²) f(x) and the corresponding linear rate.",
            *("algorithm", "radius >= 0", "radius range", "step >= 0", "one step", "rate"),
        ),
        said(
            "The best step size is m/(Lβ(1 + βρ)²), with factor 1 - mη.",
            *("the best step size", "the best factor"),
        ),
        said("At ρ = 0 the factor is that of sgd-pl-linear, 1 - 2ημ + Lβη².", "radius zero is SGD"),
    ),
    source=Source(
        SAM_PAPER, "linear convergence theorem, rewritten in PL-half", Attribution.RECONSTRUCTED
    ),
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
        pl.STEP,
        pl.RADIUS,
        Condition("radius range", radius <= max_radius),
        *pl.constants_ordered(mu),
    ),
    divisors=(known(beta), known((beta + mu) * beta), known(L * beta * (1 + q) ** 2)),
    proof=(
        *steps(
            mu,
            2,
            alignment=times(
                number(Fraction(1, 2)), Invert(known(beta + mu)), add(known(2 * beta), below_max)
            ),
            in_range=times(number(Fraction(1, 2)), below_max),
        ),
        Step(
            "rate",
            Along(pl.loss, Time()) <= factor(mu) ** Time() * Value(f, x_0),
            geometric_decay(pl.loss, Fact("the factor is non-negative"), "one step"),
            "Induction on t by the tower rule.",
        ),
        *optimality(mu),
    ),
    conclusion=(
        "one step",
        "rate",
        "the best step size",
        "the best factor",
        "radius zero is SGD",
    ),
    witness=witness(
        {"beta": 4, "L": 3, "mu": 1, "step_size": "1/20", "radius": "1/20"}, {}, pl.SAMPLES
    ),
    quantities=(
        Quantity("factor", factor(mu), "one-step contraction of the expected loss"),
        Quantity("best_step_size", best_step_size(mu), "step size with the smallest factor"),
        Quantity("best_factor", 1 - margin(mu) * best_step_size(mu), "the smallest factor"),
        Quantity("max_radius", max_radius, "largest admissible radius"),
    ),
)

published_margin = alpha - (beta + alpha / 2) * beta * radius
published_step = published_margin / (2 * L * beta * (1 + q) ** 2)
published_factor = 1 - published_margin * step_size / 2
published_radius = 1 / ((beta / alpha + scalar(1) / 2) * beta)
below_published = times(known((beta / alpha + scalar(1) / 2) * beta), Fact("radius range"))
step_is_best = Multiple(step_size * L * beta * (1 + q) ** 2 * pl.loss, Fact("step size"))

BARE = Theorem(
    id="sam-pl-linear-published",
    title="A published linear rate of SAM, convention PL-bare and its own step size",
    title_says=("PL", "step size", "rate"),
    statement=(
        SETTING_IN_WORDS,
        said(
            "Let α > 0 be in convention PL-bare and α/2 ≤ L ≤ β.",
            *("PL", "alpha > 0", "PL <= L", "L <= beta"),
        ),
        said(
            "Unnormalised stochastic SAM with the same sample in both gradients, radius ρ ≤ "
            "1/((β/α + 1/2)β) and step size η = (α - (β + α/2)βρ)/(2Lβ(1 + βρ)²) satisfies E "
            "f(x⁺) ≤ (1 - (α - (β + α/2)βρ)η/2) f(x) and E f(x_t) ≤ (1 - (α - (β + "
            "α/2)βρ)η/2)^t f(x_0).",
            *("algorithm", "radius >= 0", "radius range", "step size", "one step, published"),
            "rate",
        ),
    ),
    source=Source(SAM_PAPER, "linear convergence theorem", Attribution.RECONSTRUCTED),
    kind=Kind.UPPER_BOUND,
    dynamics=dynamics,
    hypotheses=(
        pl.smooth_samples("lipschitz", "descent"),
        pl.SMOOTH_MEAN,
        pl.INTERPOLATION,
        polyak_lojasiewicz("PL", f, alpha, "bare"),
        pl.BETA_POSITIVE,
        pl.L_POSITIVE,
        Condition("alpha > 0", alpha > ZERO),
        pl.RADIUS,
        Condition("radius range", radius <= published_radius),
        Condition("step size", step_size.equals(published_step)),
        *pl.constants_ordered(alpha / 2),
    ),
    divisors=(
        known(beta),
        known(alpha),
        known((beta / alpha + scalar(1) / 2) * beta),
        known(2 * L * beta * (1 + q) ** 2),
    ),
    proof=(
        Step(
            pl.STEP.name,
            step_size >= ZERO,
            add(
                minus(Fact("step size")),
                times(known(alpha), below_published, Invert(known(2 * L * beta * (1 + q) ** 2))),
            ),
            "The published step size is non-negative on the admissible range.",
        ),
        *steps(
            alpha / 2,
            1,
            alignment=add(below_published, known(beta / alpha * q)),
            in_range=times(known(alpha / 2), below_published),
        ),
        Step(
            "one step, published",
            Mean(Value(f, after)) <= published_factor * pl.loss,
            add(Fact("one step"), step_is_best),
            "Insert the published step size; α = 2μ.",
        ),
        Step(
            "the published factor is non-negative",
            published_factor >= ZERO,
            add(
                Fact("the factor is non-negative"),
                Multiple(step_size * L * beta * (1 + q) ** 2, Fact("step size")),
            ),
            "It is the factor above at the published step size.",
        ),
        Step(
            "rate",
            Along(pl.loss, Time()) <= published_factor ** Time() * Value(f, x_0),
            geometric_decay(
                pl.loss, Fact("the published factor is non-negative"), "one step, published"
            ),
            "Induction on t by the tower rule.",
        ),
    ),
    conclusion=("one step, published", "rate"),
    witness=witness(
        {"beta": 4, "L": 3, "alpha": 2, "step_size": "25/864", "radius": "1/20"}, {}, pl.SAMPLES
    ),
    quantities=(
        Quantity("factor", published_factor, "one-step contraction of the expected loss"),
        Quantity("step_size", published_step, "the step size of the theorem"),
        Quantity("max_radius", published_radius, "largest admissible radius"),
    ),
)

THEOREMS = (HALF, BARE)
