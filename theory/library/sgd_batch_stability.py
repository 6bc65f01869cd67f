"""SGD's one-step stability condition for mini-batches, and what it bounds (Wu, Ma, E)."""

from __future__ import annotations

from theory.language import *
from theory.library import _batches as batches
from theory.library import _stability as st
from theory.library._quadratic import eigenvector
from theory.library._stability import eta, u

PAPER = (
    "Wu, Ma, E 2018, How SGD selects the global minima in over-parameterized learning: a dynamical "
    "stability perspective"
)
s_2 = st.gap(2, u, u)
a, s, v = Param("a"), Param("s_2"), Named("v")
unit, v_unit = Fact("u is a unit vector"), Fact("v is a unit vector")
limit, bound = 2 / eta, 1 / (eta**2 * p)

ONE_STEP = Assumption(
    "one-step condition",
    "λ_max((I - ηH)² + η²p(E H_b² - H²)) ≤ 1",
    PAPER,
    (Rule("at", (u,), norm2(u - eta * H(u)) + eta**2 * p * s_2 <= norm2(u)),),
)

SUFFICIENT = with_rate(
    Theorem(
        id="sgd-batch-sufficient",
        title="Wu-Ma-E's condition makes a minimum stable for mini-batch SGD",
        title_says=("one-step condition", "batch", "rate"),
        statement=(
            said(
                "Batches of B out of n > 1 samples are drawn without replacement and p = (n - "
                "B)/(B(n - 1)); their second moment is E|K_b x|² = (1 - p)|Hx|² + p E|H_b x|².",
                *("batch", "n > 1", "batch_size > 0", "p", "second moment"),
            ),
            said(
                "If λ_max((I - ηH)² + η²p(E H_b² - H²)) ≤ 1, where H_b are the samples' Hessians, "
                "then mini-batch SGD on the linearised problem satisfies E|x⁺|² ≤ |x|² and E|x_t|² "
                "≤ |x_0|² for every t.",
                *("algorithm", "one-step condition", "one step", "rate"),
            ),
        ),
        source=Source(PAPER, "linear stability of SGD, batch size B", Attribution.RECONSTRUCTED),
        kind=Kind.SUFFICIENT,
        dynamics=batches.dynamics,
        hypotheses=(
            batches.without_replacement(test=False),
            ONE_STEP,
            batches.MANY,
            batches.SIZE,
            batches.SHARE,
        ),
        divisors=(batches.BATCH_DIVISOR,),
        proof=(
            batches.second_moment(x, x, test=False),
            Step(
                "one step",
                Mean(norm2(batches.dynamics.step())) <= 1 * norm2(x),
                add(
                    RuleAt("one-step condition", "at", (x,)),
                    batches.unbiased(-2 * eta, x, x),
                    Multiple(eta**2, Fact("second moment")),
                ),
                "The condition's matrix is E(I - ηK_b)².",
            ),
        ),
        conclusion=("second moment", "one step"),
        witness=witness(
            {"step_size": "1/2", "n": 3, "batch_size": 2, "p": "1/4"},
            {},
            operators=batches.pairs(*batches.THREE),
        ),
        quantities=(
            Quantity("noise_share", batches.noise_share(batches.batch_size), "p of n and B"),
        ),
        findings=(
            "The factor p is exact for sampling without replacement; with replacement it is 1/B.",
            "Sufficient but not necessary: the exact criterion is sam-exact-threshold at ρ = 0 "
            "with p as in sgd-batch-mixture.",
        ),
    ),
    "one step",
    norm2(x),
    scalar(1),
    number(1),
)

BOUNDS = Theorem(
    id="sgd-batch-bounds",
    title="Wu-Ma-E's condition bounds sharpness by 2/η and non-uniformity by 1/(η√p)",
    title_says=("one-step condition", "sharpness", "non-uniformity"),
    statement=(
        said(
            "Let a ≥ 0 be an eigenvalue of H with a unit eigenvector, and s_2² = ⟨u, (E H_b² - "
            "H²)u⟩ at a unit vector u, such as the largest eigenvalue of E H_b² - H².",
            *("a >= 0", "top eigenvector", "v is a unit vector", "u is a unit vector", "s_2"),
        ),
        said(
            "If λ_max((I - ηH)² + η²p(E H_b² - H²)) ≤ 1 with η, p > 0, then a ≤ 2/η and s_2² ≤ "
            "1/(η²p).",
            *("one-step condition", "step > 0", "p > 0", "sharpness", "non-uniformity"),
        ),
        unchecked(
            "For batches of size B the condition has p = (n - B)/(B(n - 1)), see sgd-batch-"
            "sufficient."
        ),
    ),
    source=Source(PAPER, "bounds on sharpness and non-uniformity", Attribution.RECONSTRUCTED),
    kind=Kind.NECESSARY,
    hypotheses=(
        ONE_STEP,
        st.STEP,
        Condition("p > 0", p > ZERO, "not the full batch, whose noise is zero"),
        Condition("a >= 0", a >= ZERO),
        eigenvector("top eigenvector", v, a),
        Condition("v is a unit vector", norm2(v).equals(1)),
        Condition("u is a unit vector", norm2(u).equals(1)),
        Condition(
            "s_2",
            (s**2).equals(s_2),
            "u is a top eigenvector of E H_b² - H², with eigenvalue s_2²",
        ),
    ),
    divisors=(Fact("step > 0"), times(Fact("step > 0"), Fact("step > 0"), Fact("p > 0"))),
    proof=(
        Step(
            "mean step",
            eta * a * (2 - eta * a) >= ZERO,
            add(
                RuleAt("one-step condition", "at", (v,)),
                times(
                    Fact("step > 0"), Fact("step > 0"), Fact("p > 0"), MeanOf(Norm(H_b(v) - H(v)))
                ),
                Multiple(eta * (2 - eta * a), RuleAt("top eigenvector", "eigen", (v,))),
                Multiple(-(eta**2), RuleAt("top eigenvector", "eigen", (H(v),))),
                Multiple(eta * a * (2 - eta * a), v_unit),
            ),
            "Along the eigenvector the condition reads (1 - ηa)² + noise ≤ 1.",
        ),
        Step(
            "sharpness",
            a <= limit,
            ZeroOrPositive(
                "a >= 0",
                zero=times(number(2), Invert(Fact("step > 0"))),
                positive=times(
                    Invert(times(Fact("step > 0"), Fact("step > 0"), Fact("a >= 0"))),
                    Fact("mean step"),
                ),
            ),
            "Divide by η²a, unless a = 0.",
        ),
        Step(
            "non-uniformity",
            s**2 <= bound,
            times(
                Invert(times(Fact("step > 0"), Fact("step > 0"), Fact("p > 0"))),
                add(
                    RuleAt("one-step condition", "at", (u,)),
                    Norm(u - eta * H(u)),
                    Multiple(eta**2 * p, Fact("s_2")),
                    unit,
                ),
            ),
            "Drop the square of the mean step.",
        ),
    ),
    conclusion=("sharpness", "non-uniformity"),
    witness=witness(
        {"step_size": 1, "p": 1, "a": 1, "s_2": 1}, {"u": [1], "v": [1]}, [[[0]], [[2]]]
    ),
    quantities=(
        Quantity("limit", limit, "upper bound on the sharpness a"),
        Quantity("bound", bound, "upper bound on s_2^2"),
    ),
    findings=(
        "The bound on s_2 is attained by the witness, two samples with curvatures 0 and 2/η.",
        "The bound on a is necessary for stability itself (sam-stability-sharpness at ρ = 0); the "
        "bound on s_2 is only necessary for the one-step condition.",
    ),
)

THEOREMS = (SUFFICIENT, BOUNDS)
