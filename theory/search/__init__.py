"""The search for proofs and counterexamples: untrusted, the kernel decides what it is worth."""

from theory.search.outcome import NotFound, SearchResult, SearchStatus
from theory.search.proving import prove
from theory.search.refutation import refute
from theory.search.sdp import Sdp, SdpSolution, Solver, SolverStatus, clarabel

__all__ = [
    "NotFound",
    "Sdp",
    "SdpSolution",
    "SearchResult",
    "SearchStatus",
    "Solver",
    "SolverStatus",
    "clarabel",
    "prove",
    "refute",
]
