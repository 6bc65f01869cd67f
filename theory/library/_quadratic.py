"""The full gradient on a quadratic: what happens along an eigenvector of H."""

from __future__ import annotations

from theory.language import *

FULL_BATCH = SamSpec("full-batch SAM", stochastic=False)
NORMALIZED = SamSpec("normalised full-batch SAM", stochastic=False, normalized=True, epsilon=0)

a, c, g = Param("a"), Param("c"), Param("gradient_norm")
u, v, y = Named("u"), Named("v"), Named("y")
eta, rho = step_size, radius
dynamics = Dynamics(FULL_BATCH, H, x_0)

STEP = Condition("step > 0", eta > ZERO)
RADIUS = Condition("radius >= 0", rho >= ZERO)
RADIUS_POSITIVE = Condition("radius > 0", rho > ZERO)
CURVED = Condition("a > 0", a > ZERO)
MOVING = Condition("gradient_norm > 0", g > ZERO)
#: Normalised SAM's step size below GD's limit: the cycle's amplitude is then finite.
BELOW_GD = Condition("step below 2/a", 2 - eta * a > ZERO)

known = signs(
    {eta: "step > 0", rho: "radius >= 0", a: "a > 0", g: "gradient_norm > 0"}
    | {edge: "edge > 0", 2 - eta * a: "step below 2/a"}
)


def eigenvector(name: str, vector: Vector, value: Scalar) -> Assumption:
    """A vector is an eigenvector of H with a given eigenvalue."""
    relation = Inner(u, H(vector)).equals(value * Inner(u, vector))
    return Assumption(
        name,
        "an eigenvector of H, with its eigenvalue",
        "definition",
        (Rule("eigen", (u,), relation),),
    )


def bounded(constant: Scalar) -> Assumption:
    r"""The operator norm: $\|Hu\| \le \beta\|u\|$."""
    relation = norm2(H(u)) <= constant**2 * norm2(u)
    return Assumption(
        "bounded",
        "no eigenvalue of H exceeds β in size",
        "definition",
        (Rule("norm", (u,), relation),),
    )


def bounded_below(constant: Scalar) -> Assumption:
    r"""The smallest eigenvalue: $\mu\|u\|^2 \le \langle u, Hu\rangle$."""
    relation = constant * norm2(u) <= Inner(u, H(u))
    return Assumption(
        "strongly convex",
        "no eigenvalue of H is below μ",
        "definition",
        (Rule("rayleigh", (u,), relation),),
    )


def normalized_step(point: Vector, gradient_norm: Scalar) -> Vector:
    """One step of normalised SAM from a point whose gradient has a given norm."""
    result: Vector = NORMALIZED.step(point, eta, rho, H, norm=lambda _: gradient_norm)
    return result


def growth(value: Scalar, scale: Scalar = rho) -> Scalar:
    r"""$1 - \eta a(1 + s a)$: what a step with ascent factor s multiplies the coordinate by."""
    return 1 - eta * value * (1 + scale * value)


def eigen_step(assumption: str, value: Scalar, at: Vector, scale: Scalar = rho) -> Cone:
    r"""Zero: $(1 - \eta a(1 + s a))\langle w, v\rangle - \langle w, v - \eta H(v + s H v)\rangle$.

    Args:
        assumption: the name of the hypothesis that v is an eigenvector.
        value: its eigenvalue a.
        at: the vector w.
        scale: the ascent factor s.
    """
    return add(
        Multiple(-eta * (1 + scale * value), RuleAt(assumption, "eigen", (at,))),
        Multiple(-eta * scale, RuleAt(assumption, "eigen", (H(at),))),
    )


def along_eigenvector(value: Scalar) -> tuple[Step, Step]:
    r"""$\langle v, x_t\rangle^2 = R^{2t}\langle v, x_0\rangle^2$ for the eigenvector v."""
    coordinate, factor = Inner(v, x), growth(value)
    after = substitute(coordinate, x, dynamics.step())
    square = coordinate**2
    same = AlongOf(Multiple(factor * coordinate + after, Fact("one step")), NOW)
    return (
        Step(
            "one step",
            after.equals(factor * coordinate),
            eigen_step("eigenvector", value, x),
            "H is symmetric, so v is also a left eigenvector.",
        ),
        Step(
            "dynamics",
            Along(square, NOW).equals((factor**2) ** NOW * substitute(square, x, x_0)),
            Induction(
                base=minus(Start(square)),
                step=add(Multiple(factor**2, Fact("induction")), same, minus(Tower(square, NOW))),
            ),
            "Induction on t.",
        ),
    )
