r"""Hessians that are only multiplied: one Hessian-vector product at a time, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator
from torch import Tensor

from numerics.checks import check_finite
from numerics.hessians.guards import check_memory
from numerics.hessians.spectra import Estimate, lanczos_eigenvalue

__all__ = ["HessianOperator"]


@dataclass(frozen=True)
class HessianOperator:
    r"""A symmetric matrix H of size d, known by its products with vectors.

    Attributes:
        size: d.
        dtype: of the vectors.
        device: of the vectors.
        exact_trace: $\operatorname{tr} H$ where a closed form gives it, else None.
    """

    size: int
    dtype: torch.dtype
    device: torch.device
    exact_trace: float | None
    _product: Callable[[Tensor], Tensor] = field(repr=False)

    @property
    def shape(self) -> torch.Size:
        """(d, d)."""
        return torch.Size((self.size, self.size))

    def __repr__(self) -> str:
        dtype = str(self.dtype).removeprefix("torch.")
        trace = "" if self.exact_trace is None else f", trace={self.exact_trace:.6g}"
        return f"HessianOperator({self.size} x {self.size}, {dtype} on {self.device}{trace})"

    def __matmul__(self, vectors: Tensor) -> Tensor:
        """$Hv$, as a call."""
        return self(vectors) if isinstance(vectors, Tensor) else NotImplemented

    def __call__(self, vectors: Tensor) -> Tensor:
        """$Hv$ for vectors of shape (d,) or (d, m).

        Raises:
            ValueError: if the shape is another one, or the product is NaN or infinite.
        """
        if vectors.ndim not in (1, 2) or len(vectors) != self.size:
            shape = tuple(vectors.shape)
            raise ValueError(f"vectors have shape {shape}: give ({self.size},) or ({self.size}, m)")
        vectors = vectors.detach().to(self.device, self.dtype)
        if vectors.ndim == 1:
            return self._times(vectors)
        return torch.stack([self._times(column) for column in vectors.T], 1)

    def _times(self, vector: Tensor) -> Tensor:
        product = self._product(vector)
        if not bool(torch.isfinite(product).all()):
            check_finite("vectors", vector)
            bad = int((~torch.isfinite(product)).sum())
            raise ValueError(
                f"the product Hv has {bad} NaN or infinite entries of {self.size}: the loss has no "
                "finite second derivatives at these parameters"
            )
        return product

    def to_dense(self, *, memory_limit: int | None = None) -> Tensor:
        """H, shape (d, d), by one product for each column.

        Args:
            memory_limit: bytes allowed; 4 GiB by default.

        Raises:
            ValueError: if it would not fit.
        """
        needed = 2 * self.size**2 * self.dtype.itemsize
        what = f"the {self.size} x {self.size} matrix"
        check_memory(what, needed, memory_limit, "use products and Lanczos")
        return self(torch.eye(self.size, dtype=self.dtype, device=self.device))

    def to_scipy(self) -> LinearOperator:
        """The same operator for `scipy.sparse.linalg`, on numpy arrays."""

        def apply(array: np.ndarray) -> np.ndarray:
            return self(torch.as_tensor(np.ascontiguousarray(array))).cpu().numpy()

        dtype = torch.empty(0, dtype=self.dtype).numpy().dtype
        shape = (self.size, self.size)
        return LinearOperator(shape, apply, rmatvec=apply, matmat=apply, rmatmat=apply, dtype=dtype)

    def extremes(self, *, tolerance: float = 1e-10, seed: int = 0) -> tuple[Estimate, Estimate]:
        r"""$(\lambda_{\min}, \lambda_{\max})$ by Lanczos, with the residuals as error bounds.

        Args:
            tolerance: residual at which Lanczos stops, relative to the norm of H; where the
                eigenvalues next to an end are close together, as at a singular H, raise it.
            seed: of the starting vector.

        Raises:
            ValueError: if Lanczos does not converge.
        """
        generator = torch.Generator().manual_seed(seed)
        start = torch.randn(self.size, generator=generator, dtype=torch.float64)
        start = start.to(self.device, self.dtype)
        low, high = (
            lanczos_eigenvalue(self, start, smallest=smallest, tolerance=tolerance)
            for smallest in (True, False)
        )
        return low, high
