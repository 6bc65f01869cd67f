"""The sharp bound on s_2 at a minimum that SAM's one-step condition admits, for every ρ ≥ 0."""

from __future__ import annotations

from theory.language import *
from theory.library import _stability as st
from theory.library._stability import eta, rho, u

s_2 = Param("s_2")
m = Inner(u, H(u))
unit, at_edge = Fact("u is a unit vector"), Fact("edge")

bound = edge**2 / (4 * eta**2)
#: (T - t*) u with T = η H_b: T is either 0 or t* where the bound is attained.
off_edge = eta * H_b(u) - edge * u

known = signs({eta: "step > 0", rho: "radius >= 0", edge: "edge > 0"})

THEOREM = Theorem(
    id="sam-stability-s2-sharp",
    title="s_2 ≤ t*/(2η) at every radius of SAM, never above SGD's bound",
    title_says=("one-step condition", "edge", "sharp bound", "never above SGD's"),
    statement=(
        said(
            "If H_b ⪰ 0 and the one-step condition holds with η > 0 and ρ ≥ 0, then ηE H_b² ≤ "
            "t*H along every unit vector u, where t* > 0 solves ρt² + ηt = 2η.",
            *("algorithm", "H_b >= 0", "one-step condition", "step > 0", "radius >= 0"),
            *("edge > 0", "edge", "u is a unit vector", "second moment"),
        ),
        said(
            "Hence s_2 ≤ t*/(2η) ≤ 1/η, where s_2² = ⟨u, (E H_b² - H²)u⟩.",
            *("s_2", "sharp bound", "never above SGD's"),
        ),
    ),
    source=Source("this toolkit", "sharpens " + st.SAM_PAPER, Attribution.DERIVED),
    kind=Kind.NECESSARY,
    dynamics=st.linearised,
    hypotheses=(
        st.SAMPLES_PSD,
        st.SUFFICIENT,
        st.STEP,
        st.RADIUS,
        Condition("edge > 0", edge > ZERO),
        Condition("edge", (rho * edge**2 + eta * edge).equals(2 * eta), "t* = ηa at SAM's edge"),
        Condition("u is a unit vector", norm2(u).equals(1)),
        Condition(
            "s_2",
            (s_2**2).equals(st.gap(2, u, u)),
            "u is a top eigenvector of E H_b² - H², with eigenvalue s_2²",
        ),
    ),
    divisors=(known(eta**2), known(4 * eta**2), known(2 * eta)),
    proof=(
        Step(
            "second moment",
            eta * st.raw(2, u, u) <= edge * m,
            times(
                Invert(known(eta * (eta + rho * edge) * (eta + 2 * rho * edge))),
                add(
                    times(known(eta**2), RuleAt("one-step condition", "at", (u,))),
                    times(known(rho**2), MeanOf(Norm(eta * H_b(off_edge)))),
                    times(
                        known(2 * rho * eta * (eta + rho * edge)),
                        MeanOf(RuleAt("H_b >= 0", "psd", (off_edge,))),
                    ),
                    Multiple(-(eta**2) * (rho * st.raw(2, u, u) + m), at_edge),
                ),
            ),
            "On t ≥ 0 the condition's quartic lies above a multiple of t(t - t*), touching at t*.",
        ),
        Step(
            "Jensen for H^2",
            m**2 <= Inner(u, st.applied(H, 2, u)),
            add(Norm(H(u) - m * u), Multiple(m**2, unit)),
            "The variance of H at u is non-negative.",
        ),
        Step(
            "sharp bound",
            s_2**2 <= bound,
            add(
                times(Invert(known(eta)), Fact("second moment")),
                Fact("Jensen for H^2"),
                Square(m - edge / (2 * eta)),
                Fact("s_2"),
            ),
            "t*m/η - m² is largest at m = t*/(2η).",
        ),
        Step(
            "t* is at most 2",
            edge <= 2,
            times(Invert(known(eta)), add(known(rho * edge**2), at_edge)),
            "From its equation.",
        ),
        Step(
            "never above SGD's",
            bound <= 1 / eta**2,
            times(Invert(known(4 * eta**2)), Fact("t* is at most 2"), known(2 + edge)),
            "1/η is the bound of Wu, Ma, E 2018 at ρ = 0.",
        ),
    ),
    conclusion=("second moment", "sharp bound", "never above SGD's"),
    witness=witness(
        {"step_size": 1, "radius": 1, "edge": 1, "s_2": "1/2"}, {"u": [1]}, [[[0]], [[1]]]
    ),
    quantities=(Quantity("bound", bound, "upper bound on s_2^2"),),
    findings=(
        "Attained: by the witness, one direction with H_b in {0, 1} and η = ρ = 1, so t* = 1 and "
        "s_2 = 1/2.",
        "The published bound 1/(η(η - 2ρ)) is larger for every ρ > 0 and says nothing from "
        "ρ = η/2 on.",
    ),
)
