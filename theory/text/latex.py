"""A theorem as a LaTeX article: statement, hypotheses, and the proof or the refutation."""

from __future__ import annotations

from theory.opinions import Verdict, examine
from theory.text.conventions import algorithm, conventions
from theory.text.instance import (
    INSTANCE,
    WITNESS,
    Value,
    defining,
    expression,
    judged,
    symbols,
    told,
    untrue,
)
from theory.text.plain import cited
from theory.text.printing import LATEX, Printer, to_latex
from theory.text.prose import AUTHOR, in_words
from theory.text.verdicts import headline, is_proof, steps
from theory.trusted.statements import Condition, Theorem, Witness
from theory.trusted.terms import Relation

__all__ = [
    "MATHEMATICAL",
    "PREAMBLE",
    "ROW",
    "SPECIAL",
    "article",
    "display",
    "prose",
    "shown_value",
    "typeset",
]

ROW = r" \\ "

PREAMBLE = r"""\documentclass{article}
\usepackage{amsmath,amssymb,amsthm}
\newtheorem*{theorem}{Theorem}
\allowdisplaybreaks
\begin{document}
"""
SPECIAL = {
    "_": r"\_", "&": r"\&", "%": r"\%", "#": r"\#", "^": r"\^{}", "$": r"\$",
    "{": r"\{", "}": r"\}", "\\": r"\textbackslash{}", "~": r"\textasciitilde{}",
}  # fmt: skip
MATHEMATICAL = {
    "κ": r"$\kappa$", "ω": r"$\omega$", "ν": r"$\nu$", "σ": r"$\sigma$", "γ": r"$\gamma$",
    "δ": r"$\delta$", "Λ": r"$\Lambda$",
    "θ": r"$\theta$", "ζ": r"$\zeta$", "τ": r"$\tau$", "φ": r"$\phi$",
    "λ": r"$\lambda$", "η": r"$\eta$", "ρ": r"$\rho$", "μ": r"$\mu$", "α": r"$\alpha$",
    "β": r"$\beta$", "∇": r"$\nabla$", "≤": r"$\le$", "≥": r"$\ge$", "⪰": r"$\succeq$",
    "⪯": r"$\preceq$", "⟨": r"$\langle$", "⟩": r"$\rangle$", "↦": r"$\mapsto$", "·": r"$\cdot$",
    "<": r"$<$", ">": r"$>$", "|": r"$|$", "²": "$^2$", "³": "$^3$", "⁴": "$^4$", "⁺": "$^+$",
    "½": r"$\tfrac12$", "₂": "$_2$", "₃": "$_3$", "₄": "$_4$", "₀": "$_0$",
}  # fmt: skip


def prose(text: str) -> str:
    """Plain text with its special and mathematical characters made safe for LaTeX."""
    return "".join((SPECIAL | MATHEMATICAL).get(letter, letter) for letter in text)


def article(*theorems: Theorem) -> str:
    """A document of what the kernel, asked now, says of theorems: as `typeset`."""
    return typeset(*map(examine, theorems))


def typeset(*verdicts: Verdict) -> str:
    """A complete document that compiles with `pdflatex`, `xelatex` or `lualatex`."""
    lines = [line for verdict in verdicts for line in _section(verdict)]
    return PREAMBLE + "\n".join(lines) + "\n\\end{document}\n"


def _section(verdict: Verdict) -> list[str]:
    """Verdict, statement, hypotheses, and the proof or the refutation."""
    theorem = verdict.theorem
    lines = [
        rf"\section*{{{prose(theorem.title)}}}",
        rf"\paragraph{{Verdict}}{prose(headline(verdict))}.",
        *([prose(f"From the file {verdict.file}, not the library.")] if verdict.file else []),
        "",
        prose(f"{theorem.kind.value.capitalize()}. {in_words(theorem)}"),
        *([prose(AUTHOR)] if isinstance(theorem.statement, str) else []),
        "",
        prose(f"Source: {cited(theorem.source)}."),
        "",
        *_symbols(theorem),
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
    refutation = theorem.refutation
    lines += _refutation(verdict, refutation) if refutation else _proof(verdict)
    return lines + _witness(theorem)


def _symbols(theorem: Theorem) -> list[str]:
    """The algorithm's step, and what every symbol stands for."""
    printer = Printer(LATEX)
    lines = []
    if runs := algorithm(theorem, printer):
        name, step, start = runs
        lines += [rf"Algorithm {prose(name)}, from ${start}$:", rf"\[{step}\]"]
    lines.append(r"\subsection*{Symbols}")
    said = [rf"${name}$: {prose(what)}" for name, what in conventions(theorem, printer)]
    return [*lines, r"\par\noindent ".join(f"{line}.\n" for line in said)]


def _proof(verdict: Verdict) -> list[str]:
    """The steps; where the kernel has not accepted all of it, they are no proof and say why."""
    proved = is_proof(verdict)
    lines = [rf"\subsection*{{{'Proof' if proved else 'Claimed, and not proved'}}}"]
    for step, reason in steps(verdict):
        star = r"$\star$ " if step.name in verdict.theorem.conclusion else ""
        lines += [
            rf"\paragraph{{{star}{prose(step.name)}}}{prose(step.why)}",
            display(step.claim),
        ]
        lines += [rf"\textbf{{Not accepted:}} {prose(reason)}."] if reason else []
    return [*lines, r"Steps marked $\star$ are the theorem. \qed"] if proved else lines


def _refutation(verdict: Verdict, refutation: Witness) -> list[str]:
    """What is claimed, the instance, which claim fails in it, and what is true instead."""
    theorem, report = verdict.theorem, verdict.report
    lines = [rf"\subsection*{{Claimed{', and refuted' if report.failure else ''}}}"]
    for step in theorem.proof:
        lines += [rf"\paragraph{{{prose(step.name)}}}{prose(step.why)}", display(step.claim)]
    lines += [r"\subsection*{Instance}", prose(f"{INSTANCE}:"), _instance(refutation)]
    if report.failure is None:
        return [*lines, prose(f"It refutes nothing: {report.reason}.")]
    name, false = prose(report.failure.claim), to_latex(untrue(report.failure))
    lines.append(rf"Every hypothesis holds in it, and {name} fails: ${false}$ is false.")
    repaired = prose(theorem.repaired_by)
    return [*lines, rf"What is true: \texttt{{{repaired}}}."] if repaired else lines


def _witness(theorem: Theorem) -> list[str]:
    """The numbers with which the hypotheses hold together, and what is trivial about them."""
    if theorem.witness is None or theorem.refutation is not None:
        return []
    lines = [
        r"\subsection*{Witness}",
        prose(f"{WITNESS}:"),
        _instance(told(theorem, theorem.witness)),
    ]
    return [*lines, prose(judged(theorem))]


def _instance(instance: Witness) -> str:
    shown = [f"{name} = {shown_value(value)}" for name, value in symbols(instance, LATEX)]
    if instance.root is not None:
        shown.append(r",\quad ".join(map(to_latex, defining(instance.root))))
    return rf"\begin{{gather*}}{ROW.join(shown)}\end{{gather*}}"


def shown_value(value: Value) -> str:
    """A number, a column of numbers or a matrix."""
    if not isinstance(value, tuple):
        return to_latex(expression(value))
    rows = (
        " & ".join(map(shown_value, row)) if isinstance(row, tuple) else shown_value(row)
        for row in value
    )
    return rf"\begin{{pmatrix}}{ROW.join(rows)}\end{{pmatrix}}"


def display(relation: Relation) -> str:
    """A displayed relation, broken after the relation sign."""
    return rf"\begin{{multline*}}{to_latex(relation)}\end{{multline*}}"
