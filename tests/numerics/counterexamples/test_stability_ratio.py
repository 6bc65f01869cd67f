"""The search for unstable-looking stable minima: definitions, bounds, and the kernel's word."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import theory
from numerics.counterexamples import certify, largest_ratio
from numerics.counterexamples.certify import REFUTED, lyapunov, rounded
from numerics.counterexamples.stability_ratio import log_ratio, threshold
from theory import evaluation as ev
from theory.proving.models import of_witness, refutes
from theory.trusted.statements import Status

ROUNDING = 1e-12  # of eigenvalue problems of size 16 with entries of order one


def spectral_radius(curvatures, step_size):
    """Of E M ⊗ M on all matrices, symmetric or not: from its definition."""
    step = np.eye(curvatures.shape[-1]) - step_size * curvatures
    operator = np.mean([np.kron(m, m) for m in step], axis=0)
    return np.abs(np.linalg.eigvals(operator)).max()


@pytest.mark.parametrize(("samples", "dimension", "rank"), [(2, 2, 1), (3, 3, 2), (4, 3, 3)])
def test_the_threshold_is_where_the_spectral_radius_passes_one(samples, dimension, rank):
    factors = np.random.default_rng(rank).standard_normal((samples, dimension, rank))
    curvatures = factors @ factors.transpose(0, 2, 1)
    found = threshold(curvatures)
    assert found.residual < ROUNDING
    assert np.linalg.eigvalsh(found.matrix)[0] > -ROUNDING
    at = found.step_size
    assert spectral_radius(curvatures, at) == pytest.approx(1, abs=ROUNDING)
    assert spectral_radius(curvatures, 1.01 * at) > 1.001
    assert spectral_radius(curvatures, 0.99 * at) < 1
    scaled = threshold(7 * curvatures)
    assert scaled.step_size == pytest.approx(at / 7, rel=ROUNDING)


def test_the_threshold_of_one_direction_in_closed_form():
    curvatures = np.array([[[0.0]], [[1.0]], [[3.0]]])
    # E (1 - ηh)² = 1 at η = 2 E h / E h²
    assert threshold(curvatures).step_size == pytest.approx(2 * (4 / 3) / (10 / 3), rel=ROUNDING)


@pytest.mark.parametrize("seed", range(4))
def test_the_gradient_against_differences(seed):
    rng = np.random.default_rng(seed)
    factors, direction = rng.standard_normal((2, 3, 3, 2))
    _, gradient = log_ratio(factors)
    step = 1e-5
    ends = [log_ratio(factors + sign * step * direction)[0] for sign in (1, -1)]
    # central differences: step² times a third derivative of order one, and rounding over step
    assert (ends[0] - ends[1]) / (2 * step) == pytest.approx((gradient * direction).sum(), abs=1e-7)


@pytest.mark.parametrize(("samples", "dimension"), [(3, 2), (4, 2), (4, 3)])
def test_what_is_found_is_stable_above_one_and_below_the_proved_bound(samples, dimension):
    found = largest_ratio(samples, dimension, dimension, restarts=4, seed=1)
    assert found.hits >= 1 and found.residual < 1e-8
    assert np.linalg.eigvalsh(found.curvatures).min() > -ROUNDING
    assert spectral_radius(found.curvatures, 1.0) == pytest.approx(1, abs=1e-8)
    mean = found.curvatures.mean(0)
    spread = (found.curvatures @ found.curvatures).mean(0) - mean @ mean
    assert spread[0, 0] == pytest.approx(found.ratio, rel=1e-9)
    bound = ev.evaluate(theory.get(f"sgd-stability-s2-dimension-{dimension}"), "bound").value
    assert 1.2 < found.ratio <= bound * (1 + 1e-9)


def test_four_samples_in_the_plane_attain_the_bound():
    # the quasi-Newton method stops at relative changes of 1e-9 near a maximum
    assert largest_ratio(4, 2, 2, restarts=4).ratio == pytest.approx(5 / 4, rel=1e-8)


def test_one_direction_and_two_samples_never_exceed_one():
    for shape in ((4, 1, 1), (2, 3, 3)):
        found = largest_ratio(*shape, restarts=4)
        assert found.ratio == pytest.approx(1, rel=1e-6) and certify(found) is None


@pytest.mark.parametrize(("shape", "share"), [((3, 2, 1), 0.99), ((4, 2, 2), 0.95)])
def test_the_kernel_accepts_the_rounded_instance(shape, share):
    found = largest_ratio(*shape, restarts=3)
    exact = certify(found, share)
    case = replace(theory.get(REFUTED), refutation=exact.instance)
    report = theory.check(case)
    assert report.status is Status.REFUTED
    assert report.failure.left / report.failure.right == exact.ratio
    assert refutes(of_witness(exact.instance), case)
    assert share * found.ratio <= exact.ratio and isinstance(exact.ratio, Fraction)
    ranks = [np.linalg.matrix_rank(np.array(m, float)) for m in exact.instance.curvatures]
    assert max(ranks) <= shape[2]
    assert all(
        q.denominator <= exact.denominator**2 for q in dict(exact.instance.parameters).values()
    )


def test_an_unstable_instance_is_not_accepted():
    found = largest_ratio(3, 2, 1, restarts=1)
    instance = rounded(found.curvatures, 1000)
    faster = tuple((name, 2 * value) for name, value in instance.parameters)
    case = replace(theory.get(REFUTED), refutation=replace(instance, parameters=faster))
    report = theory.check(case)
    assert report.status is Status.UNDECIDED and "'P does not increase' fails" in report.reason
    assert lyapunov(found.curvatures, 1.5) is None


@pytest.mark.parametrize(
    ("shape", "more", "word"),
    [
        ((1, 2, 1), {}, "samples is 1"),
        ((3, 0, 1), {}, "dimension is 0"),
        ((3, 2, 3), {}, "rank is 3"),
        ((3, 2, 1), {"restarts": 0}, "restarts is 0"),
    ],
)
def test_bad_arguments(shape, more, word):
    with pytest.raises(ValueError, match=word):
        largest_ratio(*shape, **more)


def test_bad_curvatures():
    with pytest.raises(ValueError, match=r"shape \(2, 3\)"):
        threshold(np.ones((2, 3)))
    with pytest.raises(ValueError, match="all curvatures are zero"):
        threshold(np.zeros((2, 3, 3)))
