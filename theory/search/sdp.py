"""Semidefinite programs: one neutral form, one solver, and what its answers are worth.

A solver is not believed: its answer is measured against the program, and whatever it proposes is
checked in exact arithmetic later.  What went wrong is kept apart: infeasible, inaccurate, timeout,
failed.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from theory.messages import optional

__all__ = [
    "RESIDUAL",
    "TOLERANCES",
    "Floats",
    "Sdp",
    "SdpSolution",
    "Solver",
    "SolverStatus",
    "clarabel",
    "matrices",
    "residual",
    "solve",
    "triangle",
]

Floats = NDArray[np.float64]
RESIDUAL = 1e-5  # relative; a proposal further off than this is of no use to the rounding
TOLERANCES = (1e-9, 1e-7)  # the second where the first is not reached


class SolverStatus(StrEnum):
    """What came of one solve."""

    SOLVED = "solved"
    INFEASIBLE = "infeasible"
    UNBOUNDED = "unbounded"
    INACCURATE = "inaccurate"
    TIMEOUT = "timeout"
    FAILED = "failed"


@dataclass(frozen=True)
class Sdp:
    """Minimise `cost @ y` subject to `matrix @ y == right`.

    The unknowns are, in this order: `nonnegative` numbers that are at least zero, `free` numbers,
    and the upper triangles (by rows, diagonal included) of positive semidefinite matrices.

    Attributes:
        matrix: shape (equations, unknowns).
        right: shape (equations,).
        cost: shape (unknowns,).
        nonnegative: how many unknowns are non-negative.
        free: how many are free.
        blocks: the sizes of the matrices.
    """

    matrix: Floats
    right: Floats
    cost: Floats
    nonnegative: int
    free: int
    blocks: tuple[int, ...]


@dataclass(frozen=True)
class SdpSolution:
    """What a solver says; `unknowns` only if it says that it solved, or nearly solved."""

    status: SolverStatus
    unknowns: Floats | None = None
    reason: str = ""


Solver = Callable[[Sdp, float], SdpSolution]


def triangle(size: int) -> list[tuple[int, int]]:
    """The positions of an upper triangle, by rows."""
    return [(i, j) for i in range(size) for j in range(i, size)]


def matrices(sdp: Sdp, unknowns: Floats) -> list[Floats]:
    """The symmetric matrices inside a vector of unknowns."""
    found, at = [], sdp.nonnegative + sdp.free
    for size in sdp.blocks:
        matrix = np.zeros((size, size))
        for i, j in triangle(size):
            matrix[i, j] = matrix[j, i] = unknowns[at]
            at += 1
        found.append(matrix)
    return found


def clarabel(sdp: Sdp, seconds: float) -> SdpSolution:
    """Solve with Clarabel, through cvxpy; once more with less ambition if it gives up.

    Raises:
        ImportError: if cvxpy is not installed.
    """
    cp: Any = optional("cvxpy")
    parts: list[Any] = []
    if sdp.nonnegative:
        parts.append(cp.Variable(sdp.nonnegative, nonneg=True))
    if sdp.free:
        parts.append(cp.Variable(sdp.free))
    for size in sdp.blocks:
        matrix = cp.Variable((size, size), PSD=True)
        select = np.zeros((size * (size + 1) // 2, size * size))
        for row, (i, j) in enumerate(triangle(size)):
            select[row, i * size + j] = 1.0
        parts.append(select @ cp.vec(matrix, order="C"))
    if not parts:
        gap = float(np.max(np.abs(sdp.right), initial=0.0))
        if gap > RESIDUAL:
            return SdpSolution(SolverStatus.INFEASIBLE, reason="nothing to combine")
        return SdpSolution(SolverStatus.SOLVED, np.zeros(0))
    unknowns = cp.hstack(parts)
    constraints = [sdp.matrix @ unknowns == sdp.right] if len(sdp.right) else []
    problem = cp.Problem(cp.Minimize(sdp.cost @ unknowns), constraints)
    said, error = SolverStatus.FAILED, ""
    for tolerance in TOLERANCES:
        limit = {"time_limit": max(seconds, 0.01), "tol_feas": tolerance}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                problem.solve(
                    solver=cp.CLARABEL, tol_gap_abs=tolerance, tol_gap_rel=tolerance, **limit
                )
        except cp.SolverError as problem_met:
            error = str(problem_met)
            continue
        said = {
            cp.OPTIMAL: SolverStatus.SOLVED,
            cp.INFEASIBLE: SolverStatus.INFEASIBLE,
            cp.UNBOUNDED: SolverStatus.UNBOUNDED,
            cp.USER_LIMIT: SolverStatus.TIMEOUT,
        }.get(problem.status, SolverStatus.INACCURATE)
        error = f"Clarabel says {problem.status}"
        if said is not SolverStatus.INACCURATE:
            break
    return SdpSolution(said, unknowns.value, error)


def solve(sdp: Sdp, solver: Solver, seconds: float) -> SdpSolution:
    """Ask a solver, and measure its answer: what it claims to have solved must be nearly so."""
    if seconds <= 0:
        return SdpSolution(SolverStatus.TIMEOUT, reason="no time is left")
    try:
        answer = solver(sdp, seconds)
    except ImportError as problem:
        return SdpSolution(SolverStatus.FAILED, reason=str(problem))
    except Exception as problem:
        return SdpSolution(SolverStatus.FAILED, reason=f"{type(problem).__name__}: {problem}")
    if not isinstance(answer, SdpSolution):
        return SdpSolution(SolverStatus.FAILED, reason="the solver did not return an answer")
    if answer.status not in (SolverStatus.SOLVED, SolverStatus.INACCURATE):
        return SdpSolution(answer.status, None, answer.reason)
    flaw = _flaw(sdp, answer.unknowns)
    if flaw:
        return SdpSolution(SolverStatus.INACCURATE, None, flaw)
    return answer


def residual(sdp: Sdp, unknowns: Floats) -> float:
    """By how much unknowns miss the equations and the signs, relative to their size."""
    scale = 1.0 + float(np.max(np.abs(unknowns), initial=0.0))
    off = float(np.max(np.abs(sdp.matrix @ unknowns - sdp.right), initial=0.0))
    lowest = float(np.min(unknowns[: sdp.nonnegative], initial=0.0))
    for matrix in matrices(sdp, unknowns):
        lowest = min(lowest, float(np.min(np.linalg.eigvalsh(matrix), initial=0.0)))
    return max(off, -lowest) / scale


def _flaw(sdp: Sdp, unknowns: Floats | None) -> str:
    """Why proposed unknowns are of no use; empty if they are."""
    if unknowns is None or np.shape(unknowns) != sdp.cost.shape:
        return "the solver proposes no numbers, or the wrong number of them"
    if not np.all(np.isfinite(unknowns)):
        return "the solver proposes numbers that are not finite"
    off = residual(sdp, unknowns)
    return f"what the solver proposes is off by {off:.1e}" if off > RESIDUAL else ""
