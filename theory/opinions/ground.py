r"""Refutations as statements about rational numbers alone, for second opinions.

In an instance every hypothesis is a number with a sign, or a quadratic form with one for all real
vectors; a conclusion that fails is a number without its sign.  All numbers come from
`theory.proving.models`, the evaluation that the kernel does not use.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from theory.proving import models
from theory.proving.models import Array, Model
from theory.trusted import terms as T
from theory.trusted.budget import limited
from theory.trusted.instances import refuted
from theory.trusted.kernel import Sign
from theory.trusted.statements import Condition, Hypothesis, Theorem
from theory.trusted.terms import IllFormed
from theory.trusted.wellformed import conform, has

__all__ = ["SIGNS", "Ground", "NoRefutation", "statements"]

SIGNS = {"==": Sign.ZERO, "<=": Sign.NONNEGATIVE, "<": Sign.POSITIVE}


class NoRefutation(ValueError):
    """An instance that refutes nothing, or not visibly, with the reason."""


@dataclass(frozen=True)
class Ground:
    r"""The form $(1, z)^{\mathsf T} F\,(1, z)$ has a sign for all real z or, if `fails`, not.

    Attributes:
        name: the hypothesis or conclusion, and its sample if it has more than one.
        form: F, symmetric; one number if there is no z.
        sign: the sign.
        fails: whether the form does not have the sign.
    """

    name: str
    form: tuple[tuple[Fraction, ...], ...]
    sign: Sign
    fails: bool = False

    @property
    def squares(self) -> tuple[tuple[Fraction, tuple[Fraction, ...]], ...]:
        r"""Rationals d and vectors l with $F = \sum d\, l\, l^{\mathsf T}$, by elimination.

        Raises:
            NoRefutation: if F is not positive semidefinite.
        """
        found, rest = [], [list(row) for row in self.form]
        for i, row in enumerate(rest):
            pivot = row[i]
            if pivot < 0 or (pivot == 0 and any(row[i:])):
                raise NoRefutation(f"{self.name!r} is not positive semidefinite")
            if pivot:
                line = tuple(entry / pivot for entry in row)
                found.append((pivot, line))
                rest[i + 1 :] = [
                    [entry - other[i] * top for entry, top in zip(other, line, strict=True)]
                    for other in rest[i + 1 :]
                ]
        return tuple(found)


def statements(theorem: Theorem) -> tuple[Ground, ...]:
    """What has to be true for the theorem's refutation to be one; the failing conclusion is last.

    Raises:
        NoRefutation: if there is no refutation, or it refutes nothing that has a number here.
    """
    if theorem.refutation is None:
        raise NoRefutation("there is no refutation")
    if theorem.refutation.root is not None:
        raise NoRefutation("not all of its numbers are rational")
    try:
        conform(theorem, Theorem)
        with limited(), suppress(IllFormed):  # larger numbers are left alone
            refuted(theorem, theorem.refutation)
        model = models.of_witness(theorem.refutation)
        found = [ground for h in theorem.hypotheses for ground in _hypothesis(model, h)]
        return (*found, _failure(model, theorem))
    except (KeyError, ArithmeticError, ValueError) as problem:
        raise NoRefutation(f"it cannot be evaluated: {problem}") from problem


def _hypothesis(model: Model, hypothesis: Condition | Hypothesis) -> Iterator[Ground]:
    if isinstance(hypothesis, Condition):
        slacks = np.atleast_1d(model.scalar(hypothesis.relation.slack))
        yield from _grounds(
            hypothesis.name, [_form(q) for q in slacks], SIGNS[hypothesis.relation.sign]
        )
        return
    for rule in hypothesis.rules:
        name = f"{hypothesis.name}: {rule.name}"
        yield from _grounds(name, model.forms(rule), SIGNS[rule.relation.sign])


def _form(number: Fraction) -> Array:
    return models.rational([[number]])


def _grounds(name: str, forms: list[Array], sign: Sign) -> Iterator[Ground]:
    """One statement for each different form."""
    distinct = dict.fromkeys(tuple(map(tuple, form.tolist())) for form in forms)
    for number, form in enumerate(distinct, 1):
        yield Ground(name if len(distinct) == 1 else f"{name}, form {number}", form, sign)


def _failure(model: Model, theorem: Theorem) -> Ground:
    """The first conclusion that fails, at the sample for which it is furthest off."""
    claims = {step.name: step.claim for step in theorem.proof}
    for name in theorem.conclusion:
        claim = claims[name]
        if not has(claim, T.Along, T.Time) and not model.holds(claim):
            slacks = np.atleast_1d(model.scalar(claim.slack))
            worst = max(slacks, key=abs) if claim.sign == "==" else min(slacks)
            return Ground(name, ((worst,),), SIGNS[claim.sign], fails=True)
    raise NoRefutation("every conclusion that has a number holds in it")
