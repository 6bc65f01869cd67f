"""The exact instances that refute theorems, for whatever draws or measures them."""

from __future__ import annotations

import torch

import theory
from numerics.hessians import SampleHessians
from theory.trusted.statements import Witness

__all__ = ["hessians_at", "instance"]


def instance(name: str) -> Witness:
    """The exact instance that refutes a theorem.

    Raises:
        ValueError: if the theorem is not refuted.
    """
    refutation = theory.get(name).refutation
    if refutation is None:
        raise ValueError(f"{name} has no refutation: name a refuted theorem")
    return refutation


def hessians_at(name: str) -> SampleHessians:
    """The Hessians of the samples at the instance that refutes a theorem, on the CPU."""
    curvatures = instance(name).curvatures
    matrices = [[[float(x) for x in row] for row in part] for part in curvatures]
    return SampleHessians.from_dense(torch.tensor(matrices, dtype=torch.float64))
