r"""The sharp bounds on s_3 at a minimum that SAM's one-step condition admits, for every ρ > 0.

With $r = \rho/\eta$ there are two regimes, which meet at $r = 3/8$.  Above it the best law of
$\eta H_b$ sits at 0 and at SAM's edge; below it at two positive points.
"""

from __future__ import annotations

from theory.language import *
from theory.library import _sharp_moments as sm
from theory.library import _stability as st
from theory.library._s3_family import H_3, MEAN_PSD, family, least, parts, peak_at, s_3
from theory.library._sharp_moments import at_edge, known, m, one_step
from theory.library._stability import eta, rho, u


def small() -> Theorem:
    """A family of bounds, one for each contact; up to ρ = 3η/8 the best of them is sharp."""
    _, _, scale = parts(contact)
    bound = least(contact, peak) / scale
    return Theorem(
        id="sam-stability-s3-sharp-small",
        title="Bounds on s_3 from the one-step condition, one for each contact",
        title_says=("one-step condition", "contact >= 0", "peak", "bound"),
        statement=(
            said(
                "Let H ⪰ 0, let the one-step condition hold with η, ρ > 0, and let ω, ν ≥ 0 with "
                "6ην² = η(ω² - ω) + 2ρ.",
                *("algorithm", "H >= 0", "one-step condition", "step > 0", "radius > 0"),
                *("contact >= 0", "peak >= 0", "peak"),
            ),
            said(
                "Then along every unit vector u E H_b³ has a bound linear in H, and s_3³ ≤ (16η²(1 "
                "+ ω)ν³ + (η(1 - ω²) - 2ρ)²)/(8ρ³η²(1 + ω)) for s_3³ = ⟨u, (E H_b³ - H³)u⟩.",
                *("u is a unit vector", "moment", "s_3", "bound"),
            ),
        ),
        source=sm.SOURCE,
        kind=Kind.NECESSARY,
        dynamics=st.linearised,
        hypotheses=sm.hypotheses(
            3,
            Condition("contact >= 0", contact >= ZERO),
            Condition("peak >= 0", peak >= ZERO),
            peak_at(contact, peak),
            curvature=MEAN_PSD,
        ),
        divisors=(known(scale),),
        proof=(
            *family(contact, peak),
            Step(
                "bound",
                s_3**3 <= bound,
                times(Invert(known(scale)), Fact("scaled bound")),
                "Divide.",
            ),
        ),
        conclusion=("moment", "bound"),
        witness=witness(
            {"step_size": 1, "radius": "1/3", "contact": 1, "peak": "1/3", "s_3": "3/8"},
            {"u": [1]},
            [[[1]], [["5/4"]]],
        ),
        quantities=(Quantity("bound", bound, "upper bound on s_3^3"),),
        findings=(
            "The least bound over ω is sharp for 8ρ ≤ 3η (sam-stability-s3-attained). It has no "
            "closed form: the best ω is of degree eight over the rationals in ρ/η, on a curve of "
            "genus one. An explicit ω gives sam-stability-s3-closed-form.",
            "Single samples may have negative curvature; only their mean may not.",
            "The step `moment` is attained for every ω: by H_b = 1 for seven samples and 2 for "
            "nine, η = 5/6, ρ = 1/5, ω = 3/5.",
        ),
    )


def closed_form() -> Theorem:
    """The family at ω = 1 - 2r + 2r², with ν rounded up to a polynomial."""
    r = rho / eta
    contact = 1 - 2 * r + 2 * r**2
    coefficients = tuple(map(Fraction, ("1", "-2/3", "1/9", "1/9")))
    peak = r * sum((a * r**i for i, a in enumerate(coefficients)), start=ZERO)
    _, slope, _ = parts(contact)
    bound = (eta + rho) / (4 * rho * eta**3) + rho**2 / (12 * eta**5)
    squares = add(Square(1 - r), Square(r))
    return Theorem(
        id="sam-stability-s3-closed-form",
        title="A bound on s_3 in closed form, below the published one",
        title_says=(
            "one-step condition",
            "radius range",
            "closed form",
            "below the published bound",
        ),
        statement=(
            said(
                "If H ⪰ 0, the one-step condition holds with η, ρ > 0 and 8ρ ≤ 3η, then s_3³ < (η +"
                " ρ)/(4ρη³) + ρ²/(12η⁵) for s_3³ = ⟨u, (E H_b³ - H³)u⟩ at a unit vector u.",
                *("algorithm", "H >= 0", "one-step condition", "step > 0", "radius > 0"),
                *("radius range", "u is a unit vector", "s_3", "closed form"),
            ),
            said("This is below the published 1/(2η²ρ).", "below the published bound"),
        ),
        source=sm.SOURCE,
        kind=Kind.NECESSARY,
        dynamics=st.linearised,
        hypotheses=sm.hypotheses(3, sm.SMALL_RADIUS, curvature=MEAN_PSD),
        divisors=tuple(map(known, (eta, 4 * rho * eta**3, 12 * eta**5, 2 * eta**2 * rho))),
        proof=(
            Step("contact >= 0", contact >= ZERO, squares, "It is (1 - r)² + r²."),
            Step(
                "peak >= 0",
                peak >= ZERO,
                times(known(rho), Invert(known(eta**4)), sm.on_range(*coefficients)),
                "The second factor has positive Bernstein coefficients on 0 ≤ r ≤ 3/8.",
            ),
            Step(
                "peak",
                slope <= 6 * eta * peak**2,
                times(
                    known(2 * rho**5 / 27),
                    Invert(known(eta**7)),
                    sm.on_range(6, -11, 2, 1),
                ),
                "Positive Bernstein coefficients again.",
            ),
            *family(contact, peak),
            Step(
                "closed form",
                s_3**3 < bound,
                times(
                    Invert(times(known(8 * rho**3 * eta**2), add(number(1), squares))),
                    add(
                        Fact("scaled bound"),
                        times(
                            known(4 * rho**6 / 729),
                            Invert(known(eta**12)),
                            sm.on_range(189, 1323, -3204, 2728, -1096, -80, 136, -16, -8),
                        ),
                    ),
                ),
                "Positive Bernstein coefficients again.",
            ),
            Step(
                "below the published bound",
                bound < 1 / (2 * eta**2 * rho),
                times(Invert(known(12 * rho * eta**5)), sm.on_range(3, -3, 0, -1)),
                "3 - 3r - r³ is positive.",
            ),
        ),
        conclusion=("closed form", "below the published bound"),
        witness=witness(
            {"step_size": 1, "radius": "1/4", "s_3": "3/8"}, {"u": [1]}, [[[1]], [["5/4"]]]
        ),
        quantities=(Quantity("bound", bound, "upper bound on s_3^3"),),
        findings=(
            "Proved with ω = 1 - 2r + 2r², r = ρ/η, and a polynomial for ν; as r → 0 it agrees "
            "with the sharp bound up to terms in r³.",
            "(η + ρ)/(4ρη³) alone is smaller than the sharp bound for small ρ, so it is no bound.",
        ),
    )


def large() -> Theorem:
    """The bound from ρ = 3η/8 on, attained at SAM's edge."""
    room = 4 * rho - eta - rho * edge
    bound = sm.highest(3, edge**2)
    return Theorem(
        id="sam-stability-s3-sharp-large",
        title="A bound on s_3 from ρ = 3η/8 on, by SAM's edge, below the published one",
        title_says=(
            "one-step condition",
            "radius range",
            "edge",
            "sharp bound",
            "below the published bound",
        ),
        statement=(
            said(
                "Let H_b ⪰ 0, let the one-step condition hold with η, ρ > 0 and 8ρ ≥ 3η, and let t*"
                " > 0 solve ρt² + ηt = 2η.",
                *("algorithm", "H_b >= 0", "one-step condition", "step > 0", "radius > 0"),
                *("radius range", "edge > 0", "edge"),
            ),
            said(
                "Then η²E H_b³ ≤ t*²H along every unit vector u, and s_3⁶ ≤ 4t*⁶/(27η⁶) for s_3³ = "
                "⟨u, (E H_b³ - H³)u⟩ with s_3 ≥ 0.",
                *("u is a unit vector", "moment", "s_3 >= 0", "s_3", "sharp bound"),
            ),
            said(
                "This is below the published bound at every such radius.",
                "below the published bound",
            ),
        ),
        source=sm.SOURCE,
        kind=Kind.NECESSARY,
        dynamics=st.linearised,
        hypotheses=sm.hypotheses(
            3,
            *sm.EDGE,
            Condition("radius range", 3 * eta <= 8 * rho),
            Condition("s_3 >= 0", s_3 >= ZERO, "E H_b³ - H³ has a non-negative trace"),
        ),
        divisors=(known(27 * eta**6), known(4 * eta**4 * rho**2)),
        proof=(
            Step(
                "room",
                room >= ZERO,
                times(
                    Invert(known(4 + edge)),
                    add(times(number(2), Fact("radius range")), at_edge),
                ),
                "(4r - 1 - rt*)(4 + t*) = 16r - 6.",
            ),
            *sm.from_slope(
                3,
                edge**2,
                known(edge**2),
                times(
                    Invert(known(eta**2 * (eta + 4 * rho + rho * edge))),
                    add(
                        times(known(2 * eta**2 * edge), one_step),
                        times(known(2 * rho**2 * edge), sm.twice_weighted(edge)),
                        times(known(eta), Fact("room"), sm.weighted(edge)),
                        Multiple(
                            2 * eta**2 * (rho * edge * st.raw(2, u, u) - 2 * eta * rho * H_3)
                            - 2 * eta**2 * edge * m,
                            at_edge,
                        ),
                    ),
                ),
                "On t ≥ 0 the condition's quartic lies above a multiple of t³ - t*²t.",
            ),
            Step(
                "below the published bound",
                bound < 1 / (4 * eta**4 * rho**2),
                times(
                    Invert(known(108 * eta**6 * rho**2)),
                    add(
                        times(number(11), known(eta**2)),
                        times(
                            number(16),
                            Square(1 - edge),
                            known(eta**2 + eta * rho * edge**3),
                        ),
                        Multiple(16 * edge * (eta + rho * edge**3), at_edge),
                    ),
                ),
                "16r²t*⁶ = 16(t*(2 - t*))² ≤ 16 < 27.",
            ),
        ),
        conclusion=("moment", "sharp bound", "below the published bound"),
        witness=witness(
            {"step_size": 1, "radius": 1, "edge": 1, "s_3": algebraic(0, "1/3")},
            {"u": [1]},
            [[[0]], [[1]], [[1]]],
            root=positive_root(10, 3),
        ),
        quantities=(Quantity("bound", bound, "upper bound on s_3^6"),),
        findings=(
            "The moment is attained by ηH_b in {0, t*} with any weights, such as H_b in "
            "{0, 1, 1}, η = ρ = 1; the bound on s_3 at the mean t*/√3, which is irrational "
            "whenever t* is rational.",
            "Below ρ = 3η/8 it is false: there the quartic dips below the cubic beside 0.",
            "The published bound 1/(2η²ρ) on s_3³ is true at every radius, also beyond η = 2ρ.",
        ),
    )


THEOREMS = (small(), closed_form(), large())
