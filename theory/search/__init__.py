"""The search for proofs and counterexamples: untrusted, the kernel decides what it is worth."""

from theory.search.outcome import NotFound, Outcome, SearchStatus
from theory.search.proving import prove
from theory.search.refutation import refute
from theory.search.sdp import Answer, Sdp, Solver, SolverStatus, clarabel

__all__ = [
    "Answer",
    "NotFound",
    "Outcome",
    "Sdp",
    "SearchStatus",
    "Solver",
    "SolverStatus",
    "clarabel",
    "prove",
    "refute",
]
