"""Which worst case is meant: the class of problems and the measure of performance."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from numerics.worst_case.symmetry import Components

__all__ = ["MeanClass", "Measure", "Points", "ProblemClass", "Samples"]


class Samples(StrEnum):
    """The class of every component."""

    SMOOTH = "smooth"
    CONVEX = "convex"
    STRONGLY_CONVEX = "strongly convex"
    QUADRATIC = "quadratic"


class MeanClass(StrEnum):
    """What the mean satisfies besides being smooth.

    PL is used at every point where the mean is looked at, and as the quadratic growth that follows
    from it (Karimi, Nutini, Schmidt 2016, Theorem 2) at x, with the minimiser nearest to x.
    """

    SMOOTH = "smooth"
    PL = "PL"
    GROWTH = "quadratic growth"
    STRONGLY_CONVEX = "strongly convex"


class Measure(StrEnum):
    r"""What is maximised: the loss or the squared distance after a step from 1, or a slope.

    The slope is the derivative of the expected loss by the step size, at step size 0 and loss 1:
    $-\langle\nabla f(x), \mathbb E\nabla f_i(y_i)\rangle$.  Where its worst case is negative, a
    small enough step decreases the expected loss of every member of the class.
    """

    LOSS = "loss"
    DISTANCE = "squared distance"
    SLOPE = "slope"


class Points(StrEnum):
    """Which points enter the constraints of a component."""

    ALL = "all"
    OWN = "own"


@dataclass(frozen=True)
class ProblemClass:
    r"""A class of problems and a measure of performance.

    Attributes:
        mu: $\mu > 0$ of the mean (PL-half, growth or strong convexity), or the modulus of every
            component if `samples` is strongly convex; else unused.
        beta: smoothness $\beta$ of every component.
        smoothness: smoothness $L \le \beta$ of the mean; $\beta$ if not given.
        components: how many, $n$; `math.inf` for the limit.
        batch_size: B, drawn without replacement; above 1 the bound is that of `minibatch`, for
            smooth or convex components and a mean that is PL.
        samples: the class of every component.
        mean: what the mean satisfies.
        measure: the loss $f$, or the squared distance to the minimiser.
        points: which points enter the constraints of a component.
    """

    mu: float
    beta: float = 1.0
    smoothness: float | None = None
    components: float = 24
    batch_size: int = 1
    samples: Samples = Samples.SMOOTH
    mean: MeanClass = MeanClass.PL
    measure: Measure = Measure.LOSS
    points: Points = Points.ALL

    def __post_init__(self) -> None:
        for name, kind in (
            ("samples", Samples),
            ("mean", MeanClass),
            ("measure", Measure),
            ("points", Points),
        ):
            object.__setattr__(self, name, kind(getattr(self, name)))
        if self.points is Points.OWN and self.samples is Samples.QUADRATIC:
            raise ValueError("points 'own' is for function values: use 'all' with quadratics")
        Components(self.components)  # for its error message
        if not 1 <= self.batch_size <= self.components or self.batch_size % 1:
            raise ValueError(
                f"batch size {self.batch_size}: give a whole number from 1 to {self.components}"
            )
        if self.batch_size > 1 and not (
            self.samples in (Samples.SMOOTH, Samples.CONVEX)
            and self.mean is MeanClass.PL
            and self.measure is not Measure.DISTANCE
        ):
            raise ValueError(
                f"batch size {self.batch_size}: give smooth or convex samples, a PL mean and the "
                "measure 'loss' or 'slope'"
            )
        if not 0 < self.mu < self.mean_smoothness <= self.beta < math.inf:
            raise ValueError(
                f"mu = {self.mu}, L = {self.mean_smoothness}, beta = {self.beta}: "
                "give 0 < mu < L <= beta"
            )

    @property
    def mean_smoothness(self) -> float:
        """L."""
        return self.beta if self.smoothness is None else self.smoothness

    @property
    def curvature(self) -> float:
        """The lower bound on the curvature of every component."""
        return {Samples.SMOOTH: -self.beta, Samples.STRONGLY_CONVEX: self.mu}.get(self.samples, 0.0)

    @property
    def tight(self) -> bool:
        """Whether the constraints are also sufficient: then the class reaches the value.

        They are known to be if every component is constrained at every point, and the mean
        satisfies nothing that does not follow from the components.
        """
        follows = self.mean is MeanClass.SMOOTH and self.mean_smoothness == self.beta
        return self.points is Points.ALL and follows and self.batch_size == 1
