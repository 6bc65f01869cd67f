"""What stands beside a proof: measurements, and the files to check it with."""

from __future__ import annotations

from collections.abc import Sequence

from numerics.confrontations.verdicts import Measurement
from paper_figures.report.measured import WEIGHTIEST
from theory.opinions import Verdict
from theory.opinions.coq_theorem import document
from theory.opinions.ground import NoRefutation
from theory.opinions.obligations import Unstated
from theory.text.markup import Markup, address, badge, folded, prose, separated, tag
from theory.text.verdicts import DECIDED, as_json, headline

__all__ = ["downloads", "measurements"]

COLUMNS = ("problem", "verdict", "measured", "bound", "slack", "remark")


def measurements(found: Sequence[Measurement]) -> Markup:
    """One row for each problem that confronted a theorem."""
    if not found:
        return tag("p", "Not measured.", class_="quiet")
    order = sorted(found, key=lambda v: (WEIGHTIEST.index(v.outcome), v.problem))
    head = tag("thead", tag("tr", *(tag("th", text, scope="col") for text in COLUMNS)))
    table = tag("table", head, tag("tbody", *map(_confrontation, order)))
    counts = {o: sum(v.outcome is o for v in found) for o in WEIGHTIEST}
    said = [f"{count} {outcome.value}" for outcome, count in counts.items() if count]
    if any(v.worst is not None and v.worst.attained for v in found):
        said.append("bound attained")
    problems = "1 problem" if len(found) == 1 else f"{len(found)} problems"
    return folded(f"{problems}: {', '.join(said)}", tag("div", table, class_="scroll"))


def _confrontation(found: Measurement) -> Markup:
    """One problem; the numbers are those of the setting that came closest to the bound."""
    worst, numbers, remark = found.worst, ("", "", ""), found.reason
    if worst is not None:
        slack = "attained" if worst.attained else f"{worst.slack:.1e}"
        numbers = (_short(worst.measured), _short(worst.bound), slack)
        where = ", ".join(f"{name} {_short(number)}" for name, number in worst.where.items())
        remark = remark or f"{found.measured}; {found.points} settings, closest at {where}"
    cells = (badge(found.outcome.value), *numbers, prose(remark))
    row = (tag("th", found.problem, scope="row"), *(tag("td", cell) for cell in cells))
    return tag("tr", *row)


def _short(number: float | str) -> str:
    return number if isinstance(number, str) else f"{number:.5g}"


def downloads(verdict: Verdict) -> Markup:
    """Verdict with certificate as JSON, and a Coq file, as links that hold the files.

    What is neither proved nor refuted comes without a Coq file.
    """
    theorem = verdict.theorem
    files = {"json": as_json([verdict], whole=True)}
    without = None
    try:
        if verdict.status in DECIDED:
            files["v"] = document(theorem).text
        else:
            without = f" There is no Coq file: it is {headline(verdict)}."
    except (Unstated, NoRefutation) as problem:
        without = f" There is no Coq file: {problem}."
    links = []
    for kind, text in files.items():
        name = f"{theorem.id}.{kind}"
        data = address(text.encode(), "text/plain;charset=utf-8")
        links.append(tag("a", name, href=data, download=name))
    return tag("p", "Download: ", separated(links), without, class_="downloads")
