"""The third panel of the figure against the moment problems, solved as linear programs."""

import numpy as np
import pytest
from oracles.moment_problems import largest_gap

from paper_figures.figures import sharper_bounds
from paper_figures.runs import Run


def test_the_drawn_ratios_are_those_of_the_moment_problems():
    chosen = {**sharper_bounds.PARAMETERS, "panel": "ratio", "points": 9}
    result = sharper_bounds.compute(Run(chosen))
    radii = np.asarray(result["at"])
    assert len(radii) == 9 and radii[0] < 3 / 8 and radii[-1] > 10
    for radius, third, fourth, published in zip(
        radii, result["s_3"], result["s_4"], result["published"], strict=True
    ):
        # the grid of the linear program costs up to 4e-6 (see tests/theory/test_sharp_moments.py)
        assert third == pytest.approx(2 * radius * largest_gap(3, radius), rel=5e-6)
        assert fourth == pytest.approx(radius**2 * largest_gap(4, radius), rel=5e-6)
        assert published == (pytest.approx(1) if radius <= 1 / 2 else None)
