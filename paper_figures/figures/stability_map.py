"""Where SAM is mean-square stable: exact boundary, every published bound, and simulation."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from numerics.data.mnist import fingerprint
from numerics.hessians import SampleHessians, moments
from numerics.networks.interpolating import InterpolatingMinimum
from numerics.stability import boundaries
from numerics.stability.laws import joint_range
from numerics.stability.maps import AT_ZERO, THEOREMS
from numerics.stability.minima import MnistParity, network_step
from numerics.stability.simulation import (
    SimulatedThreshold,
    Step,
    linearised_step,
    simulated_threshold,
)
from paper_figures import style
from paper_figures.families.instances import hessians_at, instance
from paper_figures.recipes import Recipe
from paper_figures.runs import Record, Run
from paper_figures.tables import Row
from theory import SAM

#: Panels of exact counterexamples: the theorem whose refutation gives the Hessians -> its title.
COUNTEREXAMPLES = {
    "sgd-stability-s2-published": r"stable although $s_2 > 1/\eta$",
    "sam-stability-one-step-necessary": "stable although one step can grow",
}
#: How far outside the proved bounds a simulated search begins.
MARGIN = 1.1
CAPTION = """\
Mean-square stability of unnormalised SAM (same batch in both gradients; radius 0 is SGD) at exact
interpolating minima. Step size in units of 2/a, radius in units of 1/a, with a the largest
eigenvalue of the mean Hessian. Below the solid line E|x_t|^2 stays bounded: the exact boundary,
2 over the largest eigenvalue of C^-1 D, its certified bracket thinner than the line. Sufficient:
the one-step condition E M_b^2 <= I. Necessary: one direction, sup_u E(u'M_b u)^2 <= 1 (best
direction found), and SAM's edge a(1 + rho a) <= 2/eta. Bounds on s_k: where the first of s_2, s_3,
s_4 violates its published or its sharp bound; they are necessary for the one-step condition, not
for stability. Circles: simulation of the linearised dynamics; crosses: of the network itself, both
by importance sampling of trajectories, drawn where decisive (stable and unstable step sizes within
4%). (a, b) Two-dimensional rational counterexamples; the star is the setting certified in exact
arithmetic. (c, d) A perceptron that interpolates the parity of {samples} MNIST digits."""

UNITS = [round(0.1 * k, 1) for k in range(16)]
FAST = {"steps": 100, "longest": 800, "particles": 256}


def preset(
    setting: Mapping[str, Any],
    batches: Mapping[int, Mapping[str, Any]],
    radii: Sequence[float],
    simulated: Sequence[float],
    counter: Mapping[str, int],
    true_radii: Sequence[float] = (),
) -> dict[str, Any]:
    """Panels, the radii of the curves and of the simulations (units of 1 / sharpness)."""
    exact = [
        {"counterexample": name, "batch_size": 1, "simulation": dict(counter), "true_radii": []}
        for name in COUNTEREXAMPLES
    ]
    trained = [
        {
            "setting": dict(setting),
            "batch_size": size,
            "simulation": dict(simulation),
            "true_radii": list(true_radii) if size > 1 else [],
        }
        for size, simulation in batches.items()
    ]
    return {"panels": exact + trained, "radii": list(radii), "simulated": list(simulated)}


SMALL = {"samples": 12, "hidden": 6, "batch_size": 12, "target_loss": 0.01}
PRESETS = {
    "smoke": preset(
        SMALL,
        {
            1: {"steps": 25, "longest": 50, "particles": 16},
            4: {"steps": 25, "longest": 25, "particles": 16},
        },
        [0.0, 0.5, 1.5],
        [0.5],
        {"steps": 50, "longest": 100, "particles": 64},
        [0.5],
    ),
    "laptop": preset(
        {"samples": 200},
        {
            1: {"steps": 500, "longest": 1000, "particles": 32},
            10: {"steps": 25, "longest": 100, "particles": 32},
        },
        UNITS,
        [0.0, 0.5, 1.0],
        FAST | {"longest": 200},
        [0.5],
    ),
    "paper": preset(
        {"samples": 1000, "hidden": 100, "target_loss": 1e-2},
        {
            1: {"steps": 2000, "longest": 16000, "particles": 128},
            20: {"steps": 100, "longest": 800, "particles": 64},
        },
        UNITS,
        [0.0, 0.3, 0.6, 0.9, 1.2, 1.5],
        FAST | {"particles": 1024},
        [0.0, 0.5, 1.0, 1.5],
    ),
}


@functools.lru_cache(maxsize=1)
def trained(**setting: Any) -> InterpolatingMinimum:
    """The network's minimum, once for all runs of a process."""
    return MnistParity(**setting).minimum()


def hessians_of(panel: Mapping[str, Any]) -> SampleHessians:
    """Of a refutation's exact instance, or of the trained network."""
    if "setting" in panel:
        return trained(**panel["setting"]).hessians
    return hessians_at(panel["counterexample"])


def read(panel: Mapping[str, Any], radius: float) -> tuple[str, ...]:
    """The theorems that one run evaluates, or whose refutation it takes."""
    bounds = (ids for name, ids in THEOREMS.items() if radius > 0 or name in AT_ZERO)
    given = (panel["counterexample"],) if "counterexample" in panel else ()
    return (*itertools.chain(*bounds), *given)


def runs(parameters: Mapping[str, Any]) -> list[Run]:
    """One for each panel and radius."""
    wanted = []
    for panel in parameters["panels"]:
        data = ""
        if "setting" in panel:
            problem = MnistParity(**panel["setting"]).problem()
            data = fingerprint(problem.inputs, problem.targets)
        wanted += [
            Run(
                {
                    "panel": panel,
                    "radius": radius,
                    "simulated": radius in parameters["simulated"],
                    "true": radius in panel["true_radii"],
                },
                None,
                data,
                theorems=read(panel, radius),
            )
            for radius in parameters["radii"]
        ]
    return wanted


def compute(run: Run) -> dict[str, Any]:
    """Every boundary at one radius, and the simulated ones."""
    panel = run.parameters["panel"]
    size = panel["batch_size"]
    inside, _ = joint_range(hessians_of(panel))
    measured = moments(inside, batch_size=size, method="dense")
    radius = run.parameters["radius"] / measured.sharpness
    at = boundaries(inside, radius, measured)
    ends = {
        "one-step": at.one_step,
        "exact": at.exact.value,
        "directional": at.directional.value,
        **{name: end if math.isfinite(end) else None for name, end in at.theorems.items()},
    }
    found = {"exact": {"lower": at.exact.lower, "upper": at.exact.upper}}

    def simulate(step_at: Callable[[float], Step]) -> dict[str, Any]:
        start = torch.zeros(inside.size, dtype=inside.dtype)
        low, high = at.one_step / MARGIN, at.directional.value * MARGIN
        return described(simulated_threshold(step_at, start, low, high, **panel["simulation"]))

    if run.parameters["simulated"]:
        found["simulated"] = simulate(
            lambda eta: linearised_step(inside, eta, radius, batch_size=size)
        )
    if run.parameters["true"]:
        problem, minimum = MnistParity(**panel["setting"]).problem(), trained(**panel["setting"])
        found["true dynamics"] = simulate(
            lambda eta: network_step(problem, minimum, eta, radius, batch_size=size)
        )
    return {
        "device": str(inside.device),
        "radius": radius,
        "dimension": inside.size,
        "samples": inside.samples,
        "sharpness": measured.sharpness,
        "ends": ends,
        "brackets": found,
    }


def described(found: SimulatedThreshold) -> dict[str, Any]:
    """The bracket of a simulated boundary."""
    return {"lower": found.stable, "upper": found.unstable, "decisive": int(found.decisive)}


def table(parameters: Mapping[str, Any], records: Sequence[Record]) -> list[Row]:
    """One row for each panel, radius and criterion."""
    names = [panel.get("counterexample", "mnist") for panel in parameters["panels"]]
    rows: list[Row] = []
    for record in records:
        result, panel = record.result, record.run.parameters["panel"]
        index = parameters["panels"].index(panel)
        shared = {
            "panel": index,
            "name": names[index],
            "samples": result["samples"],
            "batch_size": panel["batch_size"],
            "dimension": result["dimension"],
            "sharpness": result["sharpness"],
            "radius": result["radius"],
        }
        brackets = result["brackets"]
        for criterion in [*result["ends"], *(name for name in brackets if name != "exact")]:
            bracket = brackets.get(criterion, {})
            low, high = bracket.get("lower"), bracket.get("upper")
            middle = math.sqrt(low * high) if bracket else None
            rows.append(
                {
                    **shared,
                    "criterion": criterion,
                    "step_size": result["ends"].get(criterion, middle),
                    "lower": low,
                    "upper": high,
                    "decisive": bracket.get("decisive"),
                }
            )
    return rows


SOLID = {**style.algorithm(SAM.name).line, "linewidth": 1.8}
LINES: dict[str, dict[str, Any]] = {
    "exact": SOLID | {"label": "exact boundary"},
    "one-step": {
        "color": "#0072B2",
        "linestyle": "-",
        "linewidth": 1.0,
        "label": "one-step condition (sufficient)",
    },
    "directional": {
        "color": "#CC79A7",
        "linestyle": (0, (5, 1.5)),
        "label": "one direction (necessary)",
    },
    "sharpness": {
        "color": "#000000",
        "linestyle": (0, (1, 1)),
        "label": "edge of the mean (necessary)",
    },
    "published": {**style.BOUND.line, "linewidth": 0.9, "label": r"bounds on $s_k$, published"},
    "sharp": {
        "color": "#009E73",
        "linestyle": (0, (4, 1, 1, 1)),
        "linewidth": 1.0,
        "label": r"bounds on $s_k$, sharp",
    },
}
POINTS: dict[str, dict[str, Any]] = {
    "simulated": {
        "marker": "o",
        "mfc": "white",
        "mec": "black",
        "ms": 4.5,
        "mew": 0.9,
        "label": "simulated, linearised",
    },
    "true dynamics": {
        "marker": "x",
        "mec": "black",
        "ms": 5.5,
        "mew": 1.1,
        "label": "simulated, network",
    },
}


def draw(rows: Sequence[Row]) -> Figure:
    """Two counterexamples above, the network at two batch sizes below."""
    fig = Figure(figsize=(style.PAGE, 5.2), layout="constrained")
    axes = fig.subplots(2, 2).flatten()
    for index, panel in enumerate(axes):
        part = [row for row in rows if row["panel"] == index]
        draw_panel(panel, part)
        style.panel_title(panel, index, title(part[0]))
    for panel in axes[::2]:
        panel.set_ylabel(r"step size $\eta\, a/2$")
    for panel in axes[2:]:
        panel.set_xlabel(r"radius $\rho\, a$")
    handles = {h.get_label(): h for panel in axes for h in panel.get_lines()}
    wanted = [look["label"] for look in (LINES | POINTS | {"star": STAR}).values()]
    fig.legend(
        [handles[label] for label in wanted if label in handles],
        [label for label in wanted if label in handles],
        loc="outside lower center",
        ncols=3,
    )
    return fig


STAR: dict[str, Any] = {
    "marker": "*",
    "color": "black",
    "ms": 9,
    "linestyle": "none",
    "label": "certified setting",
}


def title(row: Row) -> str:
    """What a panel shows."""
    name = str(row["name"])
    if name in COUNTEREXAMPLES:
        return COUNTEREXAMPLES[name]
    return rf"MNIST perceptron, $n = {row['samples']}$, batch {row['batch_size']}"


def draw_panel(axes: Axes, rows: Sequence[Row]) -> None:
    """All criteria of one minimum."""
    a = float(rows[0]["sharpness"])
    by_criterion: dict[str, dict[float, float]] = {}
    for row in rows:
        if row["step_size"] is not None and row["decisive"] != 0:
            at = by_criterion.setdefault(str(row["criterion"]), {})
            at[a * float(row["radius"])] = a / 2 * float(row["step_size"])
    by_criterion["published"] = first(by_criterion, ("s2", "s3", "s4"))
    by_criterion["sharp"] = first(by_criterion, ("s2-sharp", "s3-sharp", "s4-sharp"))
    exact = by_criterion["exact"]
    low = 0.6 * min(by_criterion["one-step"].values())
    axes.fill_between(list(exact), low, list(exact.values()), color=SOLID["color"], alpha=0.1, lw=0)
    for name, look in LINES.items():
        axes.plot(list(by_criterion[name]), list(by_criterion[name].values()), **look)
    for name, look in POINTS.items():
        points = by_criterion.get(name, {})
        if points:
            axes.plot(list(points), list(points.values()), linestyle="none", **look)
    name = str(rows[0]["name"])
    if name in COUNTEREXAMPLES:
        given = dict(instance(name).parameters)
        radius, step_size = (float(given.get(key, 0)) for key in ("radius", "step_size"))
        axes.plot([a * radius], [a / 2 * step_size], clip_on=False, zorder=3, **STAR)
    axes.set_yscale("log")
    axes.set_xlim(min(exact), max(exact))
    axes.set_ylim(low, 1.15)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def first(curves: Mapping[str, Mapping[float, float]], names: Sequence[str]) -> dict[float, float]:
    """At each radius the smallest of several step sizes."""
    present = [curves[name] for name in names if name in curves]
    radii = sorted({radius for curve in present for radius in curve})
    return {r: float(np.min([curve[r] for curve in present if r in curve])) for r in radii}


RECIPE = Recipe(
    name="stability_map",
    title="Where SAM is mean-square stable: exact, bounded, simulated",
    caption=CAPTION.format(samples="a few hundred"),
    presets=PRESETS,
    runs=runs,
    compute=compute,
    table=table,
    draw=draw,
)
