"""What may be said of a theorem that is shown: its verdict, and which of its steps hold.

A document that shows a proof takes a `Verdict`, which the checkers give, and no bare theorem: what
nobody has checked is shown as that.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Any

import theory
from theory.opinions import Verdict
from theory.proving.degeneracy import degenerate
from theory.trusted.statements import Failure, Status, Step
from theory.wire import encode

__all__ = ["DECIDED", "NOT_REACHED", "as_json", "headline", "is_proof", "settled", "steps"]

DECIDED = (Status.PROVED, Status.REFUTED)
NOT_REACHED = "not replayed, since a step before it fails"


def is_proof(verdict: Verdict) -> bool:
    """Whether the steps may be called a proof: there is no other reason than the kernel's word."""
    return verdict.status is Status.PROVED and verdict.report.status is Status.PROVED


def settled(verdict: Verdict) -> bool:
    """Whether it is proved or refuted, as its file records."""
    return verdict.as_recorded and verdict.status in DECIDED


def headline(verdict: Verdict) -> str:
    """The verdict in one line; what is not settled says why."""
    if is_proof(verdict):
        said = "proved: the kernel replayed every step in exact arithmetic"
    else:
        reasons = [verdict.report.reason] if verdict.report.reason else []
        reasons += [
            f"{name} says {opinion.verdict}" + (f": {opinion.reason}" if opinion.reason else "")
            for name, opinion in verdict.opinions.items()
            if name != "kernel" and opinion.verdict != verdict.status.value
        ]
        status = verdict.report.status if verdict.status is Status.PROVED else verdict.status
        said = f"{status.value}: {'; '.join(reasons) or 'no reason is given'}"
    if not verdict.as_recorded:
        said += f" (its file records {verdict.theorem.expected.value})"
    return said


def steps(verdict: Verdict) -> Iterator[tuple[Step, str]]:
    """Every step of the proof, with why the kernel has not accepted it; "" for one that holds."""
    for step, found in zip_longest(verdict.theorem.proof, verdict.report.steps):
        yield step, NOT_REACHED if found is None else "" if found.accepted else found.reason


def as_json(verdicts: Sequence[Verdict], whole: bool = False) -> str:
    """One JSON document of verdicts.

    Args:
        verdicts: of the theorems, in order.
        whole: whether statement and certificate come with each verdict, as `decode` reads them,
            in place of the time that it took.
    """
    entries = [
        _entry(v) | ({"theorem": encode(v.theorem)} if whole else {"seconds": round(v.seconds, 4)})
        for v in verdicts
    ]
    document = {"version": theory.__version__, "theorems": entries}
    if whole:  # for programs, and one of each theorem lies in the report
        return json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return json.dumps(document, ensure_ascii=False, indent=2)


def _entry(verdict: Verdict) -> dict[str, Any]:
    theorem, report = verdict.theorem, verdict.report
    return {
        "id": theorem.id,
        "file": verdict.file or None,
        "title": theorem.title,
        "source": {
            "reference": theorem.source.reference,
            "place": theorem.source.place,
            "attribution": theorem.source.attribution.value,
        },
        "status": verdict.status.value,
        "expected": theorem.expected.value,
        "checkers": {name: o.verdict for name, o in verdict.opinions.items()},
        "reasons": {name: o.reason for name, o in verdict.opinions.items() if o.reason},
        "hypotheses": [h.name for h in theorem.hypotheses],
        "implicit_hypotheses": [h.name for h in theorem.hypotheses if h.implicit],
        "redundant_hypotheses": list(report.redundant),
        "steps": {s.name: s.accepted for s in report.steps},
        "failure": _failure(report.failure),
        "degenerate_witness": list(degenerate(theorem)),
        "repaired_by": theorem.repaired_by or None,
    }


def _failure(failure: Failure | None) -> dict[str, str] | None:
    """The conclusion that a refutation refutes, with both sides exact."""
    return None if failure is None else {key: str(value) for key, value in vars(failure).items()}
