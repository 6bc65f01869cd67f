"""What a measurement says of a theorem.  A measurement never proves."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import takewhile
from math import isfinite

import numpy as np

__all__ = ["Measurement", "Outcome", "Point", "inconclusive", "judge", "worst_step"]


class Outcome(StrEnum):
    """The three things a measurement can say."""

    CONSISTENT = "consistent"
    VIOLATED = "violated"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class Point:
    """One setting in which the hypotheses held and the claim was measured.

    Attributes:
        measured: the left side of the claim.
        bound: the right side, from the theorem's own expression.
        error: how much `bound - measured` may be off by rounding and by residuals, absolute.
        where: the setting (step size, radius, seed, ...).
    """

    measured: float
    bound: float
    error: float
    where: Mapping[str, float | str]

    @property
    def slack(self) -> float:
        """How far the measurement stays below the bound, relative to the bound if it is not 0."""
        return (self.bound - self.measured) / (abs(self.bound) or 1.0)

    @property
    def attained(self) -> bool:
        """Whether measurement and bound are the same number, as far as can be told."""
        return abs(self.bound - self.measured) <= self.error

    @property
    def violated(self) -> bool:
        """Whether the bound is exceeded by more than the error.  NaN counts as exceeded."""
        return not self.measured <= self.bound + self.error

    @property
    def rank(self) -> tuple[bool, float]:
        """The worst point has the least: violated first, then the smallest slack."""
        return not self.violated, self.slack


@dataclass(frozen=True)
class Measurement:
    """What one problem says of one theorem.

    Attributes:
        theorem: its id.
        problem: its name.
        outcome: consistent, violated or inconclusive.
        points: how many settings were measured.
        slack: the smallest relative slack; None if nothing was measured.
        worst: the point with the smallest slack; None if nothing was measured.
        measured: what was measured, in words.
        reason: why the verdict is inconclusive, or what is violated.
    """

    theorem: str
    problem: str
    outcome: Outcome
    points: int = 0
    slack: float | None = None
    worst: Point | None = None
    measured: str = ""
    reason: str = ""


def inconclusive(theorem: str, problem: str, reason: str) -> Measurement:
    """The verdict of a problem on which the theorem's hypotheses are not established."""
    return Measurement(theorem, problem, Outcome.INCONCLUSIVE, reason=reason)


def worst_step(
    measured: np.ndarray, bounds: np.ndarray, rounding: float, where: Mapping[str, float | str]
) -> Iterator[Point]:
    """The step at which a curve exceeds its bound most, or comes closest to it.

    Steps are looked at as long as the bound is a number of float64; none may be.  Errors grow with
    the steps, and are at least what is lost where numbers fall below the normal ones.

    Args:
        measured: the curve, from the first step on.
        bounds: what it must not exceed: (steps,) as well.
        rounding: the relative error of a step.
        where: the setting; the step t is added to it.
    """
    steps = enumerate(zip(measured.tolist(), bounds.tolist(), strict=True), start=1)
    points = [
        Point(value, bound, rounding * t * abs(bound) + sys.float_info.min, {**where, "t": t})
        for t, (value, bound) in takewhile(lambda step: isfinite(step[1][1]), steps)
    ]
    if points:
        yield min(points, key=lambda point: point.rank)


def judge(
    theorem: str,
    problem: str,
    measured: str,
    points: Iterable[Point],
    *,
    skipped: str = "the hypotheses held at none of the settings",
) -> Measurement:
    """One verdict from many points: violated if any is, inconclusive if there is none.

    Args:
        theorem: its id.
        problem: its name.
        measured: what was measured, in words.
        points: the settings in which the hypotheses held.
        skipped: the reason to give if there is none.
    """
    found = tuple(points)
    if not found:
        return inconclusive(theorem, problem, skipped)
    worst = min(found, key=lambda point: point.rank)
    outcome = Outcome.VIOLATED if worst.violated else Outcome.CONSISTENT
    reason = ""
    if worst.violated:
        where = ", ".join(f"{name}={value}" for name, value in worst.where.items())
        reason = f"measured {worst.measured:.9g} > bound {worst.bound:.9g} at {where}"
    return Measurement(theorem, problem, outcome, len(found), worst.slack, worst, measured, reason)
