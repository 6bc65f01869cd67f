r"""E|H_b u|⁴ ≤ 4/(ηρ)² is necessary for SAM's mean-square stability, in every dimension.

$X \mapsto E\,M_b X M_b$ is self-adjoint and maps positive matrices to positive ones, so its largest
eigenvalue $\Lambda$ has a positive semidefinite eigenmatrix W, and $\Lambda \ge
\langle uu^{\mathsf T}, E\,M_b uu^{\mathsf T} M_b\rangle = E\langle u, M_b u\rangle^2$.
"""

from __future__ import annotations

from theory.language import *
from theory.library import _stability as st
from theory.library._stability import eta, rho, u
from theory.library.sgd_stability_s2 import UNIT

W = Operator("W", symmetric=True)
y, z = Named("y"), Named("z")
top, moment = Param("spectral_radius"), Param("h_4")
SQUARED_REACH = times(Fact("step is not 0"), Fact("radius > 0"), Fact("radius > 0"))

alpha_u = Inner(u, H_b(u)) + rho * norm2(H_b(u))
bound = 4 / (eta**2 * rho**2)
growth = eta**2 * rho**2 * moment / 2 - 1
unit = Fact(UNIT.name)
psd_at_u = RuleAt("H_b >= 0", "psd", (u,))


def energy(vector: Vector) -> Scalar:
    """<v, W v>."""
    return Inner(vector, W(vector))


def seen_by_w(left: Vector, right: Vector) -> Relation:
    """<left, E M_b W M_b right> = Λ <left, W right>."""
    later = Mean(Inner(st.stepped(left), W(st.stepped(right))))
    return later.equals(top * Inner(left, W(right)))


EIGENMATRIX = Assumption(
    "top eigenmatrix",
    "W belongs to the largest eigenvalue Λ of X ↦ E M_b X M_b",
    "spectral theorem, Perron and Frobenius, in finite dimension",
    (
        Rule("eigen", (y, z), seen_by_w(y, z)),
        Rule("rayleigh", (), Mean(Inner(u, st.stepped(u)) ** 2) <= top * norm2(u) ** 2),
    ),
    implicit=True,
)

THEOREM = Theorem(
    id="sam-stability-fourth-moment",
    title="In every dimension a stable minimum of SAM has E|H_b u|⁴ ≤ 4/(ηρ)²",
    title_says=("fourth moment", "bound violated", "top eigenmatrix", "divergence"),
    statement=(
        said(
            "Let H_b ⪰ 0, η ≠ 0, ρ > 0, and let h_4 = E|H_b u|⁴ be the gradients' fourth moment "
            "along a unit vector u.",
            *("H_b >= 0", "step is not 0", "radius > 0", "u is a unit vector", "fourth moment"),
        ),
        said(
            "Let 0 ⪯ W ⪯ I be an eigenmatrix for the largest eigenvalue Λ of the self-adjoint X ↦ "
            "E M_b X M_b, so that E⟨u, M_b u⟩² ≤ Λ: there is one in finite dimension, not 0.",
            *("algorithm", "top eigenmatrix", "W >= 0", "W <= I"),
        ),
        said(
            "If h_4 > 4/(ηρ)², put R = (ηρ)²h_4/2 - 1 > 1: then Λ ≥ R, and the "
            "linearised SAM satisfies E|x_t|² ≥ R^t ⟨x_0, W x_0⟩ for every t.",
            *("bound violated", "growth rate", "spectral radius", "divergence"),
        ),
        unchecked(
            "So it diverges geometrically from every x_0 with ⟨x_0, W x_0⟩ > 0, whatever the "
            "dimension."
        ),
    ),
    source=Source(
        "this toolkit",
        "its like for SGD needs stability in the fourth moment (sgd-fourth-moment)",
        Attribution.DERIVED,
    ),
    kind=Kind.NECESSARY,
    dynamics=st.linearised,
    hypotheses=(
        st.SAMPLES_PSD,
        Condition("step is not 0", eta**2 > ZERO, "the sign of η plays no part"),
        st.POSITIVE_RADIUS,
        UNIT,
        Condition("fourth moment", moment.equals(Mean(norm2(H_b(u)) ** 2))),
        Condition("bound violated", bound < moment),
        EIGENMATRIX,
        positive_semidefinite("W >= 0", W, "W is positive semidefinite"),
        Assumption(
            "W <= I",
            "the eigenvalues of W are at most 1",
            "scaling",
            (Rule("at", (y,), energy(y) <= norm2(y)),),
        ),
    ),
    divisors=(SQUARED_REACH,),
    proof=(
        Step(
            "growth rate",
            scalar(1) < growth,
            times(number(Fraction(1, 2)), SQUARED_REACH, Fact("bound violated")),
            "R - 1 = (ηρ)²(h_4 - 4/(ηρ)²)/2.",
        ),
        Step(
            "surrogate curvature",
            rho**2 * Mean(norm2(H_b(u)) ** 2) <= Mean(alpha_u**2),
            MeanOf(
                times(
                    psd_at_u,
                    add(psd_at_u, times(number(2), Fact("radius > 0"), Norm(H_b(u)))),
                )
            ),
            "⟨u, H_b u⟩ ≥ 0, so ⟨u, (H_b + ρH_b²)u⟩ ≥ ρ|H_b u|².",
        ),
        Step(
            "one step",
            growth <= Mean(Inner(u, st.stepped(u)) ** 2),
            add(
                times(number(Fraction(1, 2)), MeanOf(Square(2 - eta * alpha_u))),
                times(number(Fraction(1, 2)), Square(eta), Fact("surrogate curvature")),
                Multiple(eta**2 * rho**2 / 2, Fact("fourth moment")),
                Multiple(2 * eta * Mean(alpha_u) - norm2(u) - 1, unit),
            ),
            "(1 - α)² = (2 - α)²/2 + α²/2 - 1 for α = η⟨u, (H_b + ρH_b²)u⟩.",
        ),
        Step(
            "spectral radius",
            growth <= top,
            add(
                Fact("one step"),
                RuleAt("top eigenmatrix", "rayleigh", ()),
                Multiple(top * (norm2(u) + 1), unit),
            ),
            "Λ is at least what uu' sees of E M_b uu' M_b.",
        ),
        Step(
            "energy",
            growth * energy(x) <= Mean(energy(st.linearised.step())),
            add(
                times(Fact("spectral radius"), RuleAt("W >= 0", "psd", (x,))),
                Multiple(scalar(-1), RuleAt("top eigenmatrix", "eigen", (x, x))),
            ),
            "One step multiplies ⟨x, W x⟩ by Λ on average.",
        ),
        Step(
            "growth of the energy",
            growth**NOW * energy(x_0) <= Along(energy(x), NOW),
            geometric_growth(energy(x), add(Fact("growth rate"), number(1)), "energy"),
            "Induction on t by the tower rule.",
        ),
        Step(
            "divergence",
            growth**NOW * energy(x_0) <= Along(norm2(x), NOW),
            add(Fact("growth of the energy"), AlongOf(RuleAt("W <= I", "at", (x,)), NOW)),
            "The squared distance is at least the energy.",
        ),
    ),
    conclusion=("growth rate", "spectral radius", "divergence"),
    witness=witness(
        {
            "step_size": "1/2",
            "radius": 1,
            "h_4": "14788/625",
            "spectral_radius": "33/4",
        },
        {"u": ["3/5", "4/5"]},
        [[[1, 1], [1, 2]], [[1, -1], [-1, 2]]],
        {"W": [["1/2", 0], [0, 1]]},
    ),
    quantities=(
        Quantity("bound", bound, "upper bound on E|H_b u|⁴"),
        Quantity("growth", growth, "R: the mean-square growth per step is at least R"),
    ),
    findings=(
        "Jensen's inequality makes it E|H_b u|² ≤ 2/(ηρ), so s_2² ≤ 2/(ηρ) again.",
        "SGD's stability in mean square bounds no fourth moment: that of its gradients needs the "
        "fourth moment of x to be stable.",
    ),
)
