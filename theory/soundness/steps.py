"""One step of a proof replayed where it stands: the kernel's own check."""

from __future__ import annotations

from dataclasses import dataclass, replace

from theory.trusted import kernel
from theory.trusted.kernel import Context, Rejected
from theory.trusted.statements import Status, Step, Theorem
from theory.trusted.terms import IllFormed
from theory.trusted.wellformed import conform

__all__ = ["Place", "accepts", "places_of"]


@dataclass(frozen=True)
class Place:
    """A step of a proof with everything that is in force before it."""

    theorem: Theorem
    index: int
    context: Context

    @property
    def step(self) -> Step:
        """The step as it stands in the theorem."""
        return self.theorem.proof[self.index]

    def refusal(self, step: Step) -> str:
        """Why the kernel refuses another step in this place; empty if it accepts it."""
        context = replace(
            self.context,
            relations=dict(self.context.relations),
            divisors=list(self.context.divisors),
            used=set(),
        )
        try:
            conform(step, Step)
            kernel.check_step(self.theorem, step, context)
        except (Rejected, IllFormed, OverflowError, RecursionError) as problem:
            return str(problem) or type(problem).__name__
        return ""


def places_of(theorem: Theorem) -> list[Place]:
    """Every step of a theorem's proof in its place.

    Raises:
        Rejected, IllFormed: if the statement itself is refused.
    """
    context = kernel.enter(theorem, set())
    found = []
    for index, step in enumerate(theorem.proof):
        found.append(Place(theorem, index, replace(context, relations=dict(context.relations))))
        context.relations[step.name] = step.claim
    return found


def accepts(theorem: Theorem) -> bool:
    """Whether the kernel accepts the whole proof, be the witness as it may."""
    report = kernel.check(theorem)
    return report.status is Status.PROVED or report.reason.startswith("the witness")
