r"""A rate from two angles: a sample's gradient against the mean one, SAM's direction against it.

Let the step move by $\eta'$ along $g + e$ with $\|e\| \le \sigma\|g\|$, where $g$ has mean $G$,
$E\|g\|^2 \le 2 c f$ and $\|G\|^2 \ge 2\mu f$.  Among square integrable directions $g$ lies within
$\arccos\sqrt{\mu/c}$ of $G$, and $g + e$ within $\arcsin\sigma$ of $g$.  So the descent lemma
gains at best $\frac{\mu}{L}\sin^2(\arcsin\sqrt{\mu/c} - \arcsin\sigma)\,f$, and for any step, with
$t = L\eta'$ and the width $w$ given by $c w^2 = \mu(1 - 2t) + c t^2$, the factor is
$1 - \mu/L + \frac{c}{L}(w + \sigma t)^2$.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from theory.language import *
from theory.library import _pl as pl

ONE = Const(Fraction(1))
MU = Condition("mu > 0", mu > ZERO)
WIDTH = Condition("width > 0", width > ZERO)
COSINE = Condition("cosine > 0", cosine > ZERO)
COTANGENT = Condition("cotangent >= 0", cotangent >= ZERO)
SIGNED = (WIDTH, COTANGENT, COSINE)
SIGNS: dict[Scalar, str] = pl.KNOWN | {
    mu: "mu > 0",
    width: "width > 0",
    cosine: "cosine > 0",
    cotangent: "cotangent >= 0",
}
CONCLUSION = (
    "one step",
    "rate",
    "the best step size",
    "the best width",
    "the best factor",
    "the best step size is non-negative",
)
#: The steps that say of the smallest factor that it has the sine of a difference of two angles.
SINE = ("sine of the difference", "cosine of the first angle")
on_width, on_cotangent, on_cosine = Fact("width"), Fact("cotangent"), Fact("cosine")


@dataclass(frozen=True)
class Angles:
    r"""What the proof needs to know of a method.

    Attributes:
        spread: $c$; the fact `mean self-bounding` says $E\|g\|^2 \le 2 c f$.
        tilt: $\sigma$; the fact `cosine` says $\text{cosine}^2 = 1 - \sigma^2$.
        error: $e$; the fact `perturbed gradient` says $\|e\|^2 \le \sigma^2\|g\|^2$.
        after: the next iterate; the fact `descent` is the descent lemma for it.
        inverse_tilt: a cone for $1/\sigma$ when the radius is positive.
        room_of_tilt: a cone for $\mu - c\sigma^2$.
        room_of_step: a cone for $2\mu - c L \eta'$.
        scale: $\eta'/\eta$.
        facts: the signs of further parameters.
    """

    spread: Scalar
    tilt: Scalar
    error: Vector
    after: Vector
    inverse_tilt: Cone
    room_of_tilt: Cone
    room_of_step: Cone
    scale: Scalar = ONE
    facts: dict[Scalar, str] = field(default_factory=dict)

    def known(self, tree: Scalar | int) -> Cone:
        """A cone for a scalar whose sign shows."""
        return positive(tree, SIGNS | self.facts)

    @property
    def stride(self) -> Scalar:
        r"""$\eta'$."""
        return step_size if self.scale == ONE else self.scale * step_size

    @property
    def t(self) -> Scalar:
        r"""$L\eta'$."""
        return L * self.stride

    @property
    def equations(self) -> tuple[Condition, Condition, Condition]:
        """What the width, the cotangent and the cosine are."""
        c, t = self.spread, self.t
        return (
            Condition("width", (c * width**2).equals(mu * (1 - 2 * t) + c * t**2)),
            Condition(
                "cotangent",
                (mu * cotangent**2).equals(c - mu),
                "of the angle whose squared sine is μ/s, where μκ² = s - μ",
            ),
            Condition("cosine", (cosine**2).equals(1 - self.tilt**2), "of the tilt"),
        )

    def divisors(self, spread: Cone) -> tuple[Cone, ...]:
        """What the factor, the best step and their proofs divide by; a cone for the spread."""
        others = tuple(self.known(divisor) for divisor in (L, mu, width, cosine, cosine**2))
        return (spread, times(spread, self.known(L)), *others)

    @property
    def factor(self) -> Scalar:
        """The one-step contraction factor."""
        return 1 - mu / L + self.spread / L * (width + self.tilt * self.t) ** 2

    @property
    def best_step_size(self) -> Scalar:
        """The step size with the smallest factor."""
        best = mu / (self.spread * L) * (1 - self.tilt * cotangent / cosine)
        return best if self.scale == ONE else best / self.scale

    @property
    def best_factor(self) -> Scalar:
        """The smallest factor."""
        return 1 - mu**2 / (self.spread * L) * (cosine - self.tilt * cotangent) ** 2

    def at_best(self, tree: Scalar) -> Scalar:
        """An expression at the best step size and its width."""
        best_width = mu / self.spread * cotangent / cosine
        return substitute(substitute(tree, width, best_width), step_size, self.best_step_size)

    def bounds(self, on_gradient: Cone, on_self_bounding: Cone) -> Cone:
        r"""A cone for $a(\|G\|^2 - 2\mu f) + b(2 c f - E\|g\|^2)$ from cones for a and b."""
        return add(
            times(on_gradient, Fact("gradient dominates")),
            times(on_self_bounding, Fact("mean self-bounding")),
        )

    def contraction(self) -> tuple[Step, ...]:
        """The one-step contraction and the rate."""
        return (
            self._turn(),
            self._one_step(),
            Step(
                "the factor is non-negative",
                self.factor >= ZERO,
                times(
                    Invert(self.known(L)),
                    add(
                        Fact("PL <= L"),
                        times(self.known(self.spread), Square(width + self.tilt * self.t)),
                    ),
                ),
                "μ ≤ L.",
            ),
            Step(
                "rate",
                Along(pl.loss, Time()) <= self.factor ** Time() * Value(f, x_0),
                geometric_decay(pl.loss, Fact("the factor is non-negative"), "one step"),
                "Induction on t by the tower rule.",
            ),
        )

    def _turn(self) -> Step:
        r"""$c\sigma w \le \mu$, since $\sigma^2 \le \mu/c$ and $w^2 \le \mu/c$."""
        c, sigma, known = self.spread, self.tilt, self.known
        return Step(
            "the turn is small",
            c * sigma * width <= mu,
            times(
                Invert(known(mu + c * sigma * width)),
                add(
                    times(known(mu), self.room_of_tilt),
                    times(known(c * sigma**2 * self.t), self.room_of_step),
                    Multiple(c * sigma**2, on_width),
                ),
            ),
            "Both the tilt and the width are at most √(μ/s).",
        )

    def _one_step(self) -> Step:
        c, sigma, t, known = self.spread, self.tilt, self.t, self.known
        weight = times(known(self.stride * width / 2), self.inverse_tilt)
        on_gradient = times(
            known(self.stride / (2 * width)),
            add(
                known(width + c / mu * sigma * t**2),
                times(known(width / mu), Fact("the turn is small")),
                Multiple(-sigma / mu, on_width),
            ),
        )
        on_self_bounding = known(
            L / 2 * self.stride**2 * (1 + sigma**2)
            + self.stride * sigma / 2 * width
            + L**2 * self.stride**3 * sigma / (2 * width)
        )
        turned = self.error + sigma / width * (pl.G - t * pl.g)
        return Step(
            "one step",
            Mean(Value(f, self.after)) <= self.factor * pl.loss,
            ZeroOrPositive(
                "radius >= 0",
                zero=add(
                    MeanOf(Fact("descent")),
                    self.bounds(known(self.stride), known(L / 2 * self.stride**2)),
                    Multiple(-1 / L * pl.loss, on_width),
                ),
                positive=add(
                    MeanOf(Fact("descent")),
                    times(
                        add(weight, known(L / 2 * self.stride**2)),
                        MeanOf(Fact("perturbed gradient")),
                    ),
                    self.bounds(on_gradient, on_self_bounding),
                    times(weight, MeanOf(Norm(turned))),
                    Multiple(-(1 / L + self.stride * sigma / width) * pl.loss, on_width),
                ),
            ),
            "One square for both angles; the weight makes it vanish in the worst case.",
        )

    def optimum(self) -> tuple[Step, ...]:
        """The best step size, its factor and its sign."""
        c, sigma, t, known = self.spread, self.tilt, self.t, self.known
        share, kappa = mu / c, cotangent
        lowest = share * (sigma + kappa * cosine)
        chord = sigma * (share - t) + cosine * share * kappa  # at most the width
        off = cosine * (share - t) - sigma * share * kappa  # zero for the best step
        unit = sigma**2 + cosine**2
        attained = self.at_best(self.equations[0].relation.left).equals(
            self.at_best(self.equations[0].relation.right)
        )
        return (
            Step(
                "the best step size",
                self.best_factor <= self.factor,
                times(
                    known(c / L),
                    add(
                        times(
                            known(width + sigma * t + lowest),
                            Invert(known(2 * width)),
                            add(
                                Square(width - chord),
                                Square(off),
                                Multiple(width**2, on_cosine),
                                Multiple(-unit / c, on_width),
                                Multiple(unit * share / c, on_cotangent),
                            ),
                        ),
                        Multiple(-(share**2) * (1 + kappa**2), on_cosine),
                        Multiple(-share / c, on_cotangent),
                    ),
                ),
                "The width is at least its chord (Cauchy-Schwarz), with equality at one step size.",
            ),
            Step(
                "the best width",
                attained,
                add(
                    Multiple(share, on_cotangent),
                    Multiple(-mu * share * kappa**2 / cosine**2, on_cosine),
                ),
                "The equation of the width holds at the best step size and its width.",
            ),
            Step(
                "the best factor",
                self.at_best(self.factor).equals(self.best_factor),
                add(
                    Multiple(
                        -c
                        / L
                        * share**2
                        * (
                            2 * (sigma + kappa * cosine) * kappa / cosine
                            + (1 - unit) * kappa**2 / cosine**2
                            - (1 + kappa**2)
                        ),
                        on_cosine,
                    ),
                    Multiple(share / L, on_cotangent),
                ),
                "Insert the best step size.",
            ),
            self.tilt_is_small(),
            Step(
                "the best step size is non-negative",
                self.best_step_size >= ZERO,
                times(
                    known(share / L),
                    Invert(known(self.scale * cosine)),
                    Fact("the tilt is small"),
                ),
                "The tilt is the smaller angle.",
            ),
        )

    def tilt_is_small(self) -> Step:
        """The tilt is at most the angle with sine √(μ/c)."""
        return Step(
            "the tilt is small",
            self.tilt * cotangent <= cosine,
            times(
                Invert(self.known(cosine + self.tilt * cotangent)),
                add(
                    times(Invert(self.known(mu)), self.room_of_tilt),
                    Multiple(self.tilt**2 / mu, on_cotangent),
                    minus(on_cosine),
                ),
            ),
            "The tilt is at most √(μ/s), in terms of tangents.",
        )

    def sine(self, s: Scalar) -> tuple[Step, Step]:
        """The smallest factor by the sine of a difference, from `root squared`, μ = s²c."""
        cosine_of_first = s * cotangent
        difference = s * cosine - cosine_of_first * self.tilt
        off = (cosine - self.tilt * cotangent) ** 2
        return (
            Step(
                SINE[0],
                self.best_factor.equals(1 - mu / L * difference**2),
                Multiple(-mu / (self.spread * L) * off, Fact("root squared")),
                "sin(θ - φ) = sin θ cos φ - cos θ sin φ with sin θ = s and sin φ the tilt.",
            ),
            Step(
                SINE[1],
                (cosine_of_first**2).equals(1 - s**2),
                add(
                    Multiple(1 / self.spread, on_cotangent),
                    Multiple(-(1 + cotangent**2) / self.spread, Fact("root squared")),
                ),
                "cos θ = √(1 - s²).",
            ),
        )

    def quantities(self) -> tuple[Quantity, ...]:
        """The expressions that every theorem of this kind has."""
        return (
            Quantity("factor", self.factor, "one-step contraction of the expected loss"),
            Quantity("best_step_size", self.best_step_size, "step size with the smallest factor"),
            Quantity("best_factor", self.best_factor, "the smallest factor"),
        )
