"""SAM can be attracted by a saddle point that gradient descent escapes."""

from __future__ import annotations

from theory.language import *
from theory.library import _quadratic as qd
from theory.library._quadratic import eta, rho, v

c = Param("c")
factor = 1 + eta * c - eta * rho * c**2
factor_of_descent = 1 + eta * c
excess = rho * c - 1
step, curved, turned = Fact("step > 0"), Fact("c > 0"), Fact("the ascent turns back")
room = Fact("no overshoot")

THEOREM = Theorem(
    id="sam-saddle",
    title=("Along a direction of curvature -c linearised SAM is attracted by a saddle once ρc > 1"),
    title_says=("eigenvector", "the ascent turns back", "no overshoot", "dynamics", "attraction"),
    statement=(
        said(
            "Let v be an eigenvector of the Hessian at a critical point with eigenvalue -c < 0:"
            " the linearised unnormalised SAM with the full gradient multiplies the coordinate "
            "along v by 1 + ηc - ηρc² at every step.",
            *("algorithm", "eigenvector", "c > 0", "step > 0", "dynamics", "factor"),
        ),
        said(
            "If ρc > 1 and ηc(ρc - 1) < 2, it shrinks: the direction of descent attracts, "
            "although gradient descent leaves it with the factor 1 + ηc, whose square is above "
            "1.",
            *("the ascent turns back", "no overshoot", "attraction", "gradient descent escapes"),
        ),
    ),
    source=Source(
        "Kim, Park, Choi, Lee 2023; Compagnoni et al. 2023",
        "attraction by saddle points, linearised",
        Attribution.RECONSTRUCTED,
    ),
    kind=Kind.SUFFICIENT,
    dynamics=qd.dynamics,
    hypotheses=(
        qd.eigenvector("eigenvector", v, -c),
        qd.STEP,
        Condition("c > 0", c > ZERO),
        Condition("the ascent turns back", scalar(1) < rho * c, "the ascent crosses the saddle"),
        Condition("no overshoot", eta * c * excess < 2),
    ),
    divisors=(),
    proof=(
        *qd.along_eigenvector(-c),
        Step(
            "factor",
            qd.growth(-c).equals(factor),
            add(),
            "Insert the eigenvalue -c.",
        ),
        Step(
            "attraction",
            factor**2 < scalar(1),
            times(step, curved, turned, room),
            "1 - R² = (1 - R)(1 + R) with 1 - R = ηc(ρc - 1).",
        ),
        Step(
            "gradient descent escapes",
            scalar(1) < factor_of_descent**2,
            times(step, curved, add(number(2), times(step, curved))),
            "(1 + ηc)² > 1.",
        ),
    ),
    conclusion=("dynamics", "factor", "attraction", "gradient descent escapes"),
    witness=witness({"step_size": "1/2", "radius": 2, "c": 1}, {"v": [0, 1]}, [[[1, 0], [0, -1]]]),
    quantities=(
        Quantity("growth", factor, "what a step multiplies the coordinate by"),
        Quantity("growth_of_descent", factor_of_descent, "the same for gradient descent"),
    ),
    findings=(
        "The threshold ρc > 1 is exact: at ρc = 1 the factor is 1, below it exceeds 1.",
        "It is where the ascent from x overshoots the saddle: x + ρHx changes sign along v.",
    ),
)
