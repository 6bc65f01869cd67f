"""A refutation as a Coq file: statements about rational numbers and forms, each a lemma over R.

A form that is non-negative everywhere is written as a sum of squares with positive coefficients;
what is left to Coq is that identity, by `field`, and the comparison of rational numbers, by `lra`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

from theory.opinions.coq import LETTER, PRELUDE, Document, comment, number, says, slug, statement
from theory.opinions.ground import Ground, statements
from theory.trusted.kernel import Sign
from theory.trusted.statements import Theorem

__all__ = ["document"]


def document(theorem: Theorem) -> Document:
    """The Coq file of a refutation.

    Raises:
        NoRefutation: if it is none.
    """
    lemmas = {
        f"lemma_{i}_{slug(ground.name)}".rstrip("_"): ground
        for i, ground in enumerate(statements(theorem), 1)
    }
    head = f"(* {comment(theorem.id)}, refuted: {comment(theorem.title)} *)\n"
    head += statement(theorem) + PRELUDE
    return Document.of("\n".join([head, *(_lemma(*item) for item in lemmas.items())]), (*lemmas,))


def _lemma(name: str, ground: Ground) -> str:
    """One statement; a form of several variables is replaced by its squares."""
    point = ["1", *(f"z{i}" for i in range(1, len(ground.form)))]
    value = _sum(
        f"{number(entry)} * {point[i]} * {point[j]}"
        for i, row in enumerate(ground.form)
        for j, entry in enumerate(row)
        if entry
    )
    claim = says(LETTER[ground.sign], f"({value})")
    variables = f"forall {' '.join(point[1:])} : R, " if point[1:] else ""
    said = f"{variables}~ ({claim})" if ground.fails else f"{variables}{claim}"
    lines = [f"(* {comment(ground.name)} *)", f"Lemma {name} : {said}.", "Proof."]
    if variables and ground.sign is Sign.NONNEGATIVE:
        squares = _sum(f"{number(d)} * ({_line(line, point)}) ^ 2" for d, line in ground.squares)
        lines += [f"  intros. replace ({value}) with ({squares}) by field."]
        lines += ["  repeat apply Rplus_le_le_0_compat; try lra;"]
        lines += ["  (apply Rmult_le_pos; [lra | apply pow2_ge_0])."]
    else:
        lines += ["  intros. lra."]
    return "\n".join([*lines, "Qed.", ""])


def _line(line: Sequence[Fraction], point: Sequence[str]) -> str:
    return _sum(f"{number(c)} * {z}" for c, z in zip(line, point, strict=True) if c)


def _sum(terms: Iterable[str]) -> str:
    return " + ".join(terms) or "0"
