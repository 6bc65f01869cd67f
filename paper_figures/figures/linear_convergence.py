"""SGD and SAM on least squares that interpolates: expected loss, single runs and proved rate."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

import theory
from numerics.convergence import fit_rate
from numerics.data.mnist import fingerprint
from numerics.problems import LeastSquares
from numerics.problems.constants import Constants
from paper_figures import style
from paper_figures.recipes import Recipe
from paper_figures.runs import Record, Run, seed_of
from paper_figures.tables import Row
from theory import SAM, SGD
from theory.evaluation import evaluate

ALGORITHMS = {SGD.name: SGD, SAM.name: SAM}
THEOREMS = {SGD.name: "sgd-pl-linear", SAM.name: "sam-pl-linear"}
TITLES = {"gaussian": "Gaussian rows", "mnist": "MNIST rows"}
#: The band holds this share of the single runs.
SHARE = 0.9
#: SAM's radius, as a share of the largest one that its theorem admits.
RADIUS_SHARE = 0.5

CAPTION = f"""\
Training loss of stochastic gradient descent and of unnormalised SAM (same sample in both gradients)
on least squares with more parameters than samples, one sample per step, relative to the loss at the
origin. Solid: the exact expectation, from the recursion of the second moment of the residuals.
Band: the central {SHARE:.0%} of independent runs, where it is wider than the line. Dashed: the rate
proved under smoothness, interpolation and the PL condition at the problem's exact constants. Each
algorithm takes the step size with the best proved rate, which is smaller for SAM; its radius is
{RADIUS_SHARE:.0%} of the largest that the theorem admits. Gaussian: a_i ~ N(0, I/d). MNIST: images
scaled to norm 1, so that every loss is 1-smooth; the target is +1 for even digits, -1 for odd."""


def preset(gaussian: Mapping[str, int], mnist: Mapping[str, int], **shared: Any) -> dict[str, Any]:
    """The parameters: two problems with their number of steps, and what they share."""
    problems = {"gaussian": dict(gaussian), "mnist": dict(mnist)}
    return {
        "problems": problems,
        "radius_share": RADIUS_SHARE,
        "points": 161,
        "data_seed": 0,
        **shared,
    }


PRESETS = {
    "smoke": preset({"n": 10, "d": 50, "steps": 400}, {"n": 10, "steps": 400}, runs=20, seeds=[0]),
    "laptop": preset(
        {"n": 50, "d": 784, "steps": 3000}, {"n": 20, "steps": 40000}, runs=100, seeds=[0]
    ),
    "paper": preset(
        {"n": 100, "d": 784, "steps": 8000},
        {"n": 20, "steps": 60000},
        runs=200,
        seeds=[0, 1, 2, 3, 4],
    ),
}


@functools.lru_cache(maxsize=4)
def problem(kind: str, n: int, d: int | None, seed: int) -> LeastSquares:
    """The least-squares problem of one panel."""
    if kind == "gaussian":
        if d is None:
            raise ValueError("gaussian least squares has no dimension d: give it in the preset")
        return LeastSquares.gaussian(n, d, seed)
    return LeastSquares.mnist(n, seed=seed)


def proved(name: str, quantity: str, constants: Constants, **choices: float) -> float:
    """A quantity of the algorithm's theorem, NaN where the theorem does not cover the choices."""
    numbers = {"beta": constants.beta, "L": constants.smoothness, "mu": constants.mu}
    theorem = theory.get(THEOREMS[name])
    return float(evaluate(theorem, quantity, **numbers, **choices).value)


def runs(parameters: Mapping[str, Any]) -> list[Run]:
    """For each problem and algorithm the exact curve, and one set of runs for every seed."""
    wanted = []
    for kind, size in parameters["problems"].items():
        data = {"kind": kind, "n": size["n"], "d": size.get("d"), "seed": parameters["data_seed"]}
        instance = problem(**data)
        constants = instance.constants()
        print_of_data = fingerprint(instance.features, instance.targets)
        for name in ALGORITHMS:
            radius = 0.0
            if ALGORITHMS[name].perturbed:
                radius = parameters["radius_share"] * proved(name, "max_radius", constants)
            choices = {
                "problem": data,
                "algorithm": name,
                "radius": radius,
                "step_size": proved(name, "best_step_size", constants, radius=radius),
                "steps": size["steps"],
                "points": parameters["points"],
            }
            wanted.append(Run({**choices, "runs": None}, None, print_of_data))
            wanted += [
                Run({**choices, "runs": parameters["runs"]}, seed, print_of_data)
                for seed in parameters["seeds"]
            ]
    return wanted


def compute(run: Run) -> dict[str, Any]:
    """One exact curve with its fitted rate, or the losses of independent runs."""
    choices = run.parameters
    instance = problem(**choices["problem"])
    algorithm = ALGORITHMS[choices["algorithm"]]
    arguments = (algorithm, choices["step_size"], choices["radius"], choices["steps"])
    steps = np.unique(np.linspace(0, choices["steps"], choices["points"]).round().astype(int))
    result = {"device": str(instance.features.device), "steps": steps}
    if choices["runs"] is None:
        curve = instance.expected_losses(*arguments).mean.numpy()
        fit = fit_rate(curve, first=choices["steps"] // 2)
        return result | {"losses": curve[steps], "rate": [fit.rate, fit.low, fit.high]}
    runs = choices["runs"]
    samples = instance.sampled_losses(*arguments, runs=runs, seed=seed_of(run)).samples
    assert samples is not None
    return result | {"losses": samples[:, steps].numpy()}


def table(parameters: Mapping[str, Any], records: Sequence[Record]) -> list[Row]:
    """One row for each problem, algorithm and recorded step."""
    curves: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        choices = record.run.parameters
        curves.setdefault((choices["problem"]["kind"], choices["algorithm"]), []).append(record)
    return [row for (kind, name), group in curves.items() for row in curve_rows(kind, name, *group)]


def curve_rows(kind: str, name: str, exact: Record, *sampled: Record) -> list[Row]:
    """The rows of one curve: expected loss, central runs, proved bound."""
    choices = exact.run.parameters
    constants = problem(**choices["problem"]).constants()
    chosen = {"step_size": choices["step_size"], "radius": choices["radius"]}
    factor = proved(name, "factor", constants, **chosen)
    singles = np.concatenate([record.result["losses"] for record in sampled])
    low, high = np.quantile(singles, [(1 - SHARE) / 2, (1 + SHARE) / 2], axis=0)
    error = singles.std(axis=0, ddof=1) / len(singles) ** 0.5
    rate, rate_low, rate_high = exact.result["rate"]
    start = exact.result["losses"][0]
    return [
        {
            "problem": kind,
            "algorithm": name,
            "n": choices["problem"]["n"],
            **chosen,
            "step": step,
            "expected_loss": exact.result["losses"][i],
            "proved_loss": start * factor**step,
            "runs": len(singles),
            "runs_low": low[i],
            "runs_high": high[i],
            "runs_mean": singles[:, i].mean(),
            "runs_standard_error": error[i],
            "proved_rate": factor,
            "fitted_rate": rate,
            "fitted_rate_low": rate_low,
            "fitted_rate_high": rate_high,
        }
        for i, step in enumerate(exact.result["steps"])
    ]


def draw(rows: Sequence[Row]) -> Figure:
    """One panel for each problem."""
    kinds = list(dict.fromkeys(row["problem"] for row in rows))
    fig, axes = style.figure(style.PAGE, 2.5, len(kinds))
    for index, (panel, kind) in enumerate(zip(axes, kinds, strict=True)):
        part = [row for row in rows if row["problem"] == kind]
        draw_panel(panel, part)
        style.panel_title(panel, index, f"{TITLES[kind]}, $n = {part[0]['n']}$")
    axes[0].set_ylabel(r"training loss $f(x_t)\,/\,f(x_0)$")
    axes[0].legend(loc="lower left")
    return fig


def draw_panel(axes: Axes, rows: Sequence[Row]) -> None:
    """Expected losses, bands and bounds of one problem."""
    start = rows[0]["expected_loss"]
    floor = 1.0
    for name in dict.fromkeys(row["algorithm"] for row in rows):
        curve = [row for row in rows if row["algorithm"] == name]
        look = style.algorithm(name)
        step, expected, bound, low, high = (
            np.array([row[column] for row in curve], dtype=float)
            for column in ("step", "expected_loss", "proved_loss", "runs_low", "runs_high")
        )
        axes.fill_between(step, low / start, high / start, color=look.color, alpha=0.2, lw=0)
        axes.plot(step, expected / start, label=f"{name}, expected", **look.line)
        line = {"color": look.color, "linestyle": style.BOUND.linestyle}
        axes.plot(step, bound / start, label=f"{name}, proved", **line)
        floor = min(floor, low.min() / start)
    axes.set_yscale("log")
    axes.set(xlabel="iteration $t$", xlim=(0, step[-1]), ylim=(floor / 2, 2.0))
    axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    axes.minorticks_off()


RECIPE = Recipe(
    name="linear_convergence",
    title="Linear convergence of SGD and SAM on overparameterised least squares",
    caption=CAPTION,
    presets=PRESETS,
    runs=runs,
    compute=compute,
    table=table,
    draw=draw,
)
