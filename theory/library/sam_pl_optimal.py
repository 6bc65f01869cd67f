"""What the descent lemma gives SAM under interpolation and PL: a sine of two angles."""

from __future__ import annotations

from theory.language import *
from theory.library import _angles as angles
from theory.library import _pl as pl
from theory.library import sam_pl_improved as improved
from theory.library import sam_pl_linear as published

q, s = published.q, root
max_radius = s / beta
max_step_size = 2 * mu / (beta * L)
RANGE = Condition("radius range", beta * q**2 <= mu, "βρ ≤ √(μ/β)")
ROOT = Condition("root > 0", s > ZERO)
ROOT_SQUARED = Condition("root squared", mu.equals(s**2 * beta), "θ = √(μ/β)")
on_root = Fact("root squared")

method = angles.Angles(
    spread=beta,
    tilt=q,
    error=published.h - pl.g,
    after=published.after,
    inverse_tilt=Invert(times(Fact("beta > 0"), Fact("radius >= 0"))),
    room_of_tilt=Fact("radius range"),
    room_of_step=times(positive(beta * L, pl.KNOWN), Fact("step range")),
    facts={s: "root > 0"},
)
known, t = method.known, method.t

THEOREM = Theorem(
    id="sam-pl-linear-optimal",
    title="SAM's rate under interpolation and PL is the sine of a difference of two angles",
    title_says=(
        "interpolation",
        "PL",
        "rate",
        "the best factor",
        "sine of the difference",
        "cosine of the first angle",
        "cosine",
    ),
    statement=(
        published.SETTING_IN_WORDS,
        said(
            "Let 0 < μ ≤ L in convention PL-half and θ = √(μ/β).",
            *("PL", "mu > 0", "PL <= L", "root > 0", "root squared"),
        ),
        said(
            "Unnormalised stochastic SAM with the same sample in both gradients, βρ ≤ θ, that "
            "is ρ ≤ √(μ/β)/β, and 0 ≤ η ≤ 2μ/(βL) satisfies E f(x⁺) ≤ (1 - μ/L + (β/L)(w + "
            "βρLη)²) f(x), where w > 0 and βw² = μ(1 - 2Lη) + β(Lη)², and the corresponding "
            "linear rate.",
            *("algorithm", "radius >= 0", "radius range", "the largest radius", "step >= 0"),
            *("step range", "width > 0", "width", "one step", "rate"),
        ),
        said(
            "The best step size is (μ/(βL))(1 - βρκ/φ) ≥ 0, with κ = √(β/μ - 1) and φ = √(1 - "
            "β²ρ²); its factor is 1 - (μ²/(βL))(φ - βρκ)².",
            *("cotangent >= 0", "cotangent", "cosine > 0", "cosine", "the best step size"),
            *("the best width", "the best factor", "the best step size is non-negative"),
        ),
        said(
            "That is 1 - (μ/L)(θφ - θκβρ)² with (θκ)² = 1 - θ²: for the angles arcsin θ, with "
            "cosine θκ, and arcsin βρ, with cosine φ, it is 1 - (μ/L) sin²(arcsin √(μ/β) - "
            "arcsin βρ).",
            *("sine of the difference", "cosine of the first angle", "cosine"),
        ),
    ),
    source=Source("this toolkit", "sharpens " + published.SAM_PAPER, Attribution.DERIVED),
    kind=Kind.UPPER_BOUND,
    dynamics=published.dynamics,
    hypotheses=(
        pl.smooth_samples("lipschitz", "descent"),
        pl.SMOOTH_MEAN,
        pl.INTERPOLATION,
        polyak_lojasiewicz("PL", f, mu, "half"),
        pl.BETA_POSITIVE,
        pl.L_POSITIVE,
        angles.MU,
        pl.STEP,
        Condition("step range", step_size <= max_step_size),
        pl.RADIUS,
        RANGE,
        pl.constants_ordered(mu)[0],
        *angles.SIGNED,
        *method.equations,
        ROOT,
        ROOT_SQUARED,
    ),
    divisors=method.divisors(known(beta)),
    proof=(
        published.PERTURBED_GRADIENT,
        *pl.self_bounding(),
        pl.gradient_dominates(mu, 2),
        published.DESCENT,
        *method.contraction(),
        *method.optimum(),
        Step(
            "the largest radius",
            radius <= max_radius,
            times(Invert(known(beta**2 * (s + q))), add(Fact("radius range"), on_root)),
            "The admissible range, solved for ρ.",
        ),
        *method.sine(s),
    ),
    conclusion=(*angles.CONCLUSION, "the largest radius", *angles.SINE),
    witness=witness(
        {
            **{"beta": 25, "L": 22, "mu": 16, "step_size": "7/550", "radius": "3/125"},
            **{"width": "3/5", "cotangent": "3/4", "cosine": "4/5", "root": "4/5"},
        },
        {},
        [[[16, 0], [0, 16]], [[25, 0], [0, 16]]],
    ),
    quantities=(
        *method.quantities(),
        Quantity("max_radius", max_radius, "largest admissible radius"),
        Quantity("max_step_size", max_step_size, "largest admissible step size"),
    ),
    findings=(
        "The angles: among square integrable directions the gradients of the samples lie within "
        "arccos √(μ/β) of the mean gradient, and SAM's direction within arcsin βρ of them. What "
        "the descent lemma gains is the squared cosine of the sum.",
        "Nearly all that can be had from every sample at its own points (the minimiser, x, its "
        "perturbed point, its next iterate), for μ/β up to 1/2.",
        "The factor is below 1 exactly up to ρ = √(μ/β)/β, where the two angles make a right one. "
        "That is not where contraction stops: with the PL condition at x + ρ∇f(x), too, "
        "performance estimation finds contraction beyond it and much better factors near it. A "
        "proof is open.",
    ),
)

COMPARISON = Theorem(
    id="sam-pl-linear-optimal-comparison",
    title="The rate from two angles is at most the improved and the published one",
    title_says=("at most the improved factor", "at most the published factor"),
    statement=(
        said(
            "Let β, L > 0, θ = √(μ/β), 0 ≤ ρ ≤ θ/β and 0 ≤ η ≤ μ/(βL), as in sam-pl-linear-"
            "improved, and let βw² = μ(1 - 2Lη) + β(Lη)².",
            *("beta > 0", "L > 0", "step >= 0", "step range", "radius >= 0", "radius range"),
            *("width", "root > 0", "root squared"),
        ),
        said(
            "Then the factor of sam-pl-linear-optimal is at most that of sam-pl-linear-"
            "improved, and at most the published one.",
            *("at most the improved factor", "at most the published factor"),
        ),
    ),
    source=Source("this toolkit", "compares with " + published.SAM_PAPER, Attribution.DERIVED),
    kind=Kind.UPPER_BOUND,
    hypotheses=(
        pl.BETA_POSITIVE,
        pl.L_POSITIVE,
        pl.STEP,
        Condition("step range", step_size <= improved.max_step_size),
        pl.RADIUS,
        Condition("radius range", radius <= improved.max_radius),
        method.equations[0],
        ROOT,
        ROOT_SQUARED,
    ),
    divisors=(known(beta), known(L), known(beta * L), known(s), known(beta * s)),
    proof=(
        Step(
            "at most the improved factor",
            method.factor <= improved.factor,
            add(
                times(
                    known(beta * step_size * q),
                    add(
                        times(Invert(known(s)), Square(s - width)),
                        times(known(t), improved.room_radius),
                        times(known(t / (beta * s)), improved.room_step),
                        Multiple((1 - t) / (beta * s), on_root),
                        Multiple(1 / (beta * s), angles.on_width),
                    ),
                ),
                Multiple(1 / L, angles.on_width),
            ),
            "At every step size: w ≤ s - st + t²/(2s) with s = √(μ/β) and t = Lη.",
        ),
        improved.comparison[0],
        Step(
            "at most the published factor",
            method.factor <= published.factor(mu),
            add(Fact("at most the improved factor"), Fact(improved.comparison[0].name)),
            "Both comparisons together.",
        ),
    ),
    conclusion=("at most the improved factor", "at most the published factor"),
    witness=witness(
        {
            **{"beta": 25, "L": 22, "mu": 16, "step_size": "7/550", "radius": "3/125"},
            **{"width": "3/5", "root": "4/5"},
        },
        {},
        [[[16]]],
    ),
    quantities=(
        Quantity("factor", method.factor, "of sam-pl-linear-optimal"),
        Quantity("improved_factor", improved.factor, "of sam-pl-linear-improved"),
        Quantity("published_factor", published.factor(mu), "of sam-pl-linear"),
        Quantity("max_radius", improved.max_radius, "largest radius compared"),
        Quantity("max_step_size", improved.max_step_size, "largest step size compared"),
    ),
)

THEOREMS = (THEOREM, COMPARISON)
