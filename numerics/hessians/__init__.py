"""Exact Hessians of training losses, of every sample, and their moments."""

from numerics.hessians.densities import (
    SampledValue,
    SpectralDensity,
    spectral_density,
    trace,
)
from numerics.hessians.enclosures import EnclosedMoments, Enclosure, enclosed_moments
from numerics.hessians.losses import CROSS_ENTROPY, SQUARE_LOSS, CrossEntropy, SquareLoss
from numerics.hessians.models import exact, layer_blocks, operator, per_sample
from numerics.hessians.moments import Moments, moments
from numerics.hessians.objectives import Objective
from numerics.hessians.operators import HessianOperator
from numerics.hessians.samples import SampleHessians
from numerics.hessians.sampling import SampledMaximum, SampledMoments, sampled_moments
from numerics.hessians.sharding import ShardedHessians, sharded_operator
from numerics.hessians.spectra import Estimate
from numerics.hessians.steps import (
    MeanSquareRadius,
    mean_square_map,
    mean_square_radius,
    step_mean_extremes,
    step_polynomial,
    step_second_moment,
)

__all__ = [
    "CROSS_ENTROPY",
    "SQUARE_LOSS",
    "CrossEntropy",
    "EnclosedMoments",
    "Enclosure",
    "Estimate",
    "HessianOperator",
    "MeanSquareRadius",
    "Moments",
    "Objective",
    "SampleHessians",
    "SampledMaximum",
    "SampledMoments",
    "SampledValue",
    "ShardedHessians",
    "SpectralDensity",
    "SquareLoss",
    "enclosed_moments",
    "exact",
    "layer_blocks",
    "mean_square_map",
    "mean_square_radius",
    "moments",
    "operator",
    "per_sample",
    "sampled_moments",
    "sharded_operator",
    "spectral_density",
    "step_mean_extremes",
    "step_polynomial",
    "step_second_moment",
    "trace",
]
