"""How far SAM's radius may go, how fast it can be, and what batches do: brackets by PEP."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from numerics.worst_case import (
    FAMILIES,
    ProblemClass,
    Split,
    best_step_size,
    proved,
    smallest_split,
    three_piece_split,
    threshold_radius,
)
from paper_figures import style
from paper_figures.recipes import Recipe
from paper_figures.runs import Record, Run
from paper_figures.tables import Row
from theory import SAM, SGD

CAPTION = """\
Unnormalised SAM on smooth samples whose mean is PL, L = beta, same samples in both gradients.
(a) Radius up to which a short step decreases the expected loss, in units of sqrt(mu / beta) / beta:
the theorem's range (1), the range certified by PEP for n samples, and the smallest radius at which
an explicit pair of functions on a line (checked in rational arithmetic) makes every step size
fail. (b) Decrease of the loss per step at half the theorem's largest radius, at the best step size,
relative to mu / L: proved, and PEP. (c) The radius of (a) by PEP against the batch size, for 24
samples. PEP values are bounds that a solver found in floating point; what lies between the curves
of (a) is undecided."""

PARAMETERS = {
    "threshold": {"mus": [0.01, 0.02, 0.04, 0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 0.9]},
    "rate": {"mus": [0.04, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9], "relative_radius": 0.5},
    "batch": {"mus": [0.04, 0.25], "batch_sizes": [1, 2, 3, 4, 6, 8, 12, 16, 20, 22, 23, 24]},
    "components": [2, 3, 24, "inf"],
    "search": {"cells": 120, "tolerance": 0.002},
}
SMOKE = {
    "threshold": {"mus": [0.04]},
    "rate": {"mus": [0.5], "relative_radius": 0.5},
    "batch": {"mus": [0.25], "batch_sizes": [1, 24]},
    "components": [2, 24],
    "search": {"cells": 24, "tolerance": 0.05},
}
PRESETS = {
    "smoke": SMOKE,
    "laptop": PARAMETERS,
    "paper": PARAMETERS | {"search": {"cells": 240, "tolerance": 0.001}},
}
CURVES = {"pair": "explicit pair", "proved": "proved"}
TITLES = {
    "threshold": "largest radius",
    "rate": "rate at half the radius",
    "batch": "radius and batches",
}
DASHES = (
    {"linestyle": ":"},
    {"linestyle": "-."},
    {"linestyle": "--"},
    {"linestyle": "-"},
)
LARGEST = 4.0  # of the radii searched, in units of the theorem's
PRECISION = 2e-3  # of the radii found, in the same units
SAMPLES = 24  # in the panel on batches
UNIT = (FAMILIES["smooth"].unit,)
PROVED = FAMILIES["smooth"].theorems["best proved"]


def runs(parameters: Mapping[str, Any]) -> list[Run]:
    """One computation for each point of each curve."""
    search = parameters["search"]
    threshold, rate, batch = (parameters[panel] for panel in ("threshold", "rate", "batch"))
    counts = parameters["components"]
    return [
        *(
            Run({"panel": "threshold", "mu": mu, "curve": str(number)}, theorems=UNIT)
            for mu in threshold["mus"]
            for number in counts
        ),
        *(
            Run({"panel": "threshold", "mu": mu, "curve": "pair", **search}, theorems=UNIT)
            for mu in threshold["mus"]
        ),
        *(
            Run(
                {"panel": "rate", "mu": mu, "curve": curve, "at": rate["relative_radius"]},
                theorems=UNIT + (PROVED if curve == "proved" else ()),
            )
            for mu in rate["mus"]
            for curve in (*map(str, counts), "proved")
        ),
        *(
            Run({"panel": "batch", "mu": mu, "curve": str(size)}, theorems=UNIT)
            for mu in batch["mus"]
            for size in batch["batch_sizes"]
        ),
    ]


def compute(run: Run) -> dict[str, Any]:
    """One point: a value, the bracket that it ends, and how it was found."""
    chosen = run.parameters
    mu, curve = chosen["mu"], chosen["curve"]
    unit = FAMILIES["smooth"].radius(1.0, mu)
    if chosen["panel"] == "rate":
        point = decrease(mu, curve, chosen["at"] * unit)
    elif curve == "pair":
        point = counterexample(mu, unit, chosen["cells"], chosen["tolerance"])
    elif chosen["panel"] == "batch":
        point = certified(ProblemClass(mu, components=SAMPLES, batch_size=int(curve)), unit)
    else:
        point = certified(ProblemClass(mu, components=count(curve)), unit)
    return {"device": "cpu", **point}


def count(name: str) -> float:
    """A number of components by its name."""
    return math.inf if name == "inf" else int(name)


def certified(setting: ProblemClass, unit: float) -> dict[str, Any]:
    """The largest radius at which PEP certifies a decrease, in units of the theorem's."""
    largest = max(LARGEST * unit, 2.0)  # beyond 2 / beta not even the full gradient decreases
    found = threshold_radius(setting, largest=largest, tolerance=PRECISION * unit / largest)
    return {
        "value": found.decreases / unit,
        "error": (found.undecided - found.decreases) / unit,
        "method": "PEP",
    }


def counterexample(mu: float, unit: float, cells: int, tolerance: float) -> dict[str, Any]:
    """The smallest radius at which an explicit pair refutes, in units of the theorem's."""
    searched = smallest_split(mu, 1.0, largest=LARGEST * unit, tolerance=tolerance, cells=cells)
    found = [("linear programming", searched), ("closed form", closed_form(mu, unit))]
    known = [(float(pair.radius) / unit, method) for method, pair in found if pair is not None]
    if not known:
        return {"value": None, "error": None, "method": "none found"}
    value, method = min(known)
    return {"value": value, "error": 0.0, "method": f"pair, {method}"}


def closed_form(mu: float, unit: float) -> Split | None:
    """The pair in closed form at its smallest radius, for a mean no flatter than asked.

    Its mean has curvature 1 / (1 + k^2) for a rational k; of two means, the class of the smaller mu
    contains both, so a k with 1 / (1 + k^2) >= mu will do.
    """
    slope = Fraction(math.sqrt(1 / mu - 1)).limit_denominator(1000) - Fraction(1, 10**6)
    if slope <= 1:
        return None
    low, high = Fraction(0), Fraction(LARGEST * unit).limit_denominator(1000)
    best = None
    while high - low > PRECISION * unit / 2:
        middle = ((low + high) / 2).limit_denominator(10**6)
        pair = three_piece_split(slope, middle)
        if pair.refutes:
            best, high = pair, middle
        else:
            low = middle
    return best


def decrease(mu: float, curve: str, radius: float) -> dict[str, Any]:
    """The decrease per step at the best step size, relative to mu / L."""
    if curve == "proved":
        bound = proved(PROVED, mu=mu, beta=1.0, L=1.0, radius=radius)
        assert bound is not None  # the radius is inside the range of the theorem
        return {"value": (1 - bound.factor) / mu, "error": 0.0, "method": bound.theorem}
    best = best_step_size(ProblemClass(mu, components=count(curve)), radius).best
    return {"value": (1 - best.value) / mu, "error": best.solution.error / mu, "method": "PEP"}


def table(_parameters: Mapping[str, Any], records: Sequence[Record]) -> list[Row]:
    """One row for each point; the numbers of samples and the batch sizes as numbers."""
    rows: list[Row] = []
    for record in records:
        chosen, curve = record.run.parameters, record.run.parameters["curve"]
        batches = chosen["panel"] == "batch"
        rows.append(
            {
                "panel": chosen["panel"],
                "curve": "PEP" if batches else CURVES.get(curve, f"PEP, n = {curve}"),
                "mu": chosen["mu"],
                "batch_size": int(curve) if batches else None,
                "value": record.result["value"],
                "error": record.result["error"],
                "method": record.result["method"],
            }
        )
    return rows


def draw(rows: Sequence[Row]) -> Figure:
    """Thresholds, rates and batches side by side."""
    fig, panels = style.figure(style.PAGE, 2.5, 3)
    shown = [row for row in rows if row["value"] is not None]
    for place, (axes, panel) in enumerate(zip(panels, TITLES, strict=True)):
        points = [row for row in shown if row["panel"] == panel]
        group, across = ("mu", "batch_size") if panel == "batch" else ("curve", "mu")
        draw_curves(axes, points, group, across)
        style.panel_title(axes, place, TITLES[panel])
    panels[0].axhline(1, color="black", linewidth=0.6)
    radius = r"radius in units of $\sqrt{\mu/\beta}\,/\beta$"
    panels[0].set(xscale="log", xlabel=r"$\mu/\beta$", ylabel=radius)
    panels[1].set(xlabel=r"$\mu/\beta$", ylabel=r"decrease per step over $\mu/L$", ylim=(0, None))
    panels[2].set(xlabel="batch size", ylabel=radius, ylim=(0, None))
    return fig


def draw_curves(axes: Axes, rows: Sequence[Row], group: str, across: str) -> None:
    """One line for each value of a column; what is proved or explicit in a colour of its own."""
    for place, name in enumerate(dict.fromkeys(row[group] for row in rows)):
        points = sorted(
            ((float(r[across]), float(r["value"])) for r in rows if r[group] == name),
        )
        if isinstance(name, str):
            label = name.replace("inf", r"$\infty$")
        else:
            label = rf"$\mu/\beta = {name:g}$"
        color = style.algorithm((SGD if name in CURVES.values() else SAM).name).color
        line = style.line(color, **({} if name in CURVES.values() else DASHES[place]))
        marker = "x" if name == CURVES["pair"] else None
        axes.plot(*zip(*points, strict=True), label=label, marker=marker, **line)
    axes.legend(loc="best", fontsize=7)


RECIPE = Recipe(
    name="decrease_threshold",
    title="How far SAM's radius may go: certified range, and pairs of functions beyond it",
    caption=CAPTION,
    presets=PRESETS,
    runs=runs,
    compute=compute,
    table=table,
    draw=draw,
)
