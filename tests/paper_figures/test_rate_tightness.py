"""The two figures on worst cases: their tables hold what the library computes."""

import math

import pytest

from numerics.worst_case import FAMILIES, ProblemClass, best_step_size, threshold_radius, worst_case
from paper_figures.recipes import discover, load
from paper_figures.runs import Record, Run
from paper_figures.tables import from_csv, to_csv

pytestmark = pytest.mark.slow
RATES = load(discover()["rate_tightness"])
THRESHOLDS = load(discover()["decrease_threshold"])


def built(recipe, parameters):
    """The rows, as the drawing reads them."""
    records = [Record(run, recipe.compute(run), "key", 0.0, {}) for run in recipe.runs(parameters)]
    return from_csv(to_csv(recipe.table(parameters, records)))


@pytest.fixture(scope="module")
def rates():
    radii = {"smooth": [0.5, 0.9], "convex": [0.5], "distance": [0.5], "quadratic": [0.5]}
    return built(RATES, {"mus": [0.25], "radii": radii, "components": 24})


def test_every_theorem_that_covers_has_a_row(rates):
    found = {(row["family"], row["relative_radius"], row["bound"]) for row in rates}
    assert found == {
        ("smooth", 0.5, "published"),
        *(("smooth", at, label) for at in (0.5, 0.9) for label in ("improved", "best proved")),
        *((name, 0.5, "best proved") for name in ("convex", "distance", "quadratic")),
    }


def test_worst_cases_are_those_of_the_library(rates):
    for row in rates:
        setting = FAMILIES[row["family"]].setting(row["mu"], row["components"])
        again = worst_case(setting, row["step_size"], row["radius"])
        # The same call with the same arguments, on one thread.
        assert row["pep"] == again.value and row["tag"] == again.tag == "upper bound only"
        assert row["ratio"] == (1 - row["pep"]) / (1 - row["factor"])
        assert row["ratio_at_best"] >= row["ratio"]
        # The theorem bounds the worst case; 1e-6 is what the solver may be off by.
        assert row["pep"] <= row["factor"] + 1e-6


def test_a_failed_solve_leaves_a_gap_and_no_number():
    figure = __import__("paper_figures.figures.rate_tightness", fromlist=["finite"])
    assert figure.finite(math.nan) is None and figure.finite(0.5) == 0.5


@pytest.fixture(scope="module")
def thresholds():
    parameters = {
        "threshold": {"mus": [0.02, 0.75]},
        "rate": {"mus": [0.5], "relative_radius": 0.5},
        "batch": {"mus": [0.25], "batch_sizes": [8]},
        "components": [2, "inf"],
        "search": {"cells": 24, "tolerance": 0.05},
    }
    return {(row["panel"], row["curve"], row["mu"]): row for row in built(THRESHOLDS, parameters)}


def test_thresholds_are_those_of_the_library(thresholds):
    unit = math.sqrt(0.02)
    found = threshold_radius(ProblemClass(0.02, components=2), largest=2.0, tolerance=1e-3 * unit)
    row = thresholds["threshold", "PEP, n = 2", 0.02]
    # The unit is a square root there and the root of an equation in the library.
    assert row["value"] == pytest.approx(found.decreases / unit, rel=1e-9)
    assert thresholds["threshold", "PEP, n = inf", 0.02]["value"] == pytest.approx(1, abs=2e-3)


def test_the_bracket_is_one(thresholds):
    low, high = (thresholds["threshold", name, 0.02] for name in ("PEP, n = inf", "explicit pair"))
    assert low["value"] + low["error"] < high["value"] < 1.21 and "pair" in high["method"]
    assert thresholds["threshold", "explicit pair", 0.75]["value"] is None


def test_rates_and_batches(thresholds):
    proved, found = (thresholds["rate", name, 0.5] for name in ("proved", "PEP, n = inf"))
    radius = 0.5 * math.sqrt(0.5)
    expected = math.sin(math.asin(math.sqrt(0.5)) - math.asin(radius)) ** 2
    assert proved["value"] == pytest.approx(expected, rel=1e-9)
    best = best_step_size(ProblemClass(0.5, components=math.inf), radius).best
    assert found["value"] == pytest.approx((1 - best.value) / 0.5, abs=1e-5)
    assert found["value"] > proved["value"]
    batch = thresholds["batch", "PEP", 0.25]
    assert batch["batch_size"] == 8 and batch["value"] > 1.5


@pytest.mark.parametrize("recipe", [RATES, THRESHOLDS])
def test_runs_are_json_and_distinct(recipe):
    for preset in recipe.presets:
        runs = recipe.runs(recipe.parameters(preset))
        keys = {Run(run.parameters, run.seed).key("figure", "version") for run in runs}
        assert len(keys) == len(runs) > 0
