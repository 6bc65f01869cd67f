"""The functions that GD and SAM find in one dimension, and how complex they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from numerics.problems.regression_1d import FULL_SAM, Regression1d
from numerics.statistics import mean_interval
from paper_figures import style
from paper_figures.figures import _comparisons as shared
from paper_figures.recipes import Recipe
from paper_figures.runs import Record, Run
from paper_figures.tables import Row
from theory import GD

ALGORITHMS = (GD.name, FULL_SAM.name)
#: Measured quantity -> axis label, averaged as logarithms.
QUANTITIES = {"trace": "trace of the Hessian", "pieces": "linear pieces"}

CAPTION = """\
Regression on twelve noisy samples of a sine by perceptrons with one hidden ReLU layer: GD and SAM
(normalised, full batch) with the same step size, number of steps and initial weights. (a, b) The
functions found with few and with many neurons, one line for each of the first three seeds; points
are the data. (c) Trace of the exact Hessian of the training loss and (d) number of linear pieces
between the outer samples (kinks with at least 1% of the total change of slope) against the number
of neurons: geometric means over seeds with 95% intervals (Student's t on logarithms)."""


def preset(
    neurons: Sequence[int], drawn: Sequence[int], seeds: int, **setting: Any
) -> dict[str, Any]:
    """The widths, those whose functions are drawn, the seeds, and what differs from the library."""
    return {
        "neurons": list(neurons),
        "drawn": list(drawn),
        "seeds": list(range(seeds)),
        "points": 241,
        "setting": setting,
    }


PRESETS = {
    "smoke": preset((5, 10), (5, 10), 3, steps=300),
    "laptop": preset((10, 20, 50, 100, 200), (10, 100), 10),
    "paper": preset((10, 20, 50, 100, 200, 500), (10, 100), 20, steps=20_000),
}


def runs(parameters: Mapping[str, Any]) -> list[Run]:
    """One run for each width: it trains all seeds at once."""
    fixed = {name: parameters[name] for name in ("setting", "points", "seeds")}
    return [Run({**fixed, "neurons": neurons}) for neurons in parameters["neurons"]]


def compute(run: Run) -> dict[str, Any]:
    """Functions on a grid, and their complexity, for both algorithms and every seed."""
    chosen = run.parameters
    problem = Regression1d(neurons=chosen["neurons"], **chosen["setting"])
    inputs, targets = problem.data()
    grid = torch.linspace(
        float(inputs.min()), float(inputs.max()), chosen["points"], dtype=inputs.dtype
    ).unsqueeze(1)
    result = []
    for found in problem.find(chosen["seeds"]):
        with torch.no_grad():
            values = found.run.load_into(problem.build(0))(grid).flatten()
        result.append(
            {
                "algorithm": found.run.member.spec.name,
                "seed": found.run.member.seed,
                "values": values.tolist(),
                "loss": found.run.loss,
                "trace": found.trace,
                "pieces": found.pieces,
            }
        )
    return {
        "device": str(inputs.device),
        "grid": grid.flatten(),
        "data": torch.cat([inputs, targets], dim=1),
        "found": result,
    }


def table(parameters: Mapping[str, Any], records: Sequence[Record]) -> list[Row]:
    """Rows of three kinds: `data`, `function` (one for each point) and `complexity`."""
    rows = [row(kind="data", x=x, value=y) for x, y in records[0].result["data"]]
    for record in records:
        neurons, found = record.run.parameters["neurons"], record.result["found"]
        if neurons in parameters["drawn"]:
            rows += [
                row(
                    kind="function",
                    neurons=neurons,
                    algorithm=one["algorithm"],
                    seed=one["seed"],
                    x=x,
                    value=value,
                )
                for one in found
                for x, value in zip(record.result["grid"], one["values"], strict=True)
            ]
        for name in ALGORITHMS:
            part = [one for one in found if one["algorithm"] == name]
            numbers = {"loss": float(np.mean([one["loss"] for one in part])), "seeds": len(part)}
            for quantity in QUANTITIES:
                interval = mean_interval(np.log([one[quantity] for one in part]))
                for end, value in (
                    ("", interval.mean),
                    ("_low", interval.low),
                    ("_high", interval.high),
                ):
                    numbers[quantity + end] = float(np.exp(value))
            rows.append(row(kind="complexity", neurons=neurons, algorithm=name, **numbers))
    return rows


def row(**cells: str | int | float) -> Row:
    """A row with all columns; those that its kind does not have are empty."""
    columns = ["kind", "neurons", "algorithm", "seed", "x", "value", "loss", "seeds"]
    columns += [quantity + end for quantity in QUANTITIES for end in ("", "_low", "_high")]
    return {**dict.fromkeys(columns), **cells}


def draw(rows: Sequence[Row]) -> Figure:
    """Two panels of functions, two of complexity."""
    fig, axes = style.figure(style.PAGE, 2.1, 4)
    drawn = list(dict.fromkeys(r["neurons"] for r in rows if r["kind"] == "function"))
    for index, neurons in enumerate(drawn):
        draw_functions(axes[index], rows, neurons)
        style.panel_title(axes[index], index, f"{neurons} neurons")
    axes[1].sharey(axes[0])
    axes[0].set_ylabel("function")
    axes[2].legend(*axes[0].get_legend_handles_labels(), loc="upper left")
    complexity = [r for r in rows if r["kind"] == "complexity"]
    for index, (quantity, title) in enumerate(QUANTITIES.items(), start=2):
        panel = axes[index]
        shared.name_ticks(panel.xaxis, [r["neurons"] for r in complexity], "{:g}".format)
        shared.plain_log(panel.yaxis)
        panel.set_xlabel("neurons")
        for name in ALGORITHMS:
            part = [r for r in complexity if r["algorithm"] == name]
            shared.draw_curve(panel, part, "neurons", quantity, style.algorithm(name), name)
        style.panel_title(panel, index, title)
    low, high = axes[2].get_ylim()
    axes[2].set_ylim(low, high * (high / low) ** 0.4)  # room for the legend
    return fig


def draw_functions(axes: Axes, rows: Sequence[Row], neurons: Any) -> None:
    """What both algorithms found from the first three seeds, and the data."""
    for name in ALGORITHMS:
        part = [
            r
            for r in rows
            if (r["kind"], r["neurons"], r["algorithm"]) == ("function", neurons, name)
        ]
        for place, seed in enumerate(list(dict.fromkeys(r["seed"] for r in part))[:3]):
            curve = [(r["x"], r["value"]) for r in part if r["seed"] == seed]
            label = name if place == 0 else None
            axes.plot(*zip(*curve, strict=True), label=label, lw=0.9, **style.algorithm(name).line)
    points = [(r["x"], r["value"]) for r in rows if r["kind"] == "data"]
    axes.plot(*zip(*points, strict=True), "k.", ms=4, zorder=3)
    axes.set_xlabel("input")


RECIPE = Recipe(
    name="regression_1d",
    title="Functions found by GD and SAM in one dimension, and their complexity",
    caption=CAPTION,
    presets=PRESETS,
    runs=runs,
    compute=compute,
    table=table,
    draw=draw,
)
