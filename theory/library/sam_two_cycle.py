"""Normalised SAM's 2-cycle on quadratics: amplitude, stability, and what does not converge."""

from __future__ import annotations

from theory.language import *
from theory.library import _quadratic as qd
from theory.library._quadratic import a, c, eta, g, known, rho, u, v, y

BARTLETT = (
    "Bartlett, Long, Bousquet 2023, The dynamics of sharpness-aware minimization: bouncing across "
    "ravines and drifting towards wide minima"
)
SI = "Si, Yun 2023, Practical sharpness-aware minimization cannot converge all the way to optima"
EIGENVECTOR = qd.eigenvector("eigenvector", v, a)
UNIT = Condition("v is a unit vector", norm2(v).equals(1))

amplitude = eta * rho * a / (2 - eta * a)
size = times(known(eta), Fact("radius > 0"), known(a), Invert(known(2 - eta * a)))
start = c * v
after = qd.normalized_step(start, c * a)
back = qd.normalized_step(scalar(-1) * start, c * a)

CYCLE = Theorem(
    id="sam-two-cycle",
    title="Normalised SAM's 2-cycle along an eigenvector has amplitude ηρa/(2 - ηa)",
    title_says=("eigenvector", "cycle"),
    statement=(
        said(
            "Let v be a unit eigenvector of H with eigenvalue a > 0 and 0 < ηa < 2.",
            *("eigenvector", "v is a unit vector", "a > 0", "step > 0", "step below 2/a"),
        ),
        said(
            "From cv, c > 0, normalised SAM with the full gradient and ρ > 0 moves to -cv + (2 "
            "- ηa)(c - c*)v with c* = ηρa/(2 - ηa), and symmetrically from -cv.",
            *("radius > 0", "c > 0", "gradient norm", "next point", "symmetry"),
        ),
        said(
            "So c*v, -c*v is a 2-cycle, and no other cv is sent to its mirror image.",
            *("cycle", "symmetry", "next point"),
        ),
    ),
    source=Source(BARTLETT, "the cycle on a convex quadratic", Attribution.RECONSTRUCTED),
    kind=Kind.IDENTITY,
    hypotheses=(
        EIGENVECTOR,
        UNIT,
        qd.STEP,
        qd.RADIUS_POSITIVE,
        qd.CURVED,
        Condition("c > 0", c > ZERO),
        qd.BELOW_GD,
    ),
    divisors=(times(Fact("c > 0"), known(a)), known(2 - eta * a), times(size, known(a))),
    proof=(
        Step(
            "gradient norm",
            norm2(H(start)).equals((c * a) ** 2),
            add(
                Multiple(c**2, RuleAt("eigenvector", "eigen", (H(v),))),
                Multiple(c**2 * a, RuleAt("eigenvector", "eigen", (v,))),
                Multiple((c * a) ** 2, Fact("v is a unit vector")),
            ),
            "The gradient at cv is cav: the ascent step of the next lines is normalised.",
        ),
        Step(
            "next point",
            Inner(u, after).equals(((2 - eta * a) * (c - amplitude) - c) * Inner(u, v)),
            Multiple(c, qd.eigen_step("eigenvector", a, u, rho / (c * a))),
            "A step from cv, tested with an arbitrary vector u.",
        ),
        Step(
            "symmetry",
            Inner(u, back).equals(-Inner(u, after)),
            NOTHING,
            "The step is odd.",
        ),
        Step(
            "cycle",
            Inner(u, substitute(after, c, amplitude)).equals(-amplitude * Inner(u, v)),
            Multiple(amplitude, qd.eigen_step("eigenvector", a, u, rho / (amplitude * a))),
            "At c = c* the step goes to the mirror image.",
        ),
    ),
    conclusion=("gradient norm", "next point", "symmetry", "cycle"),
    witness=witness({"step_size": 1, "radius": 1, "a": 1, "c": 3}, {"v": [1]}, [[[1]]]),
    quantities=(Quantity("amplitude", amplitude, "c*: distance of the cycle from the minimum"),),
)

w, b = Named("w"), Param("b")
scale = rho / (amplitude * a)
linearised: Vector = qd.FULL_BATCH.step(w, eta, scale, H)
factor = 1 - eta * b - (2 - eta * a) * b**2 / a**2
flatter, curved = Fact("b < a"), Fact("b > 0")
gain = times(curved, add(known(eta), times(known(2 - eta * a), curved, Invert(known(a**2)))))
room = times(flatter, add(known(2 * a), times(known(2 - eta * a), curved)), Invert(known(a**2)))

STABILITY = Theorem(
    id="sam-two-cycle-stability",
    title=(
        "The linearisation at the 2-cycle contracts, along v and along each flatter eigenvector"
    ),
    title_says=("contraction along v", "b < a", "linearised step", "contraction across"),
    statement=(
        said(
            "Let c* = ηρa/(2 - ηa) be the amplitude of the cycle along the unit eigenvector v "
            "with eigenvalue a > 0, 0 < ηa < 2, ρ > 0.",
            *("eigenvector", "v is a unit vector", "a > 0", "step > 0", "step below 2/a"),
            "radius > 0",
        ),
        said(
            "Along v a deviation c - c*, c > 0, becomes -(1 - ηa)(c - c*) at the mirror image, "
            "and (1 - ηa)² < 1.",
            *("c > 0", "deviation along v", "contraction along v"),
        ),
        said(
            "Let w be an eigenvector orthogonal to v with eigenvalue b, 0 < b < a: then |H(cv +"
            " w)|² = (ca)² + |Hw|², so that the gradient's norm is stationary to first order.",
            *("other eigenvector", "w is orthogonal to v", "b > 0", "b < a"),
            "the norm is stationary",
        ),
        said(
            "The step with the ascent factor ρ/(c*a), which is linear, multiplies w by F = 1 - "
            "ηb - (2 - ηa)b²/a², with 1 + F = (a - b)(2a + (2 - ηa)b)/a² and F² < 1.",
            *("linearised step", "who is flatter", "contraction across"),
        ),
        unchecked(
            "So where H ≻ 0 and a is a simple largest eigenvalue, the cycle is locally "
            "asymptotically stable: this step is the derivative of the true one across v."
        ),
    ),
    source=Source(BARTLETT, "convergence to the cycle; local part", Attribution.DERIVED),
    kind=Kind.IDENTITY,
    hypotheses=(
        EIGENVECTOR,
        UNIT,
        qd.eigenvector("other eigenvector", w, b),
        Condition("w is orthogonal to v", Inner(v, w).equals(0)),
        qd.STEP,
        qd.RADIUS_POSITIVE,
        qd.CURVED,
        qd.BELOW_GD,
        Condition("c > 0", c > ZERO),
        Condition("b > 0", b > ZERO),
        Condition("b < a", b < a),
    ),
    divisors=(
        times(Fact("c > 0"), known(a)),
        known(2 - eta * a),
        times(size, known(a)),
        known(a**2),
    ),
    proof=(
        Step(
            "deviation along v",
            Inner(u, after).equals(-(amplitude - (1 - eta * a) * (c - amplitude)) * Inner(u, v)),
            Multiple(c, qd.eigen_step("eigenvector", a, u, rho / (c * a))),
            "From cv to the mirror image of c* - (1 - ηa)(c - c*).",
        ),
        Step(
            "contraction along v",
            (1 - eta * a) ** 2 < scalar(1),
            known(eta * a * (2 - eta * a)),
            "1 - (1 - ηa)² = ηa(2 - ηa).",
        ),
        Step(
            "the norm is stationary",
            norm2(H(start + w)).equals((c * a) ** 2 + norm2(H(w))),
            add(
                Multiple(c**2, RuleAt("eigenvector", "eigen", (H(v),))),
                Multiple(c**2 * a, RuleAt("eigenvector", "eigen", (v,))),
                Multiple((c * a) ** 2, Fact("v is a unit vector")),
                Multiple(2 * c, RuleAt("eigenvector", "eigen", (H(w),))),
                Multiple(2 * c * a, RuleAt("eigenvector", "eigen", (w,))),
                Multiple(2 * c * a**2, Fact("w is orthogonal to v")),
            ),
            "No term of first order in w: the ascent factor is ρ/(c*a) to first order.",
        ),
        Step(
            "linearised step",
            Inner(u, linearised).equals(factor * Inner(u, w)),
            qd.eigen_step("other eigenvector", b, u, scale),
            "ρ/(c*a) = (2 - ηa)/(ηa²).",
        ),
        Step(
            "who is flatter",
            (1 + factor).equals((a - b) * (2 * a + (2 - eta * a) * b) / a**2),
            NOTHING,
            "The sign of a - b decides.",
        ),
        Step(
            "contraction across",
            factor**2 < scalar(1),
            times(gain, room),
            "(1 - F)(1 + F) > 0.",
        ),
    ),
    conclusion=(
        "deviation along v",
        "contraction along v",
        "the norm is stationary",
        "linearised step",
        "who is flatter",
        "contraction across",
    ),
    witness=witness(
        {"step_size": "1/2", "radius": 1, "a": 2, "b": 1, "c": 1},
        {"v": [1, 0], "w": [0, 1]},
        [[[2, 0], [0, 1]]],
    ),
    quantities=(
        Quantity("amplitude", amplitude, "c*: distance of the cycle from the minimum"),
        Quantity("growth_across", factor, "F: what a step multiplies a deviation along w by"),
    ),
    findings=(
        "The identity for 1 + F does not use b < a: for b > a it says F < -1, so cycles along "
        "other eigenvectors than the top one are unstable.",
        "F does not depend on ρ: how fast the iterates align with the top eigenvector is set by "
        "η and the ratio of the curvatures alone.",
        "That every trajectory from a generic start ends in this cycle is the published theorem; "
        "here the multipliers of its linearisation are proved, and the global part is only "
        "simulated.",
    ),
)

g_next = Param("next_gradient_norm")
one = qd.normalized_step(y, g)
two = qd.normalized_step(one, g_next)

CONVERGENCE = Theorem(
    id="sam-normalized-converges",
    title="Normalised SAM with a constant radius converges on strongly convex quadratics",
    title_says=("strongly convex", "bounded", "not revisited"),
    statement=(
        unchecked(
            "The claim: if μ|u|² ≤ ⟨u, Hu⟩ and |Hu| ≤ β|u| with μ > 0 and η ≤ 1/β, then "
            "normalised SAM with the full gradient and a constant radius comes to the minimum 0"
            " from everywhere."
        ),
        unchecked("Then no other point could be revisited after two steps."),
        said(
            "So y⁺⁺ ≠ y for every y ≠ 0 where neither gradient is 0; this is what is refuted.",
            *("strongly convex", "bounded", "mu > 0", "step > 0", "step range", "radius > 0"),
            *("away from the minimum", "gradient", "gradient_norm > 0", "next gradient"),
            *("next_gradient_norm > 0", "not revisited"),
        ),
    ),
    source=Source(SI, "constant radius, constant step size", Attribution.RECONSTRUCTED),
    kind=Kind.UPPER_BOUND,
    hypotheses=(
        qd.bounded_below(mu),
        qd.bounded(beta),
        Condition("mu > 0", mu > ZERO),
        qd.STEP,
        Condition("step range", eta * beta <= 1),
        qd.RADIUS_POSITIVE,
        Condition("away from the minimum", norm2(y) > ZERO),
        Condition("gradient", (g**2).equals(norm2(H(y))), "the gradient's norm at y"),
        qd.MOVING,
        Condition("next gradient", (g_next**2).equals(norm2(H(one))), "the same at y⁺"),
        Condition("next_gradient_norm > 0", g_next > ZERO),
    ),
    divisors=(known(g), Fact("next_gradient_norm > 0")),
    proof=(
        Step(
            "not revisited",
            norm2(two - y) > ZERO,
            UNPROVED,
            "False: on f(y) = y²/2 with η = 1/2 and ρ = 3 the step goes from 1 to -1 and back.",
        ),
    ),
    conclusion=("not revisited",),
    refutation=witness(
        {
            "mu": 1,
            "beta": 1,
            "step_size": "1/2",
            "radius": 3,
            "gradient_norm": 1,
            "next_gradient_norm": 1,
        },
        {"y": [1]},
        [[[1]]],
    ),
    repaired_by="sam-two-cycle",
    expected=Status.REFUTED,
    findings=(
        "The cycle exists for every ρ > 0 and every 0 < η < 2/a, so no tuning of constants "
        "helps; the neighbourhood is of order ηρ (sam-normalized-bounded).",
    ),
)

THEOREMS = (CYCLE, STABILITY, CONVERGENCE)
