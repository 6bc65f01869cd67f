"""Test accuracy of SGD and SAM against the number of parameters on CIFAR-10, ResNet-18."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from numerics.data.mnist import fingerprint
from numerics.networks.cifar_resnet import CifarResNet
from paper_figures.families import comparisons, drawing
from paper_figures.families.comparisons import FIXED_RADIUS
from paper_figures.recipes import Recipe
from paper_figures.runs import Record, Run, seed_of
from paper_figures.tables import Row

CAPTION = f"""\
ResNet-18 with k filters in its first stage on CIFAR-10, trained by SGD and by SAM (normalised over
all parameters, same batch; running statistics from the unperturbed pass) with momentum 0.9, weight
decay 5e-4, random shifts and mirror images, and the step size 0.1 divided by ten after half and
three quarters of the epochs. (a) Test accuracy and (b) its improvement over SGD from the same
initial weights, batches and augmentations, in points, after the epoch that is best on a validation
set: means over seeds with 95% intervals (Student's t; in (b) of the paired differences). The fixed
radius is {FIXED_RADIUS}; the tuned one is, for each size, the best on average on the
validation set. Presets differ in the number of training images, epochs and sizes."""


def preset(seeds: int, filters: Sequence[int], **setting: Any) -> dict[str, Any]:
    """The setting of the preset with these sizes."""
    return {"setting": setting, "filters": list(filters), "seeds": list(range(seeds))}


TINY = {"samples": 60, "validation": 50, "test": 100, "epochs": 2, "batch_size": 30}
PART = {"samples": 1000, "validation": 1000, "test": 2000, "epochs": 8}
PRESETS = {
    "smoke": preset(2, (2, 4), **TINY, radii=[0.05, 0.1]),
    "laptop": preset(3, (4, 8), **PART, radii=[0.05, 0.1]),
    "paper": preset(5, (4, 8, 16, 32, 64, 128, 256), radii=[0.01, 0.02, 0.05, 0.1, 0.2]),
}


def runs(parameters: Mapping[str, Any]) -> list[Run]:
    """One run for each number of filters and seed: it trains SGD and every radius."""
    data = CifarResNet(**parameters["setting"]).data()
    print_of_data = fingerprint(*data.training, *data.validation, *data.test)
    return [
        Run({**parameters["setting"], "filters": filters}, seed, print_of_data)
        for filters in parameters["filters"]
        for seed in parameters["seeds"]
    ]


def compute(run: Run) -> dict[str, Any]:
    """Train the members of one seed; error rates between 0 and 1."""
    return CifarResNet(**run.parameters).outcome(seed_of(run), run.device)


def table(parameters: Mapping[str, Any], records: Sequence[Record]) -> list[Row]:
    """One row for each number of filters, method and chosen epoch; scores are error rates in %."""
    return [
        row
        for setting, group in comparisons.by_setting(records)
        for row in comparisons.gain_rows(group, 100, filters=setting["filters"])
    ]


def draw(rows: Sequence[Row]) -> Figure:
    """Accuracies on the left, improvements on the right."""
    labels = ("test accuracy (%)", "improvement over SGD (points)")
    fig = comparisons.draw_gains(rows, *labels, lambda error: 100 - error)
    drawing.clip_percent(fig.axes[0])
    return fig


RECIPE = Recipe(
    name="cifar_resnet",
    title="Test accuracy of SGD and SAM against the number of parameters, CIFAR-10",
    caption=CAPTION,
    presets=PRESETS,
    runs=runs,
    compute=compute,
    table=table,
    draw=draw,
    on_gpu=True,
)
