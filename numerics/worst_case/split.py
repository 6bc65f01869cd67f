r"""Two functions on a line whose mean no step of SAM decreases: explicit, checked exactly.

The mean of $f_1$ and $f_2$ is $\tfrac\mu2 v^2$, PL and as smooth as can be; both are
$\beta$-smooth, never negative, and zero at the origin.  They pull the iterate $x = 1$ to opposite
sides, and each perturbed gradient is taken where it has turned against the mean one.  If
$$ \tfrac12\bigl(f_1'(1 + \rho f_1'(1)) + f_2'(1 + \rho f_2'(1))\bigr) \le 0, $$
then no step size decreases the expected loss: the mean is convex, so Jensen's inequality puts
$E f(x^+)$ above $f$ at the mean iterate, which has moved away from the minimiser.

Linear programming proposes the curvature of $f_1$ on a grid, for a given slope at 1; what it
proposes is rounded to rational numbers and checked in exact arithmetic.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

__all__ = ["Profile", "Split", "find_split", "smallest_split", "three_piece_split"]

Floats = NDArray[np.float64]
DIGITS = 10**6  # denominator of the curvatures
SLOPES, REFINEMENTS = 9, 4  # of the search over the slope at 1


@dataclass(frozen=True)
class Profile:
    """A function on v >= 0, zero at 0 with its slope, of piecewise constant curvature.

    Attributes:
        knots: increasing, the first of them 0.
        curvatures: one from each knot to the next, the last without end.
    """

    knots: tuple[Fraction, ...]
    curvatures: tuple[Fraction, ...]

    def pieces(self) -> list[tuple[Fraction, Fraction, Fraction, Fraction]]:
        """Left end, value, slope and curvature of each piece."""
        value = slope = Fraction(0)
        found = [(self.knots[0], value, slope, self.curvatures[0])]
        for knot, curvature in zip(self.knots[1:], self.curvatures[1:], strict=True):
            start, value, slope, before = found[-1]
            step = knot - start
            value += slope * step + before * step**2 / 2
            found.append((knot, value, slope + before * step, curvature))
        return found

    def slope(self, v: Fraction) -> Fraction:
        """The derivative at a point that is not negative."""
        start, _, slope, curvature = self.pieces()[bisect_right(self.knots, v) - 1]
        return slope + curvature * (v - start)

    def is_nonnegative(self) -> bool:
        """Whether it is nowhere below zero."""
        pieces = self.pieces()
        for (start, value, slope, curvature), end in zip(
            pieces, [*self.knots[1:], None], strict=True
        ):
            if value < 0 or (end is None and (curvature < 0 or (curvature == 0 and slope < 0))):
                return False
            inside = curvature > 0 > slope and (end is None or start - slope / curvature < end)
            if inside and value < slope**2 / (2 * curvature):
                return False
        return True


@dataclass(frozen=True)
class Split:
    r"""Two components with mean $\tfrac\mu2 v^2$, and the radius at which they are looked at.

    On the left of the origin both are the mean.

    Attributes:
        mu: the curvature of the mean.
        beta: the smoothness that the components claim.
        radius: $\rho$.
        components: the two functions; the iterate is 1.
    """

    mu: Fraction
    beta: Fraction
    radius: Fraction
    components: tuple[Profile, Profile]

    def flaw(self) -> str:
        """Why this is no member of the class, in exact arithmetic; empty if it is one."""
        first, second = self.components
        if first.knots != second.knots:
            return "the knots differ"
        if list(first.knots) != sorted(set(first.knots)) or first.knots[0] != 0:
            return "the knots do not increase from zero"
        for pair in zip(first.curvatures, second.curvatures, strict=True):
            if sum(pair) != 2 * self.mu:
                return "the mean is not the quadratic"
            if max(map(abs, pair)) > self.beta:
                return "a component is not smooth enough"
        if not all(component.is_nonnegative() for component in self.components):
            return "a component is negative somewhere"
        return ""

    def pull(self) -> Fraction:
        """The expected perturbed derivative at 1; if not positive, no step decreases the loss."""
        slopes = []
        for component in self.components:
            perturbed = 1 + self.radius * component.slope(Fraction(1))
            inside = perturbed >= 0
            slopes.append(component.slope(perturbed) if inside else self.mu * perturbed)
        return sum(slopes, Fraction(0)) / 2

    @property
    def refutes(self) -> bool:
        """Whether it shows, exactly, that no step size decreases the expected loss."""
        return not self.flaw() and self.pull() <= 0


def find_split(mu: float, beta: float, radius: float, cells: int = 120) -> Split | None:
    """The most adverse pair that the search finds, or None if it finds no pair at all.

    Args:
        mu: curvature of the mean, below `beta`.
        beta: smoothness of the components.
        radius: of the perturbation.
        cells: how many pieces of constant curvature.

    Raises:
        ValueError: unless 0 < mu < beta and the radius is positive.
    """
    if not (0 < mu < beta and radius > 0):
        raise ValueError(
            f"mu = {mu}, beta = {beta}, radius = {radius}: give 0 < mu < beta, radius > 0"
        )
    root = float(np.sqrt(mu / beta))
    search = _Search(mu, beta, radius, _grid(root, cells))
    scale = float(np.sqrt(mu * beta))  # the largest slope at loss mu / 2, up to a factor of sqrt(2)
    curvatures = search.propose(_lowest(search, mu, mu + 1.5 * scale))[1]
    return None if curvatures is None else search.rounded(curvatures)


def three_piece_split(slope: Fraction, radius: Fraction) -> Split:
    r"""The pair in closed form for $\beta = 1$, $\mu = 1/(1 + k^2)$ with the given k > 1.

    With $S = \sqrt{\mu(1-\mu)} = k\mu$, the first component leaves zero at $1 - u$ with curvature
    1, bends by $2\mu - 1$ at 1 and joins $\mu v^2$ at $1 + w$, where $u = S + \mu$, $w = S - \mu$;
    the iterate is $1 + t$, $t = \rho w/(1 + \rho)$, so that the second component is evaluated at 1;
    then all is divided by $1 + t$.  No step decreases the loss if
    $(u - (1-2\mu)t)(1 - (1-2\mu)\rho) \le w$: for small $\mu$ that is $\rho \ge \sqrt\mu + O(\mu)$.

    Raises:
        ValueError: unless k > 1 and the radius is positive.
    """
    if not (slope > 1 and radius > 0):
        raise ValueError(f"k = {slope}, radius {radius}: give k > 1 and a positive radius")
    mu = 1 / (1 + slope**2)
    u, w = (slope + 1) * mu, (slope - 1) * mu
    iterate = 1 + radius * w / (1 + radius)
    knots = tuple(knot / iterate for knot in (Fraction(0), 1 - u, Fraction(1), 1 + w))
    first = (Fraction(0), Fraction(1), 2 * mu - 1, 2 * mu)
    second = tuple(2 * mu - curvature for curvature in first)
    return Split(mu, Fraction(1), radius, (Profile(knots, first), Profile(knots, second)))


def smallest_split(
    mu: float, beta: float, *, largest: float, tolerance: float = 0.01, cells: int = 120
) -> Split | None:
    r"""Bisect the radius down to which a pair refutes.

    Args:
        mu: curvature of the mean.
        beta: smoothness of the components.
        largest: the radius to begin with.
        tolerance: of the radius, relative to `largest`.
        cells: of `find_split`.

    Returns:
        The refuting pair with the smallest radius found, None if there is none at `largest`.
    """
    best = find_split(mu, beta, largest, cells)
    if best is None or not best.refutes:
        return None
    low, high = 0.0, largest
    while high - low > tolerance * largest:
        middle = (low + high) / 2
        pair = find_split(mu, beta, middle, cells)
        if pair is not None and pair.refutes:
            best, high = pair, middle
        else:
            low = middle
    return best


def _lowest(search: _Search, low: float, high: float) -> float:
    """The slope at 1 with the smallest proposed pull, by a grid that narrows."""
    for _ in range(REFINEMENTS):
        slopes = np.linspace(low, high, SLOPES)
        best = int(np.argmin([search.propose(float(slope))[0] for slope in slopes]))
        low, high = slopes[max(best - 1, 0)], slopes[min(best + 1, SLOPES - 1)]
    return float(slopes[best])


def _grid(root: float, cells: int) -> Floats:
    """Knots around 1, where the components differ; wider for well-conditioned means."""
    return np.linspace(max(0.05, 1 - 3.2 * root), 1 + 2.5 * root, cells + 1)


@dataclass(frozen=True)
class _Search:
    """Linear programs over the curvature of the first component, one for each slope at 1."""

    mu: float
    beta: float
    radius: float
    knots: Floats

    @property
    def width(self) -> float:
        return float(self.knots[1] - self.knots[0])

    def slopes(self, v: float) -> Floats:
        """The row that takes curvatures to the slope gained between the first knot and v."""
        return np.clip(v - self.knots[:-1], 0.0, self.width)

    def propose(self, slope: float) -> tuple[float, Floats | None]:
        """The smallest expected pull, and the curvatures that give it."""
        start, mu = float(self.knots[0]), self.mu
        first, second = 1 + self.radius * slope, 1 + self.radius * (2 * mu - slope)
        if not start <= second <= first <= self.knots[-1]:
            return np.inf, None
        # The second component is the mean twice less the first.
        pull = (self.slopes(first) - self.slopes(second)) / 2
        constant = mu * start + mu * (second - start)
        steps = self.knots[1:, None] - self.knots[None, :]
        squares = np.maximum(steps, 0.0) ** 2 / 2
        values = squares[:, :-1] - squares[:, 1:]
        base = mu * start**2 / 2 + mu * start * (self.knots[1:] - start)
        # Between knots a component may lie lower than at both: by curvature, and by rounding.
        margin = self.beta * self.width**2 / 8 + self.knots[-1] ** 2 / DIGITS
        # After the last knot both components grow.
        last = np.full((1, len(squares[0]) - 1), self.width)
        inside = np.concatenate([base - margin, mu * self.knots[1:] ** 2 - base - margin])
        growing = np.array([mu * start, mu * (2 * self.knots[-1] - start)])
        found = linprog(
            pull,
            A_ub=np.vstack([-values, values, -last, last]),
            b_ub=np.concatenate([inside, growing]),
            A_eq=self.slopes(1.0)[None],
            b_eq=[slope - mu * start],
            bounds=(max(-self.beta, 2 * mu - self.beta), min(self.beta, 2 * mu + self.beta)),
            method="highs",
        )
        return (float(found.fun) + constant, found.x) if found.status == 0 else (np.inf, None)

    def rounded(self, curvatures: Floats) -> Split:
        """The pair with rational numbers."""
        mu, beta, radius = (
            Fraction(x).limit_denominator(DIGITS) for x in (self.mu, self.beta, self.radius)
        )
        start = Fraction(float(self.knots[0])).limit_denominator(1000)
        width = Fraction(self.width).limit_denominator(DIGITS)
        knots = (Fraction(0), *(start + place * width for place in range(len(self.knots))))
        low, high = max(-beta, 2 * mu - beta), min(beta, 2 * mu + beta)
        inner = [
            min(high, max(low, Fraction(round(x * DIGITS), DIGITS))) for x in curvatures.tolist()
        ]
        first = (mu, *inner, mu)
        second = tuple(2 * mu - curvature for curvature in first)
        return Split(mu, beta, radius, (Profile(knots, first), Profile(knots, second)))
