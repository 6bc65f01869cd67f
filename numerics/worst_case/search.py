"""The step size with the best worst case, and the radius up to which a step decreases the loss."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from scipy.optimize import minimize_scalar

from numerics.worst_case.one_step import WorstCase, worst_case
from numerics.worst_case.program import ProgramStatus
from numerics.worst_case.setting import Measure, ProblemClass

__all__ = ["BestStep", "SlopeThreshold", "best_step_size", "threshold_radius"]

FAR = 1e6  # stands for a step size at which the solver failed: finite, for the scalar search


@dataclass(frozen=True)
class BestStep:
    """The step size with the smallest worst case that was found.

    Every worst case is a bound at its own step size, so an imperfect search loses sharpness only.

    Attributes:
        best: the worst case there.
        evaluated: how many step sizes were tried.
        unsolved: at how many of them the solver failed; they were passed over.
    """

    best: WorstCase
    evaluated: int
    unsolved: int


def best_step_size(
    setting: ProblemClass, radius: float, *, tolerance: float = 3e-3, solver: str = "CLARABEL"
) -> BestStep:
    r"""Minimise the worst case over $0 \le \eta \le 2/L$ by a bounded scalar search.

    Args:
        setting: the class and the measure, which must not be the slope.
        radius: $\rho$.
        tolerance: of the step size, relative.
        solver: a solver of cvxpy.

    Raises:
        ValueError: if the measure is the slope, or for bad input to `worst_case`.
        RuntimeError: if the solver failed at every step size.
    """
    if setting.measure is Measure.SLOPE:
        raise ValueError("measure 'slope' has no step size: use 'loss' or 'squared distance'")
    longest = 2 / setting.mean_smoothness
    tried: list[WorstCase] = []

    def height(step_size: float) -> float:
        tried.append(worst_case(setting, step_size, radius, solver))
        return cautious(tried[-1]) if tried[-1].status is ProgramStatus.SOLVED else FAR

    low, high = 0.0, longest
    for _ in range(2):  # the second time around what the first has found
        found = float(
            minimize_scalar(
                height, bounds=(low, high), method="bounded", options={"xatol": tolerance * high}
            ).x
        )
        low, high = found / 2, min(2 * found, longest)
    solved = [case for case in tried if case.status is ProgramStatus.SOLVED]
    if not solved:
        raise RuntimeError(
            f"{solver} failed at each of {len(tried)} step sizes: try another solver"
        )
    return BestStep(min(solved, key=cautious), len(tried), len(tried) - len(solved))


@dataclass(frozen=True)
class SlopeThreshold:
    """Where the worst slope changes sign.

    Attributes:
        decreases: the largest radius tried at which every member of the class has a negative
            slope, so that a small enough step decreases the expected loss.
        undecided: the smallest radius tried at which the bound does not say so.  If the bound is
            tight, a member of the class has no negative slope there.
        slopes: the worst cases at these two radii.
    """

    decreases: float
    undecided: float
    slopes: tuple[WorstCase, WorstCase]


def threshold_radius(
    setting: ProblemClass, *, largest: float, tolerance: float = 1e-3, solver: str = "CLARABEL"
) -> SlopeThreshold:
    """Bisect the radius at which the worst slope reaches zero.

    Args:
        setting: the class; its measure is replaced by the slope.
        largest: a radius at which the worst slope is not negative.
        tolerance: how far apart the two radii may end, relative to `largest`.
        solver: a solver of cvxpy.

    Raises:
        ValueError: if the slope is not negative at radius 0, or still negative at `largest`.
        RuntimeError: if the solver fails.
    """
    setting = dataclasses.replace(setting, measure=Measure.SLOPE)

    def slope(radius: float) -> WorstCase:
        found = worst_case(setting, 0.0, radius, solver)
        if found.status is not ProgramStatus.SOLVED:
            raise RuntimeError(f"radius {radius}: {found.solution.reason}; try another solver")
        return found

    low, high = slope(0.0), slope(largest)
    if not negative(low) or negative(high):
        raise ValueError(f"the slope changes its sign elsewhere: largest = {largest} is not apt")
    while high.radius - low.radius > tolerance * largest:
        middle = slope((low.radius + high.radius) / 2)
        low, high = (middle, high) if negative(middle) else (low, middle)
    return SlopeThreshold(low.radius, high.radius, (low, high))


def negative(slope: WorstCase) -> bool:
    """Whether a slope is below zero by more than its error."""
    return cautious(slope) < 0


def cautious(case: WorstCase) -> float:
    """The worst case, and what it may be off by."""
    return case.value + case.solution.error
