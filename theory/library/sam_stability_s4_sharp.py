r"""The sharp bounds on s_4 at a minimum that SAM's one-step condition admits, for every ρ > 0.

With $r = \rho/\eta$ there are three regimes.  Up to $4r^2 = 12r + 3$ the published bound is sharp;
beyond it fails.  Mass at infinity costs what it brings in $r^2T^4$, so the best law in the first
two regimes has an atom that runs away, and the bounds are approached without being attained.
"""

from __future__ import annotations

from theory.language import *
from theory.library import _sharp_moments as sm
from theory.library import _stability as st
from theory.library._sharp_moments import M, at_edge, known, m, one_step
from theory.library._stability import eta, rho, u

s_4 = Param("s_4")
H_4 = st.raw(4, u, u)
PUBLISHED = 1 / (eta**2 * rho**2)
FAILURE = 4 * rho**2 - 12 * rho * eta - 3 * eta**2


def published_range() -> Theorem:
    """The published bound, wherever it is true."""
    room = 4 * rho * landing - 2 * rho + eta
    slant = 1 + landing - 2 * M + rho / eta * (3 * landing**2 - 4 * landing * M)
    return Theorem(
        id="sam-stability-s4-sharp",
        title="The published bound on s_4 holds up to 4ρ² = 12ρη + 3η²",
        title_says=("one-step condition", "radius range", "moment bound"),
        statement=(
            said(
                "If H_b ⪰ 0, the one-step condition holds with η, ρ > 0 and 4ρ² ≤ 12ρη + 3η², that "
                "is ρ/η ≤ (3 + 2√3)/2, then s_4⁴ ≤ 1/(η²ρ²) for s_4⁴ = ⟨u, (E H_b⁴ - H⁴)u⟩ at a "
                "unit vector u.",
                *("algorithm", "H_b >= 0", "one-step condition", "step > 0", "radius > 0"),
                *("radius range", "u is a unit vector", "s_4", "moment bound"),
            ),
            said(
                "The proof uses the root t_0 > 0 of ρt² + ηt = η.",
                *("landing > 0", "landing"),
            ),
        ),
        source=sm.SOURCE,
        kind=Kind.NECESSARY,
        dynamics=st.linearised,
        hypotheses=sm.hypotheses(
            4,
            Condition("landing > 0", landing > ZERO),
            Condition(
                "landing",
                (rho * landing**2 + eta * landing).equals(eta),
                "at ηa = t₀ one step lands on the minimum",
            ),
            Condition(
                "radius range",
                4 * rho**2 <= 12 * rho * eta + 3 * eta**2,
            ),
        ),
        divisors=(known(eta), known(eta**2 * rho**2)),
        proof=(
            *sm.preliminaries(4),
            Step(
                "room",
                room >= ZERO,
                times(
                    Invert(known(4 * rho * landing + 2 * rho + 3 * eta)),
                    add(Fact("radius range"), Multiple(-16 * rho, Fact("landing"))),
                ),
                "(4rt₀ - 2r + 1)(4rt₀ + 2r + 3) = 12r + 3 - 4r².",
            ),
            Step(
                "scaled",
                eta**2 * rho**2 * s_4**4 <= 1,
                times(
                    Invert(known(eta)),
                    add(
                        times(known(eta), one_step),
                        times(known(2 * rho), sm.weighted(landing)),
                        times(Fact("room"), sm.distance(landing)),
                        times(
                            known(eta),
                            add(
                                Square(rho / eta * (M - landing) * (M + landing)),
                                times(number(2), Square(rho / eta * landing * (M - landing))),
                            ),
                        ),
                        times(known(eta**3 * rho**2), Fact("Jensen for H^4")),
                        Multiple(eta**3 * rho**2, Fact("s_4")),
                        Multiple(slant, Fact("landing")),
                        Multiple(room * landing**2, Fact("u is a unit vector")),
                    ),
                ),
                "Off t₀ the condition's quartic lies above its tangent; M = t₀ is the worst mean.",
            ),
            Step(
                "moment bound",
                s_4**4 <= PUBLISHED,
                times(Invert(known(eta**2 * rho**2)), Fact("scaled")),
                "Divide by η²ρ².",
            ),
        ),
        conclusion=("moment bound",),
        witness=witness(
            {"step_size": 1, "radius": 2, "landing": "1/2", "s_4": algebraic(0, "1/10")},
            {"u": [1]},
            [[["1/10"]], [["3/10"]]],
            root=positive_root(5),
        ),
        quantities=(Quantity("bound", PUBLISHED, "upper bound on s_4^4"),),
        findings=(
            "The published statement needs η ≥ 2ρ for its proof; the bound is true up to the root "
            "(3 + 2√3)/2 of 4r² = 12r + 3, r = ρ/η, and false beyond it; one direction with "
            "H_b in {0, 1, 1}, η = 1/2, ρ = 3 satisfies the one-step condition and has "
            "s_4⁴ = 38/81, above 4/9.",
            "Sharp, and approached without being attained: ηH_b = t₀ but for a rare sample at N, "
            "with N → ∞. In the limit that sample costs nothing but what it adds to r²T⁴, so a "
            "search over bounded curvatures finds less.",
            "Beyond it t₀ < q = (2r - 1)/(4r), and a law of mean t₀ at 0 and t, just above t₀, "
            "with such a rare sample has η²ρ²s_4⁴ → 1 + 2rt₀((q - t₀)² - (q - t)²) > 1.",
        ),
    )


def middle() -> Theorem:
    """The bound between the other two; it is true at every radius."""
    point = (2 * rho - eta) / (4 * rho)
    slope = eta * (4 * rho**2 + 12 * rho * eta + eta**2) / (8 * rho**3)
    bound = sm.highest(4, slope)
    return Theorem(
        id="sam-stability-s4-sharp-middle",
        title="A bound on s_4 at every radius, nowhere below the published one",
        title_says=("one-step condition", "sharp bound", "the published bound is at most this"),
        statement=(
            said(
                "If H_b ⪰ 0 and the one-step condition holds with η, ρ > 0, then along every unit "
                "vector u η³E H_b⁴ ≤ aH with a = η(4ρ² + 12ρη + η²)/(8ρ³), and s_4¹² ≤ "
                "27a⁴/(256η¹²) for s_4⁴ = ⟨u, (E H_b⁴ - H⁴)u⟩.",
                *("algorithm", "H_b >= 0", "one-step condition", "step > 0", "radius > 0"),
                *("u is a unit vector", "moment", "s_4", "sharp bound"),
            ),
            said(
                "This is nowhere below the published bound.", "the published bound is at most this"
            ),
        ),
        source=sm.SOURCE,
        kind=Kind.NECESSARY,
        dynamics=st.linearised,
        hypotheses=sm.hypotheses(4),
        divisors=(known(8 * rho**3), known(4 * rho), known(256 * eta**12), known(eta**2 * rho**2)),
        proof=(
            *sm.from_slope(
                4,
                slope,
                known(slope),
                times(
                    Invert(known(rho**2)),
                    add(times(known(eta), one_step), times(known(2 * rho), sm.weighted(point))),
                ),
                "The quartic less its leading term is a cubic that touches 0 at t = (2r - 1)/(4r).",
            ),
            Step(
                "the published bound is at most this",
                bound >= PUBLISHED**3,
                times(
                    Square(FAILURE),
                    known(
                        432 * rho**4
                        + 7776 * rho**3 * eta
                        + 1640 * rho**2 * eta**2
                        + 120 * rho * eta**3
                        + 3 * eta**4
                    ),
                    Invert(known(2**20 * rho**12 * eta**8)),
                ),
                "with equality exactly where 4ρ² = 12ρη + 3η².",
            ),
        ),
        conclusion=("moment", "sharp bound", "the published bound is at most this"),
        witness=witness(
            {"step_size": 1, "radius": 5, "s_4": algebraic(0, "1/20")},
            {"u": [1]},
            [[["1/20"]], [["3/20"]]],
            root=positive_root(5),
        ),
        quantities=(Quantity("bound", bound, "upper bound on s_4^12"),),
        findings=(
            "True at every radius; sharp for 12ρη + 3η² ≤ 4ρ² ≤ 28ρη + 3η², that is between "
            "(3 + 2√3)/2 and (7 + 2√13)/2 in r = ρ/η. There it is approached by ηH_b in "
            "{0, (2r - 1)/(4r), N} with N → ∞; at the upper end (2r - 1)/(4r) reaches t*.",
            "The two bounds touch where 4r² = 12r + 3 and nowhere else.",
        ),
    )


def large() -> Theorem:
    """The bound at large radius, attained at SAM's edge."""
    turn = rho * edge
    room = 2 * rho - 4 * turn - eta
    bound = sm.highest(4, edge**3)
    coefficient = (
        4 * eta**2 * edge * st.raw(2, u, u)
        - 2 * eta**3 * st.raw(3, u, u)
        - eta**3 * rho * H_4
        - 5 * eta * m * edge**2
        - 2 * rho * m * edge**3
    )
    return Theorem(
        id="sam-stability-s4-sharp-large",
        title="A bound on s_4 at large radius, by SAM's edge",
        title_says=("one-step condition", "radius range", "edge", "sharp bound"),
        statement=(
            said(
                "Let H_b ⪰ 0, let the one-step condition hold with η, ρ > 0 and 4ρ² ≥ 28ρη + 3η², "
                "that is ρ/η ≥ (7 + 2√13)/2, and let t* > 0 solve ρt² + ηt = 2η.",
                *("algorithm", "H_b >= 0", "one-step condition", "step > 0", "radius > 0"),
                *("radius range", "edge > 0", "edge"),
            ),
            said(
                "Then η³E H_b⁴ ≤ t*³H along every unit vector u, and s_4¹² ≤ 27t*¹²/(256η¹²) for "
                "s_4⁴ = ⟨u, (E H_b⁴ - H⁴)u⟩.",
                *("u is a unit vector", "moment", "s_4", "sharp bound"),
            ),
        ),
        source=sm.SOURCE,
        kind=Kind.NECESSARY,
        dynamics=st.linearised,
        hypotheses=sm.hypotheses(
            4,
            *sm.EDGE,
            Condition("radius range", 28 * rho * eta + 3 * eta**2 <= 4 * rho**2),
        ),
        divisors=(known(256 * eta**12),),
        proof=(
            Step(
                "room",
                room >= ZERO,
                times(
                    Invert(known(2 * rho + 4 * turn + 3 * eta)),
                    add(Fact("radius range"), Multiple(16 * rho, at_edge)),
                ),
                "(2r - 4rt* - 1)(2r + 4rt* + 3) = 4r² - 28r - 3.",
            ),
            *sm.from_slope(
                4,
                edge**3,
                known(edge**3),
                times(
                    Invert(known(turn * (eta + turn) * (eta + 2 * turn) * eta)),
                    add(
                        times(known(3 * turn * eta**2 * edge**2), one_step),
                        times(known(turn * eta), Fact("room"), sm.twice_weighted(edge)),
                        times(
                            known(edge * (eta + turn) * eta),
                            add(times(number(2), Fact("room")), known(2 * eta + 4 * turn)),
                            sm.weighted(edge),
                        ),
                        Multiple(eta * rho * edge * coefficient, at_edge),
                    ),
                ),
                "On t ≥ 0 the condition's quartic lies above a multiple of t⁴ - t*³t.",
            ),
        ),
        conclusion=("moment", "sharp bound"),
        witness=witness(
            {"step_size": "2/5", "radius": 4, "edge": "2/5", "s_4": algebraic(0, "1/3")},
            {"u": [1]},
            [[[0]], [[1]], [[1]]],
            root=positive_root(38, 4),
        ),
        quantities=(Quantity("bound", bound, "upper bound on s_4^12"),),
        findings=(
            "The moment is attained by ηH_b in {0, t*} with any weights, such as H_b in "
            "{0, 1, 1}, η = 2/5, ρ = 4; the bound on s_4 at the mean t*/∛4, which is irrational "
            "whenever t* is rational.",
        ),
    )


THEOREMS = (published_range(), middle(), large())
