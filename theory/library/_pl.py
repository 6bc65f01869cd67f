"""What the convergence theorems under smoothness, interpolation and PL have in common."""

from __future__ import annotations

from theory.language import *

g, G = Gradient(f_b, x), Gradient(f, x)
loss = Value(f, x)

SMOOTH_MEAN = smooth("smooth mean", f, L, "f is L-smooth", ("descent",))
INTERPOLATION = interpolation("interpolation", f_b)
BETA_POSITIVE = Condition("beta > 0", beta > ZERO)
L_POSITIVE = Condition("L > 0", ZERO < L)
STEP = Condition("step >= 0", step_size >= ZERO)
RADIUS = Condition("radius >= 0", radius >= ZERO)
SAMPLES = [[[1, 0], [0, 2]], [[1, 0], [0, 4]]]
KNOWN: dict[Scalar, str] = {
    beta: "beta > 0",
    L: "L > 0",
    step_size: "step >= 0",
    radius: "radius >= 0",
}


def smooth_samples(*rules: str) -> Assumption:
    """Smoothness of every sample's loss."""
    return smooth("smooth samples", f_b, beta, "every f_b is β-smooth", rules)


def constants_ordered(constant: Scalar) -> tuple[Condition, ...]:
    """The order of the constants, which published statements leave unsaid."""
    return (
        Condition("PL <= L", constant <= L, "fails only if f is zero", implicit=True),
        Condition("L <= beta", beta >= L, "f is a mean of β-smooth losses", implicit=True),
    )


def self_bounding() -> tuple[Step, ...]:
    r"""$\|\nabla f_b(x)\|^2 \le 2\beta f_b(x)$, and its mean."""
    lower_point = x - 1 / beta * g
    return (
        Step(
            "self-bounding",
            norm2(g) <= 2 * beta * Value(f_b, x),
            times(
                number(2),
                Fact("beta > 0"),
                add(
                    RuleAt("smooth samples", "descent", (x, lower_point)),
                    RuleAt("interpolation", "nonnegative", (lower_point,)),
                ),
            ),
            "The descent lemma at x - ∇f_b(x)/β, where f_b is still non-negative.",
        ),
        Step(
            "mean self-bounding",
            Mean(norm2(g)) <= 2 * beta * loss,
            MeanOf(Fact("self-bounding")),
            "Average over the samples.",
        ),
    )


def gradient_dominates(constant: Scalar, multiplier: int) -> Step:
    """The PL condition in the form the proofs use; `multiplier` is 2 (half) or 1 (bare)."""
    return Step(
        "gradient dominates",
        2 * constant * loss <= norm2(G),
        times(number(multiplier), RuleAt("PL", "pl", (x,))),
        "The PL condition; this is the one place where its convention enters.",
    )


def at_least_square(larger: Cone, smaller: Cone, difference: Cone) -> Cone:
    """A cone for p² - q² from cones for p, q and p - q."""
    return times(difference, add(larger, smaller))
