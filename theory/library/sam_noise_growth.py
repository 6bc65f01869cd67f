"""Gradient noise that makes the loss grow: aligned noise, and coherent samples."""

from __future__ import annotations

from theory.language import *
from theory.library import _stability as st
from theory.library._stability import eta, rho, u
from theory.library.sam_exact_threshold import surrogate

ZHOU = (
    "Zhou, Wang, Mao, Li, Yan 2024, Sharpness-aware minimization efficiently selects flatter "
    "minima late in training"
)
CHANG = (
    "Chang, Khanna 2025, A unified stability analysis of SAM vs SGD: role of data coherence and "
    "emergence of simplicity bias"
)
G, v = Operator("G", symmetric=True), Named("v")
energy = Inner(x, H(x))  # twice the loss
after = Mean(substitute(energy, x, st.linearised.step()))

alignment, frobenius = Param("alignment"), Param("frobenius")
of_step, root_rank = Param("frobenius_of_step"), Param("root_rank")
flatness = frobenius * (1 + rho * frobenius / root_rank)
aligned_factor = eta**2 * alignment * flatness**2
noise = surrogate(u) - G(u)
step, aligned = Fact("step > 0"), Fact("alignment >= 0")
flat = times(
    Fact("frobenius >= 0"),
    add(
        times(),
        times(Fact("radius >= 0"), Fact("frobenius >= 0"), Invert(Fact("root_rank > 0"))),
    ),
)

ALIGNED = with_growth(
    Theorem(
        id="sam-aligned-noise",
        title=(
            "Where gradient noise is aligned with H, SAM's loss grows at a rate set by the "
            "Frobenius norm of H"
        ),
        title_says=("alignment", "power means", "growth"),
        statement=(
            said(
                "Put G_b = H_b + ρH_b² and G = E G_b, let H ⪰ 0 and ρ, ω* ≥ 0, and let the noise "
                "be aligned: E⟨(G_b - G)u, H(G_b - G)u⟩ ≥ ω*|G|_F² ⟨u, Hu⟩ for all u, where the "
                "number |G|_F is at least F(1 + ρF/√r) with F ≥ 0 and τ = √r > 0.",
                *("H >= 0", "mean", "alignment", "radius >= 0", "alignment >= 0"),
                *("frobenius >= 0", "root_rank > 0", "power means"),
            ),
            said(
                "Then the linearised SAM's loss ℓ(x) = ½⟨x, Hx⟩ satisfies E ℓ(x⁺) ≥ η²ω*F²(1 + "
                "ρF/√r)² ℓ(x), and E ℓ(x_t) ≥ (η²ω*F²(1 + ρF/√r)²)^t ℓ(x_0).",
                *("algorithm", "one step", "growth"),
            ),
            unchecked(
                "The bound on |G|_F holds with F = |H|_F and r the rank of H, by the inequality "
                "between power means."
            ),
            unchecked("So bounded E|x_t|² needs F(1 + ρF/√r) ≤ 1/(η√ω*)."),
        ),
        source=Source(
            ZHOU,
            "linear stability under noise alignment; the alignment is stated here for SAM's own "
            "noise",
            Attribution.DERIVED,
        ),
        kind=Kind.NECESSARY,
        dynamics=st.linearised,
        hypotheses=(
            positive_semidefinite("H >= 0", H, "H is positive semidefinite"),
            Assumption(
                "mean",
                "G = E G_b",
                "definition",
                (
                    Rule(
                        "of products",
                        (u, v),
                        Inner(u, G(v)).equals(Mean(Inner(u, surrogate(v)))),
                    ),
                ),
            ),
            Assumption(
                "alignment",
                "the noise of SAM's gradients is aligned with the Hessian",
                ZHOU,
                (
                    Rule(
                        "at",
                        (u,),
                        alignment * of_step**2 * Inner(u, H(u)) <= Mean(Inner(noise, H(noise))),
                    ),
                ),
            ),
            st.RADIUS,
            Condition("alignment >= 0", alignment >= ZERO),
            Condition("frobenius >= 0", frobenius >= ZERO),
            Condition("root_rank > 0", root_rank > ZERO),
            Condition(
                "power means",
                flatness <= of_step,
                "the Frobenius norm of G, by the inequality between power means",
            ),
        ),
        divisors=(Fact("root_rank > 0"),),
        proof=(
            Step(
                "flatness",
                flatness**2 <= of_step**2,
                times(Fact("power means"), add(Fact("power means"), flat, flat)),
                "Square the bound on |G|_F.",
            ),
            Step(
                "one step",
                aligned_factor * energy <= after,
                add(
                    RuleAt("H >= 0", "psd", (x - eta * G(x),)),
                    times(Square(eta), RuleAt("alignment", "at", (x,))),
                    times(
                        Square(eta),
                        aligned,
                        Fact("flatness"),
                        RuleAt("H >= 0", "psd", (x,)),
                    ),
                    Multiple(-2 * eta, RuleAt("mean", "of products", (H(x), x))),
                    Multiple(2 * eta**2, RuleAt("mean", "of products", (H(G(x)), x))),
                ),
                "The loss of the mean step is non-negative; what remains is the noise.",
            ),
        ),
        conclusion=("one step",),
        witness=witness(
            {
                "step_size": 1,
                "radius": 1,
                "alignment": 1,
                "frobenius": "1/2",
                "frobenius_of_step": 1,
                "root_rank": 1,
            },
            {},
            [[[0]], [[1]]],
            {"G": [[1]]},
        ),
        quantities=(
            Quantity("flatness", flatness, "what 1/(η√ω*) bounds at a stable minimum"),
            Quantity("growth", aligned_factor, "least growth of the expected loss per step"),
        ),
        findings=(
            "At ρ = 0 this is the bound |H|_F ≤ 1/(η√ω*) for SGD; it decreases in ρ.",
            "The alignment has to hold for every u: at a minimum with fewer samples than the rank "
            "it fails for ω* > 0.",
        ),
    ),
    "one step",
    energy,
    aligned_factor,
    times(Square(eta), aligned, flat, flat),
)

a, kappa = Param("a"), Param("kappa")
coherent_factor = 1 - 2 * eta * a + eta**2 * kappa
square = Mean(Inner(surrogate(u), H(surrogate(u))))

COHERENT = with_growth(
    Theorem(
        id="sam-coherence",
        title=(
            "Where the samples' curvatures are coherent against the sharpness, the loss grows "
            "geometrically"
        ),
        title_says=("coherence", "coherent", "divergence", "growth"),
        statement=(
            said(
                "Put G_b = H_b + ρH_b² and let E⟨G_b u, H G_b u⟩ ≥ κ*⟨u, Hu⟩ and E⟨G_b u, Hu⟩ ≤ "
                "a⟨u, Hu⟩ for all u.",
                *("coherence", "sharpness"),
            ),
            said(
                "If η > 0 and ηκ* > 2a, the loss ℓ(x) = ½⟨x, Hx⟩ of the linearised SAM satisfies E "
                "ℓ(x⁺) ≥ (1 - 2ηa + η²κ*) ℓ(x) and E ℓ(x_t) ≥ (1 - 2ηa + η²κ*)^t ℓ(x_0), with a "
                "factor above 1.",
                *("algorithm", "step > 0", "coherent", "divergence", "one step", "growth"),
            ),
            unchecked(
                "For rank-one H_b = hh' and ρ = 0, κ* may be the least row mean of the coherence "
                "matrix (h_i·h_j)² and a = λ_max(H)."
            ),
            unchecked("With a fixed normalisation constant c of the ascent, read ρ/c for ρ."),
        ),
        source=Source(CHANG, "divergence by coherence; another measure", Attribution.DERIVED),
        kind=Kind.NECESSARY,
        dynamics=st.linearised,
        hypotheses=(
            Assumption(
                "coherence",
                "one sample's step is seen by the others",
                "definition",
                (Rule("at", (u,), kappa * Inner(u, H(u)) <= square),),
            ),
            Assumption(
                "sharpness",
                "no direction is sharper than a",
                "definition",
                (Rule("at", (u,), Mean(Inner(surrogate(u), H(u))) <= a * Inner(u, H(u))),),
            ),
            st.STEP,
            Condition("coherent", 2 * a < eta * kappa),
        ),
        divisors=(),
        proof=(
            Step(
                "divergence",
                scalar(1) < coherent_factor,
                times(step, Fact("coherent")),
                "The factor is 1 + η(ηκ* - 2a).",
            ),
            Step(
                "one step",
                coherent_factor * energy <= after,
                add(
                    times(step, step, RuleAt("coherence", "at", (x,))),
                    times(step, RuleAt("sharpness", "at", (x,))),
                    times(step, RuleAt("sharpness", "at", (x,))),
                ),
                "E⟨x⁺, Hx⁺⟩ = ⟨x, Hx⟩ - 2ηE⟨G_b x, Hx⟩ + η²E⟨G_b x, H G_b x⟩.",
            ),
        ),
        conclusion=("divergence", "one step"),
        witness=witness(
            {"step_size": 1, "radius": "1/2", "kappa": "73/8", "a": "11/4"}, {}, [[[1]], [[2]]]
        ),
        quantities=(
            Quantity("growth", coherent_factor, "least growth of the expected loss per step"),
        ),
        findings=(
            "Exact for orthogonal and for identical rank-one samples of equal norm: both diverge "
            "from η|h|² = 2 on.",
            "The published criterion uses the largest eigenvalue of a matrix of pairs of samples. "
            "Its proof needs sums over chains of independent samples, which this language cannot "
            "state, so it is not claimed.",
        ),
    ),
    "one step",
    energy,
    coherent_factor,
    add(Fact("divergence"), times()),
)

THEOREMS = (ALIGNED, COHERENT)
