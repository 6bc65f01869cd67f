"""The exact mean-square threshold of SAM in eigenvalue form; radius 0 is SGD's."""

from __future__ import annotations

from dataclasses import replace

from theory.algorithms import SAM
from theory.assumptions import ZERO, positive_semidefinite
from theory.building import NOW, add, geometric_growth, minus, number, times, with_rate
from theory.certificates import (
    Fact,
    Instance,
    MeanOf,
    Multiple,
)
from theory.expressions.terms import (
    Along,
    Inner,
    Mean,
    Named,
    Operator,
    Param,
    Scalar,
    Vector,
    scalar,
    substitute,
)
from theory.library import _stability as st
from theory.library._stability import eta, rho, u
from theory.notation import H, H_b, x, x_0
from theory.statements import (
    Assumption,
    Attribution,
    Condition,
    Dynamics,
    Kind,
    Lemma,
    Quantity,
    Rule,
    Source,
    Theorem,
)
from theory.witnesses import witness

PAPER = "Mulayoff, Michaeli 2024, Exact mean square linear stability analysis for SGD"
kappa, v, V = Param("kappa"), Named("v"), Operator("V", symmetric=True)
threshold = 2 / kappa


def surrogate(vector: Vector) -> Vector:
    """G_b applied to a vector: SAM is SGD on the Hessians G_b = H_b + ρH_b²."""
    return H_b(vector) + rho * H_b(H_b(vector))


def noise(left: Vector, right: Vector) -> Scalar:
    """<left, D(V) right> with D(V) = E G_b V G_b."""
    return Mean(Inner(surrogate(left), V(surrogate(right))))


def drift(left: Vector, right: Vector) -> Scalar:
    """<left, C(V) right> with C(V) = (G V + V G)/2, G = E G_b."""
    mixed = Inner(surrogate(left), V(right)) + Inner(V(left), surrogate(right))
    return Mean(mixed) / 2


energy = Inner(x, V(x))
after = substitute(energy, x, st.linearised.step())
change = Lemma(
    "change",
    Mean(after).equals(energy + eta * (eta - threshold) * noise(x, x)),
    Multiple(2 * eta / kappa, Instance("eigenform", "eigen", (x, x))),
    "E⟨x⁺, V x⁺⟩ = ⟨x, V x⟩ - 2η⟨x, C(V) x⟩ + η²⟨x, D(V) x⟩, and C(V) = D(V)/κ.",
)
noise_is_nonnegative = Lemma(
    "noise",
    noise(x, x) >= ZERO,
    MeanOf(Instance("V >= 0", "psd", (surrogate(x),))),
    "V is positive semidefinite.",
)
HYPOTHESES = (
    positive_semidefinite("V >= 0", V, "V is positive semidefinite"),
    Assumption(
        "eigenform",
        "D(V) = κ C(V): V is a generalised eigenform with eigenvalue κ",
        "Perron and Frobenius, for the leading one",
        (Rule("eigen", (u, v), noise(u, v).equals(kappa * drift(u, v))),),
    ),
    Condition("kappa > 0", kappa > ZERO),
    st.STEP,
)
SETTING = (
    "Put G_b = H_b + ρH_b², G = E G_b, C(V) = (GV + VG)/2 and D(V) = E G_b V G_b, and let V ⪰ 0 "
    "satisfy D(V) = κ C(V) with κ > 0; the leading eigenvalue has such a V. "
)
FOUND = (
    "Unnormalised SAM is SGD on the surrogate Hessians G_b, so the closed form for SGD holds for "
    "SAM at every radius, one eigenvalue problem for each; ρ = 0 is the published case.",
)


def theorem(which: str, title: str, words: str, condition: Condition) -> Theorem:
    """One side of the threshold, without its rate."""
    sign = Fact(condition.name)
    below = which == "stable"
    claim = Mean(after) <= 1 * energy if below else energy <= Mean(after)
    toward = minus(Fact("change")) if not below else Fact("change")
    return Theorem(
        id=f"sam-exact-threshold-{which}",
        title=title,
        statement=SETTING + words,
        source=Source(PAPER, "eigenvalue form of the threshold; SAM: here", Attribution.DERIVED),
        kind=Kind.SUFFICIENT if below else Kind.NECESSARY,
        dynamics=Dynamics(SAM, H, x_0),
        hypotheses=(*HYPOTHESES, condition),
        divisors=(Fact("kappa > 0"),),
        proof=(
            change,
            noise_is_nonnegative,
            Lemma(
                "one step",
                claim,
                add(times(Fact("step > 0"), sign, Fact("noise")), toward),
                "The sign of η - 2/κ decides.",
            ),
        ),
        conclusion=("change", "one step"),
        witness=witness(
            {"step_size": "1/2" if below else 2, "radius": 1, "kappa": 2},
            {},
            [[[1]]],
        ),
        quantities=(Quantity("threshold", threshold, "the largest stable step size"),),
        findings=FOUND,
    )


STABLE = with_rate(
    theorem(
        "stable",
        "Up to η = 2/κ SAM's leading second moment does not grow",
        "If 0 < η ≤ 2/κ, then E⟨x_t, V x_t⟩ ≤ ⟨x_0, V x_0⟩ for the linearised SAM.",
        Condition("below the threshold", eta <= threshold),
    ),
    "one step",
    energy,
    scalar(1),
    number(1),
)
BEYOND = theorem(
    "unstable",
    "From η = 2/κ on SAM's leading second moment does not decrease",
    "If η ≥ 2/κ, then E⟨x_t, V x_t⟩ ≥ ⟨x_0, V x_0⟩ for the linearised SAM.",
    Condition("beyond the threshold", eta >= threshold),
)
growing = Lemma(
    "no decay",
    substitute(energy, x, x_0) <= Along(energy, NOW),
    geometric_growth(energy, number(1), "one step"),
    "Induction on t by the tower rule.",
)
UNSTABLE = replace(
    BEYOND, proof=(*BEYOND.proof, growing), conclusion=(*BEYOND.conclusion, growing.name)
)
THEOREMS = (STABLE, UNSTABLE)
