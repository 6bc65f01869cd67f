"""Everything about one network's Hessian: spectrum, moments, stability."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import theory
from numerics.checks import check_choice
from numerics.data import mnist_subset
from numerics.hessians import (
    CROSS_ENTROPY,
    SQUARE_LOSS,
    exact,
    moments,
    per_sample,
    step_mean_extremes,
    step_second_moment,
)
from numerics.hessians.losses import Loss
from numerics.problems.networks import mlp
from theory.evaluate import evaluate

__all__ = ["load_data", "load_model", "report_of_network"]

LOSSES: dict[str, Loss] = {"square": SQUARE_LOSS, "cross-entropy": CROSS_ENTROPY}


def report_of_network(
    *,
    model: str,
    data: str,
    weights: str | None,
    loss: str,
    step_size: float,
    radius: float,
    batch_size: int,
    device: str,
) -> dict[str, Any]:
    r"""Exact spectrum, $a$, $s_k$ and the stability conditions of a network on a data set.

    Args:
        model: `mlp:IN-...-OUT`.
        data: `mnist:N` or `mnist:N:POOL`, or a NumPy archive with `inputs` and `targets`.
        weights: a file with a state dict; the initial network of seed 0 if None.
        loss: `square` or `cross-entropy`.
        step_size: $\eta$.
        radius: $\rho$ of unnormalised SAM.
        batch_size: samples in a batch, drawn without replacement.
        device: where to compute.

    Raises:
        ValueError: for anything that cannot be read or does not fit together.
    """
    check_choice("loss", loss, tuple(LOSSES))
    network = load_model(model, weights, device)
    inputs, targets = load_data(data, loss, device)
    inside, *_, outside = widths_of(model)
    if inputs.ndim != 2 or inputs.shape[1] != inside:
        raise ValueError(
            f"{model} takes {inside} inputs and {data} has {tuple(inputs.shape[1:])}: "
            "change the first width"
        )
    if len(targets) != len(inputs):
        raise ValueError(
            f"{data} has {len(inputs)} inputs and {len(targets)} targets: give one for each"
        )
    if loss == "square" and targets.shape[1:] != (outside,):
        raise ValueError(
            f"{model} has {outside} outputs and the targets have shape "
            f"{tuple(targets.shape)}: change the last width"
        )
    hessian = exact(network, LOSSES[loss], inputs, targets)
    spectrum = torch.linalg.eigvalsh(hessian).cpu().tolist()
    hessians = per_sample(network, LOSSES[loss], inputs, targets)
    measured = moments(hessians, batch_size=batch_size)
    setting = {"step_size": step_size, "radius": radius, "batch_size": batch_size}
    second = step_second_moment(hessians, step_size, radius, batch_size=batch_size)
    mean_low, mean_high = step_mean_extremes(hessians, step_size, radius, batch_size=batch_size)
    return {
        "version": theory.__version__,
        "parameters": len(spectrum),
        "samples": len(inputs),
        "smallest eigenvalue": spectrum[0],
        "largest eigenvalue": spectrum[-1],
        "trace": sum(spectrum),
        "spectrum": spectrum,
        "moments": asdict(measured),
        "stability": {
            **setting,
            "largest eigenvalue of E M_b²": second.value,
            "smallest eigenvalue of E M_b": mean_low.value,
            "largest eigenvalue of E M_b": mean_high.value,
        },
        "bounds": bounds(asdict(measured), step_size, radius),
    }


def bounds(measured: dict[str, Any], step_size: float, radius: float) -> dict[str, Any]:
    """What the stability theorems allow at this step size and radius, beside what is there."""
    sharpness = theory.get("sam-stability-sharpness")
    left = evaluate(sharpness, "left", a=measured["sharpness"], radius=radius)
    limit = evaluate(sharpness, "limit", step_size=step_size)
    result: dict[str, float | str] = {
        "a(1 + ρa)": float(left.value),
        "at most 2/η": float(limit.value),
    }
    for order in (2, 3, 4):
        bound = evaluate(
            theory.get(f"sam-stability-s{order}"), "bound", step_size=step_size, radius=radius
        )
        result[f"s_{order}"] = measured[f"s{order}"]
        covered = bool(bound.covered)
        result[f"s_{order} at most"] = (
            float(bound.value) ** (1 / order)
            if covered
            else f"not covered: {bound.uncovered_by[0]}"
        )
    return result


def widths_of(description: str) -> list[int]:
    """The widths in `mlp:IN-...-OUT`.

    Raises:
        ValueError: if it is written otherwise.
    """
    kind, _, rest = description.partition(":")
    widths = rest.split("-")
    if kind != "mlp" or len(widths) < 2 or not all(width.isdecimal() for width in widths):
        raise ValueError(f"model {description!r} is not understood: write it like mlp:49-24-10")
    return [int(width) for width in widths]


def load_model(description: str, weights: str | None, device: str) -> nn.Sequential:
    """The network that `mlp:IN-...-OUT` names, with weights from a file or of seed 0."""
    network = mlp(widths_of(description), device=device)
    if weights is not None:
        if not Path(weights).is_file():
            raise ValueError(f"{weights}: no such file with weights")
        try:
            state = torch.load(weights, map_location=device, weights_only=True)
        except Exception as problem:  # of many kinds, each with paragraphs of advice
            raise ValueError(
                f"{weights} holds no weights: write it with torch.save(model.state_dict(), ...)"
            ) from problem
        try:
            network.load_state_dict(state)
        except Exception as problem:  # RuntimeError, TypeError and what strange entries raise
            what = " ".join(str(problem).split())
            raise ValueError(f"{weights} does not fit {description}: {what}") from problem
    return network


def load_data(description: str, loss: str, device: str) -> tuple[Tensor, Tensor]:
    """Inputs and targets: one-hot targets for the square loss, labels for cross-entropy."""
    kind = "one-hot" if loss == "square" else "integer"
    name, *numbers = description.split(":")
    if name == "mnist" and len(numbers) in (1, 2) and all(n.isdecimal() for n in numbers):
        samples, pool = int(numbers[0]), int(numbers[1]) if len(numbers) == 2 else 1
        subset = mnist_subset(samples, pool=pool, targets=kind, device=device)
        return subset.inputs, subset.targets
    path = Path(description)
    if path.suffix != ".npz" or not path.is_file():
        raise ValueError(
            f"data {description!r} is not understood: write mnist:60:4 or name a .npz file"
        )
    inputs, targets = (torch.from_numpy(array) for array in read_arrays(path))
    return inputs.double().to(device), targets.to(device)


def read_arrays(path: Path) -> list[np.ndarray]:
    """The arrays `inputs` and `targets` of an archive.

    Raises:
        ValueError: if it cannot be read, lacks one of them, or one holds no real numbers.
    """
    advice = f"write it with numpy.savez({path.name!r}, inputs=..., targets=...)"
    arrays = []
    try:
        if not zipfile.is_zipfile(path):
            raise ValueError("it is no NumPy archive")
        with np.load(path, allow_pickle=False) as archive:
            for name in ("inputs", "targets"):
                if name not in archive.files:
                    raise ValueError(f"it has no array {name!r}")
                arrays.append(archive[name])
                if arrays[-1].dtype.kind not in "iuf" or not arrays[-1].ndim:
                    raise ValueError(f"{name} is no array of real numbers")
    except (OSError, ValueError, zipfile.BadZipFile, zlib.error) as problem:
        raise ValueError(f"{path} cannot be used ({problem}): {advice}") from None
    return arrays
