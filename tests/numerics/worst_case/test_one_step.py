"""The symmetric program against programs without symmetry, closed forms and actual functions."""

import itertools
import math

import numpy as np
import pytest
from oracles.performance import Step, pepit

from numerics.worst_case import ProblemClass, ProgramStatus, worst_case

ETA, RHO, MU = 0.2, 0.15, 0.25
#: Two solves by an interior-point method, each to about 1e-7 where the optimum is degenerate.
AGREEMENT = 1e-6

CLASSES = [
    ("smooth", "PL", "loss"),
    ("smooth", "smooth", "loss"),
    ("convex", "PL", "loss"),
    ("convex", "quadratic growth", "squared distance"),
    ("strongly convex", "smooth", "loss"),
    ("strongly convex", "smooth", "squared distance"),
]


def value(step_size=ETA, radius=RHO, **setting):
    found = worst_case(ProblemClass(**{"mu": MU} | setting), step_size, radius)
    assert found.status is ProgramStatus.SOLVED and abs(found.solution.gap) < AGREEMENT
    return found.value


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize(("samples", "mean", "measure"), CLASSES)
@pytest.mark.filterwarnings("ignore")  # PEPit's own
def test_agrees_with_pepit(count, samples, mean, measure):
    expected = pepit(count, MU, ETA, RHO, samples, mean, measure)
    ours = value(components=count, samples=samples, mean=mean, measure=measure)
    assert ours == pytest.approx(expected, abs=AGREEMENT)


@pytest.mark.slow
@pytest.mark.parametrize(("samples", "mean", "measure"), CLASSES)
@pytest.mark.filterwarnings("ignore")
def test_agrees_with_pepit_for_four_components(samples, mean, measure):
    test_agrees_with_pepit(4, samples, mean, measure)


@pytest.mark.parametrize("count", [2, 3])
def test_agrees_without_symmetry_for_a_smoother_mean(count):
    step = Step(count, ETA, RHO)
    step.components(step.smooth, 1.0)
    step.smooth(step.mean_f, step.mean_gradients, 0.6)
    step.dominated(MU)
    ours = value(components=count, smoothness=0.6)
    assert ours == pytest.approx(step.worst_loss(), abs=AGREEMENT)


@pytest.mark.parametrize("count", [2, 3])
def test_agrees_without_symmetry_for_a_strongly_convex_mean(count):
    step = Step(count, ETA, RHO)
    step.components(step.convex, 1.0)
    step.convex(step.mean_f, step.mean_gradients, 1.0, MU)
    ours = value(components=count, samples="convex", mean="strongly convex")
    assert ours == pytest.approx(step.worst_loss(), abs=AGREEMENT)


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("measure", ["loss", "squared distance"])
def test_agrees_without_symmetry_for_quadratics(count, measure):
    step = Step(count, ETA, RHO)
    step.components(step.quadratic, 0.0, 1.0)
    step.quadratic(step.mean_f, step.mean_gradients, MU, 1.0)
    expected = step.worst_loss() if measure == "loss" else step.worst_distance()
    ours = value(components=count, samples="quadratic", mean="strongly convex", measure=measure)
    assert ours == pytest.approx(expected, abs=AGREEMENT)


@pytest.mark.parametrize("count", [2, 3])
def test_agrees_without_symmetry_for_the_slope(count):
    step = Step(count, 0.0, 0.6)
    step.components(step.smooth, 1.0)
    step.dominated(MU)
    assert value(0.0, 0.6, components=count, measure="slope") == pytest.approx(
        step.worst_slope(), abs=AGREEMENT
    )


@pytest.mark.parametrize(("eta", "rho"), [(0.3, 0.0), (1.5, 0.0), (0.4, 0.5), (1.0, 1.5)])
def test_deterministic_quadratics_are_a_maximum_over_eigenvalues(eta, rho):
    eigenvalues = np.linspace(MU, 1, 200_001)
    expected = np.max((1 - eta * eigenvalues * (1 + rho * eigenvalues)) ** 2)
    ours = value(
        eta,
        rho,
        components=1,
        samples="quadratic",
        mean="strongly convex",
        measure="squared distance",
    )
    # A grid of 4e-6 around a smooth maximum, or its ends, which are on the grid.
    assert ours == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("eta", [0.3, 1.0, 1.8])
def test_gradient_descent_contracts_the_distance_as_it_should(eta):
    """Radius 0, strongly convex: max((1 - eta mu)^2, (1 - eta L)^2)."""
    expected = max((1 - eta * MU) ** 2, (1 - eta) ** 2)
    setting = {"samples": "strongly convex", "mean": "smooth", "measure": "squared distance"}
    for count in (1, 5, math.inf):
        assert value(eta, 0.0, components=count, **setting) == pytest.approx(expected, abs=1e-6)


def test_stochastic_gradient_descent_on_smooth_functions():
    """SGD, radius 0: the theorem's factor 1 - 2 eta mu + eta^2 beta L is above the worst case."""
    worst = value(0.1, 0.0, components=math.inf)
    assert 1 - 0.2 * MU + 0.01 - 2e-3 < worst < 1 - 0.2 * MU + 0.01


def test_more_components_are_worse_and_converge():
    counts = [1, 2, 3, 4, 8, 24, 1000, math.inf]
    values = [value(components=count) for count in counts]
    # Each to about 1e-8; n copies of fewer components are more components only for multiples.
    for few, many in itertools.pairwise([values[0], values[1], values[3], values[4], values[5]]):
        assert few <= many + 1e-7
    # The limit is approached like 1/n.
    assert values[-1] == pytest.approx(values[-2], abs=1e-4)
    assert values[-1] - values[-3] < 2e-4


def test_fewer_points_give_a_larger_bound():
    for samples in ("smooth", "convex"):
        assert value(samples=samples) <= value(samples=samples, points="own") + 1e-8


def test_units_do_not_matter():
    """f -> c f with beta, mu -> c beta, c mu and eta, rho -> eta / c, rho / c."""
    expected = value(components=5)
    assert value(ETA / 4, RHO / 4, mu=4 * MU, beta=4.0, components=5) == pytest.approx(
        expected, abs=1e-6
    )


def actual(matrices, x, step_size, radius, batches):
    """The exact ratio of losses after and before a step on quadratics, over all batches."""
    mean = np.mean(matrices, axis=0)
    after = []
    for batch in batches:
        h = np.mean(matrices[list(batch)], axis=0)
        after.append(x - step_size * h @ (x + radius * h @ x))
    return np.mean([z @ mean @ z for z in after]) / (x @ mean @ x)


@pytest.mark.parametrize("batch_size", [1, 2, 3, 4])
def test_actual_functions_stay_below(batch_size):
    rng = np.random.default_rng(batch_size)
    for _ in range(5):
        factors = rng.normal(size=(4, 3, 2))
        matrices = factors @ factors.transpose(0, 2, 1)
        matrices /= max(np.linalg.eigvalsh(matrix)[-1] for matrix in matrices)
        mu = np.linalg.eigvalsh(np.mean(matrices, axis=0))[0]
        batches = list(itertools.combinations(range(4), batch_size))
        x = rng.normal(size=3)
        bound = value(0.5, 0.4, mu=mu, components=4, batch_size=batch_size, samples="convex")
        assert actual(matrices, x, 0.5, 0.4, batches) <= bound + 1e-7


def test_batches_of_all_samples_are_the_mean():
    assert value(components=6, batch_size=6, smoothness=0.7) == pytest.approx(
        value(components=1, beta=0.7), abs=1e-8
    )


@pytest.mark.parametrize("samples", ["smooth", "convex"])
def test_larger_batches_are_not_worse(samples):
    values = [value(batch_size=size, samples=samples) for size in (1, 2, 4, 8, 16, 23, 24)]
    for small, large in itertools.pairwise(values):
        # The bound for one sample is the sharper kind; it is above that for two all the same.
        assert large < small


def test_tags():
    assert ProblemClass(MU, samples="strongly convex", mean="smooth").tight
    assert ProblemClass(MU, mean="smooth").tight
    for other in (
        {"mean": "PL"},
        {"mean": "smooth", "smoothness": 0.5},
        {"mean": "smooth", "points": "own"},
    ):
        assert not ProblemClass(MU, **other).tight
    assert worst_case(ProblemClass(MU), ETA, RHO).tag == "upper bound only"


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"mu": -1.0}, "give 0 < mu < L <= beta"),
        ({"mu": 0.5, "smoothness": 2.0}, "give 0 < mu < L <= beta"),
        ({"mu": math.nan}, "give 0 < mu < L <= beta"),
        ({"mu": 0.5, "components": 0}, "0 components"),
        ({"mu": 0.5, "components": 2.5}, "2.5 components"),
        ({"mu": 0.5, "samples": "round"}, "round"),
        ({"mu": 0.5, "samples": "quadratic", "points": "own"}, "use 'all'"),
        ({"mu": 0.5, "batch_size": 30}, "whole number from 1 to 24"),
        ({"mu": 0.5, "batch_size": 2, "samples": "quadratic"}, "smooth or convex"),
    ],
)
def test_bad_settings(setting, message):
    with pytest.raises(ValueError, match=message):
        worst_case(ProblemClass(**setting), 0.1, 0.1)


@pytest.mark.parametrize(
    ("step_size", "radius", "solver", "message"),
    [
        (-0.1, 0.1, "CLARABEL", "step size -0.1: give a finite number"),
        (0.1, math.nan, "CLARABEL", "radius nan"),
        (0.1, 0.1, "ABACUS", "solver 'ABACUS' is not installed"),
    ],
)
def test_bad_steps(step_size, radius, solver, message):
    with pytest.raises(ValueError, match=message):
        worst_case(ProblemClass(MU), step_size, radius, solver)
