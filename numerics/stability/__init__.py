"""Mean-square stability of minima: the exact threshold, its bounds, and simulation beside them."""

from numerics.stability.bounds import (
    Directional,
    directional_threshold,
    mean_sharpness,
    one_step_threshold,
    theorem_threshold,
)
from numerics.stability.laws import StepLaw, step_law
from numerics.stability.maps import Boundaries, StabilityMap, boundaries, stability_map
from numerics.stability.threshold import StabilityThreshold, stability_threshold, threshold_of

__all__ = [
    "Boundaries",
    "Directional",
    "StabilityMap",
    "StabilityThreshold",
    "StepLaw",
    "boundaries",
    "directional_threshold",
    "mean_sharpness",
    "one_step_threshold",
    "stability_map",
    "stability_threshold",
    "step_law",
    "theorem_threshold",
    "threshold_of",
]
