"""Tables and runs of `sparsity` and `failures`, from records made up by hand."""

import numpy as np
import pytest

from numerics.networks.patch_attention import AttentionMnist
from numerics.networks.scaled_mnist import ScaledMnist
from numerics.training.epochs import Data
from paper_figures import style
from paper_figures.figures import failures, mnist_generalisation, sparsity
from paper_figures.runs import Record, Run

TUNED = "SAM, tuned radius"
#: Student's quantile for a 95% interval over three values, from a table.
QUANTILE = 4.302652729911275
RNG = np.random.default_rng(0)


def records(setting, size, kept=None):
    """Three seeds with SGD, a worse radius and a better one; errors between 0 and 1."""
    errors = RNG.uniform(0.1, 0.2, (3, 3))
    return [
        Record(
            Run(setting, seed),
            {
                "size": size,
                "kept": kept or {},
                "members": [
                    {
                        "radius": radius,
                        "validation": validation,
                        "test_best": errors[seed, k],
                        "test_last": errors[seed, k] + 0.01 * k,
                        "training_score": 0.1,
                        "diverged": False,
                    }
                    for k, (radius, validation) in enumerate(((0, 0.3), (0.05, 0.2), (0.1, 0.1)))
                ],
            },
            f"key {seed}",
            0.0,
            {},
        )
        for seed in range(3)
    ]


def gains(group, epoch):
    """Of the radius 0.1, in points."""
    members = [record.result["members"] for record in group]
    return 100 * np.array([m[0][f"test_{epoch}"] - m[2][f"test_{epoch}"] for m in members])


SMALL, LARGE = records({"scale": 1}, 500), records({"scale": 2}, 10_000)
PRUNED = {
    method: records(
        {"scale": 2, "remaining": 500, "pruning": method}, 500, {"first": 0.02, "last": 0.5}
    )
    for method in ("random", "snip")
}
SPARSITY = [*SMALL, *PRUNED["random"], *PRUNED["snip"], *LARGE]


def test_sparse_networks_are_compared_with_dense_ones_of_their_size():
    rows = sparsity.table({}, SPARSITY)
    assert len(rows) == 4 * 3 * 2  # networks, methods, epochs
    for method, group in PRUNED.items():
        for epoch in ("best", "last"):
            (row,) = (
                r for r in rows if (r["network"], r["method"], r["epoch"]) == (method, TUNED, epoch)
            )
            assert row["sparsity"] == pytest.approx(0.95, rel=1e-12)
            assert row["least_kept_in_a_layer"] == pytest.approx(0.02, rel=1e-12)
            more = gains(group, epoch) - gains(SMALL, epoch)
            mean, reach = more.mean(), QUANTILE * more.std(ddof=1) / 3**0.5
            found = [row[f"extra_gain{end}"] for end in ("", "_low", "_high")]
            assert found == pytest.approx([mean, mean - reach, mean + reach], rel=1e-9)
    for row in rows:
        alone = row["network"] == "dense" or row["method"] == "SGD"
        assert (row["extra_gain"] is None) == alone
        if row["network"] == "dense":
            assert (row["sparsity"], row["least_kept_in_a_layer"]) == (0, 1)


def points(axes):
    """The curves of a panel: positions and heights, without the line at zero."""
    return [container.lines[0].get_data() for container in axes.containers]


def test_sparsity_draws_accuracies_and_improvements():
    rows = sparsity.table({}, SPARSITY)
    with style.applied():
        sgd, sam, gain, extra = sparsity.draw(rows).axes
    assert [len(points(axes)) for axes in (sgd, sam, gain, extra)] == [3, 3, 3, 2]
    x, y = points(sgd)[0]  # the dense networks, stepped aside by 3%
    assert x == pytest.approx(np.array([500, 10_000]) / 1.03, rel=1e-12)
    errors = [np.mean([r.result["members"][0]["test_best"] for r in g]) for g in (SMALL, LARGE)]
    assert y == pytest.approx(100 - 100 * np.array(errors), rel=1e-12)
    labels = [label.get_text() for label in gain.get_xticklabels()]
    assert labels == ["500\n95%", "10 k\n"]


@pytest.mark.parametrize("preset", ["smoke", "laptop", "paper"])
def test_large_sparse_networks_have_as_many_parameters_as_small_dense_ones(preset, monkeypatch):
    monkeypatch.setattr(sparsity, "fingerprint", lambda *_: "data")
    monkeypatch.setattr(sparsity.SparseMnist, "data", lambda self: Data((), (), ()))
    parameters = sparsity.RECIPE.parameters(preset)
    wanted = sparsity.runs(parameters)
    inputs = 784 // parameters["setting"].get("pool", 1) ** 2
    hidden = [(round(300 * k), round(100 * k)) for k in parameters["scales"]]
    dense = {(inputs + 1) * a + (a + 1) * b + (b + 1) * 10 for a, b in hidden}
    remaining = {run.parameters["remaining"] for run in wanted if "remaining" in run.parameters}
    assert remaining == dense - {max(dense)}
    sparse = [run for run in wanted if "remaining" in run.parameters]
    assert {run.parameters["scale"] for run in sparse} == {max(parameters["scales"])}
    networks = len(dense) + 2 * (len(dense) - 1)
    assert len(wanted) == networks * len(parameters["seeds"])
    if preset != "smoke":  # up to 99% sparsity
        assert 1 - min(dense) / max(dense) == pytest.approx(0.99, abs=0.002)


CASES = [
    {"scale": 1},
    {"scale": 1, "weight_decay": 0.0},
    {"network": "attention", "width": 8},
]
GROUPS = [records(setting, 1000) for setting in CASES]


def test_failures_tables_and_panels():
    rows = failures.table({}, [record for group in GROUPS for record in group])
    assert len(rows) == 3 * 3 * 2
    with style.applied():
        axes = failures.draw(rows).axes
    reference, undecayed, attention = GROUPS
    below = [
        [(reference, "best"), (undecayed, "best")],
        [(reference, "best"), (reference, "last")],
        [(attention, "best")],
    ]
    for panel, curves in zip(axes[3:], below, strict=True):
        heights = [float(y[0]) for _, y in points(panel)]
        expected = [gains(group, epoch).mean() for group, epoch in curves]
        assert heights == pytest.approx(expected, rel=1e-9)


def test_failures_train_the_network_they_name():
    setting = {
        "samples": 60,
        "validation": 20,
        "test": 20,
        "epochs": 1,
        "radii": [0.05],
        "batch_size": 20,
        "weight_decay": 0.0,
    }
    for network, kind, size in (
        ("perceptron", ScaledMnist, {"scale": 0.05}),
        ("attention", AttentionMnist, {"width": 4}),
    ):
        found = failures.RECIPE.compute(Run({**setting, **size, "network": network}, 2))
        assert found == kind(**setting, **size).outcome(2)
    assert failures.RECIPE.compute(Run({**setting, "scale": 0.05}, 2)) == ScaledMnist(
        **setting, scale=0.05
    ).outcome(2)


def test_the_reference_of_failures_is_what_mnist_generalisation_has_trained():
    parameters = failures.RECIPE.parameters("smoke")
    wanted = failures.runs(parameters)
    reference = mnist_generalisation.RECIPE.runs(mnist_generalisation.RECIPE.parameters("smoke"))
    assert wanted[: len(reference)] == reference
    others = wanted[len(reference) :]
    undecayed, attention = others[: len(reference)], others[len(reference) :]
    assert [{**r.parameters, "weight_decay": 1e-4} for r in undecayed] == [
        {**r.parameters, "weight_decay": 1e-4} for r in reference
    ]
    assert {r.parameters["weight_decay"] for r in undecayed} == {0.0}
    assert [(r.parameters["width"], r.seed) for r in attention] == [
        (width, seed) for width in (8, 16) for seed in (0, 1, 2)
    ]
    assert {r.parameters["network"] for r in attention} == {"attention"}
    assert failures.RECIPE.compute is mnist_generalisation.RECIPE.compute
    assert failures.RECIPE.stored_under == mnist_generalisation.RECIPE.stored_under
