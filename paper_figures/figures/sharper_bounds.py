"""What the published theorems give away: the rate of SAM, and the bounds on s_2, s_3 and s_4."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import theory
from paper_figures import style
from paper_figures.recipes import Recipe
from paper_figures.runs import Record, Run
from paper_figures.tables import Row
from theory import SAM, SGD
from theory import evaluation as ev
from theory.trusted.statements import Theorem
from theory.trusted.terms import Power

#: Panel -> curve -> the theorems it comes from; the last panel divides by the published bound.
THEOREMS: dict[str, dict[str, tuple[str, ...]]] = {
    "rate": {"published": ("sam-pl-linear",), "improved": ("sam-pl-linear-improved",)},
    "s_2": {"published": ("sam-stability-s2",), "sharp": ("sam-stability-s2-sharp",)},
    "ratio": {
        "published": ("sam-stability-s4",),
        "s_3": ("sam-stability-s3-sharp-small", "sam-stability-s3-sharp-large"),
        "s_4": (
            "sam-stability-s4-sharp",
            "sam-stability-s4-sharp-middle",
            "sam-stability-s4-sharp-large",
        ),
    },
}
PUBLISHED = {"s_3": "sam-stability-s3", "s_4": "sam-stability-s4"}
#: Panel -> the theorems that it reads besides.
MORE: dict[str, tuple[str, ...]] = {
    "rate": ("sam-pl-linear-improved", "sgd-pl-linear"),
    "s_2": (),
    "ratio": tuple(PUBLISHED.values()),
}
REST = style.algorithm(SAM.name).line
LINES = {
    "published": style.BOUND.line,
    "improved": REST,
    "sharp": REST,
    "s_3": REST | {"linestyle": (0, (1, 1)), "label": "$s_3^3$"},
    "s_4": REST | {"label": "$s_4^4$"},
}
CAPTION = """\
Published theorems on unnormalised SAM against what is proved here under the same hypotheses.
(a) Decrease of the expected loss per step, 1 - factor, at each theorem's best step size, relative
to SGD's (radius 0), with beta = L = 1 and mu = {mu}; a curve ends where its theorem does.
(b) Largest s_2 at a minimum that satisfies the one-step stability condition, in units of 1 / step
size; the published bound ends at rho = eta / 2, the sharp one is attained at every rho.
(c) The sharp bounds on s_3 cubed and s_4 to the fourth over the published ones, 1/(2 eta^2 rho) and
1/(eta rho)^2; where the latter is exceeded it is false. Shaded: where the published theorem
applies, eta >= 2 rho."""

MU = 0.1
PARAMETERS = {"mu": MU, "largest_ratio": 1.5, "ratios": [0.02, 20.0], "points": 301}
PRESETS = {
    "smoke": PARAMETERS | {"points": 31},
    "laptop": PARAMETERS,
    "paper": PARAMETERS | {"points": 1001},
}


def runs(parameters: Mapping[str, Any]) -> list[Run]:
    """One computation for each panel."""
    return [
        Run(
            {**parameters, "panel": panel},
            theorems=(*itertools.chain(*curves.values()), *MORE[panel]),
        )
        for panel, curves in THEOREMS.items()
    ]


def compute(run: Run) -> dict[str, Any]:
    """Both curves of a panel, None where a theorem says nothing."""
    chosen = run.parameters
    points, (low, high) = chosen["points"], chosen["ratios"]
    curve, at = {
        "rate": (rate_curve, np.linspace(0, 1, points)),
        "s_2": (moment_curve, np.linspace(0, chosen["largest_ratio"], points)),
        "ratio": (ratio_curve, np.geomspace(low, high, points)),
    }[chosen["panel"]]
    curves = {
        label: [x if np.isfinite(x) else None for x in curve(names, at, chosen).tolist()]
        for label, names in THEOREMS[chosen["panel"]].items()
    }
    return {"device": "cpu", "at": at, **curves}


def rate_curve(names: Sequence[str], at: np.ndarray, chosen: Mapping[str, Any]) -> np.ndarray:
    """The decrease at the best step size; `at` is the radius relative to the widest range."""
    known = {"beta": 1.0, "L": 1.0, "mu": chosen["mu"]}
    widest = ev.evaluate(theory.get("sam-pl-linear-improved"), "max_radius", **known).value
    (name,) = names
    return decrease(name, at * widest, known) / decrease("sgd-pl-linear", np.zeros(1), known)


def decrease(name: str, radius: np.ndarray, known: Mapping[str, float]) -> np.ndarray:
    """1 - factor at the best step size."""
    theorem = theory.get(name)
    best = ev.evaluate(theorem, "best_step_size", radius=radius, **known)
    factor = ev.evaluate(theorem, "factor", step_size=best.value, radius=radius, **known)
    return 1 - np.asarray(factor.value)


def moment_curve(names: Sequence[str], at: np.ndarray, _chosen: Mapping[str, Any]) -> np.ndarray:
    """The bound on s_k at step size 1, the least of the theorems'; `at` is the radius over it."""
    return np.fmin.reduce([moment_bound(theory.get(name), at) for name in names])


def ratio_curve(names: Sequence[str], at: np.ndarray, _chosen: Mapping[str, Any]) -> np.ndarray:
    """The bound on s_k^k over the published one's formula, in its range and beyond."""
    (symbol,) = (s for s in PUBLISHED if s in ev.parameters(theory.get(names[0])))
    (formula,) = theory.get(PUBLISHED[symbol]).quantities
    published = ev.value(formula.expression, step_size=1.0, radius=at)
    return moment_curve(names, at, _chosen) ** int(symbol[2:]) / published


def moment_bound(theorem: Theorem, radius: np.ndarray) -> np.ndarray:
    """The root of a theorem's bound on a power of s_k; the best one of a family's members."""
    (quantity,) = theorem.quantities
    exponents = (
        step.claim.left.exponent
        for step in theorem.proof
        if step.claim.right == quantity.expression and isinstance(step.claim.left, Power)
    )
    family = {}
    if "contact" in ev.parameters(quantity.expression):
        # near 1 - 2 radius + 2 radius^2; every contact gives a bound, and a grid is fine enough
        radius = radius[:, None]
        family["contact"] = 1 - 2 * radius * np.linspace(0.6, 1, 2001)
    with np.errstate(divide="ignore"):
        bound = ev.evaluate(theorem, quantity.name, step_size=1.0, radius=radius, **family).value
    least = np.fmin.reduce(bound, axis=1) if family else bound
    power = next(exponent for exponent in exponents if isinstance(exponent, int))
    return least ** (1 / power)


def table(parameters: Mapping[str, Any], records: Sequence[Record]) -> list[Row]:
    """One row for each panel, curve and point that its theorem covers."""
    return [
        {
            "panel": record.run.parameters["panel"],
            "curve": curve,
            "theorem": " ".join(names),
            "mu": parameters["mu"],
            "radius": radius,
            "value": value,
        }
        for record in records
        for curve, names in THEOREMS[record.run.parameters["panel"]].items()
        for radius, value in zip(record.result["at"], record.result[curve], strict=True)
        if value is not None
    ]


def draw(rows: Sequence[Row]) -> Figure:
    """The rate, the bound on s_2, and the bounds on s_3 and s_4 against the published ones."""
    fig, (left, middle, right) = style.figure(style.PAGE, 2.3, 3)
    mu = rows[0]["mu"]
    draw_panel(left, [row for row in rows if row["panel"] == "rate"])
    left.set(
        xlabel=r"radius $\rho$ in units of $\sqrt{\mu/\beta}\,/\beta$", xlim=(0, 1), ylim=(0, 1)
    )
    left.set_ylabel("decrease per step, SGD = 1")
    style.panel_title(left, 0, rf"rate of SAM, $\mu/\beta = {mu:g}$")
    draw_panel(middle, [row for row in rows if row["panel"] == "s_2"])
    middle.axhline(1, color=style.algorithm(SGD.name).color, linewidth=0.8)
    middle.annotate("SGD", (1, 1), xycoords=("axes fraction", "data"), ha="right", va="bottom")
    middle.set(xlabel=r"radius over step size, $\rho/\eta$", ylim=(0, 3))
    middle.set_xlim(0, max(float(row["radius"]) for row in rows if row["panel"] == "s_2"))
    middle.set_ylabel(r"bound on $s_2\,\eta$")
    style.panel_title(middle, 1, "uniformity")
    ratios = [row for row in rows if row["panel"] == "ratio"]
    covered = [float(row["radius"]) for row in ratios if row["curve"] == "published"]
    draw_panel(right, [row for row in ratios if row["curve"] != "published"], "upper left")
    right.axvspan(min(covered), max(covered), color=style.BOUND.color, alpha=0.12, linewidth=0)
    right.axhline(1, **style.BOUND.line, linewidth=0.8)
    right.set(xlabel=r"radius over step size, $\rho/\eta$", xscale="log", ylim=(0, 1.5))
    right.set_xlim(min(covered), max(float(row["radius"]) for row in ratios))
    right.set_ylabel("sharp over published bound")
    style.panel_title(right, 2, "higher moments")
    return fig


def draw_panel(
    axes: Axes, rows: Sequence[Row], legend: Literal["upper left", "upper right"] = "upper right"
) -> None:
    """The curves of one panel."""
    for curve in dict.fromkeys(row["curve"] for row in rows):
        points = [row for row in rows if row["curve"] == curve]
        radius, value = ([float(row[column]) for row in points] for column in ("radius", "value"))
        axes.plot(radius, value, **{"label": curve} | LINES[curve])
    axes.legend(loc=legend)


RECIPE = Recipe(
    name="sharper_bounds",
    title="Published against sharper theorems: SAM's rate and the bounds on s_2, s_3, s_4",
    caption=CAPTION.format(mu=MU),
    presets=PRESETS,
    runs=runs,
    compute=compute,
    table=table,
    draw=draw,
)
