r"""Sharpness and non-uniformity of a minimum: the quantities of linear stability theory."""

from __future__ import annotations

import functools
import math
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from numerics.checks import check_choice, check_count
from numerics.hessians.batches import batch_mean_powers, power_sizes, weight_size
from numerics.hessians.guards import MemoryRefused
from numerics.hessians.samples import SampleHessians
from numerics.hessians.sharding import ShardedHessians
from numerics.hessians.spectra import SAFE, Estimate, extreme_eigenvalue, lanczos_eigenvalue
from numerics.hessians.words import BatchHessians
from numerics.norms import scaled_norm
from numerics.shown import axes, measured, name_moments, table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["DENSE_LIMIT", "Averages", "Moments", "in_units", "moments", "unit_of"]

DENSE_LIMIT = 2500
"""Largest number of parameters for which `auto` forms matrices and calls LAPACK."""

_METHODS = ("auto", "dense", "lanczos")
_ORDERS = (2, 3, 4)


@dataclass(frozen=True)
class Moments:
    r"""Sharpness $a = \lambda_{\max}(H)$ and $s_k = \lambda_{\max}(E H_b^k - H^k)_+^{1/k}$.

    A batch b of `batch_size` samples is drawn, with or without replacement, and $H = E H_b$.
    $E H_b^3 - H^3$ and $E H_b^4 - H^4$ need not be positive semidefinite; where the largest
    eigenvalue is negative, $s_k = 0$.

    Powers are formed in units of a power of two near the largest $H_i$, so that c H has c times the
    sharpness and $s_k$ of H, bounds included, for small and large c alike.

    Attributes:
        sharpness: a.
        s2: $s_2$, in units of a, as are the next two.
        s3: $s_3$.
        s4: $s_4$.
        sharpness_error: bound on the error of a (residual and round-off).
        s2_error: the same for $s_2$; the next two likewise.
        s3_error: for $s_3$.
        s4_error: for $s_4$.
        gaps: $\lambda_{\max}(E H_b^k - H^k)$, signed, for k = 2, 3, 4; 0 or infinite where that is
            no float64, while $s_k$ is.
        samples: n.
        batch_size: samples in a batch.
        replacement: whether they are drawn independently.
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
    replacement: bool
    size: int
    method: str
    dtype: str
    device: str

    def __repr__(self) -> str:
        numbers = ", ".join(f"{name}={number}" for name, number in self._rows())
        return f"Moments({numbers}; {self._setting()})"

    def _repr_html_(self) -> str:
        return table(f"Moments: {self._setting()}", self._rows())

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the four numbers with the bounds on their errors.

        Args:
            ax: where to draw; matplotlib's current axes by default.
        """
        ax = axes(ax)
        values = [self.sharpness, self.s2, self.s3, self.s4]
        errors = [self.sharpness_error, self.s2_error, self.s3_error, self.s4_error]
        ax.errorbar(range(4), values, errors, fmt="o")
        return name_moments(ax)

    def _rows(self) -> list[tuple[str, str]]:
        return [
            ("a", measured(self.sharpness, self.sharpness_error)),
            ("s2", measured(self.s2, self.s2_error)),
            ("s3", measured(self.s3, self.s3_error)),
            ("s4", measured(self.s4, self.s4_error)),
        ]

    def _setting(self) -> str:
        batch = f"batches of {self.batch_size}" + " with replacement" * self.replacement
        return f"n={self.samples}, d={self.size}, {batch}, {self.method}, {self.dtype}"


class Averages(Protocol):
    """What Lanczos needs of per-sample Hessians, wherever they are kept."""

    samples: int
    size: int
    dtype: torch.dtype
    device: torch.device

    def mean_matvec(self, vector: Tensor, power: int = 1) -> Tensor:
        r"""$E[H_b^k]\,v$."""


def moments(
    hessians: SampleHessians | Averages,
    *,
    batch_size: int = 1,
    replacement: bool = False,
    method: str = "auto",
    seed: int = 0,
    tolerance: float = 1e-12,
) -> Moments:
    r"""Compute a, $s_2$, $s_3$ and $s_4$ with bounds on their errors.

    Args:
        hessians: the per-sample Hessians, or any `Averages` of them (spread over processes, say).
        batch_size: samples in a batch.
        replacement: whether the samples of a batch are drawn independently.
        method: `dense` forms the matrices ($d^3$); `lanczos` only multiplies vectors, with $n^2$
            small products each where batches have more than one sample and k > 2; `auto` chooses
            dense up to `DENSE_LIMIT` parameters, if it fits into the memory limit of `hessians`.
        seed: of the starting vector of Lanczos.
        tolerance: relative residual at which Lanczos stops; the errors returned are measured.

    Raises:
        ValueError: if dense matrices would not fit or are not at hand, the batch size is out of
            range or needs samples that are not at hand, Lanczos does not converge, or a product is
            NaN or infinite.
    """
    unit = 1.0
    if isinstance(hessians, SampleHessians | ShardedHessians):
        unit = unit_of(hessians)
        hessians = hessians.scaled(1 / unit)
    check_choice("method", method, _METHODS)
    check_count("batch_size", batch_size)
    found = None
    if method == "dense" and not isinstance(hessians, SampleHessians):
        raise ValueError(f"{type(hessians).__name__} has no matrices: use method='lanczos'")
    if isinstance(hessians, SampleHessians) and (
        method == "dense" or (method == "auto" and hessians.size <= DENSE_LIMIT)
    ):
        try:
            found = _dense(hessians, batch_size, replacement)
        except MemoryRefused:
            if method == "dense":
                raise
    method = "lanczos" if found is None else "dense"
    top, gaps = found or _lanczos(hessians, batch_size, replacement, seed, tolerance)
    roots = (_root(gap, power) for gap, power in zip(gaps, _ORDERS, strict=True))
    top, s2, s3, s4 = (in_units(found, unit) for found in (top, *roots))
    second, third, fourth = (
        math.prod([unit] * k, start=gap.value) for gap, k in zip(gaps, _ORDERS, strict=True)
    )
    return Moments(
        top.value,
        s2.value,
        s3.value,
        s4.value,
        top.error,
        s2.error,
        s3.error,
        s4.error,
        gaps=(second, third, fourth),
        samples=hessians.samples,
        batch_size=batch_size,
        replacement=replacement,
        size=hessians.size,
        method=method,
        dtype=str(hessians.dtype).removeprefix("torch."),
        device=str(hessians.device),
    )


def _dense(
    hessians: SampleHessians, batch_size: int, replacement: bool
) -> tuple[Estimate, list[Estimate]]:
    means = batch_mean_powers(hessians, batch_size, replacement=replacement)
    sizes = power_sizes(hessians, batch_size, replacement=replacement)
    mean = next(means)
    top, power, gaps = extreme_eigenvalue(mean, scale=sizes[1]), mean, []
    for order, moment in zip(_ORDERS, means, strict=True):
        power = power @ mean
        power = 0.5 * (power + power.T)
        gaps.append(extreme_eigenvalue(moment - power, scale=2 * sizes[order]))
    return top, gaps


def _lanczos(
    hessians: SampleHessians | Averages,
    batch_size: int,
    replacement: bool,
    seed: int,
    tolerance: float,
) -> tuple[Estimate, list[Estimate]]:
    generator = torch.Generator().manual_seed(seed)
    start = torch.randn(hessians.size, generator=generator, dtype=torch.float64)
    start = start.to(hessians.device, hessians.dtype)
    batches: BatchHessians | SampleHessians | Averages = hessians
    if batch_size > 1:
        if not isinstance(hessians, SampleHessians):
            name = type(hessians).__name__
            raise ValueError(f"{name} has no single samples: use batch_size=1 or SampleHessians")
        batches = BatchHessians(hessians, batch_size, replacement=replacement)

    if not isinstance(hessians, SampleHessians | ShardedHessians):  # those are in units already
        image = scaled_norm(hessians.mean_matvec(start))
        if image and abs(math.log2(image)) > SAFE:
            raise ValueError(f"products are of size {image:.0e}: scale the Hessians to order 1")

    def size(vector: Tensor, order: int = 1) -> float:
        r"""$\sqrt{v^\top E H_b^{2k} v}$, at least $E\|H_b^k v\|$ over single samples."""
        return max(float((vector * hessians.mean_matvec(vector, 2 * order)).sum()), 0.0) ** 0.5

    top = lanczos_eigenvalue(hessians.mean_matvec, start, scale=size, tolerance=tolerance)

    def gap(vector: Tensor, order: int) -> Tensor:
        power = vector
        for _ in range(order):
            power = hessians.mean_matvec(power)
        return batches.mean_matvec(vector, order) - power

    def terms(vector: Tensor, order: int) -> float:
        """Round-off of all words, and of every product in the power of the mean, carried on."""
        weight = weight_size(order, hessians.samples, batch_size, replacement=replacement)
        total = (1 + weight) * size(vector, order)
        if isinstance(batches, BatchHessians):
            total += batches.terms_norm(vector, order)
        power = vector
        for place in range(order):
            total += size(power) * abs(top.value) ** (order - 1 - place)
            power = hessians.mean_matvec(power)
        return total

    return top, [
        lanczos_eigenvalue(
            functools.partial(gap, order=order),
            start,
            scale=functools.partial(terms, order=order),
            tolerance=tolerance,
        )
        for order in _ORDERS
    ]


def _root(gap: Estimate, order: int) -> Estimate:
    """The k-th root of the positive part, with the error carried through (not linearised)."""
    value, low, high = (
        _positive_root(x, order) for x in (gap.value, gap.value - gap.error, gap.value + gap.error)
    )
    rounding = 4 * sys.float_info.epsilon * high  # two roundings in each of two roots
    return Estimate(value, max(high - value, value - low) + rounding)


def _positive_root(x: float, order: int) -> float:
    """Roots to two roundings: `x ** (1 / 3)` has an error of its own, which grows with |log x|."""
    positive = max(x, 0.0)
    return math.cbrt(positive) if order == 3 else positive ** (1 / order)


def unit_of(hessians: SampleHessians | ShardedHessians) -> float:
    """A power of two to divide by before powers are formed; 1 where they are float64 anyway."""
    size = hessians.magnitude()
    return size if abs(math.log2(size)) > SAFE else 1.0


def in_units(found: Estimate, unit: float) -> Estimate:
    """A number with units of a power of two; what becomes subnormal is rounded."""
    value = found.value * unit
    return Estimate(value, found.error * unit + (0.0 if unit == 1 else math.ulp(0.0)))
