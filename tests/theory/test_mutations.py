"""Change any constant, exponent, sign or relation of any statement: the kernel must notice."""

import mutants
import pytest

import theory
from theory.expressions.lowering import lower
from theory.statements import Status

LIBRARY = tuple(theory.load().values())


def is_weaker(word):
    """A hypothesis made stronger only weakens the theorem: `<=` made `<` or `==`."""
    return word.startswith(("hypothesis", "rule")) and word.endswith(("strict", "equality"))


def says_the_same(theorem, mutant):
    """Whether a mutant's claims are the same polynomials: 0 times 2 changed to 0 times 3, say."""
    pairs = zip(theorem.proof, mutant.proof, strict=True)
    slacks = [[lower(lemma.claim.slack, lambda divisor: True) for lemma in pair] for pair in pairs]
    signs = [[lemma.claim.sign for lemma in t.proof] for t in (theorem, mutant)]
    return (
        theorem.hypotheses == mutant.hypotheses
        and signs[0] == signs[1]
        and all(a.same(b) for a, b in slacks)
    )


def accepted_falsely(theorem, found):
    """The mutants that the kernel accepts although they claim something else."""
    return [
        word
        for word, mutant in found
        if theory.check(mutant).status is Status.PROVED
        and not is_weaker(word)
        and not says_the_same(theorem, mutant)
    ]


@pytest.mark.parametrize("theorem", LIBRARY, ids=lambda t: t.id)
def test_no_mutant_of_a_statement_is_accepted(theorem):
    found = list(mutants.of_statement(theorem))
    assert len(found) >= 5
    assert accepted_falsely(theorem, found) == []


@pytest.mark.parametrize("theorem", [t for t in LIBRARY if t.quantities], ids=lambda t: t.id)
def test_no_quantity_can_be_changed_consistently(theorem):
    found = list(mutants.everywhere(theorem))
    assert len(found) >= 3
    assert accepted_falsely(theorem, found) == []
