"""Where trainings end, against the edge that SAM's mean step has and the one that sharpness has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import theory
from numerics.networks.perceptrons import MnistMlp, NetworkProblem
from numerics.stability import mean_sharpness
from numerics.statistics import mean_interval
from numerics.training.ensembles import Member
from numerics.training.to_loss import TrainingRun
from paper_figures import style
from paper_figures.families import drawing, minima
from paper_figures.recipes import Recipe
from paper_figures.runs import Record, Run, seed_of
from paper_figures.tables import Row
from theory import SAM, SGD
from theory.evaluation import evaluate

CAPTION = """\
How close trainings end to the largest curvature that is stable, 2/eta. Squares: what SAM's mean
step sees, the largest eigenvalue of H + rho E H_B^2 with B the batches of the training (theorem
sam-stability-mean-edge); circles: a(1 + rho a) alone, without the spread of the batches' Hessians
(sam-stability-sharpness), never the larger of the two. At radius 0 both are SGD's sharpness.
Perceptron with one hidden layer on a part of MNIST (square loss, 7 x 7 pixels), every training
stopped at the same loss: (a) against the radius, (b) against the batch size, (c) against the width
of the hidden layer. Means over seeds with 95% confidence intervals (Student's t); trainings that
miss the loss are left out, and counted in the table."""

MEAN, ALONE = "sam-stability-mean-edge", "sam-stability-sharpness"
LOOK = style.algorithm(SAM.name)
#: Column of the table -> how it is drawn, and what it is called.
SHARES = {
    "mean_share": (LOOK, r"$\lambda_{\max}(H + \rho\,E H_B^2)$"),
    "sharpness_share": (style.Look(style.BOUND.color, "o", ":"), r"$a(1 + \rho a)$"),
}
RHO = r" $\rho$"
AXES = {"radius": "radius" + RHO, "batch_size": "batch size", "hidden": "number of hidden units"}


ALONG = {
    "radius": (0.0, 0.01, 0.02, 0.04, 0.08, 0.16),
    "batch_size": (4, 8, 12, 20, 30, 60),
    "hidden": (12, 24, 48, 96),
}


def preset(setting: MnistMlp, seeds: Sequence[int], **along: Sequence[float]) -> dict[str, Any]:
    """A setting, the seeds, and the values of each parameter that is varied alone."""
    return {**minima.preset(setting, seeds), "along": {k: list(v) for k, v in along.items()}}


PRESETS = {
    "smoke": preset(minima.SMALL, (0, 1), radius=(0.0, 0.02), batch_size=(4, 10), hidden=(16, 24)),
    "laptop": preset(MnistMlp(), range(5), **ALONG),
    "paper": preset(MnistMlp(), range(20), **ALONG),
}


def points(parameters: Mapping[str, Any]) -> list[tuple[str, float, dict[str, Any]]]:
    """Every point of every axis: which parameter, its value, and what is trained there."""
    chosen = {name: parameters["setting"][name] for name in AXES}
    return [
        (name, value, {**chosen, name: value})
        for name, values in parameters["along"].items()
        for value in values
    ]


def runs(parameters: Mapping[str, Any]) -> list[Run]:
    """One run for each width and seed: it trains all radii and batch sizes of that width."""
    found = []
    for hidden in dict.fromkeys(at["hidden"] for _, _, at in points(parameters)):
        wanted = [at for _, _, at in points(parameters) if at["hidden"] == hidden]
        pairs = dict.fromkeys((at["radius"], at["batch_size"]) for at in wanted)
        setting = {**parameters["setting"], "hidden": hidden}
        for run in minima.runs({**parameters, "setting": setting}):
            members = {"members": [list(pair) for pair in pairs]}
            found.append(Run({**setting, **members}, run.seed, run.data, theorems=(MEAN, ALONE)))
    return found


def compute(run: Run) -> dict[str, Any]:
    """Train SAM from one seed (SGD where the radius is 0), and measure where it ends."""
    setting = dict(run.parameters)
    members = [
        Member(seed_of(run), SAM if radius else SGD, setting["step_size"], radius, batch_size)
        for radius, batch_size in setting.pop("members")
    ]
    network = MnistMlp(**setting, seeds=(seed_of(run),))
    trainings = network.train(members=members)
    problem = network.problem()
    return {
        "device": trainings[0].device,
        "ends": [
            {"radius": m.radius, "batch_size": m.batch_size, **measured(problem, training)}
            for m, training in zip(members, trainings, strict=True)
        ],
    }


def measured(problem: NetworkProblem, training: TrainingRun) -> dict[str, Any]:
    """Both sides of both theorems where a training ended; None if it missed the loss."""
    if not training.converged:
        return {"steps": training.steps, "sharpness": None}
    member, hessians = training.member, problem.hessians(training)
    sharpness = mean_sharpness(hessians)
    mean = mean_sharpness(hessians, member.radius, batch_size=member.batch_size)
    left = evaluate(theory.get(ALONE), "left", a=sharpness.value, radius=member.radius).value
    limits = [
        float(evaluate(theory.get(name), "limit", step_size=member.step_size).value)
        for name in (MEAN, ALONE)
    ]
    return {
        "steps": training.steps,
        "sharpness": sharpness.value,
        "sharpness_error": sharpness.error,
        "mean_sharpness": mean.value,
        "mean_sharpness_error": mean.error,
        "mean_share": mean.value / limits[0],
        "sharpness_share": float(left) / limits[1],
    }


def table(parameters: Mapping[str, Any], records: Sequence[Record]) -> list[Row]:
    """One row for each point of each axis."""
    ends = [
        {"hidden": record.run.parameters["hidden"], **end}
        for record in records
        for end in record.result["ends"]
    ]
    return [
        {
            "along": name,
            "value": value,
            **summary([end for end in ends if all(end[k] == v for k, v in at.items())]),
        }
        for name, value, at in points(parameters)
    ]


def summary(results: Sequence[Mapping[str, Any]]) -> Row:
    """Means and intervals over the seeds that reached the loss, if these are two or more."""
    ended = [result for result in results if result["sharpness"] is not None]
    row: Row = {"seeds": len(ended), "seeds_tried": len(results)}
    for column in SHARES:
        found = None
        if len(ended) > 1:
            found = mean_interval(np.array([result[column] for result in ended]))
        row[column] = found and found.mean
        row |= {f"{column}_low": found and found.low, f"{column}_high": found and found.high}
    return row


def draw(rows: Sequence[Row]) -> Figure:
    """A panel for each axis: both shares of 2/eta, and 1."""
    fig = Figure(figsize=(style.PAGE, 2.6), layout="constrained")
    panels = fig.subplots(1, len(AXES), sharey=True)
    for index, (name, label) in enumerate(AXES.items()):
        axes = panels[index]
        axes.axhline(1.0, **minima.EDGE_LINE)
        part = [row for row in rows if row["along"] == name and row["mean_share"] is not None]
        for column, (look, words) in SHARES.items():
            drawing.draw_curve(axes, part, "value", column, look, words)
        if name != "radius":
            drawing.plain_log(axes.xaxis)
        axes.set_xlabel(label)
        style.panel_title(axes, index, f"against the {label.removesuffix(RHO)}")
    panels[0].set_ylabel(r"share of $2/\eta$")
    handles, labels = panels[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return fig


RECIPE = Recipe(
    name="mean_edge",
    title="Where trainings end, against the edge of SAM's mean step",
    caption=CAPTION,
    presets=PRESETS,
    runs=runs,
    compute=compute,
    table=table,
    draw=draw,
)
