"""Whatever a solver says, the search ends in what the kernel accepts, in error or undecided."""

import math
from fractions import Fraction

import numpy as np
import pytest
from search_cases import (
    GD_CLASS,
    SHORT,
    A,
    B,
    C,
    a,
    after,
    b,
    c,
    check_not_found,
    distance,
    eta,
    prove,
    statement,
)

from theory.search import SdpSolution, SearchStatus, SolverStatus, clarabel
from theory.trusted.notation import mu, x
from theory.trusted.statements import (
    Status,
)


def raises(sdp, seconds):
    raise RuntimeError("the solver crashed")


def is_missing(sdp, seconds):
    raise ImportError("No module named 'cvxpy'")


def answers(status, unknowns=lambda sdp: None):
    return lambda sdp, seconds: SdpSolution(status, unknowns(sdp), "a fake")


def noisy(sdp, seconds):
    answer = clarabel(sdp, seconds)
    unknowns = None if answer.unknowns is None else answer.unknowns * 1.01
    return SdpSolution(SolverStatus.SOLVED, unknowns)


def fails_later():
    left = iter(range(4))

    def solver(sdp, seconds):
        if next(left, None) is None:
            raise RuntimeError("the solver crashed")
        return clarabel(sdp, seconds)

    return solver


SOLVED = SolverStatus.SOLVED
UNDECIDED, ERROR = Status.UNDECIDED, Status.ERROR
FAKES = {
    "raises": (raises, SearchStatus.FAILED, ERROR),
    "raises later": (fails_later(), SearchStatus.FAILED, ERROR),
    "is not installed": (is_missing, SearchStatus.FAILED, ERROR),
    "returns something else": (lambda sdp, seconds: "optimal", SearchStatus.FAILED, ERROR),
    "says that it failed": (answers(SolverStatus.FAILED), SearchStatus.FAILED, ERROR),
    "says infeasible": (answers(SolverStatus.INFEASIBLE), SearchStatus.INFEASIBLE, UNDECIDED),
    "says timeout": (answers(SolverStatus.TIMEOUT), SearchStatus.TIMEOUT, UNDECIDED),
    "says inaccurate": (answers(SolverStatus.INACCURATE), SearchStatus.INACCURATE, UNDECIDED),
    "solved, no numbers": (answers(SOLVED), SearchStatus.INACCURATE, UNDECIDED),
    "solved, NaN": (
        answers(SOLVED, lambda sdp: np.full(sdp.cost.shape, math.nan)),
        SearchStatus.INACCURATE,
        UNDECIDED,
    ),
    "solved, ones": (
        answers(SOLVED, lambda sdp: np.ones(sdp.cost.shape)), SearchStatus.INACCURATE, UNDECIDED,
    ),
    "solved, too many": (
        answers(SOLVED, lambda sdp: np.ones(len(sdp.cost) + 1)), SearchStatus.INACCURATE, UNDECIDED,
    ),
    "solved, wrong signs": (
        answers(SOLVED, lambda sdp: np.linalg.lstsq(sdp.matrix, sdp.right)[0] - 5 * nullspace(sdp)),
        SearchStatus.INACCURATE,
        UNDECIDED,
    ),
    "off by a percent": (noisy, SearchStatus.INACCURATE, UNDECIDED),
}  # fmt: skip


def nullspace(sdp):
    """A vector that solves the homogeneous equations, if there is one but zero."""
    return np.linalg.svd(sdp.matrix)[2][-1]


@pytest.mark.slow
@pytest.mark.parametrize(("fake", "status", "verdict"), FAKES.values(), ids=FAKES)
def test_a_bad_solver_ends_in_error_or_undecided(fake, status, verdict):
    claim = distance(after) <= (1 - eta * mu) ** 2 * distance(x)
    outcome = prove(statement(*GD_CLASS, SHORT), "claim", claim, solver=fake, refute_seconds=0.1)
    check_not_found(outcome)
    assert (outcome.status, outcome.verdict) == (status, verdict), outcome.reason


@pytest.mark.parametrize("name", [name for name in FAKES if name != "raises later"])
def test_a_bad_solver_does_not_prove_polynomial_inequalities(name):
    fake, status, verdict = FAKES[name]
    claim = 3 * a * b * c <= a**3 + b**3 + c**3
    outcome = prove(statement(A, B, C), "claim", claim, solver=fake, refute_seconds=0.1)
    check_not_found(outcome)
    assert (outcome.status, outcome.verdict) == (status, verdict), outcome.reason


@pytest.mark.parametrize("name", FAKES)
def test_a_bad_solver_does_not_prove_what_is_false(name):
    claim = distance(after) <= Fraction(99, 100) * (1 - eta * mu) ** 2 * distance(x)
    outcome = prove(statement(*GD_CLASS, SHORT), "claim", claim, solver=FAKES[name][0])
    check_not_found(outcome)
    assert outcome.status is SearchStatus.REFUTED


def test_the_time_limit_is_kept():
    claim = distance(after) <= (1 - eta * mu) ** 2 * distance(x)
    outcome = prove(statement(*GD_CLASS, SHORT), "claim", claim, seconds=0)
    check_not_found(outcome)
    assert outcome.status is SearchStatus.TIMEOUT
