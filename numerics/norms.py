"""Norms that neither overflow nor underflow: entries are first scaled by a power of two."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["nonzero_row_norms", "power_of_two", "scaled_norm"]

#: A power of two beyond these is no normal float64; squares of numbers scaled by less stay finite.
_LEAST, _MOST = -1000, 1000


def power_of_two(size: Tensor) -> Tensor:
    r"""$2^k \le$ size $< 2^{k+1}$, k in -1000 ... 1000, as float64; 1 for a size of zero.

    Multiplying and dividing by it is exact, unless a number becomes subnormal.

    Args:
        size: non-negative and finite, any shape.
    """
    size = size.double()
    _, exponent = torch.frexp(size)
    exponent = torch.where(size == 0, 0, exponent - 1).clamp(_LEAST, _MOST)
    return torch.ldexp(torch.ones_like(size), exponent)


def scaled_norm(vector: Tensor) -> float:
    """The Euclidean norm of finite entries of any dtype, accumulated in float64."""
    if vector.numel() == 0:
        return 0.0
    unit = power_of_two(torch.linalg.vector_norm(vector, torch.inf))
    wide = vector.to(torch.promote_types(vector.dtype, torch.float64))
    return float(torch.linalg.vector_norm(wide / unit)) * float(unit)


def nonzero_row_norms(points: Tensor) -> Tensor:
    """Norms of the rows, shape (m, 1), infinite for zero rows: dividing by them then gives zero.

    Args:
        points: shape (m, d).
    """
    norms = torch.linalg.vector_norm(points, dim=1, keepdim=True)
    # the squares of a norm in this range neither overflow nor lose what matters by underflow
    safe = torch.finfo(points.dtype)
    if not bool(((norms > (safe.tiny / safe.eps) ** 0.5) & (norms < torch.inf)).all()):
        largest = torch.linalg.vector_norm(points, torch.inf, dim=1, keepdim=True)
        unit = power_of_two(largest).to(points)
        norms = torch.linalg.vector_norm(points / unit, dim=1, keepdim=True) * unit
        norms = norms.masked_fill(largest == 0, torch.inf)
    return norms
