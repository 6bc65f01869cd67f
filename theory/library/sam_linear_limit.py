"""On quadratic samples SAM moves only where some sample curves, at every radius."""

from __future__ import annotations

from theory.language import *
from theory.library import _stability as st
from theory.library._stability import u

v = Named("v")
coordinate = Inner(v, x)
after = Inner(v, st.linearised.step())

THEOREM = Theorem(
    id="sam-linear-limit",
    title="On linear models SAM's limit does not depend on the radius: flat directions are kept",
    title_says=("flat", "every time"),
    statement=(
        said(
            "Let v be flat for every sample, H_b v = 0, as every v orthogonal to the features of "
            "a linear model is.",
            "flat",
        ),
        said(
            "Then unnormalised stochastic SAM keeps ⟨v, x⟩ at every step, whatever sample is "
            "drawn and whatever η and ρ are: ⟨v, x⁺⟩ = ⟨v, x⟩ and E⟨v, x_t⟩² = ⟨v, x_0⟩².",
            *("algorithm", "one step", "every time"),
        ),
        unchecked(
            "So wherever SGD and SAM converge to an interpolating minimum of a linear model, they "
            "converge to the same one, the nearest to x_0."
        ),
    ),
    source=Source("this toolkit", "the limit of SAM on least squares", Attribution.DERIVED),
    kind=Kind.IDENTITY,
    dynamics=st.linearised,
    hypotheses=(
        Assumption(
            "flat",
            "v is in the kernel of every H_b",
            "definition",
            (Rule("kernel", (u,), Inner(u, H_b(v)).equals(0)),),
        ),
    ),
    divisors=(),
    proof=(
        Step(
            "one step",
            after.equals(coordinate),
            add(
                Multiple(-st.eta, RuleAt("flat", "kernel", (x,))),
                Multiple(-st.eta * st.rho, RuleAt("flat", "kernel", (H_b(x),))),
            ),
            "H_b is symmetric, so v is orthogonal to its range.",
        ),
        Step(
            "every time",
            Along(coordinate**2, NOW).equals(substitute(coordinate**2, x, x_0)),
            Induction(
                base=minus(Start(coordinate**2)),
                step=add(
                    Fact("induction"),
                    AlongOf(MeanOf(Multiple(coordinate + after, Fact("one step"))), NOW),
                    minus(Tower(coordinate**2, NOW)),
                ),
            ),
            "Induction on t.",
        ),
    ),
    conclusion=("one step", "every time"),
    witness=witness(
        {"step_size": "2/3", "radius": "1/2"},
        {"v": [3, -4], "x_0": [1, 2]},
        [[[16, 12], [12, 9]], [["16/5", "12/5"], ["12/5", "9/5"]]],
    ),
)
