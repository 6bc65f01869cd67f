r"""Extreme eigenvalues of symmetric matrices, each with a bound on its error."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import scipy.linalg
import scipy.sparse.linalg
import torch
from torch import Tensor

from numerics.checks import check_finite, check_positive
from numerics.norms import power_of_two, scaled_norm

__all__ = ["KRYLOV", "Estimate", "extreme_eigenvalue", "lanczos_eigenpair", "lanczos_eigenvalue"]


KRYLOV = 40
"""Vectors of the first cycle of Lanczos."""

_MOST_VECTORS, _MOST_BYTES = 320, 2**29
"""Of a second cycle, and of the restarts after it."""

_MOST_PRODUCTS = 4_000
"""Of the restarts, all together."""

SAFE = 100
"""Matrices of size $2^{-100}$ to $2^{100}$ have norms that neither over- nor underflow."""

_OPERATIONS = 16
"""Roundings of an entry beside those that grow with the size: powers, weights, sums of samples."""


@dataclass(frozen=True)
class Estimate:
    r"""A number and a bound on its distance from the exact one.

    Attributes:
        value: the number.
        error: bound on the absolute error: the eigenvalue residual plus an allowance for round-off.
    """

    value: float
    error: float

    def __float__(self) -> float:
        return self.value


def extreme_eigenvalue(matrix: Tensor, *, smallest: bool = False, scale: float = 0.0) -> Estimate:
    r"""Largest (or smallest) eigenvalue of a dense symmetric matrix, by LAPACK.

    Args:
        matrix: shape (d, d), float64.
        smallest: which end.
        scale: size of the terms the matrix was formed from, where it is larger than the matrix
            (cancellation); its round-off enters the error.

    Returns:
        $\lambda$ with the residual $\|Av - \lambda v\|$, $\|v\| = 1$, within which an eigenvalue
        lies, plus $(d + 16)\,\epsilon\,\max(\|A\|_F, \text{scale})$ for round-off.

    Raises:
        ValueError: if an entry is NaN or infinite.
    """
    array = check_finite("the matrix", matrix.detach()).cpu().numpy()
    size = len(array)
    index = 0 if smallest else size - 1
    values, vectors = scipy.linalg.eigh(array, subset_by_index=[index, index])
    residual = float(np.linalg.norm(array @ vectors[:, 0] - values[0] * vectors[:, 0]))
    unit = np.finfo(array.dtype).eps
    rounding = (size + _OPERATIONS) * unit * max(float(np.linalg.norm(array)), scale)
    return Estimate(float(values[0]), float(residual + rounding))


def lanczos_eigenvalue(
    product: Callable[[Tensor], Tensor],
    start: Tensor,
    *,
    smallest: bool = False,
    scale: Callable[[Tensor], float] | None = None,
    tolerance: float = 1e-12,
) -> Estimate:
    """The eigenvalue of `lanczos_eigenpair`; arguments and errors are those."""
    return lanczos_eigenpair(product, start, smallest=smallest, scale=scale, tolerance=tolerance)[0]


def lanczos_eigenpair(
    product: Callable[[Tensor], Tensor],
    start: Tensor,
    *,
    smallest: bool = False,
    scale: Callable[[Tensor], float] | None = None,
    tolerance: float = 1e-12,
) -> tuple[Estimate, Tensor]:
    r"""Largest (or smallest) algebraic eigenvalue of a symmetric operator, by Lanczos.

    The first cycle stops as soon as it has converged relative to the eigenvalue, and is accepted
    where its residual is round-off of the terms that cancel, or small relative to the norm of A; a
    second one takes more vectors; after it ARPACK restarts, on A shifted so that the end that is
    sought is away from zero: an extreme eigenvalue that is 0 is like another one.

    Args:
        product: $v \mapsto Av$ on tensors shaped like `start`.
        start: starting vector, any shape, float64; fixes dtype and device.
        smallest: which end.
        scale: of the eigenvector found, the size of the terms that cancel in $Av$, where they are
            larger than the eigenvalue; their round-off enters the error.
        tolerance: residual at which to stop, relative to $\|A\|$.

    Returns:
        $\lambda$ and the residual $\|Av - \lambda v\|$ plus round-off, times $\sqrt d$ unless the
        residual is small relative to $\lambda$ itself; and the unit vector v.  A residual certifies
        that an eigenvalue is there, and $\lambda$ is never beyond the extreme one by more than
        round-off; that it is the extreme one rests on `start` having a component along it.

    Raises:
        ValueError: if the iteration does not converge, or a product is NaN or infinite.
    """
    check_positive("tolerance", tolerance)
    shape, size = start.shape, start.numel()
    start = start.detach() / start.detach().norm()
    first = check_finite("a product with a vector", product(start))
    norm = scaled_norm(first)
    if norm and abs(math.log2(norm)) > SAFE:
        unit = float(power_of_two(torch.tensor(norm, dtype=torch.float64)))
        estimate, vector = lanczos_eigenpair(
            lambda v: product(v) / unit,
            start,
            smallest=smallest,
            scale=None if scale is None else lambda v: scale(v) / unit,
            tolerance=tolerance,
        )
        return Estimate(estimate.value * unit, estimate.error * unit + math.ulp(0.0)), vector
    # A start on the sphere has components of about d^{-1/2}: of an eigenvalue beyond, the residual
    # shows this share of its distance, and as much more as the iteration has amplified it.
    hidden = size**0.5
    near = max(tolerance, 4 * torch.finfo(start.dtype).eps)
    most = min(size, _MOST_VECTORS, max(KRYLOV, _MOST_BYTES // (size * start.element_size())))
    for vectors, enough in ((min(KRYLOV, size), 0.0), (most, near)):
        found = _cycle(product, start, first, smallest, vectors, tolerance, enough)
        estimate, vector, is_rounding = _measured(product, found, scale)
        if found.converged or is_rounding:
            return estimate, vector
        if found.residual <= near * found.norm or vectors == size:
            return Estimate(estimate.value, hidden * estimate.error), vector

    def apply(array: np.ndarray) -> np.ndarray:
        tensor = torch.from_numpy(np.ascontiguousarray(array)).to(start.device, start.dtype)
        return product(tensor.view(shape)).reshape(-1).cpu().numpy() + shift * array

    shift = (-2 if smallest else 2) * found.norm
    initial = found.vector.reshape(-1).cpu().numpy()
    try:
        values, pairs = scipy.sparse.linalg.eigsh(
            scipy.sparse.linalg.LinearOperator((size, size), apply, dtype=initial.dtype),
            k=1,
            which="SA" if smallest else "LA",
            v0=initial,
            ncv=most,
            tol=near / 3,  # relative to the shifted eigenvalue, of 1 to 3 norms
            maxiter=_MOST_PRODUCTS // most,
        )
    except scipy.sparse.linalg.ArpackNoConvergence as failure:
        raise ValueError(
            f"Lanczos did not converge to {tolerance:g} of the norm in some {_MOST_PRODUCTS} "
            "products: raise the tolerance"
        ) from failure
    except scipy.sparse.linalg.ArpackError as failure:
        raise ValueError(f"Lanczos failed ({failure}): raise the tolerance") from failure
    vector = torch.from_numpy(pairs[:, 0].copy()).to(start.device, start.dtype).view(shape)
    found = replace(found, value=float(values[0]) - shift, vector=vector)
    estimate, vector, _ = _measured(product, found, scale)
    return Estimate(estimate.value, hidden * estimate.error), vector


@dataclass(frozen=True)
class _Ritz:
    """A Ritz pair, its residual, and whether that is small relative to the value; a norm of A."""

    value: float
    vector: Tensor
    residual: float
    converged: bool
    norm: float


def _cycle(
    product: Callable[[Tensor], Tensor],
    start: Tensor,
    first: Tensor,
    smallest: bool,
    steps: int,
    tolerance: float,
    enough: float,
) -> _Ritz:
    """Lanczos without a restart, fully reorthogonalised, from a unit vector and its image.

    Stopped as soon as the residual is small relative to the value, or `enough` to the norm.
    """
    basis = start.new_zeros(steps, start.numel())
    basis[0] = start.reshape(-1)
    diagonal: list[float] = []
    off_diagonal: list[float] = []
    end = 0 if smallest else -1
    for step in range(steps):
        image = product(basis[step].view(start.shape)) if step else first
        vector = check_finite("a product with a vector", image).reshape(-1)
        diagonal.append(float(basis[step] @ vector))
        known = basis[: step + 1]
        for _ in range(2):  # twice is enough to be orthogonal to round-off
            vector = vector - known.T @ (known @ vector)
        values, vectors = scipy.linalg.eigh_tridiagonal(np.array(diagonal), np.array(off_diagonal))
        beta, norm = float(vector.norm()), float(np.abs(values).max())
        residual = beta * abs(float(vectors[-1, end]))
        converged = residual <= tolerance * abs(values[end])
        if converged or residual <= enough * norm or step + 1 == steps:
            break
        off_diagonal.append(beta)
        basis[step + 1] = vector / beta
    weights = torch.as_tensor(vectors[:, end], dtype=start.dtype, device=start.device)
    ritz = (known.T @ weights).view(start.shape)
    return _Ritz(float(values[end]), ritz, residual, bool(converged), norm)


def _measured(
    product: Callable[[Tensor], Tensor], found: _Ritz, scale: Callable[[Tensor], float] | None
) -> tuple[Estimate, Tensor, bool]:
    """The eigenvalue with its true residual, from one more product, and its round-off.

    With it the unit vector, and whether the residual is within the round-off.
    """
    vector = found.vector / found.vector.norm()
    residual = float((product(vector) - found.value * vector).norm())
    terms = found.norm if scale is None else scale(vector)
    unit = torch.finfo(vector.dtype).eps
    share = (vector.numel() ** 0.5 + _OPERATIONS) * unit
    rounding = share * max(abs(found.value), terms)
    return Estimate(found.value, residual + rounding), vector, residual <= rounding
