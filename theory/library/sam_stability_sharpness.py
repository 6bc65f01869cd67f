"""a(1 + ρa) ≤ 2/η is necessary for the linear stability of SAM itself, for every ρ ≥ 0."""

from __future__ import annotations

from theory.language import *
from theory.library import _mean_growth as mean_growth
from theory.library import _stability as st
from theory.library._mean_growth import eigenvalue, v, v_is_unit
from theory.library._stability import u

a = Param("a")

left = a * (1 + st.rho * a)
limit = 2 / st.eta
growth = st.eta * a * (1 + st.rho * a) - 1

v_is_eigenvector = RuleAt("top eigenvector", "eigen", (v,))
growth_positive = mean_growth.growth_positive(Fact("step > 0"), Fact("bound violated"))

THEOREM = Theorem(
    id="sam-stability-sharpness",
    title="Where a(1 + ρa) > 2/η, SAM diverges, one-step condition or not",
    title_says=("bound violated", "bottom eigenpair", "growth rate", "divergence"),
    statement=(
        said(
            "Let a be an eigenvalue of H, with unit eigenvector v, and let w be a unit "
            "eigenvector of E M_b, M_b = I - ηH_b - ηρH_b², for its smallest eigenvalue, which "
            "has one in finite dimension.",
            *("algorithm", "top eigenvector", "v is a unit vector", "bottom eigenpair"),
            *("w is a unit vector", "step > 0", "radius >= 0"),
        ),
        said(
            "If a(1 + ρa) > 2/η, put R = ηa(1 + ρa) - 1 > 1: started at w, the linearised SAM "
            "satisfies E|x_t|² ≥ R^(2t) for every t.",
            *("bound violated", "growth rate", "divergence"),
        ),
        unchecked(
            "So a minimum in finite dimension that is mean-square stable, E|x_t|² ≤ C|x_0|², "
            "has a(1 + ρa) ≤ 2/η."
        ),
    ),
    source=Source(
        st.SAM_PAPER,
        "the bound on a; there necessary for the one-step condition, here for stability",
        Attribution.DERIVED,
    ),
    kind=Kind.NECESSARY,
    dynamics=mean_growth.OF_SAM,
    hypotheses=(
        st.STEP,
        st.RADIUS,
        Condition("bound violated", limit < left),
        Assumption(
            "top eigenvector",
            "v is an eigenvector of H with eigenvalue a",
            "definition",
            (Rule("eigen", (u,), Inner(u, H(v)).equals(a * Inner(u, v))),),
        ),
        mean_growth.V_UNIT,
        mean_growth.bottom_eigenpair(),
        mean_growth.W_UNIT,
    ),
    divisors=(Fact("step > 0"),),
    proof=(
        Step(
            "growth rate",
            scalar(1) < growth,
            times(Fact("step > 0"), Fact("bound violated")),
            "R - 1 = η(a(1 + ρa) - 2/η).",
        ),
        Step(
            "second moment",
            a**2 <= Mean(norm2(H_b(v))),
            add(
                MeanOf(Norm(H_b(v) - a * v)),
                Multiple(-2 * a, v_is_eigenvector),
                Multiple(-(a**2), v_is_unit),
            ),
            "The variance of H_b v is non-negative (Jensen).",
        ),
        Step(
            "eigenvalue",
            eigenvalue <= -growth,
            add(
                RuleAt("bottom eigenpair", "rayleigh", (v,)),
                Multiple(1 - eigenvalue - st.eta * a, v_is_unit),
                Multiple(-st.eta, v_is_eigenvector),
                times(Fact("step > 0"), Fact("radius >= 0"), Fact("second moment")),
            ),
            "Rayleigh's quotient of E M_b at v is at most 1 - ηa - ηρa² = -R.",
        ),
        *mean_growth.diverging(growth, growth_positive),
    ),
    conclusion=("growth rate", "divergence"),
    witness=witness(
        {"step_size": 1, "radius": "1/2", "a": 2, "eigenvalue": "-7/2"},
        {"v": [0, 1], "w": [0, 1]},
        [[[1, 0], [0, 1]], [[1, 0], [0, 3]]],
    ),
    quantities=(
        Quantity("left", left, "what the bound bounds"),
        Quantity("limit", limit, "the bound"),
        Quantity("growth", growth, "R: the mean-square growth per step is at least R²"),
    ),
)
