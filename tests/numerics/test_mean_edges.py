"""SAM's bounds that know no dimension: the expressions that decide, and ensembles in numpy."""

from fractions import Fraction

import numpy as np
import pytest

import theory
from numerics.confrontations.cases import LeastSquaresCase
from numerics.confrontations.verdicts import Outcome
from numerics.problems import LeastSquares
from theory.evaluation import evaluate
from theory.trusted.terms import substitute

#: A quantity, and what to divide it by to make the theorem false on six Gaussian rows.
MARKS = {
    "sam-stability-mean-edge": ("growth", Fraction(1, 10)),
    "sam-stability-s2-every-dimension": ("growth", Fraction(1, 10)),
    "sam-stability-fourth-moment": ("growth", Fraction(1, 10)),
}


@pytest.fixture(scope="module")
def case():
    return LeastSquaresCase("small", LeastSquares.gaussian(6, 12, 0))


@pytest.mark.parametrize("name", MARKS)
def test_the_theorem_s_own_expression_decides(case, name):
    quantity, mark = MARKS[name]
    theorem = theory.get(name)
    old = next(q.expression for q in theorem.quantities if q.name == quantity)
    assert case.confront(theorem).outcome is Outcome.CONSISTENT
    assert case.confront(substitute(theorem, old, old / mark)).outcome is Outcome.VIOLATED


def ensemble(seed):
    """Positive semidefinite samples of unlike sizes, a step size and a radius."""
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(2, 7)), int(rng.integers(1, 5))
    factors = rng.normal(size=(n, d, int(rng.integers(1, d + 1))))
    samples = factors @ factors.transpose(0, 2, 1) * np.exp(rng.normal(size=(n, 1, 1)))
    return samples, np.exp(rng.normal()), np.exp(rng.normal())


def radius_of_map(samples, step_size, radius):
    """The spectral radius of X -> E M_b X M_b, as a matrix on R^(d x d)."""
    unit = np.eye(samples.shape[-1])
    steps = unit - step_size * (samples + radius * samples @ samples)
    return np.abs(np.linalg.eigvals(np.mean([np.kron(m, m) for m in steps], axis=0))).max()


def value(name, quantity, **given):
    return evaluate(theory.get(name), quantity, **given)


@pytest.mark.parametrize("seed", range(40))
def test_what_exceeds_a_bound_diverges_as_fast_as_is_said(seed):
    """The rates of all three theorems against the exact mean-square map."""
    samples, step_size, radius = ensemble(seed)
    mean, second = samples.mean(0), (samples @ samples).mean(0)
    u = np.linalg.eigh(second)[1][:, -1]
    measured = {
        "sam-stability-mean-edge": ("a_G", mean + radius * second, 2),
        "sam-stability-s2-every-dimension": ("s_2", second - mean @ mean, 2),
        "sam-stability-fourth-moment": ("h_4", None, 1),
    }
    exact = radius_of_map(samples, step_size, radius)
    for name, (parameter, matrix, power) in measured.items():
        if matrix is None:
            number = (((samples @ u) ** 2).sum(1) ** 2).mean()
        else:
            number = max(np.linalg.eigvalsh(matrix)[-1], 0.0)
        number = number**0.5 if parameter == "s_2" else number
        given = {"step_size": step_size, "radius": radius, parameter: number}
        growth = value(name, "growth", **given)
        if growth.covered:
            # eigenvalues of a matrix of at most 16 rows
            assert growth.value**power <= exact * (1 + 1e-9)
            assert exact > 1


def test_the_ensembles_are_on_both_sides_of_the_edge():
    """What the last test assumes: that it does find settings beyond the bounds, and within."""
    sides = set()
    for seed in range(40):
        samples, step_size, radius = ensemble(seed)
        sides.add(bool(radius_of_map(samples, step_size, radius) > 1))
        second = (samples @ samples).mean(0)
        top = np.linalg.eigvalsh(samples.mean(0) + radius * second)[-1]
        found = value("sam-stability-mean-edge", "growth", a_G=top, step_size=step_size)
        sides.add("beyond" if found.covered else "within")
    assert sides == {True, False, "beyond", "within"}


@pytest.mark.parametrize("radius", [0.0, 0.3, 4.0])
def test_without_noise_the_mean_edge_is_the_exact_threshold(radius):
    """Equal samples: the edge separates, and the growth is the exact one."""
    sample = np.array([[[2.0, 1.0], [1.0, 3.0]]])
    top = np.linalg.eigvalsh(sample[0] + radius * sample[0] @ sample[0])[-1]
    for share in (0.99, 1.01):
        step_size = share * 2 / top
        growth = value("sam-stability-mean-edge", "growth", a_G=top, step_size=step_size)
        exact = radius_of_map(sample, step_size, radius)
        assert growth.covered is (share > 1) is bool(exact > 1)
        if growth.covered:
            assert growth.value**2 == pytest.approx(exact, rel=1e-12)


def test_without_noise_its_bound_is_not_measured():
    """One sample has s_2 = 0, which no step size makes too large."""
    alone = LeastSquaresCase("alone", LeastSquares.gaussian(1, 6, 0))
    verdict = alone.confront(theory.get("sam-stability-s2-every-dimension"))
    assert verdict.outcome is Outcome.INCONCLUSIVE and verdict.points == 0
    assert alone.confront(theory.get("sam-stability-mean-edge")).outcome is Outcome.CONSISTENT
