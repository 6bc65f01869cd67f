"""a(1 + ρa) ≤ 2/η is necessary for the linear stability of SAM itself, for every ρ ≥ 0."""

from __future__ import annotations

from theory.language import *
from theory.library import _stability as st

a, eigenvalue = Param("a"), Param("eigenvalue")
u, v, w = st.u, Named("v"), Named("w")

left = a * (1 + st.rho * a)
limit = 2 / st.eta
growth = st.eta * a * (1 + st.rho * a) - 1

v_is_eigenvector = RuleAt("top eigenvector", "eigen", (v,))
v_is_unit, w_is_unit = Fact("v is a unit vector"), Fact("w is a unit vector")
coordinate = Inner(w, x)
now = Along(coordinate, Time())
later = Along(coordinate, Time(shift=1))
first = Along(coordinate, Time(symbolic=False))
growth_positive = add(times(Fact("step > 0"), Fact("bound violated")), number(1))

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
    dynamics=Dynamics(SAM, H, w),
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
        Condition("v is a unit vector", norm2(v).equals(1)),
        Assumption(
            "bottom eigenpair",
            "w is an eigenvector of the symmetric operator E M_b for its smallest eigenvalue λ",
            "spectral theorem in finite dimension",
            (
                Rule("eigen", (u,), Mean(Inner(u, st.stepped(w))).equals(eigenvalue * Inner(u, w))),
                Rule("rayleigh", (u,), eigenvalue * norm2(u) <= Mean(Inner(u, st.stepped(u)))),
            ),
            implicit=True,
        ),
        Condition("w is a unit vector", norm2(w).equals(1)),
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
        Step(
            "squared eigenvalue",
            growth**2 <= eigenvalue**2,
            times(Fact("eigenvalue"), add(Fact("eigenvalue"), times(number(2), growth_positive))),
            "λ ≤ -R < 0.",
        ),
        Step(
            "mean dynamics",
            Mean(Inner(w, Dynamics(SAM, H, w).step())).equals(eigenvalue * coordinate),
            RuleAt("bottom eigenpair", "eigen", (x,)),
            "E M_b is symmetric, so w is also a left eigenvector.",
        ),
        Step(
            "growth of the mean",
            (growth**2) ** Time() <= now**2,
            Induction(
                base=add(
                    Multiple(first + norm2(w), Start(coordinate)),
                    Multiple(-1 - norm2(w), w_is_unit),
                ),
                step=add(
                    Multiple(later + eigenvalue * now, Tower(coordinate, NOW)),
                    Multiple(-later - eigenvalue * now, AlongOf(Fact("mean dynamics"), NOW)),
                    times(Square(eigenvalue), Fact("induction")),
                    times(Fact("squared eigenvalue"), PowerOf(Square(growth), NOW)),
                ),
            ),
            "Started at w, E<w, x_t> = λ^t.",
        ),
        Step(
            "divergence",
            (growth**2) ** Time() <= Along(norm2(x), Time()),
            add(
                Fact("growth of the mean"),
                AlongOf(Norm(x - now * w), NOW),
                Multiple(now**2, w_is_unit),
            ),
            "E|x_t|² ≥ (E<w, x_t>)², the variance being non-negative.",
        ),
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
