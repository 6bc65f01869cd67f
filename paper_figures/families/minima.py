"""The minima that SGD, SAM and normalised SAM find on MNIST: how curved, and how uniformly."""

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
from paper_figures.runs import Record, Run, seed_of
from paper_figures.tables import Row
from theory import NORMALIZED_SAM, SAM, SGD
from theory.evaluation import evaluate

__all__ = [
    "ALGORITHMS",
    "EDGE_LINE",
    "FAMILY",
    "QUANTITIES",
    "SMALL",
    "compared",
    "complete_seeds",
    "compute",
    "describe",
    "draw_columns",
    "edge",
    "preset",
    "runs",
]

#: Where the runs of these figures are stored.
FAMILY = "minima_moments"
#: Symbol -> field of `numerics.hessians.Moments`; its error bound is the field `NAME_error`.
QUANTITIES = {"a": "sharpness", "s_2": "s2", "s_3": "s3", "s_4": "s4"}
ALGORITHMS = (SGD.name, SAM.name, NORMALIZED_SAM.name)
EDGE = "sam-stability-sharpness"
EDGE_LINE = style.line(style.BOUND.color, linestyle=(0, (2, 1)), linewidth=1.0)
#: The setting of a first look.
SMALL = MnistMlp(samples=10, hidden=16, batch_size=4, target_loss=0.03)


def preset(setting: MnistMlp, seeds: Sequence[int]) -> dict[str, Any]:
    """The whole setting, with the seeds apart."""
    choices = dataclasses.asdict(setting)
    del choices["seeds"]
    return {"setting": choices, "seeds": list(seeds)}


def runs(parameters: Mapping[str, Any]) -> list[Run]:
    """One run for each seed: it trains every algorithm."""
    problem = MnistMlp(**parameters["setting"]).problem()
    data = fingerprint(problem.inputs, problem.targets)
    return [Run(parameters["setting"], seed, data) for seed in parameters["seeds"]]


def compute(run: Run) -> dict[str, Any]:
    """Train the algorithms from one seed and measure where they end."""
    minima = MnistMlp(**run.parameters, seeds=(seed_of(run),)).minima()
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
