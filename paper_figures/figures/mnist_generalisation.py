"""Test accuracy of SGD and SAM, and the improvement, against the number of parameters on MNIST."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from paper_figures.families import comparisons, scaled_mnist
from paper_figures.families.comparisons import FIXED_RADIUS
from paper_figures.recipes import Recipe
from paper_figures.tables import Row

CAPTION = f"""\
Three-layer ReLU perceptrons (hidden widths 300 k and 100 k) on MNIST, trained by SGD and by SAM
(normalised over all parameters, same batch) with momentum 0.9, weight decay 1e-4 and the step size
0.1 divided by ten after each quarter of the epochs. (a) Test accuracy and (b) its improvement over
SGD from the same initial weights and batches, in points, after the epoch that is best on a
validation set: means over seeds with 95% intervals (Student's t; in (b) of the paired differences).
The fixed radius is {FIXED_RADIUS}; the tuned one is, for each size, the best on average on
the validation set. The test set is read for the chosen epoch and the last one only; the table has
both. Presets differ in the number of training images, epochs and sizes."""


def draw(rows: Sequence[Row]) -> Figure:
    """Accuracies on the left, improvements on the right."""
    labels = ("test accuracy (%)", "improvement over SGD (points)")
    return comparisons.draw_gains(rows, *labels, scaled_mnist.accuracy)


RECIPE = Recipe(
    name="mnist_generalisation",
    title="Test accuracy of SGD and SAM against the number of parameters, MNIST",
    caption=CAPTION,
    presets=scaled_mnist.PRESETS,
    runs=scaled_mnist.runs,
    compute=scaled_mnist.compute,
    table=scaled_mnist.table,
    draw=draw,
    family=scaled_mnist.FAMILY,
    on_gpu=True,
)
