"""Sharpness and non-uniformity of the minima that SGD, SAM and normalised SAM find."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import optimize

import theory
from numerics.data.mnist import fingerprint
from numerics.networks.perceptrons import Minimum, MnistMlp
from numerics.statistics import mean_interval, paired_ratio
from paper_figures import style
from paper_figures.recipes import Recipe
from paper_figures.runs import Record, Run
from paper_figures.tables import Row
from theory import NORMALIZED_SAM, SAM, SGD
from theory.evaluation import evaluate

#: Symbol -> field of `numerics.hessians.Moments`; its error bound is the field `NAME_error`.
QUANTITIES = {"a": "sharpness", "s_2": "s2", "s_3": "s3", "s_4": "s4"}
ALGORITHMS = (SGD.name, SAM.name, NORMALIZED_SAM.name)
EDGE = "sam-stability-sharpness"
EDGE_LINE = {"color": style.BOUND.color, "linestyle": (0, (2, 1)), "linewidth": 1.0}

CAPTION = """\
Sharpness a = lambda_max(H) and non-uniformity s_k = lambda_max(E H_b^k - H^k)^(1/k) of the exact
Hessians of single samples, where SGD, unnormalised SAM and normalised SAM end on a part of MNIST: a
perceptron with square loss and more parameters than equations, every training stopped at the same
training loss, with the same step size and batch size. (a) Each dot is one seed; the bar is the mean
over seeds; the dashed line is the largest sharpness at which the algorithm can be linearly stable.
(b) Ratio to SGD from the same initial weights and batches: geometric mean over the seeds and its
95% confidence interval (Student's t on the logarithms of the paired ratios)."""


def preset(setting: MnistMlp, seeds: Sequence[int]) -> dict[str, Any]:
    """The whole setting, with the seeds apart."""
    choices = dataclasses.asdict(setting)
    del choices["seeds"]
    return {"setting": choices, "seeds": list(seeds)}


PRESETS = {
    "smoke": preset(MnistMlp(samples=10, hidden=16, batch_size=4, target_loss=0.03), (0, 1)),
    "laptop": preset(MnistMlp(), MnistMlp().seeds),
    "paper": preset(MnistMlp(), range(20)),
}


def runs(parameters: Mapping[str, Any]) -> list[Run]:
    """One run for each seed: it trains every algorithm."""
    problem = MnistMlp(**parameters["setting"]).problem()
    data = fingerprint(problem.inputs, problem.targets)
    return [Run(parameters["setting"], seed, data) for seed in parameters["seeds"]]


def compute(run: Run) -> dict[str, Any]:
    """Train the algorithms from one seed and measure where they end."""
    minima = MnistMlp(**run.parameters, seeds=(run.seed,)).minima()
    devices = sorted({minimum.run.device for minimum in minima})
    return {
        "device": ", ".join(devices),
        "minima": {minimum.run.member.spec.name: describe(minimum) for minimum in minima},
    }


def describe(minimum: Minimum) -> dict[str, Any]:
    """What the table needs of one training; `moments` is None if it missed the target loss."""
    training = minimum.run
    return {
        "training_loss": training.loss if math.isfinite(training.loss) else None,
        "steps": training.steps,
        "step_size": training.member.step_size,
        "radius": training.member.radius,
        "batch_size": training.member.batch_size,
        "moments": minimum.moments and dataclasses.asdict(minimum.moments),
    }


def edge(step_size: float, radius: float) -> float:
    """The largest sharpness that the theorem allows a stable minimum: its two sides are equal."""
    theorem = theory.get(EDGE)
    limit = float(evaluate(theorem, "limit", step_size=step_size).value)

    def excess(a: float) -> float:
        return float(evaluate(theorem, "left", a=a, radius=radius).value) - limit

    # The left side is at least a, so the root is at most `limit`.
    return float(optimize.brentq(excess, 0.0, limit, xtol=1e-12)) if radius else limit


def table(parameters: Mapping[str, Any], records: Sequence[Record]) -> list[Row]:
    """One row for each quantity, algorithm and seed from which all trainings reached the loss."""
    found = complete_seeds(records)
    return [
        row
        for symbol, field in QUANTITIES.items()
        for name in ALGORITHMS
        for row in quantity_rows(symbol, field, name, found, len(records))
    ]


def complete_seeds(records: Sequence[Record]) -> dict[int | None, Any]:
    """Seed -> minima of every algorithm, where all trainings reached the loss.

    Raises:
        ValueError: if fewer than two seeds are left.
    """
    found = {
        record.run.seed: record.result["minima"]
        for record in records
        if all(minimum["moments"] for minimum in record.result["minima"].values())
    }
    if len(found) < 2:
        raise ValueError(
            f"{len(found)} of {len(records)} seeds reached the target loss with every "
            "algorithm, and intervals need 2: give more seeds"
        )
    return found


def quantity_rows(
    symbol: str, field: str, name: str, complete: Mapping[int | None, Any], tried: int
) -> list[Row]:
    """The rows of one quantity at one algorithm's minima."""
    values, base = (
        np.array([minima[which]["moments"][field] for minima in complete.values()])
        for which in (name, SGD.name)
    )
    paired = None if name == SGD.name else paired_ratio(values, base)
    rows: list[Row] = []
    for seed, minima in complete.items():
        minimum = minima[name]
        chosen = {part: minimum[part] for part in ("step_size", "radius", "batch_size")}
        has_edge = symbol == "a" and name != NORMALIZED_SAM.name
        rows.append(
            {
                "quantity": symbol,
                "algorithm": name,
                "seed": seed,
                "value": minimum["moments"][field],
                "error_bound": minimum["moments"][f"{field}_error"],
                "stability_edge": edge(chosen["step_size"], chosen["radius"]) if has_edge else None,
                "ratio_to_sgd": paired and paired.ratio,
                "ratio_low": paired and paired.low,
                "ratio_high": paired and paired.high,
                "seeds": len(complete),
                "seeds_tried": tried,
                **chosen,
                "training_loss": minimum["training_loss"],
                "steps": minimum["steps"],
            }
        )
    return rows


def compared(values: np.ndarray, base: np.ndarray | None) -> Row:
    """Geometric means with their intervals: of the values, and of their ratios to SGD's."""
    logs = mean_interval(np.log(values))
    paired = None if base is None else paired_ratio(values, base)
    return {
        "value": float(np.exp(logs.mean)),
        "value_low": float(np.exp(logs.low)),
        "value_high": float(np.exp(logs.high)),
        "ratio": paired and paired.ratio,
        "ratio_low": paired and paired.low,
        "ratio_high": paired and paired.high,
    }


def draw(rows: Sequence[Row]) -> Figure:
    """Values on the left, paired ratios on the right."""
    fig, (left, right) = style.figure(style.PAGE, 2.5, 2, width_ratios=(1.25, 1))
    draw_values(left, rows)
    draw_ratios(right, rows)
    style.panel_title(left, 0, f"minima of {rows[0]['seeds']} seeds at equal training loss")
    style.panel_title(right, 1, "ratio to SGD, paired by seed")
    for axes in (left, right):
        axes.set_xticks(range(len(QUANTITIES)), [f"${symbol}$" for symbol in QUANTITIES])
        axes.tick_params(axis="x", length=0)
        axes.set_xlim(-0.5, len(QUANTITIES) - 0.5)
    return fig


def draw_columns(
    rows: Sequence[Row], draw_quantity: Callable[[Axes, Axes, Sequence[Row]], None]
) -> Figure:
    """A column for each quantity: values above, ratios to SGD below, one legend."""
    fig = Figure(figsize=(style.PAGE, 3.8), layout="constrained")
    panels = fig.subplots(2, len(QUANTITIES), sharex=True, sharey="row")
    for index, symbol in enumerate(QUANTITIES):
        above, below = panels[:, index]
        draw_quantity(above, below, [row for row in rows if row["quantity"] == symbol])
        style.panel_title(above, index, f"${symbol}$")
    panels[0, 0].set_ylabel("at the minimum")
    panels[1, 0].set_ylabel("ratio to SGD")
    handles, labels = panels[0, 0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return fig


def places(names: Sequence[str], width: float) -> dict[str, float]:
    """Offsets that put the algorithms side by side around a tick."""
    return dict(zip(names, np.linspace(-width, width, len(names)), strict=True))


def draw_values(axes: Axes, rows: Sequence[Row]) -> None:
    """Every minimum, the mean over seeds, and the edge of stability."""
    offsets = places(ALGORITHMS, 0.26)
    bar = 0.09
    for name in ALGORITHMS:
        look = style.algorithm(name)
        for index, symbol in enumerate(QUANTITIES):
            part = [r for r in rows if (r["quantity"], r["algorithm"]) == (symbol, name)]
            values = [row["value"] for row in part]
            center = index + offsets[name]
            spread = np.linspace(-0.05, 0.05, len(values))
            axes.plot(center + spread, values, **look.points, ms=3, mew=0, alpha=0.7)
            axes.hlines(np.mean(values), center - bar, center + bar, color=look.color, lw=1.6)
            if part[0]["stability_edge"] is not None:
                span = (center - 1.4 * bar, center + 1.4 * bar)
                axes.hlines(part[0]["stability_edge"], *span, **EDGE_LINE)
        axes.plot([], [], **look.points, label=name)
    axes.plot([], [], **EDGE_LINE, label="edge of stability")
    axes.set_ylim(bottom=0)
    axes.set_ylabel("curvature at the minimum")
    axes.legend(loc="upper left")


def draw_ratios(axes: Axes, rows: Sequence[Row]) -> None:
    """Geometric means of the paired ratios with their intervals."""
    names = ALGORITHMS[1:]
    offsets = places(names, 0.12)
    for name in names:
        look = style.algorithm(name)
        first = [
            next(r for r in rows if (r["quantity"], r["algorithm"]) == (symbol, name))
            for symbol in QUANTITIES
        ]
        ratio, low, high = (
            np.array([row[column] for row in first])
            for column in ("ratio_to_sgd", "ratio_low", "ratio_high")
        )
        x = np.arange(len(QUANTITIES)) + offsets[name]
        axes.errorbar(x, ratio, yerr=(ratio - low, high - ratio), **look.points)
    axes.axhline(1.0, color=style.algorithm(SGD.name).color, lw=0.8)
    axes.annotate("SGD", (len(QUANTITIES) - 0.5, 1.0), ha="right", va="bottom", fontsize=8)
    axes.set_ylim(bottom=0)


RECIPE = Recipe(
    name="minima_moments",
    title="Sharpness and non-uniformity of the minima of SGD, SAM and normalised SAM",
    caption=CAPTION,
    presets=PRESETS,
    runs=runs,
    compute=compute,
    table=table,
    draw=draw,
)
