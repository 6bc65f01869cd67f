r"""Sharpness and non-uniformity of a minimum: the quantities of linear stability theory."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from numerics.checks import check_choice
from numerics.hessians.batches import batch_mean_powers
from numerics.hessians.samples import SampleHessians
from numerics.hessians.spectra import Estimate, extreme_eigenvalue, lanczos_eigenvalue

__all__ = ["DENSE_LIMIT", "Moments", "moments"]

DENSE_LIMIT = 2500
"""Largest number of parameters for which `auto` forms matrices and calls LAPACK."""

_METHODS = ("auto", "dense", "lanczos")
_ORDERS = (2, 3, 4)


@dataclass(frozen=True)
class Moments:
    r"""Sharpness $a = \lambda_{\max}(H)$ and $s_k = \lambda_{\max}(E H_b^k - H^k)_+^{1/k}$.

    A batch b of `batch_size` samples is drawn without replacement, $H = E H_b$.
    $E H_b^3 - H^3$ and $E H_b^4 - H^4$ need not be positive semidefinite; where the largest
    eigenvalue is negative, $s_k = 0$.

    Attributes:
        sharpness: a.
        s2: $s_2$, in units of a, as are the next two.
        s3: $s_3$.
        s4: $s_4$.
        sharpness_error: bound on the error of a (residual and round-off).
        s2_error: the same for $s_2$; the next two likewise.
        s3_error: for $s_3$.
        s4_error: for $s_4$.
        gaps: $\lambda_{\max}(E H_b^k - H^k)$, signed, for k = 2, 3, 4.
        samples: n.
        batch_size: samples in a batch.
        size: d.
        method: `dense` or `lanczos`.
        dtype: of the computation.
        device: of the computation.
    """

    sharpness: float
    s2: float
    s3: float
    s4: float
    sharpness_error: float
    s2_error: float
    s3_error: float
    s4_error: float
    gaps: tuple[float, float, float]
    samples: int
    batch_size: int
    size: int
    method: str
    dtype: str
    device: str


def moments(
    hessians: SampleHessians, *, batch_size: int = 1, method: str = "auto", seed: int = 0
) -> Moments:
    r"""Compute a, $s_2$, $s_3$ and $s_4$ with bounds on their errors.

    Args:
        hessians: the per-sample Hessians.
        batch_size: samples in a batch, drawn without replacement; above 1 the method is dense.
        method: `dense` forms the matrices ($d^3$); `lanczos` only multiplies vectors; `auto`
            chooses dense up to `DENSE_LIMIT` parameters.
        seed: of the starting vector of Lanczos.

    Raises:
        ValueError: if dense matrices would not fit, or Lanczos does not converge.
    """
    if check_choice("method", method, _METHODS) == "auto":
        method = "dense" if hessians.size <= DENSE_LIMIT or batch_size > 1 else "lanczos"
    if method == "dense":
        top, gaps = _dense(hessians, batch_size)
    elif batch_size == 1:
        top, gaps = _lanczos(hessians, seed)
    else:
        raise ValueError(f"batch_size is {batch_size} and method is 'lanczos': use 'dense'")
    roots = [_root(gap, power) for gap, power in zip(gaps, _ORDERS, strict=True)]
    return Moments(
        top.value,
        *(root.value for root in roots),
        top.error,
        *(root.error for root in roots),
        gaps=tuple(gap.value for gap in gaps),
        samples=hessians.samples,
        batch_size=batch_size,
        size=hessians.size,
        method=method,
        dtype=str(hessians.dtype).removeprefix("torch."),
        device=str(hessians.device),
    )


def _dense(hessians: SampleHessians, batch_size: int) -> tuple[Estimate, list[Estimate]]:
    means = batch_mean_powers(hessians, batch_size)
    mean = next(means)
    top, power, gaps = extreme_eigenvalue(mean), mean, []
    for moment in means:
        power = power @ mean
        power = 0.5 * (power + power.T)
        gaps.append(extreme_eigenvalue(moment - power, scale=float(moment.norm())))
    return top, gaps


def _lanczos(hessians: SampleHessians, seed: int) -> tuple[Estimate, list[Estimate]]:
    generator = torch.Generator().manual_seed(seed)
    start = torch.randn(hessians.size, generator=generator, dtype=torch.float64)
    start = start.to(hessians.device, hessians.dtype)
    top = lanczos_eigenvalue(hessians.mean_matvec, start)

    def gap(vector: Tensor, order: int) -> Tensor:
        power = vector
        for _ in range(order):
            power = hessians.mean_matvec(power)
        return hessians.mean_matvec(vector, order) - power

    gaps = []
    for order in _ORDERS:
        moment = lanczos_eigenvalue(lambda v, k=order: hessians.mean_matvec(v, k), start)
        gaps.append(
            lanczos_eigenvalue(lambda v, k=order: gap(v, k), start, scale=abs(moment.value))
        )
    return top, gaps


def _root(gap: Estimate, order: int) -> Estimate:
    """The k-th root of the positive part, with the error carried through (not linearised)."""
    value, low, high = (
        max(x, 0.0) ** (1 / order)
        for x in (gap.value, gap.value - gap.error, gap.value + gap.error)
    )
    return Estimate(value, max(high - value, value - low))
