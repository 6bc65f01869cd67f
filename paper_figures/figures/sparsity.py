"""Large sparse networks beside small dense ones with as many parameters, under SGD and SAM."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from numerics.data.mnist import fingerprint
from numerics.networks.sparse_mnist import SparseMnist
from numerics.statistics import mean_interval
from paper_figures import style
from paper_figures.families import comparisons, drawing, scaled_mnist
from paper_figures.recipes import Recipe
from paper_figures.runs import Record, Run, seed_of
from paper_figures.tables import Row
from theory import SGD

CAPTION = """\
Three-layer ReLU perceptrons on MNIST (hidden widths 300 k and 100 k): small dense ones, and the
largest one pruned before training to exactly as many parameters, at random (the same share of each
layer) or by SNIP (the highest |weight x gradient| on one batch of 128, over all layers; biases are
kept). Below each number of parameters: the sparsity. Test accuracy after the epoch that is best on
a validation set, by (a) SGD and (b) SAM (normalised over the remaining parameters, same batch, the
radius that is best on average on the validation set); momentum 0.9, weight decay 1e-4, step size
0.1 divided by ten after each quarter of the epochs. (c) Improvement by SAM from the same initial
weights and batches. (d) How much more the sparse network improves than the dense one. Means over
seeds with 95% intervals (Student's t; in (c) and (d) of differences paired by seed). The presets
`smoke` and `laptop` differ from `paper`, the published setting: images are averaged to 14 x 14
pixels, so that small dense networks still have layers of ten units and more, and each pruned layer
is scaled back to its Frobenius norm, without which short trainings of 99% sparse networks end on
the first plateau. The table has the last epoch, too, and the share of its weights that the most
pruned layer keeps."""

DENSE, RANDOM, SNIP = "dense", "random", "snip"
LOOKS = {
    DENSE: style.Look("#000000", "o", "-"),
    RANDOM: style.Look("#E69F00", "s", "-"),
    SNIP: style.Look("#CC79A7", "^", "-"),
}
LABELS = {DENSE: "small, dense", RANDOM: "large, pruned at random", SNIP: "large, pruned by SNIP"}

#: Dense sizes k; the largest is also the one that is pruned to the parameters of each other.
PRESETS: dict[str, dict[str, Any]] = {
    "smoke": {
        "setting": {**scaled_mnist.SETTINGS["smoke"], "radii": [0.05], "pool": 2},
        "scales": [0.1, 0.25, 1],
        "seeds": scaled_mnist.SEEDS["smoke"],
    },
    "laptop": {
        "setting": {
            "samples": 1000,
            "validation": 1000,
            "epochs": 30,
            "batch_size": 50,
            "radii": [0.01, 0.02, 0.05, 0.1, 0.2],
            "pool": 2,
        },
        "scales": [0.08, 0.25, 0.75, 3],
        "seeds": scaled_mnist.SEEDS["laptop"],
    },
    "paper": {
        "setting": {**scaled_mnist.SETTINGS["paper"], "rescaled": False},
        "scales": [0.22, 0.5, 1, 2, 4, 10],
        "seeds": scaled_mnist.SEEDS["paper"],
    },
}


def runs(parameters: Mapping[str, Any]) -> list[Run]:
    """For each size the dense network and the two sparse ones, over the seeds."""
    setting, scales = parameters["setting"], parameters["scales"]
    data = SparseMnist(**setting).data()
    print_of_data = fingerprint(*data.training, *data.validation, *data.test)
    networks: list[dict[str, Any]] = []
    for scale in scales:
        networks.append({"scale": scale})
        if scale != max(scales):
            pruned = {"scale": max(scales), "remaining": SparseMnist(**setting, scale=scale).size}
            networks += [{**pruned, "pruning": method} for method in (RANDOM, SNIP)]
    return [
        Run({**setting, **network}, seed, print_of_data)
        for network in networks
        for seed in parameters["seeds"]
    ]


def compute(run: Run) -> dict[str, Any]:
    """Train the members of one seed; error rates between 0 and 1."""
    return SparseMnist(**run.parameters).outcome(seed_of(run), run.device)


def table(parameters: Mapping[str, Any], records: Sequence[Record]) -> list[Row]:
    """One row for each network, method and chosen epoch; scores are error rates in %."""
    groups = comparisons.by_setting(records)
    dense = {g[0].result["size"]: g for setting, g in groups if "pruning" not in setting}
    rows: list[Row] = []
    for setting, group in groups:
        size, network = group[0].result["size"], setting.get("pruning", DENSE)
        kept = [min(record.result["kept"].values(), default=1.0) for record in group]
        named: Row = {
            "network": network,
            "sparsity": 0.0 if network == DENSE else 1 - size / max(dense),
            "least_kept_in_a_layer": float(np.mean(kept)),
        }
        for row in comparisons.gain_rows(group, 100, **named):
            compared = network != DENSE and row["gain"] is not None
            rows.append({**row, **(extra_gain(group, dense[size], row) if compared else NO_EXTRA)})
    return rows


NO_EXTRA: Row = dict.fromkeys(("extra_gain", "extra_gain_low", "extra_gain_high"))


def extra_gain(sparse: Sequence[Record], dense: Sequence[Record], row: Row) -> Row:
    """How much more a method gains over SGD on the sparse network, paired by seed."""
    method, epoch = str(row["method"]), f"test_{row['epoch']}"
    gains = []
    for records in (sparse, dense):
        member = comparisons.chosen_members(records)[method]
        gains.append(
            comparisons.column(records, 0, epoch) - comparisons.column(records, member, epoch)
        )
    found = mean_interval(100 * (gains[0] - gains[1]))
    return dict(zip(NO_EXTRA, (found.mean, found.low, found.high), strict=True))


def draw(rows: Sequence[Row]) -> Figure:
    """Accuracies above; improvements, and how much more the sparse networks improve, below."""
    fig = Figure(figsize=(style.PAGE, 5.0), layout="constrained")
    grid = fig.subplots(2, 2, sharex=True)
    grid[0, 1].sharey(grid[0, 0])
    panels = (
        (SGD.name, "score", "test accuracy (%)", "SGD"),
        (comparisons.TUNED, "score", "test accuracy (%)", "SAM, tuned radius"),
        (comparisons.TUNED, "gain", "points", "improvement by SAM"),
        (comparisons.TUNED, "extra_gain", "points", "improvement, sparse minus dense"),
    )
    for index, (axes, panel) in enumerate(zip(grid.flat, panels, strict=True)):
        method, quantity, label, title = panel
        draw_panel(axes, [row for row in rows if row["method"] == method], quantity)
        axes.set_ylabel(label)
        style.panel_title(axes, index, title)
    drawing.clip_percent(grid[0, 0])
    for axes in grid[1]:
        axes.axhline(0, color=comparisons.METHODS[SGD.name].color, lw=0.8)
        axes.set_xlabel("remaining parameters, sparsity of the large network")
    names = grid[0, 0].get_legend_handles_labels()
    fig.legend(*names, loc="outside lower center", ncols=len(LOOKS))
    return fig


def draw_panel(axes: Axes, rows: Sequence[Row], quantity: str) -> None:
    """One quantity of one method at the best epoch, a curve for each way to have few parameters."""
    drawing.name_ticks(axes.xaxis, [row["parameters"] for row in rows], namer(rows))
    for place, (network, look) in enumerate(LOOKS.items(), start=-1):
        curve = [row for row in rows if (row["network"], row["epoch"]) == (network, "best")]
        if curve[0][quantity] is not None:
            arguments = (axes, curve, "parameters", quantity, look, LABELS[network])
            transform = scaled_mnist.accuracy if quantity == "score" else np.asarray
            drawing.draw_curve(*arguments, transform, dodge=place)


def namer(rows: Sequence[Row]) -> Callable[[float], str]:
    """A number of parameters, and below it the sparsity of the large network there."""
    sparsity = {row["parameters"]: row["sparsity"] for row in rows if row["network"] != DENSE}

    def name(size: float) -> str:
        below = f"{100 * sparsity[size]:.3g}%" if size in sparsity else ""
        return f"{drawing.human(size)}\n{below}"

    return name


RECIPE = Recipe(
    name="sparsity",
    title="Large sparse against small dense networks at equal numbers of parameters, SGD and SAM",
    caption=CAPTION,
    presets=PRESETS,
    runs=runs,
    compute=compute,
    table=table,
    draw=draw,
    on_gpu=True,
)
