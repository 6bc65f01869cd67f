"""What the theorems on convex samples share: smoothness and convexity used together."""

from __future__ import annotations

from theory.language import *

CONVEX_SAMPLES = convex("convex samples", f_b)


def between(u: Vector, v: Vector) -> Cone:
    r"""The interpolation inequality of smooth convex functions, from its two halves.

    $f_b(v) - f_b(u) - \langle\nabla f_b(u), v - u\rangle
    - \frac{1}{2\beta}\|\nabla f_b(v) - \nabla f_b(u)\|^2 \ge 0$, by the descent from v along
    the difference of the gradients and the tangent at u.
    """
    lower = v - 1 / beta * (Gradient(f_b, v) - Gradient(f_b, u))
    return add(
        RuleAt("convex samples", "tangent", (u, lower)),
        RuleAt("smooth samples", "descent", (v, lower)),
    )
