"""Minima against the radius: the table from results made up by hand, and from the library."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from oracles.comparisons import interval, numbers

from numerics.networks.perceptrons import MnistMlp
from paper_figures.figures import minima_radius
from paper_figures.runs import Record, Run
from paper_figures.tables import from_csv, to_csv

FIELDS = {"a": "sharpness", "s_2": "s2", "s_3": "s3", "s_4": "s4"}
BASE = {"a": 20.0, "s_2": 30.0, "s_3": 40.0, "s_4": 50.0}
TRAININGS = [("SGD", 0.0), ("SAM", 0.02), ("SAM", 0.08), ("normalised SAM", 0.01)]


def minimum(algorithm, radius, scale):
    """A training that ended with moments `scale` times BASE, None if it missed the loss."""
    moments = scale and {field: scale * BASE[symbol] for symbol, field in FIELDS.items()}
    return {
        "algorithm": algorithm,
        "radius": radius,
        "step_size": 0.1,
        "batch_size": 4,
        "moments": moments,
    }


def records(scales):
    """One record for each row of scales, which has one for each training."""
    found = [
        [minimum(*which, s) for which, s in zip(TRAININGS, row, strict=True)] for row in scales
    ]
    return [Record(Run({}, k), {"minima": one}, "key", 0.0, {}) for k, one in enumerate(found)]


def test_each_radius_is_compared_with_sgd_seed_by_seed():
    scales = np.array([[1.0, 0.9, 0.5, 0.4], [1.3, 1.2, 0.9, 0.5], [1.2, 1.0, 0.7, 0.6]])
    rows = minima_radius.table({}, records(scales.tolist()))
    assert [(r["quantity"], r["algorithm"], r["radius"]) for r in rows] == [
        (symbol, *which) for symbol in FIELDS for which in TRAININGS
    ]
    for row in rows:
        k = TRAININGS.index((row["algorithm"], row["radius"]))
        values = BASE[row["quantity"]] * scales[:, k]
        assert np.log(numbers(row, "value")).tolist() == interval(np.log(values))
        if k:
            ratios = np.log(scales[:, k] / scales[:, 0])
            assert np.log(numbers(row, "ratio")).tolist() == interval(ratios)
        else:
            assert numbers(row, "ratio") == [None] * 3
        assert (row["seeds"], row["seeds_tried"]) == (3, 3)


def test_the_edge_is_that_of_the_theorem():
    """a (1 + rho a) = 2 / eta, solved by hand; 2 / eta for SGD, none for normalised SAM."""
    for row in minima_radius.table({}, records([[1, 1, 1, 1], [1, 1, 1, 1]])):
        rho = row["radius"]
        edges = {"SGD": 20.0, "SAM": rho and (np.sqrt(1 + 80 * rho) - 1) / (2 * rho)}
        expected = edges.get(row["algorithm"]) if row["quantity"] == "a" else None
        # The root is found to 1e-12 in a number near 10.
        assert row["stability_edge"] == (expected and pytest.approx(expected, rel=1e-12))


def test_a_radius_that_misses_the_loss_is_left_out_where_fewer_than_two_seeds_are_left():
    rows = minima_radius.table({}, records([[1, 1, 1, 1], [1, None, 1, 1], [1, 1, None, 1]]))
    assert {(r["algorithm"], r["radius"]): r["seeds"] for r in rows} == {
        ("SGD", 0.0): 3,
        ("SAM", 0.02): 2,
        ("SAM", 0.08): 2,
        ("normalised SAM", 0.01): 3,
    }
    rows = minima_radius.table({}, records([[1, 1, 1, 1], [1, 1, None, 1], [1, 1, None, 1]]))
    assert ("SAM", 0.08) not in {(row["algorithm"], row["radius"]) for row in rows}
    assert isinstance(minima_radius.draw(from_csv(to_csv(rows))), Figure)
    with pytest.raises(ValueError, match="fewer than two seeds reached the target loss with SGD"):
        minima_radius.table({}, records([[1, 1, 1, 1], [None, 1, 1, 1]]))


@pytest.mark.slow
def test_the_minima_are_those_of_the_library():
    (run, _) = minima_radius.runs(minima_radius.RECIPE.parameters("smoke"))
    found = minima_radius.compute(run)["minima"]
    radii = {
        name: [one["radius"] for one in found if one["algorithm"] == name]
        for name in ("SGD", "SAM", "normalised SAM")
    }
    assert radii == {"SGD": [0.0], "SAM": [0.02, 0.08], "normalised SAM": [0.01, 0.04]}
    alone = MnistMlp(
        samples=10,
        hidden=16,
        batch_size=4,
        target_loss=0.03,
        radius=0.08,
        normalized_radius=0.04,
        seeds=(0,),
    ).minima()
    for one, whole in zip(alone, (found[0], found[2], found[4]), strict=True):
        assert whole["radius"] == one.run.member.radius
        # Stacks of one and of two members: the same up to round-off, amplified by the training.
        assert whole["moments"]["s2"] == pytest.approx(one.moments.s2, rel=1e-8)
