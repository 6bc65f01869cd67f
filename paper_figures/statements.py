"""What a run reads of the library: the statements that it declares, and nothing else.

A key holds the digest of every statement that its run declares.  Inside `compute` a theorem comes
without prose, proofs and witness, which no digest covers, so nothing can depend on them; where the
code can reach the kernel, theorems come whole and digests cover everything.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any, NoReturn

import theory
from paper_figures.canonical import canonical_json, sha256
from paper_figures.dependencies import Part, reached
from paper_figures.runs import Run
from theory.reading import READ_AT_IMPORT, reading
from theory.trusted.statements import Theorem
from theory.wire import encode

__all__ = ["Reads", "Undeclared", "declared", "digests", "reading", "sees_all"]

#: Fields, at any depth of a theorem, that no digest covers.
UNREAD = {"certificate", "divisors", "findings", "meaning", "source", "statement", "title"}
UNREAD |= {"why", "witness"}
ABSENT = "absent"


class Undeclared(RuntimeError):
    """A run read a theorem that it does not declare, or another one than its key holds."""


class _Unread:
    """Stands in for what a run may not depend on."""

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError("a run sees no prose, proof or witness of a theorem: state what it is")

    def __str__(self) -> str:
        raise Undeclared("a run sees no prose, proof or witness of a theorem: it has no key")

    __repr__ = __format__ = __iter__ = __len__ = __bool__ = __str__  # type: ignore[assignment]


class Reads:
    """Notes what is read, and refuses what is not declared.

    Attributes:
        read: id -> digest of everything that was read.
        problem: the first refusal, kept in case the computation swallows it.

    Args:
        whole: whether theorems come with everything.
        declared: id -> digest of what may be read; anything if None.
    """

    def __init__(self, whole: bool, declared: Mapping[str, str] | None = None) -> None:
        self.read: dict[str, str] = {}
        self.problem = ""
        self._whole, self._declared = whole, declared

    def __call__(self, name: str, theorem: Theorem | None) -> Theorem | None:
        """Note one theorem.

        Raises:
            Undeclared: if it is not declared.
        """
        self.read[name] = digest(name, theorem, self._whole)
        if self._declared is not None and self._declared.get(name) != self.read[name]:
            changed = name in self._declared
            self.problem = self.problem or (
                f"the statement {name} changed during the build: repeat it"
                if changed
                else f"the run reads {name} and does not declare it: add it to Run(theorems=...)"
            )
            raise Undeclared(self.problem)
        return theorem if theorem is None or self._whole else _stated(theorem, _Unread())

    def check(self) -> None:
        """Refuse again what was refused.

        Raises:
            Undeclared: if anything was.
        """
        if self.problem:
            raise Undeclared(self.problem)


def digests(names: Iterable[str], whole: bool) -> dict[str, str]:
    """Id -> digest of the library's statements; those that it does not have are `absent`."""
    library = theory.load()
    found = Reads(whole)
    with reading(found):
        for name in names:
            library.get(name)
    return dict(sorted(found.read.items()))


@functools.lru_cache(maxsize=1024)
def digest(name: str, theorem: Theorem | None, whole: bool) -> str:
    """Of the canonical JSON of what is evaluated: hypotheses, quantities, claims, refutation."""
    if theorem is None:
        return ABSENT
    return sha256(canonical_json(encode(theorem if whole else _stated(theorem, None))))


@functools.cache
def sees_all(function: Callable[..., Any]) -> bool:
    """Whether a function may depend on more of a theorem than its statement."""
    parts = _parts(function)
    return ("theory.trusted.kernel", "check") in parts or bool(_read_at_import(parts))


_parts = functools.cache(reached)


def declared(run: Run, compute: Callable[..., Any]) -> Run:
    """A run with the digests of the statements that it declares.

    Raises:
        ValueError: if `compute` uses a module that read another theorem while it was imported.
    """
    for name in _read_at_import(_parts(compute)) - set(run.theorems):
        raise ValueError(
            f"{name} is read when a module of the figure is imported: read it inside compute, or "
            "add it to Run(theorems=...)"
        )
    return replace(run, statements=digests(run.theorems, sees_all(compute)))


def _read_at_import(parts: Collection[Part]) -> set[str]:
    """The theorems that modules of these parts read while they were imported."""
    modules = {module for module, _ in parts}
    return set().union(*(READ_AT_IMPORT.get(module, ()) for module in modules))


def _stated(part: Any, instead: Any) -> Any:
    """A part of a theorem with something else in place of what no digest covers."""
    if isinstance(part, tuple):
        return tuple(_stated(inner, instead) for inner in part)
    if not dataclasses.is_dataclass(part) or isinstance(part, type):
        return part
    fields = {
        field.name: instead if field.name in UNREAD else _stated(getattr(part, field.name), instead)
        for field in dataclasses.fields(part)
    }
    return type(part)(**fields)
