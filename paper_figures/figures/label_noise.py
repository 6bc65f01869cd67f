"""SGD and SAM under label noise, against its share and the number of parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from paper_figures import style
from paper_figures.families import comparisons as shared
from paper_figures.figures.mnist_generalisation import compute, runs, table
from paper_figures.recipes import Recipe
from paper_figures.tables import Row
from theory import SGD

CAPTION = f"""\
The setting of mnist_generalisation with a share of the training labels replaced by wrong ones,
uniform over the other classes; validation and test labels are right. Test accuracy of SGD and of
SAM (radius {shared.FIXED_RADIUS}, or for each setting the best on average on the validation set) at
the largest size: (a) after the epoch that is best on the validation set, (b) after the last epoch.
(c) Improvement by SAM with the tuned radius after the last epoch, against the number of parameters,
for each share. Means over seeds with 95% intervals (Student's t; in (c) of paired differences)."""


def preset(name: str, scales: Sequence[float], noise: Sequence[float]) -> Mapping[str, Any]:
    """The setting of the preset with these sizes and shares."""
    setting, seeds = shared.MNIST[name], shared.SEEDS[name]
    return {"setting": setting, "scales": list(scales), "noise": list(noise), "seeds": seeds}


PRESETS = {
    "smoke": preset("smoke", (0.25, 0.5), (0.0, 0.5)),
    "laptop": preset("laptop", (0.25, 0.5, 1), (0.0, 0.25, 0.5, 0.75)),
    "paper": preset("paper", (0.25, 1, 4), (0.0, 0.25, 0.5, 0.75)),
}


def draw(rows: Sequence[Row]) -> Figure:
    """Accuracies by the best and by the last epoch, and improvements."""
    fig, (best, last, right) = style.figure(style.PAGE, 2.7, 3)
    largest = max(row["parameters"] for row in rows)
    for axes, epoch in ((best, "best"), (last, "last")):
        for place, (method, look) in enumerate(shared.METHODS.items(), start=-1):
            part = [
                row
                for row in rows
                if (row["parameters"], row["method"], row["epoch"]) == (largest, method, epoch)
            ]
            shared.draw_curve(axes, part, "label_noise", "score", look, method, accuracy, place)
        axes.set(xlabel="share of wrong labels", ylabel="test accuracy (%)")
    last.sharey(best)
    shares = list(dict.fromkeys(row["label_noise"] for row in rows))
    shared.name_ticks(right.xaxis, [row["parameters"] for row in rows], shared.human)
    for place, (look, share) in enumerate(zip(style.shades(len(shares)), shares, strict=True)):
        part = [
            row
            for row in rows
            if (row["label_noise"], row["method"], row["epoch"]) == (share, shared.TUNED, "last")
        ]
        shared.draw_curve(right, part, "parameters", "gain", look, f"{share:.0%}", dodge=place)
    right.axhline(0, color=shared.METHODS[SGD.name].color, lw=0.8)
    right.set(xlabel="number of parameters", ylabel="improvement (points)")
    for axes, corner, title in ((best, "left", None), (right, "right", "share of wrong labels")):
        handles, labels = axes.get_legend_handles_labels()
        fig.legend(handles, labels, loc=f"outside lower {corner}", ncols=len(labels), title=title)
    style.panel_title(best, 0, f"best epoch, {shared.human(largest)}")
    style.panel_title(last, 1, f"last epoch, {shared.human(largest)}")
    style.panel_title(right, 2, "improvement by SAM")
    return fig


def accuracy(error: Any) -> Any:
    """Both in percent."""
    return 100 - error


RECIPE = Recipe(
    name="label_noise",
    title="SGD and SAM under label noise against its share and the number of parameters",
    caption=CAPTION,
    presets=PRESETS,
    runs=runs,
    compute=compute,
    table=table,
    draw=draw,
    family="scaled_mnist",
    on_gpu=True,
)
