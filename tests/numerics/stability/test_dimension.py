"""Minima at which SGD is stable in every dimension and s_2 is as large as one likes: exact."""

import pytest
import sympy


def family(s):
    """H_b of all samples, equally likely, in dimension d = 3s² - 2s + 2."""
    size = 3 * s**2 - 2 * s + 2
    for i in range(1, size):
        for sign in (1, -1):
            sample = sympy.eye(size)
            sample[0, 0], sample[i, i] = sympy.Rational(4, 3), s
            sample[0, i] = sample[i, 0] = sign * sympy.sqrt(sympy.Rational(4 * s, 3))
            yield sample


@pytest.mark.parametrize("s", [1, 2, 3])
def test_sgd_is_stable_and_its_spread_grows_with_the_dimension(s):
    """E M_b P M_b = P with P positive definite, at step size 1; s_2² = 4s/3 at the first vector."""
    samples = list(family(s))
    size, share = len(samples[0].row(0)), sympy.Rational(1, len(samples))
    unit, form = sympy.eye(size), sympy.diag(sympy.Rational(3 * s, 2), *[1] * (size - 1))
    after = sympy.zeros(size)
    for sample in samples:
        after += share * (unit - sample) * form * (unit - sample)
    assert (after - form).applyfunc(sympy.expand) == sympy.zeros(size)
    first = unit[:, 0]
    mean = share * sum((sample * first for sample in samples), sympy.zeros(size, 1))
    square = share * sum((sample * first).dot(sample * first) for sample in samples)
    assert sympy.expand(square - mean.dot(mean)) == sympy.Rational(4 * s, 3)
    assert all(sample[0, 0] * sample[i, i] >= sample[0, i] ** 2  # H_b is positive semidefinite
               for sample in samples for i in range(1, size))  # fmt: skip
