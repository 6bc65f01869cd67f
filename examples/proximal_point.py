"""The proximal point method: y minimises f + |. - x|²/(2η), so that x = y + η ∇f(y)."""

from theory import prove
from theory.language import *

y, x_star = Named("y"), Named("x_star")
x = y + step_size * Gradient(f, y)  # y, the new iterate, is any point; ∇f(y) may be a subgradient
before, after = norm2(x - x_star), norm2(y - x_star)
SOURCE = Source("Rockafellar 1976", "Monotone operators; one step", Attribution.RECONSTRUCTED)
STEP = Condition("step >= 0", step_size >= ZERO)

CONVEX = Theorem(
    id="proximal-point",
    title="A proximal point step on a convex function",
    statement="f convex, η ≥ 0, x* any point: |y - x*|² ≤ |x - x*|² - 2η (f(y) - f(x*)).",
    source=SOURCE, kind=Kind.UPPER_BOUND, hypotheses=(convex("class", f), STEP),
    divisors=(), proof=(), conclusion=(),
)  # fmt: skip
STRONG = Theorem(
    id="proximal-point-strong",
    title="A proximal point step on a strongly convex function contracts",
    statement="f μ-strongly convex with minimiser x*, μ, η ≥ 0: |y - x*|² ≤ |x - x*|² / (1 + ημ)².",
    source=SOURCE, kind=Kind.UPPER_BOUND,
    hypotheses=(
        strongly_convex("class", f, mu), minimiser("minimiser", f, x_star), STEP,
        Condition("mu >= 0", mu >= ZERO),
    ),
    divisors=(), proof=(), conclusion=(),
)  # fmt: skip
descent = after <= before - 2 * step_size * (Value(f, y) - Value(f, x_star))
contraction = after <= before / (1 + step_size * mu) ** 2
THEOREMS = tuple(
    prove(statement, "one step", claim).theorem
    for statement, claim in ((CONVEX, descent), (STRONG, contraction))
)
