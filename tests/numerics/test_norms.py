import math
from fractions import Fraction

import mpmath
import pytest
import torch

from numerics.norms import nonzero_row_norms, power_of_two, scaled_norm

SIZES = [5e-324, 1e-310, 1e-170, 1e-23, 0.75, 1.0, 3.0, 1e20, 1e170, 1.7e308]


@pytest.mark.parametrize("size", SIZES)
def test_a_power_of_two_is_just_below(size):
    unit = float(power_of_two(torch.tensor(size, dtype=torch.float64)))
    assert math.frexp(unit)[0] == 0.5
    if 2.0**-1000 <= size < 2.0**1000:
        assert unit <= size < 2 * unit
    else:
        assert unit in (2.0**-1000, 2.0**1000)
    assert float(power_of_two(torch.tensor(0.0))) == 1


@pytest.mark.parametrize("size", SIZES[:-1])
def test_norms_against_exact_sums_of_squares(size):
    vector = size * torch.tensor([1.0, -2.0, 3.0, 0.25], dtype=torch.float64)
    square = sum(Fraction(x) ** 2 for x in vector.tolist())
    with mpmath.workdps(40):
        right = mpmath.sqrt(mpmath.mpf(square.numerator) / square.denominator)
    # four roundings, and half of the smallest float64 where the result is subnormal
    error = 4 * 2.3e-16 * right + 2.5e-324
    assert abs(scaled_norm(vector) - right) <= error
    assert abs(float(nonzero_row_norms(vector[None])) - right) <= error


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_norms_of_narrow_dtypes(dtype):
    vector = torch.full((10**5,), 300.0, dtype=dtype)
    # accumulated in float64: the entries themselves are exact in every dtype
    assert scaled_norm(vector) == pytest.approx(float(vector[0]) * 10**2.5, rel=1e-14)
    assert scaled_norm(torch.empty(0, dtype=dtype)) == 0


def test_rows_of_different_sizes_and_zero_rows():
    points = torch.tensor([[3e-30, 4e-30], [3.0, 4.0], [3e30, 4e30], [0.0, 0.0]])
    norms = nonzero_row_norms(points)
    assert norms.squeeze(1).tolist() == pytest.approx([5e-30, 5, 5e30, math.inf], rel=1e-6)
    usual = torch.randn(3, 50, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert torch.equal(nonzero_row_norms(usual), usual.norm(dim=1, keepdim=True))
