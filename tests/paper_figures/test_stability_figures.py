"""The stability figures: tables against oracles, and what the picture claims."""

import functools
import math

import numpy as np
import pytest
from matplotlib.figure import Figure
from oracles import stability as oracle

import theory
from paper_figures.figures import minibatch_law, stability_map
from paper_figures.runs import Record
from paper_figures.tables import from_csv, to_csv


@functools.cache
def rows_of(figure, panels=None, radii=None):
    """The smoke table of a figure, or of some of its panels and radii."""
    recipe = figure.RECIPE
    parameters = recipe.parameters("smoke")
    if panels is not None:
        chosen = [parameters["panels"][index] for index in panels]
        parameters |= {"panels": chosen, "radii": list(radii)}
    records = [Record(run, recipe.compute(run), "", 0.0, {}) for run in recipe.runs(parameters)]
    return from_csv(to_csv(recipe.table(parameters, records)))


def counterexamples():
    return rows_of(stability_map, (0, 1), (0.0, 0.5))


def matrices(name):
    curvatures = theory.get(name).refutation.curvatures
    return [np.array([[float(x) for x in row] for row in part]) for part in curvatures]


def value(rows, **wanted):
    (row,) = [row for row in rows if all(row[key] == given for key, given in wanted.items())]
    return row


@pytest.mark.parametrize("name", stability_map.COUNTEREXAMPLES)
def test_boundaries_of_the_counterexamples_equal_the_oracle(name):
    rows = [row for row in counterexamples() if row["name"] == name]
    for radius in {row["radius"] for row in rows}:
        steps = oracle.step_matrices(matrices(name), radius, 1, "same")
        expected = {
            "exact": oracle.threshold(steps),
            "one-step": oracle.one_step_threshold(steps),
            "directional": oracle.directional_threshold(steps),
        }
        for criterion, step_size in expected.items():
            found = value(rows, criterion=criterion, radius=radius)["step_size"]
            # the directional oracle is a grid of angles
            assert found == pytest.approx(step_size, rel=1e-6 if criterion[0] == "d" else 1e-9)


def test_the_first_counterexample_is_stable_beyond_the_bound_on_s2():
    rows = [row for row in counterexamples() if row["name"] == "sgd-stability-s2-published"]
    at_zero = {row["criterion"]: row for row in rows if row["radius"] == 0}
    given = dict(theory.get("sgd-stability-s2-published").refutation.parameters)
    step_size = float(given["step_size"])
    # the instance lies on the boundary itself: exact arithmetic certifies it, floats bracket it
    assert at_zero["exact"]["lower"] <= step_size <= at_zero["exact"]["upper"] * (1 + 1e-14)
    assert at_zero["s2"]["step_size"] < 0.95 * step_size


def test_simulated_points_are_within_two_percent_where_decisive():
    rows = [row for row in counterexamples() if row["criterion"] == "simulated"]
    assert {row["decisive"] for row in rows} == {1}
    for row in rows:
        exact = value(counterexamples(), name=row["name"], radius=row["radius"], criterion="exact")
        assert abs(math.log(row["step_size"] / exact["step_size"])) <= math.log(1.02)


def test_the_map_draws_from_its_table():
    rows = counterexamples()
    with pytest.raises((IndexError, ValueError)):
        stability_map.draw(rows)  # half of the panels are missing
    both = [*rows, *({**row, "panel": row["panel"] + 2} for row in rows)]
    assert isinstance(stability_map.draw(both), Figure)


def test_the_batch_size_law_is_monotone_and_ends_at_the_full_batch():
    rows = rows_of(minibatch_law)
    for variant, (spec, per_sample) in minibatch_law.VARIANTS.items():
        part = [row for row in rows if row["variant"] == variant]
        thresholds = [row["threshold"] for row in part]
        assert thresholds == sorted(thresholds), variant
        assert all(row["lower"] <= row["threshold"] <= row["upper"] for row in part)
        last = part[-1]
        assert last["batch_size"] == last["samples"]
        a, rho = last["sharpness"], last["radius"]
        if not per_sample:  # then the full batch is gradient descent, or SAM on the full gradient
            # eigenvalues to 1e-11
            assert last["threshold"] == pytest.approx(2 / (a * (1 + rho * a)), rel=1e-9)
        assert (rho > 0) == spec.perturbed


def test_the_batch_size_law_of_sgd_is_a_line_search_away_from_its_one_step_condition():
    """Sufficient, never beyond the exact threshold, and strictly below it for small batches."""
    rows = [row for row in rows_of(minibatch_law) if row["variant"] == "SGD"]
    assert all(row["one_step"] <= row["threshold"] * (1 + 1e-10) for row in rows)
    assert rows[0]["one_step"] < 0.95 * rows[0]["threshold"]
