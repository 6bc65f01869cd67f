"""Tables of the generalisation figures from runs made up by hand, with statistics typed again."""

import numpy as np
import pytest

from paper_figures.figures import _comparisons as shared
from paper_figures.figures import best_radius, label_noise, mnist_generalisation, teacher_student
from paper_figures.recipes import PRESETS
from paper_figures.runs import Record, Run

RADII = (0.0, 0.02, 0.05, 0.1)
#: Seed -> validation and test errors of SGD and three radii; 0.1 is the best validated, not tested.
VALIDATION = np.array([[0.20, 0.18, 0.17, 0.15], [0.22, 0.21, 0.16, 0.17], [0.19, 0.2, 0.18, 0.15]])
BEST = np.array([[0.21, 0.17, 0.18, 0.19], [0.23, 0.18, 0.20, 0.20], [0.20, 0.16, 0.19, 0.17]])
LAST = BEST + 0.01


def records(validation=VALIDATION, **parameters):
    return [
        Record(
            Run({"scale": 1, "label_noise": 0.0, **parameters}, seed),
            {
                "size": 1000,
                "members": [
                    {
                        "radius": radius,
                        "validation": validation[seed][k],
                        "test_best": BEST[seed][k],
                        "test_last": LAST[seed][k],
                        "training_score": 0.1,
                        "diverged": False,
                    }
                    for k, radius in enumerate(RADII)
                ],
            },
            f"key {seed}",
            0.0,
            {},
        )
        for seed in range(3)
    ]


def interval(values):
    """Mean and 95% interval for three values, with Student's quantile from a table."""
    mean, reach = np.mean(values), 4.302652729911275 * np.std(values, ddof=1) / 3**0.5
    return pytest.approx([mean, mean - reach, mean + reach], rel=1e-9)


def numbers(row, name):
    return [row[name], row[f"{name}_low"], row[f"{name}_high"]]


def test_radius_is_tuned_on_validation_and_gains_are_paired():
    rows = mnist_generalisation.table({}, records())
    assert len(rows) == 6
    found = {(row["method"], row["epoch"]): row for row in rows}
    radius = {method: row["radius"] for (method, _), row in found.items()}
    assert radius == {"SGD": 0.0, "SAM, fixed radius": 0.05, "SAM, tuned radius": 0.1}
    for epoch, errors in (("best", BEST), ("last", LAST)):
        tuned, base = found["SAM, tuned radius", epoch], found["SGD", epoch]
        assert numbers(tuned, "score") == interval(100 * errors[:, 3])
        assert numbers(tuned, "gain") == interval(100 * (errors[:, 0] - errors[:, 3]))
        assert numbers(base, "gain") == [None] * 3
        assert tuned["seeds"] == 3


def test_a_diverged_radius_is_never_chosen():
    broken = VALIDATION.copy().astype(object)
    broken[1, 3] = None
    rows = mnist_generalisation.table({}, records(broken))
    assert {r["radius"] for r in rows if r["method"] == "SAM, tuned radius"} == {0.05}


def test_settings_are_kept_apart():
    both = [*records(), *records(scale=2)]
    rows = mnist_generalisation.table({}, both)
    assert [row["scale"] for row in rows] == [1] * 6 + [2] * 6
    assert len(shared.by_setting(both)) == 2


def test_best_radius_counts_and_averages_the_choices_of_seeds():
    rows = best_radius.table({}, records())
    assert [row["radius"] for row in rows] == [0.02, 0.05, 0.1]
    assert [row["seeds_choosing"] for row in rows] == [0, 1, 2]
    expected = interval(np.log([0.1, 0.05, 0.1]))
    assert np.log(numbers(rows[0], "best")).tolist() == expected
    assert numbers(rows[1], "gain") == interval(100 * (BEST[:, 0] - BEST[:, 2]))


def test_a_preset_without_the_fixed_radius_says_so():
    runs = records()
    for record in runs:
        del record.result["members"][2]
    with pytest.raises(ValueError, match=r"radius 0\.05 is not among"):
        mnist_generalisation.table({}, runs)


@pytest.mark.parametrize("preset", PRESETS)
def test_figures_share_their_runs(preset, monkeypatch):
    """Those of best_radius, and those of label_noise without noise where the sizes agree."""
    monkeypatch.setattr(mnist_generalisation, "fingerprint", lambda *_: "data")
    monkeypatch.setattr(mnist_generalisation.ScaledMnist, "data", lambda self: mnist_data())
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
    from numerics.fitting import Data

    return Data((), (), ())


@pytest.mark.parametrize(("value", "text"), [(61_035, "61 k"), (5_366_010, "5.37 M"), (80, "80")])
def test_sizes_are_readable(value, text):
    assert shared.human(value) == text


@pytest.mark.parametrize("preset", PRESETS)
def test_teacher_student_sizes(preset):
    hidden = teacher_student.RECIPE.parameters(preset)["hidden"]
    if preset != "smoke":  # the published range, 1e4 to 1e5 parameters
        assert 102 * hidden[0] + 1 == pytest.approx(1e4, rel=0.05)
        assert 102 * hidden[-1] + 1 == pytest.approx(1e5, rel=0.05)
