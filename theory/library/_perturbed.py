"""Gradients taken at another point: any displacement of length at most ρ, of every sample its own.

The language has no free vector fields, so two sampled functions stand for them: the displacement
of the sample b at u is the gradient of one, the direction of the step is the gradient of the other.
No rule uses that these fields are gradients, so the theorems hold for any fields.
"""

from __future__ import annotations

from theory.language import *
from theory.library import _pl as pl

displacement, moved = Function("d", sampled=True), Function("p")
moved_b = Function("p", sampled=True)

dynamics = Dynamics(SGD, moved, x_0)
after = dynamics.step()
e, h = Gradient(displacement, x), Gradient(moved_b, x)
y = x + e

LENGTH = Assumption(
    "length",
    "no displacement is longer than ρ",
    "definition of the algorithm",
    (Rule("at", (u,), norm2(Gradient(displacement, u)) <= radius**2),),
)
DIRECTION = Assumption(
    "direction",
    "the step goes along the gradient of f_b at the displaced point",
    "definition of the algorithm",
    (
        Rule(
            "at",
            (u, v),
            Inner(Gradient(moved_b, u), v).equals(
                Inner(Gradient(f_b, u + Gradient(displacement, u)), v)
            ),
        ),
    ),
)
ALGORITHM = said(
    "At every u let every sample have a displacement ∇d_b(u), any vector of length at most ρ, and "
    "let ∇p_b(u) = ∇f_b(u + ∇d_b(u)); the step is x⁺ = x - η∇p_b(x).",
    *("algorithm", "length", "direction"),
)
EXAMPLES = unchecked(
    "So d_b and p_b stand for vector fields, which need not be gradients: normalised SAM "
    "(∇d_b = ρ∇f_b/|∇f_b|), ascent on other samples or on a part of the batch, random and "
    "adversarial perturbations, the randomness being part of b."
)

known = signs(pl.KNOWN | {mu: "mu > 0"})


def along(vector: Vector) -> Cone:
    r"""Zero: $\langle \nabla f_b(y) - \nabla p_b(x), w\rangle$ for a vector w."""
    return RuleAt(DIRECTION.name, "at", (x, vector))


#: For witnesses: two samples in the plane, and a constant displacement for each, not above 1/2.
SAMPLES = [[[1, 0], [0, 2]], [[1, 1], [1, 3]]]
FIELDS = {
    "d": [
        quadratic([[0, 0], [0, 0]], ["3/10", "2/5"]),
        quadratic([[0, 0], [0, 0]], ["-1/3", "1/4"]),
    ],
    "p": [
        quadratic(SAMPLES[0], ["3/10", "4/5"]),
        quadratic(SAMPLES[1], ["-1/12", "5/12"]),
    ],
}
