"""The table of ratios: exact fractions that the kernel accepts, below the proved bound."""

from dataclasses import replace
from fractions import Fraction

import pytest

import theory
from paper_figures.figures.counterexample_ratios import RECIPE
from paper_figures.runs import Record
from theory.wire import decode


@pytest.fixture(scope="module")
def records():
    parameters = RECIPE.parameters("smoke")
    runs = [r for r in RECIPE.runs(parameters) if r.parameters["samples"] == 3]
    return [Record(run, RECIPE.compute(run), "key", 0.0, {}) for run in runs]


def test_every_instance_is_a_counterexample(records):
    rows = RECIPE.table({}, records)
    assert [(r["dimension"], r["rank"]) for r in rows] == [(1, 1), (2, 1), (2, 2)]
    certified = 0
    for row, record in zip(rows, records, strict=True):
        if row["certified"] is None:
            assert row["ratio"] == pytest.approx(1, abs=1e-6)
            continue
        certified += 1
        instance = decode(record.result["instance"])
        case = replace(theory.get("sgd-stability-s2-published"), refutation=instance)
        failure = theory.check(case).failure
        assert failure.left / failure.right == Fraction(row["certified"])
        assert 0.99 * row["ratio"] <= row["certified_ratio"] <= row["ratio"] <= row["bound"]
    assert certified == 2


def test_all_numbers_of_samples_dimensions_and_ranks_are_searched():
    shapes = {
        tuple(run.parameters[name] for name in ("samples", "dimension", "rank"))
        for run in RECIPE.runs(RECIPE.parameters("laptop"))
    }
    assert shapes == {
        (n, d, rank) for n in (2, 3, 4) for d in range(1, 5) for rank in range(1, d + 1)
    }


def test_the_bound_is_the_theorems(records, monkeypatch):
    def marked(name):
        original = load(name)
        (bound,) = original.quantities
        return replace(original, quantities=(replace(bound, expression=bound.expression / 2),))

    load = theory.get
    before = RECIPE.table({}, records)[-1]["bound"]
    monkeypatch.setattr(theory, "get", marked)
    assert RECIPE.table({}, records)[-1]["bound"] == before / 2
