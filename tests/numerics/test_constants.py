import math

import pytest
import torch

from numerics.problems.constants import Constants, compact_svd


def test_conventions():
    constants = Constants(beta=4.0, smoothness=2.0, mu=0.5, interpolation_gap=0.0, how="given")
    assert constants.alpha == 1.0  # PL-bare is twice PL-half
    assert constants.condition_number == 8.0


@pytest.mark.parametrize(
    "change",
    [{"mu": 0.0}, {"mu": 3.0}, {"smoothness": 5.0}, {"beta": math.nan}, {"interpolation_gap": -1}],
)
def test_impossible_constants_are_rejected(change):
    good = {"beta": 4.0, "smoothness": 2.0, "mu": 0.5, "interpolation_gap": 0.0, "how": "given"}
    with pytest.raises(ValueError, match=r"^[^\n]+$"):
        Constants(**good | change)


def test_rank_ignores_round_off():
    matrix = torch.diag(torch.tensor([1e-3, 1.0, 1e-17], dtype=torch.float64))
    left, sigma, right = compact_svd(matrix)
    assert sigma.tolist() == [1.0, 1e-3]
    torch.testing.assert_close(left * sigma @ right.mT, matrix, rtol=0, atol=2e-17)
