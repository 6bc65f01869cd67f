"""Readings of SAM's linear stability theorem that are false, each with its repair."""

from __future__ import annotations

from theory.language import *
from theory.library import _stability as st
from theory.library import lyapunov
from theory.library._stability import eta, rho, u
from theory.library.sam_stability_moments import COEFFICIENTS, EXPONENT, POWER, WORDS
from theory.library.sgd_stability_s2 import UNIT

a = Param("a")


def refuted(
    name: str,
    title: str,
    title_says: tuple[str, ...],
    statement: tuple[Sentence, ...],
    reading: str,
    kind: Kind,
    hypotheses: tuple[Hypothesis, ...],
    claim: Relation,
    why: str,
    refutation: Witness,
    repaired_by: str,
    *findings: str,
) -> Theorem:
    """A false reading of the published theorem, with one claim."""
    return Theorem(
        id=name,
        title=title,
        title_says=title_says,
        statement=statement,
        source=Source(st.SAM_PAPER, reading, Attribution.RECONSTRUCTED),
        kind=kind,
        dynamics=st.linearised,
        hypotheses=hypotheses,
        divisors=(),
        proof=(Step("claim", claim, UNPROVED, why),),
        conclusion=("claim",),
        expected=Status.REFUTED,
        refutation=refutation,
        repaired_by=repaired_by,
        findings=findings,
    )


def without_a_relation_of_radius_and_step(order: int, repaired_by: str, finding: str) -> Theorem:
    """The published bound on s_k for all radii."""
    return refuted(
        f"sam-stability-s{order}-published",
        f"The bound on s_{order} without a condition that relates η and ρ",
        ("one-step condition", "radius > 0", "claim"),
        (
            said(
                f"If H_b ⪰ 0 and the one-step condition holds with η > 0, then {WORDS[order]} for "
                f"{POWER[order]} = ⟨u, (E H_b{EXPONENT[order]} - H{EXPONENT[order]})u⟩ at every "
                "unit vector u, for every ρ > 0.",
                *("algorithm", "H_b >= 0", "one-step condition", "step > 0", "radius > 0"),
                *("u is a unit vector", "claim"),
            ),
        ),
        f"linear stability theorem, necessary condition on s_{order}, read for every radius",
        Kind.NECESSARY,
        (st.SAMPLES_PSD, st.SUFFICIENT, st.STEP, st.POSITIVE_RADIUS, UNIT),
        st.gap(order, u, u) <= 1 / COEFFICIENTS[order][0],
        f"s_{order} to the power {order} is the largest of these over unit vectors u.",
        witness({"step_size": 1, "radius": 10}, {"u": [1]}, [[[0]], [["2/5"]]]),
        repaired_by,
        finding,
    )


S_2 = without_a_relation_of_radius_and_step(
    2,
    "sam-stability-s2-sharp",
    "From η = 2ρ on the published bound is no longer positive; the repaired one holds for all ρ.",
)
S_4 = without_a_relation_of_radius_and_step(
    4,
    "sam-stability-s4-sharp",
    "The instance sits at SAM's edge, t* = 2/5, where half of the samples are flat: there "
    "η²ρ² s_4⁴ = 28/25. The bound holds exactly up to ρ/η = (3 + 2√3)/2.",
)

ONE_STEP = refuted(
    "sam-stability-one-step-necessary",
    "The one-step condition as a necessary condition for SAM's mean-square stability",
    ("P >= I", "P does not increase", "claim"),
    (
        said(
            "Read as an equivalence: if H_b ⪰ 0, η, ρ > 0 and the linearised SAM is mean-square "
            "stable, with Lyapunov matrix P ⪰ I, then the one-step condition holds along every "
            "unit vector u.",
            *("algorithm", "H_b >= 0", "step > 0", "radius > 0", "P >= I", "P does not increase"),
            *("u is a unit vector", "claim"),
        ),
    ),
    "linear stability theorem, the sufficient condition read as necessary",
    Kind.NECESSARY,
    (
        st.SAMPLES_PSD,
        st.STEP,
        st.POSITIVE_RADIUS,
        lyapunov.ABOVE_IDENTITY,
        lyapunov.decrease(),
        UNIT,
    ),
    st.published_form(u, u) <= norm2(u),
    "The published matrix E M_b² along u.",
    witness(
        {"step_size": "1/6", "radius": "1/12"},
        {"u": [1, 0]},
        [[[7, 2], [2, 4]], [[7, -2], [-2, 4]]],
        {"P": [["9/4", 0], [0, 1]]},
    ),
    "lyapunov-stability",
    "One step can increase E|x|² while a weighted norm decreases at every step.",
)


def at_most_one(order: int) -> Assumption:
    """The published bound on s_k, without division, for all directions."""
    form = COEFFICIENTS[order][0] * st.gap(order, u, u)
    return Assumption(
        f"s_{order}",
        WORDS[order],
        st.SAM_PAPER,
        (Rule("at", (u,), form <= norm2(u)),),
    )


TOGETHER = refuted(
    "sam-stability-necessary-suffice",
    "All published necessary conditions together as a sufficient condition",
    ("bound on the sharpness", "s_2", "s_3", "s_4", "claim"),
    (
        said(
            "If H_b ⪰ 0, η > 2ρ > 0, H ⪯ a, ηa(1 + ρa) ≤ 2 and the bounds on s_2, s_3 and s_4 "
            "hold, no energy ⟨x, P x⟩ with P ⪰ 0, positive somewhere, grows by a factor of more "
            "than 1 in every step.",
            *("algorithm", "H_b >= 0", "radius > 0", "step against radius", "sharpness"),
            *("bound on the sharpness", "s_2", "s_3", "s_4", "P >= 0", "P grows"),
            *("energy at the start", "claim"),
        ),
    ),
    "linear stability theorem, its necessary conditions read as sufficient",
    Kind.SUFFICIENT,
    (
        st.SAMPLES_PSD,
        st.POSITIVE_RADIUS,
        Condition("step against radius", eta - 2 * rho > ZERO),
        Assumption(
            "sharpness",
            "no eigenvalue of H is above a",
            "definition",
            (Rule("at", (u,), Inner(u, H(u)) <= a * norm2(u)),),
        ),
        Condition("bound on the sharpness", eta * a * (1 + rho * a) <= 2),
        *map(at_most_one, COEFFICIENTS),
        positive_semidefinite("P >= 0", lyapunov.P, "P is positive semidefinite"),
        lyapunov.GROWTH,
        Condition("energy at the start", lyapunov.energy(x_0) > ZERO),
    ),
    lyapunov.rate <= 1,
    "If it were larger, the dynamics would diverge, by lyapunov-instability.",
    witness(
        {"step_size": 1, "radius": "1/5", "a": "3/2", "rate": "5/2"},
        {"x_0": [1]},
        [[[1]], [[1]], [["5/2"]]],
        {"P": [[1]]},
    ),
    "sam-stability-sufficient",
    "The bounds constrain one moment each; the terms of E M_b² add up.",
)

THEOREMS = (S_2, S_4, ONE_STEP, TOGETHER)
