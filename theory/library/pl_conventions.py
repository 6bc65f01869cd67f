"""The two conventions of the PL condition say the same, with α = 2μ."""

from __future__ import annotations

from theory.language import *
from theory.library import _pl as pl

squared = norm2(Gradient(f, x))

FROM_HALF = Theorem(
    id="pl-half-to-bare",
    title="PL-half with μ is PL-bare with α = 2μ",
    title_says=("PL", "PL-bare"),
    statement=(said("If ½|∇f|² ≥ μ f everywhere, then |∇f|² ≥ 2μ f everywhere.", "PL", "PL-bare"),),
    source=Source("definition of both conventions", "", Attribution.DERIVED),
    kind=Kind.IDENTITY,
    hypotheses=(polyak_lojasiewicz("PL", f, mu, "half"),),
    divisors=(),
    proof=(
        Step(
            "PL-bare",
            2 * mu * Value(f, x) <= squared,
            times(number(2), RuleAt("PL", "pl", (x,))),
            "Multiply by 2.",
        ),
    ),
    conclusion=("PL-bare",),
    witness=witness({"mu": 1}, {}, pl.SAMPLES),
)

FROM_BARE = Theorem(
    id="pl-bare-to-half",
    title="PL-bare with α is PL-half with μ = α/2",
    title_says=("PL", "PL-half"),
    statement=(
        said("If |∇f|² ≥ α f everywhere, then ½|∇f|² ≥ (α/2) f everywhere.", "PL", "PL-half"),
    ),
    source=Source("definition of both conventions", "", Attribution.DERIVED),
    kind=Kind.IDENTITY,
    hypotheses=(polyak_lojasiewicz("PL", f, alpha, "bare"),),
    divisors=(),
    proof=(
        Step(
            "PL-half",
            alpha / 2 * Value(f, x) <= squared / 2,
            times(number(Fraction(1, 2)), RuleAt("PL", "pl", (x,))),
            "Divide by 2.",
        ),
    ),
    conclusion=("PL-half",),
    witness=witness({"alpha": 2}, {}, pl.SAMPLES),
)

THEOREMS = (FROM_HALF, FROM_BARE)
