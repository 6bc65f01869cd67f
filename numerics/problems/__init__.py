"""Problems whose constants are known: finite sums that interpolate."""

from numerics.problems.base import FiniteSum, LossCurve
from numerics.problems.least_squares import LeastSquares

__all__ = ["FiniteSum", "LeastSquares", "LossCurve"]
