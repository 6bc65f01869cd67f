"""The search: from a statement to a theorem that the kernel accepts, or to how far it came."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from theory.proving.witnesses import completed
from theory.search.assembly import Uncertain, certificate, extended
from theory.search.candidates import Ingredients, about_parameters, gather, parameters, value
from theory.search.fields import Field, Point, Unsupported
from theory.search.handelman import combination
from theory.search.outcome import STOPS, Clock, SearchResult, SearchStatus, Stop
from theory.search.proposals import Proposal, Search, propose
from theory.search.reduction import equality_multipliers
from theory.search.refutation import refute
from theory.search.sampling import points as sample
from theory.search.sampling import range_conditions
from theory.search.sdp import Solver, SolverStatus, clarabel
from theory.search.signs import Signs
from theory.trusted import kernel
from theory.trusted.certificates import (
    NOTHING,
    Cone,
    Fact,
    Invert,
    RuleAt,
    Times,
    ZeroOrPositive,
)
from theory.trusted.statements import Condition, Hypothesis, Status, Step, Theorem
from theory.trusted.terms import (
    ZERO,
    IllFormed,
    Param,
    Relation,
    Vector,
    nodes,
    substitute,
)

__all__ = ["SAMPLES", "STATED", "TRIED", "Task", "explained", "prove"]

SAMPLES = 110
#: What a task says in terms of the parameters.
STATED = ("theorem", "claim", "points", "vectors")
#: Proposals that are combined with those of the other case.
TRIED = 3


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
) -> SearchResult:
    """Search for a proof of a claim, as a further step of a theorem.

    The hypotheses of the theorem and the steps that it has already may be used.  A claim about
    parameters alone is proved by sums of squares; any other as a combination of instances of the
    rules and squares of vectors, with rational functions of the parameters as multipliers.  What
    this leaves undecided is tried by cases, parameter = 0 and parameter > 0, for each condition
    `0 <= parameter`.  If no proof is found, a counterexample is sought.

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
    given, combined = (None if at is None else tuple(at) for at in (points, vectors))
    task = Task(theorem, name, claim, given, combined, degree, seed, solver, clock)
    status, reason = SearchStatus.UNDECIDED, ""
    try:
        found, reason = _found(task)
        for condition, parameter in _splits(theorem.hypotheses):
            if found is None:
                found = _found_by_cases(task, condition, parameter)
        if found is not None:
            return SearchResult(SearchStatus.FOUND, "", found, seconds=clock.spent)
    except Stop as stop:
        status, reason = stop.status, stop.reason
    except Unsupported as problem:
        reason = str(problem)
    claimed = Step(name, claim, NOTHING, "to be refuted")
    refutable = dataclasses.replace(theorem, proof=(claimed,), conclusion=(name,))
    model = refute(refutable, refute_seconds, seed)
    if model is not None:
        status, reason = SearchStatus.REFUTED, "the claim fails in an exact model"
    return SearchResult(status, reason, None, model, clock.spent)


@dataclass(frozen=True)
class Task:
    """The arguments of `prove`, and the clock."""

    theorem: Theorem
    name: str
    claim: Relation
    points: tuple[Vector, ...] | None
    vectors: tuple[Vector, ...] | None
    degree: int
    seed: int
    solver: Solver
    clock: Clock


def _found(task: Task) -> tuple[Theorem | None, str]:
    """The first theorem that the kernel accepts, or why there is none."""
    reason = "no combination was found"
    for attempt in _attempts(task):
        candidate, reason = (None, attempt) if isinstance(attempt, str) else _judged(attempt)
        if candidate is not None:
            return candidate, ""
    return None, reason


def _judged(attempt: Theorem) -> tuple[Theorem | None, str]:
    """The theorem with a witness if the kernel accepts it, or what the kernel says of it."""
    candidate = completed(attempt)
    report = kernel.check(candidate)
    if report.status is Status.PROVED:
        return candidate, ""
    return None, f"the kernel says of the certificate: {report.reason}"


def _splits(hypotheses: Sequence[Hypothesis]) -> Iterator[tuple[Condition, Param]]:
    """The conditions `0 <= parameter`, and their parameters."""
    for hypothesis in hypotheses:
        match hypothesis:
            case Condition(_, Relation(left, "<=", Param() as parameter)) if left == ZERO:
                yield hypothesis, parameter


def _found_by_cases(task: Task, condition: Condition, parameter: Param) -> Theorem | None:
    """A proof for the parameter of the condition positive, and one for it zero, as one step."""
    strict = dataclasses.replace(condition, relation=Relation(ZERO, "<", parameter))
    hypotheses = tuple(strict if h is condition else h for h in task.theorem.hypotheses)
    positive = dataclasses.replace(
        task, theorem=dataclasses.replace(task.theorem, hypotheses=hypotheses)
    )
    zero = dataclasses.replace(
        task, **{name: substitute(getattr(task, name), parameter, ZERO) for name in STATED}
    )
    try:
        beyond, at_zero = _first(positive), _first(zero)
    except (Stop, Unsupported, IllFormed):  # IllFormed: the parameter divides
        return None
    signs = _signs(task, *_range(task))
    for (cone, why), (other, _) in itertools.product(beyond, at_zero):
        split = ZeroOrPositive(condition.name, other, cone)
        step = Step(task.name, task.claim, split, f"{why} {parameter.name} = 0 is a case apart.")
        with contextlib.suppress(Uncertain):
            found, _ = _judged(extended(task.theorem, step, signs))
            if found is not None:
                return found
    return None


def _first(task: Task) -> list[tuple[Cone, str]]:
    """A few proposed certificates and what they are made of.

    Raises:
        Stop: if there is none, or for the search's own reason.
    """
    proposed = ((cone, why) for cone, why in _certificates(task) if cone is not None)
    if found := list(itertools.islice(proposed, TRIED)):
        return found
    raise Stop(SearchStatus.UNDECIDED, "no combination was found")


def _range(task: Task) -> tuple[Field, list[Point]]:
    """The field of the parameters, and points of their range."""
    names = parameters(task.theorem.hypotheses, task.claim, task.points, task.vectors)
    field = Field(tuple(sorted(names)))
    relations = [r for _, r in range_conditions(task.theorem.hypotheses)]
    return field, list(itertools.islice(sample(field.names, relations, task.seed), SAMPLES))


def _signs(task: Task, field: Field, sampled: list[Point], proof: Sequence[Step] = ()) -> Signs:
    """What the hypotheses, and the steps of `proof`, say of the signs of parameters."""
    signs = Signs(field, task.solver, task.clock, sampled, task.degree)
    signs.learn(range_conditions(task.theorem.hypotheses, proof))
    return signs


def _attempts(task: Task) -> Iterator[Theorem | str]:
    """Theorems for the kernel to judge, and reasons why a proposal did not become one."""
    at_divisors = _signs(task, *_range(task))
    for cone, why in _certificates(task):
        if cone is None:
            yield why
            continue
        try:
            yield extended(task.theorem, Step(task.name, task.claim, cone, why), at_divisors)
        except Uncertain as problem:
            yield str(problem)


def _certificates(task: Task) -> Iterator[tuple[Cone | None, str]]:
    """Proposed certificates of the claim and what they are made of, or why there is none."""
    field, sampled = _range(task)
    signs = _signs(task, field, sampled, task.theorem.proof)
    if about_parameters(task.claim):
        yield _scalar(task.claim, signs)
    else:
        yield from _combined(task, sampled, signs)


def _scalar(claim: Relation, signs: Signs) -> tuple[Cone | None, str]:
    """A certificate for a claim about parameters, or why there is none."""
    slack = signs.field.element(value(claim.slack))
    if claim.sign == "==":
        if not slack:
            return NOTHING, "Both sides are the same rational function."
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


def _combined(task: Task, sampled: list[Point], signs: Signs) -> Iterator[tuple[Cone | None, str]]:
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
        f"{leaf.assumption}: {leaf.rule}" if isinstance(leaf, RuleAt) else leaf.name
        for candidate, weight in zip(proposal.candidates, proposal.multipliers, strict=True)
        for leaf in nodes(candidate.cone)
        if weight and isinstance(leaf, RuleAt | Fact)
    )
    parts = [f"{label} ({count} times)" if count > 1 else label for label, count in used.items()]
    if any(any(row) for row in proposal.matrix):
        parts.append("squares of vectors")
    return f"A combination, found by search, of {', '.join(parts) or 'nothing'}."
