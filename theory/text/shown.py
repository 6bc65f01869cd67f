"""How theory's own objects show themselves, in a shell and in a notebook.

The classes hold data and no printing, so their methods are attached from here, when `theory` is
imported: only `__repr__`, `__str__` and the two that notebooks call.  The kernel's decisions ask
none of them; equality, hash and fields stay what the classes declare.
"""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from theory.opinions import Verdict, examine
from theory.reading import Watched
from theory.text import html
from theory.text.instance import symbols
from theory.text.markup import badge, folded, prose, tag
from theory.text.mathml import formula
from theory.text.plain import shown_value
from theory.text.printing import LATEX, TEXT, Printer
from theory.trusted import terms as T
from theory.trusted.statements import (
    Assumption,
    Condition,
    Quantity,
    Report,
    Step,
    StepReport,
    Theorem,
    Witness,
)
from theory.trusted.wellformed import NAME

__all__ = ["ATTACHED", "attach"]

LONG = 160
#: These say what they are called: two of them may be written alike.
LEAVES = (T.Param, T.Named)


def _line(text: str) -> str:
    """Text on one line of bounded length, without what does not show."""
    line = "".join(c if c.isprintable() else " " for c in text)
    return line if len(line) <= LONG else f"{line[: LONG - 1]}…"


def _written(tree: Any, printer: Printer) -> str:
    if isinstance(tree, T.Relation):
        return printer.relation(tree)
    return (printer.vector if isinstance(tree, T.Vector) else printer.scalar)(tree)[0]


def plain(tree: Any) -> str:
    """An expression as text; as the data that it is, if it cannot be written."""
    try:
        return _written(tree, Printer(TEXT))
    except Exception:  # ill-formed: whoever reports that needs some text
        return f"{type(tree).__name__}({', '.join(_fields(tree))})"


def _fields(tree: Any) -> Iterator[str]:
    """The fields of one node, without what is below it."""
    for name, value in vars(tree).items():
        below = isinstance(value, T.Expression | tuple)
        yield f"{name}=…" if below else f"{name}={reprlib.repr(value)}"


def typeset(tree: Any) -> str | None:
    """An expression in displayed LaTeX; nothing, and so plain text, if a name in it is no name."""
    try:
        names = (node.name for node in T.nodes(tree) if hasattr(node, "name"))
        if not all(NAME.fullmatch(name) for name in names):
            return None
        return rf"$\displaystyle {_written(tree, Printer(LATEX))}$"
    except Exception:
        return None


def _theorem(theorem: Theorem) -> str:
    count = len(theorem.hypotheses)
    hypotheses = "1 hypothesis" if count == 1 else f"{count} hypotheses"
    return _line(f"<Theorem {theorem.id}, {hypotheses}: {theorem.title}>")


def _step(step: StepReport) -> str:
    return _line(f"<StepReport {step.name!r}: {_outcome(step)}>")


def _outcome(step: StepReport) -> str:
    return "accepted" if step.accepted else f"not accepted, {step.reason}"


def _counted(report: Report) -> str:
    accepted = sum(step.accepted for step in report.steps)
    return f"{accepted} of {len(report.steps)} steps accepted" if report.steps else ""


def _report(report: Report) -> str:
    said = "; ".join(filter(None, (report.reason, _counted(report))))
    return _line(f"<Report {report.status.value}" + (f": {said}>" if said else ">"))


def _report_html(report: Report) -> str:
    rows = [tag("li", tag("span", s.name, class_="name"), ": ", _outcome(s)) for s in report.steps]
    unused = prose(", ".join(report.redundant))
    return html.shown(
        tag(
            "div",
            tag("p", badge(report.status.value), " ", prose(report.reason)),
            folded(_counted(report), tag("ol", *rows)) if rows else None,
            tag("p", "No step uses: ", unused, ".", class_="quiet") if unused else None,
        )
    )


def _verdict(verdict: Verdict) -> str:
    said = ", ".join(f"{name} {opinion.verdict}" for name, opinion in verdict.opinions.items())
    return _line(f"<Verdict {verdict.theorem.id}: {verdict.status.value} ({said})>")


def _library(theorems: Watched) -> str:
    return _line(f"<{len(theorems)} theorems: {', '.join(islice(theorems, 3))}, ...>")


def _witness(witness: Witness) -> str:
    said = ", ".join(f"{name} = {shown_value(value)}" for name, value in symbols(witness, TEXT))
    return _line(f"<Witness {said}>")


def _statement_html(item: Condition | Assumption | Step | Quantity) -> str:
    """What has a name, in words and in symbols."""
    if isinstance(item, Condition | Assumption):
        words, said = item.meaning, [*html.relations(item)]
    elif isinstance(item, Step):
        words, said = item.why, [formula(item.claim)]
    else:
        words, said = item.meaning, [formula(item.expression)]
    name = tag("span", prose(item.name), class_="name")
    return html.shown(tag("div", name, prose(f": {words}") if words else None, *said))


def _guarded(method: Callable[[Any], str]) -> Callable[[Any], str | None]:
    """A method for notebooks, which fall back on the text of what cannot be drawn."""

    def call(self: Any) -> str | None:
        try:
            return method(self)
        except Exception:
            return None

    return call


def _safe(method: Callable[[Any], str]) -> Callable[[Any], str]:
    """A `__repr__` that never fails, whatever its object is made of."""

    def call(self: Any) -> str:
        try:
            return method(self)
        except Exception:
            return f"<{type(self).__name__}, ill-formed>"

    return call


EXPRESSIONS = [
    kind
    for kind in vars(T).values()
    if isinstance(kind, type) and issubclass(kind, T.Scalar | T.Vector | T.Relation)
]
#: Class -> the methods that it gets.
ATTACHED: dict[type, dict[str, Callable[[Any], str | None]]] = {
    Theorem: {
        "__repr__": _safe(_theorem),
        "_repr_html_": _guarded(lambda t: html.typeset(examine(t))),
    },
    Report: {"__repr__": _safe(_report), "_repr_html_": _guarded(_report_html)},
    StepReport: {"__repr__": _safe(_step)},
    Verdict: {"__repr__": _safe(_verdict), "_repr_html_": _guarded(html.typeset)},
    Watched: {
        "__repr__": _safe(_library),
        "_repr_html_": _guarded(lambda theorems: html.table(theorems.values())),
    },
    Witness: {
        "__repr__": _safe(_witness),
        "_repr_html_": _guarded(lambda w: html.shown(tag("div", html.instance(w)))),
    },
    **{
        kind: {"_repr_html_": _guarded(_statement_html)}
        for kind in (Condition, Assumption, Step, Quantity)
    },
    **{
        kind: {"__str__": plain, "_repr_latex_": typeset}
        | ({} if kind in LEAVES else {"__repr__": plain})
        for kind in EXPRESSIONS
    },
}


def attach() -> None:
    """Give the classes their methods."""
    for kind, methods in ATTACHED.items():
        for name, method in methods.items():
            setattr(kind, name, method)
