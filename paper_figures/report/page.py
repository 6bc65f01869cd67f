"""The report put together: one HTML page that holds everything it shows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import theory
from numerics.confrontations.verdicts import Outcome
from numerics.progress import progress
from paper_figures.report.explorer import explorer_data
from paper_figures.report.figures import Figure, related
from paper_figures.report.measured import NOT_MEASURED, Measured
from paper_figures.report.theorems import card
from theory.opinions import Verdict, examine
from theory.text.markup import Markup, badge, folded, join, prose, tag
from theory.trusted.statements import Kind, Status

__all__ = ["Page", "build", "render"]

TEMPLATE = "page.html"


@dataclass(frozen=True)
class Page:
    """The page, and whether all is as recorded and nothing is violated.

    Attributes:
        html: one document that loads nothing.
        theorems: how many it shows.
        differing: the ids whose verdict is not the recorded one.
        violated: the ids that a measurement violates.
    """

    html: str
    theorems: int
    differing: tuple[str, ...]
    violated: tuple[str, ...]

    @property
    def as_recorded(self) -> bool:
        """Whether no verdict differs and no measurement violates a theorem."""
        return not self.differing and not self.violated


def build(measured: Measured | None, docs: Path, checkers: Sequence[str] = ("kernel",)) -> Page:
    """Check the library, compute the stability map, and write the page.

    Args:
        measured: what `sam-measure check` found, if it ran.
        docs: the pages that show figures beside theorems.
        checkers: who is asked, besides the kernel.

    Raises:
        ValueError: for an unknown checker.
    """
    library = theory.load()
    verdicts = [
        examine(theorem, checkers) for theorem in progress(list(library.values()), "proofs")
    ]
    return render(verdicts, measured, related(docs, library), explorer_data())


def render(
    verdicts: Sequence[Verdict],
    measured: Measured | None,
    figures: Sequence[Figure],
    explorer: Mapping[str, Any],
) -> Page:
    """The page of these verdicts, measurements, figures and stability maps."""
    known = [verdict.theorem.id for verdict in verdicts]
    cards = [
        card(v, measured, [f for f in figures if v.theorem.id in f.theorems], known)
        for v in progress(verdicts, "theorems and their Coq files")
    ]
    here = files(__package__)
    html = Template(here.joinpath(TEMPLATE).read_text(encoding="utf-8")).substitute(
        style=here.joinpath("page.css").read_text(encoding="utf-8"),
        script=here.joinpath("page.js").read_text(encoding="utf-8"),
        version=theory.__version__,
        summary=_summary(verdicts, measured),
        contents=_contents(verdicts),
        table=_table(verdicts, measured),
        theorems=join(cards),
        figures=join(map(_figure, figures)) or tag("p", "No pages with figures were at hand."),
        # a closing tag inside a string would end the script
        explorer=json.dumps(explorer, allow_nan=False).replace("</", "<\\/"),
    )
    return Page(
        html,
        len(verdicts),
        tuple(v.theorem.id for v in verdicts if not v.as_recorded),
        tuple(i for i in known if measured and measured.outcome(i) == Outcome.VIOLATED),
    )


def _summary(verdicts: Sequence[Verdict], measured: Measured | None) -> Markup:
    """How many of what, in two sentences."""
    counts = {status: sum(v.status is status for v in verdicts) for status in Status}
    said = ", ".join(f"{count} {status.value}" for status, count in counts.items() if count)
    names = ", ".join(verdicts[0].opinions)
    proofs = tag("p", f"{len(verdicts)} theorems: {said} (checked by: {names}).")
    if measured is None:
        return join([proofs, tag("p", "Measurements: not measured for this page.")])
    outcomes = [each.outcome for found in measured.verdicts.values() for each in found]
    found = ", ".join(f"{outcomes.count(o)} {o.value}" for o in Outcome if o in outcomes)
    where = f"toolkit {measured.version}, {measured.device}, float64, {measured.seeds} seeds"
    return join([proofs, tag("p", f"{len(outcomes)} measurements: {found} ({where}).")])


def _contents(verdicts: Sequence[Verdict]) -> Markup:
    """The theorems by kind, as links."""
    parts = []
    for kind in Kind:
        items = [
            tag(
                "li",
                tag("a", verdict.theorem.id, href=f"#{verdict.theorem.id}"),
                data_theorem=verdict.theorem.id,
                class_=verdict.status.value,
            )
            for verdict in verdicts
            if verdict.theorem.kind is kind
        ]
        if items:
            parts.append(tag("p", _plural(kind)))
            parts.append(tag("ul", *items))
    return join(parts)


def _plural(kind: Kind) -> str:
    return {Kind.IDENTITY: "Identities"}.get(kind, f"{kind.value.capitalize()}s")


def _table(verdicts: Sequence[Verdict], measured: Measured | None) -> Markup:
    """One row for each theorem: what is proved, and what measurements say."""
    checkers = tuple(verdicts[0].opinions)
    others = checkers if len(checkers) > 1 else ()  # one alone gives the verdict
    rows = []
    for verdict in verdicts:
        theorem = verdict.theorem
        name = tag("a", tag("code", theorem.id), href=f"#{theorem.id}")
        outcome = measured.outcome(theorem.id) if measured else NOT_MEASURED
        repaired = None
        if theorem.repaired_by:
            repaired = join(["; true is ", prose(theorem.repaired_by, [theorem.repaired_by])])
        said = (verdict.status.value, *(verdict.opinions[name].verdict for name in others), outcome)
        rows.append(
            tag(
                "tr",
                tag("th", name, scope="row"),
                tag("td", prose(theorem.title), repaired),
                *(tag("td", badge(word)) for word in said),
                data_theorem=theorem.id,
            )
        )
    headings = ("theorem", "what it says", "verdict", *others, "measured")
    head = tag("tr", *(tag("th", heading, scope="col") for heading in headings))
    return tag("table", tag("thead", head), tag("tbody", *rows))


def _figure(figure: Figure) -> Markup:
    shown = [tag("li", prose(name, [name])) for name in figure.theorems]
    width, height = map(str, figure.size)
    return tag(
        "figure",
        tag("img", src=figure.source, alt=figure.title, width=width, height=height, loading="lazy"),
        tag("figcaption", tag("strong", prose(figure.title)), ". ", prose(figure.caption)),
        folded("Theorems beside this figure", tag("ul", *shown)),
        id=f"figure-{figure.name}",
    )
