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
from numerics.checks import check_choice, check_finite, check_positive
from numerics.data.mnist import mnist_subset
from numerics.errors import ModelFails
from numerics.hessians import (
    CROSS_ENTROPY,
    SQUARE_LOSS,
    SampleHessians,
    exact,
    moments,
    per_sample,
    step_mean_extremes,
    step_second_moment,
)
from numerics.hessians.guards import MEMORY_LIMIT, MemoryRefused
from numerics.hessians.losses import Loss
from numerics.networks.perceptrons import mlp
from numerics.stability import stability_threshold
from theory.evaluation import evaluate
from theory.messages import failure
from theory.userfiles import module_of_file

__all__ = ["load_data", "load_model", "report_of_network"]

_LARGEST = np.iinfo(np.int64).max

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
    memory_limit: float = MEMORY_LIMIT / 2**30,
) -> dict[str, Any]:
    r"""Exact spectrum, $a$, $s_k$ and the stability conditions of a network on a data set.

    Args:
        model: `mlp:IN-...-OUT`, or a Python file with a function `model()` that returns an
            `nn.Module`; it is called with PyTorch's seed 0 and moved to float64.
        data: `mnist:N` or `mnist:N:POOL` (rows of pixels), or a NumPy archive with `inputs` and
            `targets`; a network of your own gets integer inputs (tokens) as integers.
        weights: a file with a state dict; the initial network of seed 0 if None.
        loss: `square` or `cross-entropy`.
        step_size: $\eta$.
        radius: $\rho$ of unnormalised SAM.
        batch_size: samples in a batch, drawn without replacement.
        device: where to compute.
        memory_limit: GiB that a dense result may take.

    Raises:
        ValueError: for anything that cannot be read or does not fit together.
    """
    check_choice("loss", loss, tuple(LOSSES))
    check_positive("memory_limit", memory_limit)
    network = load_model(model, weights, device)
    inputs, targets = load_data(data, loss, device)
    if len(targets) != len(inputs):
        raise ValueError(
            f"{data} has {len(inputs)} inputs and {len(targets)} targets: give one for each"
        )
    if not is_file(model):
        inputs = inputs.double()
        fit(model, data, loss, inputs, targets)
    if loss == "square":
        targets = targets.double()
    limit = round(memory_limit * 2**30)
    try:
        hessian = exact(network, LOSSES[loss], inputs, targets, memory_limit=limit)
        hessians = per_sample(network, LOSSES[loss], inputs, targets, memory_limit=limit)
    except ModelFails as problem:
        what = " ".join(str(problem.__cause__).split())
        raise ValueError(f"{model} does not fit {data}: {what}") from problem
    except ValueError:
        raise
    except Exception as problem:  # whatever the network's own code raises
        what = failure(problem, Path(model).resolve() if is_file(model) else Path())
        raise ValueError(f"{model} fails on {data} ({what}): repair it") from problem
    check_finite("the Hessian", hessian)
    spectrum = torch.linalg.eigvalsh(hessian).cpu().tolist()
    measured = moments(hessians, batch_size=batch_size)
    setting = {"step_size": step_size, "radius": radius, "batch_size": batch_size}
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
            **step_extremes(hessians, step_size, radius, batch_size),
            "largest stable η": threshold(hessians, radius, batch_size),
        },
        "bounds": bounds(asdict(measured), step_size, radius),
    }


def fit(model: str, data: str, loss: str, inputs: Tensor, targets: Tensor) -> None:
    """Refuse data that a perceptron cannot take, with the width that would."""
    inside, *_, outside = widths_of(model)
    if inputs.ndim != 2 or inputs.shape[1] != inside:
        raise ValueError(
            f"{model} takes {inside} inputs and {data} has {tuple(inputs.shape[1:])}: "
            "change the first width"
        )
    if loss == "square" and targets.shape[1:] != (outside,):
        raise ValueError(
            f"{model} has {outside} outputs and the targets have shape "
            f"{tuple(targets.shape)}: change the last width"
        )


def step_extremes(
    hessians: SampleHessians, step_size: float, radius: float, batch_size: int
) -> dict[str, float | str]:
    """Extreme eigenvalues of the linearised step; in words, why they were not computed."""
    names = (
        "largest eigenvalue of E M_b²",
        "smallest eigenvalue of E M_b",
        "largest eigenvalue of E M_b",
    )
    try:
        second = step_second_moment(hessians, step_size, radius, batch_size=batch_size)
        low, high = step_mean_extremes(hessians, step_size, radius, batch_size=batch_size)
    except MemoryRefused as problem:
        return dict.fromkeys(names, f"none: {problem}")
    return dict(zip(names, (second.value, low.value, high.value), strict=True))


def threshold(hessians: SampleHessians, radius: float, batch_size: int) -> float | str:
    """The largest mean-square stable step size; in words, why a point has none."""
    try:
        return stability_threshold(hessians, radius, batch_size=batch_size).value
    except ValueError as problem:
        return f"none: {problem}"


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
        raise ValueError(
            f"model {description!r} is not understood: write it like mlp:49-24-10, or name a file "
            "that ends in .py"
        )
    return [int(width) for width in widths]


def is_file(description: str) -> bool:
    """Whether a model is described by a file of its own."""
    return description.endswith(".py")


def own_model(path: str, device: str) -> nn.Module:
    """What `model()` in the file returns, built with seed 0, in float64."""
    define = getattr(module_of_file(Path(path), "model"), "model", None)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        try:
            network = define() if callable(define) else None
        except Exception as problem:
            what = failure(problem, Path(path).resolve())
            raise ValueError(f"{path}: model() failed ({what}): repair it") from problem
    if not isinstance(network, nn.Module):
        raise ValueError(f"{path} defines no network: give it model() -> torch.nn.Module")
    return network.to(device=device, dtype=torch.float64)


def load_model(description: str, weights: str | None, device: str) -> nn.Module:
    """The network that `mlp:IN-...-OUT` or a file names, with weights from a file or of seed 0."""
    network = (
        own_model(description, device)
        if is_file(description)
        else mlp(widths_of(description), device=device)
    )
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
    inputs = inputs.double() if inputs.is_floating_point() else inputs.long()
    return inputs.to(device), targets.to(device)


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
                array = archive[name]
                if array.dtype.kind not in "iuf" or not array.ndim:
                    raise ValueError(f"{name} is no array of real numbers")
                if array.dtype.kind == "u" and array.size and array.max() > _LARGEST:
                    raise ValueError(f"{name} has integers above {_LARGEST}")
                # one float and one integer type: torch knows no long double and no other byte order
                with np.errstate(over="ignore"):  # infinite, and refused as such
                    arrays.append(array.astype(np.float64 if array.dtype.kind == "f" else np.int64))
    except (OSError, ValueError, zipfile.BadZipFile, zlib.error) as problem:
        raise ValueError(f"{path} cannot be used ({problem}): {advice}") from None
    return arrays
