"""Gradient descent on a smooth, strongly convex function contracts to the minimiser."""

from theory import prove
from theory.language import *

x_star = Named("x_star")
gradient_descent = Dynamics(GD, f, x_0)
distance = norm2(x - x_star)
factor = (1 - step_size * mu) ** 2

STATEMENT = Theorem(
    id="gradient-descent",
    title="Gradient descent contracts the distance to the minimiser",
    statement="If f is L-smooth and μ-strongly convex with minimiser x*, and 0 ≤ η ≤ 2/(μ + L), "
    "then |x⁺ - x*|² ≤ (1 - ημ)² |x - x*|², hence |x_t - x*|² ≤ (1 - ημ)^(2t) |x_0 - x*|².",
    source=Source("Taylor, Hendrickx, Glineur 2018", "distance", Attribution.RECONSTRUCTED),
    kind=Kind.UPPER_BOUND,
    hypotheses=(
        smooth_strongly_convex("class", f, mu, L),
        minimiser("minimiser", f, x_star),
        Condition("mu > 0", mu > ZERO),
        Condition("mu < L", mu < L),
        Condition("step >= 0", step_size >= ZERO),
        Condition("step range", step_size <= 2 / (mu + L)),
    ),
    divisors=(), proof=(), conclusion=(), dynamics=gradient_descent,
)  # fmt: skip

one_step = norm2(gradient_descent.step() - x_star) <= factor * distance
found = prove(STATEMENT, "one step", one_step).theorem
THEOREM = with_rate(found, "one step", distance, factor, Square(1 - step_size * mu))
