"""Mutants of statements: one number, exponent, sign or relation changed at a time."""

import dataclasses
from fractions import Fraction

from theory.expressions.terms import Const, Power, Relation, substitute
from theory.statements import Assumption, Condition


def places(tree, path=()):
    """Every node of a tree with the path that leads to it."""
    yield path, tree
    if isinstance(tree, tuple):
        for i, item in enumerate(tree):
            yield from places(item, (*path, i))
    elif dataclasses.is_dataclass(tree):
        for field in dataclasses.fields(tree):
            yield from places(getattr(tree, field.name), (*path, field.name))


def put(tree, path, new):
    """The tree with the node at a path replaced."""
    if not path:
        return new
    head, rest = path[0], path[1:]
    if isinstance(tree, tuple):
        return (*tree[:head], put(tree[head], rest, new), *tree[head + 1 :])
    return dataclasses.replace(tree, **{head: put(getattr(tree, head), rest, new)})


def changes(node):
    """The ways in which one node is changed, with a word for each."""
    match node:
        case Const(value) if value == 0:
            yield "zero up", Const(Fraction(1, 100))
            yield "zero down", Const(Fraction(-1, 100))
        case Const(value):
            yield "one percent up", Const(value * Fraction(101, 100))
            yield "one percent down", Const(value * Fraction(99, 100))
            yield "sign", Const(-value)
            yield "a hair", Const(value + Fraction(1, 2**40))
        case Power(base, int(exponent)):
            yield "exponent up", Power(base, exponent + 1)
            yield "exponent down", Power(base, exponent - 1)
        case Relation(left, sign, right):
            if sign != "==":
                yield "reversed", Relation(right, sign, left)
            if sign == "<=":
                yield "strict", Relation(left, "<", right)
                yield "equality", Relation(left, "==", right)


def of_relation(relation):
    """The mutants of one relation."""
    for path, node in places(relation):
        for word, new in changes(node):
            yield f"at {'.'.join(map(str, path)) or 'top'}: {word}", put(relation, path, new)


def of_statement(theorem):
    """Mutants of the theorem in its claims and hypotheses, with what was done.

    A mutated claim is changed in the proof step that is the claim; the certificates stay.
    """
    for i, lemma in enumerate(theorem.proof):
        if lemma.name in theorem.conclusion:
            for word, mutant in of_relation(lemma.claim):
                path = ("proof", i, "claim")
                yield f"claim {lemma.name!r}: {word}", put(theorem, path, mutant)
    for i, hypothesis in enumerate(theorem.hypotheses):
        if isinstance(hypothesis, Condition):
            for word, mutant in of_relation(hypothesis.relation):
                path = ("hypotheses", i, "relation")
                yield f"hypothesis {hypothesis.name!r}: {word}", put(theorem, path, mutant)
        elif isinstance(hypothesis, Assumption):
            for j, rule in enumerate(hypothesis.rules):
                for word, mutant in of_relation(rule.relation):
                    path = ("hypotheses", i, "rules", j, "relation")
                    yield f"rule {rule.name!r}: {word}", put(theorem, path, mutant)


def everywhere(theorem):
    """Mutants in which a quantity of the statement is changed wherever it stands."""
    for quantity in theorem.quantities:
        for path, node in places(quantity.expression):
            for word, new in changes(node):
                mutant = put(quantity.expression, path, new)
                claims = tuple(
                    dataclasses.replace(
                        lemma, claim=substitute(lemma.claim, quantity.expression, mutant)
                    )
                    for lemma in theorem.proof
                )
                yield f"{quantity.name}: {word}", dataclasses.replace(theorem, proof=claims)
