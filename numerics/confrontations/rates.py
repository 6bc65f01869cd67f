r"""Convergence theorems against exact expected trajectories on least squares."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from numerics.confrontations.registry import (
    ON_LEAST_SQUARES,
    admits,
    assumed,
    atoms,
    computable,
    rules_of,
    unestablished,
)
from numerics.confrontations.verdicts import Point, worst_step
from numerics.problems import LeastSquares
from theory.evaluation import evaluate, parameters, value
from theory.library import sam_distance, sam_pl_minibatch, sam_quadratic
from theory.proving.assumptions import (
    convex,
    interpolation,
    minimiser,
    polyak_lojasiewicz,
    smooth,
    smooth_convex,
)
from theory.trusted.algorithms import SGD
from theory.trusted.notation import H, L, alpha, beta, f, f_b, mu, x
from theory.trusted.statements import Assumption, Theorem
from theory.trusted.terms import Along, Gradient, Param, Scalar, Time, Value, norm2, substitute

__all__ = ["ANCHORS", "ROUNDING", "STEPS", "is_of_loss", "rate_points", "settings"]

STEPS = 400
#: Step sizes as shares of the theorem's own best one, and radii as shares of its largest one.
STEP_SHARES = (0.25, 0.5, 1.0, 1.5)
RADIUS_SHARES = (0.0, 0.1, 0.5, 0.75, 1.0)
#: Radii in units of 1/beta for theorems that name no largest one.
RADII = (0.0, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0)
#: The quantity that sets the scale of the step size: the first of these that the theorem has.
ANCHORS = ("best_step_size", "step_size", "max_step_size")
#: The recursion multiplies n x m matrices once per step: each step loses a few hundred roundings.
ROUNDING = 1e-11
#: A theorem's step size is a difference of terms as large as itself at other radii, from some
#: operations and a root: so small a share of them is what round-off leaves where they cancel.
CANCELLED = 1e-12

#: The parameters that have a value on least squares, and in a run there.
CONSTANTS = frozenset({"beta", "L", "mu", "alpha", "p"})
GIVEN = CONSTANTS | {"step_size", "radius"}
#: The rules that hold on least squares: everywhere, and where an algorithm can come.
BOTH = ("lipschitz", "descent")
EVERYWHERE = rules_of(
    smooth("", f_b, beta, "", BOTH),
    smooth("", f, beta, "", BOTH),
    smooth("", f, L, "", BOTH),
    smooth_convex("", f_b, beta),
    smooth_convex("", f, L),
    *(convex("", each) for each in (f, f_b)),
    *(interpolation("", each) for each in (f, f_b)),
    polyak_lojasiewicz("", f, mu, "half"),
    polyak_lojasiewicz("", f, alpha, "bare"),
)
ESTABLISHED = EVERYWHERE | rules_of(
    assumed(sam_pl_minibatch.THEOREM, "batch law"),
    *(minimiser("", each, sam_distance.x_star, ("critical", "lowest")) for each in (f, f_b)),
    sam_distance.GROWTH,
    *sam_quadratic.SETTING[:3],
)


@dataclass(frozen=True)
class Setting:
    """A run: the parameters of the problem and of the algorithm, by their names in theorems."""

    parameters: dict[str, float]
    batch_size: int

    @property
    def possible(self) -> bool:
        """Whether step size and radius are numbers that an algorithm takes."""
        return all(0 <= self.parameters[name] < np.inf for name in ("step_size", "radius"))

    @property
    def where(self) -> dict[str, float]:
        """What varies from run to run on one problem."""
        shown = {name: self.parameters[name] for name in ("step_size", "radius")}
        return shown | ({"batch_size": self.batch_size} if "p" in self.parameters else {})


def settings(theorem: Theorem, problem: LeastSquares) -> Iterator[Setting]:
    """Step sizes, radii and batch sizes over the range of the theorem, and somewhat beyond."""
    quantities = {quantity.name for quantity in theorem.quantities}
    name = next(anchor for anchor in ANCHORS if anchor in quantities)
    shares = (1.0,) if name == "step_size" else STEP_SHARES
    for batch_size, known in batches(theorem, problem):
        anchors = {
            radius: float(evaluate(theorem, name, radius=radius, **known).value)
            for radius in radii(theorem, known)
        }
        left = CANCELLED * max((abs(a) for a in anchors.values() if a == a), default=0.0)
        for radius, computed in anchors.items():
            anchor = 0.0 if abs(computed) <= left else computed
            for share in shares:
                yield Setting(known | {"radius": radius, "step_size": share * anchor}, batch_size)


def batches(theorem: Theorem, problem: LeastSquares) -> Iterator[tuple[int, dict[str, float]]]:
    """Batch sizes, 1 unless the theorem has a say on them, with the constants it speaks of."""
    constants, n = problem.constants(), problem.n
    known = {
        "beta": constants.beta,
        "L": constants.smoothness,
        "mu": constants.mu,
        "alpha": constants.alpha,
    }
    algorithm = theorem.dynamics.algorithm if theorem.dynamics else SGD
    if not algorithm.stochastic:
        yield n, known | {"p": 0.0}
        return
    if "p" not in parameters(theorem.hypotheses):
        yield 1, known
        return
    perturbed = algorithm.perturbed
    for size in (1, n) if perturbed else sorted({1, 2, n // 2, n}):
        yield size, known | {"p": (n - size) / (size * (n - 1))}


def radii(theorem: Theorem, known: dict[str, float]) -> Iterator[float]:
    """Radii over the whole range that the theorem admits; 0 alone for SGD."""
    if theorem.dynamics is not None and not theorem.dynamics.algorithm.perturbed:
        yield 0.0
    elif any(quantity.name == "max_radius" for quantity in theorem.quantities):
        largest = float(evaluate(theorem, "max_radius", **known).value)
        yield from (share * largest for share in RADIUS_SHARES)
    else:
        yield from (multiple / known["beta"] for multiple in RADII)


def rate_lacks(theorem: Theorem) -> tuple[str, ...] | None:
    r"""What a theorem lacks for `rate_points`; None if it claims no rate.

    It claims $E\,m(x_t) \le \text{factor}^t m(x_0)$ for its quantity `factor`, with m as `rated`.
    """
    if theorem.dynamics is None or rated(theorem) is None:
        return None
    algorithm = theorem.dynamics.algorithm
    lacks = []
    if algorithm.normalized or algorithm.fresh_batch:
        lacks.append(f"no exact expectations of {algorithm.name} are known")
    lacks += unestablished(theorem, ESTABLISHED, GIVEN, sam_distance.VALUE.relation.__eq__)
    tied = parameters(tuple(h for h in theorem.hypotheses if isinstance(h, Assumption)))
    known = {"max_radius": CONSTANTS, "factor": GIVEN} | dict.fromkeys(
        ANCHORS, GIVEN - {"step_size"}
    )
    quantities = {q.name: q.expression for q in theorem.quantities}
    for name, given in known.items():
        if name in quantities and not computable(theorem, quantities[name], given):
            lacks.append(f"its quantity {name!r} has parameters that no equation determines")
    if free := sorted((parameters(quantities["factor"]) & CONSTANTS) - tied):
        lacks.append(f"no hypothesis ties {', '.join(free)} in its factor to the problem")
    if not quantities.keys() & set(ANCHORS):
        lacks.append(f"it has no quantity {', '.join(ANCHORS[:-1])} or {ANCHORS[-1]}")
    return tuple(lacks)


def rated(theorem: Theorem) -> Scalar | None:
    """The measure that a theorem's conclusion says to shrink by its quantity `factor`, if any."""
    factor = next((q.expression for q in theorem.quantities if q.name == "factor"), None)
    if factor is None or theorem.dynamics is None:
        return None
    field, start = theorem.dynamics.field, theorem.dynamics.start
    claims = [step.claim for step in theorem.proof if step.name in theorem.conclusion]
    for measure in (Value(f, x), sam_distance.distance) if field == f else (norm2(x),):
        bound = factor ** Time() * substitute(measure, x, start)
        if field in (f, H) and (Along(measure, Time()) <= bound) in claims:
            return measure
    return None


LARGE_RADIUS = "its range of radii is that of the best step size alone: the rate holds beyond it"
RATE_WORDS = f"exact expectations over {STEPS} steps against the proved rate"


@ON_LEAST_SQUARES.shape(rate_lacks, RATE_WORDS)
def rate_points(theorem: Theorem, problem: LeastSquares) -> Iterator[Point]:
    """The worst step of every setting in which all hypotheses hold."""
    return points_of_rate(theorem, problem, admits)


@ON_LEAST_SQUARES.like(
    "sam-distance-large-radius",
    words=RATE_WORDS,
    because=LARGE_RADIUS,
    ignores=("best_factor",),
)
def far_rate_points(theorem: Theorem, problem: LeastSquares) -> Iterator[Point]:
    """The worst step of every setting that the theorem's factor covers."""
    return points_of_rate(theorem, problem, lambda *_: True)


def points_of_rate(
    theorem: Theorem, problem: LeastSquares, admitted: Callable[[Theorem, dict[str, float]], bool]
) -> Iterator[Point]:
    """The exact expected loss or squared distance against the proved rate, at its worst step."""
    for setting in settings(theorem, problem):
        factor = evaluate(theorem, "factor", **setting.parameters)
        if not factor.covered or not factor.value < 1 or not setting.possible:
            continue
        if admitted(theorem, setting.parameters):
            measured = curve(theorem, problem, setting, is_of_loss(theorem))
            bounds = measured[0] * float(factor.value) ** np.arange(1, STEPS + 1)
            yield from worst_step(measured[1:], bounds, ROUNDING, setting.where)


def is_of_loss(theorem: Theorem) -> bool:
    """Whether the theorem's rate is one of the loss; otherwise it is one of the distance."""
    return rated(theorem) == Value(f, x)


def curve(theorem: Theorem, problem: LeastSquares, setting: Setting, of_loss: bool) -> np.ndarray:
    """The exact expected loss, or squared distance to the nearest minimiser: (STEPS + 1,)."""
    assert theorem.dynamics is not None, "the bound is on the iterates of an algorithm"
    given = setting.parameters
    run = theorem.dynamics.algorithm, given["step_size"], given["radius"], STEPS
    if of_loss:
        return problem.expected_losses(*run, batch_size=setting.batch_size).mean.cpu().numpy()
    return problem.expected_distances(*run, batch_size=setting.batch_size).cpu().numpy()


@ON_LEAST_SQUARES.like(
    "sam-distance",
    words=f"exact expectations over {STEPS} steps",
    because="the claim is on one step, and is measured on the mean over all that came before",
    reads=("one step",),
)
def decrease_points(theorem: Theorem, problem: LeastSquares) -> Iterator[Point]:
    r"""$E\|x_{t+1} - x_*\|^2$ against what the theorem's one step leaves of it, at every t."""
    (claim,) = (step.claim for step in theorem.proof if step.name == "one step")
    for setting in settings(theorem, problem):
        if evaluate(theorem, "max_step_size", **setting.parameters).covered:
            far, loss = (curve(theorem, problem, setting, of) for of in (False, True))
            measured = {sam_distance.distance: far[:-1], Value(f, x): loss[:-1]}
            with np.errstate(over="ignore", invalid="ignore"):  # a curve that diverges
                bounds = value(claim.right, measured, **setting.parameters)
            yield from worst_step(far[1:], bounds, ROUNDING, setting.where)


@ON_LEAST_SQUARES.like(
    "sam-pl-linear-optimal-comparison",
    words="both factors at the problem's constants",
    because="nothing but formulas is compared, at constants of a problem",
)
def comparison_points(theorem: Theorem, problem: LeastSquares) -> Iterator[Point]:
    """A factor against the published ones, at the constants of the problem."""
    for setting in settings(theorem, problem):
        factor = evaluate(theorem, "factor", **setting.parameters)
        for name in ("improved_factor", "published_factor"):
            other = evaluate(theorem, name, **setting.parameters)
            if factor.covered and other.covered:
                bound = float(other.value)
                # a dozen operations on numbers of order 1, some of which cancel
                yield Point(float(factor.value), bound, 1e-14, setting.where)


@ON_LEAST_SQUARES.like(
    "sgd-batch-gradients",
    words="all batches of one and two samples",
    because="the statement gives a law, and not how batches are drawn that fulfil it",
    reads=("batch gradient",),
)
def batch_points(theorem: Theorem, problem: LeastSquares) -> Iterator[Point]:
    r"""$E\|\nabla f_B\|^2$, over all batches of up to two samples, against the claim."""
    (claim,) = (step.claim for step in theorem.proof if step.name in theorem.conclusion)
    generator = torch.Generator().manual_seed(0)
    away = torch.randn(20, problem.d, generator=generator, dtype=torch.float64)
    for size, constants in batches(theorem, problem):
        if size not in (1, 2):
            continue
        chosen = torch.tensor(list(itertools.combinations(range(problem.n), size)))
        for i, point in enumerate(problem.minimiser() + away.to(problem.features.device)):
            means = problem.gradients(point)[chosen].mean(dim=1)
            full = problem.gradient(point)
            measured = {
                Value(f, x): float(problem.loss(point)),
                norm2(Gradient(f, x)): float(full @ full),
            }
            bound = float(value(claim.right, measured, **constants))
            mean = float((means**2).sum(dim=1).mean())
            yield Point(mean, bound, ROUNDING * bound, {"point": i, "batch_size": size})


def pointwise_lacks(theorem: Theorem) -> tuple[str, ...] | None:
    """What a theorem lacks for `pointwise_points`; None if it does not claim one inequality."""
    claims = [step.claim for step in theorem.proof if step.name in theorem.conclusion]
    if theorem.dynamics is not None or len(claims) != 1 or claims[0].sign != "<=":
        return None
    parts = {*atoms(claims[0].left), *atoms(claims[0].right)}
    if not {Value(f, x), norm2(Gradient(f, x))} <= parts:
        return None
    known = CONSTANTS - {"p"}
    lacks = list(unestablished(theorem, EVERYWHERE, known))
    unknown = parts - {Value(f, x), norm2(Gradient(f, x)), *map(Param, known)}
    if unknown:
        lacks.append("its claim speaks of more than f, its gradient and constants of the problem")
    tied = parameters(tuple(h for h in theorem.hypotheses if isinstance(h, Assumption)))
    if free := sorted((parameters(claims[0]) & known) - tied):
        lacks.append(f"no hypothesis ties {', '.join(free)} in its claim to the problem")
    return tuple(lacks)


@ON_LEAST_SQUARES.shape(pointwise_lacks, "both sides at 201 points, one of them extremal")
def pointwise_points(theorem: Theorem, problem: LeastSquares) -> Iterator[Point]:
    r"""An inequality between $f(x)$ and $\|\nabla f(x)\|^2$, such as a convention of PL.

    At random points and along the eigenvector of the smallest curvature, where PL is tight.
    """
    ((_, known),) = batches(theorem, problem)
    if not admits(theorem, known):
        return
    (claim,) = (step.claim for step in theorem.proof if step.name in theorem.conclusion)
    generator = torch.Generator().manual_seed(0)
    away = torch.randn(200, problem.d, generator=generator, dtype=torch.float64)
    tight = problem.factors[2][:, -1]
    points = problem.minimiser() + torch.cat([away.to(tight.device), tight.unsqueeze(0)])
    losses = problem.loss(points).cpu().numpy()
    squared = (problem.gradient(points) ** 2).sum(-1).cpu().numpy()
    measured = {Value(f, x): losses, norm2(Gradient(f, x)): squared}
    left, right = (value(side, measured, **known) for side in (claim.left, claim.right))
    for i, (low, high) in enumerate(zip(left, right, strict=True)):
        yield Point(float(low), float(high), 1e-10 * abs(float(high)), {"point": i})
