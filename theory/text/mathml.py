"""Expressions as MathML, which browsers typeset by themselves: the printer's third vocabulary.

A formula is a row of pieces, cut before its relation signs and before the signs of its outermost
sum: a browser may break the line there.
"""

from __future__ import annotations

import re
from fractions import Fraction
from xml.etree import ElementTree

from theory.text.instance import Value, expression
from theory.text.markup import STAR, Markup, join, tag
from theory.text.printing import ATOMIC, Printer, Vocabulary, to_text
from theory.trusted.notation import SYMBOLS
from theory.trusted.terms import Relation, Scalar

__all__ = ["MATHML", "MATHML_PRINTER", "formula", "inline", "value"]

TALL = ("mfrac", "msqrt", "mtable")
THIN = tag("mspace", width="0.17em")
#: Before these a line may be broken.
BREAKS = ("=", "<", "≤", "+", "−")


def _pieces(markup: str) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(f"<math>{markup}</math>"))


def _row(markup: str) -> Markup:
    """Markup as one element."""
    return Markup(markup) if len(_pieces(markup)) == 1 else tag("mrow", Markup(markup))


def _fenced(opening: str, markup: str, closing: str) -> Markup:
    """Brackets; around what is no taller than a letter they stay small, which browsers set tighter.

    `fence` is said since the same double bar opens and closes a norm.
    """
    inside = _row(markup)
    tall = any(f"<{name}" in inside for name in TALL)
    shape = {"fence": "true", "stretchy": None if tall else "false"}
    return tag("mrow", tag("mo", opening, **shape), inside, tag("mo", closing, **shape))


def _fraction(top: str, bottom: str, displaystyle: str | None = None) -> Markup:
    return tag("mfrac", _row(top), _row(bottom), displaystyle=displaystyle)


def _rational(number: Fraction) -> tuple[str, int]:
    top = join([tag("mo", "−") if number < 0 else None, tag("mn", str(abs(number.numerator)))])
    if number.denominator == 1:
        return top, ATOMIC
    return _fraction(top, tag("mn", str(number.denominator)), displaystyle="false"), ATOMIC


def _script(text: str) -> Markup:
    """An index or exponent: a number, a word, a sign alone, or a sum of them."""
    found = re.findall(r"[0-9]+|[+*⋆]|[^+*⋆0-9]+", STAR if text == "star" else text.strip("{}"))
    close = "0" if len(found) == 1 else None
    parts = [
        tag("mn", part)
        if part.isdecimal()
        else tag("mo", part, lspace=close, rspace=close)
        if part in ("+", "*", STAR)
        else tag("mi", part)
        for part in found
    ]
    return _row(join(parts))


def _scripted(mark: str, base: str, script: str) -> Markup:
    return tag("msub" if mark == "_" else "msup", _row(base), _script(script))


def _name(name: str) -> Markup:
    """A name with its index, which may be a printed time."""
    base, mark, index = name.partition("_")
    return _scripted(mark, tag("mi", base), index) if index else tag("mi", base)


def _param(name: str) -> Markup:
    """A parameter: its letter is that of the plain text, its script that of the LaTeX."""
    if name not in SYMBOLS:
        return _name(name)
    its = SYMBOLS[name]
    letter, script = tag("mi", its.text[0]), re.search(r"([_^])(.+)", its.latex)
    return _scripted(script[1], letter, script[2]) if script else letter


def _sign(sign: str) -> Markup:
    return tag("mo", sign)


AT_ZERO = _fenced("(", tag("mn", "0"), ")")
MATHML = Vocabulary(
    param=_param,
    name=_name,
    rational=_rational,
    quotient=_fraction,
    stacked=True,
    power=lambda base, exponent: _scripted("^", base, exponent),
    subscript=lambda name, index: _scripted("_", name, index),
    numbered=lambda name, number: _scripted("_", _name(name), str(number)),
    fenced=lambda markup: _fenced("(", markup, ")"),
    inner=lambda left, right: _fenced("⟨", f"{left}{_sign(',')}{right}", "⟩"),
    norm=lambda markup: _scripted("^", _fenced("‖", markup, "‖"), "2"),
    applied=lambda operator, vector: operator + vector,
    glue=lambda left, right: THIN,
    raised=lambda markup: "<msup" in markup,
    words=lambda text: tag("mtext", text),
    gradient=_sign("∇"),
    mean=tag("mi", "𝔼"),
    space=THIN,
    comma=_sign(","),
    signs={
        "<=": _sign("≤"),
        "<": _sign("<"),
        "==": _sign("="),
        "+": _sign("+"),
        "-": _sign("−"),
        "negative": _sign("−"),
    },
    data=(_sign("″"), _sign("′") + AT_ZERO, AT_ZERO),
)
MATHML_PRINTER = Printer(MATHML)


def inline(markup: str) -> Markup:
    """What the printer has written, within a line of text, cut where the line may be broken."""
    rows: list[list[ElementTree.Element]] = [[]]
    for piece in _pieces(markup):
        sign = piece.tag == "mo" and piece.text in BREAKS
        if sign and rows[-1] and not (rows[-1][-1].tag == "mo" and rows[-1][-1].text in BREAKS):
            rows.append([])
            piece.set("form", "infix")
        rows[-1].append(piece)
    written = (
        Markup("".join(ElementTree.tostring(p, "unicode", short_empty_elements=False) for p in row))
        for row in rows
    )
    return join([tag("math", row, displaystyle="true") for row in written])


def formula(tree: Relation | Scalar) -> Markup:
    """A displayed formula, with its plain text as the label for those who hear it."""
    if isinstance(tree, Relation):
        written = MATHML_PRINTER.relation(tree)
    else:
        written, _ = MATHML_PRINTER.scalar(tree)
    return tag("div", inline(written), class_="formula", role="math", aria_label=to_text(tree))


def value(name: str, number: Value) -> Markup:
    """`name = number`, where the number may be a column or a matrix of rationals."""
    return tag("math", Markup(name), _sign("="), Markup(_entries(number)), displaystyle="true")


def _entries(number: Value) -> str:
    if not isinstance(number, tuple):
        return MATHML_PRINTER.scalar(expression(number))[0]
    rows = (row if isinstance(row, tuple) else (row,) for row in number)
    cells = (tag("mtr", *(tag("mtd", Markup(_entries(x))) for x in row)) for row in rows)
    return _fenced("(", tag("mtable", *cells), ")")
