"""The rates drawn: the theorem's formula typed again, and laws of decay that are known."""

import numpy as np
import pytest

from numerics.problems import LeastSquares
from paper_figures.figures import convergence_width as figure
from paper_figures.runs import Record, Run
from paper_figures.tables import from_one_field
from theory import SAM, SGD

CHOSEN = {"problem": "least_squares", "width": 40, "steps": 40, "checks": 8, "seeds": [3, 1]}


@pytest.fixture(scope="module")
def result():
    return figure.compute(Run(CHOSEN))


def test_what_is_proved_on_least_squares(result):
    """At half the largest radius, sqrt(mu / beta) / beta, the improved margin is mu / 2."""
    c = LeastSquares.gaussian(10, 40).constants()
    for name, share in (("SGD", 1.0), ("SAM", 0.5)):
        margin = share * c.mu
        # A few float64 operations.
        assert result[name]["step_size"] == pytest.approx(margin / (c.beta * c.smoothness))
        assert result[name]["proved"] == pytest.approx(1 - margin**2 / (c.beta * c.smoothness))
    assert result["SGD"]["radius"] == 0
    assert result["SAM"]["radius"] == pytest.approx((c.mu / c.beta) ** 0.5 / c.beta / 2)


def test_the_worst_case_lies_between_the_expectation_and_the_proof(result):
    problem = LeastSquares.gaussian(10, 40)
    for spec in (SGD, SAM):
        one = result[spec.name]
        exact = problem.expected_losses(spec, one["step_size"], one["radius"], 40).mean.numpy()
        # The solver's error is below 1e-6 in this size of problems; decreases are above 1e-4.
        assert (exact[1:] / exact[:-1]).max() < one["pep"] + 1e-6
        assert one["pep"] < one["proved"] + 1e-6
        assert one["pep"] > 1 - 1.1 * (1 - one["proved"])


def test_every_seed_has_a_run_of_its_own(result):
    problem = LeastSquares.gaussian(10, 40)
    for spec in (SGD, SAM):
        one = result[spec.name]
        arguments = (spec, one["step_size"], one["radius"], 40)
        for losses, seed in zip(one["losses"], CHOSEN["seeds"], strict=True):
            run = problem.sampled_losses(*arguments, runs=1, seed=seed)
            # The same call with the same arguments: equal to the last bit.
            assert losses == run.mean[::5].tolist()
    assert result["size"] == 40


def rows_of(losses, proved=None):
    found = {"losses": losses, "proved": proved, "pep": None}
    found |= {"theorem": proved and "sam-pl-linear-improved", "step_size": 0.1, "radius": 0.2}
    chosen = {"problem": "mnist", "width": 5, "steps": 160, "checks": 40, "seeds": [0, 1]}
    record = Record(Run(chosen), {"size": 50, "SGD": found, "SAM": found}, "key", 0.0, {})
    return figure.table({}, [record])


def test_laws_of_decay_are_told_apart():
    """An exponential, and a power of t from the second check on."""
    t = np.arange(0, 161, 4.0)
    laws = [3 * 0.97**t, 5 * np.maximum(t, 4.0) ** -1.7]
    row, *others = rows_of([law.tolist() for law in laws])
    # Differences of logarithms of order 1.
    assert from_one_field(row["late_ratio_of_seeds"]) == pytest.approx([2, 1], rel=1e-9)
    alone = from_one_field(row["decrease_of_seeds"])
    assert alone[0] == pytest.approx(0.03, rel=1e-9)
    # Two seeds: standard error |x - y| / 2, and t = tan(0.95 pi / 2) (Cauchy).
    reach = np.tan(0.95 * np.pi / 2) * abs(alone[0] - alone[1]) / 2
    expected = np.mean(alone) + np.array([0, -reach, reach])
    found = [row[name] for name in ("decrease", "decrease_low", "decrease_high")]
    assert found == pytest.approx(expected, rel=1e-9)
    # The other algorithm's first row apart, only the first one names the seeds.
    assert sum(other["decrease_of_seeds"] is not None for other in others) == 1


def test_round_off_is_no_slower_rate():
    """A loss that has nowhere to fall after 1e-32, with noise there."""
    t = np.arange(0, 161, 4.0)
    noise = 1e-32 * (1 + np.random.default_rng(0).random((2, 41)))
    losses = 0.6**t + noise
    row = rows_of(losses.tolist())[0]
    # Up to 1e-20, the noise is below 1e-11 of the loss, and logarithms fall by 46.
    assert from_one_field(row["decrease_of_seeds"]) == pytest.approx([0.4, 0.4], rel=1e-9)
    assert from_one_field(row["late_ratio_of_seeds"]) == pytest.approx([2, 2], rel=1e-9)
    with pytest.raises(ValueError, match="below 1e-20 after 3 checks: ask for more checks"):
        rows_of(((1e-6) ** (t / 4)).reshape(1, -1).repeat(2, 0).tolist())


def test_what_is_proved_starts_at_the_measured_loss():
    losses = [(0.5 ** np.arange(41)).tolist(), (2 * 0.5 ** np.arange(41)).tolist()]
    rows = [row for row in rows_of(losses, proved=0.99) if row["algorithm"] == "SAM"]
    assert [row["step"] for row in rows] == list(range(0, 161, 4))
    assert [row["proved_loss"] for row in rows[:2]] == pytest.approx([1.5, 1.5 * 0.99**4])
    assert {row["pep_loss"] for row in rows} == {None}
    assert {row["radius"] for row in rows} == {0.2}
