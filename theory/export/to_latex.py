"""A theorem as a LaTeX article: statement, hypotheses and the proof step by step."""

from __future__ import annotations

from theory.expressions.printing import to_latex
from theory.expressions.terms import Relation
from theory.statements import Condition, Theorem

PREAMBLE = r"""\documentclass{article}
\usepackage{amsmath,amssymb,amsthm}
\newtheorem*{theorem}{Theorem}
\allowdisplaybreaks
\begin{document}
"""
SPECIAL = {"_": r"\_", "&": r"\&", "%": r"\%", "#": r"\#", "^": r"\^{}"}
MATHEMATICAL = {
    "λ": r"$\lambda$", "η": r"$\eta$", "ρ": r"$\rho$", "μ": r"$\mu$", "α": r"$\alpha$",
    "β": r"$\beta$", "∇": r"$\nabla$", "≤": r"$\le$", "≥": r"$\ge$", "⪰": r"$\succeq$",
    "<": r"$<$", ">": r"$>$", "|": r"$|$", "²": "$^2$", "³": "$^3$", "⁴": "$^4$", "⁺": "$^+$",
    "½": r"$\tfrac12$", "₂": "$_2$", "₃": "$_3$", "₄": "$_4$", "₀": "$_0$",
}  # fmt: skip


def prose(text: str) -> str:
    """Plain text with its special and mathematical characters made safe for LaTeX."""
    return "".join((SPECIAL | MATHEMATICAL).get(letter, letter) for letter in text)


def article(theorem: Theorem) -> str:
    """A complete document that compiles with `pdflatex`, `xelatex` or `lualatex`."""
    lines = [
        rf"\section*{{{prose(theorem.title)}}}",
        prose(f"{theorem.kind.value.capitalize()}. {theorem.statement}"),
        "",
        prose(
            f"Source: {theorem.source.reference}, {theorem.source.place} "
            f"({theorem.source.attribution.value})."
        ),
        "",
        r"\subsection*{Hypotheses}",
    ]
    for hypothesis in theorem.hypotheses:
        mark = " (implicit in the source)" if hypothesis.implicit else ""
        meaning = f": {hypothesis.meaning}" if hypothesis.meaning else ""
        lines += [rf"\paragraph{{{prose(hypothesis.name)}}}{prose(mark + meaning)}"]
        if isinstance(hypothesis, Condition):
            lines.append(display(hypothesis.relation))
        else:
            lines += [display(rule.relation) for rule in hypothesis.rules]
    lines.append(r"\subsection*{Proof}")
    for lemma in theorem.proof:
        star = r"$\star$ " if lemma.name in theorem.conclusion else ""
        lines += [
            rf"\paragraph{{{star}{prose(lemma.name)}}}{prose(lemma.why)}",
            display(lemma.claim),
        ]
    lines.append(r"Steps marked $\star$ are the theorem. \qed")
    return PREAMBLE + "\n".join(lines) + "\n\\end{document}\n"


def display(relation: Relation) -> str:
    """A displayed relation, broken after the relation sign."""
    return rf"\begin{{multline*}}{to_latex(relation)}\end{{multline*}}"
