"""What a solver says is measured; what it cannot say is never a number."""

import dataclasses
import math

import numpy as np
import pytest

from numerics.worst_case import ProblemClass, ProgramStatus, worst_case
from numerics.worst_case.one_step import program
from numerics.worst_case.program import ONE, Program, solve

A, B = ("a", ()), ("b", ())


def small(objective, at_most_zero, block=None):
    return Program(objective, at_most_zero, {}, {} if block is None else {"block": block})


def test_a_linear_program_by_hand():
    """Maximise a + 2 b for a + b <= 1 and b <= 1/4: 5/4, multipliers 1 and 1."""
    rows = {"sum": {A: 1.0, B: 1.0, ONE: -1.0}, "b": {B: 1.0, ONE: -0.25}}
    found = solve(small({A: 1.0, B: 2.0}, rows))
    assert found.status is ProgramStatus.SOLVED
    # Interior-point tolerances of 1e-10, with room.
    assert found.value == pytest.approx(1.25, abs=1e-8)
    assert found.bound == pytest.approx(1.25, abs=1e-8)
    assert found.multipliers == pytest.approx({"sum": 1.0, "b": 1.0}, abs=1e-8)
    assert found.orbits == pytest.approx({A: 0.75, B: 0.25}, abs=1e-8)
    assert max(found.primal_residual, found.dual_residual, found.error) < 1e-8


def test_a_semidefinite_program_by_hand():
    """Maximise b with [[1, b], [b, 4]] >= 0: 2, with the multiplier [[1, -1/2], [-1/2, 1/4]]."""
    found = solve(small({B: 1.0}, {}, [[{ONE: 1.0}, {B: 1.0}], [{B: 1.0}, {ONE: 4.0}]]))
    assert found.value == pytest.approx(2.0, abs=1e-8)
    assert found.multipliers["block"] == pytest.approx(
        np.array([[1.0, -0.5], [-0.5, 0.25]]), abs=1e-6
    )


def test_the_dual_bound_is_a_bound():
    """Multipliers with the right signs bound the objective at every other feasible point, too."""
    asked = program(ProblemClass(0.25, components=3), 0.2, 0.1)
    found = solve(asked)
    elsewhere = solve(dataclasses.replace(asked, objective={("f", (1,)): 1.0}))
    at = lambda row: sum(c * (elsewhere.orbits | {ONE: 1.0})[atom] for atom, c in row.items())  # noqa: E731
    assert at(asked.objective) <= found.bound + 1e-6


@pytest.mark.parametrize(
    ("rows", "status"),
    [({"never": {ONE: 1.0, A: 0.0}}, ProgramStatus.INFEASIBLE), ({}, ProgramStatus.UNBOUNDED)],
)
def test_no_numbers_where_there_is_no_solution(rows, status):
    found = solve(small({A: 1.0}, rows))
    assert found.status is status and "CLARABEL" in found.reason
    assert math.isnan(found.value) and math.isnan(found.bound)


def test_a_failing_solver_gives_no_verdict(monkeypatch):
    import cvxpy

    def fail(*_, **__):
        raise cvxpy.SolverError("out of paper")

    monkeypatch.setattr(cvxpy.Problem, "solve", fail)
    found = worst_case(ProblemClass(0.25), 0.1, 0.1)
    assert found.status is ProgramStatus.FAILED and "out of paper" in found.solution.reason
    assert math.isnan(found.value) and math.isnan(found.primal)


def test_a_wrong_answer_is_found_out(monkeypatch):
    """The solver claims to be done, and its multipliers are moved afterwards."""
    import cvxpy

    solved = cvxpy.Problem.solve

    def tampered(self, *args, **kwargs):
        solved(self, *args, **kwargs)
        self.constraints[0].save_dual_value(self.constraints[0].dual_value + 1e-3)

    monkeypatch.setattr(cvxpy.Problem, "solve", tampered)
    found = worst_case(ProblemClass(0.25), 0.1, 0.1)
    assert found.status is ProgramStatus.INACCURATE and "is off by" in found.solution.reason
    assert math.isnan(found.value)


@pytest.mark.slow
def test_another_solver_agrees():
    """SCS is a first-order method: it reaches a few digits, or is called inaccurate."""
    setting = ProblemClass(0.25, components=3, samples="convex", mean="quadratic growth")
    setting = dataclasses.replace(setting, measure="squared distance")
    ours, other = worst_case(setting, 0.3, 0.2), worst_case(setting, 0.3, 0.2, "SCS")
    assert other.solution.solver == "SCS"
    if other.status is ProgramStatus.SOLVED:
        assert other.value == pytest.approx(ours.value, abs=1e-4)
    else:
        assert other.status is ProgramStatus.INACCURATE and math.isnan(other.value)
