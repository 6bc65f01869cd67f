"""Exact mean-square thresholds, side by side with the dense Kronecker eigenproblem in one process.

    python benchmarks/stability.py list
    python benchmarks/stability.py kronecker-100
    python benchmarks/stability.py large-1000

The peer rotates into the eigenbasis of E G_b, forms the operator C^{-1/2} D C^{-1/2} on an
orthonormal basis of the symmetric matrices, R (R + 1) / 2 of them, and asks LAPACK for the largest
eigenvalue alone.  Both must agree to 1e-8, or the run fails.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.linalg
import torch
from machine import describe, timed

from numerics.hessians import SampleHessians
from numerics.hessians.bases import ExplicitBasis
from numerics.stability import stability_threshold

RESULTS = Path(__file__).parent / "results"
AGREEMENT = 1e-8


@dataclass(frozen=True)
class Case:
    """Gaussian samples of one rank whose curvature falls off by `decay` over the R directions."""

    samples: int
    dimension: int
    rank: int
    radius: float
    batch_size: int = 1
    decay: float = 1e-2
    dense: bool = False

    def hessians(self, device: torch.device) -> SampleHessians:
        """Seeded, of trace about 1."""
        generator = torch.Generator().manual_seed(0)
        shape = (self.samples, self.dimension, self.rank)
        columns = torch.randn(shape, generator=generator, dtype=torch.float64)
        scales = torch.logspace(0, np.log10(self.decay) / 2, self.dimension, dtype=torch.float64)
        columns = columns * scales[:, None] / (self.dimension * self.rank) ** 0.5
        identity = torch.eye(self.rank, dtype=torch.float64).expand(self.samples, -1, -1)
        return SampleHessians(ExplicitBasis(columns.to(device)), identity.clone().to(device))


CASES = {
    "kronecker-30": Case(60, 30, 2, 0.1, dense=True),
    "kronecker-100": Case(200, 100, 2, 0.1, dense=True),
    "same-batch-300": Case(300, 300, 2, 0.1, batch_size=20),
    "large-1000": Case(400, 1000, 5, 0.1),
    "large-2000": Case(200, 2000, 10, 0.1),
}


def kronecker_threshold(hessians: SampleHessians, radius: float) -> float:
    """2 over the largest eigenvalue of the dense operator on symmetric matrices."""
    dense = hessians.to_dense().cpu().numpy()
    surrogates = dense + radius * dense @ dense
    values, vectors = np.linalg.eigh(surrogates.mean(0))
    rotated = (vectors.T @ surrogates @ vectors).reshape(len(dense), -1)
    size = len(values)
    products = (rotated.T @ rotated / len(dense)).reshape(size, size, size, size)
    i, j = np.triu_indices(size)
    half = products[i[:, None], i, j[:, None], j] + products[i[:, None], j, j[:, None], i]
    scale = np.where(i == j, 0.5**0.5, 1.0) * np.sqrt(2 / (values[i] + values[j]))
    operator = scale[:, None] * half * scale
    top = len(operator) - 1
    found = scipy.linalg.eigvalsh(operator, subset_by_index=[top, top], overwrite_a=True)
    return 2 / float(found[0])


def run_case(name: str, rounds: int, device: torch.device) -> dict[str, Any]:
    """Time ours every round, and the peer once: it takes a hundred times as long."""
    case = CASES[name]
    hessians = case.hessians(device)
    stability_threshold(Case(4, 3, 1, 0.1).hessians(device))  # warm: imports, thread pools
    walls, found = [], None
    for _ in range(rounds):
        found, timing = timed(
            lambda: stability_threshold(hessians, case.radius, batch_size=case.batch_size), device
        )
        walls.append(timing.wall)
        report("sam-theory", timing.wall, 0.0)
    rows = [{"method": "sam-theory", "wall": walls, "threshold": found.value}]
    result = {
        "case": name,
        **{field: getattr(case, field) for field in ("samples", "rank", "radius", "batch_size")},
        "dimension": found.dimension,
        "threshold": found.value,
        "lower": found.lower,
        "upper": found.upper,
        "products": found.products,
        "rows": rows,
    }
    if case.dense:
        value, timing = timed(lambda: kronecker_threshold(hessians, case.radius), device)
        difference = abs(value / found.value - 1)
        report("dense, symmetric half", timing.wall, difference)
        row = {"method": "dense, symmetric half", "wall": [timing.wall], "threshold": value}
        rows.append(row | {"difference": difference})
        result["speedup"] = timing.wall / statistics.median(walls)
        if difference > AGREEMENT:
            raise SystemExit(f"the dense eigenproblem differs by {difference:.3g}")
    return result


def report(name: str, seconds: float, difference: float) -> None:
    """One line on stderr for each measured call."""
    print(f"{name:24s} {seconds:9.3f} s   difference {difference:.1e}", file=sys.stderr)


def main() -> None:
    """Run one case and write its JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("case", choices=("list", *CASES))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    if arguments.case == "list":
        print(*CASES)
        return
    torch.set_num_threads(arguments.threads)
    device = torch.device(arguments.device)
    machine = describe(device)
    result = run_case(arguments.case, arguments.rounds, device) | {"machine": machine}
    RESULTS.mkdir(exist_ok=True)
    target = RESULTS / f"stability-{arguments.case}-{device.type}.json"
    target.write_text(json.dumps(result, indent=1) + "\n")
    print(target)


if __name__ == "__main__":
    main()
