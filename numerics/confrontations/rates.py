r"""Convergence theorems against the exact expected trajectory on least squares."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from numerics.problems import LeastSquares
from numerics.verdicts import Point, Verdict, judge
from theory.evaluate import evaluate, value
from theory.expressions.terms import Gradient, Value, norm2
from theory.notation import f, x
from theory.statements import Theorem

__all__ = ["confront_conventions", "confront_rate"]

STEPS = 400
#: Step sizes as shares of the theorem's own best one, and radii as shares of its largest one.
STEP_SHARES = (0.25, 0.5, 1.0, 1.5)
RADIUS_SHARES = (0.0, 0.1, 0.5, 1.0)
#: The recursion multiplies n x m matrices once per step: each step loses a few hundred roundings.
ROUNDING = 1e-11


def confront_rate(theorem: Theorem, problem: LeastSquares) -> Verdict:
    r"""Compare $E f(x_t)$, exact for every t, with the proved $q^t f(x_0)$.

    Args:
        theorem: one with a quantity `factor` and parameters beta, L and mu or alpha.
        problem: its constants are exact, so every hypothesis is established.
    """
    return judge(
        theorem.id,
        problem.name,
        f"exact expected loss over {STEPS} steps against the proved rate",
        rate_points(theorem, problem),
    )


def rate_points(theorem: Theorem, problem: LeastSquares) -> Iterator[Point]:
    """The worst step of every setting that the theorem covers."""
    constants = problem.constants()
    known = {
        "beta": constants.beta,
        "L": constants.smoothness,
        "mu": constants.mu,
        "alpha": constants.alpha,
    }
    spec = theorem.dynamics.algorithm
    quantities = {quantity.name for quantity in theorem.quantities}
    for radius in radii(theorem, known, spec.perturbed):
        best = "best_step_size" if "best_step_size" in quantities else "step_size"
        anchor = evaluate(theorem, best, radius=radius, **known)
        shares = STEP_SHARES if best == "best_step_size" else (1.0,)
        for share in shares:
            step_size = share * float(anchor.value)
            factor = evaluate(theorem, "factor", step_size=step_size, radius=radius, **known)
            if not factor.covered or not factor.value < 1:
                continue
            curve = problem.expected_losses(spec, step_size, radius, STEPS).mean.numpy()
            times = np.arange(1, STEPS + 1)
            bounds = curve[0] * float(factor.value) ** times
            worst = int(np.argmin((bounds - curve[1:]) / bounds))
            yield Point(
                float(curve[1 + worst]),
                float(bounds[worst]),
                ROUNDING * times[worst] * float(bounds[worst]),
                {"step_size": step_size, "radius": radius, "t": int(times[worst])},
            )


def radii(theorem: Theorem, known: dict[str, float], perturbed: bool) -> Iterator[float]:
    """Radii over the whole range that the theorem admits; 0 alone for SGD."""
    if not perturbed:
        yield 0.0
        return
    largest = evaluate(theorem, "max_radius", **known)
    for share in RADIUS_SHARES:
        yield share * float(largest.value)


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
    points = torch.cat([minimiser + away, (minimiser + tight).unsqueeze(0)])
    losses = problem.loss(points).numpy()
    squared = (problem.gradient(points) ** 2).sum(-1).numpy()
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
