"""A figure outside the package: random walks, slow or failing on demand."""

import time
from pathlib import Path

import numpy as np

from paper_figures import style
from paper_figures.recipes import Recipe
from paper_figures.runs import Run

QUICK = {"seeds": [0, 1, 2], "steps": 5, "sleep": 0.0, "fail_at": None, "touch": None}


def runs(parameters):
    shared = {name: value for name, value in parameters.items() if name != "seeds"}
    return [Run(shared, seed) for seed in parameters["seeds"]]


def compute(run):
    if run.parameters["touch"]:
        folder = Path(run.parameters["touch"])
        (folder / f"started-{run.seed}").touch()
    time.sleep(run.parameters["sleep"])
    if run.seed == run.parameters["fail_at"]:
        raise ArithmeticError(f"seed {run.seed} diverged")
    return {"device": "cpu", "walk": walk(run.seed, run.parameters["steps"])}


def walk(seed, steps):
    return np.random.default_rng(seed).normal(size=steps).cumsum()


def table(parameters, records):
    return [
        {"seed": record.run.seed, "t": t, "position": position}
        for record in records
        for t, position in enumerate(record.result["walk"])
    ]


def draw(rows):
    fig, (axes,) = style.figure()
    for seed in sorted({row["seed"] for row in rows}):
        curve = [(row["t"], row["position"]) for row in rows if row["seed"] == seed]
        axes.plot(*zip(*curve, strict=True), label=f"seed {seed}")
    axes.set(xlabel="step $t$", ylabel=r"position $x_t\,/\,\sigma$")
    axes.legend()
    return fig


RECIPE = Recipe(
    name="toy",
    title="Random walks",
    caption="Random walks.",
    presets={
        "smoke": QUICK,
        "laptop": QUICK | {"fail_at": 1},
        "paper": QUICK | {"steps": 50},
    },
    runs=runs,
    compute=compute,
    table=table,
    draw=draw,
)
