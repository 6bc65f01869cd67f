"""Intervals over seeds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

__all__ = ["CONFIDENCE", "PairedRatio", "paired_ratio"]

CONFIDENCE = 0.95


@dataclass(frozen=True)
class PairedRatio:
    """A ratio of two quantities measured on the same seeds.

    Attributes:
        ratio: the geometric mean of the ratios.
        low: the lower end of the confidence interval.
        high: the upper end.
        pairs: how many seeds.
        confidence: the level, between 0 and 1.
    """

    ratio: float
    low: float
    high: float
    pairs: int
    confidence: float


def paired_ratio(values: ArrayLike, base: ArrayLike, confidence: float = CONFIDENCE) -> PairedRatio:
    """The ratio values / base with a t interval on the logarithms of the paired ratios.

    Args:
        values: positive, shape (seeds,).
        base: positive, shape (seeds,), in the same order.
        confidence: the level of the interval.

    Raises:
        ValueError: for fewer than two pairs, or a number that is not positive.
    """
    top, bottom = np.asarray(values, dtype=np.float64), np.asarray(base, dtype=np.float64)
    if top.shape != bottom.shape or top.ndim != 1 or len(top) < 2:
        raise ValueError(
            f"paired values have shapes {top.shape} and {bottom.shape}: give 2 or more"
        )
    if not (np.all(top > 0) and np.all(bottom > 0)):
        raise ValueError("a paired value is not positive: ratios of logarithms need positive ones")
    logs = np.log(top / bottom)
    interval = stats.ttest_1samp(logs, 0.0).confidence_interval(confidence)
    ratio, low, high = np.exp([logs.mean(), interval.low, interval.high])
    return PairedRatio(float(ratio), float(low), float(high), len(logs), confidence)
