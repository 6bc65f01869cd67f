"""The symbols of an exact instance with their values, for the documents that show one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from theory.proving.degeneracy import degenerate
from theory.text.printing import Vocabulary
from theory.trusted.budget import limited
from theory.trusted.instances import unmet
from theory.trusted.statements import (
    Algebraic,
    Failure,
    Matrix,
    Number,
    Quadratic,
    Root,
    Row,
    Theorem,
    Witness,
)
from theory.trusted.terms import (
    Const,
    Function,
    Operator,
    Param,
    Power,
    Product,
    Relation,
    Scalar,
    Sum,
    nodes,
)

__all__ = [
    "INSTANCE",
    "ROOT",
    "SAMPLES",
    "WITNESS",
    "Value",
    "defining",
    "expression",
    "judged",
    "symbols",
    "told",
    "untrue",
]

Value = Number | Row | Matrix
ROOT = Param("s")
SAMPLES = "the samples b are equally likely; what has no matrix of its own has A_b"
INSTANCE = f"Instance ({SAMPLES})"
WITNESS = f"Witness ({SAMPLES})"


def symbols(instance: Witness, v: Vocabulary) -> Iterator[tuple[str, Value]]:
    """Every symbol, as a vocabulary writes it, with its value.

    `A_1`, `A_2`, ... are the matrices of the samples.  An operator P has `P_1`, ..., or `P` if it
    is the same for all samples; a function f has its Hessian `f_1''`, gradient `f_1'(0)` and value
    `f_1(0)`.
    """
    yield from ((v.param(name), value) for name, value in instance.parameters)
    yield from ((v.name(name), vector) for name, vector in instance.vectors)
    for i, matrix in enumerate(instance.curvatures, 1):
        yield v.numbered("A", i), matrix
    for name, matrices in instance.operators:
        for i, matrix in enumerate(matrices, 1):
            yield v.numbered(name, i) if len(matrices) > 1 else v.name(name), matrix
    for name, quadratics in instance.functions:
        for i, quadratic in enumerate(quadratics, 1):
            each = v.numbered(name, i) if len(quadratics) > 1 else v.name(name)
            yield from zip((each + mark for mark in v.data), _data(quadratic), strict=True)


def _data(quadratic: Quadratic) -> tuple[Matrix, Row, Number]:
    """Hessian everywhere, gradient and value at 0."""
    zero = (Fraction(0),) * len(quadratic.matrix)
    return quadratic.matrix, quadratic.linear or zero, quadratic.constant


def expression(number: Number) -> Scalar:
    """A number as an expression, a polynomial in s if it is not rational."""
    if not isinstance(number, Algebraic):
        return Const(number)
    terms = [_term(c, i) for i, c in enumerate(number.coefficients) if c]
    return terms[0] if len(terms) == 1 else Sum(tuple(terms))


def _term(coefficient: Fraction, exponent: int) -> Scalar:
    power = Power(ROOT, exponent) if exponent > 1 else ROOT
    if exponent == 0 or coefficient == 1:
        return power if exponent else Const(coefficient)
    return Product((Const(coefficient), power))


def defining(root: Root) -> tuple[Relation, Relation, Relation]:
    """The equation of s, and the interval in which it is the only root."""
    zero = Const(Fraction(0))
    return (
        Relation(expression(Algebraic(root.polynomial)), "==", zero),
        Relation(Const(root.low), "<", ROOT),
        Relation(ROOT, "<", Const(root.high)),
    )


def told(theorem: Theorem, instance: Witness) -> Witness:
    """The instance without the matrices A_b, if every function and operator has its own."""
    own = {name for name, _ in (*instance.operators, *instance.functions)}
    tree = (theorem.hypotheses, theorem.proof, theorem.dynamics)
    used = {node.name for node in nodes(tree) if isinstance(node, Function | Operator)}
    return instance if used - own else replace(instance, curvatures=())


def judged(theorem: Theorem) -> str:
    """What the theorem's witness shows: nothing, little, or that its hypotheses hold together."""
    try:
        with limited():
            missing = unmet(theorem)
    except OverflowError as problem:
        missing = str(problem)
    if missing:
        return f"It is none: {missing}."
    found = ", ".join(degenerate(theorem))
    said = "All hypotheses hold together in it"
    return f"{said}, but it is degenerate: {found}." if found else f"{said}."


def untrue(failure: Failure) -> Relation:
    """The conclusion that fails, as a relation between two numbers."""
    return Relation(expression(failure.left), failure.sign, expression(failure.right))
