r"""Convergence theorems against exact expected trajectories on least squares."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from numerics.confrontations.verdicts import Point, Verdict, judge
from numerics.problems import LeastSquares
from theory.evaluation import evaluate, parameters, value
from theory.library import sam_distance
from theory.trusted.notation import f, x
from theory.trusted.statements import Theorem
from theory.trusted.terms import Along, Gradient, Value, norm2

__all__ = [
    "confront_batches",
    "confront_comparison",
    "confront_conventions",
    "confront_decrease",
    "confront_rate",
]

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


@dataclass(frozen=True)
class Setting:
    """A run: the parameters of the problem and of the algorithm, by their names in theorems."""

    parameters: dict[str, float]
    batch_size: int

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
    if "p" not in parameters(theorem.hypotheses):
        yield 1, known
        return
    perturbed = theorem.dynamics is not None and theorem.dynamics.algorithm.perturbed
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


def confront_rate(theorem: Theorem, problem: LeastSquares) -> Verdict:
    r"""Compare the expected loss or squared distance, exact for every t, with the proved rate.

    Args:
        theorem: one with a step `rate` and a quantity `factor`.
        problem: its constants are exact, so every hypothesis is established.
    """
    return judge(
        theorem.id,
        problem.name,
        f"exact expectations over {STEPS} steps against the proved rate",
        rate_points(theorem, problem),
    )


def rate_points(theorem: Theorem, problem: LeastSquares) -> Iterator[Point]:
    """The worst step of every setting that the theorem covers."""
    for setting in settings(theorem, problem):
        factor = evaluate(theorem, "factor", **setting.parameters)
        if not factor.covered or not factor.value < 1:
            continue
        measured = curve(theorem, problem, setting, is_of_loss(theorem))
        bounds = measured[0] * float(factor.value) ** np.arange(1, STEPS + 1)
        yield worst_step(measured[1:], bounds, setting)


def is_of_loss(theorem: Theorem) -> bool:
    """Whether the theorem's rate is one of the loss; otherwise it is one of the distance."""
    (claim,) = (lemma.claim for lemma in theorem.proof if lemma.name == "rate")
    return isinstance(claim.left, Along) and claim.left.argument == Value(f, x)


def curve(theorem: Theorem, problem: LeastSquares, setting: Setting, of_loss: bool) -> np.ndarray:
    """The exact expected loss, or squared distance to the nearest minimiser: (STEPS + 1,)."""
    assert theorem.dynamics is not None, "the bound is on the iterates of an algorithm"
    given = setting.parameters
    run = theorem.dynamics.algorithm, given["step_size"], given["radius"], STEPS
    if of_loss:
        return problem.expected_losses(*run, batch_size=setting.batch_size).mean.cpu().numpy()
    return problem.expected_distances(*run, batch_size=setting.batch_size).cpu().numpy()


def worst_step(measured: np.ndarray, bounds: np.ndarray, setting: Setting) -> Point:
    """The step at which a curve comes closest to its bound, or exceeds it most."""
    at = int(np.argmin((bounds - measured) / bounds))
    bound = float(bounds[at])
    where = setting.where | {"t": at + 1}
    return Point(float(measured[at]), bound, ROUNDING * (at + 1) * bound, where)


def confront_decrease(theorem: Theorem, problem: LeastSquares) -> Verdict:
    r"""Compare $E\|x_{t+1} - x_*\|^2$ with what the theorem's one step leaves of it, at every t."""
    (claim,) = (lemma.claim for lemma in theorem.proof if lemma.name == "one step")

    def points() -> Iterator[Point]:
        for setting in settings(theorem, problem):
            if evaluate(theorem, "max_step_size", **setting.parameters).covered:
                far, loss = (curve(theorem, problem, setting, of) for of in (False, True))
                measured = {sam_distance.distance: far[:-1], Value(f, x): loss[:-1]}
                bounds = value(claim.right, measured, **setting.parameters)
                yield worst_step(far[1:], bounds, setting)

    return judge(theorem.id, problem.name, f"exact expectations over {STEPS} steps", points())


def confront_comparison(theorem: Theorem, problem: LeastSquares) -> Verdict:
    """Compare a factor with the published ones, at the constants of the problem."""

    def points() -> Iterator[Point]:
        for setting in settings(theorem, problem):
            factor = evaluate(theorem, "factor", **setting.parameters)
            for name in ("improved_factor", "published_factor"):
                other = evaluate(theorem, name, **setting.parameters)
                if factor.covered and other.covered:
                    bound = float(other.value)
                    # a dozen operations on numbers of order 1, some of which cancel
                    yield Point(float(factor.value), bound, 1e-14, setting.where)

    return judge(theorem.id, problem.name, "both factors at the problem's constants", points())


def confront_batches(theorem: Theorem, problem: LeastSquares) -> Verdict:
    r"""Compare $E\|\nabla f_B\|^2$, over all batches of up to two samples, with the claim."""
    (claim,) = (lemma.claim for lemma in theorem.proof if lemma.name in theorem.conclusion)
    generator = torch.Generator().manual_seed(0)
    away = torch.randn(20, problem.d, generator=generator, dtype=torch.float64)
    known = batches(theorem, problem)

    def points() -> Iterator[Point]:
        for size, constants in known:
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

    return judge(theorem.id, problem.name, "all batches of one and two samples", points())


def confront_conventions(theorem: Theorem, problem: LeastSquares) -> Verdict:
    r"""Check the PL condition that the theorem concludes, in its own convention.

    At random points and along the eigenvector of the smallest curvature, where it is tight.
    """
    constants = problem.constants()
    claim = theorem.proof[-1].claim
    generator = torch.Generator().manual_seed(0)
    minimiser = problem.minimiser()
    away = torch.randn(200, problem.d, generator=generator, dtype=torch.float64)
    tight = problem.factors[2][:, -1]
    offsets = torch.cat([away.to(tight.device), tight.unsqueeze(0)])
    points = minimiser + offsets
    losses = problem.loss(points).cpu().numpy()
    squared = (problem.gradient(points) ** 2).sum(-1).cpu().numpy()
    measured = {Value(f, x): losses, norm2(Gradient(f, x)): squared}
    known = {"mu": constants.mu, "alpha": constants.alpha}
    left, right = (value(side, measured, **known) for side in (claim.left, claim.right))
    return judge(
        theorem.id,
        problem.name,
        "both sides at 201 points, one of them extremal",
        (
            Point(float(low), float(high), 1e-10 * float(high), {"point": i})
            for i, (low, high) in enumerate(zip(left, right, strict=True))
        ),
    )
