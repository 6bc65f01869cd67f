"""Moments and thresholds of drawn matrices, against rational arithmetic and the whole map."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import torch
from torch import Tensor

from numerics import hessians as library
from numerics import stability
from numerics.soundness import brute
from numerics.soundness.calls import Called, attempt
from numerics.soundness.dice import Dice
from theory.trusted.algorithms import SAM

__all__ = ["draw_matrices", "exact_tops", "judge_spectrum", "moment_verdict"]

_DIGITS = 60
_POWERS = (0, 0, 0, -1, 1, -4, 4, -8, 8, -12, 12, -20, -30, 30, -45, 45, -60, -77, 60)
"""Of ten: the units in which curvature is measured."""


def draw_matrices(dice: Dice) -> tuple[library.SampleHessians, Tensor, Tensor, int, str]:
    """Samples' Hessians as the library takes them, what they are given by, rounded, and words.

    The second is what `exact_tops` takes, and the number is the power of ten of the unit.
    """
    n, d, power = dice.pick((1, 2, 2, 3, 3, 4, 5)), dice.whole(1, 4), dice.pick(_POWERS)
    usual = ("ranks", "rank-one", "same", "diagonal", "zero")
    kinds = usual + usual + ("indefinite", "mixed", "cancel")
    kind, rank = dice.pick(kinds), dice.whole(1, d)
    unit = 10.0**power
    if kind == "rank-one":
        rows = dice.normal(n, d) * 10.0 ** (power // 2)
        found = library.SampleHessians.from_rank_one(rows)
        matrices = rows[:, :, None] * rows[:, None, :]
        return found, rows, matrices, 2 * (power // 2), f"{kind} n={n} d={d} 1e{power}"
    factor = dice.normal(n, d, rank)
    matrices = factor @ factor.mT
    if kind == "same":
        matrices = matrices[:1].expand(n, d, d).clone()
    elif kind == "diagonal":
        matrices = torch.diag_embed(dice.normal(n, d).square() * (dice.integers(3, n, d) > 0))
    elif kind == "indefinite":
        skewed = dice.normal(n, d, d)
        matrices = skewed + skewed.mT
    elif kind == "mixed":  # every sample but its mean indefinite
        turned = dice.normal(d, d)
        shifts = 3 * (turned + turned.mT)
        signs = torch.tensor([1.0 - 2 * (i % 2) for i in range(n)], dtype=torch.float64)
        mean = torch.eye(d, dtype=torch.float64)
        matrices = mean + signs[:, None, None] * shifts * (n > 1)
    elif kind == "cancel":
        shifts = dice.normal(n, d, d)
        matrices = shifts + shifts.mT
        matrices = matrices - matrices.mean(0) + 1e-9 * torch.eye(d, dtype=torch.float64)
    elif kind == "zero":
        matrices[0] = 0
    matrices = unit * 0.5 * (matrices + matrices.mT)
    words = f"{kind} n={n} d={d} 1e{power}"
    return library.SampleHessians.from_dense(matrices), matrices, matrices, power, words


def exact_tops(samples: Tensor, size: int, *, replacement: bool) -> list[Any]:
    r"""The largest eigenvalues of $H$ and $E H_B^k - H^k$, k = 2, 3, 4, in 60 digits.

    The matrices are formed in exact rational arithmetic from a list of all batches, as integers
    over one power of two.

    Args:
        samples: $H_i$, shape (n, d, d), or vectors $a_i$ of $H_i = a_i a_i^\top$, shape (n, d).
        size: samples in a batch.
        replacement: whether they are drawn independently.
    """
    array = samples.numpy()
    exponents = np.frexp(array[array != 0])[1]
    shift = 53 - int(exponents.min()) if exponents.size else 0
    whole = np.array(
        [int(Fraction(float(x)) * Fraction(2) ** shift) for x in array.ravel()], dtype=object
    ).reshape(array.shape)
    n = len(whole)
    if whole.ndim == 2:
        whole, shift = whole[:, :, None] * whole[:, None, :], 2 * shift
    chosen = list(
        itertools.product(range(n), repeat=size)
        if replacement
        else itertools.combinations(range(n), size)
    )
    sums = [sum(whole[i] for i in batch) for batch in chosen]
    total, count = sum(whole[i] for i in range(n)), len(chosen)
    found = [_top(total, Fraction(1, n) / Fraction(2) ** shift)]
    powers, power = list(sums), total
    for k in (2, 3, 4):
        powers = [p.dot(s) for p, s in zip(powers, sums, strict=True)]
        power = power.dot(total)
        # sum / (count B^k) - total^k / n^k over the common denominator
        gap = sum(powers) * n**k - power * (count * size**k)
        found.append(_top(gap, Fraction(1, count * size**k * n**k) / Fraction(2) ** (k * shift)))
    return found


def _top(matrix: Any, unit: Fraction) -> Any:
    with mpmath.workdps(_DIGITS):
        largest = max(abs(x) for x in matrix.ravel()) or 1
        rows = [[mpmath.mpf(int(x)) / int(largest) for x in row] for row in matrix]
        values = mpmath.eigsy(mpmath.matrix(rows), eigvals_only=True)
        scale = mpmath.mpf(int(largest)) * unit.numerator / unit.denominator
        return max(values) * scale


def moment_verdict(name: str, found: library.Moments, tops: list[Any], norm: float) -> Called:
    """Whether every moment is within its own bound of the exact one, with nothing added.

    Args:
        name: of the call.
        found: what the library says.
        tops: from `exact_tops`.
        norm: the largest of the samples' norms.
    """
    values = (found.sharpness, found.s2, found.s3, found.s4)
    errors = (found.sharpness_error, found.s2_error, found.s3_error, found.s4_error)
    if not np.isfinite([*values, *found.gaps]).all() or np.isnan(errors).any():
        return Called("wrong", name, "NaN or infinite moments were returned")
    with mpmath.workdps(_DIGITS):
        for order, (value, error, top) in enumerate(zip(values, errors, tops, strict=True), 1):
            right = top if order == 1 else mpmath.root(max(top, mpmath.mpf(0)), order)
            distance, what = abs(value - right), "a" if order == 1 else f"s{order}"
            if distance > error:
                reason = f"{what} is {value:.8g} +- {error:.1e}, off by {float(distance):.1e}"
                return Called("wrong", name, reason)
            if error > 0.1 * norm:
                reason = f"{what} is {value:.3g} +- {error:.1e} where no sample is above {norm:.1e}"
                return Called("wrong", name, f"vacuous: {reason}")
    return Called("right", name)


def judge_spectrum(dice: Dice) -> tuple[list[Called], bool, str]:
    """Judge the moments and thresholds of one draw of matrices.

    Returns:
        What came of the calls, whether the premises of all of them hold, and words.
    """
    found, given, matrices, power, words = draw_matrices(dice)
    n = len(matrices)
    size, replacement = dice.whole(1, min(n, 3)), dice.chance(0.4)
    words += f" B={size}{' with replacement' if replacement else ''}"
    ascent, radius = dice.pick(("same", "sample", "fresh")), dice.pick((0.0, 0.05, 1.0, 30.0))
    verdicts = list(_moments(found, given, _norm(matrices), size, replacement=replacement))
    before = matrices.clone()
    verdicts += _threshold(found, matrices, size, radius * 10.0**-power, ascent)
    if not torch.equal(before, matrices):
        verdicts.append(Called("wrong", "left as it was", "the matrices changed"))
    return (
        verdicts,
        brute.has_premises(matrices),
        f"matrices | {words} | {ascent}, radius {radius:g}e{-power}",
    )


def _moments(
    found: library.SampleHessians, given: Tensor, norm: float, size: int, *, replacement: bool
) -> Iterator[Called]:
    tops = exact_tops(given, size, replacement=replacement)
    for method in ("dense", "lanczos"):
        name = f"moments {method}"
        result, problem = attempt(
            name,
            functools.partial(
                library.moments, found, batch_size=size, replacement=replacement, method=method
            ),
        )
        yield problem or moment_verdict(name, result, tops, norm)


def _norm(matrices: Tensor) -> float:
    unit = float(matrices.abs().max()) or 1.0
    return unit * float(torch.linalg.matrix_norm(matrices / unit, 2).max())


def _threshold(
    found: library.SampleHessians, matrices: Tensor, size: int, radius: float, ascent: str
) -> Iterator[Called]:
    spec = replace(SAM, fresh_batch=ascent == "fresh")
    result, problem = attempt(
        f"threshold {ascent}",
        lambda: stability.stability_threshold(
            found, radius, spec, batch_size=size, ascent_per_sample=ascent == "sample"
        ),
    )
    if problem is not None:
        yield brute.due_or_not(problem, matrices)
    else:
        yield brute.threshold_verdict(result, matrices, radius, size, ascent)
