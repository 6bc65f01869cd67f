"""The symbols of an exact instance with their values, for the documents that show one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction

from theory.proving.degeneracy import degenerate
from theory.text.printing import LATEX, TEXT
from theory.trusted.budget import limited
from theory.trusted.instances import unmet
from theory.trusted.notation import Symbol, symbol
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

Value = Number | Row | Matrix
ROOT = Param("s")
SAMPLES = "the samples b are equally likely; what has no matrix of its own has A_b"
INSTANCE = f"Instance ({SAMPLES})"
WITNESS = f"Witness ({SAMPLES})"


def symbols(instance: Witness, written: Callable[[Symbol], str]) -> Iterator[tuple[str, Value]]:
    """Every symbol with its value.

    `A_1`, `A_2`, ... are the matrices of the samples.  An operator P has `P_1`, ..., or `P` if it
    is the same for all samples; a function f has its Hessian `f_1''`, gradient `f_1'(0)` and value
    `f_1(0)`.

    Args:
        instance: the instance.
        written: which form of a parameter's symbol is wanted.
    """
    yield from ((written(symbol(name)), value) for name, value in instance.parameters)
    for name, vector in instance.vectors:
        yield written(Symbol(LATEX.name(name), TEXT.name(name), "")), vector
    for i, matrix in enumerate(instance.curvatures, 1):
        yield written(_numbered("A", i)), matrix
    for name, matrices in instance.operators:
        for i, matrix in enumerate(matrices, 1):
            yield written(_numbered(name, i if len(matrices) > 1 else 0)), matrix
    for name, quadratics in instance.functions:
        for i, quadratic in enumerate(quadratics, 1):
            each = written(_numbered(name, i if len(quadratics) > 1 else 0))
            yield from ((each + mark, value) for mark, value in _data(quadratic))


def _numbered(name: str, number: int) -> Symbol:
    """The symbol of a sample's matrix or function; 0 is for one that is the same for all."""
    if not number:
        return Symbol(name, name, "")
    latex = f"{name}_{number}" if number < 10 else f"{name}_{{{number}}}"
    return Symbol(latex, f"{name}_{number}", "")


def _data(quadratic: Quadratic) -> Iterator[tuple[str, Value]]:
    yield "''", quadratic.matrix
    yield "'(0)", quadratic.linear or (Fraction(0),) * len(quadratic.matrix)
    yield "(0)", quadratic.constant


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
