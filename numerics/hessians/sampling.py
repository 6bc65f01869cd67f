r"""Sharpness and moments estimated from few samples, with intervals that say what they cover.

Let A be H or $E H_B^k - H^k$ of a set of N samples.  Groups of m samples, each drawn without
replacement and independently of the other groups, give independent unbiased estimates
$\hat A_g$ of the whole matrix: averages over *distinct* indices of the group, so that neither
$H^k$ nor the gap is biased (U-statistics; `distinct_weights`).  Two one-sided bounds for
$\lambda_{\max}(A)$ follow.

- Below: u is the top eigenvector of the mean over the first half of the groups, and the second
  half knows nothing of it, so that $u^\top \hat A_g u$ has mean
  $u^\top A u \le \lambda_{\max}(A)$.
- Above: $\lambda_{\max}$ is convex, so that
  $E\lambda_{\max}(\hat A_g) \ge \lambda_{\max}(A)$ (Jensen).

Each mean is bounded by Student's t over the groups, at half the error probability.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from numerics.checks import check_count, check_positive
from numerics.hessians.batches import HIGHEST, distinct_weights
from numerics.hessians.samples import SampleHessians
from numerics.hessians.spectra import lanczos_eigenpair
from numerics.hessians.words import apply_words
from numerics.progress import progress
from numerics.shown import between, draw_intervals, table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["SampledMaximum", "SampledMoments", "gap_weights", "sampled_moments"]


@dataclass(frozen=True)
class SampledMaximum:
    r"""An interval for $\lambda_{\max}(A)$ from random groups of samples.

    Attributes:
        low: lower end; below $\lambda_{\max}(A)$ even where the direction found is a poor one.
        high: upper end; far above $\lambda_{\max}(A)$ where the groups are small.
        along: mean of $u^\top \hat A_g u$ over the second half of the groups: unbiased for
            $u^\top A u$ in the direction u that the first half chose.
        standard_error: of `along`.
    """

    low: float
    high: float
    along: float
    standard_error: float


@dataclass(frozen=True)
class SampledMoments:
    r"""Sampled, not computed: intervals for a and $s_k$ of all N samples.

    An interval covers its number with probability `confidence`, over the draw of the groups; each
    one by itself, not all four at once.  Only normality of the group means is assumed (Student's
    t), which improves with the size and the number of the groups.

    Attributes:
        sharpness: a = $\lambda_{\max}(H)$.
        gaps: $\lambda_{\max}(E H_B^k - H^k)$, signed, for k = 2, 3, 4; 0 or infinite where that is
            no float64.
        roots: intervals for $s_k = \lambda_{\max}(E H_B^k - H^k)_+^{1/k}$, k = 2, 3, 4.
        confidence: of each interval.
        samples: N.
        group_size: samples in a group.
        groups: how many; half of them for directions.
        batch_size: B, drawn without replacement.
        size: d.
        seed: of the groups and of Lanczos.
        dtype: of the computation.
        device: of the computation.
    """

    sharpness: SampledMaximum
    gaps: tuple[SampledMaximum, SampledMaximum, SampledMaximum]
    roots: tuple[tuple[float, float], tuple[float, float], tuple[float, float]]
    confidence: float
    samples: int
    group_size: int
    groups: int
    batch_size: int
    size: int
    seed: int
    dtype: str
    device: str

    def __repr__(self) -> str:
        numbers = ", ".join(f"{name} in {interval}" for name, interval in self._rows())
        return f"SampledMoments({numbers}; {self._setting()})"

    def _repr_html_(self) -> str:
        return table(f"Sampled moments: {self._setting()}", self._rows())

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the four intervals.

        Args:
            ax: where to draw; matplotlib's current axes by default.
        """
        return draw_intervals(self._ends(), ax)

    def _ends(self) -> list[tuple[float, float]]:
        return [(self.sharpness.low, self.sharpness.high), *self.roots]

    def _rows(self) -> list[tuple[str, str]]:
        names = ("a", "s2", "s3", "s4")
        return [(name, between(*ends)) for name, ends in zip(names, self._ends(), strict=True)]

    def _setting(self) -> str:
        groups = f"{self.groups} groups of {self.group_size} of {self.samples} samples"
        return f"each with probability {self.confidence:g}, {groups}, batches of {self.batch_size}"

    def root(self, order: int) -> tuple[float, float]:
        r"""The interval for $s_k = \lambda_{\max}(E H_B^k - H^k)_+^{1/k}$, $k$ = `order`.

        Raises:
            ValueError: if the order is not 2, 3 or 4.
        """
        return self.roots[check_count("order", order, least=2, most=HIGHEST) - 2]


def sampled_moments(
    select: Callable[[Tensor], SampleHessians],
    samples: int,
    *,
    group_size: int = 64,
    groups: int = 16,
    batch_size: int = 1,
    confidence: float = 0.95,
    seed: int = 0,
    tolerance: float = 1e-6,
) -> SampledMoments:
    r"""Bound a, $s_2$, $s_3$ and $s_4$ of a large set from some of its samples.

    Args:
        select: indices of shape (m,) to the Hessians of these samples, e.g.
            `lambda i: per_sample(model, loss, inputs[i], targets[i])`; all groups are held at once.
        samples: N; indices are 0 ... N - 1.
        group_size: samples in a group, at least 4; larger groups lower the upper ends.
        groups: at least 4 and even; more groups shorten both ends' t intervals.
        batch_size: B of the mini-batches, without replacement from the N.
        confidence: of each interval, in (0, 1).
        seed: of the groups and of Lanczos.
        tolerance: relative residual at which Lanczos stops.

    Raises:
        ValueError: if a number is out of range, or Lanczos does not converge.

    Source: W. Mak, D. Morton and R. Wood, Operations Research Letters 24 (1999), for bounds of an
    optimum from both sides by sampling.
    """
    check_count("samples", samples, least=HIGHEST)
    check_count("group_size", group_size, least=HIGHEST, most=samples)
    check_count("batch_size", batch_size, most=samples)
    if check_count("groups", groups, least=4) % 2:
        raise ValueError(f"groups is {groups}: give an even number, half of them for directions")
    if not check_positive("confidence", confidence) < 1:
        raise ValueError(f"confidence is {confidence}: it must be below 1")
    generator = torch.Generator().manual_seed(seed)
    drawn = [
        select(torch.randperm(samples, generator=generator)[:group_size]) for _ in range(groups)
    ]
    unit = max(group.magnitude() for group in drawn)  # powers are formed in it
    drawn = [group.scaled(1 / unit) for group in drawn]
    start = torch.randn(drawn[0].size, generator=generator, dtype=torch.float64)
    start = start.to(drawn[0].device, drawn[0].dtype)
    found = []
    for order in progress(range(1, HIGHEST + 1), "sampled moments"):
        weights = gap_weights(order, group_size, batch_size, samples)
        found.append(_bounded(drawn, weights, start, confidence, tolerance))
    sharpness, second, third, fourth = found
    return SampledMoments(
        _times(sharpness, unit, 1),
        (_times(second, unit, 2), _times(third, unit, 3), _times(fourth, unit, 4)),
        (_roots(second, unit, 2), _roots(third, unit, 3), _roots(fourth, unit, 4)),
        confidence,
        samples,
        group_size,
        groups,
        batch_size,
        drawn[0].size,
        seed,
        str(start.dtype).removeprefix("torch."),
        str(start.device),
    )


def gap_weights(order: int, drawn: int, batch_size: int, samples: int) -> dict[str, Fraction]:
    r"""Words that estimate $E H_B^k - H^k$ of N samples from m of them without bias; H for k = 1.

    Args:
        order: k.
        drawn: m.
        batch_size: B.
        samples: N; at m = N the estimate is exact.
    """
    batches = distinct_weights(order, drawn, batch_size)
    if order > 1:
        power = distinct_weights(order, drawn, samples)
        batches = {word: weight - power[word] for word, weight in batches.items()}
    return {word: weight for word, weight in batches.items() if weight}


def _bounded(
    groups: list[SampleHessians],
    weights: Mapping[str, Fraction],
    start: Tensor,
    confidence: float,
    tolerance: float,
) -> SampledMaximum:
    """Both bounds for one matrix."""
    rounded = {word: float(weight) for word, weight in weights.items()}
    if not rounded:  # a batch of all samples
        return SampledMaximum(0.0, 0.0, 0.0, 0.0)
    half = len(groups) // 2

    def apply(vector: Tensor, some: list[SampleHessians]) -> Tensor:
        return torch.stack([apply_words(group, rounded, vector) for group in some]).mean(0)

    _, direction = lanczos_eigenpair(lambda v: apply(v, groups[:half]), start, tolerance=tolerance)
    forms = [float(direction @ apply(direction, [group])) for group in groups[half:]]
    along, error = _mean(forms)
    tops = []
    for group in groups:
        top, _ = lanczos_eigenpair(
            functools.partial(apply, some=[group]), start, tolerance=tolerance
        )
        tops.append(top.value + top.error)
    above, above_error = _mean(tops)
    level = 0.5 + confidence / 2
    low = along - float(stats.t.ppf(level, len(forms) - 1)) * error
    high = above + float(stats.t.ppf(level, len(tops) - 1)) * above_error
    return SampledMaximum(low, high, along, error)


def _times(found: SampledMaximum, unit: float, order: int) -> SampledMaximum:
    """The k-th power of a unit, put back; infinite or 0 where that is no float64."""
    ends = (found.low, found.high, found.along, found.standard_error)
    return SampledMaximum(*(math.prod([unit] * order, start=end) for end in ends))


def _roots(gap: SampledMaximum, unit: float, order: int) -> tuple[float, float]:
    """The interval for the k-th root of the positive part."""
    low, high = (unit * max(end, 0.0) ** (1 / order) for end in (gap.low, gap.high))
    return low, high


def _mean(values: list[float]) -> tuple[float, float]:
    """The mean and its standard error."""
    return float(np.mean(values)), float(np.std(values, ddof=1) / len(values) ** 0.5)
