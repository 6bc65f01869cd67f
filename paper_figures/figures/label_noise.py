"""SGD and SAM under label noise, against its share and the number of parameters."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from paper_figures import style
from paper_figures.families import comparisons, drawing, scaled_mnist
from paper_figures.families.comparisons import FIXED_RADIUS
from paper_figures.recipes import Recipe
from paper_figures.tables import Row
from theory import SGD

CAPTION = f"""\
The setting of mnist_generalisation with a share of the training labels replaced by wrong ones,
uniform over the other classes; validation and test labels are right. Test accuracy of SGD and of
SAM (radius {FIXED_RADIUS}, or for each setting the best on average on the validation set) at
the largest size: (a) after the epoch that is best on the validation set, (b) after the last epoch.
(c) Improvement by SAM with the tuned radius after the last epoch, against the number of parameters,
for each share. Means over seeds with 95% intervals (Student's t; in (c) of paired differences)."""


PRESETS = {
    "smoke": scaled_mnist.preset("smoke", (0.25, 0.5), (0.0, 0.5)),
    "laptop": scaled_mnist.preset("laptop", (0.25, 0.5, 1), (0.0, 0.25, 0.5, 0.75)),
    "paper": scaled_mnist.preset("paper", (0.25, 1, 4), (0.0, 0.25, 0.5, 0.75)),
}


def draw(rows: Sequence[Row]) -> Figure:
    """Accuracies by the best and by the last epoch, and improvements."""
    fig, (best, last, right) = style.figure(style.PAGE, 2.7, 3)
    largest = max(row["parameters"] for row in rows)
    for axes, epoch in ((best, "best"), (last, "last")):
        for place, (method, look) in enumerate(comparisons.METHODS.items(), start=-1):
            part = [
                row
                for row in rows
                if (row["parameters"], row["method"], row["epoch"]) == (largest, method, epoch)
            ]
            drawing.draw_curve(
                axes, part, "label_noise", "score", look, method, scaled_mnist.accuracy, place
            )
        axes.set(xlabel="share of wrong labels", ylabel="test accuracy (%)")
    last.sharey(best)
    shares = list(dict.fromkeys(row["label_noise"] for row in rows))
    drawing.name_ticks(right.xaxis, [row["parameters"] for row in rows], drawing.human)
    for place, (look, share) in enumerate(zip(style.shades(len(shares)), shares, strict=True)):
        part = [
            row
            for row in rows
            if (row["label_noise"], row["method"], row["epoch"])
            == (share, comparisons.TUNED, "last")
        ]
        drawing.draw_curve(right, part, "parameters", "gain", look, f"{share:.0%}", dodge=place)
    right.axhline(0, color=comparisons.METHODS[SGD.name].color, lw=0.8)
    right.set(xlabel="number of parameters", ylabel="improvement (points)")
    handles, labels = best.get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower left", ncols=len(labels))
    handles, labels = right.get_legend_handles_labels()
    title = "share of wrong labels"
    fig.legend(handles, labels, loc="outside lower right", ncols=len(labels), title=title)
    style.panel_title(best, 0, f"best epoch, {drawing.human(largest)}")
    style.panel_title(last, 1, f"last epoch, {drawing.human(largest)}")
    style.panel_title(right, 2, "improvement by SAM")
    return fig


RECIPE = Recipe(
    name="label_noise",
    title="SGD and SAM under label noise against its share and the number of parameters",
    caption=CAPTION,
    presets=PRESETS,
    runs=scaled_mnist.runs,
    compute=scaled_mnist.compute,
    table=scaled_mnist.table,
    draw=draw,
    family=scaled_mnist.FAMILY,
    on_gpu=True,
)
