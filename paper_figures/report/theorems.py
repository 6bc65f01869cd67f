"""One theorem on the page: statement, hypotheses, proof or counterexample, findings, downloads."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from paper_figures.report.evidence import downloads, measurements
from paper_figures.report.figures import Figure
from paper_figures.report.measured import NOT_MEASURED, Measured
from theory.opinions import Verdict
from theory.text import html
from theory.text.markup import Markup, badge, prose, separated, tag
from theory.text.plain import cited
from theory.text.prose import UNSEEN, in_words
from theory.text.verdicts import DECIDED

__all__ = ["card"]


def card(
    verdict: Verdict, measured: Measured | None, figures: Iterable[Figure], known: Collection[str]
) -> Markup:
    """Everything that is known of one theorem.

    Args:
        verdict: what the checkers said.
        measured: what was measured, if it was.
        figures: those that show this theorem.
        known: the ids of the library, which become links.
    """
    theorem = verdict.theorem
    source = prose(cited(theorem.source), known)
    anchor = tag(
        "a", "#", href=f"#{theorem.id}", class_="anchor", aria_label=f"Link to {theorem.id}"
    )
    confronted = measured.verdicts.get(theorem.id, ()) if measured else ()
    found = [tag("li", prose(finding, known)) for finding in theorem.findings]
    shown = [tag("a", prose(f.title), href=f"#figure-{f.name}") for f in figures]
    return tag(
        "article",
        tag(
            "header",
            tag("h3", prose(theorem.title), " ", anchor),
            tag("p", badge(verdict.status.value), " ", tag("code", theorem.id), class_="id"),
        ),
        tag("p", f"{theorem.kind.value.capitalize()}. Source: ", source, ".", class_="source"),
        _disagreement(verdict),
        tag("p", prose(in_words(theorem), known), class_="statement"),
        html.claims(verdict),
        html.notation(theorem),
        tag("h4", "Hypotheses"),
        tag("ul", *html.hypotheses(verdict), class_="hypotheses"),
        html.counterexample(verdict, known) if theorem.refutation else html.proof(verdict),
        html.section(UNSEEN, tag("ul", *found)) if found else None,
        html.quantities(theorem),
        html.section(
            "Against measurements",
            measurements(confronted),
        ),
        tag("p", "Figure: ", separated(shown), class_="shown-in") if shown else None,
        downloads(verdict),
        id=theorem.id,
        class_="theorem",
        aria_label=theorem.id,
        data_status=verdict.status.value,
        data_measured=measured.outcome(theorem.id) if measured else NOT_MEASURED,
    )


def _disagreement(verdict: Verdict) -> Markup | None:
    """Said aloud: a verdict that is not the recorded one, and what a checker could not decide."""
    recorded = verdict.theorem.expected
    said = []
    if not verdict.as_recorded:
        said.append(f"Recorded as {recorded.value}, but {verdict.status.value}.")
    for name, opinion in verdict.opinions.items():
        if opinion.verdict not in DECIDED:
            said.append(f"{name}: {opinion.verdict}. {opinion.reason}")
    return tag("p", " ".join(said), class_="differs") if said else None
