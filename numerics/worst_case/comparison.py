"""Proved rates beside the worst case: at the step size of each theorem, and at the best one."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import theory
from numerics.worst_case.one_step import WorstCase, worst_case
from numerics.worst_case.search import BestStep, best_step_size
from numerics.worst_case.setting import MeanClass, Measure, ProblemClass, Samples
from theory.evaluation import evaluate

__all__ = ["FAMILIES", "Bound", "Comparison", "Family", "compare", "proved"]


@dataclass(frozen=True)
class Family:
    r"""Theorems about one class of problems and one measure.

    Attributes:
        title: for people.
        theorems: label -> ids of theorems, the best of which is meant where several cover.
        classes: what `Setting` needs besides constants.
        unit: the theorem whose largest radius is the unit of radii; $1/\beta$ if empty.
    """

    title: str
    theorems: Mapping[str, tuple[str, ...]]
    classes: Mapping[str, Any] = field(default_factory=dict)
    unit: str = ""

    @property
    def read(self) -> tuple[str, ...]:
        """The ids of all these theorems."""
        ids = (self.unit, *itertools.chain(*self.theorems.values()))
        return tuple(dict.fromkeys(name for name in ids if name))

    def setting(self, mu: float, components: float = 24, beta: float = 1.0) -> ProblemClass:
        """The worst case that the theorems bound, with L = beta."""
        return ProblemClass(mu=mu, beta=beta, components=components, **self.classes)

    def radius(self, relative: float, mu: float, beta: float = 1.0) -> float:
        """A radius given in units of this family."""
        if not self.unit:
            return relative / beta
        known = {"mu": mu, "beta": beta, "L": beta}
        return relative * float(evaluate(theory.get(self.unit), "max_radius", **known).value)


FAMILIES = {
    "smooth": Family(
        "smooth samples, PL: loss",
        {
            "published": ("sam-pl-linear",),
            "improved": ("sam-pl-linear-improved",),
            "best proved": ("sam-pl-linear-optimal",),
        },
        unit="sam-pl-linear-improved",
    ),
    "convex": Family(
        "convex samples, PL: loss",
        {"best proved": ("sam-pl-convex",)},
        {"samples": Samples.CONVEX},
        unit="sam-pl-convex",
    ),
    "distance": Family(
        "convex samples, growth: distance",
        {"best proved": ("sam-distance-linear", "sam-distance-large-radius")},
        {"samples": Samples.CONVEX, "mean": MeanClass.GROWTH, "measure": Measure.DISTANCE},
    ),
    "quadratic": Family(
        "quadratic samples: distance",
        {"best proved": ("sam-quadratic-best-step", "sam-quadratic-short-steps")},
        {
            "samples": Samples.QUADRATIC,
            "mean": MeanClass.STRONGLY_CONVEX,
            "measure": Measure.DISTANCE,
        },
    ),
}


@dataclass(frozen=True)
class Bound:
    """A proved factor at the step size that its theorem recommends."""

    theorem: str
    step_size: float
    factor: float


@dataclass(frozen=True)
class Comparison:
    """What is proved of a class, beside its worst case.

    Attributes:
        bound: None where no theorem covers the radius.
        same_step: the worst case at the step size of the bound.
        best: the step size with the best worst case.
    """

    bound: Bound | None
    same_step: WorstCase | None
    best: BestStep

    @property
    def ratio(self) -> float:
        """Decrease in the worst case over the decrease proved, at the same step size."""
        if self.bound is None or self.same_step is None:
            return math.nan
        return (1 - self.same_step.value) / (1 - self.bound.factor)

    @property
    def ratio_at_best(self) -> float:
        """The same with the worst case at its own best step size."""
        if self.bound is None:
            return math.nan
        return (1 - self.at_best.value) / (1 - self.bound.factor)

    @property
    def at_best(self) -> WorstCase:
        """The best worst case that is known, the bound's own step size included."""
        known = [case for case in (self.best.best, self.same_step) if case is not None]
        return min(known, key=lambda case: case.value)


def proved(theorems: tuple[str, ...], **known: float) -> Bound | None:
    """The smallest factor that one of the theorems proves, None if none of them covers.

    Args:
        theorems: ids; each has a quantity `best_step_size` or `step_size`, and a `factor`.
        known: the parameters, without the step size.
    """
    found = []
    for name in theorems:
        theorem = theory.get(name)
        names = {quantity.name for quantity in theorem.quantities}
        recommended = "best_step_size" if "best_step_size" in names else "step_size"
        step = float(evaluate(theorem, recommended, **known).value)
        factor = float(evaluate(theorem, "factor", **known, step_size=step).value)
        if math.isfinite(step) and math.isfinite(factor):
            found.append(Bound(name, step, factor))
    return min(found, key=lambda bound: bound.factor, default=None)


def compare(
    setting: ProblemClass, theorems: tuple[str, ...], radius: float, best: BestStep | None = None
) -> Comparison:
    """A theorem, or the best of several, beside the worst case of a setting.

    Args:
        setting: the class and the measure.
        theorems: ids of theorems about it.
        radius: of the step.
        best: the best step size, if it is known already.
    """
    known = {"mu": setting.mu, "beta": setting.beta, "L": setting.mean_smoothness}
    bound = proved(theorems, radius=radius, **known)
    same = worst_case(setting, bound.step_size, radius) if bound else None
    return Comparison(bound, same, best or best_step_size(setting, radius))
