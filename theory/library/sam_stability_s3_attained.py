"""The bounds on s_3 are sharp up to ρ = 3η/8: the law of H_b that attains the best of them."""

from __future__ import annotations

from theory.language import *
from theory.library import _sharp_moments as sm
from theory.library import _stability as st
from theory.library._s3_family import least, parts, peak_at
from theory.library._sharp_moments import known
from theory.library._stability import eta, rho

#: The curve of (ω, ν) is elliptic; this is the simplest rational point known with η = 1 and
#: 0 < 8ρ ≤ 3, found by chords and tangents.
ON_THE_CURVE = {
    "radius": "5971960891008204104808/52790338328229701518225",
    "contact": "183382223577/229761481385",
    "peak": "32134456/308404673",
}


def attained() -> Theorem:
    """Why the best of the family is sharp: a law on two points, by its moments."""
    rest, _, scale = parts(contact)
    other = eta * (1 + contact) * (1 + 3 * contact) - 2 * rho
    best, over = Fact("best contact"), Fact("contact")
    one_plus_contact = add(number(Fraction(3, 2)), times(number(Fraction(1, 2)), over))
    product = rest / (2 * eta)
    first, second = peak, contact * peak - product
    third = contact * second - product * first
    fourth = contact * third - product * second
    denominator = add(
        times(
            number(Fraction(1, 6)),
            add(
                number(11),
                times(number(13), over),
                known(24 * contact**2 + 24 * peak + 36 * peak * contact),
                times(number(16), Fact("points")),
            ),
        ),
        Multiple(-1 / (3 * eta), Fact("peak")),
    )
    return Theorem(
        id="sam-stability-s3-attained",
        title="Two points attain a bound of the family on s_3 up to ρ = 3η/8",
        title_says=("radius range", "one-step condition", "attained"),
        statement=(
            said(
                "Let 0 < 8ρ ≤ 3η, and let ω ≥ 1/2 and ν ≥ 0 solve 6ην² = η(ω² - ω) + 2ρ and 4η²ν(2ω"
                " - 1)(1 + ω)² = (η(1 - ω²) - 2ρ)(η(1 + ω)(1 + 3ω) - 2ρ).",
                *("step > 0", "radius > 0", "radius range", "contact", "peak >= 0", "peak"),
                "best contact",
            ),
            said(
                "Then z² - ωz + P with P = (η(1 - ω²) - 2ρ)/(2η) has roots with a non-negative sum "
                "and product, and a law on them with mean ν has non-negative weights, as ων - P - "
                "ν² ≥ 0.",
                *("points", "weights"),
            ),
            said(
                "Where ρH_b is a number with this law, with the moments that z² = ωz - P gives, the"
                " one-step condition holds with equality and E H_b³ - H³ is the bound of sam-"
                "stability-s3-sharp-small at ω.",
                *("one-step condition", "attained"),
            ),
            unchecked("So the bound of the family at the best contact is sharp."),
        ),
        source=sm.SOURCE,
        kind=Kind.SUFFICIENT,
        hypotheses=(
            st.STEP,
            sm.RADIUS,
            sm.SMALL_RADIUS,
            Condition("contact", 2 * contact - 1 >= ZERO),
            Condition("peak >= 0", peak >= ZERO),
            peak_at(contact, peak),
            Condition(
                "best contact",
                (4 * eta**2 * peak * (2 * contact - 1) * (1 + contact) ** 2).equals(rest * other),
                "the bound of the family is stationary in ω",
            ),
        ),
        divisors=(
            times(known(8 * rho**3 * eta**2), one_plus_contact),
            *map(known, (eta, 2 * eta, 3 * eta, eta**2, rho**3)),
        ),
        proof=(
            Step(
                "contact >= 0",
                contact >= ZERO,
                times(number(Fraction(1, 2)), add(number(1), over)),
                "It is at least 1/2.",
            ),
            Step(
                "points",
                product >= ZERO,
                times(
                    Invert(known(2 * eta)),
                    Invert(
                        add(
                            times(number(Fraction(1, 4)), Fact("radius range")),
                            known(eta * (Fraction(1, 4) + 4 * contact + 3 * contact**2)),
                        )
                    ),
                    add(best, times(known(4 * eta**2 * peak * (1 + contact) ** 2), over)),
                ),
                "The two roots have a non-negative sum and product.",
            ),
            Step(
                "weights",
                contact * peak - product - peak**2 >= ZERO,
                times(
                    number(Fraction(1, 2)),
                    Invert(denominator),
                    add(
                        known(4 * peak**2 * (contact**2 + 4 * peak + 2 * contact * peak + peak**2)),
                        Multiple(-4 * peak * (1 + contact) / eta, Fact("peak")),
                        Multiple(-1 / eta**2, best),
                    ),
                ),
                "(q - ν)(ν - p) ≥ 0, so the weights of p and q are non-negative.",
            ),
            Step(
                "one-step condition",
                ((1 - 2 * rho / eta) * second + 2 * third + fourth).equals(2 * rho / eta * first),
                Multiple(Fraction(1, 4) / eta**2, best),
                "E T^k for T = ηH_b, times (ρ/η)^k, by z² = ωz - pq.",
            ),
            Step(
                "attained",
                ((third - peak**3) / rho**3).equals(least(contact, peak) / scale),
                Multiple(
                    1 / scale, add(Multiple(4 * peak * eta * (1 + contact), Fact("peak")), best)
                ),
                "E H_b³ - H³ of the law is the bound.",
            ),
        ),
        conclusion=("points", "weights", "one-step condition", "attained"),
        witness=witness({"step_size": 1, **ON_THE_CURVE}, {}, [[[0]]]),
        findings=(
            "(ω, ν) runs over an elliptic curve; the simplest rational point known in the range "
            "is the witness, and p and q are irrational there.",
            "At 8ρ = 3η, ω = 1/2 and the lower point is 0: there the law is that of "
            "sam-stability-s3-sharp-large.",
        ),
    )


THEOREM = attained()
