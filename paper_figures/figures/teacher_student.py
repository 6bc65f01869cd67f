"""Test loss of SGD and SAM, and the improvement, against the student's number of parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from numerics.networks.teacher_student import TeacherStudent
from paper_figures.families import comparisons
from paper_figures.families.comparisons import FIXED_RADIUS
from paper_figures.recipes import Recipe
from paper_figures.runs import Record, Run, seed_of
from paper_figures.tables import Row

CAPTION = f"""\
Two-layer ReLU students of growing width learn a two-layer teacher of width 10 from noisy samples in
dimension 100, by SGD and by SAM (normalised over all parameters, same batch) with momentum 0.9,
weight decay 1e-4 and step size 0.02, divided by ten after each quarter of the epochs. (a) Loss on
noiseless test samples (the zero function has 1/2) and (b) its improvement over SGD from the same
initial weights and batches: means over independent teachers with 95% intervals (Student's t; in (b)
of the paired differences). The epoch is chosen on a validation set, and so is, for each width, the
tuned radius; the fixed one is {FIXED_RADIUS}."""


def preset(seeds: Sequence[int], hidden: Sequence[int], **setting: Any) -> dict[str, Any]:
    """The widths, the seeds, and what differs from the library's setting."""
    return {"setting": setting, "hidden": list(hidden), "seeds": list(seeds)}


PRESETS = {
    "smoke": preset(
        (0, 1), (30, 100), samples=200, test=1000, epochs=8, radii=[0.05, 0.2], batch_size=32
    ),
    "laptop": preset(range(10), (100, 200, 400, 1000)),
    "paper": preset(range(20), (100, 200, 300, 400, 600, 800, 1000), epochs=200),
}


def runs(parameters: Mapping[str, Any]) -> list[Run]:
    """One run for each width and seed; the data comes from the seed."""
    return [
        Run({**parameters["setting"], "hidden": hidden}, seed)
        for hidden in parameters["hidden"]
        for seed in parameters["seeds"]
    ]


def compute(run: Run) -> dict[str, Any]:
    """Train the members of one seed; scores are mean losses."""
    return TeacherStudent(**run.parameters).outcome(seed_of(run), run.device)


def table(parameters: Mapping[str, Any], records: Sequence[Record]) -> list[Row]:
    """One row for each width, method and chosen epoch; scores are losses."""
    return [
        row
        for setting, group in comparisons.by_setting(records)
        for row in comparisons.gain_rows(group, 1, hidden=setting["hidden"])
    ]


def draw(rows: Sequence[Row]) -> Figure:
    """Losses on the left, improvements on the right."""
    return comparisons.draw_gains(rows, "test loss", "decrease of the test loss by SAM")


RECIPE = Recipe(
    name="teacher_student",
    title="Test loss of SGD and SAM against the number of parameters, teacher and student",
    caption=CAPTION,
    presets=PRESETS,
    runs=runs,
    compute=compute,
    table=table,
    draw=draw,
    on_gpu=True,
)
