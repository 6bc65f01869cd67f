"""The empirical claims of the paper behind this toolkit, and the statistic that decides each.

The claims are those of the abstract of arXiv 2311.17539 (version 5), in our words.  A statistic
turns the table of a figure into one number for every seed: whatever it compares (algorithms, sizes,
settings) it compares within seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from numerics.networks.regression_1d import FULL_SAM
from numerics.statistics import slopes
from paper_figures.families.comparisons import FIXED, TUNED
from paper_figures.tables import Row, Value, from_one_field
from theory import GD, SAM, SGD

__all__ = ["CLAIMS", "Claim"]

Statistic: TypeAlias = Callable[[Sequence[Row]], np.ndarray]


@dataclass(frozen=True)
class Claim:
    """A claim and the statistic that decides it.

    Attributes:
        sentence: the claim of the abstract.
        figure: whose table decides.
        statistic: what is computed, in words.
        of_seeds: the rows of the table -> one number for every seed.
        sign: 1 if numbers above `null` support the claim, -1 if those below do.
        null: the number that means no effect.
        value: the number that the claim gives the effect, if it gives one.
    """

    sentence: str
    figure: str
    statistic: str
    of_seeds: Statistic
    sign: int = 1
    null: float = 0.0
    value: float | None = None


def select(rows: Sequence[Row], **where: Value) -> list[Row]:
    """The rows with these values, at least one.

    Raises:
        ValueError: if there is none, or the table lacks a column.
    """
    absent = [name for name in where if name not in rows[0]]
    found = [] if absent else [r for r in rows if all(r[name] == v for name, v in where.items())]
    if not found:
        raise ValueError(f"its table has no row with {where}: build it again")
    return found


def by_size(rows: Sequence[Row], column: str, size: str = "parameters") -> dict[Any, np.ndarray]:
    """Size -> numbers of the seeds, in the order of the sizes."""
    if column not in rows[0]:
        raise ValueError(f"its table has no column {column}: build it again")
    if any(row[column] is None for row in rows):
        raise ValueError(f"column {column} is empty, no seed is complete: give more seeds")
    found = {row[size]: np.array(from_one_field(row[column])) for row in rows}
    return dict(sorted(found.items()))


def gains(
    rows: Sequence[Row], epoch: str = "best", method: str = TUNED, **where: Value
) -> dict[Any, np.ndarray]:
    """Number of parameters -> what SAM, by default tuned, gains over SGD in every seed."""
    return by_size(select(rows, method=method, epoch=epoch, **where), "gain_of_seeds")


def slope(numbers: dict[Any, np.ndarray]) -> np.ndarray:
    """The slope of every seed against the decimal logarithm of the size."""
    return slopes(np.log10(list(numbers)), np.stack(list(numbers.values())))


def exponent(numbers: dict[Any, np.ndarray]) -> np.ndarray:
    """The power of the size with which every seed's positive numbers grow."""
    return slope({size: np.log10(values) for size, values in numbers.items()})


def gain_slope(rows: Sequence[Row]) -> np.ndarray:
    """How the gain grows with the size."""
    return slope(gains(rows))


def fixed_gain_slope(rows: Sequence[Row]) -> np.ndarray:
    """How the gain grows with the size if the radius does not."""
    return slope(gains(rows, method=FIXED))


def noise_slope(epoch: str) -> Statistic:
    """How much faster the gain grows with the size under label noise than without."""

    def of_seeds(rows: Sequence[Row]) -> np.ndarray:
        shares = sorted({float(row["label_noise"] or 0) for row in rows})
        clean, *noisy = (slope(gains(rows, epoch, label_noise=share)) for share in shares)
        return np.asarray(np.mean(noisy, axis=0) - clean)

    return of_seeds


def sparse_gain(pruning: str) -> Statistic:
    """How much more a large sparse network gains than a dense one of equal size, on average."""

    def of_seeds(rows: Sequence[Row]) -> np.ndarray:
        sparse, dense = gains(rows, network=pruning), gains(rows, network="dense")
        return np.asarray(np.mean([sparse[size] - dense[size] for size in sparse], axis=0))

    return of_seeds


def decay_slope(rows: Sequence[Row]) -> np.ndarray:
    """How much faster the gain grows with the size with weight decay than without."""
    perceptrons = select(rows, network="perceptron")
    decays = sorted({float(row["weight_decay"] or 0) for row in perceptrons})
    without, with_decay = (slope(gains(perceptrons, weight_decay=decay)) for decay in decays)
    return np.asarray(with_decay - without)


def stopping_slope(rows: Sequence[Row]) -> np.ndarray:
    """How much faster the gain grows with the size with early stopping than without."""
    perceptrons = select(rows, network="perceptron")
    decay = max(float(row["weight_decay"] or 0) for row in perceptrons)
    best, last = (gains(perceptrons, epoch, weight_decay=decay) for epoch in ("best", "last"))
    return np.asarray(slope(best) - slope(last))


def trace_exponent(rows: Sequence[Row]) -> np.ndarray:
    """How the ratio of the traces of the Hessian, SAM to GD, changes with the width."""
    sam, gd = (
        by_size(select(rows, kind="complexity", algorithm=name), "trace_of_seeds", "neurons")
        for name in (FULL_SAM.name, GD.name)
    )
    return exponent({neurons: sam[neurons] / gd[neurons] for neurons in sam})


def radius_exponent(rows: Sequence[Row]) -> np.ndarray:
    """How the best radius changes with the size."""
    return exponent(by_size(select(rows, radius=rows[0]["radius"]), "best_of_seeds"))


def ratio_exponent(quantity: str) -> Statistic:
    """How the ratio of a moment at SAM's minimum to that at SGD's changes with the size."""

    def of_seeds(rows: Sequence[Row]) -> np.ndarray:
        part = select(rows, quantity=quantity, algorithm=SAM.name)
        return exponent(by_size(part, "ratio_of_seeds"))

    return of_seeds


def log_ratio(quantity: str) -> Statistic:
    """Logarithm of a moment at SAM's minimum over that at SGD's."""

    def of_seeds(rows: Sequence[Row]) -> np.ndarray:
        sam, sgd = (
            {row["seed"]: row["value"] for row in select(rows, quantity=quantity, algorithm=name)}
            for name in (SAM.name, SGD.name)
        )
        return np.log([float(sam[seed] or 0) / float(sgd[seed] or 0) for seed in sam])

    return of_seeds


def late_ratio(problem: str) -> Statistic:
    """Decrease of log loss in the second half over that in the quarter before, largest width."""

    def of_seeds(rows: Sequence[Row]) -> np.ndarray:
        part = select(rows, problem=problem, algorithm=SAM.name, step=0)
        return list(by_size(part, "late_ratio_of_seeds").values())[-1]

    return of_seeds


def rate_exponent(problem: str) -> Statistic:
    """How SAM's decrease per step changes with the size."""

    def of_seeds(rows: Sequence[Row]) -> np.ndarray:
        part = select(rows, problem=problem, algorithm=SAM.name, step=0)
        return exponent(by_size(part, "decrease_of_seeds"))

    return of_seeds


BENEFIT = "SAM improves on SGD the more, the more the model is overparameterised, in many domains."
BIAS = "Overparameterisation strengthens SAM's implicit bias."
NOISE = "The effect of overparameterisation is stronger under label noise."
SPARSE = "The effect is stronger in sparse networks."
REGULAR = "It needs enough regularisation."
UNIFORM = "SAM's minima have more uniform Hessian moments than SGD's."
LINEAR = "SAM converges at a linear rate."
FAST = "Overparameterisation makes its convergence much faster."

_PER_DECADE = "improvement by SAM, tuned radius, for each factor of ten in parameters"
_MORE = "how much larger is the improvement for each factor of ten in parameters"
_PROBLEMS = {
    "least_squares": "least squares at the step size of the theorem",
    "factorisation": "matrix factorisation",
    "mnist": "perceptron on MNIST",
}

CLAIMS = (
    Claim(BENEFIT, "mnist_generalisation", f"MNIST: {_PER_DECADE} (points)", gain_slope),
    Claim(
        BENEFIT,
        "mnist_generalisation",
        f"MNIST: {_PER_DECADE.replace('tuned', 'fixed')} (points)",
        fixed_gain_slope,
    ),
    Claim(
        BENEFIT, "teacher_student", f"teacher and student: {_PER_DECADE} (test loss)", gain_slope
    ),
    Claim(BENEFIT, "cifar_resnet", f"CIFAR-10: {_PER_DECADE} (points)", gain_slope),
    Claim(
        BIAS,
        "regression_1d",
        "1-D regression: power of the width in the trace of the Hessian at SAM's end over GD's; "
        "negative if the bias grows",
        trace_exponent,
        sign=-1,
    ),
    Claim(
        BIAS,
        "best_radius",
        "MNIST: power of the number of parameters in the best radius",
        radius_exponent,
    ),
    *(
        Claim(
            BIAS,
            "uniformity_width",
            f"MNIST: power of the number of parameters in {name} at SAM's minimum over SGD's; "
            "negative if the bias grows",
            ratio_exponent(name),
            sign=-1,
        )
        for name in ("a", "s_2", "s_3", "s_4")
    ),
    *(
        Claim(
            NOISE,
            "label_noise",
            f"MNIST, {epoch} epoch: {_MORE} (points) than without noise, mean over the shares",
            noise_slope(epoch),
        )
        for epoch in ("best", "last")
    ),
    *(
        Claim(
            SPARSE,
            "sparsity",
            f"MNIST, {name} pruning: improvement of a large sparse "
            "network beyond that of a dense one with as many parameters (points), mean over sizes",
            sparse_gain(pruning),
        )
        for pruning, name in (("random", "random"), ("snip", "SNIP"))
    ),
    Claim(
        REGULAR, "failures", f"MNIST: {_MORE} (points) with weight decay than without", decay_slope
    ),
    Claim(
        REGULAR,
        "failures",
        f"MNIST: {_MORE} (points) at the best epoch than at the last",
        stopping_slope,
    ),
    *(
        Claim(
            UNIFORM,
            "minima_moments",
            f"MNIST: log of {name} at SAM's minimum over SGD's",
            log_ratio(name),
            sign=-1,
        )
        for name in ("s_2", "s_3", "s_4")
    ),
    *(
        Claim(
            LINEAR,
            "convergence_width",
            f"{title}: decrease of log loss in the second half of the steps over that in the "
            "quarter before; 1 for any power of t, 2^p where log loss falls like t^p",
            late_ratio(problem),
            null=1.0,
            value=2.0,
        )
        for problem, title in _PROBLEMS.items()
    ),
    *(
        Claim(
            FAST,
            "convergence_width",
            f"{title}: power of the number of parameters in SAM's decrease of the loss per step",
            rate_exponent(problem),
        )
        for problem, title in _PROBLEMS.items()
    ),
)
