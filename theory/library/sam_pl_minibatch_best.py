"""Mini-batch SAM at its best step: the batch narrows the angle to the mean gradient exactly."""

from __future__ import annotations

from dataclasses import dataclass

from theory.language import *
from theory.library import _angles as angles
from theory.library import _minibatch as batch
from theory.library import _pl as pl
from theory.library import sam_pl_linear as published
from theory.library import sgd_pl_minibatch as sgd

q, spread = published.q, sgd.spread
share, kappa = mu / spread, cotangent
best_width = share * kappa / cosine
on_best_width, on_step = Fact("best width"), Fact("step size")
SIGNS: dict[Scalar, str] = {p: "p > 0", 1 - p: "p <= 1"}


@dataclass(frozen=True)
class Batch(angles.Angles):
    """The noise of a batch is bounded by the loss and, for 1 - p of it, by the mean gradient."""

    def bounds(self, on_gradient: Cone, on_self_bounding: Cone) -> Cone:
        """The batch law takes the mean gradient up; `enough gradient` says that enough is left."""
        left = times(self.known(step_size / (2 * width)), Fact("enough gradient"))
        return add(
            times(left, Fact("gradient dominates")),
            times(on_self_bounding, RuleAt("batch law", "noise", (x,))),
        )

    def enough_gradient(self) -> Step:
        r"""The descent uses more of $\|G\|^2$ than the noise takes up, at the best step.

        There, with $r = \text{cosine} - \sigma\kappa$, the difference is a sum of products of
        positive numbers; the equations move it to the parameters $w$ and $t$.
        """
        known, sigma, t, d = self.known, q, self.t, 1 - p
        best_t = L * self.best_step_size
        r = Fact("the tilt is small")
        gap = times(Invert(known(spread)), add(known(mu * kappa**2), angles.on_cotangent))  # 1 - S
        one = add(known(kappa * cosine), times(known(kappa), r), times(known(sigma), r, r))
        all_but_one = add(
            times(known(kappa), r, add(times(number(2), gap), known(share * cosine**2))),
            times(known(sigma * kappa**2), gap),
            times(known(share * sigma * kappa**2), r, r),
        )
        on_cosine = share * d * (cosine * share * kappa + sigma * (share - 1)) + sigma * (1 - share)
        on_cotangent = sigma * (
            share * d * (kappa**2 * sigma**2 + 1 - sigma**2 - 2 * cosine * kappa * sigma)
            + (sigma**2 - 1)
        )
        by_width = 2 - d * (t * (1 + sigma**2) + sigma * (width + best_width))
        by_step = 2 * sigma - d * (best_width * (1 + sigma**2) + sigma * (t + best_t))
        taken = t * width * (1 + sigma**2) + sigma * width**2 + sigma * t**2
        return Step(
            "enough gradient",
            d * taken <= 2 * width - sigma * (1 - 2 * t),
            add(
                times(
                    Invert(known(cosine**2)),
                    add(
                        times(known(share * p), one),
                        times(known(share * d), all_but_one),
                        Multiple(on_cosine, angles.on_cosine),
                        Multiple(on_cotangent / spread, angles.on_cotangent),
                    ),
                ),
                Multiple(-by_width, on_best_width),
                Multiple(-by_step * L, on_step),
            ),
            "It is so for one sample and for the full batch, and linear in p between them.",
        )


method = Batch(
    spread=spread,
    tilt=q,
    error=published.h - pl.g,
    after=published.after,
    inverse_tilt=Invert(times(Fact("beta > 0"), Fact("radius >= 0"))),
    room_of_tilt=Fact("radius range"),
    room_of_step=add(
        positive(mu + mu * q * kappa / cosine, angles.SIGNS | SIGNS),
        Multiple(spread * L, on_step),
    ),
    facts=SIGNS,
)
known, factor, best_factor = method.known, method.factor, method.best_factor
on_equation, on_cotangent, on_cosine = method.equations
moved = width + q * method.t + best_width + q * L * method.best_step_size
#: best_factor - factor, which is zero
to_best = add(
    Fact("the best factor"),
    Multiple(spread / L * moved, on_best_width),
    Multiple(spread * q * moved, on_step),
)
attained = {step.name: step for step in method.optimum()}

THEOREM = Theorem(
    id="sam-pl-minibatch-best-step",
    title="Mini-batch SAM under interpolation and PL at its best step size",
    title_says=("batch law", "step size", "rate"),
    statement=(
        batch.SETTING_IN_WORDS,
        batch.SAMPLING,
        said(
            "Let every f_b be β-smooth, 0 < p ≤ 1, μ ≤ L, s = pβ + (1 - p)μ, κ = √(s/μ - 1) and"
            " φ = √(1 - β²ρ²) > 0.",
            *("smooth samples", "p > 0", "p <= 1", "PL <= L", "cotangent >= 0", "cotangent"),
            *("cosine > 0", "cosine"),
        ),
        said(
            "Unnormalised SAM with the same batch in both gradients, sβ²ρ² ≤ μ, κ > 0 and step "
            "size (μ/(sL))(1 - βρκ/φ) satisfies E f(x⁺) ≤ (1 - (μ²/(sL))(φ - βρκ)²) f(x) and "
            "the corresponding linear rate.",
            *("algorithm", "radius >= 0", "radius range", "width > 0", "best width", "step size"),
            *("one step, best step size", "rate"),
        ),
        unchecked("The factor is 1 - (μ/L) sin²(arcsin √(μ/s) - arcsin βρ)."),
    ),
    source=Source("this toolkit", "batches for sam-pl-linear-optimal", Attribution.DERIVED),
    kind=Kind.UPPER_BOUND,
    dynamics=published.dynamics,
    hypotheses=(
        pl.smooth_samples("lipschitz"),
        batch.BATCH_LAW,
        pl.SMOOTH_MEAN,
        polyak_lojasiewicz("PL", f, mu, "half"),
        pl.BETA_POSITIVE,
        pl.L_POSITIVE,
        angles.MU,
        pl.RADIUS,
        Condition("radius range", spread * q**2 <= mu, "βρ ≤ √(μ/s)"),
        Condition("p > 0", p > ZERO),
        batch.SHARE_AT_MOST_1,
        pl.constants_ordered(mu)[0],
        *angles.SIGNED,
        on_cotangent,
        on_cosine,
        Condition("best width", width.equals(best_width)),
        Condition("step size", step_size.equals(method.best_step_size)),
    ),
    divisors=method.divisors(known(spread)),
    proof=(
        published.PERTURBED_GRADIENT,
        method.tilt_is_small(),
        Step(
            pl.STEP.name,
            pl.STEP.relation,
            add(
                times(known(share / L), Invert(known(cosine)), Fact("the tilt is small")),
                minus(on_step),
            ),
            "The tilt is the smaller angle.",
        ),
        attained["the best width"],
        attained["the best factor"],
        Step(
            on_equation.name,
            on_equation.relation,
            add(
                Fact("the best width"),
                Multiple(-L * (spread * (method.t + L * method.best_step_size) - 2 * mu), on_step),
                Multiple(spread * (width + best_width), on_best_width),
            ),
            "The equation holds at the best step and its width.",
        ),
        pl.gradient_dominates(mu, 2),
        published.DESCENT,
        method.enough_gradient(),
        *method.contraction()[:-1],
        Step(
            "one step, best step size",
            Mean(Value(f, method.after)) <= best_factor * pl.loss,
            add(Fact("one step"), Multiple(pl.loss, to_best)),
            "Insert the step size.",
        ),
        Step(
            "rate",
            Along(pl.loss, Time()) <= best_factor ** Time() * Value(f, x_0),
            geometric_decay(
                pl.loss,
                add(Fact("the factor is non-negative"), to_best),
                "one step, best step size",
            ),
            "Induction on t by the tower rule.",
        ),
    ),
    conclusion=("one step, best step size", "rate"),
    witness=witness(
        {
            **{"beta": 34, "L": 22, "mu": 16, "step_size": "7/550", "radius": "3/170"},
            **{"p": "1/2", "width": "3/5", "cotangent": "3/4", "cosine": "4/5"},
        },
        {},
        [[[16, 0], [0, 16]], [[25, 0], [0, 16]]],
    ),
    quantities=(
        Quantity("factor", best_factor, "one-step contraction of the expected loss"),
        Quantity("step_size", method.best_step_size, "the step size of the theorem"),
    ),
    findings=(
        "At p = 1 this is the best step of sam-pl-linear-optimal, at ρ = 0 that of "
        "sgd-pl-minibatch; towards p = 0 the factor tends to that of a full batch, "
        "1 - (μ/L)(1 - β²ρ²).",
    ),
)
