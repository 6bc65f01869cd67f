"""Where the trend may break: no weight decay, no early stopping, another architecture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from numerics.data import fingerprint
from numerics.problems.comparisons import Comparison
from numerics.problems.patch_attention import AttentionMnist
from numerics.problems.scaled_mnist import ScaledMnist
from paper_figures import style
from paper_figures.figures import _comparisons as shared
from paper_figures.figures.label_noise import accuracy
from paper_figures.recipes import Recipe
from paper_figures.runs import Record, Run
from paper_figures.tables import Row
from theory import SGD

CAPTION = """\
Test accuracy of SGD and of SAM with its tuned radius (above) and the improvement by SAM (below)
against the number of parameters on MNIST, where the published trend is known to break or might.
(a, d) Three-layer ReLU perceptrons without weight decay, after the epoch that is best on a
validation set. (b, e) The same with weight decay 1e-4, but after the last epoch instead of the best
one. (c, f) One head of softmax attention over 7 x 7 patches, mean pooling and a linear readout, of
growing width, weight decay 1e-4, best epoch. Grey, in (a, d) and (b, e): the reference, with weight
decay and at the best epoch. SAM is normalised over all parameters and ascends on the same batch;
momentum 0.9, step size 0.1 divided by ten after each quarter of the epochs; the radius is, for each
setting, the best on average on the validation set. Means over seeds with 95% intervals (Student's
t; below of differences paired by seed)."""

PERCEPTRON, ATTENTION = "perceptron", "attention"
REFERENCE_DECAY = 1e-4

PRESETS: dict[str, dict[str, Any]] = {
    "smoke": {
        "setting": {**shared.MNIST["smoke"], "radii": [0.05]},
        "weight_decays": [REFERENCE_DECAY, 0.0],
        "scales": [0.1, 0.25],
        "widths": [8, 16],
        "seeds": shared.SEEDS["smoke"],
    },
    "laptop": {
        "setting": {
            "samples": 1000,
            "validation": 1000,
            "epochs": 40,
            "batch_size": 50,
            "radii": [0.02, 0.05, 0.1],
        },
        "weight_decays": [REFERENCE_DECAY, 0.0],
        "scales": [0.1, 0.25, 0.5, 1],
        "widths": [16, 32, 64, 96],
        "seeds": shared.SEEDS["laptop"],
    },
    "paper": {
        "setting": shared.MNIST["paper"],
        "weight_decays": [REFERENCE_DECAY, 0.0],
        "scales": [0.25, 0.5, 1, 4, 10],
        "widths": [32, 64, 128, 256, 512],
        "seeds": shared.SEEDS["paper"],
    },
}


def runs(parameters: Mapping[str, Any]) -> list[Run]:
    """Perceptrons at every weight decay and scale, and attention at every width, over the seeds."""
    setting = parameters["setting"]
    data = ScaledMnist(**setting).data()
    print_of_data = fingerprint(*data.training, *data.validation, *data.test)
    networks = [
        {"network": PERCEPTRON, "weight_decay": decay, "scale": scale}
        for decay in parameters["weight_decays"]
        for scale in parameters["scales"]
    ]
    networks += [
        {"network": ATTENTION, "weight_decay": REFERENCE_DECAY, "width": width}
        for width in parameters["widths"]
    ]
    return [
        Run({**setting, **network}, seed, print_of_data)
        for network in networks
        for seed in parameters["seeds"]
    ]


def compute(run: Run) -> dict[str, Any]:
    """Train the members of one seed; error rates between 0 and 1."""
    setting = dict(run.parameters)
    kinds: dict[str, type[Comparison]] = {PERCEPTRON: ScaledMnist, ATTENTION: AttentionMnist}
    return kinds[setting.pop("network")](**setting).outcome(run.seed)


def table(parameters: Mapping[str, Any], records: Sequence[Record]) -> list[Row]:
    """One row for each network, size, method and chosen epoch; scores are error rates in %."""
    columns = ("network", "weight_decay")
    return [
        row
        for setting, group in shared.by_setting(records)
        for row in shared.gain_rows(group, 100, **{name: setting[name] for name in columns})
    ]


def draw(rows: Sequence[Row]) -> Figure:
    """One column for each way to break the trend: accuracies above, improvements below."""
    fig = Figure(figsize=(style.PAGE, 4.4), layout="constrained")
    grid = fig.subplots(2, 3, sharex="col", sharey="row")
    reference = (PERCEPTRON, REFERENCE_DECAY, "best")
    columns = (
        ("no weight decay", (PERCEPTRON, 0.0, "best"), reference),
        ("last epoch", (PERCEPTRON, REFERENCE_DECAY, "last"), reference),
        ("attention over patches", (ATTENTION, REFERENCE_DECAY, "best"), None),
    )
    for index, (title, case, beside) in enumerate(columns):
        above, below = grid[:, index]
        for chosen, grey in ((beside, True), (case, False)):
            if chosen is not None:
                draw_case(above, below, select(rows, *chosen), grey)
        below.axhline(0, color=shared.METHODS[SGD.name].color, lw=0.8)
        below.set_xlabel("number of parameters")
        for row, axes in enumerate((above, below)):
            style.panel_title(axes, 3 * row + index, title if row == 0 else "improvement by SAM")
    shared.clip_percent(grid[0, 0])
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
        shared.name_ticks(axes.xaxis, [row["parameters"] for row in rows], shared.human)
    for place, method in ((-1 - grey, SGD.name), (2 - grey, shared.TUNED)):
        look, label = shared.METHODS[method], method
        if grey:
            look = replace(look, color="#A6A6A6", linestyle=(0, (3, 1.5)))
            label = f"{method} (reference)"
        part = [row for row in rows if row["method"] == method]
        arguments = ("parameters", "score", look, label)
        shared.draw_curve(above, part, *arguments, accuracy, dodge=place)
        if method != SGD.name:
            shared.draw_curve(below, part, "parameters", "gain", look, label, dodge=-grey)


RECIPE = Recipe(
    name="failures",
    title="Where the trend may break: without weight decay, at the last epoch, with attention",
    caption=CAPTION,
    presets=PRESETS,
    runs=runs,
    compute=compute,
    table=table,
    draw=draw,
)
