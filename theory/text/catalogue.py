"""The library as one Markdown table: what `python -m theory.text.catalogue PAGE` writes."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from theory import registry
from theory.opinions import examine
from theory.text.verdicts import headline
from theory.trusted.statements import Theorem

__all__ = ["catalogue", "main", "updated"]

BEGIN, END = "<!-- catalogue: begin -->", "<!-- catalogue: end -->"


def catalogue(theorems: Iterable[Theorem]) -> str:
    """A table with a row for every theorem, sorted by source."""
    rows = [
        "| theorem | what it says | source | status | what was found, in words |",
        "| --- | --- | --- | --- | --- |",
    ]
    for theorem in sorted(theorems, key=lambda t: (t.source.reference, t.id)):
        source = f"{theorem.source.reference}; {theorem.source.attribution.value}"
        status = theorem.expected.value
        if theorem.repaired_by:
            status += f", repaired by `{theorem.repaired_by}`"
        cells = (theorem.title, source, status, " ".join(theorem.findings))
        rows.append(
            f"| `{theorem.id}` | " + " | ".join(c.replace("|", r"\|") for c in cells) + " |"
        )
    return "\n".join(rows)


def updated(page: str, theorems: Iterable[Theorem]) -> str:
    """A page with the table between its two marks replaced.

    Raises:
        ValueError: if the marks are not there, in this order.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page needs the lines {BEGIN} and {END}, in this order")
    return f"{before}{BEGIN}\n{catalogue(theorems)}\n{END}{after}"


def main(arguments: list[str]) -> int:
    """Rewrite the page that is named and return the exit status.

    Nothing is written unless every verdict is, now, the one that is recorded.
    """
    if len(arguments) != 1 or not Path(arguments[0]).is_file():
        print("usage: python -m theory.text.catalogue PAGE.md", file=sys.stderr)
        return 2
    page, theorems = Path(arguments[0]), registry.load().values()
    for verdict in map(examine, theorems):
        if not verdict.as_recorded:
            print(f"{verdict.theorem.id}: {headline(verdict)}", file=sys.stderr)
            return 1
    try:
        text = updated(page.read_text(encoding="utf-8"), theorems)
    except ValueError as problem:
        print(f"{page}: {problem}", file=sys.stderr)
        return 2
    page.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
