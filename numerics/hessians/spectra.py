r"""Extreme eigenvalues of symmetric matrices, each with a bound on its error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.linalg
import scipy.sparse.linalg
import torch
from torch import Tensor

__all__ = ["Estimate", "extreme_eigenvalue", "lanczos_eigenvalue"]


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
    scale: float = 0.0,
    tolerance: float = 1e-12,
    max_iterations: int = 2000,
) -> Estimate:
    r"""Largest (or smallest) algebraic eigenvalue of a symmetric operator, by restarted Lanczos.

    Args:
        product: $v \mapsto Av$ on tensors shaped like `start`.
        start: starting vector, any shape, float64; fixes dtype and device.
        smallest: which end.
        scale: as in `extreme_eigenvalue`.
        tolerance: relative accuracy asked of ARPACK.
        max_iterations: restarts allowed.

    Returns:
        $\lambda$ and the residual $\|Av - \lambda v\|$ plus round-off.  A residual certifies that
        an eigenvalue is there, and $\lambda$ is never beyond the extreme one by more than
        round-off; that it is the extreme one rests on `start` having a component along it.

    Raises:
        ValueError: if the iteration does not converge.
    """
    shape, size = start.shape, start.numel()

    def apply(vector: np.ndarray) -> np.ndarray:
        tensor = torch.from_numpy(np.ascontiguousarray(vector)).to(start.device, start.dtype)
        return product(tensor.view(shape)).reshape(-1).cpu().numpy()

    initial = start.detach().reshape(-1).cpu().numpy()
    if size < 3:
        columns = np.stack([apply(row) for row in np.eye(size)], axis=1)
        return extreme_eigenvalue(torch.from_numpy(columns), smallest=smallest, scale=scale)
    operator = scipy.sparse.linalg.LinearOperator((size, size), apply, dtype=initial.dtype)
    try:
        values, vectors = scipy.sparse.linalg.eigsh(
            operator,
            k=1,
            which="SA" if smallest else "LA",
            v0=initial,
            tol=tolerance,
            maxiter=max_iterations,
        )
    except scipy.sparse.linalg.ArpackNoConvergence as failure:
        raise ValueError(
            f"Lanczos did not converge to {tolerance:g} in {max_iterations} restarts: "
            "raise max_iterations or use the dense method"
        ) from failure
    except scipy.sparse.linalg.ArpackError as failure:
        if np.linalg.norm(apply(initial)) == 0:
            return Estimate(0.0, 0.0)
        raise ValueError(f"Lanczos failed ({failure}): use the dense method") from failure
    value, vector = float(values[0]), vectors[:, 0] / np.linalg.norm(vectors[:, 0])
    residual = float(np.linalg.norm(apply(vector) - value * vector))
    rounding = float(np.sqrt(size)) * np.finfo(initial.dtype).eps * max(abs(value), scale)
    return Estimate(value, float(residual + rounding))
