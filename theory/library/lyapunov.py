"""Lyapunov matrices: what makes mean-square stability, and instability, a finite certificate."""

from __future__ import annotations

from theory.language import *
from theory.library import _stability as st
from theory.library._stability import u

P = Operator("P", symmetric=True)
rate = Param("rate")
SOURCE = Source(
    "Kalman, Bertram 1960", "Lyapunov's second method, in mean square", Attribution.DERIVED
)


def energy(vector: Vector) -> Scalar:
    """<v, P v>."""
    return Inner(vector, P(vector))


def stepped_energy(vector: Vector, dynamics: Dynamics = st.linearised) -> Scalar:
    """E <M_b v, P M_b v>, the energy after one step from v."""
    return Mean(energy(substitute(dynamics.step(), x, vector)))


def decrease(dynamics: Dynamics = st.linearised) -> Assumption:
    """Lyapunov's condition for an algorithm on its linearisation."""
    return Assumption(
        "P does not increase",
        "E M_b P M_b ⪯ P",
        "Lyapunov's condition",
        (Rule("at", (u,), stepped_energy(u, dynamics) <= energy(u)),),
    )


ABOVE_IDENTITY = Assumption(
    "P >= I",
    "the eigenvalues of P are at least 1",
    "definition",
    (Rule("at", (u,), norm2(u) <= energy(u)),),
)
GROWTH = Assumption(
    "P grows",
    "E M_b P M_b ⪰ rate · P",
    "Lyapunov's condition, reversed",
    (Rule("at", (u,), rate * energy(u) <= stepped_energy(u)),),
)

STABILITY = Theorem(
    id="lyapunov-stability",
    title="A Lyapunov matrix makes a minimum linearly stable for SAM",
    title_says=("P >= I", "P does not increase", "stability"),
    statement=(
        said(
            "If P ⪰ I and E M_b P M_b ⪯ P with M_b = I - ηH_b - ηρH_b², the linearised dynamics"
            " x⁺ = M_b x satisfies E⟨x_t, P x_t⟩ ≤ ⟨x_0, P x_0⟩, and so E|x_t|² ≤ ⟨x_0, P x_0⟩,"
            " for every t.",
            *("P >= I", "P does not increase", "algorithm", "no growth", "stability"),
        ),
        said("At ρ = 0 this is SGD.", "algorithm"),
    ),
    source=SOURCE,
    kind=Kind.SUFFICIENT,
    dynamics=st.linearised,
    hypotheses=(ABOVE_IDENTITY, decrease()),
    divisors=(),
    proof=(
        Step(
            "one step",
            stepped_energy(x) <= energy(x),
            RuleAt("P does not increase", "at", (x,)),
            "The hypothesis at the iterate.",
        ),
        Step(
            "no growth",
            Along(energy(x), NOW) <= energy(x_0),
            geometric_decay(energy(x), number(1), "one step"),
            "Induction on t by the tower rule.",
        ),
        Step(
            "stability",
            Along(norm2(x), NOW) <= energy(x_0),
            add(AlongOf(RuleAt(ABOVE_IDENTITY.name, "at", (x,)), NOW), Fact("no growth")),
            "The energy is at least the squared distance.",
        ),
    ),
    conclusion=("no growth", "stability"),
    witness=witness(
        {"step_size": "1/2", "radius": "1/4"},
        {},
        [[[1, 0], [0, 0]], [[1, 1], [1, 1]]],
        {"P": [[2, 1], [1, 3]]},
    ),
)

INSTABILITY = Theorem(
    id="lyapunov-instability",
    title="A Lyapunov matrix that grows makes SAM diverge in mean square",
    title_says=("P grows", "rate > 1", "divergence"),
    statement=(
        said(
            "If P ⪯ I and E M_b P M_b ⪰ rate · P with rate > 1, the linearised dynamics "
            "satisfies E⟨x_t, P x_t⟩ ≥ rate^t ⟨x_0, P x_0⟩, and so E|x_t|² ≥ rate^t ⟨x_0, P "
            "x_0⟩, for every t: it diverges geometrically from every x_0 with ⟨x_0, P x_0⟩ > 0.",
            *("P <= I", "P grows", "rate > 1", "algorithm", "growth of the energy", "divergence"),
        ),
        said("At ρ = 0 this is SGD.", "algorithm"),
    ),
    source=SOURCE,
    kind=Kind.NECESSARY,
    dynamics=st.linearised,
    hypotheses=(
        Condition("rate > 1", rate > 1),
        Assumption(
            "P <= I",
            "the eigenvalues of P are at most 1",
            "definition",
            (Rule("at", (u,), energy(u) <= norm2(u)),),
        ),
        GROWTH,
    ),
    divisors=(),
    proof=(
        Step(
            "one step",
            rate * energy(x) <= stepped_energy(x),
            RuleAt(GROWTH.name, "at", (x,)),
            "The hypothesis at the iterate.",
        ),
        Step(
            "growth of the energy",
            rate**NOW * energy(x_0) <= Along(energy(x), NOW),
            geometric_growth(energy(x), add(Fact("rate > 1"), number(1)), "one step"),
            "Induction on t by the tower rule.",
        ),
        Step(
            "divergence",
            rate**NOW * energy(x_0) <= Along(norm2(x), NOW),
            add(Fact("growth of the energy"), AlongOf(RuleAt("P <= I", "at", (x,)), NOW)),
            "The squared distance is at least the energy.",
        ),
    ),
    conclusion=("growth of the energy", "divergence"),
    witness=witness({"step_size": 1, "radius": "1/2", "rate": 2}, {}, [[[1]], [[3]]], {"P": [[1]]}),
)

THEOREMS = (STABILITY, INSTABILITY)
