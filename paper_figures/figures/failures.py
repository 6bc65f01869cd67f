"""Where the trend may break: no weight decay, no early stopping, another architecture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from numerics.data.mnist import fingerprint
from numerics.networks.patch_attention import AttentionMnist
from numerics.networks.scaled_mnist import ScaledMnist
from paper_figures import style
from paper_figures.families import comparisons, drawing, scaled_mnist
from paper_figures.recipes import Recipe
from paper_figures.runs import Record, Run
from paper_figures.tables import Row
from theory import SGD

CAPTION = """\
Test accuracy of SGD and of SAM with its tuned radius (above) and the improvement by SAM (below)
against the number of parameters on MNIST, where the published trend is known to break or might. (a,
d) The perceptrons of mnist_generalisation without weight decay, after the epoch that is best on a
validation set. (b, e) The same with weight decay 1e-4, but after the last epoch instead of the best
one. (c, f) One head of softmax attention over 7 x 7 patches, mean pooling and a linear readout, of
growing width, weight decay 1e-4, best epoch. Grey, in (a, d) and (b, e): the reference, with weight
decay and at the best epoch. SAM is normalised over all parameters and ascends on the same batch;
momentum 0.9, step size 0.1 divided by ten after each quarter of the epochs; the radius is, for each
setting, the best on average on the validation set. Means over seeds with 95% intervals (Student's
t; below of differences paired by seed)."""

REFERENCE_DECAY = ScaledMnist.weight_decay


def preset(name: str, widths: Sequence[int], **attention: Any) -> dict[str, Any]:
    """The perceptrons of mnist_generalisation, and attention in a setting of its own."""
    perceptrons = scaled_mnist.PRESETS[name]
    return {**perceptrons, "attention": {**perceptrons["setting"], **attention, "widths": widths}}


PRESETS = {
    "smoke": preset("smoke", [8, 16], radii=[0.05]),
    "laptop": preset(
        "laptop",
        [16, 32, 64, 96],
        samples=1000,
        validation=1000,
        batch_size=50,
        radii=[0.02, 0.05, 0.1, 0.2],
    ),
    "paper": preset("paper", [32, 64, 128, 256, 512]),
}


def runs(parameters: Mapping[str, Any]) -> list[Run]:
    """Those of mnist_generalisation, the same without weight decay, attention of every width."""
    without = {**parameters["setting"], "weight_decay": 0.0}
    attention = dict(parameters["attention"])
    widths = attention.pop("widths")
    data = AttentionMnist(**attention).data()
    print_of_data = fingerprint(*data.training, *data.validation, *data.test)
    return [
        *scaled_mnist.runs(parameters),
        *scaled_mnist.runs({**parameters, "setting": without}),
        *(
            Run(
                {**attention, "network": scaled_mnist.ATTENTION, "width": width},
                seed,
                print_of_data,
            )
            for width in widths
            for seed in parameters["seeds"]
        ),
    ]


def table(parameters: Mapping[str, Any], records: Sequence[Record]) -> list[Row]:
    """One row for each network, size, method and chosen epoch; scores are error rates in %."""
    return [
        row
        for setting, group in comparisons.by_setting(records)
        for row in comparisons.gain_rows(
            group,
            100,
            network=setting.get("network", scaled_mnist.PERCEPTRON),
            weight_decay=setting.get("weight_decay", REFERENCE_DECAY),
        )
    ]


def draw(rows: Sequence[Row]) -> Figure:
    """One column for each way to break the trend: accuracies above, improvements below."""
    fig = Figure(figsize=(style.PAGE, 4.4), layout="constrained")
    grid = fig.subplots(2, 3, sharex="col")
    for left, middle, _ in grid:  # attention is on another level
        middle.sharey(left)
    reference = (scaled_mnist.PERCEPTRON, REFERENCE_DECAY, "best")
    columns = (
        ("no weight decay", (scaled_mnist.PERCEPTRON, 0.0, "best"), reference),
        ("last epoch", (scaled_mnist.PERCEPTRON, REFERENCE_DECAY, "last"), reference),
        ("attention over patches", (scaled_mnist.ATTENTION, REFERENCE_DECAY, "best"), None),
    )
    for index, (title, case, beside) in enumerate(columns):
        above, below = grid[:, index]
        for chosen, grey in ((beside, True), (case, False)):
            if chosen is not None:
                draw_case(above, below, select(rows, *chosen), grey)
        below.axhline(0, color=comparisons.METHODS[SGD.name].color, lw=0.8)
        below.set_xlabel("number of parameters")
        for row, axes in enumerate((above, below)):
            style.panel_title(axes, 3 * row + index, title if row == 0 else "improvement by SAM")
    for axes in (grid[0, 0], grid[0, 2]):
        drawing.clip_percent(axes)
    grid[0, 0].set_ylabel("test accuracy (%)")
    grid[1, 0].set_ylabel("improvement (points)")
    handles, labels = grid[0, 0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return fig


def select(rows: Sequence[Row], network: str, decay: float, epoch: str) -> list[Row]:
    """The rows of one curve in every method."""
    wanted = (network, decay, epoch)
    return [row for row in rows if (row["network"], row["weight_decay"], row["epoch"]) == wanted]


def draw_case(above: Axes, below: Axes, rows: Sequence[Row], grey: bool) -> None:
    """Accuracies of SGD and tuned SAM, and the improvement; the reference thin and grey."""
    for axes in (above, below):
        drawing.name_ticks(axes.xaxis, [row["parameters"] for row in rows], drawing.human)
    for place, method in ((-1 - grey, SGD.name), (2 - grey, comparisons.TUNED)):
        look, label = comparisons.METHODS[method], method
        if grey:
            look = replace(look, color="#A6A6A6", linestyle=(0, (3, 1.5)))
            label = f"{method} (reference)"
        part = [row for row in rows if row["method"] == method]
        arguments = ("parameters", "score", look, label)
        drawing.draw_curve(above, part, *arguments, scaled_mnist.accuracy, dodge=place)
        if method != SGD.name:
            drawing.draw_curve(below, part, "parameters", "gain", look, label, dodge=-grey)


RECIPE = Recipe(
    name="failures",
    title="Where the trend may break: without weight decay, at the last epoch, with attention",
    caption=CAPTION,
    presets=PRESETS,
    runs=runs,
    compute=scaled_mnist.compute,
    table=table,
    draw=draw,
    family=scaled_mnist.FAMILY,
    on_gpu=True,
)
