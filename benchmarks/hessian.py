"""Exact Hessians and their moments, side by side with other tools in one process.

    python benchmarks/hessian.py list
    python benchmarks/hessian.py exact mlp-7k --rounds 2
    python benchmarks/hessian.py moments large
    python benchmarks/hessian.py table            # results/*.json into docs/hessians.md

Methods take turns (A B A B); each must give the first one's result to 1e-10, or the run fails.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

import torch
from machine import describe, gemm_rate, timed
from peers import COLUMNS, NestedProducts, Peer, dense_moments, hessian_peers
from tables import write_tables
from torch import Tensor, nn

from numerics.hessians import CROSS_ENTROPY, exact, moments, per_sample
from numerics.networks.perceptrons import mlp

HERE = Path(__file__).parent
RESULTS = HERE / "results"
AGREEMENT = 1e-10
SAMPLES = 1000
TOLERANCE = 1e-7
"""Relative residual at which Lanczos stops, the same for all methods."""


def perceptron(*widths: int) -> nn.Module:
    """A tanh perceptron in float64."""
    return mlp(widths)


def convolutional() -> nn.Module:
    """Two convolutions on 8 x 8 images, then a linear layer."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Unflatten(1, (1, 8, 8)),
            nn.Conv2d(1, 6, 3, stride=2, padding=1),
            nn.Tanh(),
            nn.Conv2d(6, 8, 3, stride=2, padding=1),
            nn.Tanh(),
            nn.Flatten(),
            nn.Linear(32, 10),
        ).double()


EXACT = {
    "mlp-1k": lambda: perceptron(32, 24, 10),
    "mlp-3k": lambda: perceptron(48, 50, 10),
    "mlp-7k": lambda: perceptron(64, 96, 10),
    "cnn-1k": convolutional,
}
INPUTS = {"mlp-1k": 32, "mlp-3k": 48, "mlp-7k": 64, "cnn-1k": 64}
MOMENTS = {
    "dense": ((32, 24, 10), 200),
    "small": ((784, 16, 10), 300),
    "large": ((784, 64, 10), 1000),
}
MEMORY = 8 * 2**30
"""Bytes a peer may take."""

LOOPED = 1500
"""Largest d for which `torch.autograd.functional.hessian` runs to its end."""


def data(inputs: int, samples: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Seeded inputs and labels."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(samples, inputs, generator=generator, dtype=torch.float64)
    y = torch.randint(0, 10, (samples,), generator=generator)
    return x.to(device), y.to(device)


def run_exact(case: str, rounds: int, device: torch.device, skip: list[str]) -> dict[str, Any]:
    """Time every method on one network, in turn."""
    model = EXACT[case]().to(device)
    x, y = data(INPUTS[case], SAMPLES, device)
    size = sum(p.numel() for p in model.parameters())
    methods = {"sam-theory": Peer("this tree", lambda: exact(model, CROSS_ENTROPY, x, y))}
    methods |= hessian_peers(model, x, y, loops=size <= LOOPED)
    # torch.func.hessian runs all d tangents at once through every hidden activation
    needed = 4 * 8 * size * sum(o.numel() for o in hidden(model, x))
    if needed > MEMORY:
        methods["torch.func.hessian"] = Peer(f"needs about {needed / 2**30:.0f} GiB")
    methods |= {name: Peer("left out of this run") for name in skip if methods[name].runs}
    rows: dict[str, dict[str, Any]] = {
        name: {"method": name, "version": m.version, "wall": [], "cpu": [], "difference": None}
        for name, m in methods.items()
    }
    warm(model, x[:8], y[:8], [name for name, method in methods.items() if method.runs])
    reference, rates = None, []
    for turn in range(rounds):
        for name, method in methods.items():
            slow = turn > 0 and rows[name]["wall"][:1] > [100 * rows["sam-theory"]["wall"][0]]
            if not method.runs or slow:
                continue
            rates.append(gemm_rate(device))
            hessian = measure(method, rows[name], size, device)
            reference = hessian if reference is None else reference
            gap = hessian - reference[: len(hessian)]
            difference = float(gap.abs().max() / reference.abs().max())
            rows[name]["difference"] = difference
            report(name, (rows[name]["wall"] or rows[name]["columns_seconds"])[-1], difference)
            if difference > AGREEMENT:
                raise SystemExit(f"{name} differs by {difference:.3g} of the largest entry")
            del hessian
    rate = statistics.median(rates)
    return {
        "case": case,
        "parameters": size,
        "samples": SAMPLES,
        "gemm_gflops": [round(r / 1e9, 2) for r in rates],
        "floor_seconds": SAMPLES * size**2 / rate,
        "rows": list(rows.values()),
    }


def warm(model: nn.Module, x: Tensor, y: Tensor, names: list[str]) -> None:
    """Call every method once on a few samples: imports, thread pools, kernels."""
    exact(model, CROSS_ENTROPY, x, y)
    for name, method in hessian_peers(model, x, y).items():
        if name in names and method.matrix is not None:
            method.matrix()
        elif name in names and method.rows is not None:
            method.rows(1)


def measure(method: Peer, row: dict[str, Any], size: int, device: torch.device) -> Tensor:
    """Time one call into the row; a loop by its first column and by the next ones."""
    if method.matrix is not None:
        hessian, timing = timed(method.matrix, device)
        row["wall"].append(timing.wall)
        row["cpu"].append(timing.cpu)
        return hessian
    assert method.rows is not None, "only methods that run are measured"
    _, first = timed(lambda: method.rows(1), device)
    some, timing = timed(lambda: method.rows(COLUMNS), device)
    row.setdefault("first_column_seconds", []).append(first.wall)
    row.setdefault("columns_seconds", []).append(timing.wall)
    one, all_of_them = (
        statistics.median(row[key]) for key in ("first_column_seconds", "columns_seconds")
    )
    row["wall_extrapolated"] = one + (size - 1) * (all_of_them - one) / (COLUMNS - 1)
    return some


def hidden(model: nn.Module, x: Tensor) -> list[Tensor]:
    """Outputs of every layer."""
    outputs = [x]
    with torch.no_grad():
        for module in model:
            outputs.append(module(outputs[-1]))
    return outputs[1:]


def run_moments(case: str, rounds: int, device: torch.device) -> dict[str, Any]:
    """Time a, s_2, s_3, s_4 (dense or by Lanczos) against the naive route, in turn."""
    widths, samples = MOMENTS[case]
    model = perceptron(*widths).to(device)
    x, y = data(widths[0], samples, device)
    size = sum(p.numel() for p in model.parameters())
    method = "dense" if case == "dense" else "lanczos"

    def ours() -> list[float]:
        found = moments(per_sample(model, CROSS_ENTROPY, x, y), method=method, tolerance=TOLERANCE)
        errors["relative"] = max(
            getattr(found, f"{s}_error") / getattr(found, s)
            for s in ("sharpness", "s2", "s3", "s4")
        )
        return [found.sharpness, *found.gaps]

    few = per_sample(model, CROSS_ENTROPY, x[:4], y[:4])
    moments(few, method=method, tolerance=1e-2)  # warm: imports, thread pools
    NestedProducts(model, x[:4], y[:4], at_once=4).mean_matvec(x.new_ones(size), 2)
    errors: dict[str, float] = {}
    nested = NestedProducts(model, x, y, at_once=100)

    def naive() -> list[float]:
        if case == "dense":
            return dense_moments(model, x, y)
        found = moments(nested, method=method, tolerance=TOLERANCE)
        return [found.sharpness, *found.gaps]

    names = {"sam-theory": ours, "dense per sample" if case == "dense" else "nested vmap": naive}
    rows = {n: {"method": n, "wall": [], "cpu": [], "difference": None} for n in names}
    results: dict[str, list[float]] = {}
    if case == "large":
        estimate = count_products(model, x, y, nested, rounds, rows, device, ours)
        return result_moments(case, size, samples, rows, errors) | estimate
    for _ in range(rounds):
        for name, call in names.items():
            results[name], timing = timed(call, device)
            rows[name]["wall"].append(timing.wall)
            rows[name]["cpu"].append(timing.cpu)
            pairs = zip(results[name], results["sam-theory"], strict=True)
            difference = max(abs(a - b) / abs(b) for a, b in pairs)
            rows[name]["difference"] = difference
            report(name, timing.wall, difference)
            if difference > AGREEMENT:
                raise SystemExit(f"{name} differs by {difference:.3g}")
    return result_moments(case, size, samples, rows, errors)


def count_products(model, x, y, nested, rounds, rows, device, ours) -> dict[str, Any]:
    """The large case: all of ours, single products of the naive route, and how many are needed."""
    hessians = per_sample(model, CROSS_ENTROPY, x, y)
    needed = dict.fromkeys((1, 2, 3, 4), 0)
    multiply = hessians.mean_matvec

    def counted(vector: Tensor, power: int = 1) -> Tensor:
        needed[power] += 1
        return multiply(vector, power)

    hessians.mean_matvec = counted
    moments(hessians, method="lanczos", tolerance=TOLERANCE)
    generator = torch.Generator().manual_seed(1)
    vector = torch.randn(hessians.size, generator=generator, dtype=torch.float64).to(device)
    seconds: dict[int, list[float]] = {k: [] for k in needed}
    for _ in range(rounds):
        _, timing = timed(ours, device)
        rows["sam-theory"]["wall"].append(timing.wall)
        rows["sam-theory"]["cpu"].append(timing.cpu)
        report("sam-theory", timing.wall, 0.0)
        for power in (1, 4):
            product, single = timed(lambda k=power: nested.mean_matvec(vector, k), device)
            seconds[power].append(single.wall)
            expected = multiply(vector, power)
            difference = float((product - expected).norm() / expected.norm())
            report(f"nested vmap, one product, power {power}", single.wall, difference)
            rows["nested vmap"]["difference"] = difference
            if difference > AGREEMENT:
                raise SystemExit(f"nested vmap differs by {difference:.3g}")
    one, four = statistics.median(seconds[1]), statistics.median(seconds[4])
    per_power = {k: one + (k - 1) * (four - one) / 3 for k in needed}
    total = sum(needed[k] * per_power[k] for k in needed)
    rows["nested vmap"]["wall_extrapolated"] = total
    return {
        "products_needed": needed,
        "nested_product_seconds": {"1": seconds[1], "4": seconds[4]},
        "note": "nested vmap: products needed times measured seconds per product, powers 2 and 3 "
        "interpolated",
    }


def result_moments(case, size, samples, rows, errors) -> dict[str, Any]:
    """The JSON of one moments case."""
    return {
        "case": case,
        "parameters": size,
        "samples": samples,
        "relative_error_bound": errors["relative"],
        "rows": list(rows.values()),
    }


def report(name: str, seconds: float, difference: float) -> None:
    """One line on stderr for each measured call."""
    print(f"{name:36s} {seconds:9.3f} s   difference {difference:.1e}", file=sys.stderr)


def main() -> None:
    """Run one case and write its JSON, or rewrite the tables of the documentation."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=("list", "exact", "moments", "table"))
    parser.add_argument("case", nargs="?", help="see `list`")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--tag", default="", help="added to the name of the JSON file")
    parser.add_argument("--skip", default="", help="comma-separated methods to leave out")
    arguments = parser.parse_args()
    cases = {"exact": EXACT, "moments": MOMENTS}.get(arguments.task, {})
    if arguments.task == "list":
        for task, names in (("exact", EXACT), ("moments", MOMENTS)):
            print(task, *names)
    elif arguments.task == "table":
        write_tables(RESULTS, HERE.parent / "docs" / "hessians.md")
    elif arguments.case not in cases:
        parser.error(f"case is {arguments.case!r}: choose one of {', '.join(cases)}")
    else:
        torch.set_num_threads(arguments.threads)
        device = torch.device(arguments.device)
        machine = describe(device)
        if arguments.task == "exact":
            skip = [name for name in arguments.skip.split(",") if name]
            result = run_exact(arguments.case, arguments.rounds, device, skip)
        else:
            result = run_moments(arguments.case, arguments.rounds, device)
        RESULTS.mkdir(exist_ok=True)
        target = RESULTS / f"{arguments.task}-{arguments.case}{arguments.tag}-{device.type}.json"
        target.write_text(json.dumps(result | {"machine": machine}, indent=1) + "\n")
        print(target)


if __name__ == "__main__":
    main()
