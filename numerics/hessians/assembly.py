r"""Sums over samples of Kronecker products, as matrix products that respect both symmetries.

A block of a network's Hessian is $\sum_i S_i \otimes (x_i y_i^\top)$ with $S_i$ in the outputs of
two layers and $x_i, y_i$ their inputs.  Read as a matrix with rows (j, k) and columns (p, q) it is
one product of the samples' $S_i[j, k]$ with the samples' $x_i[p]\,y_i[q]$.  On the diagonal S and
$xx^\top$ are symmetric, and only a quarter of the entries has to be multiplied.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

__all__ = [
    "BUDGET",
    "add_diagonal",
    "add_products",
    "add_symmetric",
    "balanced_slices",
    "slices",
    "symmetrize_",
]

BUDGET = 2**24
"""Numbers in one temporary (128 MiB in float64)."""

_PIECE = 2**20
"""Numbers in one product before it is added: small enough to stay in a cache and be reused."""

_BLOCKS = 8
"""Blocks per symmetric axis: 1/8 more products than needed, in matrices still worth a GEMM."""

_TILE = 512


def slices(length: int, size: int) -> Iterator[slice]:
    """Consecutive slices of at most `size` (and at least 1) that cover `length`."""
    for start in range(0, length, max(1, size)):
        yield slice(start, min(length, start + max(1, size)))


def balanced_slices(length: int, most: int) -> Iterator[slice]:
    """The same with the fewest slices that `most` allows, all of nearly one size."""
    pieces = -(-length // max(1, most))
    return slices(length, -(-length // pieces))


def add_products(target: Tensor, cores: Tensor, left: Tensor, right: Tensor) -> None:
    r"""Add $\sum_i S_i[j, k]\, x_i[p]\, y_i[q]$ to `target[j, p, k, q]`, in place.

    Args:
        target: any view of shape (J, P, K, Q).
        cores: S, shape (n, J, K).
        left: x, shape (n, P).
        right: y, shape (n, Q).
    """
    samples, rows, columns = cores.shape
    width = right.shape[1]
    for p in slices(left.shape[1], 2 * _PIECE // (samples * width)):
        pairs = _pairs(left[:, p], right)
        for j in slices(rows, _PIECE // (columns * pairs.shape[1])):
            product = cores[:, j].flatten(1).T @ pairs
            target[j, p] += product.view(-1, columns, p.stop - p.start, width).transpose(1, 2)


def add_symmetric(target: Tensor, cores: Tensor, factor: Tensor) -> None:
    r"""Add $\sum_i S_i[j, k]\, x_i[p]\, x_i[q]$ to `target[j, p, k, q]` where $j \le k$, in place.

    Some entries with $j > k$ are written too: the caller mirrors the upper triangle.

    Args:
        target: any view of shape (J, P, J, P).
        cores: S, symmetric, shape (n, J, J).
        factor: x, shape (n, P).
    """
    samples, rows, _ = cores.shape
    width = factor.shape[1]
    step = min(-(-width // _BLOCKS), 2 * _PIECE // (samples * width))
    for p in slices(width, step):
        pairs = _pairs(factor[:, p], factor[:, p.start :])
        limit = _PIECE // (rows * pairs.shape[1])
        for j in slices(rows, min(-(-rows // _BLOCKS), limit)):
            product = cores[:, j, j.start :].flatten(1).T @ pairs
            block = product.view(j.stop - j.start, rows - j.start, p.stop - p.start, -1)
            target[j, p, j.start :, p.start :] += block.transpose(1, 2)
            beyond = block[..., p.stop - p.start :]
            target[j, p.stop :, j.start :, p] += beyond.permute(0, 3, 1, 2)


def add_diagonal(target: Tensor, cores: Tensor, left: Tensor, right: Tensor) -> None:
    r"""Add $\sum_i s_i[j]\, x_i[p]\, y_i[q]$ to `target[j, p, j, q]`, in place.

    Args:
        target: any view of shape (J, P, J, Q).
        cores: s, shape (n, J).
        left: x, shape (n, P).
        right: y, shape (n, Q).
    """
    width = right.shape[1]
    diagonal = target.diagonal(dim1=0, dim2=2)
    for p in slices(left.shape[1], BUDGET // (len(cores) * width)):
        product = cores.T @ _pairs(left[:, p], right)
        diagonal[p] += product.view(len(product), -1, width).permute(1, 2, 0)


def symmetrize_(matrix: Tensor, *, average: bool = False) -> Tensor:
    """Make a square matrix symmetric in place, tile by tile, and return it.

    Args:
        matrix: shape (d, d).
        average: replace it by its symmetric part; otherwise the upper triangle is copied.
    """
    for rows in slices(len(matrix), _TILE):
        corner = matrix[rows, rows]
        corner.copy_(0.5 * (corner + corner.T) if average else corner.triu() + corner.triu(1).T)
        upper, lower = matrix[rows, rows.stop :], matrix[rows.stop :, rows]
        if average:
            upper.add_(lower.T).mul_(0.5)
        lower.copy_(upper.T)
    return matrix


def _pairs(left: Tensor, right: Tensor) -> Tensor:
    """Products of all pairs of entries, shape (n, P Q)."""
    return torch.einsum("np,nq->npq", left, right).flatten(1)
