r"""Measured rates: the factor per step of a loss curve, with a confidence interval."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from torch import Tensor

from numerics.checks import check_count

__all__ = ["RateFit", "fit_rate"]


@dataclass(frozen=True)
class RateFit:
    r"""A fitted law $f(x_t) \approx C\,\text{rate}^t$ on $t =$ `first` ... `last`.

    Attributes:
        rate: the factor per step.
        low: lower end of the confidence interval of `rate`.
        high: upper end.
        confidence: level of the interval.
        log_rate_error: standard error of $\log$ `rate`.
        misfit: root mean square of $\log f - \log \text{fit}$; 0 for an exact exponential.
        first: first step used.
        last: last step used.
        method: how the interval was obtained.
    """

    rate: float
    low: float
    high: float
    confidence: float
    log_rate_error: float
    misfit: float
    first: int
    last: int
    method: str


def fit_rate(
    losses: Tensor | ArrayLike, *, first: int = 0, last: int | None = None, confidence: float = 0.95
) -> RateFit:
    r"""Fit $\log f(x_t) = c + t \log(\text{rate})$ by ordinary least squares.

    Independent runs, shape (runs, T + 1): the fit is to the logarithm of the mean over the runs,
    and the interval is Student's with the delete-one-run jackknife standard error.  Steps of one
    run depend on each other; the runs do not, so the interval is one for $E f$.

    One curve, shape (T + 1,): Newey and West's standard error, which allows for dependence between
    neighbouring steps, and Student's interval.  For an exact curve the interval measures how far it
    is from a single exponential, not a sampling error.

    Args:
        losses: positive losses, of shape (T + 1,) or (runs, T + 1).
        first: first step used, to leave out a transient.
        last: last step used, to leave out round-off; by default the last one there is.
        confidence: level of the interval, in (0, 1).

    Raises:
        ValueError: if fewer than three steps are in the window, or a loss in it is not positive
            and finite, or the confidence is not in (0, 1).

    Source: Newey and West 1987; Efron 1982 (jackknife).
    """
    values = np.asarray(
        losses.detach().cpu() if isinstance(losses, Tensor) else losses, dtype=np.float64
    )
    if values.ndim not in (1, 2) or values.size == 0:
        raise ValueError(f"losses have shape {values.shape}: give (steps,) or (runs, steps)")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}: it must be between 0 and 1")
    end = values.shape[-1] - 1
    check_count("first", first, least=0)
    last = end if last is None else check_count("last", last, least=0)
    if last > end or last - first < 2:
        raise ValueError(
            f"the window {first} ... {last} must hold at least 3 of the steps 0 ... {end}"
        )
    window = np.atleast_2d(values)[:, first : last + 1]
    mean = window.mean(axis=0)
    bad = ~(np.isfinite(mean) & (mean > 0))
    if bad.any():
        step = first + int(np.argmax(bad))
        raise ValueError(f"loss at step {step} is {mean[bad][0]:g}: end the window before it")

    times = np.arange(first, last + 1, dtype=np.float64)
    centred = times - times.mean()
    weights = centred / (centred @ centred)
    logs = np.log(mean)
    slope = float(weights @ logs)
    residuals = logs - logs.mean() - slope * centred
    runs = len(window)
    if runs > 1:
        error, freedom, method = _jackknife(window, weights), runs - 1, f"jackknife, {runs} runs"
    else:
        lag = math.floor(4 * (len(times) / 100) ** (2 / 9))
        error, freedom = _newey_west(weights * residuals, lag), len(times) - 2
        method = f"Newey-West, lag {lag}"
    reach = float(stats.t.ppf((1 + confidence) / 2, freedom)) * error
    return RateFit(
        rate=math.exp(slope),
        low=math.exp(slope - reach),
        high=math.exp(slope + reach),
        confidence=confidence,
        log_rate_error=error,
        misfit=float(np.sqrt(np.mean(residuals**2))),
        first=first,
        last=last,
        method=method,
    )


def _jackknife(window: np.ndarray, weights: np.ndarray) -> float:
    """Standard error of the slope of the log mean, leaving out one run at a time."""
    runs = len(window)
    left_out = (window.sum(axis=0) - window) / (runs - 1)
    if not (left_out > 0).all():
        raise ValueError("a loss is carried by a single run: end the window before it or add runs")
    slopes = np.log(left_out) @ weights
    return float(np.sqrt((runs - 1) / runs * ((slopes - slopes.mean()) ** 2).sum()))


def _newey_west(scores: np.ndarray, lag: int) -> float:
    """Root of the Bartlett-weighted autocovariance sum, with the small-sample correction."""
    count = len(scores)
    variance = scores @ scores
    for shift in range(1, min(lag, count - 1) + 1):
        variance += 2 * (1 - shift / (lag + 1)) * (scores[shift:] @ scores[:-shift])
    return float(np.sqrt(max(variance, 0.0) * count / (count - 2)))
