"""Moments and thresholds by enumeration: every batch, and the whole map on pairs of directions."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from numerics.hessians import Moments
from numerics.soundness.calls import Called
from numerics.stability import StabilityThreshold

__all__ = [
    "LARGEST",
    "brute_threshold",
    "due_or_not",
    "has_premises",
    "threshold_verdict",
    "within",
]

LARGEST = 12
"""Most directions in which the map on matrices is written down whole."""

_CLOSE = 1e-6
"""Relative distance that is allowed of thresholds: bisection, and eigenvalues of a map that need
not be symmetric, whose round-off is amplified by the condition of their vectors."""


def within(name: str, found: Moments, tops: Sequence[float], slacks: Sequence[float]) -> Called:
    r"""Whether a and $s_2, s_3, s_4$ are within their bounds of the enumerated ones.

    Args:
        name: of the call.
        found: what the library says.
        tops: largest eigenvalues of $H$ and of $E H_B^k - H^k$.
        slacks: uncertainty of each, from the Hessians' own round-off.
    """
    values = (found.sharpness, found.s2, found.s3, found.s4)
    errors = (found.sharpness_error, found.s2_error, found.s3_error, found.s4_error)
    if not np.isfinite([*values, *found.gaps]).all() or np.isnan(errors).any():
        return Called("wrong", name, "NaN or infinite moments were returned")
    for order, (value, error, top, slack) in enumerate(
        zip(values, errors, tops, slacks, strict=True), start=1
    ):
        low, high = top - slack, top + slack
        if order > 1:
            low, high = (max(x, 0.0) ** (1 / order) for x in (low, high))
        room = 4 * np.finfo(float).eps * abs(high)
        if not low - error - room <= value <= high + error + room:
            what = "a" if order == 1 else f"s{order}"
            return Called(
                "wrong", name, f"{what} is {value:.8g} +- {error:.1e}, not {low:.8g} ... {high:.8g}"
            )
    return Called("right", name)


def has_premises(matrices: Tensor) -> bool:
    """Whether every matrix is positive semidefinite up to round-off, and one is not zero."""
    scale = float(matrices.abs().max())
    if scale == 0:
        return False
    values = torch.linalg.eigvalsh(matrices / scale)
    return bool((values[:, 0] >= -_CLOSE * values[:, -1].max()).all())


def due_or_not(refusal: Called, matrices: Tensor) -> Called:
    """A refused threshold, marked where it had to be refused."""
    due = refusal.status == "refused" and not has_premises(matrices)
    return replace(refusal, due=due)


def threshold_verdict(
    found: StabilityThreshold, matrices: Tensor, radius: float, batch_size: int, ascent: str
) -> Called:
    """Whether a threshold is that of the enumerated second-moment map, and has its premises."""
    name = f"threshold {ascent}"
    numbers = (found.value, found.lower, found.upper)
    if not np.isfinite(numbers[:2]).all() or np.isnan(found.upper):
        return Called("wrong", name, f"a threshold of {numbers}")
    values = torch.linalg.eigvalsh(matrices)
    scale = float(values.abs().max())
    worst = int(values[:, 0].argmin())
    if float(values[worst, 0]) < -1e-8 * scale:
        low = float(values[worst, 0])
        return Called("wrong", name, f"sample {worst} has the eigenvalue {low:.3g}, below zero")
    expected = brute_threshold(matrices, radius, batch_size, ascent)
    if abs(found.value / expected - 1) > _CLOSE:
        return Called("wrong", name, f"{found.value:.9g}, not {expected:.9g}")
    if not found.lower * (1 - _CLOSE) <= expected <= found.upper * (1 + _CLOSE):
        return Called("wrong", name, f"{expected:.9g} is not in {found.lower} ... {found.upper}")
    width = (found.upper - found.lower) / found.value
    if not width <= 1e-3:
        return Called("wrong", name, f"a bracket of relative width {width:.1e}")
    return Called("right", name)


def brute_threshold(matrices: Tensor, radius: float, batch_size: int, ascent: str) -> float:
    r"""The $\eta$ where the spectral radius of $X \mapsto E[(I-\eta K)X(I-\eta K)^\top]$ is 1.

    Args:
        matrices: $H_i$, positive semidefinite, shape (n, d, d).
        radius: of the perturbation.
        batch_size: B, without replacement.
        ascent: `same` batch, per `sample`, or `fresh` batch.
    """
    scale = float(torch.linalg.matrix_norm(matrices, 2).max())
    h, rho = matrices.numpy() / scale, radius * scale
    stacked = np.concatenate(list(h), axis=0)
    _, sizes, rows = np.linalg.svd(stacked)
    inside = rows[: int((sizes > 1e-9 * sizes[0]).sum())]
    h = inside @ h @ inside.T
    one = np.eye(len(inside))
    chosen = [list(c) for c in itertools.combinations(range(len(h)), batch_size)]
    means = [h[c].mean(0) for c in chosen]
    if ascent == "same":
        steps = [m @ (one + rho * m) for m in means]
    elif ascent == "sample":
        each = h @ (one + rho * h)
        steps = [each[c].mean(0) for c in chosen]
    else:
        steps = [m @ (one + rho * other) for m in means for other in means]
    first = np.mean([np.kron(k, one) + np.kron(one, k) for k in steps], axis=0)
    second = np.mean([np.kron(k, k) for k in steps], axis=0)
    whole = np.eye(len(one) ** 2)

    def grows(step: float) -> bool:
        return bool(np.abs(np.linalg.eigvals(whole - step * first + step**2 * second)).max() > 1)

    low, high = 0.0, 4.0  # beyond 2 / norm of the mean no step is stable; scaled, 2 d n at most
    while not grows(high):
        low, high = high, 2 * high
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if grows(middle) else (middle, high)
    return (low + high) / 2 / scale
