"""Mutants of statements: one number, exponent, sign, sample or hypothesis changed at a time."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeVar

from theory.trusted import terms as T
from theory.trusted.lowering import lower
from theory.trusted.polynomials import Frac
from theory.trusted.statements import Assumption, Condition, Theorem
from theory.trusted.wellformed import has

__all__ = [
    "PERCENT",
    "Mutant",
    "Path",
    "Tree",
    "changes",
    "of_claims",
    "of_hypotheses",
    "of_quantities",
    "of_relation",
    "of_symmetry",
    "of_theorem",
    "places",
    "put",
    "relations",
    "says_the_same",
]

PERCENT = Fraction(101, 100)
Path = tuple[int | str, ...]
Tree = TypeVar("Tree")


@dataclass(frozen=True)
class Mutant:
    """A changed theorem.

    Attributes:
        theorem: the mutant.
        kind: "claim", "hypothesis" or "quantity".
        where: the claim, hypothesis, rule or quantity that was changed.
        change: what was done to it.
        claim: the name of the proof step that was changed, if it was a claim.
        hypothesis: the name of the hypothesis that was changed, if it was one.
        weaker: whether the change only makes a hypothesis stronger, so that the mutant says less.
    """

    theorem: Theorem
    kind: str
    where: str
    change: str
    claim: str = ""
    hypothesis: str = ""
    weaker: bool = False


def places(tree: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every node of a tree with the path that leads to it."""
    yield path, tree
    if isinstance(tree, tuple):
        for i, item in enumerate(tree):
            yield from places(item, (*path, i))
    elif dataclasses.is_dataclass(tree):
        for field in dataclasses.fields(tree):
            yield from places(getattr(tree, field.name), (*path, field.name))


def put(tree: Tree, path: Path, new: Any) -> Tree:
    """The tree with the node at a path replaced."""
    if not path:
        return new  # type: ignore[no-any-return]
    head, rest = path[0], path[1:]
    if isinstance(tree, tuple):
        assert isinstance(head, int)
        return (*tree[:head], put(tree[head], rest, new), *tree[head + 1 :])  # type: ignore[return-value]
    assert isinstance(head, str)
    return dataclasses.replace(tree, **{head: put(getattr(tree, head), rest, new)})  # type: ignore[type-var]


def changes(node: Any) -> Iterator[tuple[str, Any]]:
    """The ways in which one node is changed, with a word for each."""
    match node:
        case T.Const(value) if value == 0:
            yield "zero up", T.Const(Fraction(1, 100))
            yield "zero down", T.Const(Fraction(-1, 100))
        case T.Const(value):
            yield "one percent up", T.Const(value * PERCENT)
            yield "one percent down", T.Const(value * Fraction(99, 100))
            yield "sign", T.Const(-value)
            yield "a hair", T.Const(value + Fraction(1, 2**40))
        case T.Power(base, int(exponent)):
            yield "exponent up", T.Power(base, exponent + 1)
            if exponent:
                yield "exponent down", T.Power(base, exponent - 1)
        case T.Time(symbolic, shift):
            yield "later", T.Time(symbolic, shift + 1)
        case T.Sum(terms):
            for i, term in enumerate(terms):
                yield f"sign of term {i}", T.Sum((*terms[:i], -term, *terms[i + 1 :]))
        case T.VectorSum(vectors):
            for i, vector in enumerate(vectors):
                changed = (*vectors[:i], -1 * vector, *vectors[i + 1 :])
                yield f"sign of term {i}", T.VectorSum(changed)
        case T.Mean(argument):
            yield "no mean", argument
        case T.Function() | T.Operator():
            yield "sample", dataclasses.replace(node, sampled=not node.sampled)
        case T.Relation(left, sign, right):
            yield "left one percent up", T.Relation(PERCENT * left, sign, right)
            yield "right one percent up", T.Relation(left, sign, PERCENT * right)
            if sign != "==":
                yield "reversed", T.Relation(right, sign, left)
            if sign == "<=":
                yield "strict", T.Relation(left, "<", right)
                yield "equality", T.Relation(left, "==", right)


def of_relation(relation: T.Relation) -> Iterator[tuple[str, T.Relation]]:
    """The mutants of one relation."""
    for path, node in places(relation):
        for word, new in changes(node):
            yield f"{'.'.join(map(str, path)) or 'top'}: {word}", put(relation, path, new)


def of_claims(theorem: Theorem) -> Iterator[Mutant]:
    """A claim changed in the proof step that is the claim; the certificates stay."""
    for i, step in enumerate(theorem.proof):
        if step.name in theorem.conclusion:
            for word, mutant in of_relation(step.claim):
                changed = put(theorem, ("proof", i, "claim"), mutant)
                yield Mutant(changed, "claim", f"claim {step.name!r}", word, step.name)


def of_hypotheses(theorem: Theorem) -> Iterator[Mutant]:
    """A hypothesis or rule changed or dropped; claims and certificates stay."""
    for i, hypothesis in enumerate(theorem.hypotheses):
        others = (*theorem.hypotheses[:i], *theorem.hypotheses[i + 1 :])
        where = f"hypothesis {hypothesis.name!r}"
        name, fewer = hypothesis.name, put(theorem, ("hypotheses",), others)
        yield Mutant(fewer, "hypothesis", where, "dropped", hypothesis=name)
        if isinstance(hypothesis, Condition):
            yield from _changed(
                theorem, ("hypotheses", i, "relation"), where, hypothesis.relation, name
            )
            continue
        for j, rule in enumerate(hypothesis.rules):
            where = f"hypothesis {hypothesis.name!r}, rule {rule.name!r}"
            rest = (*hypothesis.rules[:j], *hypothesis.rules[j + 1 :])
            fewer = put(theorem, ("hypotheses", i, "rules"), rest)
            yield Mutant(fewer, "hypothesis", where, "dropped", hypothesis=name)
            path: Path = ("hypotheses", i, "rules", j, "relation")
            yield from _changed(theorem, path, where, rule.relation, name)


def _changed(
    theorem: Theorem, path: Path, where: str, relation: T.Relation, name: str
) -> Iterator[Mutant]:
    for word, mutant in of_relation(relation):
        weaker = word.endswith((": strict", ": equality")) or _averages_to(mutant, relation)
        changed = put(theorem, path, mutant)
        yield Mutant(changed, "hypothesis", where, word, hypothesis=name, weaker=weaker)


def of_quantities(theorem: Theorem) -> Iterator[Mutant]:
    """A quantity of the statement changed wherever it stands in the claims."""
    for quantity in theorem.quantities:
        for path, node in places(quantity.expression):
            for word, new in changes(node):
                mutant = put(quantity.expression, path, new)
                claims = tuple(
                    dataclasses.replace(
                        step, claim=T.substitute(step.claim, quantity.expression, mutant)
                    )
                    for step in theorem.proof
                )
                changed = dataclasses.replace(theorem, proof=claims)
                yield Mutant(changed, "quantity", f"quantity {quantity.name!r}", word)


def of_symmetry(theorem: Theorem) -> Iterator[Mutant]:
    """An operator that is symmetric in one place of what is said, and in all others is not.

    They say the same to a model, whose operators have one matrix, and must all be refused.
    """
    said = ("hypotheses", "proof", "dynamics")
    for path, node in places(tuple(getattr(theorem, name) for name in said)):
        if isinstance(node, T.Operator):
            changed = dataclasses.replace(node, symmetric=not node.symmetric, transposed=False)
            first = said[path[0]] if isinstance(path[0], int) else ""
            mutant = put(theorem, (first, *path[1:]), changed)
            yield Mutant(mutant, "symmetry", f"{first} {node.name}", "symmetric")


def of_theorem(theorem: Theorem) -> Iterator[Mutant]:
    """All mutants that say something else than the theorem does."""
    for mutant in (*of_claims(theorem), *of_hypotheses(theorem), *of_quantities(theorem)):
        if not says_the_same(theorem, mutant.theorem):
            yield mutant


def relations(theorem: Theorem) -> list[T.Relation]:
    """What a theorem says: its hypotheses and its conclusions."""
    found = [step.claim for step in theorem.proof if step.name in theorem.conclusion]
    for hypothesis in theorem.hypotheses:
        if isinstance(hypothesis, Assumption):
            found += [rule.relation for rule in hypothesis.rules]
        else:
            found.append(hypothesis.relation)
    return found


def says_the_same(theorem: Theorem, mutant: Theorem) -> bool:
    """Whether all relations have the same sign and exactly the same slack, as 0 * 2 and 0 * 3."""
    ours, theirs = relations(theorem), relations(mutant)
    return len(ours) == len(theirs) and all(map(_same, ours, theirs))


def _averages_to(sampled: T.Relation, mean: T.Relation) -> bool:
    """Whether a relation between samples has another one as its mean, and so assumes more."""
    averaged = T.Relation(T.Mean(sampled.left), sampled.sign, T.Mean(sampled.right))
    return has(sampled, sampled=True) and _same(averaged, mean)


def _same(one: T.Relation, other: T.Relation) -> bool:
    if one == other:
        return True
    try:
        return one.sign == other.sign and _slack(one).same(_slack(other))
    except T.IllFormed:
        return False


@functools.lru_cache(maxsize=64)  # one original stands against hundreds of mutants
def _slack(relation: T.Relation) -> Frac:
    return lower(relation.slack, lambda divisor: True)
