"""How far s_2 exceeds 1/η at minima that are stable for SGD: found, certified and bounded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

import theory
from numerics.counterexamples import certify, largest_ratio
from numerics.counterexamples.certify import REFUTED
from paper_figures import style
from paper_figures.recipes import Recipe
from paper_figures.runs import Record, Run
from paper_figures.tables import Row
from theory import SGD
from theory import evaluation as ev
from theory.wire import encode

CAPTION = """\
Largest ratio step size^2 s_2^2 found at minima of n samples in dimension d that are mean-square
stable for SGD; s_2 <= 1 / step size would keep it at 1. Lines: samples of full rank; dotted: of
rank one. Markers: an exact rational instance with at least {share:.0%} of the ratio, which the
kernel accepted as a counterexample. Dashed: the proved bound (d + 3)/4. Largest of {restarts}
quasi-Newton runs from random starts for each n, d and rank; the table has them all."""

LOOK = style.algorithm(SGD.name)
MARKERS = {2: "o", 3: "s", 4: "^"}
DOTTED = (0, (1, 1.5))
BOUND = "sgd-stability-s2-dimension-{}"
PARAMETERS = {
    "samples": [2, 3, 4],
    "largest_dimension": 4,
    "restarts": 30,
    "share": 0.99,
    "seed": 0,
}
PRESETS = {
    "smoke": PARAMETERS | {"samples": [2, 3], "largest_dimension": 2, "restarts": 3},
    "laptop": PARAMETERS,
    "paper": PARAMETERS | {"restarts": 300},
}


def runs(parameters: Mapping[str, Any]) -> list[Run]:
    """One search for each number of samples, dimension and rank."""
    fixed = {name: parameters[name] for name in ("restarts", "share", "seed")}
    return [
        Run({**fixed, "samples": n, "dimension": d, "rank": rank}, theorems=(REFUTED,))
        for n in parameters["samples"]
        for d in range(1, parameters["largest_dimension"] + 1)
        for rank in range(1, d + 1)
    ]


def compute(run: Run) -> dict[str, Any]:
    """The search, and the exact instance if there is one."""
    chosen = run.parameters
    found = largest_ratio(
        chosen["samples"],
        chosen["dimension"],
        chosen["rank"],
        restarts=chosen["restarts"],
        seed=chosen["seed"],
    )
    exact = certify(found, chosen["share"])
    return {
        "device": "cpu",
        "ratio": found.ratio,
        "residual": found.residual,
        "hits": found.hits,
        "certified": str(exact.ratio) if exact else None,
        "certified_ratio": float(exact.ratio) if exact else None,
        "instance": encode(exact.instance) if exact else None,
    }


def table(_parameters: Mapping[str, Any], records: Sequence[Record]) -> list[Row]:
    """One row for each search."""
    return [
        {
            **{name: record.run.parameters[name] for name in ("samples", "dimension", "rank")},
            **{name: record.result[name] for name in ("ratio", "residual", "hits")},
            "restarts": record.run.parameters["restarts"],
            "certified": record.result["certified"],
            "certified_ratio": record.result["certified_ratio"],
            "bound": bound(record.run.parameters["dimension"]),
        }
        for record in records
    ]


def bound(dimension: int) -> float | None:
    """The proved bound in this dimension, if the library has it."""
    name = BOUND.format(dimension)
    return float(ev.evaluate(theory.get(name), "bound").value) if name in theory.load() else None


def draw(rows: Sequence[Row]) -> Figure:
    """The ratio against the dimension."""
    fig, (axes,) = style.figure(style.COLUMN, 2.6)
    for n in dict.fromkeys(row["samples"] for row in rows):
        of_n = [row for row in rows if row["samples"] == n]
        points = {**LOOK.points, "marker": MARKERS[n], "markerfacecolor": "none"}
        for linestyle, part in (
            ("-", [r for r in of_n if r["rank"] == r["dimension"]]),
            (DOTTED, [r for r in of_n if r["rank"] == 1]),
        ):
            dimensions = [r["dimension"] for r in part]
            axes.plot(dimensions, [r["ratio"] for r in part], color=LOOK.color, linestyle=linestyle)
            exact = [r for r in part if r["certified_ratio"] is not None]
            dimensions = [r["dimension"] for r in exact]
            axes.plot(dimensions, [r["certified_ratio"] for r in exact], **points)
        axes.plot([], [], **points | {"linestyle": "none"}, label=f"$n = {n}$")
    known = {r["dimension"]: r["bound"] for r in rows if r["bound"] is not None}
    for linestyle, label in (("-", "any rank"), (DOTTED, "rank one")):
        axes.plot([], [], color=LOOK.color, linestyle=linestyle, label=label)
    axes.plot(list(known), list(known.values()), **style.BOUND.line, label="proved bound")
    axes.axhline(1, color="0.7", linewidth=0.8, zorder=0)
    axes.set(xlabel="dimension $d$", ylabel=r"largest $\eta^2 s_2^2$")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="upper left")
    return fig


RECIPE = Recipe(
    name="counterexample_ratios",
    title="How far s_2 exceeds 1/η at minima that are stable for SGD",
    caption=CAPTION.format(share=PARAMETERS["share"], restarts=PARAMETERS["restarts"]),
    presets=PRESETS,
    runs=runs,
    compute=compute,
    table=table,
    draw=draw,
)
