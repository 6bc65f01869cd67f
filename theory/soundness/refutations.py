"""Changed refutations, and refutations of what is proved: how the kernel judges instances.

A changed refutation that the kernel accepts must refute the theorem in the second evaluation too
(`proving.models`), which shares no code with the kernel's.  A refutation of a proved theorem must
be refused wherever it comes from: here from the pool of instances in which its hypotheses hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from theory.proving import models
from theory.proving.witnesses import of_model
from theory.soundness import refuting
from theory.soundness.mutants import Path, places, put
from theory.trusted import kernel
from theory.trusted.statements import Status, Theorem, Witness

__all__ = ["Refutations", "candidates", "changes", "is_genuine", "judge"]


@dataclass(frozen=True)
class Refutations:
    """The instances that were put to the kernel as refutations of one theorem.

    Attributes:
        theorem: its id.
        tried: how many instances.
        rejected: how many the kernel refused.
        genuine: accepted, and the second evaluation agrees that they refute it.
        accepted: the others that it accepted; there must be none.
    """

    theorem: str
    tried: int
    rejected: int
    genuine: int
    accepted: tuple[str, ...]


def changes(instance: Witness) -> Iterator[tuple[str, Witness]]:
    """Every single change of an instance, with a word for each."""
    for path, node in places(instance):
        if isinstance(node, Fraction):
            for word, new in _numbers(node):
                yield f"{_place(path)}: {word}", put(instance, path, new)
    for name in ("parameters", "vectors", "curvatures", "operators", "functions"):
        entries: tuple[Any, ...] = getattr(instance, name)
        for i in range(len(entries)):
            fewer = (*entries[:i], *entries[i + 1 :])
            yield f"{name}.{i}: dropped", put(instance, (name,), fewer)
            twice = (*entries, entries[i])
            yield f"{name}.{i}: twice", put(instance, (name,), twice)


def _numbers(value: Fraction) -> Iterator[tuple[str, Fraction]]:
    yield "sign", -value if value else Fraction(1)
    yield "one percent up", value * Fraction(101, 100) if value else Fraction(1, 100)
    yield "a hair", value + Fraction(1, 2**40)
    yield "ten times", 10 * value + (not value)


def _place(path: Path) -> str:
    return ".".join(map(str, path))


def judge(theorem: Theorem, instances: Iterable[tuple[str, Witness]]) -> Refutations:
    """Put instances to the kernel as refutations of a theorem."""
    tried = rejected = genuine = 0
    accepted = []
    for name, instance in instances:
        tried += 1
        case = replace(theorem, refutation=instance)
        if kernel.check(case).status is not Status.REFUTED:
            rejected += 1
        elif theorem.refutation is not None and is_genuine(theorem, instance):
            genuine += 1
        else:
            accepted.append(name)
    return Refutations(theorem.id, tried, rejected, genuine, tuple(accepted))


def is_genuine(theorem: Theorem, instance: Witness) -> bool:
    """Whether an instance refutes a theorem in the second evaluation."""
    try:
        return models.refutes(models.of_witness(instance), theorem)
    except (ValueError, KeyError, ZeroDivisionError):
        return False


def candidates(theorem: Theorem, seed: int = 0) -> Iterator[tuple[str, Witness]]:
    """Changes of the theorem's own instance and, for a proved one, others that it allows.

    Args:
        theorem: the theorem.
        seed: of the search for instances.
    """
    own = theorem.refutation or theorem.witness
    if own is not None:
        yield from changes(own)
    if theorem.refutation is None:
        for i, model in enumerate(refuting.pool(theorem, seed, tries=2, budget=40)):
            yield f"instance {i}", of_model(model)
