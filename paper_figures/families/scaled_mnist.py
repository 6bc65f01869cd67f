"""SGD and SAM on networks of several sizes on MNIST: the runs that six figures share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from numerics.data.mnist import fingerprint
from numerics.networks.patch_attention import AttentionMnist
from numerics.networks.scaled_mnist import MnistComparison, ScaledMnist
from paper_figures.families.comparisons import by_setting, gain_rows
from paper_figures.runs import Record, Run, seed_of
from paper_figures.tables import Row

__all__ = [
    "ATTENTION",
    "FAMILY",
    "PERCEPTRON",
    "PRESETS",
    "SEEDS",
    "SETTINGS",
    "accuracy",
    "compute",
    "preset",
    "runs",
    "table",
]

#: Where the runs of these figures are stored.
FAMILY = "scaled_mnist"
PERCEPTRON, ATTENTION = "perceptron", "attention"
NETWORKS: dict[str, type[MnistComparison]] = {PERCEPTRON: ScaledMnist, ATTENTION: AttentionMnist}

#: Settings of `ScaledMnist` by preset; each figure adds the scales and the label noise it needs.
SETTINGS: dict[str, dict[str, Any]] = {
    "smoke": {
        "samples": 400,
        "validation": 200,
        "test": 1000,
        "epochs": 8,
        "radii": [0.05, 0.1],
        "batch_size": 50,
    },
    "laptop": {"samples": 2000, "validation": 2000, "epochs": 40},
    "paper": {"samples": 55_000, "validation": 5000, "epochs": 100},
}
SEEDS = {"smoke": [0, 1, 2], "laptop": [0, 1, 2, 3, 4], "paper": [0, 1, 2, 3, 4]}


def preset(name: str, scales: Sequence[float], noise: Sequence[float] = (0.0,)) -> dict[str, Any]:
    """The setting of the preset with these sizes and shares of wrong labels."""
    setting, seeds = SETTINGS[name], SEEDS[name]
    return {"setting": setting, "scales": list(scales), "noise": list(noise), "seeds": seeds}


#: Sizes without label noise, for all that ask what the number of parameters does.
PRESETS = {
    "smoke": preset("smoke", (0.25, 0.5)),
    "laptop": preset("laptop", (0.25, 0.5, 1, 2)),
    "paper": preset("paper", (0.25, 0.5, 1, 4, 10)),
}


def runs(parameters: Mapping[str, Any]) -> list[Run]:
    """One run for each label noise, scale and seed: it trains SGD and every radius."""
    wanted = []
    for noise in parameters["noise"]:
        data = ScaledMnist(**parameters["setting"], label_noise=noise).data()
        print_of_data = fingerprint(*data.training, *data.validation, *data.test)
        wanted += [
            Run(
                {**parameters["setting"], "scale": scale, "label_noise": noise}, seed, print_of_data
            )
            for scale in parameters["scales"]
            for seed in parameters["seeds"]
        ]
    return wanted


def compute(run: Run) -> dict[str, Any]:
    """Train the members of one seed; error rates between 0 and 1."""
    setting = dict(run.parameters)
    network = NETWORKS[setting.pop("network", PERCEPTRON)]
    return network(**setting).outcome(seed_of(run), run.device)


def table(parameters: Mapping[str, Any], records: Sequence[Record]) -> list[Row]:
    """One row for each label noise, scale, method and chosen epoch; scores are error rates in %."""
    return [
        row
        for setting, group in by_setting(records)
        for row in gain_rows(group, 100, label_noise=setting["label_noise"], scale=setting["scale"])
    ]


def accuracy(error: Any) -> Any:
    """Both in percent."""
    return 100 - error
