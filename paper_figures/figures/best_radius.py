"""How much SAM gains at each radius, and the best radius against the number of parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from numerics.statistics import mean_interval
from paper_figures import style
from paper_figures.families import comparisons, drawing, scaled_mnist
from paper_figures.recipes import Recipe
from paper_figures.runs import Record
from paper_figures.tables import Row, in_one_field

CAPTION = """\
The runs of mnist_generalisation at every radius. (a) Improvement of the test accuracy over SGD from
the same initial weights and batches, after the epoch that is best on the validation set: mean over
seeds and its 95% interval (Student's t on paired differences); the axis is linear up to one point
and logarithmic beyond. (b) The best radius, the one with the lowest error on the validation set (of
equals, the smallest): the area of a circle is the number of seeds that choose it; the line joins
geometric means over seeds, with 95% intervals of their logarithms."""


def table(parameters: Mapping[str, Any], records: Sequence[Record]) -> list[Row]:
    """One row for each scale and radius."""
    return [
        row
        for setting, group in comparisons.by_setting(records)
        for row in radius_rows(setting["scale"], group)
    ]


def radius_rows(scale: float, records: Sequence[Record]) -> list[Row]:
    """The rows of one scale."""
    at = comparisons.radii(records)
    members = range(1, len(at))
    validation = np.array([comparisons.column(records, k, "validation") for k in members])
    best = np.array(at[1:])[validation.argmin(0)]
    logs = mean_interval(np.log(best))
    mean, low, high = (float(np.exp(x)) for x in (logs.mean, logs.low, logs.high))
    base = 100 * comparisons.column(records, 0, "test_best")
    rows: list[Row] = []
    for k in members:
        gain = mean_interval(base - 100 * comparisons.column(records, k, "test_best"))
        rows.append(
            {
                "scale": scale,
                "parameters": records[0].result["size"],
                "radius": at[k],
                "gain": gain.mean,
                "gain_low": gain.low,
                "gain_high": gain.high,
                "validation_error": 100 * float(validation[k - 1].mean()),
                "seeds_choosing": int((best == at[k]).sum()),
                "seeds": len(records),
                "best": mean,
                "best_low": low,
                "best_high": high,
                "best_of_seeds": in_one_field(best),
            }
        )
    return rows


def draw(rows: Sequence[Row]) -> Figure:
    """Gain against radius on the left, best radius against size on the right."""
    fig, (left, right) = style.figure(style.PAGE, 2.9, 2)
    sizes = list(dict.fromkeys(row["parameters"] for row in rows))
    drawing.name_ticks(left.xaxis, [row["radius"] for row in rows], "{:g}".format)
    for place, (look, size) in enumerate(zip(style.shades(len(sizes)), sizes, strict=True)):
        part = [row for row in rows if row["parameters"] == size]
        drawing.draw_curve(left, part, "radius", "gain", look, drawing.human(size), dodge=place)
    left.axhline(0, color=comparisons.METHODS["SGD"].color, lw=0.8)
    left.set(xlabel=r"radius $\rho$", ylabel="improvement over SGD (points)")
    left.set_yscale("symlog", linthresh=1)  # too large a radius costs tens of points
    left.yaxis.set_major_locator(FixedLocator([-50, -10, -5, -2, -1, -0.5, 0, 0.5, 1, 2, 5, 10]))
    left.yaxis.set_major_formatter("{x:g}")
    left.yaxis.set_minor_locator(NullLocator())
    handles, labels = left.get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=len(labels), title="parameters")
    style.panel_title(left, 0, f"improvement by SAM, {rows[0]['seeds']} seeds")
    draw_best(right, rows)
    style.panel_title(right, 1, "best radius on the validation set")
    return fig


def draw_best(axes: Axes, rows: Sequence[Row]) -> None:
    """Who chose what, and the geometric mean."""
    look = comparisons.METHODS[comparisons.TUNED]
    x, y, count = (
        np.array([row[name] for row in rows], dtype=float)
        for name in ("parameters", "radius", "seeds_choosing")
    )
    drawing.name_ticks(axes.xaxis, x.tolist(), drawing.human)
    drawing.name_ticks(axes.yaxis, y.tolist(), "{:g}".format)
    axes.scatter(x, y, s=60 * count / rows[0]["seeds"], color=look.color, alpha=0.3, lw=0)
    first = [row for row in rows if row["radius"] == rows[0]["radius"]]
    drawing.draw_curve(axes, first, "parameters", "best", look, "geometric mean")
    axes.set_xlabel("number of parameters")
    axes.set_ylabel(r"best radius $\rho^*$")
    axes.set_ylim(min(y) / 2, max(y) * 2)


RECIPE = Recipe(
    name="best_radius",
    title="Gain by SAM at each radius, and the best radius against the number of parameters",
    caption=CAPTION,
    presets=scaled_mnist.PRESETS,
    runs=scaled_mnist.runs,
    compute=scaled_mnist.compute,
    table=table,
    draw=draw,
    family=scaled_mnist.FAMILY,
    on_gpu=True,
)
