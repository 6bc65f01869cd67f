"""Searches for counterexamples: floats propose an instance, the kernel of `theory` decides."""

from numerics.counterexamples.certify import Certified, certify
from numerics.counterexamples.dynamics import Recursion, scene
from numerics.counterexamples.stability_ratio import RatioSearch, largest_ratio
from numerics.counterexamples.uphill_radius import UphillRadius, smallest_uphill_radius

__all__ = [
    "Certified",
    "RatioSearch",
    "Recursion",
    "UphillRadius",
    "certify",
    "largest_ratio",
    "scene",
    "smallest_uphill_radius",
]
