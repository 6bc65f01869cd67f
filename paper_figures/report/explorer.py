r"""The data of the interactive stability map: minima in the plane, at every batch size.

In the plane the second moment $X_t = E x_t x_t^\top$ of the linearised dynamics has three entries,
so the page can follow it exactly: $X_{t+1} = X_t - 2\eta\,C X_t + \eta^2 D X_t$ with the two
3 x 3 matrices of the step law.  Where the criteria end is computed here and only looked up there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from numerics.hessians import SampleHessians, moments
from numerics.progress import progress
from numerics.stability import (
    StepLaw,
    one_step_threshold,
    step_law,
    theorem_threshold,
    threshold_of,
)
from paper_figures.families.instances import hessians_at
from theory.trusted.algorithms import SAM

__all__ = ["MINIMA", "RADII", "Choice", "explorer_data"]

#: The radii of the slider, in units of 1 / sharpness.
RADII = tuple(k / 20 for k in range(31))
#: The theorem whose bound is the edge of the mean dynamics.
EDGE = "sam-stability-sharpness"


@dataclass(frozen=True)
class Choice:
    """A minimum that can be chosen: a title, and the Hessians of its samples in the plane."""

    title: str
    hessians: Callable[[], SampleHessians]


def _gaussian(samples: int = 8, seed: int = 0) -> SampleHessians:
    """Least squares with Gaussian rows: rank-one Hessians."""
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(samples, 2, generator=generator, dtype=torch.float64)
    return SampleHessians.from_rank_one(rows)


MINIMA = (
    Choice("Least squares: eight Gaussian samples in the plane", _gaussian),
    Choice(
        "Counterexample: stable although one step can grow",
        lambda: hessians_at("sam-stability-one-step-necessary"),
    ),
    Choice(
        "Counterexample: stable although s₂ > 1/η",
        lambda: hessians_at("sgd-stability-s2-published"),
    ),
)


def explorer_data(
    minima: Sequence[Choice] = MINIMA, radii: Sequence[float] = RADII
) -> dict[str, Any]:
    """JSON data: for every minimum, batch size and radius the criteria and the step's moments.

    Args:
        minima: in the plane.
        radii: in units of 1 / sharpness.

    Raises:
        ValueError: if a minimum does not have two dimensions, or as `step_law`.
    """
    return {"radii": list(radii), "minima": [_minimum(each, radii) for each in minima]}


def _minimum(minimum: Choice, radii: Sequence[float]) -> dict[str, Any]:
    hessians = minimum.hessians()
    sharpness = moments(hessians, batch_size=1, method="dense").sharpness
    batches = [
        [_at(hessians, radius / sharpness, size, sharpness) for radius in radii]
        for size in progress(range(1, hessians.samples + 1), minimum.title)
    ]
    measured = moments(hessians, batch_size=hessians.samples, method="dense")
    edge = [sharpness / 2 * theorem_threshold((EDGE,), measured, r / sharpness) for r in radii]
    return {
        "title": minimum.title,
        "samples": hessians.samples,
        "sharpness": sharpness,
        "edge": edge,
        "batches": batches,
    }


def _at(hessians: SampleHessians, radius: float, size: int, sharpness: float) -> dict[str, Any]:
    """The criteria at one radius and batch size, step sizes in units of 2 / sharpness."""
    law = step_law(hessians, radius, SAM, batch_size=size)
    if law.dimension != 2:
        raise ValueError(f"a minimum of dimension {law.dimension}: the map is drawn for two")
    exact = threshold_of(law)
    unit = sharpness / 2
    return {
        "exact": unit * exact.value,
        "lower": unit * exact.lower,
        "upper": unit * exact.upper,
        "oneStep": unit * one_step_threshold(law),
        "linear": _matrix(law, law.mean_product, 1 / unit),
        "quadratic": _matrix(law, law.congruence, 1 / unit**2),
    }


def _matrix(
    law: StepLaw, action: Callable[[torch.Tensor], torch.Tensor], unit: float
) -> list[list[float]]:
    r"""The map on symmetric matrices in the orthonormal basis $(X_{11}, \sqrt2 X_{12}, X_{22})$."""
    root, like = 0.5**0.5, law.curvatures
    entries = ([[1.0, 0.0], [0.0, 0.0]], [[0.0, root], [root, 0.0]], [[0.0, 0.0], [0.0, 1.0]])
    basis = [torch.tensor(entry, dtype=like.dtype, device=like.device) for entry in entries]
    images = [unit * action(matrix) for matrix in basis]
    return [[float((row * image).sum()) for image in images] for row in basis]
