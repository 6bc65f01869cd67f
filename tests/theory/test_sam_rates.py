"""The tight rates of SAM against formulas typed twice, grids, and the worst case on quadratics."""

import numpy as np
import pytest
from oracles import rates as oracle
from scipy.optimize import minimize_scalar

import theory
from theory.evaluation import evaluate
from theory.trusted.instances import read

CONSTANTS = [(1.0, 1.0, 0.04), (1.0, 1.0, 0.25), (2.0, 1.5, 0.9), (3.0, 0.7, 0.3)]
SHARES = [0.0, 0.1, 0.5, 0.9]
over_constants = pytest.mark.parametrize(("beta", "L", "mu"), CONSTANTS)


def quantity(theorem_id, name, **given):
    result = evaluate(theory.get(theorem_id), name, **given)
    assert np.all(result.covered), result.uncovered_by
    return float(result.value)


@over_constants
def test_the_factor_of_two_angles_is_the_one_with_the_square_root(beta, L, mu):
    given = {"beta": beta, "L": L, "mu": mu}
    largest = quantity("sam-pl-linear-optimal", "max_radius", **given)
    for share in SHARES:
        for step_size in np.linspace(0, 2 * mu / (beta * L), 9):
            run = given | {"step_size": step_size, "radius": share * largest}
            # both are a dozen operations on numbers of order 1
            assert quantity("sam-pl-linear-optimal", "factor", **run) == pytest.approx(
                oracle.square_root_factor(**run), rel=1e-13
            )


@over_constants
@pytest.mark.parametrize("theorem_id", ["sam-pl-linear-optimal", "sam-pl-convex"])
def test_the_best_factor_is_the_least_and_the_sine_of_two_angles(theorem_id, beta, L, mu):
    given = {"beta": beta, "L": L, "mu": mu}
    largest = quantity(theorem_id, "max_radius", **given)
    for share in SHARES:
        run = given | {"radius": share * largest}
        best = quantity(theorem_id, "best_factor", **run)
        step_size = quantity(theorem_id, "best_step_size", **run)
        q = beta * run["radius"]
        tilt = q if theorem_id == "sam-pl-linear-optimal" else q / (2 + q)
        assert best == pytest.approx(oracle.sine_factor(tilt, beta, L, mu), rel=1e-13)
        at_best = quantity(theorem_id, "factor", step_size=step_size, **run)
        assert at_best == pytest.approx(best, rel=1e-13)
        found = minimize_scalar(
            lambda step, run=run: float(
                evaluate(theory.get(theorem_id), "factor", step_size=step, **run).value
            ),
            bounds=(0, quantity(theorem_id, "max_step_size", **run)),
            method="bounded",
            options={"xatol": 1e-12},
        )
        # a minimum is located to the root of the precision, its value to the precision
        assert found.fun == pytest.approx(best, rel=1e-12)


@over_constants
def test_it_contracts_up_to_the_largest_radius_and_no_farther(beta, L, mu):
    given = {"beta": beta, "L": L, "mu": mu}
    largest = quantity("sam-pl-linear-optimal", "max_radius", **given)
    inside = quantity("sam-pl-linear-optimal", "best_factor", radius=0.999 * largest, **given)
    assert inside < 1
    beyond = evaluate(
        theory.get("sam-pl-linear-optimal"), "best_factor", radius=1.001 * largest, **given
    )
    assert not beyond.covered and "radius range" in beyond.uncovered_by
    for step_size in np.linspace(0, mu / (beta * L), 50)[1:]:
        assert oracle.square_root_factor(step_size, 1.001 * largest, **given) > 1


def constants_of(matrices):
    mean = np.mean(matrices, axis=0)
    spectrum = np.linalg.eigvalsh(mean)
    beta = max(np.linalg.eigvalsh(H)[-1] for H in matrices)
    return mean, {"beta": beta, "L": spectrum[-1], "mu": spectrum[0]}


def runs(theorem_id, given, radii, rng):
    """Settings that the theorem covers, with its factor there."""
    checked = evaluate(theory.get(theorem_id), "factor", step_size=0.0, radius=0.0, **given)
    assert type(checked.value) is float
    for radius in radii:
        for step_size in np.exp(rng.uniform(-6, 1, 25)) / given["beta"]:
            run = {"step_size": step_size, "radius": radius}
            result = evaluate(theory.get(theorem_id), "factor", **run, **given)
            if result.covered:
                yield run, float(result.value)


@pytest.mark.parametrize(
    ("theorem_id", "of_loss", "units"),
    [
        ("sam-pl-linear-optimal", True, (0, 0.05, 0.2)),
        ("sam-pl-convex", True, (0, 0.2, 0.5)),
        ("sam-distance-linear", False, (0, 0.5, 2.0)),
        ("sam-distance-large-radius", False, (1.7, 2.2, 2.9)),
        ("sam-quadratic", False, (0, 0.5, 3.0)),
        ("sam-quadratic-short-steps", False, (0.1, 1.0, 9.0)),
    ],
)
def test_the_worst_case_on_random_quadratics_is_below_the_factor(theorem_id, of_loss, units):
    rng = np.random.default_rng(1)
    seen = 0
    for _ in range(6):
        matrices = oracle.random_matrices(rng, 3, 3)
        mean, given = constants_of(matrices)
        weight = mean if of_loss else np.eye(3)
        radii = [unit / given["beta"] for unit in units]
        for run, factor in runs(theorem_id, given, radii, rng):
            seen += 1
            # eigenvalues of 3 x 3 matrices of order 1, conditioned at worst like 1/mu
            assert oracle.worst_ratio(matrices, weight, **run) <= factor + 1e-9
    assert seen >= 20


@pytest.mark.parametrize(
    "theorem_id", ["sam-quadratic", "sam-quadratic-best-step", "sam-quadratic-short-steps"]
)
def test_the_rate_on_quadratics_is_attained(theorem_id):
    """The finding: samples with curvature β or 0, at every long step and the longest short one."""
    matrices = [np.zeros((1, 1)), np.full((1, 1), 4.0)]
    steps = {
        "sam-quadratic": lambda q: np.linspace(2 * q / (1 + q) ** 2, 2 / (1 + q), 5) / 4,
        "sam-quadratic-best-step": lambda q: [1 / (4 * (1 + q))],
        "sam-quadratic-short-steps": lambda q: [2 * q / (4 * (1 + q) ** 2)],
    }[theorem_id]
    seen = 0
    for radius in (0.0, 0.1, 0.2, 1.0):
        for step_size in steps(4 * radius):
            run = {"step_size": step_size, "radius": radius}
            result = evaluate(theory.get(theorem_id), "factor", **run, beta=4.0, mu=2.0)
            if result.covered:
                seen += 1
                worst = oracle.worst_ratio(matrices, np.eye(1), **run)
                assert worst == pytest.approx(float(result.value), rel=1e-13)
    assert seen >= 3


def test_the_witness_of_the_quadratic_rate_attains_it():
    theorem = theory.get("sam-quadratic-best-step")
    instance = read(theorem.witness)
    given = {name: float(number) for name, number in theorem.witness.parameters}
    matrices = [np.array(m, dtype=float) for m in theorem.witness.curvatures]
    assert instance.samples == 2
    worst = oracle.worst_ratio(matrices, np.eye(1), given["step_size"], given["radius"])
    assert worst == 1 - given["mu"] / given["beta"]


@pytest.mark.parametrize("unit", [0.0, 0.3, 1.0, 1.5, 2.0, 2.4, 2.9])
def test_the_distance_decreases_on_functions_that_are_not_quadratic(unit):
    """Every sample by itself: linear pieces are where smooth convex functions are extremal."""
    beta, rng = 1.0, np.random.default_rng(2)
    short, long = theory.get("sam-distance"), theory.get("sam-distance-large-radius")
    x = rng.normal(size=4000) * 3
    slope = np.abs(rng.normal(size=4000))
    checked = 0
    for step_size in np.linspace(0, 1.2, 97):
        run = {"step_size": step_size, "radius": unit, "beta": beta}
        gain = 1.0 if evaluate(short, "max_step_size", **run).covered else 0.0
        far = evaluate(long, "factor", mu=1.0, **run)
        if far.covered and step_size:
            gain = max(gain, (1 - float(far.value)) / step_size)
        value, derivative = oracle.huber(slope, x)
        _, ahead = oracle.huber(slope, x + unit * derivative)
        after = x - step_size * ahead
        if gain:
            checked += 1
            # a few operations on numbers up to 100
            assert np.all(after**2 <= x**2 - 2 * step_size * gain * value + 1e-13)
    assert checked > 0


def test_a_distance_cannot_decrease_at_steps_that_are_too_long():
    """What the step range is for: at q = 2.9 the longest step of small radii moves away."""
    x = np.linspace(0.01, 3, 400)
    _, derivative = oracle.huber(1.0, x)
    _, ahead = oracle.huber(1.0, x + 2.9 * derivative)
    assert np.any((x - 1.0 * ahead) ** 2 > x**2)


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 2, 3, 4])
@pytest.mark.parametrize("theorem_id", ["sgd-pl-minibatch", "sam-pl-minibatch"])
def test_mini_batches_on_random_quadratics(theorem_id, size):
    rng = np.random.default_rng(3)
    seen = 0
    for _ in range(6):
        singles = oracle.random_matrices(rng, 4, 2)
        mean, given = constants_of(singles)
        matrices = oracle.batches(singles, size)
        given["p"] = (4 - size) / (size * 3)
        perturbed = theory.get(theorem_id).dynamics.algorithm.perturbed
        for unit in (0.0, 0.1, 0.3) if perturbed else (0.0,):
            for step_size in np.exp(rng.uniform(-6, 0.5, 25)) / given["L"]:
                run = {"step_size": step_size, "radius": unit / given["beta"]}
                result = evaluate(theory.get(theorem_id), "factor", **run, **given)
                if result.covered:
                    seen += 1
                    worst = oracle.worst_ratio(matrices, mean, **run)
                    # eigenvalues of 2 x 2 matrices, conditioned at worst like 1/mu
                    assert worst <= float(result.value) + 1e-9
    assert seen >= 20


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_a_batch_keeps_the_share_p_of_the_variance(size):
    """The hypothesis `sampling`, by enumeration of all batches."""
    rng = np.random.default_rng(4)
    gradients = rng.normal(size=(4, 3))
    full = gradients.mean(axis=0)
    means = np.array(oracle.batches(list(gradients), size))
    p = (4 - size) / (size * 3)
    left = (means**2).sum(axis=1).mean()
    right = p * (gradients**2).sum(axis=1).mean() + (1 - p) * (full @ full)
    assert left == pytest.approx(right, rel=1e-14)


def test_a_larger_batch_has_a_smaller_factor_down_to_gradient_descent():
    given = {"beta": 1.0, "L": 0.5, "mu": 0.01}
    factors = [quantity("sgd-pl-minibatch", "best_factor", p=1 / size, **given)
               for size in (1, 2, 4, 100, 10_000)]  # fmt: skip
    assert factors == sorted(factors, reverse=True)
    decrements = 1 - np.array(factors)
    # while pβ is far above μ the decrement is proportional to the batch; later it saturates
    assert decrements[1] / decrements[0] == pytest.approx(2, rel=0.02)
    assert decrements[-1] == pytest.approx(given["mu"] / given["L"], rel=0.02)


@over_constants
@pytest.mark.parametrize("size", [1, 2, 5, 50])
def test_the_best_step_of_a_batch_lies_between_one_sample_and_gradient_descent(beta, L, mu, size):
    given = {"beta": beta, "L": L, "mu": mu}
    p = 1 / size
    spread = p * beta + (1 - p) * mu
    for share in SHARES:
        run = given | {"radius": share * np.sqrt(mu / spread) / beta, "p": p}
        factor = quantity("sam-pl-minibatch-best-step", "factor", **run)
        tilt = beta * run["radius"]
        assert factor == pytest.approx(oracle.sine_factor(tilt, spread, L, mu), rel=1e-13)
        assert factor >= 1 - mu / L * (1 - tilt**2)
        whole = evaluate(theory.get("sam-pl-minibatch"), "best_factor", **run)
        if whole.covered:  # the other theorem counts part of the mean gradient as noise
            assert factor <= float(whole.value) * (1 + 1e-15)
        if share == 0:
            alone = quantity("sgd-pl-minibatch", "best_factor", p=p, **given)
            assert factor == pytest.approx(alone, rel=1e-13)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_the_best_step_of_a_batch_on_random_quadratics(size):
    rng = np.random.default_rng(5)
    seen = 0
    for _ in range(30):
        singles = oracle.random_matrices(rng, 4, 2)
        mean, given = constants_of(singles)
        given["p"] = (4 - size) / (size * 3)
        for unit in (0.0, 0.05, 0.2):
            radius = unit / given["beta"]
            step = evaluate(
                theory.get("sam-pl-minibatch-best-step"), "step_size", radius=radius, **given
            )
            if step.covered:
                seen += 1
                run = {"step_size": float(step.value), "radius": radius}
                worst = oracle.worst_ratio(oracle.batches(singles, size), mean, **run)
                factor = quantity("sam-pl-minibatch-best-step", "factor", **run, **given)
                # eigenvalues of 2 x 2 matrices, conditioned at worst like 1/mu
                assert worst <= factor + 1e-9
    assert seen >= 20
