r"""Interpolating functions on which SAM goes to a point that minimises nothing: exact.

The mean of two functions on a line is $\tfrac\mu2 v^2$; both are $\beta$-smooth, never negative and
zero at the origin.  Both have slope $\mu v$ plus or minus a piecewise linear function that has
plateaus at the iterate 1 and at the points where its two samples look from there.  On these
plateaus each sample's perturbed slope is $\mu$ times the distance of that point from where it is
zero, so that from a neighbourhood of 1 every step, whichever sample is drawn, is
$x^+ - 1 = (1 - \eta s)(x - 1)$ for one $s > 0$: SAM converges to 1, surely, at every step size
below $2/s$, while SGD goes to the common minimiser 0.

Unnormalised SAM has no such point with $\beta\rho < 1$ (`sam-no-trap`).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from numerics.worst_case.split import Profile, Split

__all__ = ["Trap", "normalized_trap", "unnormalized_trap"]


@dataclass(frozen=True)
class Trap:
    r"""Two components on which SAM stays near 1.

    Attributes:
        split: the components, their constants and $\rho$.
        normalized: whether the perturbation has length $\rho$, or $\rho$ times the slope.
        reach: how far from 1 every step is the linear contraction.
    """

    split: Split
    normalized: bool
    reach: Fraction

    def perturbed(self, component: Profile, v: Fraction) -> Fraction:
        """The derivative where SAM looks from a point, a plateau of the slope's sign."""
        slope = component.slope(v)
        if self.normalized:
            sign = (slope > 0) - (slope < 0)
            return component.slope(v + self.split.radius * sign)
        return component.slope(v + self.split.radius * slope)

    @property
    def contraction(self) -> Fraction:
        r"""s: a step of either sample multiplies the distance from 1 by $1 - \eta s$."""
        mu = self.split.mu
        return mu if self.normalized else mu * (1 + self.split.radius * mu)

    def flaw(self) -> str:
        """Why this is no trap, in exact arithmetic; empty if it is one."""
        if found := self.split.flaw():
            return found
        if not 0 < self.reach < 1:
            return "it attracts from nowhere"
        ends = (1 - self.reach, Fraction(1), 1 + self.reach)
        for component in self.split.components:
            if component.slope(Fraction(1)) == 0:
                return "a component is stationary at 1"
            if any(self.perturbed(component, v) != self.contraction * (v - 1) for v in ends):
                return "a perturbed derivative is not the contraction"
            if not self._is_linear(component):
                return "a knot lies where the iterates or their perturbed points come"
        return ""

    def _is_linear(self, component: Profile) -> bool:
        """Whether both slopes that a step uses are affine within the reach of 1."""
        low, high = 1 - self.reach, 1 + self.reach
        seen = [component.slope(v) for v in (low, high)]
        if seen[0] * seen[1] <= 0:
            return False
        if self.normalized:
            shift = self.split.radius if seen[0] > 0 else -self.split.radius
            there = (low + shift, high + shift)
        else:
            first, second = (
                v + self.split.radius * s for v, s in zip((low, high), seen, strict=True)
            )
            there = (min(first, second), max(first, second))
        intervals = ((low, high), there)
        return not any(a < knot < b for knot in component.knots for a, b in intervals)


def unnormalized_trap() -> Trap:
    r"""$\mu = 1$, $\beta = 20$, $\rho = 1/15$, $\beta\rho = 4/3$: catches every $\eta < 15/8$."""
    marks = [
        (Fraction(14, 15), Fraction(14, 15)),
        (Fraction(1), Fraction(2)),
        (Fraction(6, 5), Fraction(-6, 5)),
    ]
    return _trap(Fraction(1, 15), marks, Fraction(1, 200), Fraction(1, 250), normalized=False)


def normalized_trap() -> Trap:
    r"""$\mu = 1$, $\beta = 20$, $\rho = 1/8$: every step size $\eta < 2$ is caught."""
    radius = Fraction(1, 8)
    marks = [
        (1 - radius, 1 - radius),
        (Fraction(1), Fraction(33, 32)),
        (1 + radius, -1 - radius),
    ]
    return _trap(radius, marks, Fraction(1, 250), Fraction(1, 300), normalized=True)


def _trap(
    radius: Fraction,
    marks: list[tuple[Fraction, Fraction]],
    half_width: Fraction,
    reach: Fraction,
    *,
    normalized: bool,
) -> Trap:
    """The pair whose slopes differ from the mean's by plateaus of the given places and heights."""
    mu, beta = Fraction(1), Fraction(20)
    steepest = beta - mu
    (first, rise), (last, fall) = marks[0], marks[-1]
    corners = [(Fraction(0), Fraction(0)), (first - half_width - abs(rise) / steepest, Fraction(0))]
    for place, height in marks:
        corners += [(place - half_width, height), (place + half_width, height)]
    corners.append((last + half_width + abs(fall) / steepest, Fraction(0)))
    bends = [
        (after - before) / (right - left) for (left, before), (right, after) in pairwise(corners)
    ]
    bends.append(Fraction(0))
    knots = tuple(place for place, _ in corners)
    up, down = (Profile(knots, tuple(mu + sign * bend for bend in bends)) for sign in (1, -1))
    return Trap(Split(mu, beta, radius, (up, down)), normalized, reach)
