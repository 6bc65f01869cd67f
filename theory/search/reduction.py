"""Smaller problems that are as good: equalities eliminated, and vectors that only occur combined.

Modulo the equalities every form has a normal form, so their multipliers need not be searched for:
they follow at the end.  And where, say, x and x* only occur as x - x*, only that is squared.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from theory.search.candidates import Candidate, Ingredients, gram_matrix, useful
from theory.search.fields import Element, Field, Form
from theory.search.linear import eliminate, solutions
from theory.trusted import terms as T
from theory.trusted.polynomials import Monomial

__all__ = ["equality_multipliers", "reduced", "remainder"]


def reduced(given: Ingredients) -> Ingredients:
    """The ingredients modulo the equalities, with as few vectors as possible."""
    return _merged(useful(_modulo_equalities(given)))


def _modulo_equalities(given: Ingredients) -> Ingredients:
    """Every form in normal form; only inequalities are left."""
    zeros = [c.form for c in given.candidates if c.zero]
    monomials = list(dict.fromkeys(m for form in zeros for m in form))
    zero = given.field.sympy.zero
    order = sorted(range(len(monomials)), key=lambda i: monomials[i] in given.claim)
    rows, pivots = eliminate([[form.get(m, zero) for m in monomials] for form in zeros], order)

    def normal(form: Form) -> Form:
        result = dict(form)
        for row, pivot in zip(rows, pivots, strict=True):
            factor = result.get(monomials[pivot])
            if factor:
                for monomial, entry in zip(monomials, row, strict=True):
                    if entry:
                        result[monomial] = result.get(monomial, zero) - factor * entry
        return {m: c for m, c in result.items() if c}

    kept: list[Candidate] = []
    for candidate in given.candidates:
        form = normal(candidate.form)
        if form and not candidate.zero and all(form != other.form for other in kept):
            kept.append(replace(candidate, form=form))
    gram = {pair: normal(form) for pair, form in given.gram.items()}
    nonzero = [i for i in range(len(given.vectors)) if gram[i, i]]
    return replace(
        given,
        claim=normal(given.claim),
        candidates=tuple(kept),
        vectors=tuple(given.vectors[i] for i in nonzero),
        gram={
            (nonzero.index(i), nonzero.index(j)): form
            for (i, j), form in gram.items()
            if i in nonzero and j in nonzero
        },
    )


def _merged(given: Ingredients) -> Ingredients:
    """Fewer vectors, if what the claim and the candidates say does not tell some of them apart."""
    places: dict[Monomial, tuple[int, int]] = {}
    for pair, form in given.gram.items():
        if len(form) != 1 or next(iter(form)) in places:
            return given
        places[next(iter(form))] = pair
    rows = []
    size = len(given.vectors)
    zero = given.field.sympy.zero
    for form in (given.claim, *(c.form for c in given.candidates)):
        matrix = [[zero] * size for _ in range(size)]
        for monomial, coefficient in form.items():
            if monomial in places:
                i, j = places[monomial]
                entry = coefficient / given.gram[i, j][monomial]
                matrix[i][j] = matrix[i][j] + entry
                matrix[j][i] = matrix[j][i] + entry
        rows += matrix
    basis, pivots = eliminate(rows, range(size))
    if len(pivots) == size or not _constant(basis):
        return given
    # what every form is a function of: the rows of the basis, applied to the vectors
    vectors = tuple(_combined(given.field, row, given.vectors) for row in basis)
    gram = {}
    for i, j in itertools.combinations_with_replacement(range(len(vectors)), 2):
        total: Form = {}
        for a, b in itertools.product(range(size), repeat=2):
            weight = basis[i][a] * basis[j][b]
            if weight:
                for monomial, c in given.gram[min(a, b), max(a, b)].items():
                    total[monomial] = total.get(monomial, zero) + weight * c
        gram[i, j] = {m: c for m, c in total.items() if c}
    return replace(given, vectors=vectors, gram=gram)


def _constant(rows: Sequence[Sequence[Element]]) -> bool:
    return all(not e or (e.numer.is_ground and e.denom.is_ground) for row in rows for e in row)


def _combined(field: Field, row: Sequence[Element], vectors: Sequence[T.Vector]) -> T.Vector:
    """A constant combination of vectors."""
    terms: list[T.Vector] = []
    for entry, vector in zip(row, vectors, strict=True):
        if entry:
            value = field.evaluate(entry, dict.fromkeys(field.names, Fraction(0)))
            terms.append(vector if value == 1 else T.Scale(T.Const(value), vector))
    return terms[0] if len(terms) == 1 else T.VectorSum(tuple(terms))


def equality_multipliers(
    given: Ingredients, left: Form
) -> tuple[tuple[Candidate, Element], ...] | None:
    """Multipliers with which the equalities add up to a form; None if they do not."""
    zeros = [c for c in given.candidates if c.zero]
    monomials = list(dict.fromkeys(m for form in (left, *(c.form for c in zeros)) for m in form))
    field = given.field.sympy
    found = solutions(
        [[c.form.get(m, field.zero) for c in zeros] for m in monomials],
        [left.get(m, field.zero) for m in monomials],
        len(zeros),
        field.zero,
        field.one,
    )
    if found is None:
        return None
    return tuple((c, v) for c, v in zip(zeros, found.particular, strict=True) if v)


def remainder(
    given: Ingredients,
    used: Sequence[tuple[Candidate, Element]],
    vectors: Sequence[T.Vector],
    matrix: Sequence[Sequence[Element]],
) -> Form:
    """What the claim's slack is more than the candidates and squares in use."""
    zero = given.field.sympy.zero
    left = dict(given.claim)
    parts = [(candidate.form, value) for candidate, value in used]
    gram = gram_matrix(given.field, vectors, given.averaged)
    for (i, j), form in gram.items():
        parts.append((form, matrix[i][j] if i == j else matrix[i][j] + matrix[j][i]))
    for form, value in parts:
        for monomial, coefficient in form.items():
            left[monomial] = left.get(monomial, zero) - value * coefficient
    return {m: c for m, c in left.items() if c}
