"""Runs of the generalisation figures made up by hand, and their statistics typed again."""

import numpy as np
import pytest

from paper_figures.runs import Record, Run

RADII = (0.0, 0.02, 0.05, 0.1)
#: Seed -> validation and test errors of SGD and three radii; 0.1 is the best validated, not tested.
VALIDATION = np.array([[0.20, 0.18, 0.17, 0.15], [0.22, 0.21, 0.16, 0.17], [0.19, 0.2, 0.18, 0.15]])
BEST = np.array([[0.21, 0.17, 0.18, 0.19], [0.23, 0.18, 0.20, 0.20], [0.20, 0.16, 0.19, 0.17]])
LAST = BEST + 0.01


def records(validation=VALIDATION, **parameters):
    return [
        Record(
            Run({"scale": 1, "label_noise": 0.0, **parameters}, seed),
            {
                "size": 1000,
                "members": [
                    {
                        "radius": radius,
                        "validation": validation[seed][k],
                        "test_best": BEST[seed][k],
                        "test_last": LAST[seed][k],
                        "training_score": 0.1,
                        "diverged": False,
                    }
                    for k, radius in enumerate(RADII)
                ],
            },
            f"key {seed}",
            0.0,
            {},
        )
        for seed in range(3)
    ]


def interval(values):
    """Mean and 95% interval for three values, with Student's quantile from a table."""
    mean, reach = np.mean(values), 4.302652729911275 * np.std(values, ddof=1) / 3**0.5
    return pytest.approx([mean, mean - reach, mean + reach], rel=1e-9)


def numbers(row, name):
    return [row[name], row[f"{name}_low"], row[f"{name}_high"]]
