"""Mini-batch SAM under interpolation and PL: two angles, one of them narrowed by the batch."""

from __future__ import annotations

from theory.language import *
from theory.library import _angles as angles
from theory.library import _minibatch as batch
from theory.library import _pl as pl
from theory.library import sam_pl_linear as published
from theory.library import sam_pl_optimal as single

q = published.q
spread = p * beta + (1 - p) * L
max_step_size = 2 * mu / (spread * L)
#: The spread is at least μ.
positive_spread = add(
    batch.known(mu),
    times(batch.known(p), Fact("L <= beta")),
    Fact("PL <= L"),
)

method = angles.Angles(
    spread=spread,
    tilt=q,
    error=published.h - pl.g,
    after=published.after,
    inverse_tilt=Invert(times(Fact("beta > 0"), Fact("radius >= 0"))),
    room_of_tilt=Fact("radius range"),
    room_of_step=times(positive(L, pl.KNOWN), Fact("spread > 0"), Fact("step range")),
    facts={p: "p >= 0", 1 - p: "p <= 1", spread: "spread > 0"},
)
known = method.known

THEOREM = Theorem(
    id="sam-pl-minibatch",
    title=(
        "Mini-batch SAM under interpolation and PL: radius and rate by the spread pβ + (1 - p)L"
    ),
    title_says=("batch law", "radius range", "one step", "rate"),
    statement=(
        batch.SETTING_IN_WORDS,
        batch.SAMPLING,
        said(
            "Let every f_b be β-smooth, f ≥ 0, 0 ≤ p ≤ 1, μ ≤ L ≤ β and s = pβ + (1 - p)L.",
            *("smooth samples", "interpolation", "p >= 0", "p <= 1", "PL <= L", "L <= beta"),
        ),
        said(
            "Unnormalised SAM with the same batch in both gradients, sβ²ρ² ≤ μ and 0 ≤ η ≤ "
            "2μ/(sL) satisfies E f(x⁺) ≤ (1 - μ/L + (s/L)(w + βρLη)²) f(x), where w > 0 and sw²"
            " = μ(1 - 2Lη) + s(Lη)², and the corresponding linear rate.",
            *("algorithm", "radius >= 0", "radius range", "step >= 0", "step range", "width > 0"),
            *("width", "one step", "rate"),
        ),
        said(
            "The best step size is (μ/(sL))(1 - βρκ/φ) ≥ 0, with κ = √(s/μ - 1) and φ = √(1 - "
            "β²ρ²); its factor is 1 - (μ²/(sL))(φ - βρκ)².",
            *("cotangent >= 0", "cotangent", "cosine > 0", "cosine", "the best step size"),
            *("the best width", "the best factor", "the best step size is non-negative"),
        ),
        said("At p = 1 the factor is that of one sample.", "batch size one"),
        unchecked("The smallest factor is 1 - (μ/L) sin²(arcsin √(μ/s) - arcsin βρ)."),
    ),
    source=Source("this toolkit", "batches for sam-pl-linear-optimal", Attribution.DERIVED),
    kind=Kind.UPPER_BOUND,
    dynamics=published.dynamics,
    hypotheses=(
        pl.smooth_samples("lipschitz"),
        batch.BATCH_LAW,
        pl.SMOOTH_MEAN,
        batch.LOWEST,
        polyak_lojasiewicz("PL", f, mu, "half"),
        pl.BETA_POSITIVE,
        pl.L_POSITIVE,
        angles.MU,
        pl.STEP,
        Condition("step range", step_size <= max_step_size),
        pl.RADIUS,
        Condition("radius range", spread * q**2 <= mu, "βρ ≤ √(μ/s)"),
        batch.SHARE,
        batch.SHARE_AT_MOST_1,
        *pl.constants_ordered(mu),
        *angles.SIGNED,
        *method.equations,
    ),
    divisors=method.divisors(positive_spread),
    proof=(
        published.PERTURBED_GRADIENT,
        Step("spread > 0", spread > ZERO, positive_spread, "μ ≤ L ≤ β."),
        Step(
            "the mean gradient",
            norm2(pl.G) <= 2 * L * pl.loss,
            times(
                known(2 * L),
                add(
                    RuleAt("smooth mean", "descent", (x, x - 1 / L * pl.G)),
                    MeanOf(RuleAt("interpolation", "nonnegative", (x - 1 / L * pl.G,))),
                ),
            ),
            "The descent lemma for f at x - ∇f(x)/L.",
        ),
        Step(
            "mean self-bounding",
            Mean(norm2(pl.g)) <= 2 * spread * pl.loss,
            add(
                RuleAt("batch law", "noise", (x,)),
                times(known(1 - p), Fact("the mean gradient")),
            ),
            "The noise is bounded by the loss, and so is the mean gradient.",
        ),
        pl.gradient_dominates(mu, 2),
        published.DESCENT,
        *method.contraction(),
        *method.optimum(),
        Step(
            "batch size one",
            substitute(method.factor, p, scalar(1)).equals(single.method.factor),
            NOTHING,
            "At p = 1 the factor is that of one sample.",
        ),
    ),
    conclusion=(*angles.CONCLUSION, "batch size one"),
    witness=witness(
        {
            **{"beta": 28, "L": 22, "mu": 16, "step_size": "7/550", "radius": "3/140"},
            **{"p": "1/2", "width": "3/5", "cotangent": "3/4", "cosine": "4/5"},
        },
        {},
        [[[16, 0], [0, 16]], [[25, 0], [0, 16]]],
    ),
    quantities=(
        *method.quantities(),
        Quantity("max_step_size", max_step_size, "largest admissible step size"),
    ),
    findings=(
        "A larger batch brings the spread down from β to L, which raises the admissible radius "
        "from √(μ/β)/β to √(μ/L)/β and the best decrement with it.",
        "At p = 0 and ρ = 0 the decrement is μ²/L², while gradient descent has μ/L: part of the "
        "mean gradient is counted as noise (see sgd-pl-minibatch for ρ = 0).",
    ),
)
