"""Expressions as readable text and as LaTeX; one walk, a vocabulary for each notation.

The third vocabulary, MathML, is `theory.text.mathml`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from theory.trusted import terms as T
from theory.trusted.notation import in_latex, symbol

__all__ = [
    "DERIVATIVES",
    "LATEX",
    "SUPERSCRIPTS",
    "TEXT",
    "Printer",
    "Vocabulary",
    "to_latex",
    "to_text",
]

ADDITIVE, MULTIPLICATIVE, ATOMIC = 0, 1, 2


@dataclass(frozen=True)
class Vocabulary:
    """How the pieces are written in one notation.

    Attributes:
        param: a parameter, by its name.
        name: a vector, function or operator, by its name, which may end with a time.
        rational: a number, and how tightly it binds.
        quotient: a quotient of two pieces.
        stacked: whether a quotient has a bar, so that it and its parts need no brackets.
        power: a base with its exponent.
        subscript: a name with its index.
        numbered: a name with the number of a sample.
        fenced: a piece in brackets.
        inner: the inner product of two vectors.
        norm: the squared norm of a vector.
        applied: an operator before its vector.
        glue: what stands between two factors.
        raised: whether a piece has an exponent.
        words: prose within a formula.
        gradient: the sign before a function.
        mean: the sign of an expectation.
        space: what follows that sign.
        comma: what stands between the names of a list.
        signs: relations, plus and minus; `negative` is the minus of a first term.
        data: what follows the name of a quadratic for its Hessian, gradient and value at 0.
    """

    param: Callable[[str], str]
    name: Callable[[str], str]
    rational: Callable[[Fraction], tuple[str, int]]
    quotient: Callable[[str, str], str]
    stacked: bool
    power: Callable[[str, str], str]
    subscript: Callable[[str, str], str]
    numbered: Callable[[str, int], str]
    fenced: Callable[[str], str]
    inner: Callable[[str, str], str]
    norm: Callable[[str], str]
    applied: Callable[[str, str], str]
    glue: Callable[[str, str], str]
    raised: Callable[[str], bool]
    words: Callable[[str], str]
    gradient: str
    mean: str
    space: str
    comma: str
    signs: Mapping[str, str]
    data: tuple[str, str, str]


SUPERSCRIPTS = str.maketrans("0123456789+*", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺*")
DERIVATIVES = ("''", "'(0)", "(0)")


def _text_power(base: str, exponent: str) -> str:
    if exponent.isdecimal() or exponent in ("+", "*"):
        return base + exponent.translate(SUPERSCRIPTS)
    return f"{base}^{exponent}" if len(exponent) == 1 else f"{base}^({exponent})"


def _subscripted(name: str) -> str:
    return re.sub(r"_0\Z", "₀", name)


def _text_subscript(name: str, index: str) -> str:
    return f"{name}_{index}" if len(index) == 1 else f"{name}_{{{index}}}"


def _text_glue(left: str, right: str) -> str:
    tight = len(right.split("(")[0]) <= 2 and "/" not in left and left[-1] not in "⟩|*"
    if (left[-1] + right[0]).isascii() and left[-1].isalpha() and right[0].isalpha():
        return " "  # or it would read as one name of two letters
    return "" if tight and (right[0].isalpha() or right[0] == "(") and right[0] != "E" else " "


TEXT = Vocabulary(
    param=lambda name: symbol(name).text,
    name=_subscripted,
    rational=lambda q: (str(q), ATOMIC if q.denominator == 1 else MULTIPLICATIVE),
    quotient=lambda top, bottom: f"{top}/{bottom}",
    stacked=False,
    power=_text_power,
    subscript=_text_subscript,
    numbered=lambda name, number: f"{name}_{number}",
    fenced=lambda text: f"({text})",
    inner=lambda left, right: f"⟨{left}, {right}⟩",
    norm=lambda text: f"|{text}|²",
    applied=lambda operator, v: f"{operator} {v}" if v[0].isalpha() else operator + v,
    glue=_text_glue,
    raised=lambda text: "^" in text or text[-1] in "⁰¹²³⁴⁵⁶⁷⁸⁹⁺",
    words=str,
    gradient="∇",
    mean="E",
    space=" ",
    comma=", ",
    signs={"<=": " ≤ ", "<": " < ", "==": " = ", "+": " + ", "-": " - ", "negative": "-"},
    data=DERIVATIVES,
)
LATEX = Vocabulary(
    param=lambda name: symbol(name).latex,
    name=in_latex,
    rational=lambda q: (
        (str(q), ATOMIC)
        if q.denominator == 1
        else (rf"\tfrac{{{q.numerator}}}{{{q.denominator}}}", ATOMIC)
    ),
    quotient=lambda top, bottom: rf"\frac{{{top}}}{{{bottom}}}",
    stacked=True,
    power=lambda base, exponent: f"{{{base}}}^{{{exponent}}}",
    subscript=lambda name, index: f"{name}_{{{index}}}",
    numbered=lambda name, number: (
        in_latex(name) + (f"_{number}" if number < 10 else f"_{{{number}}}")
    ),
    fenced=lambda text: rf"\left({text}\right)",
    inner=lambda left, right: rf"\langle {left}, {right}\rangle",
    norm=lambda text: rf"\lVert {text}\rVert^{{2}}",
    applied=lambda operator, v: f"{operator} {v}",
    glue=lambda left, right: r"\,",
    raised=lambda text: "^" in text,
    words=lambda text: rf"\text{{{text}}}",
    gradient=r"\nabla ",
    mean=r"\mathbb{E}",
    space=r"\,",
    comma=", ",
    signs={"<=": r" \le ", "<": " < ", "==": " = ", "+": " + ", "-": " - ", "negative": "-"},
    data=DERIVATIVES,
)


class Printer:
    """Writes expressions in one vocabulary."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.v = vocabulary

    def relation(self, relation: T.Relation) -> str:
        """A relation on one line."""
        left, right = self.scalar(relation.left)[0], self.scalar(relation.right)[0]
        return f"{left}{self.v.signs[relation.sign]}{right}"

    def wrap(self, piece: tuple[str, int], level: int) -> str:
        """A piece, bracketed if it binds less tightly than `level`."""
        text, its = piece
        return text if its >= level else self.v.fenced(text)

    def scalar(self, tree: T.Scalar) -> tuple[str, int]:
        """A scalar expression and how tightly it binds."""
        v = self.v
        match tree:
            case T.Const(value):
                return v.rational(value)
            case T.Param(name):
                return v.param(name), ATOMIC
            case T.Sum(parts):
                return self.sum([self.signed(part) for part in parts])
            case T.Product():
                return self.sum([self.signed(tree)])
            case T.Quotient(top, bottom):
                if v.stacked:
                    return v.quotient(self.scalar(top)[0], self.scalar(bottom)[0]), ATOMIC
                above = self.wrap(self.scalar(top), MULTIPLICATIVE)
                return v.quotient(above, self.wrap(self.scalar(bottom), ATOMIC)), MULTIPLICATIVE
            case T.Power(base, exponent):
                text, level = self.scalar(base)
                level = ADDITIVE if self.raised(base, text) else level
                return v.power(self.wrap((text, level), ATOMIC), self.exponent(exponent)), ATOMIC
            case T.Value(function, point):
                return f"{self.function(function)}{self.argument(point)}", ATOMIC
            case T.Inner(left, right) if left == right:
                return v.norm(self.vector(left)[0]), ATOMIC
            case T.Inner(left, right):
                return v.inner(self.vector(left)[0], self.vector(right)[0]), ATOMIC
            case T.Mean(argument):
                return self.expectation(argument)
            case T.Along(argument, time):
                return self.expectation(T.rebuild(argument, lambda n: self.iterate(n, time)))
        raise TypeError(f"not a scalar: a {type(tree).__name__}")

    def raised(self, base: T.Scalar, text: str) -> bool:
        """Whether a base has an exponent of its own, so that a power of it needs brackets."""
        match base:
            case T.Power() | T.Quotient():
                return True
            case T.Inner(left, right):
                return left == right
            case T.Const(value):
                return value < 0 or value.denominator > 1
        return self.v.raised(text)

    def expectation(self, argument: T.Scalar) -> tuple[str, int]:
        """An expectation; a power of it is bracketed."""
        body = self.wrap(self.scalar(argument), ATOMIC)
        return f"{self.v.mean}{self.v.space}{body}", MULTIPLICATIVE

    def iterate(self, node: object, time: T.Time) -> T.Named | None:
        """The iterate x written as x_t."""
        if node != T.Named("x"):
            return None
        return T.Named(_text_subscript("x", self.exponent(time)))

    def exponent(self, exponent: int | T.Time) -> str:
        """A power or a time."""
        if isinstance(exponent, int):
            return str(exponent)
        if not exponent.symbolic:
            return str(exponent.shift)
        return f"t+{exponent.shift}" if exponent.shift else "t"

    def signed(self, tree: T.Scalar | T.Vector) -> tuple[int, str, int]:
        """A term as sign, text and binding: rational factors are collected in front."""
        rational, pieces = self.factors(tree)
        sign = -1 if rational < 0 else 1
        if abs(rational) != 1 or not pieces:
            pieces = [self.v.rational(abs(rational)), *pieces]
        if len(pieces) == 1:
            return sign, *pieces[0]
        first, *rest = pieces
        joined = first[0] if abs(rational) != 1 else self.wrap(first, ATOMIC)
        for piece in rest:
            text = self.wrap(piece, ATOMIC)
            joined += self.v.glue(joined, text) + text
        return sign, joined, MULTIPLICATIVE

    def factors(self, tree: T.Scalar | T.Vector) -> tuple[Fraction, list[tuple[str, int]]]:
        """The rational part of a product or of a scaled vector, and the rest in order."""
        match tree:
            case T.Const(value):
                return value, []
            case T.Product(parts):
                found = [self.factors(part) for part in parts]
            case T.Scale(coefficient, vector):
                found = [self.factors(coefficient), self.factors(vector)]
            case T.Scalar():
                return Fraction(1), [self.scalar(tree)]
            case _:
                return Fraction(1), [self.vector(tree)]
        rational = Fraction(1)
        for its, _ in found:
            rational *= its
        return rational, [piece for _, pieces in found for piece in pieces]

    def sum(self, terms: list[tuple[int, str, int]]) -> tuple[str, int]:
        """Signed terms joined; a single positive term keeps its binding."""
        zero, _ = nothing = self.v.rational(Fraction(0))
        kept = [term for term in terms if term[1] != zero]
        if not kept:
            return nothing
        text = ""
        for sign, piece, level in kept:
            body = piece if sign > 0 else self.wrap((piece, level), MULTIPLICATIVE)
            if not text:
                text = body if sign > 0 else f"{self.v.signs['negative']}{body}"
            else:
                text += f"{self.v.signs['+' if sign > 0 else '-']}{body}"
        alone = len(kept) == 1 and kept[0][0] > 0
        return text, kept[0][2] if alone else ADDITIVE

    def function(self, item: T.Function | T.Operator) -> str:
        """A function or operator, with its sample index, and a star if it is an adjoint."""
        name = self.v.name(item.name)
        name = self.v.subscript(name, "b") if item.sampled else name
        transposed = isinstance(item, T.Operator) and item.transposed
        return self.v.power(name, "*") if transposed else name

    def argument(self, point: T.Vector) -> str:
        """A bracketed argument."""
        return self.wrap((self.vector(point)[0], ADDITIVE), ATOMIC)

    def vector(self, tree: T.Vector) -> tuple[str, int]:
        """A vector expression and how tightly it binds."""
        match tree:
            case T.Named(name):
                return self.v.name(name), ATOMIC
            case T.Gradient(function, point):
                return f"{self.v.gradient}{self.function(function)}{self.argument(point)}", ATOMIC
            case T.VectorSum(parts):
                return self.sum([self.signed(part) for part in parts])
            case T.Scale():
                return self.sum([self.signed(tree)])
            case T.Apply(operator, vector):
                argument = self.wrap(self.vector(vector), ATOMIC)
                return self.v.applied(self.function(operator), argument), ATOMIC
        raise TypeError(f"not a vector: a {type(tree).__name__}")


def to_text(tree: T.Relation | T.Scalar) -> str:
    """An expression or relation as readable text."""
    return _print(tree, Printer(TEXT))


def to_latex(tree: T.Relation | T.Scalar) -> str:
    """An expression or relation as LaTeX, without dollar signs."""
    return _print(tree, Printer(LATEX))


def _print(tree: T.Relation | T.Scalar, printer: Printer) -> str:
    if isinstance(tree, T.Relation):
        return printer.relation(tree)
    return printer.scalar(tree)[0]
