r"""What is known about stability short of the exact threshold: step sizes where each bound ends.

In increasing order, at one radius: the one-step condition $\lambda_{\max}(E M_b^2) \le 1$ holds up
to $\eta_1$ (sufficient); the exact threshold; $\sup_u E (u^\top M_b u)^2 \le 1$ up to $\eta_u$, and
the sharpness edge (both necessary).  The bounds on $s_k$ are necessary for the one-step condition
only.  Every formula of a theorem is the theorem's own.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy import optimize
from torch import Tensor

import theory
from numerics.checks import check_count, check_nonnegative
from numerics.hessians import Estimate, Moments, SampleHessians
from numerics.hessians.moments import in_units, unit_of
from numerics.hessians.spectra import lanczos_eigenvalue
from numerics.hessians.words import BatchHessians
from numerics.stability.laws import StepLaw
from theory.evaluation import evaluate, parameters, value
from theory.trusted.statements import Theorem

__all__ = [
    "Directional",
    "directional_threshold",
    "mean_sharpness",
    "measured_power",
    "one_step_threshold",
    "order_of",
    "theorem_threshold",
]

#: Step sizes searched, as multiples of 2 / sharpness, and the relative precision of an end.
SEARCHED = (1e-6, 1e6)
PRECISION = 1e-13


@dataclass(frozen=True)
class Directional:
    r"""The step size beyond which one direction alone proves instability.

    Attributes:
        value: $2\,u^\top \bar K u / E(u^\top K_b u)^2$ at the best u found: an upper bound on
            $\eta_*$ whatever u is; a local optimum over u.
        direction: u, a unit vector in the eigenbasis of the law, shape (R,).
        gradient: norm of the gradient at u of the logarithm of the quotient maximised.
    """

    value: float
    direction: Tensor
    gradient: float


def one_step_threshold(law: StepLaw) -> float:
    r"""Largest $\eta$ with $\lambda_{\max}(E M_b^2) \le 1$, SAM's published sufficient condition.

    For symmetric $K_b$, $E M_b^2 = I - 2\eta \bar K + \eta^2 E K_b^2$, so that
    $\eta_1 = 2/\lambda_{\max}(\bar K^{-1/2} E K_b^2 \bar K^{-1/2})$: an eigenvalue, no search.

    Raises:
        ValueError: if the $K_b$ are not symmetric.
    """
    _check_symmetric(law)
    identity = torch.eye(law.dimension, dtype=law.curvatures.dtype, device=law.curvatures.device)
    root = law.curvatures.rsqrt()
    scaled = root[:, None] * law.congruence(identity) * root
    return 2 / float(torch.linalg.eigvalsh(scaled)[-1])


def directional_threshold(
    law: StepLaw, eigenmatrix: Tensor, *, starts: int = 4, seed: int = 0
) -> Directional:
    r"""Upper bound on the exact threshold from single directions, locally optimal.

    $E(u^\top M_b u)^2 \le \lambda_{\max}(T_\eta)$ is the quotient of the exact criterion at
    $X = u u^\top$, so $\eta_* \le 2\,u^\top \bar K u\,\|u\|^2 / (u^\top D(u u^\top)\,u)$ for all u.

    Args:
        law: with symmetric $K_b$.
        eigenmatrix: X of the exact threshold: the search starts from its leading eigenvectors and
            from draws of N(0, X).
        starts: how many of each.
        seed: of the draws.

    Raises:
        ValueError: if the $K_b$ are not symmetric.
    """
    _check_symmetric(law)
    like = law.curvatures

    def objective(point: np.ndarray) -> tuple[float, np.ndarray]:
        u = torch.as_tensor(point, dtype=like.dtype, device=like.device)
        image, slope = law.along(u), law.curvatures * u
        quartic, quadratic, square = float(u @ image), float(u @ slope), float(u @ u)
        gradient = 2 * slope / quadratic + 2 * u / square - 4 * image / quartic
        value = np.log(quadratic) + np.log(square) - np.log(quartic)
        return float(value), gradient.cpu().numpy()

    values, vectors = torch.linalg.eigh(eigenmatrix)
    normal = torch.randn(starts, law.dimension, generator=torch.Generator().manual_seed(seed))
    drawn = normal.to(like) * values.clamp(min=0).sqrt() @ vectors.T
    found = [
        optimize.minimize(objective, start.cpu().numpy(), jac=True, method="L-BFGS-B")
        for start in (*vectors.T[-starts:], *(drawn / drawn.norm(dim=1, keepdim=True)))
    ]
    best = min(found, key=lambda result: float(result.fun))
    unit = best.x / np.linalg.norm(best.x)
    value, gradient = objective(unit)
    direction = torch.as_tensor(unit, dtype=like.dtype, device=like.device)
    return Directional(2 * float(np.exp(value)), direction, float(np.linalg.norm(gradient)))


def mean_sharpness(
    hessians: SampleHessians, radius: float = 0.0, *, batch_size: int = 1, seed: int = 0
) -> Estimate:
    r"""$\lambda_{\max}(H + \rho E H_B^2)$, which is at most $2/\eta$ where SAM is stable.

    The largest eigenvalue of the mean of what SAM's step has in place of the Hessian, with ascent
    and descent on one batch B drawn without replacement (theorem `sam-stability-mean-edge`); the
    sharpness at $\rho = 0$.  No $H_i$ need be positive semidefinite.

    Args:
        hessians: the $H_i$.
        radius: $\rho \ge 0$.
        batch_size: B, in 1 ... n.
        seed: of the starting vector of Lanczos.

    Returns:
        The eigenvalue, and the residual with round-off within which one lies.

    Raises:
        ValueError: if an argument is out of range, Lanczos does not converge, or the eigenvalue is
            no float64.
    """
    check_nonnegative("radius", radius)
    check_count("batch_size", batch_size, most=hessians.samples)
    unit = unit_of(hessians)
    hessians, scale = hessians.scaled(1 / unit), radius * unit
    if not math.isfinite(scale):
        raise ValueError(f"radius {radius:g} times the Hessians is no float64: scale them down")
    batches = BatchHessians(hessians, batch_size)
    start = torch.randn(
        hessians.size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    ).to(hessians.device, hessians.dtype)

    def product(vector: Tensor) -> Tensor:
        return hessians.mean_matvec(vector) + scale * batches.mean_matvec(vector, 2)

    def terms(vector: Tensor) -> float:
        square = float((vector * hessians.mean_matvec(vector, 2)).sum())
        return max(square, 0.0) ** 0.5 + scale * batches.terms_norm(vector, 2)

    found = in_units(lanczos_eigenvalue(product, start, scale=terms), unit)
    if not math.isfinite(found.value + found.error):
        raise ValueError("the eigenvalue is no float64: scale the Hessians down")
    return found


def theorem_threshold(theorem_ids: Sequence[str], moments: Moments, radius: float) -> float:
    r"""Step size from which the measured sharpness or $s_k$ violates a theorem, at one radius.

    The bounds tighten as the step size grows, and the theorems given cover every step size beyond
    the first that they cover, so the violated step sizes are an interval up to infinity.

    Args:
        theorem_ids: one theorem, or one for each range of $\rho/\eta$: with a quantity `limit` (on
            the sharpness) or `bound` (on a power of $s_k$).
        moments: measured at the minimum.
        radius: $\rho$.

    Returns:
        The left end of that interval; NaN if nothing is violated.
    """
    tests = [_violation(theory.get(theorem_id), moments, radius) for theorem_id in theorem_ids]

    def violated(step_size: float) -> bool:
        return any(test(step_size) for test in tests)

    low, high = (share * 2 / moments.sharpness for share in SEARCHED)
    if violated(low) or not violated(high):
        return float("nan")
    while high > low * (1 + PRECISION):
        middle = (low * high) ** 0.5
        if not low < middle < high:
            break
        low, high = (low, middle) if violated(middle) else (middle, high)
    return high


def measured_power(theorem: Theorem, moments: Moments) -> Estimate:
    """The left side of a theorem's bound on one $s_k$, such as $s_3^6$, as measured."""
    order = order_of(theorem)
    bound = next(q.expression for q in theorem.quantities if q.name == "bound")
    claim = next(step.claim for step in theorem.proof if step.claim.right == bound)
    s = float(getattr(moments, f"s{order}"))
    error = float(getattr(moments, f"s{order}_error"))
    power = float(value(claim.left, **{f"s_{order}": s}))
    return Estimate(power, float(value(claim.left, **{f"s_{order}": s + error})) - power)


def order_of(theorem: Theorem) -> int:
    """The k of the $s_k$ that a theorem bounds: its only parameter of that name."""
    (order,) = {int(name[2:]) for name in parameters(theorem) if re.fullmatch("s_[234]", name)}
    return order


def _violation(theorem: Theorem, moments: Moments, radius: float) -> Callable[[float], bool]:
    """Whether a step size is covered by the theorem and violates it."""
    on_sharpness = "limit" in {quantity.name for quantity in theorem.quantities}
    if on_sharpness:
        measured = float(evaluate(theorem, "left", a=moments.sharpness, radius=radius).value)
    else:
        measured = measured_power(theorem, moments).value

    def violated(step_size: float) -> bool:
        at = {"step_size": step_size} | ({} if on_sharpness else {"radius": radius})
        allowed = evaluate(theorem, "limit" if on_sharpness else "bound", **at)
        return bool(allowed.covered) and measured > float(allowed.value)

    return violated


def _check_symmetric(law: StepLaw) -> None:
    if not law.symmetric:
        raise ValueError(
            f"{law.name} ascends on a fresh batch and its step is not symmetric: use the same batch"
        )
