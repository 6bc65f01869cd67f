"""PL without convexity, and gradients at any point within ρ: a neighbourhood of order β²ρ²/μ."""

from __future__ import annotations

from theory.language import *
from theory.library import _perturbed as perturbed
from theory.library import _pl as pl
from theory.library._perturbed import after, h, y
from theory.library._pl import G, g

q = beta * radius
margin = mu - 2 * L * beta * step_size
factor = 1 - step_size * margin
noise = step_size / 2 * q**2 * (1 + 2 * L * step_size)
floor = q**2 * (1 + 2 * L * step_size) / (2 * margin)
excess = pl.loss - floor

known = signs(pl.KNOWN | {mu: "mu > 0", margin: "margin > 0"})
there = Gradient(f_b, y)

THEOREM = with_rate(
    Theorem(
        id="sam-any-perturbation-pl",
        title="Under PL and interpolation any perturbation leaves a neighbourhood of order β²ρ²/μ",
        title_says=("PL", "interpolation", "length", "one step", "rate"),
        statement=(
            said(
                "Let every f_b be β-smooth, f = E f_b be L-smooth and satisfy PL (convention "
                "PL-half) with μ > 0, and let one point minimise every f_b with value 0.",
                *("smooth samples", "smooth mean", "PL", "mu > 0", "interpolation", "beta > 0"),
                *("L > 0", "PL <= L", "L <= beta"),
            ),
            perturbed.ALGORITHM,
            perturbed.EXAMPLES,
            said("Put m = μ - 2Lβη and let m > 0.", "margin > 0", "step >= 0"),
            said(
                "Then E f(x⁺) - N ≤ (1 - ηm)(f(x) - N) with N = β²ρ²(1 + 2Lη)/(2m), that is E "
                "f(x⁺) ≤ (1 - ηm) f(x) + (η/2)β²ρ²(1 + 2Lη).",
                *("one step", "excess"),
            ),
            said("Hence E f(x_t) - N ≤ (1 - ηm)^t (f(x_0) - N).", "rate"),
        ),
        source=Source("this toolkit", "", Attribution.DERIVED),
        kind=Kind.UPPER_BOUND,
        dynamics=perturbed.dynamics,
        hypotheses=(
            pl.smooth_samples("lipschitz", "descent"),
            pl.INTERPOLATION,
            pl.SMOOTH_MEAN,
            polyak_lojasiewicz("PL", f, mu, "half"),
            perturbed.LENGTH,
            perturbed.DIRECTION,
            pl.BETA_POSITIVE,
            pl.L_POSITIVE,
            Condition("mu > 0", mu > ZERO),
            pl.STEP,
            Condition("margin > 0", margin > ZERO, "the step size is small"),
            *pl.constants_ordered(mu),
        ),
        divisors=(known(beta), known(2 * margin)),
        proof=(
            *pl.self_bounding(),
            pl.gradient_dominates(mu, 2),
            Step(
                "displaced gradient",
                norm2(h - g) <= q**2,
                add(
                    RuleAt("smooth samples", "lipschitz", (x, y)),
                    times(Square(beta), RuleAt(perturbed.LENGTH.name, "at", (x,))),
                    perturbed.along(h + there - 2 * g),
                ),
                "The gradient is β-Lipschitz.",
            ),
            Step(
                "descent",
                Value(f, after)
                <= pl.loss - step_size * Inner(G, h) + L * step_size**2 / 2 * norm2(h),
                RuleAt("smooth mean", "descent", (x, after)),
                "The descent lemma for the mean.",
            ),
            Step(
                "one step",
                Mean(Value(f, after)) <= factor * pl.loss + noise,
                add(
                    MeanOf(Fact("descent")),
                    times(known(step_size / 2), MeanOf(Norm(G + h - g))),
                    times(known(L * step_size**2 / 2), MeanOf(Norm(2 * g - h))),
                    times(
                        known(step_size / 2 + L * step_size**2),
                        MeanOf(Fact("displaced gradient")),
                    ),
                    times(known(L * step_size**2), Fact("mean self-bounding")),
                    times(known(step_size / 2), Fact("gradient dominates")),
                ),
                "Young's inequality with equal weights; E|∇f_b|² ≤ 2βf.",
            ),
            Step(
                "excess",
                Mean(Value(f, after) - floor) <= factor * excess,
                Fact("one step"),
                "N is the fixed point of the recursion: ηmN is the noise.",
            ),
            Step(
                "the factor is non-negative",
                factor >= ZERO,
                add(
                    Square(1 - step_size * mu / 2),
                    times(number(Fraction(7, 4)), Square(step_size * mu)),
                    times(
                        number(2),
                        Square(step_size),
                        add(
                            times(known(L), add(Fact("PL <= L"), Fact("L <= beta"))),
                            times(known(mu), Fact("PL <= L")),
                        ),
                    ),
                ),
                "Lβ ≥ μ².",
            ),
        ),
        conclusion=("one step", "excess"),
        witness=witness(
            {
                "beta": 4,
                "L": 3,
                "mu": "3/4",
                "step_size": "1/48",
                "radius": "1/2",
            },
            {},
            perturbed.SAMPLES,
            functions=perturbed.FIELDS,
        ),
        quantities=(
            Quantity("factor", factor, "one-step contraction of the expected loss, but for noise"),
            Quantity("noise", noise, "what the perturbation adds in one step"),
            Quantity("floor", floor, "N: what remains of the expected loss"),
        ),
        findings=(
            "As η → 0 the neighbourhood is β²ρ²/(2μ); with convex samples it is βρ²/2 "
            "(sam-any-perturbation-convex).",
        ),
    ),
    "excess",
    excess,
    factor,
    Fact("the factor is non-negative"),
)
