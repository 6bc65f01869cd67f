"""How much of the decrease that the worst case allows is proved: theorems against PEP."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from numerics.worst_case import FAMILIES, WorstCase, best_step_size, compare
from paper_figures import style
from paper_figures.recipes import Recipe
from paper_figures.runs import Record, Run
from paper_figures.tables import Row
from theory import SAM

CAPTION = """\
Share of the decrease per step in the worst case that is proved, (1 - bound) / (1 - PEP), for
unnormalised SAM with the same sample in both gradients, L = beta, {components} samples, at the
best step size of each. PEP is the value of a semidefinite program over all functions of the class,
an upper bound on the true worst case (a lower bound on the share). Radii beyond a curve's end are
not covered by its theorem. (a, b) loss, radii in units of the largest admissible one; (c, d)
squared distance to the minimiser. The CSV also holds PEP at the step size of each theorem."""

RADII = {
    "smooth": [0.0, 0.1, 0.25, 0.5, 0.75, 0.9],
    "convex": [0.0, 0.1, 0.25, 0.5, 0.75, 0.9],
    "distance": [0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 2.5, 2.9],
    "quadratic": [0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0],
}
PARAMETERS = {"mus": [0.04, 0.1, 0.25], "radii": RADII, "components": 24}
SMOKE = {
    "mus": [0.25],
    "radii": {family: [0.5] for family in RADII},
    "components": 24,
}
PRESETS = {
    "smoke": SMOKE,
    "laptop": PARAMETERS,
    "paper": PARAMETERS | {"mus": [0.01, 0.04, 0.1, 0.25, 0.4]},
}
AXES = {
    "smooth": r"radius in units of $\sqrt{\mu/\beta}\,/\beta$",
    "convex": r"radius over the largest of the theorem",
    "distance": r"radius $\beta\rho$",
    "quadratic": r"radius $\beta\rho$",
}
LINES: dict[str, Literal[":", "--", "-"]] = {"published": ":", "improved": "--", "best proved": "-"}
MARKERS = ("o", "s", "^", "v", "D")


def runs(parameters: Mapping[str, Any]) -> list[Run]:
    """One computation for each class of problems, conditioning and radius."""
    return [
        Run(
            {"family": family, "mu": mu, "at": at, "components": parameters["components"]},
            theorems=FAMILIES[family].read,
        )
        for family, radii in parameters["radii"].items()
        for mu, at in itertools.product(parameters["mus"], radii)
    ]


def compute(run: Run) -> dict[str, Any]:
    """Every theorem of the class at one radius, and the worst case."""
    chosen = run.parameters
    family = FAMILIES[chosen["family"]]
    setting = family.setting(chosen["mu"], chosen["components"])
    radius = family.radius(chosen["at"], chosen["mu"])
    best = best_step_size(setting, radius)
    found = []
    for label, theorems in family.theorems.items():
        comparison = compare(setting, theorems, radius, best)
        bound, same = comparison.bound, comparison.same_step
        if bound is None or same is None:
            continue
        found.append(
            {
                "bound": label,
                "theorem": bound.theorem,
                "radius": radius,
                "step_size": bound.step_size,
                "factor": bound.factor,
                **described("pep", same),
                "pep_best_step_size": comparison.at_best.step_size,
                **described("pep_best", comparison.at_best),
                "ratio": finite(comparison.ratio),
                "ratio_at_best": finite(comparison.ratio_at_best),
                "tag": same.tag,
            }
        )
    return {"device": "cpu", "comparisons": found}


def described(name: str, case: WorstCase) -> dict[str, float | None]:
    """The value of a worst case and what it may be off by; None where the solver failed."""
    return {name: finite(case.value), f"{name}_error": finite(case.solution.error)}


def finite(number: float) -> float | None:
    """None for what is not a number."""
    return number if np.isfinite(number) else None


def table(parameters: Mapping[str, Any], records: Sequence[Record]) -> list[Row]:
    """One row for each class, conditioning, radius and theorem that covers it."""
    return [
        {
            "family": record.run.parameters["family"],
            "mu": record.run.parameters["mu"],
            "relative_radius": record.run.parameters["at"],
            "components": parameters["components"],
            **comparison,
        }
        for record in records
        for comparison in record.result["comparisons"]
    ]


def draw(rows: Sequence[Row]) -> Figure:
    """One panel for each class of problems."""
    fig = Figure(figsize=(style.PAGE, 4.4), layout="constrained")
    panels = fig.subplots(2, 2, sharey=True)
    mus = sorted({float(row["mu"]) for row in rows})
    for place, (axes, name) in enumerate(zip(panels.flat, AXES, strict=True)):
        draw_panel(axes, [row for row in rows if row["family"] == name], mus)
        axes.set(xlabel=AXES[name], ylim=(0, 1.04))
        style.panel_title(axes, place, FAMILIES[name].title)
    for axes in panels[:, 0]:
        axes.set_ylabel("share of decrease proved")
    panels[0, 0].legend(handles=[*bound_handles(rows)], loc="center right")
    panels[0, 1].legend(handles=[*mu_handles(mus)], loc="center right")
    return fig


def draw_panel(axes: Axes, rows: Sequence[Row], mus: Sequence[float]) -> None:
    """The shares of one class: a line style for each theorem, a marker for each conditioning."""
    axes.axhline(1, color="black", linewidth=0.6)
    labels = list(dict.fromkeys(str(row["bound"]) for row in rows))
    for (place, mu), label in itertools.product(enumerate(mus), labels):
        points = [r for r in rows if (r["mu"], r["bound"]) == (mu, label) and r["ratio_at_best"]]
        axes.plot(
            [float(row["relative_radius"]) for row in points],
            [1 / float(row["ratio_at_best"]) for row in points],
            linestyle=LINES[label],
            **mark(place, len(mus)),
        )


def mark(place: int, count: int) -> dict[str, Any]:
    """The look of one conditioning: a marker, and a shade of the colour of SAM."""
    shade = 0.35 + 0.65 * place / max(1, count - 1)
    return {
        "marker": MARKERS[place],
        "color": style.algorithm(SAM.name).color,
        "alpha": shade,
    }


def bound_handles(rows: Sequence[Row]) -> Iterator[Line2D]:
    """The legend of line styles."""
    for label in dict.fromkeys(str(row["bound"]) for row in rows):
        yield Line2D([], [], color="black", linestyle=LINES[label], label=label)


def mu_handles(mus: Sequence[float]) -> Iterator[Line2D]:
    """The legend of markers."""
    for place, mu in enumerate(mus):
        label = rf"$\mu/\beta = {mu:g}$"
        yield Line2D([], [], linestyle="", label=label, **mark(place, len(mus)))


RECIPE = Recipe(
    name="rate_tightness",
    title="How much of the worst-case decrease is proved: theorems against PEP",
    caption=CAPTION.format(components=PARAMETERS["components"]),
    presets=PRESETS,
    runs=runs,
    compute=compute,
    table=table,
    draw=draw,
)
