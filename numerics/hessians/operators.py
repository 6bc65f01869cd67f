r"""Hessians that are only multiplied: one Hessian-vector product at a time, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator
from torch import Tensor, nn

from numerics.checks import check_choice, check_count, check_finite
from numerics.hessians.assembly import slices
from numerics.hessians.guards import check_derivatives
from numerics.hessians.losses import Loss
from numerics.hessians.models import PARTS, attempt, prepare, structured_network
from numerics.hessians.perceptrons import differentiate
from numerics.hessians.probes import direction, same_product
from numerics.hessians.samples import SampleHessians
from numerics.hessians.spectra import Estimate, lanczos_eigenvalue

__all__ = ["HessianOperator", "operator"]


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
    _product: Callable[[Tensor], Tensor]

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


def operator(
    model: nn.Module,
    loss: Loss,
    inputs: Tensor,
    targets: Tensor,
    *,
    reduction: str = "mean",
    part: str = "hessian",
    dtype: torch.dtype = torch.float64,
    samples_at_once: int | None = None,
) -> HessianOperator:
    r"""The Hessian of a training loss as an operator: no matrix is formed.

    Args:
        model: as in `exact`.
        loss: as in `exact`.
        inputs: shape (n, ...).
        targets: shape (n, ...).
        reduction: `mean` or `sum` over the samples.
        part: as in `exact`.
        dtype: of the computation.
        samples_at_once: bounds the memory: the gradient is recorded for so many samples at a time,
            once for all products if that covers the data (the default), else in each product.

    Raises:
        ValueError: as in `exact`.
    """
    check_choice("reduction", reduction, ("mean", "sum"))
    check_choice("part", part, PARTS)
    inputs, targets, flat = prepare(model, loss, inputs, targets, dtype)
    samples = len(inputs)
    weight = 1 / samples if reduction == "mean" else 1.0
    if samples_at_once is None:
        samples_at_once = samples
    parts = list(slices(samples, check_count("samples_at_once", samples_at_once)))
    recorded = flat.product(inputs, targets, part) if len(parts) == 1 else None

    def product(vector: Tensor) -> Tensor:
        if recorded is not None:
            return check_derivatives("a Hessian-vector product", weight * recorded(vector))
        total = torch.zeros_like(vector)
        for some in parts:
            total += flat.product(inputs[some], targets[some], part)(vector)
        return check_derivatives("a Hessian-vector product", weight * total)

    network, trace = structured_network(model, inputs, dtype), None
    if network is not None:
        vector = direction(flat)

        def traced() -> tuple[float, Tensor]:
            total, image = 0.0, torch.zeros_like(vector)
            for some in parts:
                piece = differentiate(network, flat.plain_loss, inputs[some], targets[some], part)
                total += piece.trace()
                whole = SampleHessians(piece.basis, piece)
                image += whole.samples * whole.mean_matvec(vector)
            return weight * total, image

        found = attempt("auto", traced)
        if found and same_product(flat, inputs, targets, part, lambda _: found[1]):
            trace = found[0]
    return HessianOperator(flat.size, dtype, flat.point.device, trace, product)
