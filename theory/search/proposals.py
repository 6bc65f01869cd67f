"""From a semidefinite program at sampled parameters to multipliers as rational functions.

1. At a few points: is the claim a combination at all, and which candidates are really needed?
2. At many points: the exact kernel of S (`rounding`).
3. Its entries as rational functions (`interpolate`); then the multipliers and S follow from linear
   equations over QQ(parameters).
4. What is still undetermined is set to a simple function inside the range that the solver reports.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np

from theory.search.candidates import Candidate, Ingredients
from theory.search.fields import Element, Field, Point, Ring
from theory.search.guessing import guesses
from theory.search.interpolate import fit
from theory.search.outcome import STOPS, Clock, SearchStatus, Stop, shown
from theory.search.reduction import equality_multipliers, reduced, remainder
from theory.search.rounding import Rounded, is_valid, round_at
from theory.search.sdp import SdpSolution, Solver, SolverStatus, residual, solve
from theory.search.system import System, build
from theory.trusted.terms import Vector

__all__ = ["FIRST", "GUESSES", "PREFERENCES", "ROUNDS", "SPREAD", "Proposal", "Search", "propose"]

FIRST = 3
ROUNDS = (8, 16, 32, 64, 110)
SPREAD = 16
GUESSES = 40
NEGLIGIBLE, NEARLY = 1e-5, 1e-7
PREFERENCES = ((1.0, 1e-3), (1e-3, 1.0), (0.0, 0.0))


@dataclass(frozen=True)
class Proposal:
    """Multipliers and a matrix with symbolic parameters; the identity holds, signs are open.

    Attributes:
        given: what it is made of.
        candidates: those in use, equalities among them.
        multipliers: one for each of them.
        vectors: what is squared.
        matrix: S, in these vectors.
    """

    given: Ingredients
    candidates: tuple[Candidate, ...]
    multipliers: tuple[Element, ...]
    vectors: tuple[Vector, ...]
    matrix: tuple[tuple[Element, ...], ...]


@dataclass
class Search:
    """The means of a search: whom to ask, for how long, where, and which factors may occur."""

    solver: Solver
    clock: Clock
    points: list[Point]
    hints: tuple[Ring, ...] = ()

    troubles: list[SdpSolution] = field(default_factory=list)

    def ask(self, system: System, point: Point, cost: Sequence[float]) -> SdpSolution:
        """The solver's answer at a point; what went wrong with it is remembered.

        Raises:
            Stop: when time is up.
        """
        self.clock.check()
        answer = solve(system.sdp(point, cost), self.solver, self.clock.left)
        if answer.status in (SolverStatus.FAILED, SolverStatus.INACCURATE):
            self.troubles.append(answer)
        return answer

    def first_points(self) -> list[Point]:
        """The few points at which the support is chosen."""
        return self.points[:FIRST]


def propose(given: Ingredients, search: Search) -> Iterator[Proposal]:
    """Proposals for a proof, the sparsest first.

    Raises:
        Stop: if the solver says that there is none, or cannot say, or time is up.
    """
    whole = build(reduced(given))
    supports: list[tuple[int, ...]] = []
    for multipliers, trace in PREFERENCES[:2]:
        try:
            kept = _support(whole, search, multipliers, trace)
        except Stop:
            if not supports:
                raise
            search.clock.check()
            continue
        if kept in supports:
            continue
        supports.append(kept)
        cones = {whole.candidates[j].cone for j in kept}
        needed = tuple(c for c in given.candidates if c.zero or c.cone in cones)
        system = build(reduced(replace(given, candidates=needed)))
        for preference in PREFERENCES:
            face = _face(system, search, preference)
            for values in _determine(face, search, [GUESSES]) if face is not None else ():
                found = _proposal(given, system, values)
                if found is not None:
                    yield found


def _support(system: System, search: Search, multipliers: float, trace: float) -> tuple[int, ...]:
    """The candidates that are needed at the first points, found by leaving out one at a time."""
    cost = system.costs(multipliers, trace)
    used: set[int] = set()
    size: dict[int, float] = {}
    for point in search.first_points():
        answer = search.ask(system, point, cost)
        if answer.unknowns is None:
            status = STOPS.get(answer.status, SearchStatus.INACCURATE)
            raise Stop(status, f"{answer.reason}, at {shown(point)}")
        head = answer.unknowns[: len(system.candidates)]
        scale = max(float(np.max(np.abs(answer.unknowns), initial=0.0)), 1e-12)
        for j, weight in enumerate(head):
            size[j] = max(size.get(j, 0.0), float(weight))
            if weight > NEGLIGIBLE * scale:
                used.add(j)
    if not _suffices(system, search, used):
        used = set(range(len(system.candidates)))
    for j in sorted(used, key=lambda j: size[j]):
        if _suffices(system, search, used - {j}):
            used.remove(j)
    return tuple(sorted(used))


def _suffices(whole: System, search: Search, kept: set[int]) -> bool:
    """Whether the solver solves the problem at the first points with these candidates alone."""
    system = build(whole.given, sorted(kept))
    for point in search.first_points():
        cost = system.costs(1.0, 1e-3)
        answer = search.ask(system, point, cost)
        if answer.unknowns is None:
            return False
        if residual(system.sdp(point, cost), answer.unknowns) > NEARLY:
            return False
    return True


def _determine(system: System, search: Search, left: list[int]) -> Iterator[tuple[Element, ...]]:
    """All unknowns as functions that are valid at the points; what has a range is guessed."""
    solved = system.solve()
    if solved is None:
        return
    if not solved.undetermined:
        left[0] -= 1
        if _is_valid(system, search, solved.particular):
            yield solved.particular
        return
    points = search.points[:SPREAD]
    unknown = solved.undetermined[0]
    ranges = np.array([_range(system, search, point, unknown) for point in points])
    if np.any(np.isnan(ranges)):
        return
    for function in guesses(system.given, search.hints, points, ranges):
        if left[0] <= 0:
            return
        yield from _determine(system.fixed(unknown, function), search, left)


def _is_valid(system: System, search: Search, values: Sequence[Element]) -> bool:
    """Whether the unknowns have the right signs at all points, exactly."""
    evaluate = system.given.field.evaluate
    for point in search.points:
        search.clock.check()
        try:
            if not is_valid(system, [evaluate(value, point) for value in values]):
                return False
        except ZeroDivisionError:
            continue
    return True


def _proposal(given: Ingredients, system: System, values: Sequence[Element]) -> Proposal | None:
    """The solution in terms of what was given, equalities included."""
    size, vectors = system.size, system.given.vectors
    matrix = tuple(tuple(values[system.entry(i, j)] for j in range(size)) for i in range(size))
    originals = {c.cone: c for c in given.candidates}
    used = [
        (originals[c.cone], value)
        for c, value in zip(system.candidates, values, strict=False)
        if value
    ]
    equalities = equality_multipliers(given, remainder(given, used, vectors, matrix))
    if equalities is None:
        return None
    used += equalities
    return Proposal(given, tuple(c for c, _ in used), tuple(m for _, m in used), vectors, matrix)


def _face(system: System, search: Search, preference: tuple[float, float]) -> System | None:
    """The system with the kernel of S imposed, its entries being rational functions."""
    cost = system.costs(*preference)
    points: list[Point] = []
    found: list[Rounded] = []
    asked = 0
    for wanted in ROUNDS if system.given.field.names else (1,):
        while asked < wanted and asked < len(search.points):
            point = search.points[asked]
            asked += 1
            unknowns = search.ask(system, point, cost).unknowns
            if unknowns is None:
                continue
            pivots = found[0].pivots if found else None
            rounded = round_at(system, point, system.sdp(point, cost), unknowns, pivots)
            if rounded is not None:
                points.append(point)
                found.append(rounded)
        if 2 * len(found) < asked:
            return None
        search.clock.check()
        kernel = _fitted(system.given.field, points, [r.kernel for r in found])
        if kernel is not None:
            return system.annihilating(kernel)
    return None


def _fitted(
    ring: Field, points: Sequence[Point], kernels: Sequence[tuple[tuple[Fraction, ...], ...]]
) -> list[list[Element]] | None:
    """The kernel's entries as functions."""
    result: list[list[Element]] = []
    for i, row in enumerate(kernels[0]):
        functions = []
        for j in range(len(row)):
            function = fit(ring, points, [kernel[i][j] for kernel in kernels])
            if function is None:
                return None
            functions.append(function)
        result.append(functions)
    return result


def _range(system: System, search: Search, point: Point, unknown: int) -> tuple[float, float]:
    """The least and greatest value of an unknown at a point; NaN if the solver cannot say."""
    ends = []
    for sign in (1.0, -1.0):
        cost = system.costs(1e-6, 1e-6)
        cost[unknown] += sign
        answer = search.ask(system, point, cost)
        if answer.status is SolverStatus.UNBOUNDED:
            ends.append(np.inf * -sign)
        else:
            ends.append(np.nan if answer.unknowns is None else float(answer.unknowns[unknown]))
    return ends[0], ends[1]
