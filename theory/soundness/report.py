"""What was tried against the kernel, theorem by theorem, and what came of it."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

from theory.soundness import fuzz, mutants, refuting, tampering
from theory.soundness.mutants import Mutant
from theory.soundness.refutations import Refutations
from theory.soundness.steps import Place, accepts, places_of
from theory.trusted import certificates as C
from theory.trusted import terms as T
from theory.trusted.kernel import Rejected
from theory.trusted.statements import Step, Theorem
from theory.trusted.terms import IllFormed

__all__ = [
    "COUNTED",
    "FUZZ",
    "SAMPLE",
    "Fuzz",
    "Mutation",
    "Tampering",
    "failures",
    "generate",
    "is_refused_somewhere",
    "is_rejected",
    "mutate",
    "tamper",
    "together",
]

SAMPLE = 30  # instances in which a mutant that no counterexample refutes is compared
FUZZ: dict[str, Callable[[random.Random], fuzz.Generated]] = {
    "true": fuzz.true_case,
    "false": fuzz.false_case,
}


@dataclass(frozen=True)
class Mutation:
    """The mutants of one theorem's statement.

    Attributes:
        theorem: its id.
        mutants: how many say something else than the theorem.
        rejected: how many the kernel rejected.
        weaker: how many it accepted that only assume more, and so are true.
        accepted: the others that it accepted; there must be none.
        refuted: claims, quantities and dropped hypotheses for which an exact counterexample exists.
        easier: not refuted; in every instance that was tried they ask for no more than the theorem.
        open: not refuted otherwise: perhaps true, since a bound need not be tight.
        untried: changed hypotheses, which were not tried to be refuted.
    """

    theorem: str
    mutants: int
    rejected: int
    weaker: int
    accepted: tuple[str, ...]
    refuted: int
    easier: int
    open: tuple[str, ...]
    untried: int


COUNTED = tuple(field.name for field in fields(Mutation) if field.name != "theorem")


@dataclass(frozen=True)
class Tampering:
    """The changed certificates of one theorem.

    Attributes:
        theorem: its id.
        tampered: how many certificates were changed in one place.
        rejected: how many the kernel rejected.
        equivalent: accepted, and the changed cone denotes exactly the same number as before.
        accepted: accepted otherwise; there must be none.
    """

    theorem: str
    tampered: int
    rejected: int
    equivalent: int
    accepted: tuple[str, ...]


@dataclass(frozen=True)
class Fuzz:
    """Generated claims, `true` or `false`, and how many of them the kernel accepted."""

    kind: str
    claims: int
    accepted: int


def mutate(theorem: Theorem, part: int = 0, parts: int = 1, budget: int = 60) -> Mutation:
    """Try the mutants of a theorem on the kernel, and to refute those with a changed claim.

    Args:
        theorem: the theorem.
        part: which share of the mutants to try.
        parts: into how many shares they are divided.
        budget: values of parameters to try for an instance in which a hypothesis is dropped; with
            0 none is looked for, and few in which all hypotheses hold.
    """
    places = {place.step.name: place for place in places_of(theorem)}
    models = refuting.pool(theorem) if budget else refuting.pool(theorem, tries=2, budget=20)
    found = list(mutants.of_theorem(theorem))[part::parts]
    rejected = weaker = refuted = easier = untried = 0
    accepted, unrefuted = [], []
    for mutant in found:
        name = f"{mutant.where}: {mutant.change}"
        if is_rejected(mutant, places):
            rejected += 1
        elif mutant.weaker:
            weaker += 1
        else:
            accepted.append(name)
        if mutant.kind == "hypothesis" and (mutant.change != "dropped" or not budget):
            untried += 1
            continue
        pool = (
            models
            if mutant.kind != "hypothesis"
            else refuting.pool(mutant.theorem, tries=min(3, budget), budget=budget)
        )
        if refuting.counterexample(refuting.only(mutant.theorem, mutant.claim), pool) is not None:
            refuted += 1
        elif mutant.kind != "hypothesis" and refuting.is_weaker(
            theorem, mutant.theorem, models[-SAMPLE:]
        ):
            easier += 1
        else:
            unrefuted.append(name)
    counts = (theorem.id, len(found), rejected, weaker, tuple(accepted))
    return Mutation(*counts, refuted, easier, tuple(unrefuted), untried)


def together(shares: Sequence[Mutation]) -> Mutation:
    """The report of all mutants of a theorem from those of its shares."""
    first, *rest = shares
    sums = {name: getattr(first, name) for name in COUNTED}
    for share in rest:
        sums = {name: total + getattr(share, name) for name, total in sums.items()}
    return replace(first, **sums)


def is_rejected(mutant: Mutant, places: dict[str, Place]) -> bool:
    """Whether the kernel rejects a mutant; only a step that is concerned is tried."""
    if mutant.claim:
        place = places[mutant.claim]
        if place.refusal(mutant.theorem.proof[place.index]):
            return True
    return is_refused_somewhere(mutant) or not accepts(mutant.theorem)


def is_refused_somewhere(mutant: Mutant) -> bool:
    """Whether a changed hypothesis makes the kernel refuse a step that appeals to it by name."""
    if mutant.kind != "hypothesis":
        return False
    try:
        appeals = [p for p in places_of(mutant.theorem) if _names(p.step) & {mutant.hypothesis}]
    except (Rejected, IllFormed, OverflowError):
        return True
    return any(place.refusal(place.step) for place in appeals)


def _names(step: Step) -> set[str]:
    """The facts and assumptions that a certificate appeals to."""
    nodes = list(T.nodes(step.certificate))
    facts = {node.name for node in nodes if isinstance(node, C.Fact)}
    splits = {node.condition for node in nodes if isinstance(node, C.ZeroOrPositive)}
    return facts | splits | {node.assumption for node in nodes if isinstance(node, C.RuleAt)}


def tamper(theorem: Theorem, most: int | None = None) -> Tampering:
    """Try the changed certificates of a theorem on the kernel.

    Args:
        theorem: the theorem.
        most: try at most so many of each step, drawn with seed 0; all of them if None.
    """
    rng = random.Random(0)
    tampered = rejected = equivalent = 0
    accepted = []
    for place in places_of(theorem):
        cases = list(tampering.of_step(place))
        if most is not None:
            cases = rng.sample(cases, min(most, len(cases)))
        for case in cases:
            tampered += 1
            if place.refusal(case.step):
                rejected += 1
            elif tampering.is_equivalent(place, case):
                equivalent += 1
            else:
                path = ".".join(map(str, case.path))
                accepted.append(f"{place.step.name!r} at {path}: {case.change}")
    return Tampering(theorem.id, tampered, rejected, equivalent, tuple(accepted))


def generate(kind: str, count: int, seed: int) -> Fuzz:
    """Try generated claims of one kind on the kernel."""
    tally = fuzz.run(FUZZ[kind], count, seed)
    return Fuzz(kind, tally["claims"], tally["accepted"])


def failures(
    mutations: Sequence[Mutation],
    tamperings: Sequence[Tampering],
    fuzzed: Sequence[Fuzz],
    refutations: Sequence[Refutations] = (),
) -> list[str]:
    """What went wrong, one line each: accepted falsehoods, and truths that are not accepted."""
    kinds: dict[str, Sequence[Mutation | Tampering | Refutations]] = {
        "mutant": mutations,
        "tampered certificate": tamperings,
        "false refutation": refutations,
    }
    found = [
        f"{r.theorem}: {what} accepted: {name}"
        for what, reports in kinds.items()
        for r in reports
        for name in r.accepted
    ]
    for r in fuzzed:
        if r.kind == "false" and r.accepted:
            found.append(f"{r.accepted} of {r.claims} generated false claims accepted")
        if r.kind == "true" and r.accepted < 0.99 * r.claims:
            found.append(f"only {r.accepted} of {r.claims} generated true claims accepted")
    if not (mutations or refutations) or not all(r.mutants for r in mutations):
        found.append("a theorem without mutants: nothing was tried")
    found += [f"{r.theorem}: no refutation was tried" for r in refutations if not r.tried]
    return found
