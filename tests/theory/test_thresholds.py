"""The exact threshold and the horizon: what their hypotheses exclude, and what follows."""

import dataclasses

import numpy as np
import pytest

import theory
from theory.evaluation import evaluate, value
from theory.proving.witnesses import witness
from theory.trusted.statements import Status
from theory.trusted.terms import Param, Value, nodes, substitute

FLAT, UPPER = [[[1, 0], [0, 0]]], {"V": [[0, 0], [0, 1]]}
ROUNDING = 1e-10


@pytest.mark.parametrize(
    ("side", "hypothesis", "instance"),
    [
        # V does not see the direction that diverges
        ("stable", "V >= I", ({"step_size": 100, "radius": 1, "kappa": "1/1000"}, {}, FLAT, UPPER)),
        (
            "stable",
            "V >= I",
            (
                {"step_size": 10, "radius": 0, "kappa": "1/10"},
                {},
                [[[1, 0], [0, "1/10"]]],
                UPPER,
            ),
        ),
        # V = 0 is an eigenform of every eigenvalue
        (
            "stable",
            "V >= I",
            ({"step_size": 1, "radius": 1, "kappa": 9}, {}, FLAT, {"V": [[0, 0], [0, 0]]}),
        ),
        (
            "unstable",
            "start",
            (
                {"step_size": 1, "radius": 1, "kappa": 9, "delta": 1},
                {"x_0": [1, 1]},
                FLAT,
                {"V": [[0, 0], [0, 0]]},
            ),
        ),
        # V lives where no sample acts, and nothing grows
        (
            "unstable",
            "D(V) >= delta V",
            (
                {"step_size": "1/10", "radius": 1, "kappa": 1000, "delta": "1/9"},
                {"x_0": [1, 1]},
                FLAT,
                UPPER,
            ),
        ),
    ],
)
def test_what_says_nothing_of_stability_is_no_instance(side, hypothesis, instance):
    theorem = theory.get(f"sam-exact-threshold-{side}")
    report = theory.check(dataclasses.replace(theorem, witness=witness(*instance)))
    assert report.status is Status.UNDECIDED and repr(hypothesis) in report.reason


def moments(seed, radius):
    """Random H_b of rank one or two in the plane: G_b, and V -> C(V), D(V)."""
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((3, 2, 1 + seed % 2))
    samples = rows @ rows.transpose(0, 2, 1)
    surrogates = samples + radius * samples @ samples
    mean = surrogates.mean(0)
    return (
        surrogates,
        lambda v: (mean @ v + v @ mean) / 2,
        lambda v: (surrogates @ v @ surrogates).mean(0),
    )


def spectral_radius(surrogates, step_size):
    """Of X -> E M_b X M_b, by the eigenvalues of its matrix."""
    steps = np.eye(2) - step_size * surrogates
    return np.abs(np.linalg.eigvals(np.mean([np.kron(m, m) for m in steps], 0))).max()


def threshold(surrogates):
    """The step size at which the spectral radius passes 1, by bisection."""
    low, high = 0.0, 4 / np.linalg.eigvalsh(surrogates.mean(0))[-1]
    for _ in range(80):
        middle = (low + high) / 2
        stable = spectral_radius(surrogates, middle) <= 1
        low, high = (middle, high) if stable else (low, middle)
    return high


@pytest.mark.parametrize("radius", [0.0, 0.3])
@pytest.mark.parametrize("seed", range(6))
def test_any_form_brackets_the_threshold_and_the_eigenform_attains_it(seed, radius):
    """D(V) <= κC(V) and D(V) >= κC(V) against the spectral radius, computed without either."""
    surrogates, drift, noise = moments(seed, radius)
    exact = threshold(surrogates)
    steps = np.eye(2) - exact * surrogates
    _, vectors = np.linalg.eigh(np.mean([np.kron(m, m) for m in steps], 0))
    eigenmatrix = vectors[:, -1].reshape(2, 2)
    eigenmatrix = eigenmatrix * np.sign(np.trace(eigenmatrix))
    for form in (np.eye(2), eigenmatrix):
        root = np.linalg.inv(np.linalg.cholesky(drift(form)))
        low, high = np.linalg.eigvalsh(root @ noise(form) @ root.T)[[0, -1]]
        assert np.linalg.eigvalsh(form)[0] > 0 and low > 0
        until, beyond = (
            evaluate(theory.get(f"sam-exact-threshold-{side}"), "threshold", kappa=kappa).value
            for side, kappa in (("stable", high), ("unstable", low))
        )
        assert until <= exact * (1 + ROUNDING) and exact <= beyond * (1 + ROUNDING)
        # beyond the threshold by half the spectral radius is at least the rate of the theorem
        step_size = 1.5 * float(beyond)
        scale = np.linalg.inv(np.linalg.cholesky(form))
        delta = np.linalg.eigvalsh(scale @ noise(form) @ scale.T)[0]
        given = {"step_size": step_size, "kappa": low, "delta": delta}
        rate = evaluate(theory.get("sam-exact-threshold-unstable"), "growth", **given)
        assert rate.covered and rate.value > 1
        assert rate.value <= spectral_radius(surrogates, step_size) * (1 + ROUNDING)
    assert until == pytest.approx(exact, rel=1e-6) == beyond  # the eigenform, by bisection


def horizon_step(loss):
    """The right side of the horizon's starred step, with a number for the loss at x."""
    theorem = theory.get("sam-pl-noise-horizon")
    (claim,) = (step.claim for step in theorem.proof if step.name == "decrease")
    (loss_at_x,) = {n for n in nodes(claim.right) if isinstance(n, Value)}
    return substitute(claim.right, loss_at_x, loss)


def test_the_horizons_step_can_be_averaged_over_the_law_of_the_iterate():
    """It is linear in f(x), and its average obeys the second starred step's premise."""
    loss, index, level = Param("loss"), 7, 3.0
    step = horizon_step(loss)
    values = [float(value(step, loss=x, index=index, level=level)) for x in (0.0, 1.0, 5.0)]
    assert values[2] - values[0] == pytest.approx(5 * (values[1] - values[0]), rel=1e-14)
    for index in range(2, 50):
        law = np.array([0.0, 2 * level / index])  # E f = D/k, though one point is above it
        mean = float(np.mean([value(step, loss=x, index=index, level=level) for x in law]))
        bound = evaluate(
            theory.get("sam-pl-noise-horizon"), "next_level", index=index, level=level
        ).value
        assert mean <= bound * (1 + 1e-14)


def test_a_chain_that_only_obeys_the_bound_where_it_holds_pointwise_is_excluded():
    """E f+ <= D/(k + 1) where k f <= D, and 100 f elsewhere: this was once allowed."""
    level, index = 1.0, 2
    for loss, after in ((0.0, level / (index + 1)), (level, 100 * level)):
        allowed = value(horizon_step(Param("loss")), loss=loss, index=index, level=level)
        assert after > float(allowed)


def test_only_the_trajectory_of_the_horizon_is_left_to_words():
    theorem = theory.get("sam-pl-noise-horizon")
    (left,) = (s.text for s in theorem.statement if not s.said_by)
    assert "average" in left and "induction" in left
    (last,) = (step.claim for step in theorem.proof if step.name == "next index")
    assert not [n for n in nodes(last) if isinstance(n, Value)]  # numbers only
