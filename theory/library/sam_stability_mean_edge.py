"""λ_max(H + ρE H_b²) ≤ 2/η is necessary for SAM's stability: s_2² ≤ 2/(ηρ) in every dimension."""

from __future__ import annotations

from theory.language import *
from theory.library import _mean_growth as mean_growth
from theory.library import _stability as st
from theory.library._mean_growth import v
from theory.library._stability import eta, rho

a_G, s = Param("a_G"), Param("s_2")
seen = Inner(v, H(v)) + rho * Mean(norm2(H_b(v)))
SEEN = Condition(
    "mean sharpness",
    a_G.equals(seen),
    "at a top eigenvector v it is the largest eigenvalue of H + ρE H_b²",
)
VIOLATED = Condition("bound violated", 2 / eta < a_G)
growth = eta * a_G - 1
step, reach = Fact("step > 0"), Fact("radius > 0")
SAMPLES = [[[1, 1], [1, 2]], [[1, -1], [-1, 2]]]
SLANTED = ["3/5", "4/5"]


def too_steep() -> tuple[Step, ...]:
    """From `bound violated` to the divergence: the steps that name v's share of E G_b."""
    return (
        Step(
            "growth rate",
            scalar(1) < growth,
            times(step, Fact("bound violated")),
            "R - 1 = η(a_G - 2/η).",
        ),
        Step(
            "eigenvalue",
            mean_growth.eigenvalue <= -growth,
            add(mean_growth.quotient_at_v(), Multiple(eta, Fact("mean sharpness"))),
            "Rayleigh's quotient of E M_b at v is 1 - ηa_G = -R.",
        ),
        *mean_growth.diverging(growth, mean_growth.growth_positive(step, Fact("bound violated"))),
    )


EDGE = Theorem(
    id="sam-stability-mean-edge",
    title="SAM is stable only where λ_max(H + ρE H_b²) ≤ 2/η",
    title_says=("mean sharpness", "bound violated", "bottom eigenpair", "divergence"),
    statement=(
        said(
            "Let a_G = ⟨v, Hv⟩ + ρE|H_b v|² for a unit vector v: at most the largest eigenvalue "
            "of H + ρE H_b², and equal to it at a top eigenvector.",
            *("mean sharpness", "v is a unit vector"),
        ),
        said(mean_growth.VECTORS_SAY, *mean_growth.VECTORS, "algorithm"),
        said(
            "If a_G > 2/η, put R = ηa_G - 1 > 1: started at w, the linearised SAM satisfies "
            "E|x_t|² ≥ R^(2t) for every t.",
            *("step > 0", "bound violated", "growth rate", "divergence"),
        ),
        unchecked(
            "So a minimum in finite dimension that is mean-square stable, E|x_t|² ≤ C|x_0|², "
            "has λ_max(H + ρE H_b²) ≤ 2/η, whatever the signs of the H_b and of ρ."
        ),
    ),
    source=Source("this toolkit", "sharpens sam-stability-sharpness", Attribution.DERIVED),
    kind=Kind.NECESSARY,
    dynamics=mean_growth.OF_SAM,
    hypotheses=(
        st.STEP,
        SEEN,
        VIOLATED,
        mean_growth.V_UNIT,
        mean_growth.bottom_eigenpair(),
        mean_growth.W_UNIT,
    ),
    divisors=(step,),
    proof=too_steep(),
    conclusion=("growth rate", "divergence"),
    witness=witness(
        {"step_size": 1, "radius": "1/2", "a_G": "18/5", "eigenvalue": "-7/2"},
        {"v": SLANTED, "w": [0, 1]},
        SAMPLES,
    ),
    quantities=(
        Quantity("limit", 2 / eta, "the bound on a_G"),
        Quantity("growth", growth, "R: the mean-square growth per step is at least R²"),
    ),
    findings=(
        "At a top eigenvector of H it reads a(1 + ρa) + ρE|H_b v - Hv|² ≤ 2/η: the bound of "
        "sam-stability-sharpness, and the noise along v on top.",
        "At ρ = 0 it is a ≤ 2/η, which bounds no noise: SGD's mean step does not know it.",
    ),
)

rate_of_s = eta * rho * s**2 - 1
EVERY_DIMENSION = Theorem(
    id="sam-stability-s2-every-dimension",
    title="In every dimension a stable minimum of SAM has s_2² ≤ 2/(ηρ)",
    title_says=("s_2", "s_2 too large", "bottom eigenpair", "divergence"),
    statement=(
        said(
            "Let H ⪰ 0, η, ρ > 0, and s_2² = E|H_b v|² - |Hv|² at a unit vector v.",
            *("H >= 0", "step > 0", "radius > 0", "v is a unit vector", "s_2"),
        ),
        said(mean_growth.VECTORS_SAY, *mean_growth.VECTORS, "algorithm"),
        said(
            "If s_2² > 2/(ηρ), put R = ηρs_2² - 1 > 1: started at w, the linearised SAM satisfies "
            "E|x_t|² ≥ R^(2t) for every t.",
            *("s_2 too large", "growth rate", "divergence"),
        ),
        unchecked(
            "So stability alone bounds the non-uniformity, by a number that does not know the "
            "dimension."
        ),
    ),
    source=Source(
        "this toolkit",
        "from sam-stability-mean-edge; its like for SGD is false",
        Attribution.DERIVED,
    ),
    kind=Kind.NECESSARY,
    dynamics=mean_growth.OF_SAM,
    hypotheses=(
        st.STEP,
        st.POSITIVE_RADIUS,
        positive_semidefinite("H >= 0", H, "H is positive semidefinite"),
        Condition("s_2", (s**2).equals(st.gap(2, v, v)), "largest at a top eigenvector"),
        Condition("s_2 too large", 2 / (eta * rho) < s**2),
        mean_growth.V_UNIT,
        mean_growth.bottom_eigenpair(),
        mean_growth.W_UNIT,
    ),
    divisors=(times(step, reach),),
    proof=(
        Step(
            "growth rate",
            scalar(1) < rate_of_s,
            times(step, reach, Fact("s_2 too large")),
            "R - 1 = ηρ(s_2² - 2/(ηρ)).",
        ),
        Step(
            "eigenvalue",
            mean_growth.eigenvalue <= -rate_of_s,
            add(
                mean_growth.quotient_at_v(),
                times(step, RuleAt("H >= 0", "psd", (v,))),
                times(step, reach, Norm(H(v))),
                Multiple(eta * rho, Fact("s_2")),
            ),
            "Rayleigh's quotient of E M_b at v, without ⟨v, Hv⟩ ≥ 0 and |Hv|² ≥ 0.",
        ),
        *mean_growth.diverging(
            rate_of_s, mean_growth.growth_positive(step, reach, Fact("s_2 too large"))
        ),
    ),
    conclusion=("growth rate", "divergence"),
    witness=witness(
        {"step_size": 1, "radius": 3, "s_2": 1, "eigenvalue": -16},
        {"v": SLANTED, "w": [0, 1]},
        SAMPLES,
    ),
    quantities=(
        Quantity("bound", 2 / (eta * rho), "upper bound on s_2^2"),
        Quantity("growth", rate_of_s, "R: the mean-square growth per step is at least R²"),
    ),
    findings=(
        "SGD has no such bound: its best one grows with the dimension "
        "(sgd-stability-s2-dimension-2 and its like).",
        "It needs one batch for ascent and descent: with a fresh one E M_b = I - ηH - ηρH², which "
        "knows no noise.",
    ),
)

THEOREMS = (EDGE, EVERY_DIMENSION)
