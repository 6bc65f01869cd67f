"""Enclosures against exact rational matrices, whose eigenvalues are counted by Sturm sequences."""

from __future__ import annotations

import itertools
import math
import sys
from fractions import Fraction

import pytest
import sympy
import torch
from oracles.samples import KINDS, dense, perceptron

from numerics.hessians import SampleHessians, enclosed_moments, moments
from numerics.hessians.enclosures import _is_above

pytest.importorskip("flint", reason="python-flint is not installed")

ROOTS = ("sharpness", "s2", "s3", "s4")


def exact_gaps(matrices, batch_size, replacement):
    """H, and E H_B^k - H^k, of the stored numbers: sympy rationals, all batches one by one."""
    exact = [sympy.Matrix(m.tolist()).applyfunc(sympy.Rational) for m in matrices]
    places = range(len(exact))
    if replacement:
        batches = list(itertools.product(places, repeat=batch_size))
    else:
        batches = list(itertools.combinations(places, batch_size))
    zero = sympy.zeros(*exact[0].shape)
    means = [sum((exact[i] for i in batch), zero) / batch_size for batch in batches]
    mean = sum(means, zero) / len(means)
    powers = [sum((m**k for m in means), zero) / len(means) - mean**k for k in (2, 3, 4)]
    return [mean, *powers]


@pytest.mark.parametrize(("batch_size", "replacement"), [(1, False), (2, False), (2, True)])
def test_the_largest_exact_eigenvalue_lies_inside(batch_size, replacement):
    g = torch.Generator().manual_seed(batch_size)
    a = torch.randn(4, 3, 3, generator=g, dtype=torch.float64)
    matrices = a + a.mT
    found = enclosed_moments(matrices, batch_size=batch_size, replacement=replacement)
    for gap, enclosure in zip(
        exact_gaps(matrices, batch_size, replacement),
        (found.sharpness, *found.gaps),
        strict=True,
    ):
        roots = gap.charpoly().as_poly()
        low, high = sympy.Rational(enclosure.low), sympy.Rational(enclosure.high)
        assert roots.count_roots(low, high) >= 1
        assert roots.count_roots(high, None) == (roots.eval(high) == 0)  # none beyond
        assert enclosure.high - enclosure.low <= 4 * math.ulp(enclosure.high)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("batch_size", "replacement"), [(1, False), (3, False), (2, True)])
def test_moments_keep_to_their_errors(kind, batch_size, replacement):
    samples = kind()
    sure = enclosed_moments(samples, batch_size=batch_size, replacement=replacement)
    for method in ("dense", "lanczos"):
        found = moments(samples, batch_size=batch_size, replacement=replacement, method=method)
        for name in ROOTS:
            value, error = getattr(found, name), getattr(found, f"{name}_error")
            inside = getattr(sure, name)
            assert inside.low - error <= value <= inside.high + error


def test_closed_forms_are_inside():
    # Orthonormal a_i: H = 1/n I, E H_b^k = 1/n I on their span.
    n = 4
    found = enclosed_moments(SampleHessians.from_rank_one(torch.eye(n).double()))
    assert 1 / n in found.sharpness
    for gap, power in zip(found.gaps, (2, 3, 4), strict=True):
        assert Fraction(gap.low) <= Fraction(1, n) - Fraction(1, n**power) <= Fraction(gap.high)
    assert Fraction(found.s2.low) ** 2 <= Fraction(3, 16) <= Fraction(found.s2.high) ** 2
    # A negative gap: its root is 0, the gap itself keeps its sign.
    pair = torch.tensor([[[-3.0]], [[1.0]]], dtype=torch.float64)
    signed = enclosed_moments(pair)
    assert (signed.gaps[1].low, signed.s3.low, signed.s3.high) == (-12.0, 0.0, 0.0)
    assert 2.0 in signed.s2 and 2.1 not in signed.s2


def test_cancellation_costs_nothing():
    # H_i = I + tiny D_i: the gap is 1e-24, far below the round-off of the squares.
    tiny = 1e-12 * torch.tensor([1.0, -1.0], dtype=torch.float64)
    matrices = torch.eye(2).double() + tiny[:, None, None] * torch.ones(2, 2).double()
    found = enclosed_moments(matrices)
    deviation = Fraction(float(matrices[0, 0, 1]))
    assert found.gaps[0].low > 0
    assert found.gaps[0].high == pytest.approx(float(4 * deviation**2), rel=1e-3)  # 1 + tiny rounds
    same = enclosed_moments(torch.eye(2).double().repeat(3, 1, 1))
    assert {(gap.low, gap.high) for gap in same.gaps} == {(0.0, 0.0)}


def test_upper_bounds_are_certified_not_believed():
    rows = [[1, 0, 0], [0, 2, 0], [0, 0, 2]]
    assert _is_above(2 + Fraction(1, 2**90), rows)
    assert not _is_above(Fraction(2), rows)
    assert not _is_above(2 - Fraction(1, 2**90), rows)


def test_bad_input_is_one_clear_line(monkeypatch):
    with pytest.raises(ValueError, match="65 parameters and enclosures take at most 64"):
        enclosed_moments(torch.zeros(1, 65, 65).double())
    with pytest.raises(ValueError, match="batch_size is 7"):
        enclosed_moments(dense(), batch_size=7)
    monkeypatch.setitem(sys.modules, "flint", None)
    with pytest.raises(ValueError, match="python-flint is not installed: pip install"):
        enclosed_moments(perceptron())
