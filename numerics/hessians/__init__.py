"""Exact Hessians of training losses, of every sample, and their moments."""

from numerics.hessians.losses import CROSS_ENTROPY, SQUARE_LOSS, CrossEntropy, SquareLoss
from numerics.hessians.models import exact, per_sample
from numerics.hessians.moments import Moments, moments
from numerics.hessians.samples import SampleHessians
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
    "Estimate",
    "MeanSquareRadius",
    "Moments",
    "SampleHessians",
    "SquareLoss",
    "exact",
    "mean_square_map",
    "mean_square_radius",
    "moments",
    "per_sample",
    "step_mean_extremes",
    "step_polynomial",
    "step_second_moment",
]
