"""The search: from a statement to a theorem that the kernel accepts, or to how far it came."""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from theory import kernel
from theory.certificates import ZERO, Certificate, Cone, Fact, Instance, Invert, Times
from theory.expressions.terms import Relation, Vector, nodes
from theory.search.assembly import Uncertain, certificate, extended
from theory.search.candidates import Ingredients, about_parameters, gather, parameters, value
from theory.search.fields import Field, Point, Unsupported
from theory.search.handelman import combination
from theory.search.outcome import STOPS, Clock, Outcome, SearchStatus, Stop
from theory.search.proposals import Proposal, Search, propose
from theory.search.reduction import equality_multipliers
from theory.search.refutation import refute
from theory.search.sampling import points as sample
from theory.search.sampling import range_conditions
from theory.search.sdp import Solver, SolverStatus, clarabel
from theory.search.signs import Signs
from theory.statements import Lemma, Status, Theorem
from theory.witnesses import completed

SAMPLES = 110


def prove(
    theorem: Theorem,
    name: str,
    claim: Relation,
    *,
    points: Sequence[Vector] | None = None,
    vectors: Sequence[Vector] | None = None,
    degree: int = 0,
    seconds: float = 45.0,
    refute_seconds: float = 3.0,
    seed: int = 0,
    solver: Solver = clarabel,
) -> Outcome:
    """Search for a proof of a claim, as a further step of a theorem.

    The hypotheses of the theorem and the steps that it has already may be used.  A claim about
    parameters alone is proved by sums of squares; any other as a combination of instances of the
    rules and squares of vectors, with rational functions of the parameters as multipliers.  If no
    proof is found, a counterexample is sought.

    Args:
        theorem: the statement; `proof` holds the steps so far, usually none.
        name: the name of the new step, which joins the conclusion.
        claim: what it says.
        points: where to instantiate the rules; default: wherever a function is evaluated.
        vectors: what may be combined and squared; default: every vector that occurs.
        degree: of the sums of squares for claims about parameters, if more than the claim's.
        seconds: time limit for the search for a proof.
        refute_seconds: time limit for the search for a counterexample after that.
        seed: of the random choices.
        solver: proposes numbers; they are rounded, and the kernel decides.

    Returns:
        `found` with the theorem if the kernel accepts it; otherwise how the search ended.

    Raises:
        IllFormed: if the claim or a hypothesis has no meaning.
    """
    clock = Clock(seconds)
    task = Task(theorem, name, claim, points, vectors, degree, seed, solver, clock)
    status, reason = SearchStatus.UNDECIDED, "no combination was found"
    try:
        for attempt in _attempts(task):
            if isinstance(attempt, str):
                reason = attempt
                continue
            candidate = completed(attempt)
            report = kernel.check(candidate)
            if report.status is Status.PROVED:
                return Outcome(SearchStatus.FOUND, "", candidate, seconds=clock.spent)
            reason = f"the kernel says of the certificate: {report.reason}"
    except Stop as stop:
        status, reason = stop.status, stop.reason
    except Unsupported as problem:
        reason = str(problem)
    claimed = Lemma(name, claim, ZERO, "to be refuted")
    refutable = dataclasses.replace(theorem, proof=(claimed,), conclusion=(name,))
    model = refute(refutable, refute_seconds, seed)
    if model is not None:
        status, reason = SearchStatus.REFUTED, "the claim fails in an exact model"
    return Outcome(status, reason, None, model, clock.spent)


@dataclass(frozen=True)
class Task:
    """The arguments of `prove`, and the clock."""

    theorem: Theorem
    name: str
    claim: Relation
    points: Sequence[Vector] | None
    vectors: Sequence[Vector] | None
    degree: int
    seed: int
    solver: Solver
    clock: Clock


def _attempts(task: Task) -> Iterator[Theorem | str]:
    """Theorems for the kernel to judge, and reasons why a proposal did not become one."""
    theorem, claim = task.theorem, task.claim
    names = parameters(theorem.hypotheses, claim, task.points, task.vectors)
    field = Field(tuple(sorted(names)))
    ranges = range_conditions(theorem.hypotheses)
    sampled = list(
        itertools.islice(sample(field.names, [r for _, r in ranges], task.seed), SAMPLES)
    )
    at_divisors = Signs(field, task.solver, task.clock, sampled, task.degree)
    at_divisors.learn(ranges)
    signs = Signs(field, task.solver, task.clock, sampled, task.degree)
    signs.learn(range_conditions(theorem.hypotheses, theorem.proof))
    proofs: Iterator[tuple[Certificate | None, str]]
    if about_parameters(claim):
        proofs = iter([_scalar(claim, signs)])
    else:
        proofs = _combined(task, sampled, signs)
    for cone, why in proofs:
        if cone is None:
            yield why
            continue
        try:
            yield extended(theorem, Lemma(task.name, claim, cone, why), at_divisors)
        except Uncertain as problem:
            yield str(problem)


def _scalar(claim: Relation, signs: Signs) -> tuple[Cone | None, str]:
    """A certificate for a claim about parameters, or why there is none."""
    slack = signs.field.element(value(claim.slack))
    if claim.sign == "==":
        if not slack:
            return ZERO, "Both sides are the same rational function."
        below = signs.sign(slack.denom, strict=True)
        above = combination(signs.field, slack.numer, [], signs.zeros, strict=False)
        if below is not None and above is not None:
            return Times((Invert(below), above)), "A combination of the equalities."
        return None, "not a combination of the equalities"
    cone = signs.element(slack, strict=claim.sign == "<")
    if cone is not None:
        return cone, "A combination of products of what is known to be non-negative."
    signs.clock.check()
    if signs.answer.status in STOPS:
        raise Stop(STOPS[signs.answer.status], f"no sum of squares: {signs.answer.reason}")
    return None, f"no sum of squares was rounded to an exact one: {signs.answer.reason}"


def _combined(
    task: Task, sampled: list[Point], signs: Signs
) -> Iterator[tuple[Certificate | None, str]]:
    """Certificates for a claim about vectors and functions, or why there is none."""
    if task.claim.sign == "<":
        raise Unsupported("strict claims about vectors and functions are not searched for")
    if signs.zeros:
        raise Unsupported("an equality between parameters is not used: substitute it in the claim")
    given = gather(task.theorem, task.claim, task.points, task.vectors)
    hints = tuple(known.poly for known in signs.known)
    search = Search(task.solver, task.clock, sampled, hints)
    if task.claim.sign == "==":
        proposals = _equality(given)
    elif sampled:
        proposals = propose(given, search)
    else:
        raise Unsupported("no values of the parameters satisfy the conditions")
    proposed = False
    for proposal in proposals:
        proposed = True
        try:
            yield certificate(proposal, signs), explained(proposal)
        except Uncertain as problem:
            yield None, str(problem)
    for trouble in search.troubles:
        if trouble.status is SolverStatus.FAILED or not proposed:
            raise Stop(STOPS[trouble.status], trouble.reason)


def _equality(given: Ingredients) -> Iterator[Proposal]:
    """The claim as a combination of equalities alone."""
    used = equality_multipliers(given, given.claim)
    if used is not None:
        yield Proposal(given, tuple(c for c, _ in used), tuple(m for _, m in used), (), ())


def explained(proposal: Proposal) -> str:
    """One line on what the certificate is made of."""
    used = Counter(
        f"{leaf.assumption}: {leaf.rule}" if isinstance(leaf, Instance) else leaf.name
        for candidate, weight in zip(proposal.candidates, proposal.multipliers, strict=True)
        for leaf in nodes(candidate.cone)
        if weight and isinstance(leaf, Instance | Fact)
    )
    parts = [f"{label} ({count} times)" if count > 1 else label for label, count in used.items()]
    if any(any(row) for row in proposal.matrix):
        parts.append("squares of vectors")
    return f"A combination, found by search, of {', '.join(parts) or 'nothing'}."
