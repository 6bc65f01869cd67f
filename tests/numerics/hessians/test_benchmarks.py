"""The benchmarks' peers compute the same Hessian, as far as they are installed."""

from __future__ import annotations

import importlib
import json

import pytest
import torch

from numerics.hessians import CROSS_ENTROPY, exact
from numerics.networks.perceptrons import mlp

# Both sides are exact up to round-off: sums of order-1 terms, 1e-16 each.
ROUNDING = 1e-12


@pytest.fixture
def benchmarks(root, monkeypatch):
    monkeypatch.syspath_prepend(str(root / "benchmarks"))
    return importlib.import_module("hessian")


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")  # inside curvlinops
@pytest.mark.parametrize("loops", [False, True])
def test_every_peer_that_runs_agrees(benchmarks, loops):
    g = torch.Generator().manual_seed(0)
    x, y = torch.randn(6, 3, generator=g).double(), torch.randint(0, 2, (6,), generator=g)
    model = mlp((3, 4, 2))
    expected = exact(model, CROSS_ENTROPY, x, y)
    ran = 0
    for peer in benchmarks.hessian_peers(model, x, y, loops=loops).values():
        if peer.runs:
            found = peer.matrix() if peer.matrix else peer.rows(5)
            torch.testing.assert_close(found, expected[: len(found)], rtol=0, atol=ROUNDING)
            ran += 1
    assert ran >= 4  # those of torch itself
    assert all(p.grad is None and p.requires_grad for p in model.parameters())


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
def test_a_run_becomes_a_table(benchmarks, monkeypatch):
    monkeypatch.setattr(benchmarks, "SAMPLES", 5)
    monkeypatch.setattr(benchmarks, "COLUMNS", 3)
    monkeypatch.setattr(benchmarks, "gemm_rate", lambda device: 1e9)
    monkeypatch.setitem(benchmarks.EXACT, "tiny", lambda: mlp((32, 2)))
    monkeypatch.setitem(benchmarks.INPUTS, "tiny", 32)
    device = torch.device("cpu")
    monkeypatch.setattr(benchmarks, "data", lambda *_: _tiny())
    result = benchmarks.run_exact("tiny", 1, device, ["curvlinops"])
    rows = {row["method"]: row for row in result["rows"]}
    assert rows["curvlinops"]["version"] in ("left out of this run", "absent")
    assert max(row["difference"] or 0 for row in rows.values()) < ROUNDING
    assert "wall_extrapolated" in rows["product per column"]
    tables = importlib.import_module("tables")
    machine = importlib.import_module("machine").describe(device)
    text = tables.table("tiny", json.loads(json.dumps(result | {"machine": machine})))
    assert "| product per column (extrapolated) |" in text and "d = 66, n = 5" in text


def _tiny():
    g = torch.Generator().manual_seed(0)
    return torch.randn(5, 32, generator=g).double(), torch.randint(0, 2, (5,), generator=g)
