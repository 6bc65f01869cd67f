"""Exact second moments at counterexamples against all sequences of samples, one by one."""

import itertools
from fractions import Fraction

import numpy as np
import pytest

import theory
from numerics.counterexamples.dynamics import scene

NAMES = [
    "sam-convex-every-radius",
    "sam-stability-necessary-suffice",
    "sam-stability-one-step-necessary",
    "sgd-stability-s2-published",
]


def step(name, x, sample):
    """One step written out: x - eta A (x + rho A x)."""
    refutation = theory.get(name).refutation
    numbers = dict(refutation.parameters)
    eta, rho = numbers["step_size"], numbers.get("radius", Fraction(0))
    a = refutation.curvatures[sample]
    size = range(len(x))

    def apply(vector):
        return [sum(a[i][j] * vector[j] for j in size) for i in size]

    ahead = [p + rho * q for p, q in zip(x, apply(x), strict=True)]
    return [p - eta * q for p, q in zip(x, apply(ahead), strict=True)]


def value(name, x):
    """The squared norm, or the loss of the one statement that is about it."""
    if name != "sam-convex-every-radius":
        return sum(p * p for p in x)
    samples, size = theory.get(name).refutation.curvatures, range(len(x))
    total = sum(x[i] * a[i][j] * x[j] for a in samples for i in size for j in size)
    return total / (2 * len(samples))


@pytest.mark.parametrize("name", NAMES)
def test_expectations_are_averages_over_all_sequences(name):
    refutation = theory.get(name).refutation
    count = len(refutation.curvatures)
    ((_, start),) = refutation.vectors
    means = []
    for steps in range(4):
        total = Fraction(0)
        for sequence in itertools.product(range(count), repeat=steps):
            x = list(start)
            for sample in sequence:
                x = step(name, x, sample)
            total += value(name, x)
        means.append(total / count**steps)
    assert list(scene(name).expected(3)) == means


@pytest.mark.parametrize("name", NAMES)
def test_a_path_goes_where_its_samples_lead(name):
    """Every step of a path is one of the n steps possible; one seed always gives the same one."""
    found = scene(name)
    paths = found.sampled(5, [0, 1, 2])
    assert (paths == found.sampled(5, [0, 1, 2])).all()
    ((_, start),) = theory.get(name).refutation.vectors
    for path in paths:
        ends = [list(start)]
        for t in range(1, 6):
            ahead = [step(name, x, b) for x in ends for b in range(len(found.maps))]
            # Five steps in float64; losses lose digits where the matrices nearly cancel.
            ends = [x for x in ahead if path[t] == pytest.approx(float(value(name, x)), rel=1e-9)]
            assert ends


def test_paths_average_to_the_expectation():
    found = scene("sam-stability-one-step-necessary")
    ends = found.sampled(3, range(4000))[:, 3]
    error = ends.std(ddof=1) / len(ends) ** 0.5
    # Five standard errors of fixed seeds.
    assert abs(ends.mean() - float(found.expected(3)[3])) < 5 * error
    assert error < 0.05


def test_what_the_library_says_of_them():
    """Diverges though all necessary conditions hold; converges though the one-step one fails."""
    diverging = scene("sam-stability-necessary-suffice").expected(3)
    ratios = {after / before for before, after in itertools.pairwise(diverging)}
    assert len(ratios) == 1 and ratios.pop() > 1  # one dimension: the same factor in every step
    converging = scene("sam-stability-one-step-necessary").expected(100)
    assert converging[1] > converging[0] > converging[100]
    assert converging[1] == Fraction(6341, 5184)  # the left side of the claim that fails
    bounded = [float(q) for q in scene("sgd-stability-s2-published").expected(60)]
    # It tends to 6/5: the energy diag(2, 1) is preserved, see the theorem's refutation.
    np.testing.assert_allclose(bounded[40:], 1.2, rtol=1e-12)


def test_only_refuted_statements_about_an_algorithm_have_a_scene():
    with pytest.raises(ValueError, match="is proved: name a refuted"):
        scene("sam-pl-linear")
    with pytest.raises(ValueError, match="about no algorithm"):
        scene("sam-normalized-converges")
