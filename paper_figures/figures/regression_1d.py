"""The functions that GD and SAM find in one dimension, and how complex they are."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from numerics.networks.regression_1d import FULL_SAM, Paths, Regression1d
from numerics.statistics import mean_interval
from paper_figures import style
from paper_figures.families import drawing
from paper_figures.recipes import Recipe
from paper_figures.runs import Record, Run
from paper_figures.tables import Row, in_one_field
from theory import GD

ALGORITHMS = (GD.name, FULL_SAM.name)
#: Measured quantity -> axis label, averaged as logarithms.
QUANTITIES = {"trace": "trace of the Hessian", "pieces": "linear pieces"}

CAPTION = """\
Regression on twelve noisy samples of a sine by perceptrons with one hidden ReLU layer: GD and SAM
(normalised, full batch) with the same step size, number of steps and initial weights. (a, b) The
functions found with few and with many neurons, one line for each of the first three seeds; points
are the data. (c) Trace of the exact Hessian of the training loss and (f) number of linear pieces
between the outer samples (kinks with at least 1% of the total change of slope) against the number
of neurons: geometric means over seeds with 95% intervals (Student's t on logarithms). (d, e) The
ways of the weights from the first seed, projected onto the plane through the common start (black)
and both ends; grey: contours of the training loss on that plane, evenly spaced in its logarithm."""


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
    return [
        Run({**fixed, "neurons": neurons, "drawn": neurons in parameters["drawn"]})
        for neurons in parameters["neurons"]
    ]


def compute(run: Run) -> dict[str, Any]:
    """Functions on a grid and their complexity, for every seed; paths for the first one."""
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
        "paths": described(problem.paths(chosen["seeds"][0])) if chosen["drawn"] else None,
    }


def described(paths: Paths) -> dict[str, Any]:
    """As JSON values."""
    return {
        "steps": paths.steps.tolist(),
        "places": {name: place.tolist() for name, place in paths.places.items()},
        "distances": {name: distance.tolist() for name, distance in paths.distances.items()},
        "axes": [axis.tolist() for axis in paths.axes],
        "losses": paths.losses.tolist(),
    }


def table(parameters: Mapping[str, Any], records: Sequence[Record]) -> list[Row]:
    """Rows of the kinds `data`, `function`, `path` and `plane` (by points), and `complexity`."""
    rows = [row(kind="data", x=x, value=y) for x, y in records[0].result["data"]]
    for record in records:
        neurons, found = record.run.parameters["neurons"], record.result["found"]
        if record.run.parameters["drawn"]:
            rows += function_rows(neurons, record.result["grid"], found)
            rows += path_rows(neurons, parameters["seeds"][0], record.result["paths"])
        rows += complexity_rows(neurons, found)
    return rows


def function_rows(neurons: int, grid: Sequence[float], found: Sequence[Any]) -> list[Row]:
    """Every function, point by point."""
    return [
        row(
            kind="function",
            neurons=neurons,
            algorithm=one["algorithm"],
            seed=one["seed"],
            x=x,
            value=value,
        )
        for one in found
        for x, value in zip(grid, one["values"], strict=True)
    ]


def path_rows(neurons: int, seed: int, paths: Mapping[str, Any]) -> list[Row]:
    """Places of both algorithms on the plane, and the losses there."""
    common: dict[str, Any] = {"neurons": neurons, "seed": seed}
    rows = [
        row(kind="path", algorithm=name, step=step, x=x, value=y, off_plane=distance, **common)
        for name in ALGORITHMS
        for step, (x, y), distance in zip(
            paths["steps"], paths["places"][name], paths["distances"][name], strict=True
        )
    ]
    points = itertools.product(*paths["axes"])
    losses = itertools.chain.from_iterable(paths["losses"])
    return rows + [
        row(kind="plane", x=x, value=y, loss=loss, **common)
        for (x, y), loss in zip(points, losses, strict=True)
    ]


def complexity_rows(neurons: int, found: Sequence[Any]) -> list[Row]:
    """The averages over seeds."""
    rows = []
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
        traces = in_one_field(one["trace"] for one in part)
        rows.append(
            row(
                kind="complexity",
                neurons=neurons,
                algorithm=name,
                trace_of_seeds=traces,
                **numbers,
            )
        )
    return rows


def row(**cells: str | int | float) -> Row:
    """A row with all columns; those that its kind does not have are empty."""
    columns = ["kind", "neurons", "algorithm", "seed", "step", "x", "value", "off_plane", "loss"]
    columns += ["seeds"]
    columns += [quantity + end for quantity in QUANTITIES for end in ("", "_low", "_high")]
    return {**dict.fromkeys([*columns, "trace_of_seeds"]), **cells}


def draw(rows: Sequence[Row]) -> Figure:
    """Functions above, ways below, complexity on the right."""
    fig = Figure(figsize=(style.PAGE, 4.2), layout="constrained")
    panels = fig.subplots(2, 3)
    drawn = list(dict.fromkeys(r["neurons"] for r in rows if r["kind"] == "function"))
    for index, neurons in enumerate(drawn):
        draw_functions(panels[0, index], rows, neurons)
        style.panel_title(panels[0, index], index, f"functions, {neurons} neurons")
        draw_paths(panels[1, index], rows, neurons)
        style.panel_title(panels[1, index], 3 + index, f"weights, {neurons} neurons")
    panels[0, 1].sharey(panels[0, 0])
    panels[0, 0].legend(loc="upper left")
    complexity = [r for r in rows if r["kind"] == "complexity"]
    for axes, place, (quantity, title) in zip(
        panels[:, 2], (2, 5), QUANTITIES.items(), strict=True
    ):
        drawing.name_ticks(axes.xaxis, [r["neurons"] for r in complexity], "{:g}".format)
        drawing.plain_log(axes.yaxis)
        axes.set_xlabel("neurons")
        for name in ALGORITHMS:
            part = [r for r in complexity if r["algorithm"] == name]
            drawing.draw_curve(axes, part, "neurons", quantity, style.algorithm(name), name)
        style.panel_title(axes, place, title)
    return fig


def draw_paths(axes: Axes, rows: Sequence[Row], neurons: Any) -> None:
    """Both ways from the first seed, over the contours of the loss."""
    here = [r for r in rows if r["neurons"] == neurons]
    plane = [(r["x"], r["value"], r["loss"]) for r in here if r["kind"] == "plane"]
    x, y, loss = np.array(plane, dtype=float).T
    axes.tricontour(x, y, np.log10(loss), levels=12, colors="0.75", linewidths=0.5, linestyles="-")
    for name in ALGORITHMS:
        look = style.algorithm(name)
        way = [(r["x"], r["value"]) for r in here if (r["kind"], r["algorithm"]) == ("path", name)]
        x, y = np.array(way, dtype=float).T
        axes.plot(x, y, **look.line)
        axes.plot(x[-1], y[-1], **look.points)
    axes.plot(0, 0, "k.", ms=6, zorder=3)
    axes.set(aspect="equal", xlabel="towards GD's end", ylabel="orthogonal to it")


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
