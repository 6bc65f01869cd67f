r"""Samples spread over processes: each holds some, and products are summed over all of them.

Every process calls the same functions in the same order; `torch.distributed` must be initialised.
Lanczos runs in every process on the same vectors, so that all of them return the same numbers.
"""

from __future__ import annotations

import dataclasses

import torch
import torch.distributed
from torch import Tensor
from torch.distributed import ProcessGroup

from numerics.checks import check_count
from numerics.hessians.operators import HessianOperator
from numerics.hessians.samples import SampleHessians

__all__ = ["ShardedHessians", "sharded_operator"]


class ShardedHessians:
    r"""The per-sample Hessians of all processes, for `moments` by Lanczos.

    Attributes:
        samples: n, of all processes together.
        size: d.
        dtype: of the matrices.
        device: of this process's part.
    """

    def __init__(self, own: SampleHessians, group: ProcessGroup | None = None) -> None:
        self._own, self._group = own, group
        self.size, self.dtype, self.device = own.size, own.dtype, own.device
        self.samples = _total(own.samples, own.device, group)

    def mean_matvec(self, vector: Tensor, power: int = 1) -> Tensor:
        r"""$E[H_b^k]\,v$ over the samples of all processes.

        Args:
            vector: shape (d,) or (d, m), the same in every process.
            power: k, at least 1.
        """
        total = self._own.mean_matvec(vector, power) * self._own.samples
        torch.distributed.all_reduce(total, group=self._group)
        return total / self.samples

    def scaled(self, factor: float) -> ShardedHessians:
        """The matrices times a number."""
        return ShardedHessians(self._own.scaled(factor), self._group)

    def magnitude(self) -> float:
        """The largest of all processes, as in `SampleHessians`."""
        largest = torch.tensor(self._own.magnitude(), dtype=torch.float64, device=self.device)
        torch.distributed.all_reduce(largest, torch.distributed.ReduceOp.MAX, self._group)
        return float(largest)


def sharded_operator(
    own: HessianOperator, samples: int, group: ProcessGroup | None = None
) -> HessianOperator:
    """The Hessian of the mean loss over the samples of all processes.

    Args:
        own: this process's operator, with `reduction="sum"`.
        samples: how many samples it sums.
        group: of processes; all of them if None.

    Raises:
        ValueError: if the number of samples is not positive.
    """
    total = _total(check_count("samples", samples), own.device, group)

    def product(vector: Tensor) -> Tensor:
        summed = own(vector)
        torch.distributed.all_reduce(summed, group=group)
        return summed / total

    trace = None
    if own.exact_trace is not None:
        traces = torch.tensor(own.exact_trace, dtype=torch.float64, device=own.device)
        torch.distributed.all_reduce(traces, group=group)
        trace = float(traces) / total
    return dataclasses.replace(own, exact_trace=trace, _product=product)


def _total(samples: int, device: torch.device, group: ProcessGroup | None) -> int:
    count = torch.tensor(samples, device=device)
    torch.distributed.all_reduce(count, group=group)
    return int(count)
