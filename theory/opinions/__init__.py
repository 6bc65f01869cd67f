"""Who may give an opinion on a certificate, and how opinions are combined."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from theory.messages import unknown
from theory.trusted import kernel
from theory.trusted.statements import Report, Status, Theorem

__all__ = [
    "DISPUTED",
    "MODULES",
    "SAID",
    "SECOND_OPINIONS",
    "SKIPPED",
    "Opinion",
    "SecondOpinion",
    "Verdict",
    "available",
    "chosen",
    "combine",
    "examine",
    "fix",
]

SKIPPED = "skipped"
DISPUTED = "disputed"


@dataclass(frozen=True)
class Opinion:
    """What one checker says, and why.

    `verdict` is a `Status`, or `skipped` for a tool that is not there, or `disputed` for a step
    that has an exact counterexample in what it appeals to.  A disputed step need not be false: the
    proof may have left out a fact.  So it contradicts a proof, but does not refute a theorem.
    """

    verdict: str
    reason: str = ""


@dataclass(frozen=True)
class Verdict:
    """What all checkers together say of a theorem.

    Attributes:
        theorem: what was checked.
        status: the combined verdict.
        opinions: what each checker said, by name.
        report: the kernel's report, step by step.
        seconds: wall-clock time.
        file: the user's file that it is from; empty for the library.
    """

    theorem: Theorem
    status: Status
    opinions: Mapping[str, Opinion]
    report: Report
    seconds: float
    file: str = ""

    @property
    def as_recorded(self) -> bool:
        """Whether this is the status that the theorem's file records."""
        return self.status is self.theorem.expected


SecondOpinion = Callable[[Theorem], Opinion]
MODULES = {"z3": "z3_checker", "coq": "coq_checker"}
SAID = frozenset({*map(str, Status), SKIPPED, DISPUTED})


def _lazily(module: str) -> SecondOpinion:
    """A checker that is imported when it is first asked; whatever it raises is an `error`."""

    def ask(theorem: Theorem) -> Opinion:
        try:
            said = importlib.import_module(f"{__name__}.{module}").opinion(theorem)
        except Exception as problem:
            return Opinion(Status.ERROR.value, f"{type(problem).__name__}: {problem}")
        if not isinstance(said, Opinion) or said.verdict not in SAID:
            return Opinion(Status.ERROR.value, "no opinion")
        return said

    return ask


SECOND_OPINIONS: dict[str, SecondOpinion] = {
    name: _lazily(module) for name, module in MODULES.items()
}


def fix() -> None:
    """Settle what every checker is, or that it is absent, before a file of a user's is read.

    All that they need is imported here, and where coqc lies is looked up: what the file writes
    cannot take the place of either in this process.
    """
    for module in MODULES.values():
        importlib.import_module(f"{__name__}.{module}").fix()


def available() -> tuple[str, ...]:
    """The names of the checkers; the kernel always comes first."""
    return ("kernel", *SECOND_OPINIONS)


def chosen(listing: str) -> tuple[str, ...]:
    """The checkers that a comma-separated list names.

    Raises:
        ValueError: if it names none, or one that there is not.
    """
    names = tuple(name for name in listing.split(",") if name)
    if not names:
        raise ValueError(f"--checkers names none: choose from {', '.join(available())}")
    _check_known(names)
    return names


def _check_known(names: Iterable[str]) -> None:
    for name in names:
        if name not in available():
            raise unknown("checker", name, available())


def examine(theorem: Theorem, checkers: Iterable[str] = ("kernel",)) -> Verdict:
    """Ask the kernel, and the other checkers that are named, for their verdicts.

    The kernel alone can prove.  Another checker that contradicts it makes the verdict `error`, and
    one that does not confirm it makes it `undecided`.

    Raises:
        ValueError: for an unknown checker.
    """
    names = tuple(dict.fromkeys(("kernel", *checkers)))
    _check_known(names)
    started = time.perf_counter()
    report = kernel.check(theorem)
    opinions = {"kernel": Opinion(report.status.value, report.reason)}
    opinions |= {name: SECOND_OPINIONS[name](theorem) for name in names[1:]}
    return Verdict(theorem, combine(opinions), opinions, report, time.perf_counter() - started)


def combine(opinions: Mapping[str, Opinion]) -> Status:
    """One status from several opinions: never better than the worst, worse on disagreement.

    A checker that is absent says nothing; one that was asked and came to no end leaves the theorem
    undecided, whatever the kernel says.
    """
    kernel = opinions["kernel"].verdict
    verdicts = {opinion.verdict for opinion in opinions.values()} - {SKIPPED}
    if Status.ERROR.value in verdicts:
        return Status.ERROR
    if Status.PROVED.value in verdicts and verdicts & {Status.REFUTED.value, DISPUTED}:
        return Status.ERROR
    if kernel == Status.UNDECIDED.value and Status.REFUTED.value in verdicts:
        return Status.REFUTED  # by an exact counterexample
    return Status(kernel) if verdicts == {kernel} else Status.UNDECIDED
