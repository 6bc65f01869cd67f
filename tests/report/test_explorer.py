"""The map's data: numerics.stability's own numbers, and every batch listed once more."""

import numpy as np
import pytest
import torch
from oracles import stability as oracle

from numerics.hessians import SampleHessians, moments
from numerics.stability import boundaries
from paper_figures.report.explorer import MINIMA, Choice, explorer_data

STEPS = 4


def settings(explorer):
    """Every batch size and radius of the map, with the Hessians."""
    for minimum, shown in zip(MINIMA, explorer["minima"], strict=False):
        hessians = minimum.hessians()
        for size, batch in enumerate(shown["batches"], start=1):
            for index, radius in enumerate(explorer["radii"]):
                yield hessians, size, radius / shown["sharpness"], shown, batch[index], index


def test_criteria_are_those_of_the_library(explorer):
    for hessians, size, radius, shown, at, index in settings(explorer):
        if 1 < size < hessians.samples:
            continue
        measured = moments(hessians, batch_size=size, method="dense")
        expected = boundaries(hessians, radius, measured)
        unit = shown["sharpness"] / 2
        # the eigenvalue iteration ends at a relative residual of 1e-11, the edge's search at 1e-13
        assert at["exact"] == pytest.approx(unit * expected.exact.value, rel=1e-10)
        assert at["oneStep"] == pytest.approx(unit * expected.one_step, rel=1e-10)
        assert shown["edge"][index] == pytest.approx(
            unit * expected.theorems["sharpness"], rel=1e-10
        )
        assert at["lower"] <= at["exact"] <= at["upper"]


def steps_of(hessians, radius, size):
    """K_b of every batch, from dense matrices."""
    columns = [hessians.matvec(unit) for unit in torch.eye(2, dtype=torch.float64)]
    dense = torch.stack(columns, dim=-1).numpy()
    return oracle.step_matrices(list(dense), radius, size, "same")


def page_step(at, step_size):
    """What the page's script applies to the three entries of the second moment."""
    linear, quadratic = np.array(at["linear"]), np.array(at["quadratic"])
    return np.eye(3) - 2 * step_size * linear + step_size**2 * quadratic


@pytest.mark.parametrize("share", [0.5, 1.0, 1.2])
def test_second_moments_are_those_of_all_batches(explorer, share):
    for hessians, size, radius, shown, at, _ in settings(explorer):
        steps, unit = steps_of(hessians, radius, size), 2 / shown["sharpness"]
        step = page_step(at, share * at["exact"])
        # rounding of a few hundred additions, and of an eigenvalue that may be double
        growth = np.abs(np.linalg.eigvals(step)).max()
        expected = oracle.mean_square_radius(steps, share * at["exact"] * unit)
        assert growth == pytest.approx(expected, rel=1e-7)
        factors = [np.eye(2) - share * at["exact"] * unit * k for k in steps]
        moment, entries = np.eye(2) / 2, np.array([0.5, 0.0, 0.5])
        for _ in range(STEPS):
            moment = sum(m @ moment @ m for m in factors) / len(factors)
            entries = step @ entries
            assert entries[0] + entries[2] == pytest.approx(np.trace(moment), rel=1e-10)


def test_only_minima_in_the_plane():
    three = Choice("three", lambda: SampleHessians.from_rank_one(torch.eye(3).double()))
    with pytest.raises(ValueError, match="dimension 3"):
        explorer_data([three], [0.0])
