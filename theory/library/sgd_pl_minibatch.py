"""Mini-batch SGD under interpolation and PL: how the step size and the rate grow with the batch."""

from __future__ import annotations

from theory.language import *
from theory.library import _angles as angles
from theory.library import _minibatch as batch
from theory.library import _pl as pl
from theory.library import sgd_pl_linear as single
from theory.library._minibatch import known

batch_gradient = Gradient(Function("F", sampled=True), x)
squared = norm2(Gradient(Function("F", sampled=True), u))
VARIANCE = Assumption(
    "sampling",
    "F_b is the mean of the losses of a batch, drawn uniformly",
    "variance of a mean, with or without replacement",
    (
        Rule(
            "variance",
            (u,),
            Mean(squared).equals(
                p * Mean(norm2(Gradient(f_b, u))) + (1 - p) * norm2(Gradient(f, u))
            ),
        ),
    ),
)
LAW = Theorem(
    id="sgd-batch-gradients",
    title="A batch that keeps the share p of the variance has E|∇F_b|² ≤ 2pβf + (1 - p)|∇f|²",
    title_says=("sampling", "batch gradient"),
    statement=(
        said(
            "Let every f_b be β-smooth, and one point make all of them zero.",
            *("smooth samples", "interpolation", "beta > 0"),
        ),
        said(
            "If E|∇F_b|² = p E|∇f_b|² + (1 - p)|∇f|² with p ≥ 0, then E|∇F_b|² ≤ 2pβf + (1 - "
            "p)|∇f|².",
            *("sampling", "p >= 0", "batch gradient"),
        ),
        unchecked(
            "The mean F_b of the losses of a batch of B out of n is such a loss, with p = 1/B, "
            "or (n - B)/(B(n - 1)) without replacement."
        ),
    ),
    source=Source(
        "Bassily, Belkin, Ma 2018, On exponential convergence of SGD in non-convex "
        "over-parametrized learning",
        "batches of size m",
        Attribution.RECONSTRUCTED,
    ),
    kind=Kind.UPPER_BOUND,
    hypotheses=(
        pl.smooth_samples("descent"),
        pl.INTERPOLATION,
        VARIANCE,
        pl.BETA_POSITIVE,
        batch.SHARE,
    ),
    divisors=(known(beta),),
    proof=(
        *pl.self_bounding(),
        Step(
            "batch gradient",
            Mean(norm2(batch_gradient)) <= 2 * p * beta * pl.loss + (1 - p) * norm2(pl.G),
            add(times(known(p), Fact("mean self-bounding")), RuleAt("sampling", "variance", (x,))),
            "The variance of a mean.",
        ),
    ),
    conclusion=("batch gradient",),
    witness=witness(
        {"beta": 4, "p": "1/2"},
        {},
        functions={  # batches of two draws out of two losses, with replacement; f_b is the first
            "f": [quadratic(a) for a in pl.SAMPLES for _ in pl.SAMPLES],
            "F": [quadratic(mean(a, b)) for a in pl.SAMPLES for b in pl.SAMPLES],
        },
    ),
)

spread = p * beta + (1 - p) * mu
factor = 1 - 2 * step_size * mu + L * step_size**2 * spread
best_step_size = mu / (L * spread)
best_factor = 1 - mu * best_step_size
#: The spread is μ + p(β - μ), and μ ≤ L ≤ β.
grown = times(known(p), add(Fact("L <= beta"), Fact("PL <= L")))
positive_spread = add(known(mu), grown)

THEOREM = Theorem(
    id="sgd-pl-minibatch",
    title="Mini-batch SGD contracts the loss under interpolation and PL",
    title_says=("batch law", "PL", "rate"),
    statement=(
        batch.SETTING_IN_WORDS,
        batch.SAMPLING,
        said(
            "Then SGD with 0 ≤ η, (1 - p)Lη ≤ 2, 0 ≤ p ≤ 1 and μ ≤ L ≤ β satisfies E f(x⁺) ≤ (1 - "
            "2ημ + Lη²(pβ + (1 - p)μ)) f(x) and the corresponding linear rate.",
            *("algorithm", "step >= 0", "step range", "p >= 0", "p <= 1", "PL <= L", "L <= beta"),
            *("one step", "rate"),
        ),
        said(
            "The best step size is η = μ/(L(pβ + (1 - p)μ)), with factor 1 - μη.",
            *("the best step size", "the best step size is in range"),
        ),
        said(
            "At p = 1 the factor is that of one sample, and at p = 0 the best factor is that of"
            " gradient descent, 1 - μ/L.",
            *("batch size one", "full batch"),
        ),
    ),
    source=LAW.source,
    kind=Kind.UPPER_BOUND,
    dynamics=single.dynamics,
    hypotheses=(
        batch.BATCH_LAW,
        pl.SMOOTH_MEAN,
        polyak_lojasiewicz("PL", f, mu, "half"),
        pl.BETA_POSITIVE,
        pl.L_POSITIVE,
        angles.MU,
        pl.STEP,
        batch.SHARE,
        batch.SHARE_AT_MOST_1,
        Condition("step range", (1 - p) * L * step_size <= 2),
        *pl.constants_ordered(mu),
    ),
    divisors=(known(L), known(L * mu), times(known(L), positive_spread)),
    proof=(
        pl.gradient_dominates(mu, 2),
        single.descent,
        Step(
            "one step",
            Mean(Value(f, single.after)) <= factor * pl.loss,
            add(
                MeanOf(Fact("descent")),
                times(known(step_size / 2), Fact("step range"), Fact("gradient dominates")),
                times(known(L * step_size**2 / 2), RuleAt("batch law", "noise", (x,))),
            ),
            "Average the descent lemma; the noise is bounded by the loss and by the mean gradient.",
        ),
        Step(
            "the factor is non-negative",
            factor >= ZERO,
            times(
                Invert(times(known(L), positive_spread)),
                add(
                    Square(L * spread * step_size - mu),
                    times(positive_spread, Fact("PL <= L")),
                    times(known(mu), grown),
                ),
            ),
            "Complete the square in η; μ ≤ L ≤ β.",
        ),
        Step(
            "rate",
            Along(pl.loss, Time()) <= factor ** Time() * Value(f, x_0),
            geometric_decay(pl.loss, Fact("the factor is non-negative"), "one step"),
            "Induction on t by the tower rule.",
        ),
        Step(
            "the best step size",
            best_factor <= factor,
            times(known(L * spread), Square(step_size - best_step_size)),
            "The factor is a parabola in η.",
        ),
        Step(
            "the best step size is in range",
            (1 - p) * L * best_step_size <= 2,
            times(Invert(positive_spread), known(2 * p * beta + (1 - p) * mu)),
            "(1 - p)μ is a part of the spread.",
        ),
        Step(
            "batch size one",
            substitute(factor, p, scalar(1)).equals(single.factor),
            NOTHING,
            "At p = 1 the factor is that of one sample.",
        ),
        Step(
            "full batch",
            substitute(best_factor, p, ZERO).equals(1 - mu / L),
            NOTHING,
            "At p = 0 the best factor is that of gradient descent.",
        ),
    ),
    conclusion=(
        "one step",
        "rate",
        "the best step size",
        "the best step size is in range",
        "batch size one",
        "full batch",
    ),
    witness=witness({"beta": 4, "L": 3, "mu": 1, "step_size": "1/6", "p": "1/2"}, {}, pl.SAMPLES),
    quantities=(
        Quantity("factor", factor, "one-step contraction of the expected loss"),
        Quantity("best_step_size", best_step_size, "step size with the smallest factor"),
        Quantity("best_factor", best_factor, "the smallest factor"),
    ),
    findings=(
        "The decrement grows linearly in the batch while pβ > μ and saturates at gradient "
        "descent's: beyond B of order β/μ a larger batch saves no steps.",
    ),
)

THEOREMS = (LAW, THEOREM)
