"""Intervals over seeds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

__all__ = ["CONFIDENCE", "Interval", "PairedRatio", "mean_interval", "paired_ratio", "slopes"]

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


@dataclass(frozen=True)
class Interval:
    """A mean over seeds with its confidence interval.

    Attributes:
        mean: of the values.
        low: the lower end of the interval.
        high: the upper end.
        count: how many values.
        confidence: the level, between 0 and 1.
    """

    mean: float
    low: float
    high: float
    count: int
    confidence: float


def mean_interval(values: ArrayLike, confidence: float = CONFIDENCE) -> Interval:
    """The mean of independent values with Student's interval; of differences for paired ones.

    Args:
        values: shape (seeds,).
        confidence: the level of the interval.

    Raises:
        ValueError: for fewer than two values, or one that is not finite.
    """
    sample = np.asarray(values, dtype=np.float64)
    if sample.ndim != 1 or len(sample) < 2 or not np.isfinite(sample).all():
        raise ValueError(f"values are {sample.tolist()}: give 2 or more finite numbers")
    mean, spread = float(sample.mean()), float(sample.std(ddof=1)) / len(sample) ** 0.5
    reach = float(stats.t.ppf((1 + confidence) / 2, len(sample) - 1)) * spread
    return Interval(mean, mean - reach, mean + reach, len(sample), confidence)


def slopes(places: ArrayLike, values: ArrayLike) -> np.ndarray:
    """The least-squares slope of every seed's values over common places, shape (seeds,).

    Args:
        places: shape (places,), not all equal.
        values: shape (places, seeds).

    Raises:
        ValueError: if the shapes do not fit, or the places are all equal.
    """
    x, y = np.asarray(places, dtype=np.float64), np.asarray(values, dtype=np.float64)
    if x.ndim != 1 or y.ndim != 2 or len(x) != len(y):
        raise ValueError(f"places and values have shapes {x.shape} and {y.shape}: give one each")
    centred = x - x.mean() if len(x) else x
    if not centred.any():
        raise ValueError(f"places are {x.tolist()}: a slope needs two that differ")
    return np.asarray(centred @ y / (centred @ centred))
