"""SAM on quadratic samples: the exact trade of step size against radius, for every radius."""

from __future__ import annotations

from theory.language import *
from theory.library import _angles as angles
from theory.library import _pl as pl
from theory.library import _stability as st
from theory.library._stability import u

q = beta * radius
z = beta * step_size * (1 + q)
after = st.linearised.step()
long_factor = 1 - mu / beta * z * (2 - z)
short_factor = 1 - 2 * step_size * mu
short_best_step = 2 * q / (beta * (1 + q) ** 2)

BOUNDED = Assumption(
    "H_b <= beta",
    "the eigenvalues of every H_b are at most β",
    "definition",
    (Rule("bounded", (u,), Inner(u, H_b(u)) <= beta * norm2(u)),),
)
GROWTH = Assumption(
    "H >= mu",
    "the eigenvalues of H = E H_b are at least μ: the space is the range of H",
    "definition",
    (Rule("growth", (u,), mu * norm2(u) <= Inner(u, H(u))),),
)
SETTING = (
    st.SAMPLES_PSD,
    BOUNDED,
    GROWTH,
    pl.BETA_POSITIVE,
    Condition("mu <= beta", mu <= beta, "the space is not 0", implicit=True),
    pl.RADIUS,
)
LONG = Condition("long steps", 2 * q <= beta * step_size * (1 + q) ** 2)
SHORT = Condition("short steps", beta * step_size * (1 + q) ** 2 <= 2 * q)
RANGE = Condition("step range", step_size <= 2 / (beta * (1 + q)))
SETTING_IN_WORDS = said(
    "Let f_b(x) = ½⟨x, H_b x⟩ with 0 ⪯ H_b ⪯ β and E H_b ⪰ μ, where μ ≤ β.",
    *("H_b >= 0", "H_b <= beta", "H >= mu", "beta > 0", "mu <= beta"),
)
SOURCE = Source("this toolkit", "", Attribution.DERIVED)
WITNESS = witness({"beta": 4, "mu": 2, "step_size": "1/6", "radius": "1/8"}, {}, [[[0]], [[4]]])

known = signs(pl.KNOWN | {mu: "mu > 0"})


def below(vector: Vector) -> Cone:
    """<v, H_b (β - H_b) v> ≥ 0."""
    return times(
        Invert(known(beta)),
        add(
            RuleAt("H_b >= 0", "psd", (beta * vector - H_b(vector),)),
            RuleAt("H_b <= beta", "bounded", (H_b(vector),)),
        ),
    )


def rate(factor: Scalar, reason: Cone, one_step: str) -> Step:
    """The linear rate of the expected squared distance."""
    return Step(
        "rate",
        Along(norm2(x), Time()) <= factor ** Time() * norm2(x_0),
        geometric_decay(norm2(x), reason, one_step),
        "Induction on t by the tower rule.",
    )


def contraction(
    gain: Scalar, ends: Cone, factor: Scalar, sign: Cone, nonnegative: Cone
) -> tuple[Step, ...]:
    r"""The contraction by $1 - \eta\mu c$, from what the step does at both ends of the spectrum.

    A step multiplies the component of curvature $\lambda$ by $1 - \eta\lambda(1 + \rho\lambda)$,
    whose square is at most $1 - \eta\lambda c$ on $[0, \beta]$ if it is so at both ends.

    Args:
        gain: $c$.
        ends: a cone for $\frac{2 - c}\beta\langle x, H_b(\beta - H_b)x\rangle +
            \frac{(1 + q)(2 - z) - c}\beta\|H_b x\|^2$.
        factor: $1 - \eta\mu c$.
        sign: a cone for c.
        nonnegative: a cone for the factor.
    """
    curved = H_b(x)
    return (
        Step(
            "one sample",
            norm2(after) <= norm2(x) - step_size * gain * Inner(x, curved),
            times(
                known(step_size),
                add(
                    times(
                        known(step_size * radius * (2 + q)),
                        RuleAt("H_b <= beta", "bounded", (curved,)),
                    ),
                    times(known(step_size * radius**2), below(curved)),
                    ends,
                ),
            ),
            "The polynomial is concave in the curvature, so its chord lies below it.",
        ),
        Step(
            "one step",
            Mean(norm2(after)) <= factor * norm2(x),
            add(
                MeanOf(Fact("one sample")),
                times(known(step_size), sign, RuleAt("H >= mu", "growth", (x,))),
            ),
            "Average over the samples.",
        ),
        Step("the factor is non-negative", factor >= ZERO, nonnegative, "μ ≤ β."),
        rate(factor, Fact("the factor is non-negative"), "one step"),
    )


room = times(known(beta * (1 + q)), Fact("step range"))  # 2 - z
spare = times(Invert(known(beta)), Fact("mu <= beta"))  # 1 - μ/β
long = contraction(
    (1 + q) * (2 - z),
    times(Invert(known(beta)), Fact("long steps"), below(x)),
    long_factor,
    times(known(1 + q), room),
    add(spare, times(known(mu / beta), Square(1 - z))),
)
best_among_long = Step(
    "the smallest factor",
    1 - mu / beta <= long_factor,
    times(known(mu / beta), Square(1 - z)),
    "A parabola in η, with its vertex at 1/(β(1 + q)).",
)
DIVISORS = (known(beta), known(beta * (1 + q)))

LONG_STEPS = Theorem(
    id="sam-quadratic",
    title="SAM on quadratic samples contracts the distance at every radius: long steps",
    title_says=("H_b >= 0", "H_b <= beta", "long steps", "rate"),
    statement=(
        SETTING_IN_WORDS,
        said(
            "Unnormalised stochastic SAM with the same sample in both gradients, with q = βρ "
            "and 2q/(1 + q)² ≤ βη ≤ 2/(1 + q), η ≥ 0, satisfies, with z = βη(1 + q), E|x⁺|² ≤ "
            "(1 - (μ/β)z(2 - z))|x|² and the corresponding linear rate.",
            *("algorithm", "radius >= 0", "step >= 0", "long steps", "step range", "mu > 0"),
            *("one step", "rate"),
        ),
        said("The factor is at least 1 - μ/β.", "the smallest factor"),
    ),
    source=SOURCE,
    kind=Kind.UPPER_BOUND,
    dynamics=st.linearised,
    hypotheses=(*SETTING, angles.MU, pl.STEP, LONG, RANGE),
    divisors=DIVISORS,
    proof=(*long, best_among_long),
    conclusion=("one step", "rate", "the smallest factor"),
    witness=WITNESS,
    quantities=(
        Quantity("factor", long_factor, "one-step contraction of the squared distance"),
        Quantity("max_step_size", 2 / (beta * (1 + q)), "largest admissible step size"),
    ),
    findings=(
        "At ρ = 0 this is SGD (randomised Kaczmarz): 1 - ημ(2 - βη).",
        "Attained at every step and radius by samples with curvature β or 0, as in the witness.",
    ),
)
best_step_size = 1 / (beta * (1 + q))
on_step = Fact("step size")
BEST_STEP = Theorem(
    id="sam-quadratic-best-step",
    title="SAM on quadratic samples has the rate 1 - μ/β at every radius up to 1/β",
    title_says=("radius range", "step size", "rate"),
    statement=(
        SETTING_IN_WORDS,
        said(
            "Unnormalised stochastic SAM with the same sample in both gradients, ρ ≤ 1/β and "
            "step size η = 1/(β(1 + βρ)) satisfies E|x⁺|² ≤ (1 - μ/β)|x|² and the corresponding"
            " linear rate.",
            *("algorithm", "radius >= 0", "radius range", "step size"),
            *("one step, best step size", "rate"),
        ),
    ),
    source=SOURCE,
    kind=Kind.UPPER_BOUND,
    dynamics=st.linearised,
    hypotheses=(
        *SETTING,
        Condition("radius range", radius <= 1 / beta),
        Condition("step size", step_size.equals(best_step_size)),
    ),
    divisors=DIVISORS,
    proof=(
        Step(
            pl.STEP.name,
            pl.STEP.relation,
            add(known(best_step_size), minus(on_step)),
            "The step size is positive.",
        ),
        Step(
            LONG.name,
            LONG.relation,
            add(
                times(known(beta), Fact("radius range")),
                Multiple(-beta * (1 + q) ** 2, on_step),
            ),
            "2q ≤ 1 + q.",
        ),
        Step(RANGE.name, RANGE.relation, add(known(best_step_size), on_step), "1 ≤ 2."),
        *long[:2],
        Step(
            "one step, best step size",
            Mean(norm2(after)) <= (1 - mu / beta) * norm2(x),
            add(
                Fact("one step"),
                Multiple(
                    -mu * beta * (1 + q) ** 2 * (best_step_size - step_size) * norm2(x), on_step
                ),
            ),
            "Insert the step size.",
        ),
        rate(1 - mu / beta, spare, "one step, best step size"),
    ),
    conclusion=("one step, best step size", "rate"),
    witness=WITNESS,
    quantities=(
        Quantity("factor", 1 - mu / beta, "one-step contraction of the squared distance"),
        Quantity("step_size", best_step_size, "the step size of the theorem"),
        Quantity("max_radius", 1 / beta, "largest admissible radius"),
    ),
    findings=(
        "Attained, at every radius, by samples with curvature β or 0, as in the witness.",
        "For the loss there is no such statement: see sam-pl-convex.",
    ),
)
short_best = 1 - mu / beta * (4 * q / (1 + q) ** 2)
SHORT_STEPS = Theorem(
    id="sam-quadratic-short-steps",
    title="SAM on quadratic samples contracts the distance at every radius: short steps",
    title_says=("H_b >= 0", "H_b <= beta", "short steps", "rate"),
    statement=(
        SETTING_IN_WORDS,
        said(
            "Unnormalised stochastic SAM with the same sample in both gradients, with q = βρ "
            "and step size 0 ≤ η ≤ 2q/(β(1 + q)²) satisfies E|x⁺|² ≤ (1 - 2ημ)|x|² and the "
            "corresponding linear rate.",
            *("algorithm", "radius >= 0", "step >= 0", "short steps", "mu > 0", "one step", "rate"),
        ),
        said(
            "The largest step size is the best, with factor 1 - (μ/β)4q/(1 + q)².",
            *("the best step size", "the best factor"),
        ),
    ),
    source=SOURCE,
    kind=Kind.UPPER_BOUND,
    dynamics=st.linearised,
    hypotheses=(*SETTING, angles.MU, pl.STEP, SHORT),
    divisors=(known(beta), known((1 + q) ** 2), known(beta * (1 + q) ** 2)),
    proof=(
        *contraction(
            scalar(2),
            times(Invert(known(beta)), Fact("short steps"), Norm(H_b(x))),
            short_factor,
            number(2),
            add(
                spare,
                times(
                    known(mu / beta),
                    Invert(known((1 + q) ** 2)),
                    add(times(number(2), Fact("short steps")), Square(1 - q)),
                ),
            ),
        ),
        Step(
            "the best step size",
            short_best <= short_factor,
            times(number(2), known(mu), Invert(known(beta * (1 + q) ** 2)), Fact("short steps")),
            "The factor decreases in η.",
        ),
        Step(
            "the best factor",
            substitute(short_factor, step_size, short_best_step).equals(short_best),
            NOTHING,
            "Insert the largest step size.",
        ),
    ),
    conclusion=("one step", "rate", "the best step size", "the best factor"),
    witness=witness({"beta": 4, "mu": 2, "step_size": "1/16", "radius": "1/8"}, {}, [[[0]], [[4]]]),
    quantities=(
        Quantity("factor", short_factor, "one-step contraction of the squared distance"),
        Quantity("best_step_size", short_best_step, "step size with the smallest factor"),
        Quantity("best_factor", short_best, "the smallest factor"),
    ),
    findings=(
        "From ρ = 1/β on its best step is the best of both kinds of steps: quadratic samples "
        "contract the distance at every radius, with a step that shrinks like 1/ρ.",
        "Attained with the longest step by samples with curvature β or 0.",
    ),
)

THEOREMS = (LONG_STEPS, BEST_STEP, SHORT_STEPS)
