r"""Extreme eigenvalues of symmetric matrices, each with a bound on its error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import scipy.linalg
import scipy.sparse.linalg
import torch
from torch import Tensor

from numerics.checks import check_finite

__all__ = ["KRYLOV", "Estimate", "extreme_eigenvalue", "lanczos_eigenpair", "lanczos_eigenvalue"]


KRYLOV = 40
"""Vectors that Lanczos keeps between restarts."""

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
    max_iterations: int = 2000,
) -> Estimate:
    """The eigenvalue of `lanczos_eigenpair`; arguments and errors are those."""
    return lanczos_eigenpair(
        product,
        start,
        smallest=smallest,
        scale=scale,
        tolerance=tolerance,
        max_iterations=max_iterations,
    )[0]


def lanczos_eigenpair(
    product: Callable[[Tensor], Tensor],
    start: Tensor,
    *,
    smallest: bool = False,
    scale: Callable[[Tensor], float] | None = None,
    tolerance: float = 1e-12,
    max_iterations: int = 2000,
) -> tuple[Estimate, Tensor]:
    r"""Largest (or smallest) algebraic eigenvalue of a symmetric operator, by Lanczos.

    The first cycle stops as soon as it has converged relative to the eigenvalue, and is accepted
    where its residual is round-off of the terms that cancel, or small relative to the norm of A;
    otherwise ARPACK restarts from there, on A shifted so that the end that is sought is away from
    zero: an extreme eigenvalue that is 0, or tiny beside the norm, is as quick as another one.

    Args:
        product: $v \mapsto Av$ on tensors shaped like `start`.
        start: starting vector, any shape, float64; fixes dtype and device.
        smallest: which end.
        scale: of the eigenvector found, the size of the terms that cancel in $Av$, where they are
            larger than the eigenvalue; their round-off enters the error.
        tolerance: residual at which to stop, relative to $\|A\|$.
        max_iterations: restarts allowed.

    Returns:
        $\lambda$ and the residual $\|Av - \lambda v\|$ plus round-off, plus tolerance times
        $\|A\|$ unless the residual is small relative to $\lambda$ itself; and the unit vector v.
        A residual certifies that an eigenvalue is there, and $\lambda$ is never beyond the extreme
        one by more than round-off; that it is the extreme one rests on `start` having a component
        along it.

    Raises:
        ValueError: if the iteration does not converge, or a product is NaN or infinite.
    """
    shape, size = start.shape, start.numel()

    def as_tensor(vector: np.ndarray) -> Tensor:
        tensor = torch.from_numpy(np.ascontiguousarray(vector))
        return tensor.to(start.device, start.dtype).view(shape)

    def apply(vector: np.ndarray) -> np.ndarray:
        return product(as_tensor(vector)).reshape(-1).cpu().numpy()

    early = _first_cycle(product, start.detach(), smallest, tolerance)
    # A start on the sphere has components of about d^{-1/2}: what it hides is that much larger.
    near = max(tolerance / size**0.5, 4 * torch.finfo(start.dtype).eps) * early.norm
    estimate, vector, is_rounding = _measured(product, early, scale)
    if early.converged or is_rounding:
        return estimate, vector
    if early.residual <= near:
        return Estimate(estimate.value, estimate.error + tolerance * early.norm), vector
    if size < 3:  # too small for ARPACK
        columns = np.stack([apply(row) for row in np.eye(size)], axis=1)
        values, vectors = scipy.linalg.eigh(columns)
        end = 0 if smallest else size - 1
        found = replace(early, value=float(values[end]), vector=as_tensor(vectors[:, end]))
        return _measured(product, found, scale)[:2]
    shift = (-2 if smallest else 2) * early.norm
    operator = scipy.sparse.linalg.LinearOperator(
        (size, size), lambda v: apply(v) + shift * v, dtype=early.vector.cpu().numpy().dtype
    )
    try:
        values, vectors = scipy.sparse.linalg.eigsh(
            operator,
            k=1,
            which="SA" if smallest else "LA",
            v0=early.vector.reshape(-1).cpu().numpy(),
            ncv=min(size, KRYLOV),
            tol=near / (3 * early.norm),  # relative to the shifted eigenvalue, of 1 to 3 norms
            maxiter=max_iterations,
        )
    except scipy.sparse.linalg.ArpackNoConvergence as failure:
        raise ValueError(
            f"Lanczos did not converge to {tolerance:g} in {max_iterations} restarts: "
            "raise the tolerance"
        ) from failure
    except scipy.sparse.linalg.ArpackError as failure:
        raise ValueError(f"Lanczos failed ({failure}): raise the tolerance") from failure
    found = replace(early, value=float(values[0]) - shift, vector=as_tensor(vectors[:, 0]))
    estimate, vector, _ = _measured(product, found, scale)
    return Estimate(estimate.value, estimate.error + tolerance * early.norm), vector


@dataclass(frozen=True)
class _Ritz:
    """A Ritz pair, its residual, and whether that is small relative to the value; a norm of A."""

    value: float
    vector: Tensor
    residual: float
    converged: bool
    norm: float


def _first_cycle(
    product: Callable[[Tensor], Tensor], start: Tensor, smallest: bool, tolerance: float
) -> _Ritz:
    """Lanczos without a restart, fully reorthogonalised, stopped as soon as it has converged."""
    steps = min(KRYLOV, start.numel())
    basis = start.new_zeros(steps, start.numel())
    basis[0] = start.reshape(-1) / start.norm()
    diagonal: list[float] = []
    off_diagonal: list[float] = []
    end = 0 if smallest else -1
    for step in range(steps):
        vector = check_finite("a product with a vector", product(basis[step].view(start.shape)))
        vector = vector.reshape(-1)
        diagonal.append(float(basis[step] @ vector))
        known = basis[: step + 1]
        for _ in range(2):  # twice is enough to be orthogonal to round-off
            vector = vector - known.T @ (known @ vector)
        values, vectors = scipy.linalg.eigh_tridiagonal(np.array(diagonal), np.array(off_diagonal))
        beta = float(vector.norm())
        residual = beta * abs(float(vectors[-1, end]))
        converged = residual <= tolerance * abs(values[end])
        if converged or step + 1 == steps:
            break
        off_diagonal.append(beta)
        basis[step + 1] = vector / beta
    weights = torch.as_tensor(vectors[:, end], dtype=start.dtype, device=start.device)
    ritz = (known.T @ weights).view(start.shape)
    norm = float(np.abs(values).max())
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
