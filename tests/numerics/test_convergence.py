import numpy as np
import pytest
import torch
from scipy import stats

from numerics.convergence import fit_rate
from numerics.problems import LeastSquares
from theory import SAM


def test_exact_exponential():
    fit = fit_rate(3.0 * 0.97 ** np.arange(200))
    # Logarithms are exact to 1e-16 relative to |log f| < 7; the slope averages them.
    assert fit.rate == pytest.approx(0.97, abs=1e-15)
    assert fit.low <= fit.rate <= fit.high and fit.high - fit.low < 1e-14
    assert fit.misfit < 1e-14 and (fit.first, fit.last) == (0, 199)


def test_window_selects_the_regime():
    curve = np.concatenate([0.5 ** np.arange(10), 0.5**9 * 0.9 ** np.arange(1, 50)])
    assert fit_rate(curve, last=9).rate == pytest.approx(0.5, rel=1e-14)
    assert fit_rate(torch.from_numpy(curve), first=9).rate == pytest.approx(0.9, rel=1e-14)
    mixed = fit_rate(curve)
    assert 0.5 < mixed.rate < 0.9 and mixed.misfit > 0.1


def test_slope_and_error_against_a_textbook_regression():
    logs = np.array([0.3, -0.9, -1.4, -3.2, -3.7, -5.1])
    fit = fit_rate(np.exp(logs))
    line = stats.linregress(np.arange(6), logs)
    assert np.log(fit.rate) == pytest.approx(line.slope, rel=1e-13)
    # Six points give lag 2: the sum over pairs of scores, written out.
    residuals = logs - line.intercept - line.slope * np.arange(6)
    scores = (np.arange(6) - 2.5) / 17.5 * residuals
    variance = sum(
        max(0.0, 1 - abs(i - j) / 3) * scores[i] * scores[j] for i in range(6) for j in range(6)
    )
    assert fit.log_rate_error == pytest.approx(np.sqrt(variance * 6 / 4), rel=1e-12)


def test_jackknife_interval_written_out():
    runs = np.exp(np.random.default_rng(3).normal(size=(4, 6)))
    fit = fit_rate(runs, confidence=0.9)
    slopes = [
        np.polyfit(np.arange(6), np.log(np.delete(runs, k, 0).mean(0)), 1)[0] for k in range(4)
    ]
    # Tukey: (n - 1)/n times the sum of squares, with n - 1 degrees of freedom.
    error = np.sqrt(3 / 4 * sum((slope - np.mean(slopes)) ** 2 for slope in slopes))
    assert fit.log_rate_error == pytest.approx(error, rel=1e-10)
    reach = stats.t(df=3).interval(0.9)[1] * error
    assert np.log([fit.low, fit.high]) == pytest.approx(
        [np.log(fit.rate) - reach, np.log(fit.rate) + reach], rel=1e-10
    )


def coverage(draw, truth, repeats=400):
    fits = [fit_rate(draw(np.random.default_rng(seed))) for seed in range(repeats)]
    return np.mean([fit.low <= truth <= fit.high for fit in fits])


def test_coverage_of_one_noisy_curve():
    def draw(rng):
        noise = rng.normal(size=301)
        return np.exp(-0.01 * np.arange(300) + 0.2 * (noise[1:] + 0.5 * noise[:-1]))

    # 95% nominal; 400 repeats have a standard error of 1.1%, the estimator is known to fall short
    # by a few per cent with dependent noise.
    assert 0.88 < coverage(draw, np.exp(-0.01)) < 0.99


def test_coverage_over_independent_runs():
    # Each run is a product of independent factors with mean 0.98, so E f(x_t) = 0.98^t exactly.
    def draw(rng):
        factors = 0.98 * (1 + rng.uniform(-0.1, 0.1, size=(40, 60)))
        return np.cumprod(factors, axis=1)

    # As above; steps of a run are strongly dependent, which the jackknife must allow for.
    assert 0.91 < coverage(draw, 0.98) < 0.99


def test_sampled_rate_covers_the_exact_one():
    problem = LeastSquares.gaussian(10, 30, seed=1)
    exact = fit_rate(problem.expected_losses(SAM, 0.5, 0.3, 80).mean, first=20)
    sampled = problem.sampled_losses(SAM, 0.5, 0.3, 80, runs=2000, seed=2)
    fit = fit_rate(sampled.samples, first=20, confidence=0.999)
    assert fit.low < exact.rate < fit.high < 1
    assert fit.high - fit.low < 0.2 * (1 - fit.rate) and "2000 runs" in fit.method


def test_wider_confidence_is_wider():
    runs = np.cumprod(0.9 + 0.05 * np.random.default_rng(0).uniform(size=(10, 20)), axis=1)
    narrow, wide = fit_rate(runs, confidence=0.5), fit_rate(runs, confidence=0.99)
    assert wide.low < narrow.low < narrow.rate == wide.rate < narrow.high < wide.high


@pytest.mark.parametrize(
    ("losses", "arguments", "message"),
    [
        ([1.0, 0.5, 0.0, 0.1], {}, "loss at step 2 is 0: end the window before it"),
        ([1.0, 0.5, 0.2, np.inf], {}, "loss at step 3 is inf"),
        ([1.0, 0.5], {}, "must hold at least 3 of the steps"),
        ([1.0, 0.5, 0.2], {"last": 7}, "must hold at least 3 of the steps"),
        ([1.0, 0.5, 0.2], {"first": -1}, "first is -1"),
        ([1.0, 0.5, 0.2], {"confidence": 95}, "confidence is 95"),
        (np.ones((2, 2, 2)), {}, "losses have shape"),
        ([[1.0, 0.5, 0.2], [1.0, 0.5, 0.0], [1.0, 0.0, 0.0]], {}, "carried by a single run"),
        ([[1.0, 0.5, 0.2], [1.0, 0.5, 0.0]], {}, "carried by a single run"),
    ],
)
def test_bad_windows(losses, arguments, message):
    with pytest.raises(ValueError, match=message):
        fit_rate(losses, **arguments)
