"""What a search comes back with, its ways of failing kept apart."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import StrEnum

from theory.opinions import examine
from theory.proving.models import Model
from theory.search.fields import Point
from theory.search.sdp import SolverStatus
from theory.text.html import shown as styled
from theory.text.html import typeset
from theory.text.markup import badge, prose, tag
from theory.trusted.statements import Status, Theorem

__all__ = [
    "STOPS",
    "VERDICTS",
    "Clock",
    "NotFound",
    "SearchResult",
    "SearchStatus",
    "Stop",
    "shown",
]


class SearchStatus(StrEnum):
    """How a search ended.  Only `found` comes with a theorem, which the kernel has accepted."""

    FOUND = "found"
    REFUTED = "refuted"
    INFEASIBLE = "infeasible"
    INACCURATE = "inaccurate"
    UNDECIDED = "undecided"
    TIMEOUT = "timeout"
    FAILED = "failed"


VERDICTS = {
    SearchStatus.FOUND: Status.PROVED,
    SearchStatus.REFUTED: Status.REFUTED,
    SearchStatus.FAILED: Status.ERROR,
}
STOPS = {
    SolverStatus.INFEASIBLE: SearchStatus.INFEASIBLE,
    SolverStatus.INACCURATE: SearchStatus.INACCURATE,
    SolverStatus.TIMEOUT: SearchStatus.TIMEOUT,
    SolverStatus.FAILED: SearchStatus.FAILED,
}


class NotFound(ValueError):
    """A theorem was asked of a search that did not find one; the message says how it ended."""


@dataclass(frozen=True)
class SearchResult:
    """The result of a search.

    Attributes:
        status: how it ended.
        reason: why, in one line; empty if found.
        found: the theorem with its certificate, accepted by the kernel; only if `found`.
        counterexample: a model in which the hypotheses hold and the claim fails; only if `refuted`.
        seconds: wall-clock time.
    """

    status: SearchStatus
    reason: str = ""
    found: Theorem | None = None
    counterexample: Model | None = None
    seconds: float = 0.0

    @property
    def verdict(self) -> Status:
        """The outcome as a verdict: what is not found or refuted is undecided, or an error."""
        return VERDICTS.get(self.status, Status.UNDECIDED)

    @property
    def theorem(self) -> Theorem:
        """The theorem.

        Raises:
            NotFound: if the search did not find one.
        """
        if self.found is None:
            raise NotFound(f"the search found no proof ({self.status.value}): {self.reason}")
        return self.found

    def __repr__(self) -> str:
        what = self.reason if self.found is None else self.found.id
        return f"<Outcome {self.status.value}: {what}>"

    def _repr_html_(self) -> str:
        """The theorem, or how the search ended."""
        how = tag("p", badge(self.status.value), " ", prose(self.reason))
        if self.found is None:
            return styled(tag("div", how))
        return typeset(examine(self.found))


class Stop(Exception):
    """The search cannot go on."""

    def __init__(self, status: SearchStatus, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


@dataclass(frozen=True)
class Clock:
    """A time limit in seconds from when it was made."""

    limit: float
    started: float = field(default_factory=time.monotonic)

    @property
    def spent(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    @property
    def left(self) -> float:
        """Seconds that are left, possibly negative."""
        return self.limit - self.spent

    def check(self) -> None:
        """Go on only if there is time.

        Raises:
            Stop: if there is not.
        """
        if self.left <= 0:
            raise Stop(SearchStatus.TIMEOUT, f"not finished after {self.limit:g} s")


def shown(point: Point) -> str:
    """A point as text."""
    return ", ".join(f"{name} = {value}" for name, value in point.items()) or "no parameters"
