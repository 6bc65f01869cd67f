"""Convex samples, and gradients at any point within ρ: a neighbourhood without condition number."""

from __future__ import annotations

from theory.language import *
from theory.library import _perturbed as perturbed
from theory.library import _pl as pl
from theory.library import sam_distance as distance
from theory.library._perturbed import after, e, h, known

x_star, y = distance.x_star, perturbed.y
far, own_loss = distance.distance, distance.own_loss
noise = step_size * beta * radius**2
#: What 1 - ηβ and 1 - ημ are not below.
ROOM = Condition("step range", beta * step_size <= 1)
CLASS = smooth_convex("smooth convex samples", f_b, beta)
SETTING: tuple[Hypothesis, ...] = (
    CLASS,
    distance.MINIMISER,
    distance.VALUE,
    perturbed.LENGTH,
    perturbed.DIRECTION,
    pl.BETA_POSITIVE,
    pl.STEP,
    ROOM,
)
IN_WORDS = said(
    "Let every f_b be convex and β-smooth, and let x* minimise every f_b, with value 0.",
    *("smooth convex samples", "common minimiser", "value 0", "beta > 0"),
)


def interpolated(first: Vector, second: Vector) -> Cone:
    """The smooth convex interpolation inequality of f_b between two points."""
    return RuleAt(CLASS.name, "interpolation", (first, second))


def towards(at: Vector, displaced: Vector) -> Cone:
    r"""$\langle h, y - x_*\rangle - f_b(x) - \langle h, y - x\rangle \ge$ squares, y displaced.

    From y to x* and from x to y: $\langle h, x - x_*\rangle - f_b(x) - \frac1{2\beta}|h|^2 -
    \frac1{2\beta}|h - g|^2 + \langle h - g, y - x\rangle \ge 0$, g and h the gradients of f_b at x
    and at y.

    Args:
        at: x.
        displaced: y.
    """
    at_minimum, there = Gradient(f_b, x_star), Gradient(f_b, displaced)
    return add(
        interpolated(displaced, x_star),
        interpolated(at, displaced),
        Multiple(
            1 / (2 * beta),
            RuleAt(distance.MINIMISER.name, "critical", (2 * there - at_minimum,)),
        ),
        Fact("value 0"),
    )


there = Gradient(f_b, y)
k = there - pl.g
#: <∇f_b(y) - ∇p_b(x), w> at the w with which the step with the one becomes the step with the other.
same_step = perturbed.along(2 * step_size * (x - x_star) - step_size**2 * (h + there))
one_sample = Step(
    "one sample",
    norm2(after - x_star) <= far - 2 * step_size * own_loss + noise,
    add(
        times(number(2), known(step_size), towards(x, y)),
        minus(same_step),
        times(known(step_size / beta), Fact("step range"), Norm(there)),
        times(known(step_size / beta), Norm(k - beta * e)),
        times(known(step_size * beta), RuleAt(perturbed.LENGTH.name, "at", (x,))),
    ),
    "f_b between x, the displaced point and x*, and two squares.",
)
WITNESS = witness(
    {"beta": 4, "mu": "1/2", "step_size": "1/5", "radius": "1/2"},
    {"x_star": [0, 0]},
    perturbed.SAMPLES,
    functions=perturbed.FIELDS,
)

DISTANCE = Theorem(
    id="sam-any-perturbation-convex",
    title="Convex samples pull towards a common minimiser wherever within ρ they are looked at",
    title_says=("smooth convex samples", "common minimiser", "length", "one step"),
    statement=(
        IN_WORDS,
        perturbed.ALGORITHM,
        perturbed.EXAMPLES,
        said(
            "Then E|x⁺ - x*|² ≤ |x - x*|² - 2ηf(x) + ηβρ² for every 0 ≤ η ≤ 1/β.",
            *("step >= 0", "step range", "one step"),
        ),
        unchecked(
            "Summed over t, the mean of E f(x_t) over t < T is at most |x_0 - x*|²/(2ηT) + βρ²/2."
        ),
    ),
    source=distance.SOURCE,
    kind=Kind.UPPER_BOUND,
    dynamics=perturbed.dynamics,
    hypotheses=SETTING,
    divisors=(known(beta), known(2 * beta)),
    proof=(
        one_sample,
        Step(
            "one step",
            Mean(norm2(after - x_star)) <= far - 2 * step_size * pl.loss + noise,
            MeanOf(Fact("one sample")),
            "Average over the samples.",
        ),
    ),
    conclusion=("one step",),
    witness=WITNESS,
    quantities=(Quantity("noise", noise, "what the perturbation adds in one step"),),
    findings=(
        "The neighbourhood in loss, βρ²/2, knows no condition number; without convexity it has "
        "one (sam-any-perturbation-pl).",
    ),
)

floor = beta * radius**2 / mu
factor = 1 - step_size * mu
LINEAR = with_rate(
    Theorem(
        id="sam-any-perturbation-linear",
        title="The distance contracts by 1 - ημ up to (β/μ)ρ² whatever the perturbations are",
        title_says=("smooth convex samples", "quadratic growth", "length", "rate"),
        statement=(
            IN_WORDS,
            said(
                "Let f(u) ≥ (μ/2)|u - x*|² with 0 < μ ≤ β.",
                *("quadratic growth", "mu > 0", "mu <= beta"),
            ),
            perturbed.ALGORITHM,
            perturbed.EXAMPLES,
            said(
                "Then E|x⁺ - x*|² - N ≤ (1 - ημ)(|x - x*|² - N) for every 0 ≤ η ≤ 1/β, with N = "
                "(β/μ)ρ².",
                *("step >= 0", "step range", "one step"),
            ),
            said("Hence E|x_t - x*|² - N ≤ (1 - ημ)^t (|x_0 - x*|² - N).", "rate"),
        ),
        source=distance.SOURCE,
        kind=Kind.UPPER_BOUND,
        dynamics=perturbed.dynamics,
        hypotheses=(*SETTING, *distance.GROWS),
        divisors=(known(beta), known(2 * beta), known(mu)),
        proof=(
            one_sample,
            Step(
                "one step",
                Mean(norm2(after - x_star) - floor) <= factor * (far - floor),
                add(
                    MeanOf(Fact("one sample")),
                    times(known(2 * step_size), RuleAt("quadratic growth", "growth", (x,))),
                ),
                "Average over the samples; the loss grows with the distance.",
            ),
            Step(
                "the factor is non-negative",
                factor >= ZERO,
                add(times(known(step_size), Fact("mu <= beta")), Fact("step range")),
                "μ ≤ β ≤ 1/η.",
            ),
        ),
        conclusion=("one step",),
        witness=WITNESS,
        quantities=(
            Quantity("factor", factor, "one-step contraction of the excess"),
            Quantity("floor", floor, "N: what remains of the squared distance"),
        ),
    ),
    "one step",
    far - floor,
    factor,
    Fact("the factor is non-negative"),
)

c_b = Function("c", sampled=True)
z = Named("z")
e_z, g_z = Gradient(Function("d", sampled=True), z), Gradient(f_b, z)
y_z = z + e_z
h_z = Gradient(f_b, y_z)
k_z = h_z - g_z
below_two = 2 - step_size * beta
noise_along = noise / below_two
TWO = add(number(1), Fact("step range"))
parallel = Value(c_b, z)

ALONG = Theorem(
    id="sam-normalized-convex",
    title="On convex samples a step of normalised SAM adds ηβρ²/(2 - ηβ) at most",
    title_says=("smooth convex samples", "common minimiser", "uphill", "one step"),
    statement=(
        IN_WORDS,
        said(
            "At a point z let every sample have a displacement ∇d_b(z) with |∇d_b(z)| ≤ ρ along "
            "which its own gradient points: ∇f_b(z) = c_b(z)∇d_b(z) with c_b(z) ≥ 0.",
            *("length", "uphill", "same direction"),
        ),
        said(
            "Then z⁺ = z - η∇f_b(z + ∇d_b(z)) satisfies E|z⁺ - x*|² ≤ |z - x*|² - 2ηf(z) + "
            "ηβρ²/(2 - ηβ) for every 0 ≤ η ≤ 1/β.",
            *("step >= 0", "step range", "one step"),
        ),
        unchecked(
            "Normalised SAM is the case c_b = |∇f_b|/ρ; with a safeguard ε it is c_b = (|∇f_b| + "
            "ε)/ρ, and where the gradient is 0 the displacement may be any."
        ),
        unchecked(
            "Summed over t, the mean of E f(x_t) over t < T is at most |x_0 - x*|²/(2ηT) + "
            "βρ²/(2(2 - ηβ)); with quadratic growth μ the squared distance contracts by 1 - ημ up "
            "to (β/μ)ρ²/(2 - ηβ)."
        ),
    ),
    source=distance.SOURCE,
    kind=Kind.UPPER_BOUND,
    hypotheses=(
        CLASS,
        distance.MINIMISER,
        distance.VALUE,
        Condition("length", norm2(e_z) <= radius**2, "no displacement is longer than ρ"),
        Assumption(
            "uphill",
            "the gradient of f_b at z is a multiple of the displacement",
            "definition of the algorithm",
            (Rule("at", (u,), Inner(g_z, u).equals(parallel * Inner(e_z, u))),),
        ),
        Condition("same direction", parallel >= ZERO, "the multiple is not negative"),
        pl.BETA_POSITIVE,
        pl.STEP,
        ROOM,
    ),
    divisors=(known(beta), known(2 * beta), TWO),
    proof=(
        Step(
            "monotone",
            Inner(g_z, k_z) >= ZERO,
            add(
                times(
                    Fact("same direction"),
                    add(
                        interpolated(z, y_z),
                        interpolated(y_z, z),
                        times(Invert(known(beta)), Norm(k_z)),
                    ),
                ),
                minus(RuleAt("uphill", "at", (k_z,))),
            ),
            "The gradient of a convex function does not fall along the displacement.",
        ),
        Step(
            "one sample",
            norm2(z - step_size * h_z - x_star)
            <= norm2(z - x_star) - 2 * step_size * Value(f_b, z) + noise_along,
            add(
                times(number(2), known(step_size), towards(z, y_z)),
                times(
                    known(step_size / beta),
                    add(
                        times(
                            Fact("step range"),
                            add(Norm(g_z), times(number(2), Fact("monotone"))),
                        ),
                        times(TWO, Norm(k_z - beta / below_two * e_z)),
                    ),
                ),
                times(known(step_size * beta), Invert(TWO), Fact("length")),
            ),
            "As with any displacement, but |h|² is at least |h - g|².",
        ),
        Step(
            "one step",
            Mean(norm2(z - step_size * h_z - x_star))
            <= norm2(z - x_star) - 2 * step_size * Value(f, z) + noise_along,
            MeanOf(Fact("one sample")),
            "Average over the samples.",
        ),
    ),
    conclusion=("one step",),
    witness=witness(
        {"beta": 4, "step_size": "1/5", "radius": "1/2"},
        {"z": [1, "1/2"], "x_star": [0, 0]},
        perturbed.SAMPLES,
        functions={
            # gradients (1, 1) and (3/2, 5/2) at z
            "d": [
                quadratic([[1, 0], [0, 1]], ["-7/10", "-1/5"]),
                quadratic([[0, 0], [0, 0]], ["6/25", "2/5"]),
            ],
            "c": [
                quadratic([[2, 0], [0, 0]], [0, 0], "7/3"),
                quadratic([[1, 0], [0, 0]], [0, 0], "23/4"),
            ],
        },
    ),
    quantities=(Quantity("noise", noise_along, "what the perturbation adds in one step"),),
)

THEOREMS = (DISTANCE, LINEAR, ALONG)
