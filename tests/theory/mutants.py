"""Mutants of statements as pairs of words and theorems, for the tests of the other checkers."""

from theory.soundness.mutants import of_claims, of_hypotheses, put, says_the_same

__all__ = ["of_statement", "put"]


def of_statement(theorem):
    """The theorem with one claim or hypothesis changed, and what was done."""
    for mutant in (*of_claims(theorem), *of_hypotheses(theorem)):
        if not says_the_same(theorem, mutant.theorem):
            yield f"{mutant.where}: {mutant.change}", mutant.theorem
