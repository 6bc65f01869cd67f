"""Tables of the generalisation figures from runs made up by hand, with statistics typed again."""

import numpy as np
import pytest
from oracles.comparisons import BEST, LAST, VALIDATION, interval, numbers, records

from paper_figures.families import comparisons, drawing, scaled_mnist
from paper_figures.figures import best_radius, label_noise, mnist_generalisation, teacher_student
from paper_figures.recipes import PRESETS
from paper_figures.tables import from_one_field


def test_radius_is_tuned_on_validation_and_gains_are_paired():
    rows = mnist_generalisation.RECIPE.table({}, records())
    assert len(rows) == 6
    found = {(row["method"], row["epoch"]): row for row in rows}
    radius = {method: row["radius"] for (method, _), row in found.items()}
    assert radius == {"SGD": 0.0, "SAM, fixed radius": 0.05, "SAM, tuned radius": 0.1}
    for epoch, errors in (("best", BEST), ("last", LAST)):
        tuned, base = found["SAM, tuned radius", epoch], found["SGD", epoch]
        assert numbers(tuned, "score") == interval(100 * errors[:, 3])
        assert numbers(tuned, "gain") == interval(100 * (errors[:, 0] - errors[:, 3]))
        gains = from_one_field(tuned["gain_of_seeds"])
        # Two roundings of numbers of order 10.
        assert gains == pytest.approx(100 * (errors[:, 0] - errors[:, 3]), abs=1e-12)
        assert numbers(base, "gain") == [None] * 3 and base["gain_of_seeds"] is None
        assert tuned["seeds"] == 3


def test_a_diverged_radius_is_never_chosen():
    broken = VALIDATION.copy().astype(object)
    broken[1, 3] = None
    rows = mnist_generalisation.RECIPE.table({}, records(broken))
    assert {r["radius"] for r in rows if r["method"] == "SAM, tuned radius"} == {0.05}


def test_settings_are_kept_apart():
    both = [*records(), *records(scale=2)]
    rows = mnist_generalisation.RECIPE.table({}, both)
    assert [row["scale"] for row in rows] == [1] * 6 + [2] * 6
    assert len(comparisons.by_setting(both)) == 2


def test_best_radius_counts_and_averages_the_choices_of_seeds():
    rows = best_radius.table({}, records())
    assert [row["radius"] for row in rows] == [0.02, 0.05, 0.1]
    assert [row["seeds_choosing"] for row in rows] == [0, 1, 2]
    expected = interval(np.log([0.1, 0.05, 0.1]))
    assert np.log(numbers(rows[0], "best")).tolist() == expected
    assert from_one_field(rows[0]["best_of_seeds"]) == [0.1, 0.05, 0.1]
    assert numbers(rows[1], "gain") == interval(100 * (BEST[:, 0] - BEST[:, 2]))


def test_a_preset_without_the_fixed_radius_says_so():
    runs = records()
    for record in runs:
        del record.result["members"][2]
    with pytest.raises(ValueError, match=r"radius 0\.05 is not among"):
        mnist_generalisation.RECIPE.table({}, runs)


@pytest.mark.parametrize("preset", PRESETS)
def test_figures_share_their_runs(preset, monkeypatch):
    """Those of best_radius, and those of label_noise without noise where the sizes agree."""
    monkeypatch.setattr(scaled_mnist, "fingerprint", lambda *_: "data")
    monkeypatch.setattr(scaled_mnist.ScaledMnist, "data", lambda self: mnist_data())
    modules = (mnist_generalisation, best_radius, label_noise)
    assert len({m.RECIPE.version() for m in modules}) == 1
    keys = [
        {
            run.key(m.RECIPE.stored_under, "version")
            for run in m.RECIPE.runs(m.RECIPE.parameters(preset))
        }
        for m in modules
    ]
    assert keys[0] == keys[1] and keys[0] & keys[2] and keys[2] - keys[0]


def mnist_data():
    from numerics.training.epochs import Data

    return Data((), (), ())


@pytest.mark.parametrize(("value", "text"), [(61_035, "61 k"), (5_366_010, "5.37 M"), (80, "80")])
def test_sizes_are_readable(value, text):
    assert drawing.human(value) == text


@pytest.mark.parametrize("preset", PRESETS)
def test_teacher_student_sizes(preset):
    hidden = teacher_student.RECIPE.parameters(preset)["hidden"]
    if preset != "smoke":  # the published range, 1e4 to 1e5 parameters
        assert 102 * hidden[0] + 1 == pytest.approx(1e4, rel=0.05)
        assert 102 * hidden[-1] + 1 == pytest.approx(1e5, rel=0.05)
