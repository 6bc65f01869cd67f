"""What tuning the radius of SAM is worth, against the number of parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from numerics.statistics import mean_interval
from paper_figures import style
from paper_figures.families import comparisons, drawing, scaled_mnist
from paper_figures.families.comparisons import FIXED_RADIUS
from paper_figures.recipes import Recipe
from paper_figures.runs import Record
from paper_figures.tables import Row
from theory import SGD

EPOCHS = {"best": style.Look("#56B4E9", "o", "-"), "last": style.Look("#E69F00", "D", "-")}

CAPTION = f"""\
The runs of mnist_generalisation. (a) Improvement of the test accuracy over SGD by SAM with the
radius {FIXED_RADIUS} at every size and with the radius that is, for each size, the best on
average on the validation set (written beside its point), after the epoch that is best on the
validation set. (b) What tuning adds: test accuracy with the tuned radius minus that with the fixed
one, after the best epoch and after the last. Means over seeds with 95% intervals (Student's t on
paired differences). Where the tuned radius is the fixed one, (b) is zero by definition."""


def table(parameters: Mapping[str, Any], records: Sequence[Record]) -> list[Row]:
    """The rows of mnist_generalisation for SAM, with what tuning adds beside them."""
    rows: list[Row] = []
    for setting, group in comparisons.by_setting(records):
        added = {epoch: tuning(group, epoch) for epoch in EPOCHS}
        rows += [
            {**row, **added[row["epoch"]]}
            for row in comparisons.gain_rows(group, 100, scale=setting["scale"])
            if row["method"] != SGD.name
        ]
    return rows


def tuning(records: Sequence[Record], epoch: str) -> Row:
    """Points of accuracy that the tuned radius adds to the fixed one, paired by seed."""
    chosen = comparisons.chosen_members(records)
    fixed, tuned = (
        100 * comparisons.column(records, chosen[method], f"test_{epoch}")
        for method in (comparisons.FIXED, comparisons.TUNED)
    )
    added = mean_interval(fixed - tuned)
    return {"added": added.mean, "added_low": added.low, "added_high": added.high}


def draw(rows: Sequence[Row]) -> Figure:
    """Improvements with both radii on the left, their difference on the right."""
    fig, (left, right) = style.figure(style.PAGE, 2.7, 2)
    for axes in (left, right):
        drawing.name_ticks(axes.xaxis, [row["parameters"] for row in rows], drawing.human)
        axes.set_xlabel("number of parameters")
    for place, method in enumerate((comparisons.FIXED, comparisons.TUNED)):
        part = [row for row in rows if (row["method"], row["epoch"]) == (method, "best")]
        look = comparisons.METHODS[method]
        drawing.draw_curve(left, part, "parameters", "gain", look, method, dodge=2 * place - 1)
    for row in part:
        text = rf"$\rho = {row['radius']:g}$"
        left.annotate(
            text, (row["parameters"], row["gain_high"]), **style.beside(5, -6, fontsize=8)
        )
    left.margins(x=0.15)
    for place, (epoch, look) in enumerate(EPOCHS.items()):
        part = [row for row in rows if (row["method"], row["epoch"]) == (comparisons.TUNED, epoch)]
        drawing.draw_curve(
            right, part, "parameters", "added", look, f"{epoch} epoch", dodge=2 * place - 1
        )
    left.axhline(0, color=comparisons.METHODS[SGD.name].color, lw=0.8)
    right.axhline(0, color=comparisons.METHODS[comparisons.FIXED].color, lw=0.8)
    left.set_ylabel("improvement over SGD (points)")
    right.set_ylabel("added by tuning (points)")
    drawing.one_legend(fig, left, right)
    style.panel_title(left, 0, f"fixed and tuned radius, {rows[0]['seeds']} seeds")
    style.panel_title(right, 1, "tuned minus fixed, paired by seed")
    return fig


RECIPE = Recipe(
    name="tuned_radius",
    title="SAM with a fixed and with a tuned radius against the number of parameters, MNIST",
    caption=CAPTION,
    presets=scaled_mnist.PRESETS,
    runs=scaled_mnist.runs,
    compute=scaled_mnist.compute,
    table=table,
    draw=draw,
    family=scaled_mnist.FAMILY,
    on_gpu=True,
)
