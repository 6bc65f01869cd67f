r"""MathML from the LaTeX that `theory` writes, so that a symbol looks the same in both.

Only the commands that the library's printer and its notation use are known; any other one raises,
rather than being dropped.  A formula is a row of pieces, cut before its relation signs and before
the signs of its outermost sum: a browser may break the line there.
"""

from __future__ import annotations

import re

from paper_figures.report.markup import STAR, Markup, join, tag
from theory.text.instance import Value, expression
from theory.text.printing import to_latex, to_text
from theory.trusted.terms import Relation, Scalar

__all__ = ["formula", "symbol", "value"]

TOKEN = re.compile(r"\\[A-Za-z]+|\\.|[0-9]+|\S")
THIN_SPACE = r"\,"
LETTERS = {
    r"\alpha": "α", r"\beta": "β", r"\gamma": "γ", r"\eta": "η", r"\kappa": "κ", r"\lambda": "λ",
    r"\mu": "μ", r"\nu": "ν", r"\omega": "ω", r"\rho": "ρ", r"\sigma": "σ",
    r"\delta": "δ", r"\Lambda": "Λ", r"\theta": "θ", r"\zeta": "ζ", r"\tau": "τ", r"\phi": "φ",
}  # fmt: skip
OPERATORS = {
    "+": "+", "-": "−", "/": "/", ",": ",", "=": "=", "<": "<", r"\le": "≤", r"\nabla": "∇",
    "*": "*", r"\star": STAR,
}  # fmt: skip
FENCES = {r"\langle": ("⟨", r"\rangle", "⟩"), r"\lVert": ("‖", r"\rVert", "‖")}
TALL = ("mfrac", "msqrt", "mtable")
BREAKS = ("=", "<", r"\le", "+", "-")


class _Reader:
    """Recursive descent over the tokens of one formula."""

    def __init__(self, latex: str) -> None:
        self.latex = latex
        self.tokens = TOKEN.findall(latex)
        self.at = 0

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, wanted: str = "") -> str:
        token = self.peek()
        if not token or (wanted and token != wanted):
            found, expected = token or "its end", wanted or "a symbol"
            raise ValueError(f"{self.latex!r} has {found} in place of {expected}")
        self.at += 1
        return token

    def pieces(self) -> list[Markup]:
        """The whole formula, cut where a line may be broken."""
        rows: list[list[Markup]] = [[]]
        while self.peek():
            if self.peek() in BREAKS and rows[-1]:
                rows.append([tag("mo", OPERATORS[self.take()], form="infix")])
            else:
                rows[-1].append(self.scripted())
        return [join(row) for row in rows]

    def row(self, end: str) -> Markup:
        """What stands before the token `end`, which is taken, as one element."""
        found = []
        while self.peek() != end:
            found.append(self.scripted())
        self.take(end)
        return found[0] if len(found) == 1 else tag("mrow", *found)

    def scripted(self) -> Markup:
        """An atom with its subscript and its superscript."""
        base = self.atom()
        while self.peek() in ("_", "^"):
            mark = self.take()
            base = tag("msub" if mark == "_" else "msup", base, self.script())
        return base

    def script(self) -> Markup:
        """An index or exponent."""
        if self.peek() in OPERATORS:
            return tag("mo", OPERATORS[self.take()], lspace="0", rspace="0")
        return self.atom()

    def atom(self) -> Markup:
        """A number, a letter, an operator, a group or a command with its arguments."""
        token = self.take()
        if token == "{":
            return self.row("}")
        if token == r"\left":
            self.take("(")
            inside = self.row(r"\right")
            self.take(")")
            return _fenced("(", inside, ")")
        if token in FENCES:
            opening, end, closing = FENCES[token]
            return _fenced(opening, self.row(end), closing)
        if token in (r"\frac", r"\tfrac"):
            parts = (self.argument(), self.argument())
            return tag("mfrac", *parts, displaystyle=None if token == r"\frac" else "false")
        if token == r"\sqrt":
            return tag("msqrt", self.argument())
        if token == r"\mathbb":
            self.take("{")
            self.take("E")
            self.take("}")
            return tag("mi", "𝔼")
        if token == r"\mathit":
            return tag("mi", self.word())
        if token == THIN_SPACE:
            return tag("mspace", width="0.17em")
        if token == "/":
            return tag("mo", token, lspace="0", rspace="0")
        if token in OPERATORS:
            return tag("mo", OPERATORS[token])
        if token.isdecimal():
            return tag("mn", token)
        if token in LETTERS or (token.isascii() and token.isalpha()):
            return tag("mi", LETTERS.get(token, token))
        raise ValueError(f"{self.latex!r}: {token} has no MathML here: add it to this module")

    def argument(self) -> Markup:
        """A group in braces."""
        self.take("{")
        return self.row("}")

    def word(self) -> str:
        """The letters in braces, with escaped underscores."""
        self.take("{")
        letters = []
        while self.peek() != "}":
            letters.append(self.take().removeprefix("\\"))
        self.take("}")
        return "".join(letters)


def _fenced(opening: str, inside: Markup, closing: str) -> Markup:
    """Brackets; around what is no taller than a letter they stay small, which browsers set tighter.

    `fence` is said since the same double bar opens and closes a norm.
    """
    tall = any(f"<{name}" in inside for name in TALL)
    shape = {"fence": "true", "stretchy": None if tall else "false"}
    return tag("mrow", tag("mo", opening, **shape), inside, tag("mo", closing, **shape))


def _mathematics(latex: str) -> list[Markup]:
    return [tag("math", piece, displaystyle="true") for piece in _Reader(latex).pieces()]


def formula(tree: Relation | Scalar) -> Markup:
    """A displayed formula, with its plain text as the label for those who hear it.

    Raises:
        ValueError: for LaTeX that is not in the library's vocabulary.
    """
    pieces = _mathematics(to_latex(tree))
    return tag("div", *pieces, class_="formula", role="math", aria_label=to_text(tree))


def symbol(latex: str) -> Markup:
    """A symbol of the notation within a line of text.

    Raises:
        ValueError: as `formula`.
    """
    return join(_mathematics(latex))


def value(name: str, number: Value) -> Markup:
    """`name = number`, where the number may be a column or a matrix of rationals."""
    left = join(_Reader(name).pieces())
    return tag("math", left, tag("mo", "="), _entries(number), displaystyle="true")


def _entries(number: Value) -> Markup:
    if not isinstance(number, tuple):
        return join(_Reader(to_latex(expression(number))).pieces())
    rows = (row if isinstance(row, tuple) else (row,) for row in number)
    cells = (tag("mtr", *(tag("mtd", _entries(x)) for x in row)) for row in rows)
    return _fenced("(", tag("mtable", *cells), ")")
