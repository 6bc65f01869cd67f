"""What the published theorems give away: the rate of SAM, and the bound on s_2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import theory
from paper_figures import style
from paper_figures.recipes import Recipe
from paper_figures.runs import Record, Run
from paper_figures.tables import Row
from theory import SAM, SGD
from theory.evaluate import evaluate

#: Panel -> curve -> the theorem it comes from.
THEOREMS = {
    "rate": {"published": "sam-pl-linear", "improved": "sam-pl-linear-improved"},
    "s_2": {"published": "sam-stability-s2", "sharp": "sam-stability-s2-sharp"},
}
REST = {"color": style.algorithm(SAM.name).color, "linestyle": "-"}
LINES = {"published": style.BOUND.line, "improved": REST, "sharp": REST}
CAPTION = """\
Published theorems on unnormalised SAM against what is proved here under the same hypotheses.
(a) Decrease of the expected loss per step, 1 - factor, at each theorem's best step size, relative
to SGD's (radius 0), with beta = L = 1 and mu = {mu}; a curve ends where its theorem does.
(b) Largest s_2 at a minimum that satisfies the one-step stability condition, in units of 1 / step
size; the published bound ends at rho = eta / 2, the sharp one is attained at every rho."""

MU = 0.1
PARAMETERS = {"mu": MU, "largest_ratio": 1.5, "points": 301}
PRESETS = {
    "smoke": PARAMETERS | {"points": 31},
    "laptop": PARAMETERS,
    "paper": PARAMETERS | {"points": 1001},
}


def runs(parameters: Mapping[str, Any]) -> list[Run]:
    """One computation for each panel."""
    return [Run({**parameters, "panel": panel}) for panel in THEOREMS]


def compute(run: Run) -> dict[str, Any]:
    """Both curves of a panel, None where a theorem says nothing."""
    chosen = run.parameters
    curve = rate_curve if chosen["panel"] == "rate" else moment_curve
    at = np.linspace(
        0, 1 if chosen["panel"] == "rate" else chosen["largest_ratio"], chosen["points"]
    )
    curves = {
        label: [x if np.isfinite(x) else None for x in curve(name, at, chosen).tolist()]
        for label, name in THEOREMS[chosen["panel"]].items()
    }
    return {"device": "cpu", "at": at, **curves}


def rate_curve(name: str, at: np.ndarray, chosen: Mapping[str, Any]) -> np.ndarray:
    """The decrease at the best step size; `at` is the radius relative to the widest range."""
    known = {"beta": 1.0, "L": 1.0, "mu": chosen["mu"]}
    widest = evaluate(theory.get("sam-pl-linear-improved"), "max_radius", **known).value
    return decrease(name, at * widest, known) / decrease("sgd-pl-linear", np.zeros(1), known)


def decrease(name: str, radius: np.ndarray, known: Mapping[str, float]) -> np.ndarray:
    """1 - factor at the best step size."""
    theorem = theory.get(name)
    best = evaluate(theorem, "best_step_size", radius=radius, **known)
    return 1 - evaluate(theorem, "factor", step_size=best.value, radius=radius, **known).value


def moment_curve(name: str, at: np.ndarray, _chosen: Mapping[str, Any]) -> np.ndarray:
    """The bound on s_2 at step size 1; `at` is the radius over the step size."""
    with np.errstate(divide="ignore"):
        return np.sqrt(evaluate(theory.get(name), "bound", step_size=1.0, radius=at).value)


def table(parameters: Mapping[str, Any], records: Sequence[Record]) -> list[Row]:
    """One row for each panel, curve and point that its theorem covers."""
    return [
        {
            "panel": record.run.parameters["panel"],
            "curve": curve,
            "theorem": theorem,
            "mu": parameters["mu"],
            "radius": radius,
            "value": value,
        }
        for record in records
        for curve, theorem in THEOREMS[record.run.parameters["panel"]].items()
        for radius, value in zip(record.result["at"], record.result[curve], strict=True)
        if value is not None
    ]


def draw(rows: Sequence[Row]) -> Figure:
    """The rate on the left, the bound on s_2 on the right."""
    fig, (left, right) = style.figure(style.PAGE, 2.4, 2)
    mu = rows[0]["mu"]
    draw_panel(left, [row for row in rows if row["panel"] == "rate"])
    left.set(
        xlabel=r"radius $\rho$ in units of $\sqrt{\mu/\beta}\,/\beta$", xlim=(0, 1), ylim=(0, 1)
    )
    left.set_ylabel("decrease per step, SGD = 1")
    style.panel_title(left, 0, rf"proved rate of SAM, $\mu/\beta = {mu:g}$")
    draw_panel(right, [row for row in rows if row["panel"] == "s_2"])
    right.axhline(1, color=style.algorithm(SGD.name).color, linewidth=0.8)
    right.annotate("SGD", (1, 1), xycoords=("axes fraction", "data"), ha="right", va="bottom")
    right.set(xlabel=r"radius over step size, $\rho/\eta$", ylim=(0, 3))
    right.set_xlim(0, max(float(row["radius"]) for row in rows if row["panel"] == "s_2"))
    right.set_ylabel(r"bound on $s_2\,\eta$")
    style.panel_title(right, 1, "uniformity at stable minima")
    return fig


def draw_panel(axes: Axes, rows: Sequence[Row]) -> None:
    """The curves of one panel."""
    for curve in dict.fromkeys(row["curve"] for row in rows):
        points = [row for row in rows if row["curve"] == curve]
        radius, value = ([float(row[column]) for row in points] for column in ("radius", "value"))
        axes.plot(radius, value, label=curve, **LINES[curve])
    axes.legend(loc="upper right")


RECIPE = Recipe(
    name="sharper_bounds",
    title="Published against sharper theorems: SAM's rate and the bound on s_2",
    caption=CAPTION.format(mu=MU),
    presets=PRESETS,
    runs=runs,
    compute=compute,
    table=table,
    draw=draw,
)
