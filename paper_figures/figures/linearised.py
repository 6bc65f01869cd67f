"""SGD and SAM on networks and on their linearisations, against the number of parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from paper_figures import style
from paper_figures.families import comparisons, drawing, scaled_mnist
from paper_figures.families.comparisons import FIXED_RADIUS
from paper_figures.recipes import Recipe
from paper_figures.runs import Record, Run
from paper_figures.tables import Row
from theory import SGD

MODELS = {"network": False, "linearisation": True}
LOOKS = {
    "network": style.Look("#56B4E9", "s", "-"),
    "linearisation": style.Look("#E69F00", "D", "-"),
}

CAPTION = f"""\
The setting of mnist_generalisation, (a) for the networks themselves and (b) for their
linearisations in the parameters at the initial weights (the regime of the neural tangent kernel),
trained in the same way from the same start on the same batches. Test accuracy of SGD and of SAM
(radius {FIXED_RADIUS}, or for each size the best on average on the validation set) after the
epoch that is best on the validation set. (c) Improvement by SAM with the tuned radius. Means over
seeds with 95% intervals (Student's t; in (c) of paired differences)."""


PRESETS = {
    "smoke": scaled_mnist.preset("smoke", (0.25, 0.5)),
    "laptop": scaled_mnist.preset("laptop", (0.25, 0.5, 1)),
    "paper": scaled_mnist.preset("paper", (0.25, 0.5, 1, 4)),
}


def runs(parameters: Mapping[str, Any]) -> list[Run]:
    """Those of mnist_generalisation at these sizes, and the same for the linearisations."""
    linearised = {**parameters["setting"], "linearised": True}
    return scaled_mnist.runs(parameters) + scaled_mnist.runs({**parameters, "setting": linearised})


def table(parameters: Mapping[str, Any], records: Sequence[Record]) -> list[Row]:
    """One row for each model, scale, method and chosen epoch; scores are error rates in %."""
    names = {flag: name for name, flag in MODELS.items()}
    return [
        row
        for setting, group in comparisons.by_setting(records)
        for row in comparisons.gain_rows(
            group, 100, model=names[setting.get("linearised", False)], scale=setting["scale"]
        )
    ]


def draw(rows: Sequence[Row]) -> Figure:
    """Accuracies of both models, and improvements."""
    fig, (left, middle, right) = style.figure(style.PAGE, 2.6, 3)
    chosen = [row for row in rows if row["epoch"] == "best"]
    sizes = [row["parameters"] for row in rows]
    for axes in (left, middle, right):
        drawing.name_ticks(axes.xaxis, sizes, drawing.human)
        axes.set_xlabel("number of parameters")
    for axes, model in zip((left, middle), MODELS, strict=True):
        for place, (method, look) in enumerate(comparisons.METHODS.items(), start=-1):
            part = [row for row in chosen if (row["model"], row["method"]) == (model, method)]
            drawing.draw_curve(
                axes, part, "parameters", "score", look, method, scaled_mnist.accuracy, place
            )
    middle.sharey(left)
    drawing.clip_percent(left)
    left.set_ylabel("test accuracy (%)")
    for place, (model, look) in enumerate(LOOKS.items()):
        part = [
            row for row in chosen if (row["model"], row["method"]) == (model, comparisons.TUNED)
        ]
        drawing.draw_curve(right, part, "parameters", "gain", look, model, dodge=2 * place - 1)
    right.axhline(0, color=comparisons.METHODS[SGD.name].color, lw=0.8)
    right.set_ylabel("improvement (points)")
    drawing.one_legend(fig, left, right)
    style.panel_title(left, 0, f"networks, {rows[0]['seeds']} seeds")
    style.panel_title(middle, 1, "linearisations")
    style.panel_title(right, 2, "improvement by SAM")
    return fig


RECIPE = Recipe(
    name="linearised",
    title="SGD and SAM on networks and on their linearisations at the initial weights, MNIST",
    caption=CAPTION,
    presets=PRESETS,
    runs=runs,
    compute=scaled_mnist.compute,
    table=table,
    draw=draw,
    family=scaled_mnist.FAMILY,
    on_gpu=True,
)
