"""What a measurement says of a theorem.  A measurement never proves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Measurement", "Outcome", "Point", "inconclusive", "judge"]


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
    worst = min(found, key=lambda point: (not point.violated, point.slack))
    outcome = Outcome.VIOLATED if worst.violated else Outcome.CONSISTENT
    reason = ""
    if worst.violated:
        where = ", ".join(f"{name}={value}" for name, value in worst.where.items())
        reason = f"measured {worst.measured:.9g} > bound {worst.bound:.9g} at {where}"
    return Measurement(theorem, problem, outcome, len(found), worst.slack, worst, measured, reason)
