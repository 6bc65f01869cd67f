"""The bounds on s_2, s_3, s_4 that follow from SAM's one-step condition when η ≥ 2ρ."""

from __future__ import annotations

from theory.language import *
from theory.library import _stability as st
from theory.library._stability import eta, rho, u

m = Inner(u, H(u))
unit = Fact("u is a unit vector")
step, reach, room = Fact("step > 0"), Fact("radius"), Fact("step against radius")

COEFFICIENTS: dict[int, tuple[Scalar, Cone]] = {
    2: (eta * (eta - 2 * rho), times(step, room)),
    3: (2 * eta**2 * rho, times(number(2), step, step, reach)),
    4: (eta**2 * rho**2, times(step, step, reach, reach)),
}
WITNESSES: dict[int, Witness] = {
    2: witness({"step_size": "1/2", "radius": "1/10", "s_2": 1}, {"u": [1]}, [[[0]], [[2]]]),
    3: witness(
        {"step_size": "1/2", "radius": "1/10", "s_3": "4/3"}, {"u": [1]}, [[[0]], [[0]], [[2]]]
    ),
    4: witness(
        {"step_size": "1/4", "radius": "1/20", "s_4": 2},
        {"u": ["4/5", "3/5"]},
        [[[1, 0], [0, 1]], [[3, 0], [0, 1]]],
    ),
}
EXPONENT = {2: "²", 3: "³", 4: "⁴"}
POWER = {k: f"s_{k}{exponent}" for k, exponent in EXPONENT.items()}
AT_ZERO = (said("At ρ = 0 the bound is 1/η², that of SGD.", "radius zero is SGD"),)
WORDS = {2: "s_2² ≤ 1/(η(η - 2ρ))", 3: "s_3³ ≤ 1/(2η²ρ)", 4: "s_4⁴ ≤ 1/(η²ρ²)"}


def jensen(order: int) -> tuple[Step, Step]:
    r"""$E\langle u, H_b^k u\rangle \ge \langle u, Hu\rangle^k$, and the same for $H$.

    With $w = (H_b - m)u$, the tangent inequality $t^k - m^k - k m^{k-1}(t - m) \ge 0$ on $t \ge 0$
    is a sum of squares and of positive semidefinite forms at $w$.
    """

    def certificate(average: bool) -> Cone:
        w = (H_b(u) if average else H(u)) - m * u
        second = MeanOf(Norm(w))
        third = MeanOf(RuleAt("H_b >= 0", "psd", (w,)))
        curvature = Fact("curvature")
        parts: dict[int, Cone] = {
            2: second,
            3: add(third, times(number(2), curvature, second)),
            4: add(
                MeanOf(Norm(H_b(w) if average else H(w))),
                times(number(2), curvature, third),
                times(number(3), curvature, curvature, second),
            ),
        }
        return add(parts[order], Multiple((order - 1) * m**order, unit))

    return (
        Step(
            f"Jensen for E H_b^{order}",
            m**order <= st.raw(order, u, u),
            certificate(average=True),
            "The tangent inequality at the mean curvature, applied to every H_b.",
        ),
        Step(
            f"Jensen for H^{order}",
            m**order <= Inner(u, st.applied(H, order, u)),
            certificate(average=False),
            "The same for H.",
        ),
    )


def bound(order: int) -> Theorem:
    """The theorem for s_k."""
    coefficient, its_cone = COEFFICIENTS[order]
    s = Param(f"s_{order}")
    others = [k for k in COEFFICIENTS if k != order]
    strict = order == 2
    proof = [
        Step(
            "curvature",
            m >= ZERO,
            MeanOf(RuleAt("H_b >= 0", "psd", (u,))),
            "H is positive semidefinite.",
        )
    ]
    for k in COEFFICIENTS:
        averaged, of_mean = jensen(k)
        proof.append(of_mean if k == order else averaged)
    proof += [
        Step(
            "termwise",
            coefficient * st.gap(order, u, u) <= 1,
            add(
                RuleAt("one-step condition", "at", (u,)),
                *(times(COEFFICIENTS[k][1], Fact(f"Jensen for E H_b^{k}")) for k in others),
                times(its_cone, Fact(f"Jensen for H^{order}")),
                Square(1 - eta * m - eta * rho * m**2),
            ),
            "The other moments are at least those of the mean curvature; the rest is a square.",
        ),
        Step(
            "moment bound",
            s**order <= 1 / coefficient,
            times(
                Invert(its_cone),
                add(Fact("termwise"), Multiple(coefficient, Fact(f"s_{order}"))),
            ),
            "u is the top eigenvector of E H_b^k - H^k.",
        ),
    ]
    conclusion = ["moment bound"]
    if order == 2:
        proof.append(
            Step(
                "radius zero is SGD",
                substitute(1 / coefficient, rho, ZERO).equals(1 / eta**2),
                NOTHING,
                "At ρ = 0 this is the bound s ≤ 1/η of Wu, Ma, E 2018.",
            )
        )
        conclusion.append("radius zero is SGD")
    return Theorem(
        id=f"sam-stability-s{order}",
        title=f"The one-step condition bounds s_{order} when η {'>' if strict else '≥'} 2ρ",
        title_says=("one-step condition", "step against radius", "moment bound"),
        statement=(
            said(
                f"Let H_b ⪰ 0, and let the one-step condition hold with η > 0, "
                f"ρ {'≥ 0 and η >' if strict else '> 0 and η ≥'} 2ρ.",
                *("algorithm", "H_b >= 0", "one-step condition", "step > 0", "radius"),
                "step against radius",
            ),
            said(
                f"Then {WORDS[order]} for {POWER[order]} = ⟨u, (E H_b{EXPONENT[order]} - "
                f"H{EXPONENT[order]})u⟩ at a unit vector u.",
                *("u is a unit vector", f"s_{order}", "moment bound"),
            ),
            *AT_ZERO[:strict],
        ),
        source=Source(
            st.SAM_PAPER,
            "linear stability theorem, necessary conditions",
            Attribution.RECONSTRUCTED,
        ),
        kind=Kind.NECESSARY,
        dynamics=st.linearised,
        hypotheses=(
            st.SAMPLES_PSD,
            st.SUFFICIENT,
            st.STEP,
            Condition("radius", rho >= ZERO if strict else rho > ZERO),
            Condition(
                "step against radius",
                eta - 2 * rho > ZERO if strict else eta - 2 * rho >= ZERO,
                "the published statement names no relation of η and ρ",
                implicit=True,
            ),
            Condition("u is a unit vector", norm2(u).equals(1)),
            Condition(
                f"s_{order}",
                (s**order).equals(st.gap(order, u, u)),
                "at a top eigenvector u it is the largest eigenvalue",
            ),
        ),
        divisors=(its_cone, times(step, step)) if strict else (its_cone,),
        proof=tuple(proof),
        conclusion=tuple(conclusion),
        witness=WITNESSES[order],
        quantities=(Quantity("bound", 1 / coefficient, f"upper bound on s_{order}^{order}"),),
        findings=(
            "The condition relating η and ρ is implicit in the published statement.",
            "Dropping the other terms one by one is not valid as it stands, since E H_b³ - H³ and "
            "E H_b⁴ - H⁴ need not be positive semidefinite; the bound holds all the same, by "
            "comparing every moment with that of the mean curvature.",
        ),
    )


THEOREMS = tuple(bound(order) for order in COEFFICIENTS)
