"""Who may give an opinion on a certificate, and how opinions are combined."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from theory import kernel
from theory.messages import unknown
from theory.statements import Report, Status, Theorem

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
    """

    theorem: Theorem
    status: Status
    opinions: Mapping[str, Opinion]
    report: Report
    seconds: float

    @property
    def as_recorded(self) -> bool:
        """Whether this is the status that the theorem's file records."""
        return self.status is self.theorem.expected


SecondOpinion = Callable[[Theorem], Opinion]


def _lazily(module: str) -> SecondOpinion:
    """A checker that is imported when it is first asked; whatever it raises is an `error`."""

    def ask(theorem: Theorem) -> Opinion:
        try:
            checker = importlib.import_module(f"theory.checkers.{module}")
            said = checker.opinion(theorem)
        except Exception as problem:
            return Opinion(Status.ERROR.value, f"{type(problem).__name__}: {problem}")
        return said if isinstance(said, Opinion) else Opinion(Status.ERROR.value, "no opinion")

    return ask


SECOND_OPINIONS: dict[str, SecondOpinion] = {
    "z3": _lazily("z3_checker"),
    "coq": _lazily("coq_checker"),
}


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

    The kernel alone can prove.  Another checker that contradicts it makes the verdict `error`.

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
    """One status from several opinions: never better than the kernel's, worse on disagreement."""
    verdicts = {name: opinion.verdict for name, opinion in opinions.items()}
    others = {verdict for name, verdict in verdicts.items() if name != "kernel"}
    if Status.ERROR.value in verdicts.values():
        return Status.ERROR
    if others & {Status.REFUTED.value, DISPUTED} and verdicts["kernel"] == Status.PROVED.value:
        return Status.ERROR
    if Status.PROVED.value in others and verdicts["kernel"] == Status.REFUTED.value:
        return Status.ERROR
    if Status.REFUTED.value in others:
        return Status.REFUTED
    return Status(verdicts["kernel"])
