"""SAM's one-step stability condition: its matrix is E M_b², and the condition suffices."""

from __future__ import annotations

from theory.language import *
from theory.library import _stability as st

v = Named("v")

EXPANSION = Theorem(
    id="sam-stability-expansion",
    title="The published stability matrix is exactly E M_b²",
    title_says=("expansion",),
    statement=(
        said(
            "With M_b = I - ηH_b - ηρH_b², ⟨v, E M_b² u⟩ = ⟨v, ((I - ηH - ηρH²)² + η(η - 2ρ)(E "
            "H_b² - H²) + 2η²ρ(E H_b³ - H³) + η²ρ²(E H_b⁴ - H⁴))u⟩ for all u and v.",
            *("algorithm", "expansion"),
        ),
    ),
    source=Source(st.SAM_PAPER, "linear stability theorem, proof", Attribution.RECONSTRUCTED),
    kind=Kind.IDENTITY,
    dynamics=st.linearised,
    hypotheses=(),
    divisors=(),
    proof=(
        Step(
            "expansion",
            Mean(Inner(st.stepped(v), st.stepped(st.u))).equals(st.published_form(v, st.u)),
            NOTHING,
            "Expand in noncommuting words; E H_b = H.",
        ),
    ),
    conclusion=("expansion",),
)

SUFFICIENT = Theorem(
    id="sam-stability-sufficient",
    title="The one-step condition makes a minimum linearly stable for SAM",
    title_says=("one-step condition", "stability"),
    statement=(
        said(
            "If λ_max of the published matrix is at most 1, the linearised dynamics x⁺ = M_b x "
            "satisfies E|x_t|² ≤ |x_0|² for every t.",
            *("algorithm", "one-step condition", "stability"),
        ),
    ),
    source=Source(st.SAM_PAPER, "linear stability theorem", Attribution.RECONSTRUCTED),
    kind=Kind.SUFFICIENT,
    dynamics=st.linearised,
    hypotheses=(st.SUFFICIENT,),
    divisors=(),
    proof=(
        Step(
            "one step",
            Mean(norm2(st.linearised.step())) <= norm2(x),
            RuleAt("one-step condition", "at", (x,)),
            "The matrix of the condition is E M_b².",
        ),
        Step(
            "stability",
            Along(norm2(x), Time()) <= norm2(x_0),
            geometric_decay(norm2(x), number(1), "one step"),
            "Induction on t by the tower rule.",
        ),
    ),
    conclusion=("stability",),
    witness=witness(
        {"step_size": "1/4", "radius": "1/8"}, {}, [[[1, 0], [0, 2]], [[2, 1], [1, 1]]]
    ),
)

THEOREMS = (EXPANSION, SUFFICIENT)
