"""Many small networks at once against one after the other, side by side in one process.

    python benchmarks/training.py small
    python benchmarks/training.py wide --rounds 3 --threads 2

Methods take turns (A B C A B C); all must end at the same losses to 1e-6, or the run fails.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from functools import partial
from pathlib import Path
from typing import Any

import torch
from machine import describe, timed
from torch import Tensor, nn

from numerics.data.mnist import mnist_subset
from numerics.hessians import CROSS_ENTROPY
from numerics.networks.perceptrons import mlp
from numerics.training.ensembles import generator
from numerics.training.epochs import Data, fit_ensemble
from numerics.training.optimizers import SAM as Optimizer
from numerics.training.to_loss import Member
from theory.trusted.algorithms import NORMALIZED_SAM

RESULTS = Path(__file__).parent / "results"
AGREEMENT = 1e-6
MEMBERS = 16
#: Case -> hidden widths, samples, pooling of the images, batch size, epochs.
CASES = {
    "small": ((24,), 600, 4, 12, 8),
    "wide": ((300, 100), 600, 1, 60, 2),
}


def setting(case: str, device: torch.device) -> tuple[partial[nn.Module], Data, list[Member], int]:
    """The network, the data, the members (seeds times radii) and the epochs."""
    hidden, samples, pool, batch, epochs = CASES[case]
    subset = mnist_subset(samples, pool=pool, device=device)
    part = (subset.inputs, subset.targets)
    build = partial(mlp, (subset.inputs.shape[1], *hidden, 10), "relu", device=device)
    members = [
        Member(seed, NORMALIZED_SAM, 0.05, radius, batch, momentum=0.9, weight_decay=1e-4)
        for seed in range(MEMBERS // 4)
        for radius in (0.0, 0.02, 0.05, 0.1)
    ]
    return build, Data(part, part, part), members, epochs


def plain(build: partial[nn.Module], data: Data, member: Member, epochs: int) -> float:
    """One network by the optimiser in an ordinary loop; returns the final training loss."""
    model, (x, y) = build(member.seed), data.training
    optimizer = Optimizer(
        model.parameters(),
        member.spec,
        member.step_size,
        member.radius,
        member.momentum,
        member.weight_decay,
    )
    order = generator(member.seed, "epochs")
    for _ in range(epochs):
        shuffled = torch.randperm(len(x), generator=order).to(x.device)
        for batch in shuffled.split(member.batch_size):

            def closure(batch: Tensor = batch) -> Tensor:
                loss = nn.functional.cross_entropy(model(x[batch]), y[batch])
                loss.backward()
                return loss

            optimizer.step(closure)
    with torch.no_grad():
        return float(nn.functional.cross_entropy(model(x), y))


def run(case: str, rounds: int, device: torch.device) -> dict[str, Any]:
    """Time every method, in turn."""
    build, data, members, epochs = setting(case, device)

    def fitted(chosen: list[Member]) -> list[float]:
        fits = fit_ensemble(build, CROSS_ENTROPY, data, chosen, epochs=epochs)
        return [fit.training_loss for fit in fits]

    methods = {
        "at once": lambda: fitted(members),
        "in turn": lambda: [loss for member in members for loss in fitted([member])],
        "in turn, torch loop": lambda: [plain(build, data, m, epochs) for m in members],
    }
    fitted(members[:1])  # warm: imports, thread pools
    rows = {name: {"method": name, "wall": [], "cpu": [], "difference": 0.0} for name in methods}
    reference: list[float] = []
    for _ in range(rounds):
        for name, call in methods.items():
            losses, timing = timed(call, device)
            reference = reference or losses
            pairs = zip(losses, reference, strict=True)
            difference = max(abs(a - b) for a, b in pairs)
            rows[name]["wall"].append(timing.wall)
            rows[name]["cpu"].append(timing.cpu)
            rows[name]["difference"] = max(difference, rows[name]["difference"])
            print(f"{name:20s} {timing.wall:8.2f} s   difference {difference:.1e}", file=sys.stderr)
            if not difference <= AGREEMENT:
                raise SystemExit(f"{name} ends {difference:.3g} away from the same losses")
    medians = {name: statistics.median(row["wall"]) for name, row in rows.items()}
    return {
        "case": case,
        "members": len(members),
        "parameters": sum(p.numel() for p in build(0).parameters()),
        "batch_size": members[0].batch_size,
        "steps": epochs * (len(data.training[0]) // members[0].batch_size),
        "speedup": {name: medians[name] / medians["at once"] for name in list(methods)[1:]},
        "rows": list(rows.values()),
    }


def main() -> None:
    """Run one case and write its JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("case", choices=CASES)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    device = torch.device(arguments.device)
    machine = describe(device)
    result = run(arguments.case, arguments.rounds, device)
    RESULTS.mkdir(exist_ok=True)
    target = RESULTS / f"training-{arguments.case}-{device.type}.json"
    target.write_text(json.dumps(result | {"machine": machine}, indent=1) + "\n")
    print(target)


if __name__ == "__main__":
    main()
