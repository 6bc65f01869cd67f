"""Below the radius 1/β unnormalised SAM stops only where every sample's gradient vanishes."""

from __future__ import annotations

from theory.language import *
from theory.library import _pl as pl
from theory.library._pl import g

q = beta * radius
h = Gradient(f_b, x + radius * g)
share = 1 - q
rest = Fact("radius range")
known = signs(pl.KNOWN)

THEOREM = Theorem(
    id="sam-no-trap",
    title="Below the radius 1/β a sample's gradient vanishes wherever its perturbed one does",
    title_says=("radius range", "smooth samples", "the perturbed gradient"),
    statement=(
        said(
            "Let every f_b be β-smooth and 0 ≤ βρ < 1.",
            *("smooth samples", "beta > 0", "radius >= 0", "radius range"),
        ),
        said(
            "Then |∇f_b(x + ρ∇f_b(x))| ≥ (1 - βρ)|∇f_b(x)| for every sample.",
            "the perturbed gradient",
        ),
        unchecked(
            "So where no step of unnormalised SAM moves, on any sample, every ∇f_b is 0: under "
            "interpolation and PL that is a minimiser."
        ),
    ),
    source=Source(
        "Park, Jang, Ryu, Yang 2025, SAM can hallucinate minimizers",
        "the converse for unnormalised SAM, below 1/β",
        Attribution.DERIVED,
    ),
    kind=Kind.NECESSARY,
    hypotheses=(
        pl.smooth_samples("lipschitz"),
        pl.BETA_POSITIVE,
        pl.RADIUS,
        Condition("radius range", q < 1),
    ),
    divisors=(),
    proof=(
        Step(
            "the change of the gradient",
            norm2(h - g) <= q**2 * norm2(g),
            RuleAt("smooth samples", "lipschitz", (x, x + radius * g)),
            "The gradient is β-Lipschitz.",
        ),
        Step(
            "the perturbed gradient",
            share**2 * norm2(g) <= norm2(h),
            ZeroOrPositive(
                "radius >= 0",
                zero=NOTHING,
                positive=add(
                    times(rest, Invert(known(q)), Fact("the change of the gradient")),
                    times(Invert(known(q)), Norm(h - share * g)),
                ),
            ),
            "One square: |h - (1 - βρ)g|².",
        ),
    ),
    conclusion=("the perturbed gradient",),
    witness=witness(
        {"beta": 4, "radius": "1/5"},
        {},
        [[[1, 0], [0, -2]], [[1, 1], [1, 3]]],
    ),
    quantities=(Quantity("share", share, "what is left of the gradient's norm, at least"),),
    findings=(
        "It fails beyond 1/β: at μ = 1, β = 20, βρ = 4/3 there are interpolating samples with mean "
        "x²/2 on which SAM goes to a point that minimises nothing, at every step size up to 15/8.",
    ),
)
