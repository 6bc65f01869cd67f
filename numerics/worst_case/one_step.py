r"""The worst step of unnormalised stochastic SAM, by performance estimation.

One step from $x$ is $z_i = x - \eta\nabla f_i(y_i)$ with $y_i = x + \rho\nabla f_i(x)$ and $i$
uniform over $n$ components that share a minimiser, where each of them is zero; the origin is the
minimiser nearest to x.  The worst value of the expected performance after the step, over all
functions of a class in any dimension, is a semidefinite program over the Gram matrix of
$$ x,\quad g_j = \nabla f_j(x),\quad a_{ji} = \nabla f_j(y_i),\quad p_{ji} = \nabla f_j(z_i) $$
and the values of all $f_j$ there; `symmetry` makes its size independent of $n$.

Which points enter: with `points="all"` every component is constrained at the minimiser, at x, and
at y_i and z_i of every i, its own and the others'.  With `points="own"` component i is constrained
at the minimiser, x, y_i and z_i only, and the mean at the minimiser, x and z_i: fewer
constraints, hence a bound that is still valid, and may be larger.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field

from numerics.worst_case import classes
from numerics.worst_case.classes import STAR, Sample
from numerics.worst_case.minibatch import batch_program
from numerics.worst_case.program import ONE, Program, ProgramStatus, Solution, solve
from numerics.worst_case.setting import MeanClass, Measure, Points, ProblemClass, Samples
from numerics.worst_case.symmetry import Combination, Components, combine, renamed

__all__ = ["WorstCase", "program", "worst_case"]

GRADIENTS = str.maketrans("yz", "ap")  # the kinds of gradients at y and z


@dataclass(frozen=True)
class WorstCase:
    """The worst case of one step, NaN unless `status` is solved.

    Attributes:
        value: the dual objective, an upper bound up to `dual_residual`.
        primal: the objective at the primal solution.
        tight: whether the constraints are necessary and sufficient in unrestricted dimension, so
            that the class reaches `value`; otherwise it is an upper bound only.
        status: whether there are numbers.
        step_size: of the step.
        radius: of the step.
        setting: the class and the measure.
        solution: the answer of the solver, with multipliers and residuals.
    """

    value: float
    primal: float
    tight: bool
    status: ProgramStatus
    step_size: float
    radius: float
    setting: ProblemClass
    solution: Solution

    @property
    def tag(self) -> str:
        """What the value is."""
        return "tight" if self.tight else "upper bound only"


def worst_case(
    setting: ProblemClass, step_size: float, radius: float, solver: str = "CLARABEL"
) -> WorstCase:
    """The largest expected measure after one step that starts with measure 1.

    Raises:
        ValueError: for a negative step size or radius, or an unknown solver.
    """
    solution = solve(program(setting, step_size, radius), solver)
    numbers = solution.status is ProgramStatus.SOLVED
    return WorstCase(
        solution.bound if numbers else math.nan,
        solution.value if numbers else math.nan,
        setting.tight,
        solution.status,
        step_size,
        radius,
        setting,
        solution,
    )


def program(setting: ProblemClass, step_size: float, radius: float) -> Program:
    """The semidefinite program of `worst_case`.

    Raises:
        ValueError: for a negative or infinite step size or radius.
    """
    for name, number in (("step size", step_size), ("radius", radius)):
        if not 0 <= number < math.inf:
            raise ValueError(f"{name} {number}: give a finite number from 0 on")
    if setting.batch_size == setting.components > 1:  # then only the mean is ever looked at
        whole = dataclasses.replace(
            setting, components=1, batch_size=1, beta=setting.mean_smoothness
        )
        return _Step(whole, step_size, radius).program()
    build = batch_program if setting.batch_size > 1 else step_program
    return build(setting, step_size, radius)


def step_program(setting: ProblemClass, step_size: float, radius: float) -> Program:
    """The semidefinite program of a step with one component."""
    return _Step(setting, step_size, radius).program()


@dataclass(frozen=True)
class Constraints:
    """Rows and blocks by name, as in `Program`."""

    at_most_zero: dict[str, Combination] = field(default_factory=dict)
    zero: dict[str, Combination] = field(default_factory=dict)
    semidefinite: dict[str, list[list[Combination]]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Step:
    """The constraints of one step."""

    setting: ProblemClass
    step_size: float
    radius: float

    @property
    def at(self) -> Components:
        return Components(self.setting.components)

    @property
    def places(self) -> str:
        """Where the functions are looked at besides x: at y if it is not x, at z if asked for."""
        return "y" * (self.radius > 0) + "z" * (self.setting.measure is Measure.LOSS)

    def direction(self, i: int) -> Combination:
        """The gradient along which component i moves the iterate."""
        return {("a", (i, i)): 1.0} if self.radius > 0 else {("g", (i,)): 1.0}

    def sample(self, place: str, component: int, i: int = 0) -> Sample:
        """A component (averaged if not positive) at x, y_i or z_i."""
        x: Combination = {("x", ()): 1.0}
        if place == "x":
            return Sample("x", x, {("g", (component,)): 1.0}, {("f", (component,)): 1.0})
        if place == "y":
            point = combine((1.0, x), (self.radius, {("g", (i,)): 1.0}))
        else:
            point = combine((1.0, x), (-self.step_size, self.direction(i)))
        kind = place.translate(GRADIENTS)
        seen = (component, i)
        return Sample(f"{place}{i}", point, {(kind, seen): 1.0}, {("f" + place, seen): 1.0})

    def seen(self, component: int) -> list[tuple[Sample, tuple[int, ...]]]:
        """The samples of a component, or of the mean, and the components that they name."""
        own = self.setting.points is Points.OWN
        reach = int(min(self.setting.components, 1 if own else 3))
        places = self.places.replace("y", "") if own and component < 1 else self.places
        return [
            (STAR, ()),
            (self.sample("x", component), ()),
            *((self.sample(p, component, i), (i,)) for p in places for i in range(1, reach + 1)),
        ]

    def pairs(self, component: int) -> list[tuple[Sample, Sample]]:
        """Ordered pairs of samples, one from each orbit."""
        first = (component,) if component > 0 else ()
        seen = self.seen(component)
        return [
            (u, v)
            for place, (u, named) in enumerate(seen)
            for other, (v, others) in enumerate(seen)
            if place != other and renamed(first + named + others) == first + named + others
        ]

    def singles(self, component: int) -> list[Sample]:
        """The samples besides the minimiser, one from each orbit."""
        return [u for u, v in self.pairs(component) if v is STAR]

    def program(self) -> Program:
        """Everything together."""
        at, x, after = self.at, self.sample("x", 0), self.sample("z", 0, 1)
        before, objective = at.value(x.value), at.value(after.value)
        if self.setting.measure is Measure.DISTANCE:
            before, objective = at.inner(x.point, x.point), at.inner(after.point, after.point)
        if self.setting.measure is Measure.SLOPE:
            objective = at.inner(x.gradient, combine((-1.0, self.direction(1))))
        kinds = {"x": 0, "g": 1} | dict.fromkeys(self.places.translate(GRADIENTS), 2)
        parts = [self.component(), self.mean()]
        start = combine((1.0, before), (-1.0, {ONE: 1.0}))
        return Program(
            objective,
            {name: row for part in parts for name, row in part.at_most_zero.items()},
            {"start": start} | {n: row for part in parts for n, row in part.zero.items()},
            at.blocks(kinds) | {n: b for part in parts for n, b in part.semidefinite.items()},
        )

    def component(self) -> Constraints:
        """What the class of the components says; of component 1, as all are alike."""
        setting = self.setting
        if setting.samples is Samples.QUADRATIC:
            return self.quadratic("component", 1, 0.0, setting.beta)
        part = self.curved("component", 1, setting.curvature, setting.beta)
        for u in self.singles(1) if setting.curvature < 0 else ():
            row = classes.self_bounded(self.at, u, setting.beta)
            part.at_most_zero[f"component: {u.name} is above the minimum"] = row
        return part

    def mean(self) -> Constraints:
        """What the class of the mean says."""
        setting, mu = self.setting, self.setting.mu
        if setting.samples is Samples.QUADRATIC:
            lower = mu if setting.mean is MeanClass.STRONGLY_CONVEX else 0.0
            part = self.quadratic("mean", 0, lower, setting.mean_smoothness)
        else:
            lower = min(setting.curvature, 0.0) * setting.mean_smoothness / setting.beta
            if setting.mean is MeanClass.STRONGLY_CONVEX:
                lower = mu
            part = self.curved("mean", 0, lower, setting.mean_smoothness)
        for u in self.singles(0):
            if setting.mean is MeanClass.PL:
                row = classes.dominated(self.at, u, mu)
                part.at_most_zero[f"mean: PL at {u.name}"] = row
        if setting.mean in (MeanClass.PL, MeanClass.GROWTH):  # the one follows from the other
            row = classes.growth(self.at, self.sample("x", 0), mu)
            part.at_most_zero["mean: quadratic growth at x"] = row
        return part

    def curved(self, who: str, component: int, lower: float, upper: float) -> Constraints:
        """Curvature in an interval, between all pairs of samples."""
        part = Constraints()
        for u, v in self.pairs(component):
            row = classes.pair(self.at, u, v, lower, upper)
            part.at_most_zero[f"{who}: {u.name} from {v.name}"] = row
        return part

    def quadratic(self, who: str, component: int, lower: float, upper: float) -> Constraints:
        """A quadratic function with its spectrum in an interval."""
        part = Constraints()
        for u, v in self.pairs(component):
            row = classes.quadratic_pair(self.at, u, v)
            if row:
                part.zero[f"{who}: symmetric between {u.name} and {v.name}"] = row
        for u in self.singles(component):
            part.zero[f"{who}: value at {u.name}"] = classes.quadratic_value(self.at, u)
        for name, basis in self.bases(component).items():
            block = classes.quadratic_spectrum(self.at, basis, lower, upper)
            part.semidefinite[f"{who}: spectrum, {name}"] = block
        return part

    def bases(self, component: int) -> dict[str, list[Sample]]:
        """Samples whose combinations are all samples of a quadratic, by irreducible representation.

        The group is that of the components other than the given one.
        """
        count, places = self.setting.components, self.places
        own = [(p, component) for p in places] if component > 0 else []
        rest = [(p, -1) for p in places] if component < 1 or count >= 2 else []
        invariant = [self.sample(p, component, i) for p, i in own + rest]
        found = {"invariant": [self.sample("x", component), *invariant]}
        first = max(component, 0) + 1
        if count > first and places:
            found["standard"] = [
                difference(*(self.sample(p, component, i) for i in (first, first + 1)))
                for p in places
            ]
        return found


def difference(u: Sample, v: Sample) -> Sample:
    """The sample of a quadratic function at the difference of two points."""
    return Sample(
        f"{u.name} - {v.name}",
        combine((1.0, u.point), (-1.0, v.point)),
        combine((1.0, u.gradient), (-1.0, v.gradient)),
        {},
    )
