"""What a theorem says in words, with a mark on every sentence that the kernel has not seen."""

from __future__ import annotations

from collections.abc import Sequence

from theory.trusted.statements import Sentence, Theorem

__all__ = [
    "ALGORITHM",
    "AUTHOR",
    "MARK",
    "UNSEEN",
    "in_words",
    "is_checked",
    "said",
    "sentences",
    "symbols",
    "unchecked",
]

#: Behind a sentence that no hypothesis and no conclusion says in symbols.
MARK = "[not checked]"
#: Beside a statement in plain text.
AUTHOR = "Title and statement are the author's words; what is checked stands in symbols below."
#: Above findings.
UNSEEN = "Findings, which the kernel has not seen"
ALGORITHM = "algorithm"


def said(text: str, *names: str) -> Sentence:
    """A sentence, and the names of the hypotheses and conclusions that say it in symbols."""
    return Sentence(text, names)


def unchecked(text: str) -> Sentence:
    """A sentence that nothing says in symbols: it is printed with the mark."""
    return Sentence(text)


def symbols(theorem: Theorem) -> frozenset[str]:
    """What a sentence may appeal to: hypotheses, conclusions, the algorithm if there is one.

    A step of the proof that is no conclusion is not among them: it holds in passing.
    """
    names = {h.name for h in theorem.hypotheses} | set(theorem.conclusion)
    return frozenset(names | ({ALGORITHM} if theorem.dynamics else set()))


def is_checked(theorem: Theorem, names: Sequence[str]) -> bool:
    """Whether words that appeal to these names say what a part of the theorem says."""
    return bool(names) and symbols(theorem).issuperset(names)


def sentences(theorem: Theorem) -> tuple[str, ...]:
    """The statement, each sentence that the kernel has not seen with its mark."""
    if isinstance(theorem.statement, str):
        return (theorem.statement,)
    return tuple(
        s.text if is_checked(theorem, s.said_by) else f"{s.text} {MARK}" for s in theorem.statement
    )


def in_words(theorem: Theorem) -> str:
    """The same as one paragraph."""
    return " ".join(sentences(theorem))
