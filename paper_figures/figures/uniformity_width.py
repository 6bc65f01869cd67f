"""Sharpness and non-uniformity of the minima of SGD and SAM against the width of the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from numerics.networks.perceptrons import MnistMlp
from paper_figures import style
from paper_figures.families import comparisons, drawing, minima
from paper_figures.recipes import Recipe
from paper_figures.runs import Record, Run
from paper_figures.tables import Row, in_one_field
from theory import SGD

CAPTION = """\
Sharpness a = lambda_max(H) and non-uniformity s_k = lambda_max(E H_b^k - H^k)^(1/k) of the exact
Hessians of single samples, where SGD, unnormalised SAM and normalised SAM end on a part of MNIST
(perceptron with one hidden layer, square loss, 7 x 7 pixels), against the number of parameters.
Every training is stopped at the same training loss; step size, radii and batch size are the same at
every width. Above: geometric means over seeds. Below: ratios to SGD from the same initial weights
and batches. 95% confidence intervals (Student's t on the logarithms, below of the paired ratios);
seeds from which some training misses the loss are left out of their width. The table's ratios seed
by seed are those of the seeds complete at every width."""


def preset(hidden: Sequence[int], setting: MnistMlp, seeds: Sequence[int]) -> dict[str, Any]:
    """A setting at several widths."""
    return {**minima.preset(setting, seeds), "hidden": list(hidden)}


THIRTY = MnistMlp(samples=30, batch_size=6, step_size=0.06, radius=0.025, normalized_radius=0.02)
PRESETS = {
    "smoke": preset((12, 16), MnistMlp(samples=10, batch_size=4, target_loss=0.03), (0, 1)),
    "laptop": preset((12, 24, 48, 96), THIRTY, range(5)),
    "paper": preset((12, 24, 48, 96), THIRTY, range(20)),
}


def runs(parameters: Mapping[str, Any]) -> list[Run]:
    """One run for each width and seed: it trains every algorithm."""
    at_one_width = minima.runs(parameters)  # the data does not depend on the width
    return [
        Run({**run.parameters, "hidden": hidden}, run.seed, run.data)
        for hidden in parameters["hidden"]
        for run in at_one_width
    ]


def table(parameters: Mapping[str, Any], records: Sequence[Record]) -> list[Row]:
    """One row for each width, quantity and algorithm."""
    widths = [
        (setting["hidden"], minima.complete_seeds(group), len(group))
        for setting, group in comparisons.by_setting(records)
    ]
    everywhere = set.intersection(*(set(found) for _, found, _ in widths))
    return [
        row
        for hidden, found, tried in widths
        for row in width_rows(hidden, found, tried, everywhere)
    ]


def width_rows(
    hidden: int, found: Mapping[int | None, Any], tried: int, everywhere: set[int | None]
) -> list[Row]:
    """The rows of one width, from its complete seeds; `everywhere` are complete at every width."""
    compared = [seed in everywhere for seed in found]
    rows: list[Row] = []
    for symbol, field in minima.QUANTITIES.items():
        values = {
            name: np.array([one[name]["moments"][field] for one in found.values()])
            for name in minima.ALGORITHMS
        }
        for name, reached in values.items():
            base = None if name == SGD.name else values[SGD.name]
            of_seeds = "" if base is None else in_one_field((reached / base)[compared])
            minimum = next(iter(found.values()))[name]
            rows.append(
                {
                    "hidden": hidden,
                    "parameters": minimum["moments"]["size"],
                    "quantity": symbol,
                    "algorithm": name,
                    **minima.compared(reached, base),
                    "seeds": len(found),
                    "seeds_tried": tried,
                    **{part: minimum[part] for part in ("step_size", "radius", "batch_size")},
                    "ratio_of_seeds": of_seeds or None,
                }
            )
    return rows


def draw(rows: Sequence[Row]) -> Figure:
    """A column for each quantity: values above, ratios to SGD below."""
    return minima.draw_columns(rows, draw_quantity)


def draw_quantity(above: Axes, below: Axes, rows: Sequence[Row]) -> None:
    """One quantity of every algorithm."""
    for axes in (above, below):
        drawing.plain_log(axes.yaxis)
    drawing.name_ticks(below.xaxis, [row["parameters"] for row in rows], drawing.human)
    for place, name in enumerate(minima.ALGORITHMS, start=-1):
        part, look = [row for row in rows if row["algorithm"] == name], style.algorithm(name)
        drawing.draw_curve(above, part, "parameters", "value", look, name, dodge=place)
        if name != SGD.name:
            drawing.draw_curve(below, part, "parameters", "ratio", look, name, dodge=place)
    below.axhline(1.0, color=style.algorithm(SGD.name).color, lw=0.8)
    below.set_xlabel("parameters")


RECIPE = Recipe(
    name="uniformity_width",
    title="Sharpness and non-uniformity of the minima of SGD and SAM against width",
    caption=CAPTION,
    presets=PRESETS,
    runs=runs,
    compute=minima.compute,
    table=table,
    draw=draw,
    family=minima.FAMILY,
)
