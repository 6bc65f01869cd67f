"""Unnormalised and normalised SAM on the same problems: what is proved, and what practice sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from numerics.problems.least_squares import LeastSquares
from numerics.stability.normalisation import both_sams, edge_radius
from numerics.statistics import mean_interval
from paper_figures import style
from paper_figures.families import comparisons, drawing, scaled_mnist
from paper_figures.recipes import Recipe
from paper_figures.runs import Record, Run
from paper_figures.tables import Row
from theory import NORMALIZED_SAM, SAM, SGD

SAMS = {"unnormalised": SAM.name, "normalised": NORMALIZED_SAM.name}
#: Of the radius at which unnormalised SAM loses stability: one below and one beyond it.
SHARES = (0.5, 1.1)
#: Later losses are those of the long run.
SETTLED = 0.9

CAPTION = """\
SAM with and without normalisation of its ascent step. (a) Full gradients on least squares (rows of
MNIST, parity as target): the loss at a radius of half and of 1.1 times the one at which
unnormalised SAM loses stability; unnormalised SAM converges linearly below it and diverges beyond,
normalised SAM does neither: it approaches the proved cycle of length two (dashed). (b) Largest loss
of the last tenth of the steps against the radius, with the loss on the cycle (dashed) and the bound
for the ball that is proved to be invariant (dash-dotted); unnormalised SAM leaves the panel below,
on the left of the vertical line, where it loses stability, and above on its right. (c) The setting
of mnist_generalisation at one size, with both algorithms at the same radii: test accuracy after the
epoch that is best on the validation set, mean over seeds with its 95% interval (Student's t); the
horizontal band is SGD."""


def preset(name: str, scale: float, radii: Sequence[float], points: int) -> dict[str, Any]:
    """One size of the networks, and how many radii on least squares."""
    shared = scaled_mnist.preset(name, (scale,))
    return {
        **shared,
        "setting": {**shared["setting"], "radii": list(radii)},
        "least_squares": {"samples": 10, "step_size": 1.0, "steps": 600, "points": points},
    }


PRESETS = {
    "smoke": preset("smoke", 0.25, (0.02, 0.05), 9),
    "laptop": preset("laptop", 0.5, (0.005, 0.01, 0.02, 0.05, 0.1, 0.2), 33),
    "paper": preset("paper", 1.0, (0.005, 0.01, 0.02, 0.05, 0.1, 0.2), 65),
}


def runs(parameters: Mapping[str, Any]) -> list[Run]:
    """The trainings on MNIST with normalised SAM, and with unnormalised."""
    return [
        run
        for normalized in (True, False)
        for run in scaled_mnist.runs(
            {**parameters, "setting": {**parameters["setting"], "normalized": normalized}}
        )
    ]


def table(parameters: Mapping[str, Any], records: Sequence[Record]) -> list[Row]:
    """The rows of the three panels; least squares takes no time and is computed here."""
    return [
        *least_squares_rows(**parameters["least_squares"]),
        *(
            row
            for setting, group in comparisons.by_setting(records)
            for row in mnist_rows(setting, group)
        ),
    ]


def row_of(panel: str, algorithm: str, radius: float, value: float, **more: Any) -> Row:
    """A row of the common table; what a panel has no use for stays empty."""
    empty = dict.fromkeys(("step", "low", "high", "cycle", "ball", "edge", "seeds", "diverged"))
    return {
        "panel": panel,
        "algorithm": algorithm,
        "radius": radius,
        "value": value,
        **empty,
        **more,
    }


def least_squares_rows(samples: int, step_size: float, steps: int, points: int) -> list[Row]:
    """Losses along two trajectories, and in the long run at many radii."""
    problem = LeastSquares.mnist(samples)
    edge = edge_radius(problem, step_size)
    rows: list[Row] = []
    for share in SHARES:
        found = both_sams(problem, step_size, share * edge, steps)
        for kind, name in SAMS.items():
            losses = getattr(found, kind).tolist()
            rows += [
                row_of("trajectory", name, found.radius, loss, step=t, cycle=found.cycle, edge=edge)
                for t, loss in enumerate(losses)
                if np.isfinite(loss)
            ]
    for radius in np.geomspace(edge / 100, 10 * edge, points).tolist():
        found = both_sams(problem, step_size, radius, steps)
        for kind, name in SAMS.items():
            worst = float(getattr(found, kind)[int(SETTLED * steps) :].max())
            if np.isfinite(worst):
                proved = {"cycle": found.cycle, "ball": found.ball, "edge": edge}
                rows.append(row_of("long run", name, radius, worst, **proved))
    return rows


def mnist_rows(setting: Mapping[str, Any], records: Sequence[Record]) -> list[Row]:
    """Test errors in % of one algorithm at each radius, and of SGD beside it."""
    name = NORMALIZED_SAM.name if setting["normalized"] else SAM.name
    rows: list[Row] = []
    for member, radius in enumerate(comparisons.radii(records)):
        if member == 0 and not setting["normalized"]:
            continue  # the same SGD again
        error = mean_interval(100 * comparisons.column(records, member, "test_best"))
        rows.append(
            row_of(
                "mnist",
                name if member else SGD.name,
                radius,
                error.mean,
                low=error.low,
                high=error.high,
                seeds=error.count,
                diverged=sum(r.result["members"][member]["diverged"] for r in records),
            )
        )
    return rows


def draw(rows: Sequence[Row]) -> Figure:
    """Trajectories, the long run, and MNIST."""
    fig, axes = style.figure(style.PAGE, 2.7, 3)
    for index, (panel, draw_panel, title) in enumerate(
        (
            ("trajectory", draw_trajectories, "least squares, full gradient"),
            ("long run", draw_long_run, "the long run"),
            ("mnist", draw_mnist, "MNIST perceptron"),
        )
    ):
        draw_panel(axes[index], [row for row in rows if row["panel"] == panel])
        style.panel_title(axes[index], index, title)
    handles, labels = axes[2].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return fig


def columns(rows: Sequence[Row], *names: str) -> list[np.ndarray]:
    """Columns of the table as arrays."""
    return [np.array([row[name] for row in rows], dtype=float) for name in names]


def draw_trajectories(axes: Axes, rows: Sequence[Row]) -> None:
    """One line for each algorithm and radius: solid below the edge, dotted beyond."""
    for name in SAMS.values():
        look = style.algorithm(name)
        for linestyle, radius in zip(("-", ":"), sorted({r["radius"] for r in rows}), strict=True):
            part = [row for row in rows if (row["algorithm"], row["radius"]) == (name, radius)]
            step, loss, cycle = columns(part, "step", "value", "cycle")
            axes.plot(step, loss, color=look.color, linestyle=linestyle)
            if name == NORMALIZED_SAM.name:
                axes.plot(
                    step, cycle, color=style.BOUND.color, linestyle=style.BOUND.linestyle, lw=0.8
                )
    axes.set(yscale="log", xlabel="iteration $t$", ylabel="training loss", ylim=(1e-9, 1e3))


def draw_long_run(axes: Axes, rows: Sequence[Row]) -> None:
    """Measured points on what is proved."""
    for name in SAMS.values():
        part = [row for row in rows if row["algorithm"] == name]
        radius, loss = columns(part, "radius", "value")
        axes.plot(radius, loss, **style.algorithm(name).points, ms=2.5)
    (cycle, ball), look = columns(part, "cycle", "ball"), style.BOUND
    axes.plot(radius, cycle, **look.line, lw=0.8)
    axes.plot(radius, ball, color=look.color, linestyle="-.", lw=0.8)
    edge, color = rows[0]["edge"], style.algorithm(SAM.name).color
    axes.axvline(edge, color=color, lw=0.8)
    for text, side, offset in (("to zero", "right", -3), ("diverges", "left", 3)):
        place = style.beside(offset, 3, ha=side)
        axes.annotate(text, (edge, 1e-9), **place, color=color, fontsize=7)
    axes.set(xscale="log", yscale="log", xlabel=r"radius $\rho$", ylabel="largest late loss")
    axes.set_ylim(1e-9, 1e6)


def draw_mnist(axes: Axes, rows: Sequence[Row]) -> None:
    """Accuracy against the radius; SGD, which has none, as a band."""
    (sgd,) = [row for row in rows if row["algorithm"] == SGD.name]
    look = style.algorithm(SGD.name)
    axes.axhline(100 - sgd["value"], color=look.color, lw=0.9, label=SGD.name)
    axes.axhspan(100 - sgd["high"], 100 - sgd["low"], color=look.color, alpha=0.12, lw=0)
    sams = [row for row in rows if row["algorithm"] != SGD.name]
    drawing.name_ticks(axes.xaxis, [row["radius"] for row in sams], "{:g}".format)
    for place, name in enumerate(SAMS.values()):
        part = [
            {**row, "value_low": row["low"], "value_high": row["high"]}
            for row in sams
            if row["algorithm"] == name
        ]
        look = style.algorithm(name)
        drawing.draw_curve(axes, part, "radius", "value", look, name, scaled_mnist.accuracy, place)
    axes.set(xlabel=r"radius $\rho$", ylabel="test accuracy (%)")
    drawing.clip_percent(axes)


RECIPE = Recipe(
    name="normalised",
    title="Unnormalised and normalised SAM on the same problems, theory and practice",
    caption=CAPTION,
    presets=PRESETS,
    runs=runs,
    compute=scaled_mnist.compute,
    table=table,
    draw=draw,
    family=scaled_mnist.FAMILY,
    on_gpu=True,
)
