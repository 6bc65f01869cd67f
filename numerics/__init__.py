"""Measure on real problems what the theorems talk about.

What is used most can be imported from here, and is loaded when it is first asked for: importing
`numerics` alone loads no PyTorch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from numerics import faces

if TYPE_CHECKING:
    from numerics.confrontations.cases import LeastSquaresCase
    from numerics.hessians import (
        CROSS_ENTROPY,
        SQUARE_LOSS,
        CrossEntropy,
        EnclosedMoments,
        HessianOperator,
        Moments,
        Objective,
        SampledMoments,
        SampleHessians,
        SpectralDensity,
        SquareLoss,
        enclosed_moments,
        exact,
        layer_blocks,
        moments,
        operator,
        per_sample,
        sampled_moments,
        sharded_operator,
        spectral_density,
        trace,
    )
    from numerics.problems import LeastSquares
    from numerics.stability import (
        StabilityMap,
        StabilityThreshold,
        mean_sharpness,
        one_step_threshold,
        stability_map,
        stability_threshold,
        step_law,
        theorem_threshold,
    )
    from numerics.stability.laws import joint_range
    from numerics.stability.minima import MnistParity
    from numerics.stability.simulation import linearised_step, mean_square_growth
    from numerics.training.optimizers import SAM
    from numerics.training.to_loss import Member, TrainingRun, train_ensemble

__all__ = [
    "CROSS_ENTROPY",
    "SAM",
    "SQUARE_LOSS",
    "CrossEntropy",
    "EnclosedMoments",
    "HessianOperator",
    "LeastSquares",
    "LeastSquaresCase",
    "Member",
    "MnistParity",
    "Moments",
    "Objective",
    "SampleHessians",
    "SampledMoments",
    "SpectralDensity",
    "SquareLoss",
    "StabilityMap",
    "StabilityThreshold",
    "TrainingRun",
    "enclosed_moments",
    "exact",
    "joint_range",
    "layer_blocks",
    "linearised_step",
    "mean_sharpness",
    "mean_square_growth",
    "moments",
    "one_step_threshold",
    "operator",
    "per_sample",
    "sampled_moments",
    "sharded_operator",
    "spectral_density",
    "stability_map",
    "stability_threshold",
    "step_law",
    "theorem_threshold",
    "trace",
    "train_ensemble",
]

_HOMES = {
    "numerics.confrontations.cases": ("LeastSquaresCase",),
    "numerics.hessians": (
        "CROSS_ENTROPY",
        "SQUARE_LOSS",
        "CrossEntropy",
        "EnclosedMoments",
        "HessianOperator",
        "Moments",
        "Objective",
        "SampleHessians",
        "SampledMoments",
        "SpectralDensity",
        "SquareLoss",
        "enclosed_moments",
        "exact",
        "layer_blocks",
        "moments",
        "operator",
        "per_sample",
        "sampled_moments",
        "sharded_operator",
        "spectral_density",
        "trace",
    ),
    "numerics.problems": ("LeastSquares",),
    "numerics.stability": (
        "StabilityMap",
        "StabilityThreshold",
        "mean_sharpness",
        "one_step_threshold",
        "stability_map",
        "stability_threshold",
        "step_law",
        "theorem_threshold",
    ),
    "numerics.stability.laws": ("joint_range",),
    "numerics.stability.minima": ("MnistParity",),
    "numerics.stability.simulation": (
        "linearised_step",
        "mean_square_growth",
    ),
    "numerics.training.optimizers": ("SAM",),
    "numerics.training.to_loss": (
        "Member",
        "TrainingRun",
        "train_ensemble",
    ),
}

__getattr__ = faces.lazily(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
