"""Every figure of the package builds, and its table holds what the library computes."""

import dataclasses
import importlib
import json

import numpy as np
import pytest
import torch

from numerics.problems import LeastSquares
from paper_figures.abstract import CLAIMS
from paper_figures.claims import Support, find
from paper_figures.recipes import discover, load
from paper_figures.runs import Record, Run
from paper_figures.tables import from_csv

FIGURES = discover()
#: Their smoke presets take more than a few seconds.
SLOW = (
    "best_radius",
    "convergence_width",
    "failures",
    "label_noise",
    "linearised",
    "minibatch_law",
    "minima_moments",
    "minima_radius",
    "mnist_generalisation",
    "normalised",
    "regression_1d",
    "sparsity",
    "stability_map",
    "teacher_student",
    "tuned_radius",
    "uniformity_width",
)
#: Their data does not ship with the project: their own tests write some.
NEED_DATA = ("cifar_resnet",)
BUILT = [
    pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW))
    for name in FIGURES
    if name not in NEED_DATA
]


def test_there_are_figures():
    assert {"linear_convergence", "minima_moments"} <= FIGURES.keys()


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    """Builds each figure once at its smoke preset; returns the folder."""
    from paper_figures.__main__ import main

    built = {}

    def call(name):
        if name not in built:
            built[name] = folder = tmp_path_factory.mktemp(name)
            folders = ["--out", str(folder), "--results", str(folder / "results")]
            options = ["--preset", "smoke", "--executor", "serial", "--device", "cpu", *folders]
            assert main(["build", name, *options]) == 0
        return built[name]

    return call


@pytest.fixture
def rows(smoke):
    return lambda name: from_csv((smoke(name) / f"{name}.csv").read_text())


@pytest.mark.parametrize("name", BUILT)
def test_figure_builds(name, smoke):
    folder = smoke(name)
    assert (folder / f"{name}.pdf").read_bytes().startswith(b"%PDF")
    assert (folder / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    manifest = json.loads((folder / f"{name}.json").read_text())
    assert manifest["caption"] == load(FIGURES[name]).caption
    assert manifest["computed"] == len(manifest["runs"]) > 0
    assert not list(folder.glob(".*"))


@pytest.mark.parametrize("name", FIGURES)
def test_figure_is_found_under_its_own_name(name):
    assert load(FIGURES[name]).name == name


def curve(rows, problem, algorithm):
    part = [r for r in rows if (r["problem"], r["algorithm"]) == (problem, algorithm)]
    return {column: np.array([row[column] for row in part]) for column in part[0]}


@pytest.mark.parametrize("problem", ["gaussian", "mnist"])
@pytest.mark.parametrize("algorithm", ["SGD", "SAM"])
def test_linear_convergence_agrees_with_the_library(rows, problem, algorithm):
    """The test calls the library itself, and types the proved factors a second time."""
    from theory import SAM, SGD

    column = curve(rows("linear_convergence"), problem, algorithm)
    instance = {"gaussian": LeastSquares.gaussian(10, 50, 0), "mnist": LeastSquares.mnist(10)}
    c = instance[problem].constants()
    rho = 0.0 if algorithm == "SGD" else c.mu / ((c.beta + c.mu) * c.beta)
    margin = c.mu - (c.beta + c.mu) * c.beta * rho / 2
    eta = margin / (c.smoothness * c.beta * (1 + c.beta * rho) ** 2)
    # Different orders of a few float64 operations.
    assert column["radius"] == pytest.approx(rho, rel=1e-12)
    assert column["step_size"] == pytest.approx(eta, rel=1e-12)
    spec = {"SGD": SGD, "SAM": SAM}[algorithm]
    exact = instance[problem].expected_losses(
        spec, column["step_size"][0], column["radius"][0], int(column["step"][-1])
    )
    # The same call with the same arguments: equal to the last bit.
    assert (column["expected_loss"] == exact.mean.numpy()[column["step"]]).all()
    factor = 1 - margin * eta
    # 400 factors of relative error 1e-16 each, and cancellation in 1 - factor.
    expected = column["expected_loss"][0] * factor ** column["step"]
    assert column["proved_loss"] == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize("problem", ["gaussian", "mnist"])
@pytest.mark.parametrize("algorithm", ["SGD", "SAM"])
def test_linear_convergence_is_consistent(rows, problem, algorithm):
    column = curve(rows("linear_convergence"), problem, algorithm)
    assert (column["expected_loss"] <= column["proved_loss"] * (1 + 1e-12)).all()  # round-off
    assert column["fitted_rate_high"][0] < column["proved_rate"][0] < 1
    assert (column["runs_low"] <= column["runs_high"]).all()
    # 20 independent runs, 5 standard errors; correlated steps make this one event, not 161.
    late = column["step"] > 0
    deviation = np.abs(column["runs_mean"] - column["expected_loss"])[late]
    assert (deviation <= 5 * column["runs_standard_error"][late]).all()


QUANTITIES = {"a": "sharpness", "s_2": "s2", "s_3": "s3", "s_4": "s4"}


@pytest.mark.slow
def test_minima_moments_agree_with_the_library(rows):
    from numerics.networks.perceptrons import MnistMlp

    setting = MnistMlp(samples=10, hidden=16, batch_size=4, target_loss=0.03, seeds=(1,))
    table = [row for row in rows("minima_moments") if row["seed"] == 1]
    assert len(table) == 12
    for minimum in setting.minima():
        part = [row for row in table if row["algorithm"] == minimum.run.member.spec.name]
        for row in part:
            # The same call with the same arguments: equal to the last bit.
            assert row["value"] == getattr(minimum.moments, QUANTITIES[row["quantity"]])
            assert row["training_loss"] == minimum.run.loss <= 0.03
            assert row["radius"] == minimum.run.member.radius


@pytest.mark.slow
def test_minima_moments_ratios_are_paired(rows):
    """Student's interval for the mean log ratio, typed a second time for two seeds."""
    table = rows("minima_moments")
    for symbol in QUANTITIES:
        values = {
            name: np.array(
                [r["value"] for r in table if (r["quantity"], r["algorithm"]) == (symbol, name)]
            )
            for name in ("SGD", "SAM", "normalised SAM")
        }
        for name in ("SAM", "normalised SAM"):
            row = next(r for r in table if (r["quantity"], r["algorithm"]) == (symbol, name))
            logs = np.log(values[name]) - np.log(values["SGD"])
            # Two seeds: standard error |x - y| / 2, and t = tan(0.95 pi / 2) for one degree of
            # freedom (Cauchy).
            reach = np.tan(0.95 * np.pi / 2) * abs(logs[0] - logs[1]) / 2
            expected = np.exp(logs.mean() + np.array([0, -reach, reach]))
            found = [row[column] for column in ("ratio_to_sgd", "ratio_low", "ratio_high")]
            # A dozen float64 operations, amplified by exp(reach).
            assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.slow
def test_minima_moments_draws_the_edge_of_the_theorem(rows):
    """a (1 + rho a) = 2 / eta, solved by hand; 2 / eta for SGD, none for normalised SAM."""
    for row in rows("minima_moments"):
        eta, rho = row["step_size"], row["radius"]
        edges = {
            "SGD": 2 / eta,
            "SAM": rho and (np.sqrt(1 + 8 * rho / eta) - 1) / (2 * rho),
            "normalised SAM": None,
        }
        expected = edges[row["algorithm"]] if row["quantity"] == "a" else None
        if expected is None:
            assert row["stability_edge"] is None
        else:
            # The root is found to 1e-12 in a number near 10.
            assert row["stability_edge"] == pytest.approx(expected, rel=1e-12)


def record(seed, reached):
    moments = {f"{name}{suffix}": 1.0 for name in QUANTITIES.values() for suffix in ("", "_error")}
    minimum = {
        "training_loss": 0.1,
        "steps": 1,
        "step_size": 0.1,
        "radius": 0.0,
        "batch_size": 1,
        "moments": moments,
    }
    missed = minimum | {"moments": None, "training_loss": None}
    minima = dict.fromkeys(("SGD", "SAM"), minimum)
    minima["normalised SAM"] = minimum if reached else missed
    return Record(Run({}, seed), {"minima": minima}, "key", 0.0, {})


def test_minima_moments_leaves_seeds_out_as_a_whole_and_says_so():
    recipe = load(FIGURES["minima_moments"])
    rows = recipe.table({}, [record(0, True), record(1, False), record(2, True)])
    assert {row["seed"] for row in rows} == {0, 2}
    assert {(row["seeds"], row["seeds_tried"]) for row in rows} == {(2, 3)}
    with pytest.raises(ValueError, match="1 of 2 seeds reached the target loss"):
        recipe.table({}, [record(0, True), record(1, False)])


def test_a_changed_theorem_changes_the_curve(monkeypatch):
    """Figures draw what the theorem says: they type no formula of their own."""
    figure = importlib.import_module(FIGURES["linear_convergence"])
    original = figure.theory.get("sam-pl-linear")
    marked = dataclasses.replace(
        original,
        quantities=tuple(
            dataclasses.replace(q, expression=q.expression / 2) if q.name == "factor" else q
            for q in original.quantities
        ),
    )
    constants = LeastSquares.gaussian(4, 20).constants()
    arguments = ("SAM", "factor", constants)
    before = figure.proved(*arguments, step_size=0.1, radius=0.001)
    monkeypatch.setattr(figure.theory, "get", lambda theorem_id: marked)
    assert figure.proved(*arguments, step_size=0.1, radius=0.001) == before / 2
    assert np.isnan(figure.proved(*arguments, step_size=0.1, radius=10.0))


#: CIFAR-10 is not there unless a user brings it.
CLAIMED = sorted({claim.figure for claim in CLAIMS} - {"cifar_resnet"})


@pytest.mark.slow
@pytest.mark.parametrize("name", CLAIMED)
def test_claims_read_the_tables_as_they_are(name, smoke):
    findings = find(smoke(name), [claim for claim in CLAIMS if claim.figure == name])
    for finding in findings:
        # The smoke presets have too few seeds to decide anything.
        assert finding.preset == "smoke"
        assert finding.effect.count < 5 and finding.verdict is Support.INCONCLUSIVE


ON_GPU = [name for name in FIGURES if load(FIGURES[name]).on_gpu and name not in NEED_DATA]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("name", ON_GPU)
def test_a_gpu_trains_the_same_networks(name):
    recipe = load(FIGURES[name])
    for run in recipe.runs(recipe.parameters("smoke", [0])):
        there = recipe.compute(dataclasses.replace(run, device="cuda"))
        assert there.pop("device").startswith("cuda")
        pairs = zip(recipe.compute(run)["members"], there["members"], strict=True)
        for here, other in pairs:
            # Rounding in float32 grows over the steps to a few images out of 1000; a network that
            # is not trained, or on other data, is off by tens of points.
            assert other["test_last"] == pytest.approx(here["test_last"], abs=0.03)


def test_what_trains_large_networks_can_go_to_a_gpu():
    assert {"mnist_generalisation", "teacher_student", "best_radius", "sparsity"} <= set(ON_GPU)
    assert load(FIGURES["cifar_resnet"]).on_gpu
