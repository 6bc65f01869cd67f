"""Linear convergence of SGD and SAM beyond least squares, against the width of the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from numerics.convergence import fit_rate
from numerics.data import fingerprint
from numerics.problems.matrix_factorisation import MatrixFactorisation
from numerics.problems.networks import MnistMlp, NetworkProblem
from numerics.training import Member, train_ensemble
from paper_figures import style
from paper_figures.figures import _comparisons as shared
from paper_figures.recipes import Recipe
from paper_figures.runs import Record, Run
from paper_figures.tables import Row
from theory import SAM, SGD

TITLES = {"factorisation": "matrix factorisation", "mnist": "MNIST perceptron"}
ALGORITHMS = (SGD.name, SAM.name)

CAPTION = """\
Training loss of SGD and of unnormalised SAM (same batch in both gradients) with constant step size
and radius on problems that a wide enough model interpolates. (a) Factorisation of a 20 x 20 matrix
of rank 5, one column per sample. (b) A perceptron with one hidden layer and square loss on 60 MNIST
images, pooled to 7 x 7. Lines are means over seeds, from light to dark with growing width; SGD
solid, SAM dotted. (c) Decrease per step of the loss, 1 - rate, fitted to the second half of the
steps, against the number of parameters, factorisation filled and MNIST open: 95% intervals
(Student's t, jackknife over seeds)."""


def preset(widths: Sequence[Sequence[int]], steps: Sequence[int], seeds: int) -> dict[str, Any]:
    """Widths and steps of both problems; step sizes and radii are common to all presets."""
    choices = ((0.5, 0.1, 4), (0.05, 0.02, 12))
    return {
        "problems": {
            kind: {
                "widths": list(w),
                "steps": s,
                "step_size": eta,
                "radius": rho,
                "batch_size": batch,
            }
            for kind, w, s, (eta, rho, batch) in zip(TITLES, widths, steps, choices, strict=True)
        },
        "checks": 50,
        "seeds": list(range(seeds)),
    }


PRESETS = {
    "smoke": preset(((6, 12), (8, 16)), (200, 200), 3),
    "laptop": preset(((6, 10, 20, 40), (12, 24, 48, 96)), (1000, 4000), 5),
    "paper": preset(((6, 10, 20, 40, 80), (12, 24, 48, 96)), (4000, 20_000), 20),
}


def problem(kind: str, width: int) -> MatrixFactorisation | NetworkProblem:
    """The problem of one panel at one width."""
    if kind == "factorisation":
        return MatrixFactorisation(width=width)
    return MnistMlp(hidden=width).problem()


def runs(parameters: Mapping[str, Any]) -> list[Run]:
    """One run for each problem and width: it trains both algorithms from every seed."""
    wanted = []
    for kind, choices in parameters["problems"].items():
        for width in choices["widths"]:
            instance = problem(kind, width)
            setting = {name: value for name, value in choices.items() if name != "widths"}
            shared_by_all = {name: parameters[name] for name in ("checks", "seeds")}
            identity = {"problem": kind, "width": width, **setting, **shared_by_all}
            wanted.append(Run(identity, None, fingerprint(instance.inputs, instance.targets)))
    return wanted


def compute(run: Run) -> dict[str, Any]:
    """Losses of every seed, shape (seeds, checks + 1), and the fitted rate of their mean."""
    chosen = run.parameters
    instance = problem(chosen["problem"], chosen["width"])
    every = chosen["steps"] // chosen["checks"]
    result: dict[str, Any] = {"device": str(instance.inputs.device), "size": instance.size}
    for spec in (SGD, SAM):
        found = train_ensemble(
            instance.build,
            instance.loss,
            instance.inputs,
            instance.targets,
            [
                Member(seed, spec, chosen["step_size"], chosen["radius"], chosen["batch_size"])
                for seed in chosen["seeds"]
            ],
            target_loss=1e-300,  # never reached: all take every step
            max_steps=every * chosen["checks"],
            check_every=every,
        )
        if any(one.steps < every * chosen["checks"] for one in found):
            raise ValueError(f"{spec.name} diverged: lower the step size in the preset")
        losses = np.array([one.losses.numpy() for one in found])
        fit = fit_rate(losses, first=chosen["checks"] // 2)
        per_step = [rate ** (1 / every) for rate in (fit.rate, fit.low, fit.high)]
        result[spec.name] = {"losses": losses.tolist(), "rate": per_step}
    return result


def table(parameters: Mapping[str, Any], records: Sequence[Record]) -> list[Row]:
    """One row for each problem, width, algorithm and recorded step."""
    rows: list[Row] = []
    for record in records:
        chosen = record.run.parameters
        every = chosen["steps"] // chosen["checks"]
        for name in ALGORITHMS:
            losses = np.array(record.result[name]["losses"])
            rate, low, high = record.result[name]["rate"]
            rows += [
                {
                    "problem": chosen["problem"],
                    "algorithm": name,
                    "width": chosen["width"],
                    "parameters": record.result["size"],
                    "step": check * every,
                    "loss": losses[:, check].mean(),
                    "loss_lowest": losses[:, check].min(),
                    "loss_highest": losses[:, check].max(),
                    "seeds": len(losses),
                    "decrease": 1 - rate,
                    "decrease_low": 1 - high,
                    "decrease_high": 1 - low,
                    "step_size": chosen["step_size"],
                    "radius": chosen["radius"] if name == SAM.name else 0.0,
                }
                for check in range(losses.shape[1])
            ]
    return rows


def draw(rows: Sequence[Row]) -> Figure:
    """The losses of both problems, and the fitted decrease."""
    fig, axes = style.figure(style.PAGE, 2.4, 3)
    for index, (kind, title) in enumerate(TITLES.items()):
        draw_losses(axes[index], [row for row in rows if row["problem"] == kind])
        style.panel_title(axes[index], index, title)
    axes[0].set_ylabel("training loss")
    draw_decrease(axes[2], [row for row in rows if row["step"] == 0])
    style.panel_title(axes[2], 2, "fitted decrease per step")
    return fig


def draw_losses(axes: Axes, rows: Sequence[Row]) -> None:
    """One colour for each width, one line style for each algorithm."""
    widths = list(dict.fromkeys(row["width"] for row in rows))
    for look, width in zip(style.shades(len(widths)), widths, strict=True):
        for name, linestyle in zip(ALGORITHMS, ("-", ":"), strict=True):
            part = [row for row in rows if (row["width"], row["algorithm"]) == (width, name)]
            curve = [(row["step"], row["loss"]) for row in part]
            label = f"{width}" if name == SGD.name else None
            axes.plot(*zip(*curve, strict=True), linestyle, color=look.color, label=label)
    axes.set(yscale="log", xlabel="iteration $t$")
    axes.legend(loc="upper right", title="width", ncols=2, columnspacing=0.8)


def draw_decrease(axes: Axes, rows: Sequence[Row]) -> None:
    """Rates of both problems against size; filled for the factorisation, open for MNIST."""
    for place, name in enumerate(ALGORITHMS):
        look = style.algorithm(name)
        for kind, fill in zip(TITLES, (look.color, "white"), strict=True):
            part = [row for row in rows if (row["problem"], row["algorithm"]) == (kind, name)]
            x, mean, low, high = (
                np.array([row[column] for row in part], dtype=float)
                for column in ("parameters", "decrease", "decrease_low", "decrease_high")
            )
            axes.errorbar(
                x * 1.06**place,
                mean,
                yerr=(mean - low, high - mean),
                label=name if kind == "factorisation" else None,
                color=look.color,
                marker=look.marker,
                mfc=fill,
                lw=0.9,
            )
    axes.set_xlabel("number of parameters")
    for axis in (axes.xaxis, axes.yaxis):
        shared.plain_log(axis)
    axes.legend(loc="upper right")


RECIPE = Recipe(
    name="convergence_width",
    title="Linear convergence of SGD and SAM against width, factorisation and MNIST",
    caption=CAPTION,
    presets=PRESETS,
    runs=runs,
    compute=compute,
    table=table,
    draw=draw,
)
