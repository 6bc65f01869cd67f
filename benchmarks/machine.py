"""What a timing depends on: processor, versions, threads, load, and the rate of matrix products."""

from __future__ import annotations

import datetime
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

__all__ = ["Timing", "describe", "gemm_rate", "timed"]


@dataclass(frozen=True)
class Timing:
    """One measured call.

    Attributes:
        wall: seconds on the clock.
        cpu: seconds of processor time, all threads together.
    """

    wall: float
    cpu: float


def timed(call: Callable[[], Any], device: torch.device) -> tuple[Any, Timing]:
    """Run a call and measure it, waiting for the device at both ends."""
    _wait(device)
    wall, cpu = time.perf_counter(), time.process_time()
    result = call()
    _wait(device)
    return result, Timing(time.perf_counter() - wall, time.process_time() - cpu)


def gemm_rate(device: torch.device, size: int = 1536, repeats: int = 4) -> float:
    """Operations per second of a float64 matrix product, the best of a few."""
    left, right = (torch.randn(size, size, dtype=torch.float64, device=device) for _ in range(2))
    left @ right
    fastest = min(timed(lambda: left @ right, device)[1].wall for _ in range(repeats))
    return 2 * size**3 / fastest


def describe(device: torch.device) -> dict[str, Any]:
    """Names and versions that belong beside every timing."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor()
    load = os.getloadavg()[0]
    cores = os.cpu_count() or 1
    return {
        "date": datetime.date.today().isoformat(),
        "device": name,
        "processor": _processor(),
        "cores": cores,
        "threads": torch.get_num_threads(),
        "omp_wait_policy": os.environ.get("OMP_WAIT_POLICY", "default"),
        "openblas_threads": os.environ.get("OPENBLAS_NUM_THREADS", "default"),
        "load_before": round(load, 2),
        "quiet": load < 0.5,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": version("numpy"),
        "scipy": version("scipy"),
        "dtype": "float64",
    }


def _processor() -> str:
    listing = Path("/proc/cpuinfo")
    if listing.exists():
        fields = dict(
            line.split(":", 1) for line in listing.read_text().splitlines() if ":" in line
        )
        named = {key.strip(): value.strip() for key, value in fields.items()}
        model = named.get("model name", platform.machine())
        family, number = named.get("cpu family", "?"), named.get("model", "?")
        return f"{model}, family {family}, model {number}"
    return platform.processor() or platform.machine()


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
