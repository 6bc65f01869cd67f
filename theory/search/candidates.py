"""What a proof may be made of: instances of the rules, earlier facts, and squares of vectors.

Everything is lowered to a linear form: monomials in Gram entries, function values and moments,
with coefficients in QQ(parameters).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from theory.search.fields import Field, Form, Unsupported
from theory.trusted import terms as T
from theory.trusted.certificates import Cone, Fact, MeanOf, RuleAt
from theory.trusted.lowering import (
    AlongAtom,
    IllFormed,
    InnerAtom,
    MeanAtom,
    Word,
    combine,
    depends,
    lower,
    mean,
)
from theory.trusted.polynomials import Atom, Frac, Monomial
from theory.trusted.statements import Assumption, Condition, Rule, Theorem

__all__ = [
    "MANY",
    "Candidate",
    "Ingredients",
    "about_parameters",
    "distinct",
    "gather",
    "gram_matrix",
    "is_sampled",
    "parameters",
    "useful",
    "value",
]

MANY = 400


@dataclass(frozen=True)
class Candidate:
    """Something known to be non-negative, or (`zero`) zero, and its value."""

    cone: Cone
    form: Form
    zero: bool


@dataclass(frozen=True)
class Ingredients:
    """A claim and what it may be proved from, as linear forms.

    Attributes:
        field: the rational functions of the parameters.
        claim: the claim's slack.
        candidates: non-negative or zero forms.
        vectors: the vectors whose combinations may be squared.
        gram: the form of `<v_i, v_j>`, averaged if `averaged`, for i <= j.
        averaged: whether sample-dependent things are averaged, the claim not being one of them.
    """

    field: Field
    claim: Form
    candidates: tuple[Candidate, ...]
    vectors: tuple[T.Vector, ...]
    gram: dict[tuple[int, int], Form]
    averaged: bool


def value(tree: T.Scalar) -> Frac:
    """The exact value of an expression; the kernel asks later whether it may divide."""
    return lower(tree, lambda divisor: True)


def is_sampled(number: Frac) -> bool:
    """Whether a value depends on the sample."""
    return any(depends(atom, True) for atom in number.top.atoms | number.bottom.atoms)


def parameters(*trees: object) -> set[str]:
    """The names of the parameters that occur."""
    return {n.name for tree in trees for n in T.nodes(tree) if isinstance(n, T.Param)}


def about_parameters(relation: T.Relation) -> bool:
    """Whether a relation is one between parameters alone."""
    speaks_of = (T.Value, T.Inner, T.Mean, T.Along, T.Time, T.Vector)
    return not any(isinstance(node, speaks_of) for node in T.nodes(relation))


def gather(
    theorem: Theorem,
    claim: T.Relation,
    points: Sequence[T.Vector] | None = None,
    vectors: Sequence[T.Vector] | None = None,
) -> Ingredients:
    """The ingredients for a proof of a claim from a theorem's hypotheses and earlier steps.

    Args:
        theorem: its hypotheses, and the claims of its proof so far, may be used.
        claim: what is to be proved.
        points: where functions are evaluated; default: where the claim and hypotheses do.
        vectors: what may be combined and squared; default: every vector that occurs.

    Raises:
        Unsupported: if the search cannot treat the claim.
        IllFormed: if the claim has no meaning.
    """
    slack = value(claim.slack)
    averaged = not is_sampled(slack)
    field = Field(tuple(sorted(parameters(theorem.hypotheses, claim, points, vectors))))
    places = distinct(points if points is not None else _points(theorem, claim))
    relations = [*_facts(theorem), *_instances(theorem, places, [])]
    found = distinct(vectors) if vectors is not None else _vectors(claim, relations)
    relations += _instances(theorem, places, found)
    if len(relations) > MANY:
        raise Unsupported(f"{len(relations)} instances are too many: give fewer points or vectors")
    if vectors is None:
        found = _vectors(claim, relations)
    gram = gram_matrix(field, found, averaged)
    candidates = tuple(_candidates(relations, field, averaged))
    return useful(Ingredients(field, field.form(slack), candidates, tuple(found), gram, averaged))


def gram_matrix(
    field: Field, vectors: Sequence[T.Vector], averaged: bool
) -> dict[tuple[int, int], Form]:
    """The forms of `<v_i, v_j>` for i <= j, averaged over the sample if wanted."""
    return {
        (i, j): field.form(_average(value(T.Inner(vectors[i], vectors[j])), averaged)[0])
        for i, j in itertools.combinations_with_replacement(range(len(vectors)), 2)
    }


def useful(given: Ingredients) -> Ingredients:
    """Without what alone has a monomial that nothing can cancel."""
    while True:
        holders: dict[Monomial, list[int | tuple[int, int]]] = {}
        for j, candidate in enumerate(given.candidates):
            for monomial in candidate.form:
                holders.setdefault(monomial, []).append(j)
        for pair, form in given.gram.items():
            for monomial in form:
                holders.setdefault(monomial, []).append(pair)
        lonely = [h[0] for m, h in holders.items() if len(h) == 1 and m not in given.claim]
        alone = {j for j in lonely if isinstance(j, int)}
        unused = {j[0] for j in lonely if isinstance(j, tuple) and j[0] == j[1]}
        if not alone and not unused:
            return given
        kept = [i for i in range(len(given.vectors)) if i not in unused]
        given = replace(
            given,
            candidates=tuple(c for j, c in enumerate(given.candidates) if j not in alone),
            vectors=tuple(given.vectors[i] for i in kept),
            gram={
                (kept.index(i), kept.index(j)): form
                for (i, j), form in given.gram.items()
                if i in kept and j in kept
            },
        )


def distinct(vectors: Iterable[T.Vector]) -> list[T.Vector]:
    """The vectors without repetitions, zero left out."""
    found: dict[object, T.Vector] = {}
    for vector in vectors:
        key = frozenset(combine(vector, lambda divisor: True).items())
        if key:
            found.setdefault(key, vector)
    return list(found.values())


def _points(theorem: Theorem, claim: T.Relation) -> Iterator[T.Vector]:
    """Where the claim, the hypotheses and the earlier steps evaluate functions."""
    bound = {
        v for h in theorem.hypotheses if isinstance(h, Assumption) for r in h.rules
        for v in r.variables
    }  # fmt: skip
    for tree in (claim, *(step.claim for step in theorem.proof), theorem.hypotheses):
        for node in T.nodes(tree):
            if isinstance(node, T.Value | T.Gradient) and not bound & set(T.nodes(node.point)):
                yield node.point


def _facts(theorem: Theorem) -> Iterator[tuple[Cone, T.Relation]]:
    """The conditions and earlier steps that are not about parameters alone."""
    stated = [(h.name, h.relation) for h in theorem.hypotheses if isinstance(h, Condition)]
    stated += [(step.name, step.claim) for step in theorem.proof]
    for name, relation in stated:
        if not about_parameters(relation):
            yield Fact(name), relation


def _instances(
    theorem: Theorem, points: Sequence[T.Vector], vectors: Sequence[T.Vector]
) -> Iterator[tuple[Cone, T.Relation]]:
    """The rules at all choices of points, or of vectors where the rule evaluates no function."""
    for hypothesis in theorem.hypotheses:
        if not isinstance(hypothesis, Assumption):
            continue
        for rule in hypothesis.rules:
            evaluated = _evaluated(rule)
            if bool(vectors) is all(v in evaluated for v in rule.variables):
                continue
            choices = [points if v in evaluated else vectors for v in rule.variables]
            for at in itertools.product(*choices):
                if len(set(at)) == len(at) and not _captures(rule, at):
                    put = dict(zip(rule.variables, at, strict=True))
                    relation = T.rebuild(
                        rule.relation,
                        lambda n, put=put: put.get(n) if isinstance(n, T.Named) else None,  # type: ignore[misc]
                    )
                    yield RuleAt(hypothesis.name, rule.name, at), relation


def _evaluated(rule: Rule) -> set[T.Named]:
    """The variables of a rule at which it evaluates a function."""
    return {
        inner
        for node in T.nodes(rule.relation)
        if isinstance(node, T.Value | T.Gradient)
        for inner in T.nodes(node.point)
        if isinstance(inner, T.Named)
    }


def _captures(rule: Rule, at: tuple[T.Vector, ...]) -> bool:
    """Whether an expectation inside the rule would capture the vectors: the kernel refuses that."""
    if not any(isinstance(node, T.Mean) for node in T.nodes(rule.relation)):
        return False
    return any(isinstance(node, T.Function | T.Operator) and node.sampled for node in T.nodes(at))


def _average(number: Frac, averaged: bool) -> tuple[Frac, bool]:
    """The expectation of what depends on the sample, if wanted; and whether it was taken."""
    if averaged and is_sampled(number):
        return mean(number), True
    return number, False


def _candidates(
    relations: Iterable[tuple[Cone, T.Relation]], field: Field, averaged: bool
) -> Iterator[Candidate]:
    """The relations as forms; those that say nothing or repeat another are left out."""
    known: list[Form] = []
    for cone, relation in relations:
        try:
            number, taken = _average(value(relation.slack), averaged)
            form = field.form(number)
        except (IllFormed, Unsupported):
            continue
        if form and form not in known:
            known.append(form)
            yield Candidate(MeanOf(cone) if taken else cone, form, relation.sign == "==")


def _vectors(claim: T.Relation, relations: Iterable[tuple[Cone, T.Relation]]) -> list[T.Vector]:
    """The basis vectors that occur, words of operators shared between the two ends."""
    bases: dict[Atom, T.Vector] = {}
    found: dict[tuple[Word, Atom], T.Vector] = {}
    trees = [claim, *(relation for _, relation in relations)]
    for node in T.nodes(tuple(trees)):
        if isinstance(node, T.Named | T.Gradient):
            ((_, base),) = combine(node, lambda divisor: True)
            bases.setdefault(base, node)
    for tree in trees:
        for u, word, v in _triples(value(tree.slack).top.terms):
            half = len(word) // 2
            for letters, base in ((tuple(reversed(word[:half])), u), (word[half:], v)):
                for i in range(len(letters) + 1):
                    found.setdefault((letters[i:], base), _applied(letters[i:], bases[base]))
    return list(found.values())


def _triples(monomials: Iterable[Monomial]) -> Iterator[tuple[Atom, Word, Atom]]:
    for monomial in monomials:
        for atom, _ in sorted(monomial, key=repr):
            match atom:
                case InnerAtom(triples):
                    yield min(triples, key=repr)
                case MeanAtom(inside):
                    yield from _triples([inside])
                case AlongAtom(inside, _):
                    yield from _triples([inside])


def _applied(word: Word, vector: T.Vector) -> T.Vector:
    for letter in reversed(word):
        vector = letter(vector)
    return vector
