"""What SGD and SAM do at exact counterexamples to published or natural statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from numerics.counterexamples import scene
from paper_figures import style
from paper_figures.families import drawing
from paper_figures.recipes import Recipe
from paper_figures.runs import Record, Run
from paper_figures.tables import Row

#: Refuted statement -> title of its panel.
TITLES = {
    "sam-stability-necessary-suffice": "all necessary conditions hold: diverges",
    "sam-stability-one-step-necessary": "the one-step condition fails: converges",
    "sgd-stability-s2-published": r"$s_2 > 1/\eta$: stays bounded",
    "sam-convex-every-radius": "convex samples: the loss rises",
}
LABELS = {
    "squared distance": r"$\|x_t\|^2\,/\,\|x_0\|^2$",
    "loss": r"$f(x_t)\,/\,f(x_0)$",
}
THICK: dict[str, Any] = {"lw": 2.0}
THIN: dict[str, Any] = {"lw": 0.6, "alpha": 0.45}
#: Below this share of the expectation single runs are cut.
CUT = 1e-4

CAPTION = """\
SGD and unnormalised SAM (same sample in both gradients) on finite sums of quadratics with rational
entries at which the kernel has refuted a statement about them. Thick: the exact expectation, from
the second moment in rational arithmetic, relative to its start; thin: single runs, cut far below.
Above each panel the claim that fails, at the numbers of the instance. (a) All published necessary
conditions hold at once and E|x|^2 grows, although most runs shrink: it is carried by rare ones. (b)
The published sufficient condition fails, E|x|^2 grows in the first step, and converges to 0. (c)
s_2 is above the published bound for SGD, and E|x|^2 stays bounded. (d) Every sample is convex, and
SAM's first steps increase the expected loss."""


def preset(steps: Sequence[int], seeds: int) -> dict[str, Any]:
    """Steps of each panel, and how many single runs are drawn."""
    return {"steps": dict(zip(TITLES, steps, strict=True)), "seeds": list(range(seeds))}


PRESETS = {
    "smoke": preset((6, 40, 12, 12), 3),
    "laptop": preset((20, 200, 30, 40), 8),
    "paper": preset((20, 200, 30, 40), 8),
}


def runs(parameters: Mapping[str, Any]) -> list[Run]:
    """One for each statement."""
    return [
        Run({"statement": name, "steps": steps, "seeds": parameters["seeds"]}, theorems=(name,))
        for name, steps in parameters["steps"].items()
    ]


def compute(run: Run) -> dict[str, Any]:
    """Exact expectations, rounded at the end only, and single runs."""
    chosen = run.parameters
    found = scene(chosen["statement"])
    expected = found.expected(chosen["steps"])
    paths = found.sampled(chosen["steps"], chosen["seeds"])
    failure = found.failure
    return {
        "device": "cpu",
        "measured": found.measured,
        "algorithm": found.algorithm,
        "failure": [str(failure.left), failure.sign, str(failure.right)],
        "expected": [float(value / expected[0]) for value in expected],
        "paths": paths / paths[:, :1],
    }


def table(parameters: Mapping[str, Any], records: Sequence[Record]) -> list[Row]:
    """One row for each statement, step, and the expectation or the seed of a single run."""
    rows: list[Row] = []
    for record in records:
        result = record.result
        curves = [(None, result["expected"])]
        curves += zip(parameters["seeds"], result["paths"], strict=True)
        rows += [
            {
                "statement": record.run.parameters["statement"],
                "algorithm": result["algorithm"],
                "measured": result["measured"],
                "claim": " ".join(result["failure"]),
                "seed": seed,
                "step": step,
                "value": value,
            }
            for seed, values in curves
            for step, value in enumerate(values)
        ]
    return rows


def draw(rows: Sequence[Row]) -> Figure:
    """One panel for each statement."""
    fig = Figure(figsize=(style.PAGE, 4.8), layout="constrained")
    for index, (axes, name) in enumerate(zip(fig.subplots(2, 2).flat, TITLES, strict=True)):
        part = [row for row in rows if row["statement"] == name]
        draw_panel(axes, part)
        claim = readable(str(part[0]["claim"]))
        style.panel_title(axes, index, f"{TITLES[name]}\nfalse there: {claim}")
    names = dict.fromkeys(str(row["algorithm"]) for row in rows)
    lines = [
        Line2D([], [], color=style.algorithm(name).color, label=f"{name}, {label}", **look)
        for name in names
        for label, look in (("expected", THICK), ("single runs", THIN))
    ]
    fig.legend(handles=lines, loc="outside lower center", ncols=len(lines))
    return fig


def draw_panel(axes: Axes, rows: Sequence[Row]) -> None:
    """The expectation over single runs, which are cut where they are much smaller."""
    color = style.algorithm(str(rows[0]["algorithm"])).color
    curves: dict[Any, list[Any]] = {}
    for row in rows:
        curves.setdefault(row["seed"], []).append(row["value"])
    expected = curves.pop(None)
    for values in curves.values():
        axes.plot(values, color=color, **THIN)
    axes.plot(expected, color=color, **THICK)
    axes.axhline(1, color="0.7", lw=0.6, zorder=0)
    axes.set(xlabel="iteration $t$", ylabel=LABELS[str(rows[0]["measured"])], yscale="log")
    axes.set_ylim(bottom=max(axes.get_ylim()[0], CUT * min(expected)))
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    if axes.get_ylim()[1] < 10:
        drawing.plain_log(axes.yaxis)


def readable(claim: str) -> str:
    """The failing inequality; fractions that are too long to read in three digits."""
    left, sign, right = claim.split()
    signs = {"<=": r"$\leq$", "<": "<", "==": "="}
    return f"{short(left)} {signs[sign]} {short(right)}"


def short(number: str) -> str:
    """A fraction as it is, or rounded."""
    return number if len(number) <= 10 else f"{float(Fraction(number)):.3g}"


RECIPE = Recipe(
    name="counterexample_dynamics",
    title="What SGD and SAM do at exact counterexamples",
    caption=CAPTION,
    presets=PRESETS,
    runs=runs,
    compute=compute,
    table=table,
    draw=draw,
)
