"""Tables of the figures that reviewers asked for, from runs made up by hand."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from oracles.comparisons import BEST, LAST, interval, numbers, records

from numerics.problems.least_squares import LeastSquares
from numerics.stability.normalisation import both_sams, edge_radius
from numerics.training.epochs import Data
from paper_figures.families import scaled_mnist
from paper_figures.figures import (
    linearised,
    minima_moments,
    mnist_generalisation,
    normalised,
    tuned_radius,
    uniformity_width,
)
from paper_figures.recipes import PRESETS
from paper_figures.runs import Record, Run
from paper_figures.tables import from_csv, from_one_field, to_csv


def drawn(recipe, rows):
    """The figure from the table as it comes back from its file."""
    return isinstance(recipe.draw(from_csv(to_csv(rows))), Figure)


@pytest.fixture
def no_data(monkeypatch):
    monkeypatch.setattr(scaled_mnist, "fingerprint", lambda *_: "data")
    monkeypatch.setattr(scaled_mnist.ScaledMnist, "data", lambda self: Data((), (), ()))


def keys(module, preset):
    recipe = module.RECIPE
    wanted = recipe.runs(recipe.parameters(preset))
    return {run.key(recipe.stored_under, "version") for run in wanted}


@pytest.mark.parametrize("preset", PRESETS)
def test_runs_are_shared(preset, no_data):
    base = keys(mnist_generalisation, preset)
    assert keys(tuned_radius, preset) == base
    assert len(keys(linearised, preset) & base) >= len(keys(linearised, preset)) / 3
    family = (mnist_generalisation, tuned_radius, linearised, normalised)
    assert len({module.RECIPE.stored_under for module in family}) == 1
    assert len({module.RECIPE.compute for module in family}) == 1


def test_tuning_is_compared_seed_by_seed():
    rows = tuned_radius.table({}, [*records(), *records(scale=2)])
    assert len(rows) == 8 and {row["method"] for row in rows} == {
        "SAM, fixed radius",
        "SAM, tuned radius",
    }
    for row in rows:
        errors = BEST if row["epoch"] == "best" else LAST
        # 0.05 is fixed and 0.1 tuned on the validation set, where the test set prefers 0.02.
        assert numbers(row, "added") == interval(100 * (errors[:, 2] - errors[:, 3]))
    assert drawn(tuned_radius.RECIPE, rows)


def test_networks_and_linearisations_are_kept_apart():
    both = [*records(), *records(linearised=True)]
    rows = linearised.table({}, both)
    assert [row["model"] for row in rows] == ["network"] * 6 + ["linearisation"] * 6
    assert drawn(linearised.RECIPE, rows)


def test_linearised_runs_differ_by_the_model_alone(no_data):
    runs = linearised.runs(linearised.RECIPE.parameters("smoke"))
    plain, linear = runs[: len(runs) // 2], runs[len(runs) // 2 :]
    for one, other in zip(plain, linear, strict=True):
        assert {**one.parameters, "linearised": True} == other.parameters
        assert (one.seed, one.data) == (other.seed, other.data)


def normalised_rows():
    both = [*records(normalized=True), *records(normalized=False)]
    few = {"samples": 6, "step_size": 1.0, "steps": 200, "points": 5}
    return normalised.table({"least_squares": few}, both)


def test_mnist_panel_has_both_algorithms_and_sgd_once():
    rows = [row for row in normalised_rows() if row["panel"] == "mnist"]
    assert [row["algorithm"] for row in rows] == ["SGD", *["normalised SAM"] * 3, *["SAM"] * 3]
    assert [row["radius"] for row in rows] == [0.0, *[0.02, 0.05, 0.1] * 2]
    for row, member in zip(rows, [0, 1, 2, 3, 1, 2, 3], strict=True):
        found = [row["value"], row["low"], row["high"]]
        assert found == interval(100 * BEST[:, member]) and row["seeds"] == 3


def test_least_squares_panels_hold_what_the_library_computes():
    rows, problem = normalised_rows(), LeastSquares.mnist(6)
    edge = edge_radius(problem, 1.0)
    paths = [row for row in rows if row["panel"] == "trajectory"]
    for share in normalised.SHARES:
        found = both_sams(problem, 1.0, share * edge, 200)
        for name, losses in (("SAM", found.unnormalised), ("normalised SAM", found.normalised)):
            part = [
                row for row in paths if (row["algorithm"], row["radius"]) == (name, share * edge)
            ]
            # The same call with the same arguments: equal to the last bit.
            assert [row["value"] for row in part] == losses.tolist()
            assert {row["cycle"] for row in part} == {found.cycle}
    late = [row for row in rows if row["panel"] == "long run"]
    for row in late:
        if row["algorithm"] == "normalised SAM":
            # Settled on the cycle after 180 steps up to a contraction 0.95 per step.
            assert (
                row["value"] == pytest.approx(row["cycle"], rel=0.2) and row["value"] < row["ball"]
            )
        else:
            assert (row["value"] > 1) == (row["radius"] > edge)
    assert drawn(normalised.RECIPE, rows)


def minimum(scale, reached=True):
    values = {"sharpness": 2.0, "s2": 3.0, "s3": 4.0, "s4": 5.0, "size": 730}
    return {
        "step_size": 0.1,
        "radius": 0.0,
        "batch_size": 6,
        "moments": {k: v if k == "size" else v * scale for k, v in values.items()}
        if reached
        else None,
    }


def width_records(hidden, factors, missed=()):
    """Seed k has SGD's values times k + 1, and the SAMs' are those times a factor of the seed."""
    return [
        Record(
            Run({"hidden": hidden}, seed),
            {
                "minima": {
                    "SGD": minimum(seed + 1.0),
                    "SAM": minimum((seed + 1.0) * factor),
                    "normalised SAM": minimum((seed + 1.0) / factor, seed not in missed),
                }
            },
            "key",
            0.0,
            {},
        )
        for seed, factor in enumerate(factors)
    ]


def test_widths_have_geometric_means_and_paired_ratios():
    factors = np.array([0.5, 0.6, 0.8])
    rows = uniformity_width.table({}, width_records(12, factors))
    assert [row["quantity"] for row in rows] == [
        q for q in ("a", "s_2", "s_3", "s_4") for _ in "123"
    ]
    for row in rows:
        base = {"a": 2.0, "s_2": 3.0, "s_3": 4.0, "s_4": 5.0}[row["quantity"]]
        power = {"SGD": 0, "SAM": 1, "normalised SAM": -1}[row["algorithm"]]
        values = base * np.array([1.0, 2.0, 3.0]) * factors**power
        assert np.log(numbers(row, "value")).tolist() == interval(np.log(values))
        if power:
            assert np.log(numbers(row, "ratio")).tolist() == interval(power * np.log(factors))
            # Two roundings in the scaled values, one in the quotient.
            assert from_one_field(row["ratio_of_seeds"]) == pytest.approx(factors**power, rel=1e-15)
        else:
            assert numbers(row, "ratio") == [None] * 3
            assert row["ratio_of_seeds"] is None
    assert drawn(uniformity_width.RECIPE, rows)


def test_a_seed_that_missed_the_loss_is_left_out_of_its_width_alone():
    wanted = [
        *width_records(12, [0.5, 0.6, 0.8], missed=(1,)),
        *width_records(24, [0.5, 0.6, 0.8]),
    ]
    rows = uniformity_width.table({}, wanted)
    assert {(row["hidden"], row["seeds"], row["seeds_tried"]) for row in rows} == {
        (12, 2, 3),
        (24, 3, 3),
    }
    # What is compared between the widths are seeds that both have.
    assert all(
        from_one_field(row["ratio_of_seeds"]) == pytest.approx([0.5, 0.8], rel=1e-15)
        for row in rows
        if row["algorithm"] == "SAM"
    )
    wanted = [
        *width_records(12, [0.5, 0.6, 0.8, 0.7], missed=(0, 1)),
        *width_records(24, [0.5, 0.6, 0.8, 0.7], missed=(2, 3)),
    ]
    assert {row["ratio_of_seeds"] for row in uniformity_width.table({}, wanted)} == {None}


def test_width_runs_are_those_of_minima_moments():
    parameters = uniformity_width.RECIPE.parameters("smoke")
    runs = uniformity_width.runs(parameters)
    assert [(run.parameters["hidden"], run.seed) for run in runs] == [
        (12, 0),
        (12, 1),
        (16, 0),
        (16, 1),
    ]
    shared = minima_moments.RECIPE.runs(minima_moments.RECIPE.parameters("smoke"))
    assert [run.parameters for run in runs[2:]] == [run.parameters for run in shared]
    assert uniformity_width.RECIPE.compute is minima_moments.RECIPE.compute
    assert uniformity_width.RECIPE.stored_under == minima_moments.RECIPE.stored_under
