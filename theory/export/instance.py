"""The symbols of an exact instance with their values, for the documents that show one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction

from theory.expressions.terms import Const, Relation
from theory.notation import Symbol, symbol
from theory.statements import Failure, Matrix, Witness

Value = Fraction | tuple[Fraction, ...] | Matrix


def symbols(instance: Witness, written: Callable[[Symbol], str]) -> Iterator[tuple[str, Value]]:
    """Every symbol with its value; `A_1`, `A_2`, ... are the matrices of the samples.

    Args:
        instance: the instance.
        written: which form of a parameter's symbol is wanted.
    """
    yield from ((written(symbol(name)), value) for name, value in instance.parameters)
    yield from instance.vectors
    yield from ((f"A_{i}", matrix) for i, matrix in enumerate(instance.curvatures, 1))
    yield from instance.operators


def untrue(failure: Failure) -> Relation:
    """The conclusion that fails, as a relation between two rationals."""
    return Relation(Const(failure.left), failure.sign, Const(failure.right))
