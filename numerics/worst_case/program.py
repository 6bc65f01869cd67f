"""Semidefinite programs over orbits: what was asked, what a solver answered, and how well."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics.worst_case.symmetry import Atom, Combination
from theory.messages import optional

__all__ = ["ONE", "Program", "ProgramStatus", "Solution", "solve"]

Floats = NDArray[np.float64]
#: The atom that stands for the number 1 in a row.
ONE: Atom = ("1", ())
#: What is asked of Clarabel, the second where the first is not reached.
TOLERANCES = (1e-10, 1e-8)
#: What an answer may miss: stationarity and the gap absolutely, rows relative to the unknowns.
RESIDUAL = 1e-6
_CLARABEL = ("tol_gap_abs", "tol_gap_rel", "tol_feas")


class ProgramStatus(StrEnum):
    """What came of a solve; only `SOLVED` carries numbers to be used."""

    SOLVED = "solved"
    UNBOUNDED = "unbounded"
    INFEASIBLE = "infeasible"
    INACCURATE = "inaccurate"
    FAILED = "failed"


@dataclass(frozen=True)
class Program:
    """Maximise `objective` over one number per orbit.

    Attributes:
        objective: a row, that is a combination of orbits; `ONE` in it is the number 1.
        at_most_zero: name -> row that may not be positive.
        zero: name -> row that must be zero.
        semidefinite: name -> symmetric matrix of rows.
    """

    objective: Combination
    at_most_zero: Mapping[str, Combination]
    zero: Mapping[str, Combination]
    semidefinite: Mapping[str, Sequence[Sequence[Combination]]]

    def orbits(self) -> list[Atom]:
        """The unknowns, in alphabetical order."""
        rows = [self.objective, *self.at_most_zero.values(), *self.zero.values()]
        rows += [row for block in self.semidefinite.values() for line in block for row in line]
        return sorted({atom for row in rows for atom in row} - {ONE})


@dataclass(frozen=True)
class Solution:
    """An answer, measured against the program by this module and not by the solver.

    Attributes:
        status: whether the numbers may be used.
        value: the objective at the primal unknowns; NaN if there are none.
        bound: the dual objective: an upper bound on the maximum, up to `dual_residual`.
        primal_residual: the largest violation of a row or of semidefiniteness.
        dual_residual: the largest violation of stationarity or of a sign among the multipliers.
        error: how far `bound` may be off: the gap, and what the violation of stationarity amounts
            to at the primal unknowns.
        orbits: orbit -> value.
        multipliers: constraint -> multiplier, a number or a symmetric matrix.
        solver: who answered.
        reason: why the status is not `SOLVED`.
    """

    status: ProgramStatus
    value: float
    bound: float
    primal_residual: float
    dual_residual: float
    error: float
    solver: str
    orbits: Mapping[Atom, float] = field(default_factory=dict)
    multipliers: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""

    @property
    def gap(self) -> float:
        """The dual objective minus the primal one."""
        return self.bound - self.value


def solve(program: Program, solver: str = "CLARABEL") -> Solution:
    """Solve a program with a solver of cvxpy, and measure the answer.

    Raises:
        ImportError: if cvxpy is not installed.
        ValueError: if cvxpy has no such solver.
    """
    cp: Any = optional("cvxpy")
    if solver not in cp.installed_solvers():
        known = ", ".join(cp.installed_solvers())
        raise ValueError(f"solver {solver!r} is not installed: use one of {known}")
    system = _System.of(program)
    unknowns = cp.Variable(len(system.objective) - 1)
    point = cp.hstack([unknowns, np.ones(1)])
    constraints = [system.at_most_zero @ point <= 0, system.zero @ point == 0]
    for block in system.semidefinite:
        size = block.shape[0]
        constraints.append(
            cp.reshape(block.reshape(size * size, -1) @ point, (size, size), "C") >> 0
        )
    problem = cp.Problem(cp.Maximize(system.objective @ point), constraints)
    solution = _nothing(ProgramStatus.FAILED, solver, "not asked")
    for tolerance in TOLERANCES if solver == "CLARABEL" else (None,):
        options = {} if tolerance is None else dict.fromkeys(_CLARABEL, tolerance)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # an inaccurate answer is measured below
                problem.solve(solver=solver, **options)
        except cp.SolverError as error:
            solution = _nothing(ProgramStatus.FAILED, solver, str(error))
            continue
        if problem.status in (cp.UNBOUNDED, cp.INFEASIBLE):
            return _nothing(
                ProgramStatus(problem.status), solver, f"{solver} says {problem.status}"
            )
        duals = [constraint.dual_value for constraint in constraints]
        if unknowns.value is None or any(dual is None for dual in duals):
            solution = _nothing(ProgramStatus.FAILED, solver, f"{solver} says {problem.status}")
            continue
        solution = system.measured(np.append(unknowns.value, 1.0), duals, program, solver)
        if solution.status is ProgramStatus.SOLVED:
            break
    return solution


@dataclass(frozen=True)
class _System:
    """A program as arrays; the last column belongs to `ONE`."""

    objective: Floats
    at_most_zero: Floats
    zero: Floats
    semidefinite: tuple[Floats, ...]

    @classmethod
    def of(cls, program: Program) -> _System:
        column = {atom: place for place, atom in enumerate([*program.orbits(), ONE])}

        def array(row: Combination) -> Floats:
            dense = np.zeros(len(column))
            for atom, coefficient in row.items():
                dense[column[atom]] = coefficient
            return dense

        def matrix(rows: Mapping[str, Combination]) -> Floats:
            return np.array([array(row) for row in rows.values()]).reshape(-1, len(column))

        blocks = tuple(
            np.array([[array(row) for row in line] for line in block])
            for block in program.semidefinite.values()
        )
        return cls(
            array(program.objective), matrix(program.at_most_zero), matrix(program.zero), blocks
        )

    def measured(
        self, point: Floats, duals: Sequence[Any], program: Program, solver: str
    ) -> Solution:
        """What an answer is worth; the dual objective is recomputed from the multipliers."""
        inequality, equality, *matrices = (np.asarray(dual, dtype=np.float64) for dual in duals)
        matrices = [(matrix + matrix.T) / 2 for matrix in matrices]
        lagrangian = self.objective - inequality @ self.at_most_zero - equality @ self.zero
        off = [0.0, np.max(self.at_most_zero @ point, initial=0.0)]
        off.append(np.max(np.abs(self.zero @ point), initial=0.0))
        sign = [0.0, -np.min(inequality, initial=0.0)]
        for block, matrix in zip(self.semidefinite, matrices, strict=True):
            lagrangian = lagrangian + np.einsum("ij,ijk->k", matrix, block)
            off.append(-np.linalg.eigvalsh(block @ point)[0])
            sign.append(-np.linalg.eigvalsh(matrix)[0])
        primal, dual = float(max(off)), float(max(*sign, np.max(np.abs(lagrangian[:-1]))))
        value, bound = float(self.objective @ point), float(lagrangian[-1])
        worst = max(primal / max(1.0, float(np.max(np.abs(point)))), dual, abs(bound - value))
        good = bool(worst <= RESIDUAL)
        names = (*program.at_most_zero, *program.zero, *program.semidefinite)
        return Solution(
            ProgramStatus.SOLVED if good else ProgramStatus.INACCURATE,
            value,
            bound,
            primal,
            dual,
            float(abs(bound - value) + np.abs(lagrangian[:-1]) @ np.abs(point[:-1])),
            solver,
            dict(zip(program.orbits(), point.tolist(), strict=False)),
            dict(zip(names, (*inequality.tolist(), *equality.tolist(), *matrices), strict=True)),
            "" if good else f"the answer of {solver} is off by {worst:.1e}",
        )


def _nothing(status: ProgramStatus, solver: str, reason: str) -> Solution:
    """The solution that holds no numbers."""
    nan = float("nan")
    return Solution(status, nan, nan, nan, nan, nan, solver, reason=reason)
