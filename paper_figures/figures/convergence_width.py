"""Linear convergence of SGD and SAM against width: measured, proved and worst case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

import theory
from numerics.convergence import fit_rate
from numerics.data.mnist import fingerprint
from numerics.networks.matrix_factorisation import MatrixFactorisation
from numerics.networks.perceptrons import MnistMlp, NetworkProblem
from numerics.problems import LeastSquares
from numerics.statistics import mean_interval
from numerics.training.to_loss import Member, train_ensemble
from numerics.worst_case import ProblemClass, proved, worst_case
from paper_figures import style
from paper_figures.families import drawing
from paper_figures.recipes import Recipe
from paper_figures.runs import Record, Run
from paper_figures.tables import Row, in_one_field
from theory import SAM, SGD, SamSpec
from theory.evaluation import evaluate

#: Problem -> title of its panel; its name in the last one, at which width and how high above it.
PROBLEMS = {
    "least_squares": ("least squares, SAM", ("least squares", 0, 48)),
    "factorisation": ("matrix factorisation", ("factorisation", 1, -15)),
    "mnist": ("MNIST perceptron", ("MNIST", -1, -15)),
}
ALGORITHMS = (SGD.name, SAM.name)
THEOREMS = {SGD.name: "sgd-pl-linear", SAM.name: "sam-pl-linear-improved"}
#: Of the least-squares problem.
SAMPLES = 10
#: SAM's radius on least squares, as a share of the largest one that its theorem admits.
RADIUS_SHARE = 0.5
#: What bounds the loss on least squares: label -> start of its columns' names, and its look.
BOUNDS: dict[str, tuple[str, dict[str, Any]]] = {
    "worst case (PEP)": ("pep", {"lw": 4, "alpha": 0.3}),
    "proved": ("proved", {"ls": "--"}),
}
#: The loss of residuals of 1e-10, six digits above the round-off of targets of order 1: rates are
#: read off above it.
RESOLVED = 1e-20
UNPROVED = "no PL constant is known: no proved rate"

Curve: TypeAlias = tuple[str, str, str, dict[str, Any]]
"""Label, algorithm, column and look."""

CAPTION = f"""\
Training loss of SGD and of unnormalised SAM (same batch in both gradients) with constant step size
and radius on problems that a wide enough model interpolates; means over seeds, from light to dark
with growing width. (a) SAM on least squares, {SAMPLES} Gaussian samples in growing dimension,
one per step, at half the largest radius and at the best step size of the improved theorem. Dashed:
the rate that it proves from the exact constants of the problem; wide: performance estimation, a
semidefinite program that bounds the worst case over all problems with these constants. (b)
Factorisation of a 20 x 20 matrix of rank 5, one column per sample. (c) A perceptron with one hidden
layer and square loss on 60 MNIST images, pooled to 7 x 7. In (b, c) SGD is solid, SAM dotted, and
step size and radius are the same at all widths. (d) Decrease per step of the loss, 1 - rate, fitted
seed by seed to the second half of the steps, against the number of parameters: means with 95%
intervals (Student's t). Losses below {RESOLVED:g}, where round-off begins to show, are not used. On
least squares SGD, too, has the best step size of its theorem; dashed and wide as in (a)."""


def preset(
    widths: Sequence[Sequence[int]], steps: Sequence[int], seeds: int, checks: int = 40
) -> dict[str, Any]:
    """Widths and steps of all problems; step sizes and radii are common to all presets.

    Least squares takes those of the theorem, which depend on the width.
    """
    choices: tuple[dict[str, float], ...] = (
        {},
        {"step_size": 0.5, "radius": 0.1, "batch_size": 4},
        {"step_size": 0.05, "radius": 0.02, "batch_size": 12},
    )
    return {
        "problems": {
            kind: {"widths": list(w), "steps": s, **chosen}
            for kind, w, s, chosen in zip(PROBLEMS, widths, steps, choices, strict=True)
        },
        "checks": checks,
        "seeds": list(range(seeds)),
    }


PRESETS = {
    "smoke": preset(((20, 80), (6, 12), (8, 16)), (200, 200, 200), 3),
    "laptop": preset(((20, 40, 80, 160), (6, 10, 20, 40), (12, 24, 48, 96)), (600, 1000, 4000), 5),
    "paper": preset(
        ((20, 40, 80, 160, 320), (6, 10, 20, 40, 80), (12, 24, 48, 96)),
        (2000, 4000, 20_000),
        20,
        checks=100,
    ),
}


def problem(kind: str, width: int) -> LeastSquares | MatrixFactorisation | NetworkProblem:
    """The problem of one panel at one width."""
    if kind == "least_squares":
        return LeastSquares.gaussian(SAMPLES, width)
    if kind == "factorisation":
        return MatrixFactorisation(width=width)
    return MnistMlp(hidden=width).problem()


def size(instance: LeastSquares | MatrixFactorisation | NetworkProblem) -> int:
    """Its number of parameters."""
    return instance.d if isinstance(instance, LeastSquares) else instance.size


def runs(parameters: Mapping[str, Any]) -> list[Run]:
    """One run for each problem and width: it trains both algorithms from every seed."""
    wanted = []
    for kind, choices in parameters["problems"].items():
        for width in choices["widths"]:
            instance = problem(kind, width)
            inputs = instance.features if isinstance(instance, LeastSquares) else instance.inputs
            setting = {name: value for name, value in choices.items() if name != "widths"}
            shared_by_all = {name: parameters[name] for name in ("checks", "seeds")}
            identity = {"problem": kind, "width": width, **setting, **shared_by_all}
            theorems = tuple(THEOREMS.values()) if isinstance(instance, LeastSquares) else ()
            data = fingerprint(inputs, instance.targets)
            wanted.append(Run(identity, None, data, theorems=theorems))
    return wanted


def compute(run: Run) -> dict[str, Any]:
    """Losses of every seed, shape (seeds, checks + 1), and the setting, for each algorithm.

    `proved` and `pep` are rates per step, None where the constants of the problem are not known.
    """
    chosen = run.parameters
    instance = problem(chosen["problem"], chosen["width"])
    every = chosen["steps"] // chosen["checks"]
    result: dict[str, Any] = {"device": str(instance.targets.device), "size": size(instance)}
    for spec in (SGD, SAM):
        if isinstance(instance, LeastSquares):
            setting = guaranteed(instance, spec)
            losses = sampled(instance, spec, setting, every, chosen)
        else:
            setting = {"theorem": None, "proved": None, "pep": None}
            setting |= {name: chosen[name] for name in ("step_size", "radius", "batch_size")}
            losses = trained(instance, spec, setting, every, chosen)
        result[spec.name] = {"losses": losses.tolist(), **setting}
    return result


def guaranteed(instance: LeastSquares, spec: SamSpec) -> dict[str, Any]:
    """The theorem's own step size, and what it and the worst case say there; L, beta, mu exact."""
    c = instance.constants()
    constants = {"beta": c.beta, "L": c.smoothness, "mu": c.mu}
    name = THEOREMS[spec.name]
    radius = 0.0
    if spec.perturbed:
        radius = RADIUS_SHARE * float(evaluate(theory.get(name), "max_radius", **constants).value)
    bound = proved((name,), radius=radius, **constants)
    if bound is None:
        raise ValueError(f"{name} does not cover {instance.name}: choose another problem")
    scaled = ProblemClass(c.mu / c.beta, smoothness=c.smoothness / c.beta, components=instance.n)
    worst = worst_case(scaled, bound.step_size * c.beta, radius * c.beta)
    return {
        "step_size": bound.step_size,
        "radius": radius,
        "theorem": bound.theorem,
        "proved": bound.factor,
        "pep": worst.value if np.isfinite(worst.value) else None,
    }


def sampled(
    instance: LeastSquares,
    spec: SamSpec,
    setting: Mapping[str, Any],
    every: int,
    chosen: Mapping[str, Any],
) -> np.ndarray:
    """Losses of one run for each seed on least squares, one sample per step."""
    steps = every * chosen["checks"]
    arguments = (spec, setting["step_size"], setting["radius"], steps)
    found = [
        instance.sampled_losses(*arguments, runs=1, seed=seed).mean for seed in chosen["seeds"]
    ]
    return np.array([one[::every].numpy() for one in found])


def trained(
    instance: MatrixFactorisation | NetworkProblem,
    spec: SamSpec,
    setting: Mapping[str, Any],
    every: int,
    chosen: Mapping[str, Any],
) -> np.ndarray:
    """Losses of one training for each seed."""
    steps = every * chosen["checks"]
    settings = [setting[name] for name in ("step_size", "radius", "batch_size")]
    found = train_ensemble(
        instance.build,
        instance.loss,
        instance.inputs,
        instance.targets,
        [Member(seed, spec, *settings) for seed in chosen["seeds"]],
        target_loss=1e-300,  # never reached: all take every step
        max_steps=steps,
        check_every=every,
    )
    if any(one.steps < steps for one in found):
        raise ValueError(f"{spec.name} diverged: lower the step size in the preset")
    return np.array([one.losses.numpy() for one in found])


def table(parameters: Mapping[str, Any], records: Sequence[Record]) -> list[Row]:
    """One row for each problem, width, algorithm and recorded step."""
    return [row for record in records for name in ALGORITHMS for row in curve_rows(record, name)]


def resolved(curve: np.ndarray) -> int:
    """The last check at which a loss is far above round-off, a multiple of 4.

    Raises:
        ValueError: if there are fewer than 4 of them after the first, too few for a rate.
    """
    below = np.flatnonzero(curve < RESOLVED)
    last = int(below[0]) - 1 if len(below) else len(curve) - 1
    if last < 4:
        raise ValueError(f"a loss is below {RESOLVED:g} after {last} checks: ask for more checks")
    return last - last % 4


def decay(curve: np.ndarray) -> tuple[float, float]:
    """Factor per check in the second half, and the fall of log loss there over that before."""
    last = resolved(curve)
    first = last // 2
    before, late = -np.diff(np.log(curve[[last // 4, first, last]]))
    return fit_rate(curve, first=first, last=last).rate, float(late / before)


def curve_rows(record: Record, name: str) -> list[Row]:
    """The rows of one algorithm at one width; numbers of single seeds stand in the first one."""
    chosen, found = record.run.parameters, record.result[name]
    every = chosen["steps"] // chosen["checks"]
    losses = np.array(found["losses"])
    rates, ratios = np.array([decay(curve) for curve in losses]).T
    alone = 1 - rates ** (1 / every)
    decrease = mean_interval(alone)
    mean = losses.mean(0)

    def at_rate(factor: float | None, step: int) -> float | None:
        return None if factor is None else float(mean[0] * factor**step)

    return [
        {
            "problem": chosen["problem"],
            "algorithm": name,
            "width": chosen["width"],
            "parameters": record.result["size"],
            "step": check * every,
            "loss": mean[check],
            "loss_lowest": losses[:, check].min(),
            "loss_highest": losses[:, check].max(),
            "proved_loss": at_rate(found["proved"], check * every),
            "pep_loss": at_rate(found["pep"], check * every),
            "seeds": len(losses),
            "decrease": decrease.mean,
            "decrease_low": decrease.low,
            "decrease_high": decrease.high,
            "proved_decrease": None if found["proved"] is None else 1 - found["proved"],
            "pep_decrease": None if found["pep"] is None else 1 - found["pep"],
            "theorem": found["theorem"],
            "step_size": found["step_size"],
            "radius": found["radius"] if name == SAM.name else 0.0,
            "decrease_of_seeds": None if check else in_one_field(alone),
            "late_ratio_of_seeds": None if check else in_one_field(ratios),
        }
        for check in range(losses.shape[1])
    ]


def draw(rows: Sequence[Row]) -> Figure:
    """The losses of every problem, and the decrease."""
    fig = Figure(figsize=(style.PAGE, 4.8), layout="constrained")
    panels = fig.subplots(2, 2).flat
    for index, (kind, (title, _)) in enumerate(PROBLEMS.items()):
        part = [row for row in rows if row["problem"] == kind]
        if part[0]["theorem"]:
            measured: Curve = ("measured", SAM.name, "loss", {})
            curves = [(label, SAM.name, f"{x}_loss", look) for label, (x, look) in BOUNDS.items()]
            draw_losses(panels[index], part, [measured, *curves])
        else:
            curves = [(n, n, "loss", {"ls": ls}) for n, ls in zip(ALGORITHMS, "-:", strict=True)]
            draw_losses(panels[index], part, curves, UNPROVED)
        panels[index].set_ylabel("training loss")
        style.panel_title(panels[index], index, title)
    draw_decrease(panels[3], [row for row in rows if row["step"] == 0])
    style.panel_title(panels[3], 3, "decrease per step")
    return fig


def draw_losses(axes: Axes, rows: Sequence[Row], curves: Sequence[Curve], note: str = "") -> None:
    """One colour for each width, one look for each curve."""
    widths = list(dict.fromkeys(row["width"] for row in rows))
    for shade, width in zip(style.shades(len(widths)), widths, strict=True):
        for _, name, column, look in curves:
            part = [row for row in rows if (row["width"], row["algorithm"]) == (width, name)]
            points = [(row["step"], row[column]) for row in part if row[column] >= RESOLVED]
            axes.plot(*zip(*points, strict=True), color=shade.color, **look)
        axes.plot([], [], color=shade.color, label=f"{width}")
    axes.set(yscale="log", xlabel="iteration $t$")
    low, high = axes.get_ylim()
    axes.set_ylim(low / (high / low) ** 0.28, high * (high / low) ** 0.25)  # room for legends
    lines = [Line2D([], [], color="0.2", label=label, **look) for label, *_, look in curves]
    above = axes.legend(handles=lines, loc="upper right", ncols=len(lines), title=note or None)
    axes.add_artist(above)
    axes.legend(loc="lower left", title="width", ncols=len(widths), columnspacing=0.8)


def draw_decrease(axes: Axes, rows: Sequence[Row]) -> None:
    """Fitted decrease of all problems against size, with what is proved of it."""
    for place, name in enumerate(ALGORITHMS):
        look = style.algorithm(name)
        for kind, (_, (title, at, above)) in PROBLEMS.items():
            part = [row for row in rows if (row["problem"], row["algorithm"]) == (kind, name)]
            x, mean, low, high = (
                np.array([row[column] for row in part], dtype=float)
                for column in ("parameters", "decrease", "decrease_low", "decrease_high")
            )
            axes.errorbar(
                x * 1.06**place,
                mean,
                yerr=(mean - low, high - mean),
                label=name if kind == "least_squares" else None,
                color=look.color,
                marker=look.marker,
                lw=0.9,
            )
            if name == ALGORITHMS[0]:
                side = {0: "left", 1: "center", -1: "right"}[at]
                place_of = (x[at], mean[at])
                axes.annotate(title, place_of, (0, above), textcoords="offset points", ha=side)
            if part[0]["theorem"]:
                for bound, line in BOUNDS.values():
                    values = np.array([row[f"{bound}_decrease"] for row in part], dtype=float)
                    axes.plot(x, values, color=look.color, **line)
    axes.set_xlabel("number of parameters")
    for axis in (axes.xaxis, axes.yaxis):
        drawing.plain_log(axis)
    axes.legend(loc="lower center")


RECIPE = Recipe(
    name="convergence_width",
    title="Linear convergence of SGD and SAM against width: measured, proved and worst case",
    caption=CAPTION,
    presets=PRESETS,
    runs=runs,
    compute=compute,
    table=table,
    draw=draw,
)
