"""The exact stability threshold against the batch size, on a network that interpolates MNIST."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from numerics.data.mnist import fingerprint
from numerics.hessians import SampleHessians
from numerics.networks.perceptrons import MnistMlp
from numerics.stability import one_step_threshold, step_law, threshold_of
from numerics.stability.laws import joint_range
from numerics.stability.minima import trained_minimum
from paper_figures import style
from paper_figures.recipes import Recipe
from paper_figures.runs import Record, Run
from paper_figures.tables import Row
from theory import SAM, SGD, SamSpec

#: Variant -> the algorithm, and whether each sample of a batch ascends on its own.
VARIANTS: dict[str, tuple[SamSpec, bool]] = {
    "SGD": (SGD, False),
    "SAM, same batch": (SAM, False),
    "SAM, ascent per sample": (SAM, True),
    "SAM, fresh ascent batch": (dataclasses.replace(SAM, fresh_batch=True), False),
}
CAPTION = """\
Largest mean-square stable step size against the batch size (drawn without replacement), exact, at
the interpolating minimum beside the one where SGD ends: a perceptron with ten outputs and square
loss on MNIST images. Step size in units of 2/a, a the largest eigenvalue of the mean Hessian.
(a) SGD: the exact threshold; the one-step condition of Wu, Ma and E (sufficient); full-batch
gradient descent (the full batch attains it). The star is the step size and batch size of the
training, which ended beside this minimum. (b) Unnormalised SAM of one radius, rho = {radius} of
1/a, in three variants, each exact: one batch for both gradients; each sample with an ascent step of
its own; an independent batch for the ascent."""

RADIUS = 0.5
SMALL = {"samples": 10, "hidden": 16, "batch_size": 4, "target_loss": 0.03}


def preset(batches: Sequence[int], **setting: Any) -> dict[str, Any]:
    """The training, the batch sizes, and the radius in units of 1 / sharpness."""
    choices = dataclasses.asdict(MnistMlp(**setting))
    del choices["seeds"]
    return {"setting": choices, "batches": list(batches), "radius": RADIUS, "seeds": [0]}


PRESETS = {
    "smoke": preset([1, 4, 10], **SMALL),
    "laptop": preset([1, 2, 3, 4, 6, 8, 12, 16, 20, 30, 40, 50, 60]),
    "paper": preset(range(1, 101), samples=100, hidden=40),
}


@functools.lru_cache(maxsize=1)
def hessians(seed: int, **setting: Any) -> SampleHessians:
    """At the interpolating minimum beside where SGD ends, once for all runs of a process."""
    chosen = MnistMlp(**setting, seeds=(seed,))
    member = next(member for member in chosen.members() if member.spec == SGD)
    minimum = trained_minimum(
        chosen.problem(), member, target_loss=chosen.target_loss, max_steps=chosen.max_steps
    )
    return joint_range(minimum.hessians)[0]


def runs(parameters: Mapping[str, Any]) -> list[Run]:
    """One for each seed, variant and batch size."""
    setting = parameters["setting"]
    problem = MnistMlp(**setting).problem()
    data = fingerprint(problem.inputs, problem.targets)
    shared = {"setting": setting, "radius": parameters["radius"]}
    return [
        Run({**shared, "variant": variant, "batch_size": size}, seed, data)
        for seed in parameters["seeds"]
        for variant in VARIANTS
        for size in parameters["batches"]
    ]


def compute(run: Run) -> dict[str, Any]:
    """The exact threshold, and the one-step condition's where the step is symmetric."""
    at = hessians(run.seed, **run.parameters["setting"])
    spec, per_sample = VARIANTS[run.parameters["variant"]]
    sharpness = float(torch.linalg.eigvalsh(at.mean_power(1))[-1])
    radius = run.parameters["radius"] / sharpness if spec.perturbed else 0.0
    size = run.parameters["batch_size"]
    law = step_law(at, radius, spec, batch_size=size, ascent_per_sample=per_sample)
    exact = threshold_of(law)
    return {
        "device": str(at.device),
        "sharpness": sharpness,
        "radius": radius,
        "dimension": law.dimension,
        "threshold": exact.value,
        "lower": exact.lower,
        "upper": exact.upper,
        "one_step": one_step_threshold(law) if law.symmetric else None,
    }


def table(parameters: Mapping[str, Any], records: Sequence[Record]) -> list[Row]:
    """One row for each seed, variant and batch size."""
    setting = parameters["setting"]
    return [
        {
            "seed": record.run.seed,
            "variant": record.run.parameters["variant"],
            "samples": setting["samples"],
            "dimension": record.result["dimension"],
            "batch_size": record.run.parameters["batch_size"],
            "radius": record.result["radius"],
            "sharpness": record.result["sharpness"],
            "threshold": record.result["threshold"],
            "lower": record.result["lower"],
            "upper": record.result["upper"],
            "one_step": record.result["one_step"],
            "training_step_size": setting["step_size"],
            "training_batch_size": setting["batch_size"],
        }
        for record in records
    ]


LOOKS: dict[str, dict[str, Any]] = {
    "SGD": style.algorithm(SGD.name).line | {"marker": "o", "ms": 3},
    "SAM, same batch": style.algorithm(SAM.name).line | {"marker": "s", "ms": 3},
    "SAM, ascent per sample": {"color": "#009E73", "marker": "^", "ms": 3.5},
    "SAM, fresh ascent batch": {"color": "#CC79A7", "marker": "D", "ms": 3},
}


def draw(rows: Sequence[Row]) -> Figure:
    """SGD on the left, the variants of SAM on the right."""
    fig, (left, right) = style.figure(style.PAGE, 2.7, 2, sharey=True)
    sgd = [row for row in rows if row["variant"] == "SGD"]
    for seed in dict.fromkeys(row["seed"] for row in sgd):
        part = [row for row in sgd if row["seed"] == seed]
        first = seed == sgd[0]["seed"]
        label = "exact threshold" if first else None
        curve(left, part, "threshold", LOOKS["SGD"] | {"label": label})
        label = "one-step condition" if first else None
        curve(left, part, "one_step", style.BOUND.line | {"label": label})
        a, size = float(part[0]["sharpness"]), part[0]["training_batch_size"]
        left.plot([size], [a / 2 * float(part[0]["training_step_size"])], "k*", ms=8)
    left.plot([], [], "k*", ms=8, label="training")
    style.panel_title(left, 0, rf"SGD, $n = {sgd[0]['samples']}$, $R = {sgd[0]['dimension']}$")
    for variant in list(VARIANTS)[1:]:
        part = [r for r in rows if (r["variant"], r["seed"]) == (variant, sgd[0]["seed"])]
        curve(right, part, "threshold", LOOKS[variant] | {"label": variant.removeprefix("SAM, ")})
    share = float(part[0]["radius"]) * float(part[0]["sharpness"])
    style.panel_title(right, 1, rf"SAM, $\rho\, a = {share:g}$")
    for axes in (left, right):
        axes.axhline(1, color="black", linestyle=(0, (1, 1)), linewidth=1.0)
        axes.set(xscale="log", yscale="log", xlabel="batch size $B$")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
            axis.set_minor_formatter(NullFormatter())
        axes.legend(loc="lower right")
    left.annotate("gradient descent", (1, 1), xytext=(2, 2), textcoords="offset points", fontsize=8)
    left.set_ylabel(r"largest stable step size, $\eta_* a/2$")
    left.set_ylim(top=1.5)
    return fig


def curve(axes: Axes, rows: Sequence[Row], column: str, look: Mapping[str, Any]) -> None:
    """A column against the batch size, in units of 2 / sharpness."""
    size, value, a = (
        np.array([row[name] for row in rows], dtype=float)
        for name in ("batch_size", column, "sharpness")
    )
    axes.plot(size, value * a / 2, **look)


RECIPE = Recipe(
    name="minibatch_law",
    title="The exact stability threshold against the batch size",
    caption=CAPTION.format(radius=RADIUS),
    presets=PRESETS,
    runs=runs,
    compute=compute,
    table=table,
    draw=draw,
)
