"""The edge of stability of SAM with the full gradient, unnormalised and normalised."""

from __future__ import annotations

from theory.language import *
from theory.library import _quadratic as qd
from theory.library._quadratic import a, eta, g, known, rho, v, y

AGARWALA = "Agarwala, Dauphin 2023, SAM operates far from home: eigenvalue regularization"
LONG = "Long, Bartlett 2024, Sharpness-aware minimization and the edge of stability"
EIGENVECTOR = qd.eigenvector("eigenvector", v, a)

factor = qd.growth(a)
rate = a * (1 + rho * a) * (eta + rho * (eta * a + edge))

UNNORMALIZED = Theorem(
    id="sam-edge",
    title=(
        "Along an eigenvector full-batch unnormalised SAM has its edge of stability exactly"
        " at ηa = t*"
    ),
    title_says=("eigenvector", "edge", "dynamics", "distance to the edge", "the edge separates"),
    statement=(
        said(
            "On a quadratic, unnormalised SAM with the full gradient multiplies the coordinate "
            "along an eigenvector with eigenvalue a > 0 by R = 1 - ηa(1 + ρa) at every step.",
            *("algorithm", "eigenvector", "step > 0", "radius >= 0", "a > 0", "dynamics"),
        ),
        said(
            "With t* > 0 the root of ρt² + ηt = 2η, R² - 1 = a(1 + ρa)(η + ρ(ηa + t*))(ηa - "
            "t*), where all factors but the last are positive: the coordinate shrinks if ηa < "
            "t*, keeps its size at ηa = t* and grows geometrically beyond.",
            *("edge > 0", "edge", "distance to the edge", "the edge separates", "dynamics"),
        ),
    ),
    source=Source(AGARWALA, "stability of SAM on quadratics", Attribution.RECONSTRUCTED),
    kind=Kind.IDENTITY,
    dynamics=qd.dynamics,
    hypotheses=(
        EIGENVECTOR,
        qd.STEP,
        qd.RADIUS,
        qd.CURVED,
        Condition("edge > 0", edge > ZERO),
        Condition("edge", (rho * edge**2 + eta * edge).equals(2 * eta), "t* = ηa at SAM's edge"),
    ),
    divisors=(),
    proof=(
        *qd.along_eigenvector(a),
        Step(
            "distance to the edge",
            (factor**2 - 1).equals(rate * (eta * a - edge)),
            Multiple(a * (1 + rho * a), Fact("edge")),
            "R² - 1 = ηa(1 + ρa)(ηa(1 + ρa) - 2), and the last factor is zero at ηa = t*.",
        ),
        Step(
            "the edge separates",
            rate > ZERO,
            times(known(a), add(known(1), known(rho * a)), known(eta + rho * (eta * a + edge))),
            "Every factor but ηa - t* is positive.",
        ),
    ),
    conclusion=("dynamics", "distance to the edge", "the edge separates"),
    witness=witness({"step_size": 1, "radius": 1, "a": 2, "edge": 1}, {"v": [1]}, [[[2]]]),
    quantities=(
        Quantity("growth", factor, "R: what a step multiplies the coordinate by"),
        Quantity("edge", edge, "t*: stable if and only if ηa ≤ t*"),
    ),
    findings=(
        "The same boundary is ηa(1 + ρa) = 2; unnormalised SAM on a β-smooth quadratic diverges "
        "as soon as ηβ(1 + ρβ) > 2, as Dai, Ahn, Sra 2023 say.",
    ),
)

edge_sharpness = edge / eta
moved = qd.normalized_step(y, g)
shown = qd.growth(a, rho / g)
rate_at_g = eta**2 * a * (g + rho * a) * (g + rho * (a + edge_sharpness)) / g**2
ascent = qd.NORMALIZED.ascent_scale(rho, g) * H(y)

NORMALIZED = Theorem(
    id="sam-edge-normalized",
    title="Long-Bartlett's SAM edge: where a step of normalised SAM overshoots by exactly 1",
    title_says=("gradient", "edge", "one step", "distance to the edge", "the edge separates"),
    statement=(
        said(
            "At a point y of a quadratic with gradient norm g > 0, normalised SAM with the full"
            " gradient multiplies the coordinate along an eigenvector with eigenvalue a > 0 by "
            "R = 1 - ηa(1 + ρa/g).",
            *("gradient", "gradient_norm > 0", "eigenvector", "step > 0", "radius >= 0", "a > 0"),
            *("ascent length", "one step"),
        ),
        said(
            "Let t* = ηa* > 0 solve ρt² + ηgt = 2ηg, that is ηa*(1 + ρa*/g) = 2, so that 2ρa*/g"
            " + 1 = √(1 + 8ρ/(ηg)).",
            *("edge > 0", "edge", "closed form"),
        ),
        said(
            "Then R² - 1 is a positive number times a - a*: the coordinate overshoots beyond a*"
            " only.",
            *("distance to the edge", "the edge separates"),
        ),
    ),
    source=Source(LONG, "the SAM edge", Attribution.RECONSTRUCTED),
    kind=Kind.IDENTITY,
    hypotheses=(
        EIGENVECTOR,
        qd.STEP,
        qd.RADIUS,
        qd.CURVED,
        qd.MOVING,
        Condition("gradient", (g**2).equals(norm2(H(y))), "the gradient's norm at y"),
        Condition("edge > 0", edge > ZERO),
        Condition(
            "edge",
            (rho * edge**2 + eta * g * edge).equals(2 * eta * g),
            "t* = ηa* at SAM's edge, with ρ/g for ρ",
        ),
    ),
    divisors=(known(g), known(eta), known(eta * g), known(g**2), known(eta**2 * g**2)),
    proof=(
        Step(
            "ascent length",
            norm2(ascent).equals(rho**2),
            Multiple(-((rho / g) ** 2), Fact("gradient")),
            "The perturbation is ρ times a unit vector.",
        ),
        Step(
            "one step",
            Inner(v, moved).equals(shown * Inner(v, y)),
            qd.eigen_step("eigenvector", a, y, rho / g),
            "With the radius ρ/g in the place of ρ.",
        ),
        Step(
            "distance to the edge",
            (shown**2 - 1).equals(rate_at_g * (a - edge_sharpness)),
            Multiple(a * (g + rho * a) / g**2, Fact("edge")),
            "R² - 1 = (1 - R)(-1 - R), and -1 - R is zero at a = a*.",
        ),
        Step(
            "the edge separates",
            rate_at_g > ZERO,
            times(
                known(eta**2 * a),
                add(known(g), known(rho * a)),
                add(
                    known(g),
                    known(rho * (a + edge_sharpness)),
                ),
                Invert(known(g**2)),
            ),
            "Every factor but a - a* is positive.",
        ),
        Step(
            "closed form",
            ((2 * rho * edge_sharpness / g + 1) ** 2).equals(1 + 8 * rho / (eta * g)),
            Multiple(4 * rho / (eta**2 * g**2), Fact("edge")),
            "a* = g/(2ρ) (√(1 + 8ρ/(ηg)) - 1) for ρ > 0.",
        ),
    ),
    conclusion=(
        "ascent length",
        "one step",
        "distance to the edge",
        "the edge separates",
        "closed form",
    ),
    witness=witness(
        {"step_size": 1, "radius": 2, "a": 2, "gradient_norm": 2, "edge": 1},
        {"v": [1], "y": [1]},
        [[[2]]],
    ),
    quantities=(
        Quantity("growth", shown, "R: what a step multiplies the coordinate by"),
        Quantity("edge", edge_sharpness, "a*: the SAM edge"),
    ),
    findings=(
        "As g goes to 0 the edge goes to 0: normalised SAM is locally unstable at every minimum, "
        "which is why it settles into a cycle (sam-two-cycle).",
    ),
)

THEOREMS = (UNNORMALIZED, NORMALIZED)
