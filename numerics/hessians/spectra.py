r"""Extreme eigenvalues of symmetric matrices, each with a bound on its error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.linalg
import scipy.sparse.linalg
import torch
from torch import Tensor

__all__ = ["KRYLOV", "Estimate", "extreme_eigenvalue", "lanczos_eigenpair", "lanczos_eigenvalue"]


KRYLOV = 40
"""Vectors that Lanczos keeps between restarts."""


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
        lies, plus $d\,\epsilon\,\max(\|A\|_F, \text{scale})$ for round-off.
    """
    array = matrix.detach().cpu().numpy()
    size = len(array)
    index = 0 if smallest else size - 1
    values, vectors = scipy.linalg.eigh(array, subset_by_index=[index, index])
    residual = float(np.linalg.norm(array @ vectors[:, 0] - values[0] * vectors[:, 0]))
    unit = np.finfo(array.dtype).eps
    rounding = size * unit * max(float(np.linalg.norm(array)), scale)
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

    The first cycle stops as soon as it has converged, and is accepted where its residual is
    round-off of the terms that cancel; otherwise ARPACK restarts from there.

    Args:
        product: $v \mapsto Av$ on tensors shaped like `start`.
        start: starting vector, any shape, float64; fixes dtype and device.
        smallest: which end.
        scale: of the eigenvector found, the size of the terms that cancel in $Av$, where they are
            larger than the eigenvalue; their round-off enters the error.
        tolerance: relative residual at which to stop.
        max_iterations: restarts allowed.

    Returns:
        $\lambda$ and the residual $\|Av - \lambda v\|$ plus round-off, and the unit vector v.  A
        residual certifies that an eigenvalue is there, and $\lambda$ is never beyond the extreme
        one by more than round-off; that it is the extreme one rests on `start` having a component
        along it.

    Raises:
        ValueError: if the iteration does not converge.
    """
    shape, size = start.shape, start.numel()

    def as_tensor(vector: np.ndarray) -> Tensor:
        tensor = torch.from_numpy(np.ascontiguousarray(vector))
        return tensor.to(start.device, start.dtype).view(shape)

    def apply(vector: np.ndarray) -> np.ndarray:
        return product(as_tensor(vector)).reshape(-1).cpu().numpy()

    early = _first_cycle(product, start.detach(), smallest, tolerance)
    if early.converged:
        return _measured(product, early.value, early.vector, scale)[:2]
    if scale is not None:
        estimate, vector, is_rounding = _measured(product, early.value, early.vector, scale)
        if is_rounding:
            return estimate, vector
    if size < 3:  # too small for ARPACK
        columns = np.stack([apply(row) for row in np.eye(size)], axis=1)
        values, vectors = scipy.linalg.eigh(columns)
        end = 0 if smallest else size - 1
        return _measured(product, float(values[end]), as_tensor(vectors[:, end]), scale)[:2]
    initial = early.vector.reshape(-1).cpu().numpy()
    operator = scipy.sparse.linalg.LinearOperator((size, size), apply, dtype=initial.dtype)
    try:
        values, vectors = scipy.sparse.linalg.eigsh(
            operator,
            k=1,
            which="SA" if smallest else "LA",
            v0=initial,
            ncv=min(size, KRYLOV),
            tol=tolerance,
            maxiter=max_iterations,
        )
    except scipy.sparse.linalg.ArpackNoConvergence as failure:
        raise ValueError(
            f"Lanczos did not converge to {tolerance:g} in {max_iterations} restarts: "
            "raise max_iterations or use the dense method"
        ) from failure
    except scipy.sparse.linalg.ArpackError as failure:
        raise ValueError(f"Lanczos failed ({failure}): use the dense method") from failure
    return _measured(product, float(values[0]), as_tensor(vectors[:, 0]), scale)[:2]


@dataclass(frozen=True)
class _Ritz:
    """A Ritz pair, and whether its residual is as small as asked."""

    value: float
    vector: Tensor
    converged: bool


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
        vector = product(basis[step].view(start.shape)).reshape(-1)
        diagonal.append(float(basis[step] @ vector))
        known = basis[: step + 1]
        for _ in range(2):  # twice is enough to be orthogonal to round-off
            vector = vector - known.T @ (known @ vector)
        values, vectors = scipy.linalg.eigh_tridiagonal(np.array(diagonal), np.array(off_diagonal))
        beta = float(vector.norm())
        converged = beta * abs(vectors[-1, end]) <= tolerance * abs(values[end])
        if converged or step + 1 == steps:
            break
        off_diagonal.append(beta)
        basis[step + 1] = vector / beta
    weights = torch.as_tensor(vectors[:, end], dtype=start.dtype, device=start.device)
    return _Ritz(float(values[end]), (known.T @ weights).view(start.shape), bool(converged))


def _measured(
    product: Callable[[Tensor], Tensor],
    value: float,
    vector: Tensor,
    scale: Callable[[Tensor], float] | None,
) -> tuple[Estimate, Tensor, bool]:
    """The eigenvalue with its true residual, from one more product, and its round-off.

    With it the unit vector, and whether the residual is within the round-off.
    """
    vector = vector / vector.norm()
    residual = float((product(vector) - value * vector).norm())
    terms = 0.0 if scale is None else scale(vector)
    unit = torch.finfo(vector.dtype).eps
    rounding = vector.numel() ** 0.5 * unit * max(abs(value), terms)
    return Estimate(value, residual + rounding), vector, residual <= rounding
