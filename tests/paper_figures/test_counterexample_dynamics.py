"""The dynamics drawn at counterexamples are those of the library's refutations."""

import itertools

import pytest

import theory
from paper_figures.figures import counterexample_dynamics as figure
from paper_figures.recipes import PRESETS
from paper_figures.runs import Record, Run
from theory.trusted.statements import Status


@pytest.fixture(scope="module")
def rows():
    parameters = figure.RECIPE.parameters("smoke")
    records = [Record(run, figure.compute(run), "", 0.0, {}) for run in figure.runs(parameters)]
    return figure.table(parameters, records)


def values(rows, name, seed=None):
    return [r["value"] for r in rows if (r["statement"], r["seed"]) == (name, seed)]


def test_in_one_dimension_the_square_grows_by_one_factor(rows):
    """Samples 1, 1, 5/2 at step size 1, radius 1/5: factors 1 - a - a^2/5, squared and averaged."""
    factor = sum((1 - a - a * a / 5) ** 2 for a in (1, 1, 2.5)) / 3
    found = values(rows, "sam-stability-necessary-suffice")
    # Rounded once from a rational; six multiplications here.
    assert found == pytest.approx([factor**t for t in range(7)], rel=1e-12)
    for seed in range(3):
        path = values(rows, "sam-stability-necessary-suffice", seed)
        assert path[0] == 1
        steps = {round(after / before, 12) for before, after in itertools.pairwise(path)}
        assert steps <= {0.04, 7.5625}


def test_the_claim_above_the_panel_is_the_one_that_fails(rows):
    for name in figure.TITLES:
        failure = theory.check(theory.get(name)).failure
        claims = {row["claim"] for row in rows if row["statement"] == name}
        assert claims == {f"{failure.left} {failure.sign} {failure.right}"}
    assert figure.readable("605 <= 484") == r"605 $\leq$ 484"
    assert figure.readable("0 < -4200239/116640000000") == "0 < -3.6e-05"


def test_titles_are_of_refuted_statements_and_tell_them_apart(rows):
    assert {theory.get(name).expected for name in figure.TITLES} == {Status.REFUTED}
    ends = {name: values(rows, name)[-1] for name in figure.TITLES}
    assert ends["sam-stability-necessary-suffice"] > 100
    assert ends["sam-stability-one-step-necessary"] < 1
    assert ends["sgd-stability-s2-published"] == pytest.approx(1.2, rel=1e-4)
    assert ends["sam-convex-every-radius"] > 1


@pytest.mark.parametrize("preset", PRESETS)
def test_every_panel_has_its_steps(preset):
    wanted = figure.runs(figure.RECIPE.parameters(preset))
    assert [run.parameters["statement"] for run in wanted] == list(figure.TITLES)
    assert all(isinstance(run, Run) and run.parameters["steps"] > 5 for run in wanted)
