"""Convex components do not make SAM decrease the loss at every radius."""

from __future__ import annotations

from theory.language import *
from theory.library import _pl as pl
from theory.library._pl import G

dynamics = Dynamics(SAM, f, x_0)
h = Gradient(f_b, x + radius * pl.g)

THEOREM = Theorem(
    id="sam-convex-every-radius",
    title="With convex components SAM decreases the loss at every radius",
    title_says=("smooth convex samples", "radius > 0", "one step"),
    statement=(
        said(
            "If every f_b is convex and β-smooth with the same minimiser, where it is 0, and f "
            "satisfies PL-half with μ > 0, one step of SAM with 0 < η ≤ 1/β does not increase E"
            " f, whatever ρ > 0, and its mean direction is one of descent.",
            *("smooth convex samples", "interpolation", "PL", "beta > 0", "mu > 0", "step > 0"),
            *("step range", "radius > 0", "algorithm", "descent direction", "one step"),
        ),
    ),
    source=Source("this toolkit", "a conjecture that small examples suggest", Attribution.DERIVED),
    kind=Kind.UPPER_BOUND,
    dynamics=dynamics,
    hypotheses=(
        smooth_convex("smooth convex samples", f_b, beta),
        pl.INTERPOLATION,
        polyak_lojasiewicz("PL", f, mu, "half"),
        pl.BETA_POSITIVE,
        Condition("mu > 0", mu > ZERO),
        Condition("step > 0", step_size > ZERO),
        Condition("step range", beta * step_size <= 1),
        Condition("radius > 0", radius > ZERO),
    ),
    divisors=(),
    proof=(
        Step(
            "descent direction",
            Mean(Inner(h, G)) >= ZERO,
            UNPROVED,
            "Necessary for a decrease of the convex f at any step size.",
        ),
        Step(
            "one step",
            Mean(Value(f, dynamics.step())) <= Value(f, x),
            UNPROVED,
            "No increase in the mean.",
        ),
    ),
    conclusion=("descent direction", "one step"),
    expected=Status.REFUTED,
    refutation=witness(
        {"step_size": 1, "radius": "1/10", "beta": 1, "mu": "1/10000"},
        {"x": [1, -154]},
        [[[1, 0], [0, 0]], [["1/4", "1/120"], ["1/120", "1/3600"]]],
    ),
    repaired_by="sam-pl-convex",
    findings=(
        "In the instance βρ is 10 times √(μ/β); the repaired theorem allows 2/(1 - √(μ/β)) times.",
        "As f is convex and the mean direction points uphill, E f increases at every step size.",
    ),
)
