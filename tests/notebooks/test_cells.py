"""What a reader may do to the notebooks: another network, no widgets."""

from __future__ import annotations

import json
import sys

import matplotlib.pyplot as plt
import pytest
import torch

NETWORK = """
import torch
from torch import nn

from numerics.hessians import SQUARE_LOSS

torch.manual_seed(3)
model = nn.Sequential(
    nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 2)
).double()
inputs = torch.randn(18, 1, 8, 8, dtype=torch.float64)
targets = nn.functional.one_hot(torch.randint(0, 2, (18,)), 2).double()
loss = SQUARE_LOSS
"""


@pytest.fixture
def run(root):
    """Runs cells of a notebook in order, some of them with other source; returns the names."""

    def cells_of(name, leave_out=(), instead=None):
        cells = json.loads((root / "notebooks" / name).read_text(encoding="utf-8"))["cells"]
        code = {c["id"]: "".join(c["source"]) for c in cells if c["cell_type"] == "code"}
        replaced = instead or {}
        assert {*leave_out, *replaced} <= code.keys()
        names = {"__name__": "notebook"}
        for cell, source in (code | replaced).items():
            if cell not in leave_out:
                exec(compile(source, f"{name}, {cell}", "exec"), names)
        return names

    with torch.random.fork_rng():
        yield cells_of


@pytest.mark.slow
def test_the_map_falls_back_to_pictures(run, monkeypatch):
    titles = []

    def note():
        titles.append(plt.gca().get_title("left"))
        plt.close()

    plt.switch_backend("Agg")
    monkeypatch.setattr(plt, "show", note)
    monkeypatch.setitem(sys.modules, "ipywidgets", None)  # importing it raises ImportError
    names = run("03-stability-map.ipynb", leave_out={"simulate"})
    assert names["ipywidgets"] is None
    verdicts = {1: "unstable", 4: "stable", 40: "stable"}
    assert titles == [f"batch size {size}: {verdict}" for size, verdict in verdicts.items()]


@pytest.mark.slow
def test_one_cell_is_all_that_another_network_needs(run):
    names = run("04-your-own-network.ipynb", leave_out={"simulate"}, instead={"bring": NETWORK})
    assert names["samples"].size == 40 + 74  # the convolution and the linear layer
    sgd, sam = names["found"][18]
    # full batch: 2 / a and 2 / (a (1 + rho a)) with rho a = 1/2; brackets are narrower than 1e-6
    assert sgd / sam == pytest.approx(1.5, rel=1e-6)
