"""Test accuracy of SGD and SAM, and the improvement, against the number of parameters on MNIST."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from numerics.data.mnist import fingerprint
from numerics.networks.patch_attention import AttentionMnist
from numerics.networks.scaled_mnist import MnistComparison, ScaledMnist
from paper_figures.families import comparisons as shared
from paper_figures.recipes import Recipe
from paper_figures.runs import Record, Run
from paper_figures.tables import Row

CAPTION = f"""\
Three-layer ReLU perceptrons (hidden widths 300 k and 100 k) on MNIST, trained by SGD and by SAM
(normalised over all parameters, same batch) with momentum 0.9, weight decay 1e-4 and the step size
0.1 divided by ten after each quarter of the epochs. (a) Test accuracy and (b) its improvement over
SGD from the same initial weights and batches, in points, after the epoch that is best on a
validation set: means over seeds with 95% intervals (Student's t; in (b) of the paired differences).
The fixed radius is {shared.FIXED_RADIUS}; the tuned one is, for each size, the best on average on
the validation set. The test set is read for the chosen epoch and the last one only; the table has
both. Presets differ in the number of training images, epochs and sizes."""

PERCEPTRON, ATTENTION = "perceptron", "attention"
NETWORKS: dict[str, type[MnistComparison]] = {PERCEPTRON: ScaledMnist, ATTENTION: AttentionMnist}

PRESETS = {
    name: {"setting": setting, "scales": scales, "noise": [0.0], "seeds": shared.SEEDS[name]}
    for (name, setting), scales in zip(
        shared.MNIST.items(),
        ([0.25, 0.5], [0.25, 0.5, 1, 2], [0.25, 0.5, 1, 4, 10]),
        strict=True,
    )
}


def runs(parameters: Mapping[str, Any]) -> list[Run]:
    """One run for each label noise, scale and seed: it trains SGD and every radius."""
    wanted = []
    for noise in parameters["noise"]:
        data = ScaledMnist(**parameters["setting"], label_noise=noise).data()
        print_of_data = fingerprint(*data.training, *data.validation, *data.test)
        wanted += [
            Run(
                {**parameters["setting"], "scale": scale, "label_noise": noise}, seed, print_of_data
            )
            for scale in parameters["scales"]
            for seed in parameters["seeds"]
        ]
    return wanted


def compute(run: Run) -> dict[str, Any]:
    """Train the members of one seed; error rates between 0 and 1."""
    setting = dict(run.parameters)
    return NETWORKS[setting.pop("network", PERCEPTRON)](**setting).outcome(run.seed, run.device)


def table(parameters: Mapping[str, Any], records: Sequence[Record]) -> list[Row]:
    """One row for each label noise, scale, method and chosen epoch; scores are error rates in %."""
    return [
        row
        for setting, group in shared.by_setting(records)
        for row in shared.gain_rows(
            group, 100, label_noise=setting["label_noise"], scale=setting["scale"]
        )
    ]


def draw(rows: Sequence[Row]) -> Figure:
    """Accuracies on the left, improvements on the right."""
    labels = ("test accuracy (%)", "improvement over SGD (points)")
    return shared.draw_gains(rows, *labels, lambda error: 100 - error)


RECIPE = Recipe(
    name="mnist_generalisation",
    title="Test accuracy of SGD and SAM against the number of parameters, MNIST",
    caption=CAPTION,
    presets=PRESETS,
    runs=runs,
    compute=compute,
    table=table,
    draw=draw,
    family="scaled_mnist",
    on_gpu=True,
)
