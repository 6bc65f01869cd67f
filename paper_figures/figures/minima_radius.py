"""Sharpness and non-uniformity of the minima of SAM against its radius, beside SGD's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from numerics.networks.perceptrons import MnistMlp
from paper_figures import style
from paper_figures.families import drawing, minima
from paper_figures.recipes import Recipe
from paper_figures.runs import Record, Run, seed_of
from paper_figures.tables import Row
from theory import NORMALIZED_SAM, SAM, SGD

CAPTION = """\
Sharpness a = lambda_max(H) and non-uniformity s_k = lambda_max(E H_b^k - H^k)^(1/k) of the exact
Hessians of single samples, where unnormalised SAM and normalised SAM end on a part of MNIST
(perceptron with one hidden layer, square loss, 7 x 7 pixels), against the radius. Every training is
stopped at the same training loss; step size and batch size are the same everywhere. Above:
geometric means over seeds; the level is SGD's; the dashed curve in (a) is the largest sharpness at
which unnormalised SAM can be linearly stable. Below: ratios to SGD from the same initial weights
and batches. 95% confidence intervals (Student's t on the logarithms, below of the paired ratios). A
radius is compared over the seeds from which both it and SGD reach the loss, and left out if these
are fewer than two; the table counts them."""

RADII: dict[str, tuple[float, ...]] = {
    SAM.name: (0.005, 0.01, 0.02, 0.04, 0.08, 0.16),
    NORMALIZED_SAM.name: (0.0025, 0.005, 0.01, 0.02, 0.04, 0.08),
}


def preset(setting: MnistMlp, seeds: Sequence[int], some: slice = slice(None)) -> dict[str, Any]:
    """A setting, some of the radii and the seeds."""
    chosen = minima.preset(setting, seeds)
    for own in ("radius", "normalized_radius"):
        del chosen["setting"][own]
    return {**chosen, "radii": {name: list(radii[some]) for name, radii in RADII.items()}}


PRESETS = {
    "smoke": preset(minima.SMALL, (0, 1), slice(2, 5, 2)),
    "laptop": preset(MnistMlp(), range(5)),
    "paper": preset(MnistMlp(), range(20)),
}


def runs(parameters: Mapping[str, Any]) -> list[Run]:
    """One run for each seed: it trains SGD, and both kinds of SAM at every radius."""
    return [
        Run({**run.parameters, "radii": parameters["radii"]}, run.seed, run.data)
        for run in minima.runs(parameters)
    ]


def compute(run: Run) -> dict[str, Any]:
    """Train everything from one seed and measure where it ends."""
    setting = dict(run.parameters)
    radii = setting.pop("radii")
    problem = MnistMlp(**setting, seeds=(seed_of(run),))
    found = problem.minima(members=problem.members(radii[SAM.name], radii[NORMALIZED_SAM.name]))
    return {
        "device": found[0].run.device,
        "minima": [
            {"algorithm": one.run.member.spec.name, **minima.describe(one)} for one in found
        ],
    }


def table(parameters: Mapping[str, Any], records: Sequence[Record]) -> list[Row]:
    """One row for each quantity, algorithm and radius at which two seeds can be compared."""
    trainings = list(zip(*(record.result["minima"] for record in records), strict=True))
    base = trainings[0]
    rows = [
        row
        for symbol, field in minima.QUANTITIES.items()
        for training in trainings
        for row in radius_rows(symbol, field, training, base)
    ]
    if not rows:
        raise ValueError("fewer than two seeds reached the target loss with SGD: give more seeds")
    return rows


def radius_rows(
    symbol: str, field: str, training: Sequence[Mapping[str, Any]], base: Sequence[Any]
) -> list[Row]:
    """The row of one algorithm and radius over the seeds that it and SGD share, if two do."""
    both = [
        (one["moments"], other["moments"])
        for one, other in zip(training, base, strict=True)
        if one["moments"] and other["moments"]
    ]
    if len(both) < 2:
        return []
    values, against = np.array([[m[field] for m in pair] for pair in both]).T
    first = training[0]
    name, step_size, radius = (first[part] for part in ("algorithm", "step_size", "radius"))
    has_edge = symbol == "a" and name != NORMALIZED_SAM.name
    return [
        {
            "quantity": symbol,
            "algorithm": name,
            "radius": radius,
            **minima.compared(values, None if name == SGD.name else against),
            "stability_edge": minima.edge(step_size, radius) if has_edge else None,
            "seeds": len(both),
            "seeds_tried": len(training),
            "step_size": step_size,
            "batch_size": first["batch_size"],
        }
    ]


def draw(rows: Sequence[Row]) -> Figure:
    """A column for each quantity: values above, ratios to SGD below."""
    return minima.draw_columns(rows, draw_quantity)


def draw_quantity(above: Axes, below: Axes, rows: Sequence[Row]) -> None:
    """One quantity: SGD's level, SAM's curves, and SAM's edge of stability where there is one."""
    for axes in (above, below):
        axes.set_xscale("log")
        drawing.plain_log(axes.yaxis)
    (sgd,) = (row for row in rows if row["algorithm"] == SGD.name)
    look = style.algorithm(SGD.name)
    above.axhline(sgd["value"], color=look.color, lw=0.9, label=SGD.name)
    above.axhspan(sgd["value_low"], sgd["value_high"], color=look.color, alpha=0.12, lw=0)
    below.axhline(1.0, color=look.color, lw=0.8)
    for name in minima.ALGORITHMS[1:]:
        part = [row for row in rows if row["algorithm"] == name]
        for axes, column in ((above, "value"), (below, "ratio")):
            drawing.draw_curve(axes, part, "radius", column, style.algorithm(name), name)
    edges = [(r["radius"], r["stability_edge"]) for r in rows if r["algorithm"] == SAM.name]
    if edges and edges[0][1] is not None:
        above.plot(*zip(*edges, strict=True), **minima.EDGE_LINE, label="edge of stability of SAM")
    below.set_xlabel(r"radius $\rho$")


RECIPE = Recipe(
    name="minima_radius",
    title="Sharpness and non-uniformity of the minima of SAM against its radius",
    caption=CAPTION,
    presets=PRESETS,
    runs=runs,
    compute=compute,
    table=table,
    draw=draw,
)
