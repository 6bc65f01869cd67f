"""The exact mean-square threshold of SAM in eigenvalue form; radius 0 is SGD's."""

from __future__ import annotations

from theory.language import *
from theory.library import _stability as st
from theory.library._stability import eta, rho, u

PAPER = "Mulayoff, Michaeli 2024, Exact mean square linear stability analysis for SGD"
SOURCE = Source(PAPER, "eigenvalue form of the threshold; SAM: here", Attribution.DERIVED)
kappa, delta = Param("kappa"), Param("delta")
V = Operator("V", symmetric=True)
threshold = 2 / kappa
dynamics = Dynamics(SAM, H, x_0)


def surrogate(vector: Vector) -> Vector:
    """G_b applied to a vector: SAM is SGD on the Hessians G_b = H_b + ρH_b²."""
    return H_b(vector) + rho * H_b(H_b(vector))


def noise(vector: Vector) -> Scalar:
    """<v, D(V) v> with D(V) = E G_b V G_b."""
    return Mean(Inner(surrogate(vector), V(surrogate(vector))))


def drift(vector: Vector) -> Scalar:
    """<v, C(V) v> with C(V) = (G V + V G)/2, G = E G_b."""
    return Mean(Inner(surrogate(vector), V(vector)))


def energy(vector: Vector) -> Scalar:
    """<v, V v>."""
    return Inner(vector, V(vector))


after = substitute(energy(x), x, st.linearised.step())
change = Step(
    "change",
    Mean(after).equals(energy(x) - 2 * eta * drift(x) + eta**2 * noise(x)),
    NOTHING,
    "SAM is SGD on the surrogate Hessians G_b; expand.",
)
POSITIVE = Condition("kappa > 0", kappa > ZERO)
DIVISORS = (Fact("kappa > 0"),)
THRESHOLD = Quantity("threshold", threshold, "2/κ*, on whose two sides the two theorems are")
DEFINED = said(
    "Put G_b = H_b + ρH_b², G = E G_b, C(V) = (GV + VG)/2 and D(V) = E G_b V G_b: for the "
    "linearised SAM E⟨x⁺, V x⁺⟩ = ⟨x, V x⟩ - 2η⟨x, C(V) x⟩ + η²⟨x, D(V) x⟩.",
    *("algorithm", "change"),
)
BOTH = unchecked(
    "A positive definite V with D(V) = κ*C(V) ≻ 0 serves, rescaled, in this theorem and in the one "
    "on the other side of 2/κ*, so that 2/κ* is then exactly the largest stable step size."
)
FOUND = (
    "The leading generalised eigenvalue κ* has such a V up to directions that decouple (Perron, "
    "Frobenius); numerics.stability computes it, and brackets 2/κ* by one V for each side.",
    "Unnormalised SAM is SGD on the surrogate Hessians G_b, so the closed form for SGD holds for "
    "SAM at every radius, one eigenvalue problem for each; ρ = 0 is the published case.",
)


def compared(name: str, meaning: str, relation: Relation) -> Assumption:
    """A comparison of the quadratic forms of two operators."""
    return Assumption(name, meaning, "definition", (Rule("at", (u,), relation),))


STABLE = Theorem(
    id="sam-exact-threshold-stable",
    title="Up to η = 2/κ* a minimum is linearly stable for SAM, if D(V) ⪯ κ*C(V) for some V ⪰ I",
    title_says=("V >= I", "D(V) <= kappa C(V)", "below the threshold", "stability"),
    statement=(
        DEFINED,
        said(
            "If V ⪰ I satisfies D(V) ⪯ κ*C(V) with κ* > 0, then for 0 < η ≤ 2/κ* the "
            "linearised SAM satisfies E⟨x_t, V x_t⟩ ≤ ⟨x_0, V x_0⟩, and so E|x_t|² ≤ ⟨x_0, V x_0⟩ "
            "for every t.",
            *("V >= I", "D(V) <= kappa C(V)", "kappa > 0"),
            *("step > 0", "below the threshold", "one step", "no growth", "stability"),
        ),
        BOTH,
    ),
    source=SOURCE,
    kind=Kind.SUFFICIENT,
    dynamics=dynamics,
    hypotheses=(
        compared("V >= I", "the eigenvalues of V are at least 1", norm2(u) <= energy(u)),
        compared("D(V) <= kappa C(V)", "D(V) ⪯ κ*C(V)", noise(u) <= kappa * drift(u)),
        POSITIVE,
        st.STEP,
        Condition("below the threshold", eta <= threshold),
    ),
    divisors=DIVISORS,
    proof=(
        change,
        Step(
            "noise",
            noise(x) >= ZERO,
            MeanOf(add(RuleAt("V >= I", "at", (surrogate(x),)), Norm(surrogate(x)))),
            "V is positive definite.",
        ),
        Step(
            "one step",
            Mean(after) <= energy(x),
            add(
                Fact("change"),
                times(
                    number(2),
                    Fact("step > 0"),
                    Invert(Fact("kappa > 0")),
                    RuleAt("D(V) <= kappa C(V)", "at", (x,)),
                ),
                times(Fact("step > 0"), Fact("below the threshold"), Fact("noise")),
            ),
            "2C(V) - ηD(V) ⪰ (2/κ* - η)D(V) ⪰ 0.",
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
            add(AlongOf(RuleAt("V >= I", "at", (x,)), NOW), Fact("no growth")),
            "The energy is at least the squared distance.",
        ),
    ),
    conclusion=("change", "one step", "no growth", "stability"),
    witness=witness(
        {"step_size": "1/4", "radius": "1/4", "kappa": 6},
        {},
        [[[1, 0], [0, 0]], [[1, 1], [1, 1]]],
        {"V": [[2, 0], [0, 1]]},
    ),
    quantities=(THRESHOLD,),
    findings=FOUND,
)

gain = times(Fact("step > 0"), Fact("beyond the threshold"), Fact("delta > 0"))
rate = 1 + eta * (eta - threshold) * delta
UNSTABLE = Theorem(
    id="sam-exact-threshold-unstable",
    title="Beyond η = 2/κ* SAM diverges geometrically, if D(V) ⪰ κ*C(V) and D(V) ⪰ δV for some V",
    title_says=("beyond the threshold", "divergence", "rate > 1", "start", "D(V) >= kappa C(V)"),
    statement=(
        DEFINED,
        said(
            "If a symmetric V ⪯ I satisfies D(V) ⪰ κ*C(V) and D(V) ⪰ δV with κ*, δ > 0, "
            "then for η > 2/κ* the linearised SAM satisfies E|x_t|² ≥ E⟨x_t, V x_t⟩ ≥ "
            "(1 + η(η - 2/κ*)δ)^t ⟨x_0, V x_0⟩ for every t, where the factor is above 1: from "
            "every x_0 with ⟨x_0, V x_0⟩ > 0 it diverges geometrically.",
            *("V <= I", "D(V) >= kappa C(V)", "D(V) >= delta V"),
            *("kappa > 0", "delta > 0", "step > 0", "beyond the threshold", "start"),
            *("rate > 1", "one step", "growth", "divergence", "not zero"),
        ),
        BOTH,
    ),
    source=SOURCE,
    kind=Kind.NECESSARY,
    dynamics=dynamics,
    hypotheses=(
        compared("V <= I", "the eigenvalues of V are at most 1", energy(u) <= norm2(u)),
        compared("D(V) >= kappa C(V)", "D(V) ⪰ κ*C(V)", kappa * drift(u) <= noise(u)),
        compared(
            "D(V) >= delta V", "D(V) ⪰ δV: V lives where H_b acts", delta * energy(u) <= noise(u)
        ),
        POSITIVE,
        Condition("delta > 0", delta > ZERO),
        st.STEP,
        Condition("beyond the threshold", eta > threshold),
        Condition("start", energy(x_0) > ZERO, "the start has energy, so V is not 0"),
    ),
    divisors=DIVISORS,
    proof=(
        change,
        Step("rate > 1", rate > 1, gain, "η > 2/κ* and δ > 0."),
        Step(
            "one step",
            rate * energy(x) <= Mean(after),
            add(
                minus(Fact("change")),
                times(
                    number(2),
                    Fact("step > 0"),
                    Invert(Fact("kappa > 0")),
                    RuleAt("D(V) >= kappa C(V)", "at", (x,)),
                ),
                times(
                    Fact("step > 0"),
                    Fact("beyond the threshold"),
                    RuleAt("D(V) >= delta V", "at", (x,)),
                ),
            ),
            "ηD(V) - 2C(V) ⪰ (η - 2/κ*)D(V) ⪰ (η - 2/κ*)δV.",
        ),
        Step(
            "growth",
            rate**NOW * energy(x_0) <= Along(energy(x), NOW),
            geometric_growth(energy(x), add(Fact("rate > 1"), number(1)), "one step"),
            "Induction on t by the tower rule.",
        ),
        Step(
            "divergence",
            rate**NOW * energy(x_0) <= Along(norm2(x), NOW),
            add(Fact("growth"), AlongOf(RuleAt("V <= I", "at", (x,)), NOW)),
            "The squared distance is at least the energy.",
        ),
        Step(
            "not zero",
            rate**NOW * energy(x_0) > ZERO,
            times(PowerOf(add(Fact("rate > 1"), number(1)), NOW), Fact("start")),
            "The start has energy.",
        ),
    ),
    conclusion=("change", "rate > 1", "one step", "growth", "divergence", "not zero"),
    witness=witness(
        {"step_size": 1, "radius": 1, "kappa": 5, "delta": 20},
        {"x_0": [1, 1]},
        [[[1, 0], [0, 2]], [[2, 0], [0, 1]]],
        {"V": [[1, 0], [0, "1/2"]]},
    ),
    quantities=(
        THRESHOLD,
        Quantity("growth", rate, "least growth of the energy per step"),
    ),
    findings=FOUND,
)
THEOREMS = (STABLE, UNSTABLE)
