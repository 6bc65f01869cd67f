"""Unnormalised SAM under PL and bounded variance: linear to a neighbourhood, then like 1/t."""

from __future__ import annotations

from theory.language import *
from theory.library import _pl as pl
from theory.library import sam_pl_linear as published

PAPER = "Andriushchenko, Flammarion 2022, Towards understanding sharpness-aware minimization"
u = Named("u")
sigma, floor = Param("sigma"), Param("floor")
index, level, expected = Param("index"), Param("level"), Param("expected_loss")
dynamics, after, h, q = published.dynamics, published.after, published.h, published.q

margin = 1 - q**2 - 2 * L * step_size * (1 + q**2)
factor = 1 - step_size * mu * margin
noise = step_size / 2 * (q**2 + 2 * L * step_size * (1 + q**2)) * sigma**2
excess = pl.loss - floor

known = signs(pl.KNOWN | {mu: "mu > 0", step_size: "step > 0", margin: "margin > 0"})

#: Two samples with opposite gradients at the minimum of their mean.
NOISY = {"f": [quadratic([[1]], [1]), quadratic([[1]], [-1])]}
VARIANCE = Assumption(
    "bounded variance",
    "E|∇f_b - ∇f|² ≤ σ² everywhere",
    PAPER,
    (
        Rule(
            "variance",
            (u,),
            Mean(norm2(Gradient(f_b, u) - Gradient(f, u))) <= sigma**2,
        ),
    ),
)
half_step = known(step_size / 2)
perturbed_weight = known(step_size / 2 + L * step_size**2)
#: What E|∇f_b|² costs in one step.
gradient_weight = (step_size / 2 + L * step_size**2) * q**2 + L * step_size**2
on_second_moment = add(times(perturbed_weight, Square(q)), known(L * step_size**2))
variance = RuleAt("bounded variance", "variance", (x,))


def decreasing(second_moment: Cone, on_gradient: Cone) -> Cone:
    r"""A cone for a bound on $E f(x^+)$, after the steps `descent` and `perturbed gradient`.

    Args:
        second_moment: a bound on $E\|\nabla f_b(x)\|^2$.
        on_gradient: what uses up the multiple of $\|\nabla f(x)\|^2$ that is left.
    """
    return add(
        MeanOf(Fact("descent")),
        times(half_step, MeanOf(Norm(pl.G + h - pl.g))),
        times(known(L * step_size**2 / 2), MeanOf(Norm(2 * pl.g - h))),
        times(perturbed_weight, MeanOf(Fact("perturbed gradient"))),
        times(on_second_moment, second_moment),
        on_gradient,
    )


one_step = Step(
    "one step",
    Mean(Value(f, after)) <= factor * pl.loss + noise,
    decreasing(variance, times(half_step, Fact("margin > 0"), Fact("gradient dominates"))),
    "Young's inequality with equal weights; E|∇f_b|² is |∇f|² and the variance.",
)
SETTING = said(
    "Let every f_b be β-smooth, f = E f_b be L-smooth and PL (convention PL-half) with minimum 0, "
    "and E|∇f_b - ∇f|² ≤ σ²; no interpolation.",
    *("smooth samples", "smooth mean", "L > 0", "PL", "bounded variance"),
)
ALWAYS = (
    pl.smooth_samples("lipschitz"),
    pl.SMOOTH_MEAN,
    VARIANCE,
    polyak_lojasiewicz("PL", f, mu, "half"),
    pl.L_POSITIVE,
    Condition("step > 0", step_size > ZERO),
)

NEIGHBOURHOOD = with_rate(
    Theorem(
        id="sam-pl-noise",
        title="With gradient noise SAM converges linearly to a neighbourhood of the minimum value",
        title_says=("bounded variance", "floor", "rate"),
        statement=(
            SETTING,
            said(
                "Put q = βρ and m = 1 - q² - 2Lη(1 + q²), and let η, m > 0.",
                *("step > 0", "margin > 0"),
            ),
            said(
                "Then unnormalised stochastic SAM satisfies E f(x⁺) ≤ (1 - ημm) f(x) + "
                "(η/2)(q² + 2Lη(1 + q²))σ².",
                *("algorithm", "one step", "PL <= L"),
            ),
            said(
                "Hence E f(x_t) - N ≤ (1 - ημm)^t (f(x_0) - N), where N solves "
                "2μmN = (q² + 2Lη(1 + q²))σ².",
                *("floor", "rate"),
            ),
        ),
        source=Source(
            PAPER,
            "convergence under PL and bounded variance; the one-step inequality",
            Attribution.DERIVED,
        ),
        kind=Kind.UPPER_BOUND,
        dynamics=dynamics,
        hypotheses=(
            *ALWAYS,
            Condition("margin > 0", margin > ZERO, "step size and radius are small"),
            Condition(
                "floor",
                (step_size * mu * margin * floor).equals(noise),
                "what remains of the expected loss: the fixed point of the recursion",
            ),
            Condition("PL <= L", mu <= L, "fails only if f is zero", implicit=True),
        ),
        divisors=(),
        proof=(
            published.PERTURBED_GRADIENT,
            published.DESCENT,
            pl.gradient_dominates(mu, 2),
            one_step,
            Step(
                "the factor is non-negative",
                factor >= ZERO,
                add(
                    times(
                        number(Fraction(1, 2)),
                        add(
                            number(1),
                            known(margin),
                            times(Square(q), known(1 + 2 * L * step_size)),
                        ),
                    ),
                    times(Fact("PL <= L"), known(step_size * margin)),
                    times(
                        known(L * step_size),
                        add(Square(q), times(known(2 * L * step_size), add(number(1), Square(q)))),
                    ),
                ),
                "μ ≤ L, m ≤ 1, and 2Lη ≤ 1 because m > 0.",
            ),
            Step(
                "excess",
                Mean(substitute(excess, x, after)) <= factor * excess,
                add(Fact("one step"), minus(Fact("floor"))),
                "The neighbourhood N is the fixed point of the recursion: N = (1 - ημm)N + noise.",
            ),
        ),
        conclusion=("one step",),
        witness=witness(
            {
                "beta": 1,
                "L": 1,
                "mu": 1,
                "step_size": "1/4",
                "radius": "1/4",
                "sigma": 1,
                "floor": "19/26",
            },
            {},
            functions=NOISY,
        ),
        quantities=(
            Quantity("factor", factor, "one-step contraction of the expected loss, but for noise"),
            Quantity("noise", noise, "what the noise adds in one step"),
            Quantity("floor", floor, "what remains of the expected loss"),
        ),
        findings=(
            "The neighbourhood does not vanish with η at a fixed radius: q²σ²/(2μ(1 - q²)) "
            "remains. With ρ² of the order of η/β both parts are of order η.",
        ),
    ),
    "excess",
    excess,
    factor,
    Fact("the factor is non-negative"),
)

at_least_two = add(Fact("index >= 2"), number(2))
squared, following = times(at_least_two, at_least_two), add(at_least_two, number(1))
flatter, room = Fact("L <= beta"), Fact("step range")  # β - L, 1 - 8βη
level_cone = times(
    Invert(Fact("mu is not 0")), add(Fact("level"), times(known(26 * beta), Square(sigma)))
)
share = level / index**2  # what the noise adds at most at index k

HORIZON = Theorem(
    id="sam-pl-noise-horizon",
    title="With decreasing steps and radii one step of SAM keeps an expected loss of order 1/k",
    title_says=("step", "radius", "decrease", "next index"),
    statement=(
        SETTING,
        said(
            "At index k ≥ 2 take η = 4/(μk) ≤ 1/(8β) and ρ² = η/β, and let D ≥ 26βσ²/μ².",
            *("index >= 2", "step", "step range", "radius", "level"),
            *("step > 0", "beta > 0", "mu is not 0", "L <= beta"),
        ),
        said(
            "Then one step of unnormalised SAM from any point x satisfies "
            "E f(x⁺) ≤ (1 - 2/k) f(x) + D/k².",
            *("algorithm", "decrease"),
        ),
        said(
            "If a number e, such as the expected loss E f(x_k), is at most D/k, then "
            "(1 - 2/k)e + D/k² ≤ D/(k + 1).",
            *("so far", "next index"),
        ),
        unchecked(
            "So E f(x_k) ≤ D/k passes on to k + 1: average the first inequality, which is linear "
            "in f(x), over the law of x_k and use the second; by induction it holds at every later "
            "k, if D is large enough for the first."
        ),
    ),
    source=Source(
        PAPER, "O(1/T) under PL with decreasing step size and radius", Attribution.RECONSTRUCTED
    ),
    kind=Kind.UPPER_BOUND,
    dynamics=dynamics,
    hypotheses=(
        *ALWAYS,
        pl.BETA_POSITIVE,
        Condition("mu is not 0", mu**2 > ZERO, "positive by the step size and the radius"),
        Condition("L <= beta", beta >= L, "f is a mean of β-smooth losses", implicit=True),
        Condition("index >= 2", index >= 2),
        Condition("step", (step_size * mu * index).equals(4)),
        Condition("step range", 8 * step_size * beta <= 1),
        Condition("radius", (beta * radius**2).equals(step_size)),
        Condition("level", 26 * beta * sigma**2 <= mu**2 * level),
        Condition("so far", index * expected <= level, "e stands for E f(x_k)"),
    ),
    divisors=(
        following,
        at_least_two,
        squared,
        times(number(2), at_least_two),
        times(number(8), Fact("mu is not 0"), squared),
    ),
    proof=(
        Step(
            "half a margin",
            Fraction(1, 2) <= margin,
            add(
                number(Fraction(3, 32)),
                times(number(Fraction(1, 32)), room, add(number(13), known(8 * beta * step_size))),
                times(flatter, known(2 * step_size * (1 + beta * step_size))),
                Multiple(beta * (1 + 2 * L * step_size), Fact("radius")),
            ),
            "q² = βη ≤ 1/8 and L ≤ β.",
        ),
        Step(
            "noise",
            noise <= Fraction(13, 8) * beta * step_size**2 * sigma**2,
            add(
                times(
                    Square(step_size * sigma),
                    add(
                        times(flatter, known(1 + beta * step_size)),
                        times(number(Fraction(1, 8)), known(beta), room),
                    ),
                ),
                Multiple(step_size / 2 * sigma**2 * beta * (1 + 2 * L * step_size), Fact("radius")),
            ),
            "q² = βη ≤ 1/8 and L ≤ β.",
        ),
        published.PERTURBED_GRADIENT,
        published.DESCENT,
        pl.gradient_dominates(mu, 2),
        Step(
            "one step",
            Mean(Value(f, after)) <= (1 - step_size * mu / 2) * pl.loss + noise,
            decreasing(
                variance,
                add(
                    times(known(step_size / 4), Fact("gradient dominates")),
                    times(known(step_size / 2), Fact("half a margin"), Norm(pl.G)),
                ),
            ),
            "As in sam-pl-noise, with m ≥ 1/2.",
        ),
        Step(
            "decrease",
            Mean(Value(f, after)) <= (1 - 2 / index) * pl.loss + share,
            add(
                Fact("one step"),
                Fact("noise"),
                times(Invert(times(Fact("mu is not 0"), squared)), Fact("level")),
                Multiple(
                    13 * beta * sigma**2 * (4 + step_size * mu * index) / (8 * mu**2 * index**2)
                    - pl.loss / (2 * index),
                    Fact("step"),
                ),
            ),
            "ημ/2 = 2/k, and the noise is at most 26βσ²/(μk)² ≤ D/k².",
        ),
        Step(
            "next index",
            (1 - 2 / index) * expected + share <= level / (index + 1),
            add(
                times(level_cone, Invert(times(squared, following))),
                times(Fact("index >= 2"), Invert(squared), Fact("so far")),
            ),
            "(1 - 2/k) D/k + D/k² = (k - 1)D/k² ≤ D/(k + 1).",
        ),
    ),
    conclusion=("decrease", "next index"),
    quantities=(
        Quantity("next_level", level / (index + 1), "bound on the expected loss after the step"),
    ),
    witness=witness(
        {
            "beta": 1,
            "L": 1,
            "mu": 1,
            "step_size": "1/9",
            "radius": "1/3",
            "sigma": 1,
            "index": 36,
            "level": 26,
            "expected_loss": "1/2",
        },
        {},
        functions=NOISY,
    ),
)

THEOREMS = (NEIGHBOURHOOD, HORIZON)
