"""What hand-written pages let the build compute: the trusted base, benchmarks, help texts."""

from __future__ import annotations

import ast
import contextlib
import io
import json
import os
import re
import statistics
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from pages import ROOT, by_path, plain

import numerics.__main__
import paper_figures.__main__
import theory.__main__
from theory.opinions.coq import comment
from theory.opinions.coq_theorem import document
from theory.opinions.obligations import problem
from theory.trusted import notation as symbols
from theory.trusted.statements import Condition, Theorem

__all__ = ["TABLES", "commands", "notation"]

RESULTS = ROOT / "benchmarks" / "results"
#: What a result may say of its size.
SIZES = ("parameters", "dimension", "samples", "members", "batch_size")
PROGRAMS: dict[str, Callable[[list[str]], int]] = {
    "theory": theory.__main__.main,
    "numerics": numerics.__main__.main,
    "paper_figures": paper_figures.__main__.main,
}


def notation() -> str:
    """The notation table with its symbols typeset."""
    lines = []
    for line in symbols.table().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|", 2)]
        name = cells[0].strip("`")
        if line.startswith("| `") and len(cells) == 3:
            known = name in symbols.SYMBOLS
            shown = f"${symbols.symbol(name).latex}$" if known else plain(cells[1])
            line = _row([cells[0], shown, plain(cells[2].replace(r"\|", "|"))])
        lines.append(line)
    return "\n".join(lines) + "\n"


def trusted_base() -> str:
    """The trusted files with their lines of code, by the list and the counter of the test."""
    test = by_path("tests/architecture/test_imports.py")
    counts = {f"theory/trusted/{path.name}": test.code_lines(path) for path in test.TRUSTED}
    rows = ["| file | lines of code | what it is |", "| --- | --: | --- |"]
    for name, count in counts.items():
        text = ast.get_docstring(ast.parse((ROOT / name).read_text(encoding="utf-8"))) or ""
        rows.append(f"| `{name}` | {count} | {plain(text.splitlines()[0])} |")
    return "\n".join([*rows, f"| **together** | **{sum(counts.values())}** | |"])


def second_opinions() -> str:
    """How much of the library's theorems z3 and Coq do not see, counted in what they are given."""
    proved = [t for t in theory.load().values() if t.refutation is None]
    conclusions = sum(len(t.conclusion) for t in proved)
    gone = [len(cancelled(t)) for t in proved]
    own, supposed = (sum(counts) for counts in zip(*map(hypotheses, proved), strict=True))
    return (
        f"of the {conclusions} conclusions of the {len(proved)} proved theorems {sum(gone)}, in "
        f"{sum(map(bool, gone))} theorems, reach z3 and Coq as 0 = 0 or 0 ≤ 0. Of the "
        f"{own + supposed} hypotheses of the theorems in Coq {own} are those of the statement, "
        "instances of its rules among them, and "
        f"{supposed} are steps of the reasoning that Coq is told to suppose."
    )


def cancelled(theorem: Theorem) -> list[str]:
    """The conclusions of which nothing is left when both sides are put in normal form."""
    steps = {step.step: step for step in problem(theorem).steps}
    return [name for name in theorem.conclusion if not steps[name].claim.top.terms]


def hypotheses(theorem: Theorem) -> tuple[int, int]:
    """How many hypotheses it has in Coq that are its own, and how many that are steps."""
    result = document(theorem).text.rpartition("\nTheorem ")[2].partition("\nProof.")[0]
    labels = re.findall(r"-> \(\* (.*?) \*\)", result)
    names = tuple(
        comment(h.name) if isinstance(h, Condition) else comment(f"{h.name}: ")
        for h in theorem.hypotheses
    )
    own = sum(label.startswith(names) for label in labels)
    return own, len(labels) - own


def benchmarks(*patterns: str) -> str:
    """A row for each result: our seconds, and what every other method took in units of them."""
    rows = ["| case | size | ours, s | over ours | measured |", "| --- | --- | --: | --- | --- |"]
    for pattern in patterns:
        for path in sorted(RESULTS.glob(pattern)):
            result = json.loads(path.read_text(encoding="utf-8"))
            ours, *others = result["rows"]
            unit = _seconds(ours)
            assert unit is not None  # our own row is always timed
            size = (f"{result[key]} {key}" for key in SIZES if key in result)
            ratios = "<br>".join(f"{row['method']}: {_ratio(row, unit)}" for row in others)
            measured = _taken(path, result["machine"])
            rows.append(_row([path.stem, "<br>".join(size), f"{unit:.3g}", ratios, measured]))
    return "\n".join(rows)


def commands() -> str:
    """A page with the help of every command."""
    lines = ["# Commands", "", "What `--help` says, printed when this page was built."]
    for program, main in PROGRAMS.items():
        text = _help(main, [])
        lines += ["", f"## python -m {program}", "", "```text", text, "```"]
        for name in dict.fromkeys(re.findall(r"^    ([a-z]+)(?: |$)", text, re.M)):
            lines += ["", f"### {program} {name}", "", "```text", _help(main, [name]), "```"]
    return "\n".join(lines) + "\n"


def _help(main: Callable[[list[str]], int], words: list[str]) -> str:
    """The help of a command, at a width that fits the page."""
    printed = io.StringIO()
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "80"
    try:
        with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
            main([*words, "--help"])
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before
    return printed.getvalue().rstrip()


def _row(cells: list[Any]) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def _seconds(row: dict[str, Any]) -> float | None:
    """The median, or what a part of the work was scaled up to."""
    return statistics.median(row["wall"]) if row["wall"] else row.get("wall_extrapolated")


def _ratio(row: dict[str, Any], ours: float) -> str:
    seconds = _seconds(row)
    if seconds is None:
        return plain(row["version"])
    return f"**{seconds / ours:.3g}**" + ("" if row["wall"] else " (extrapolated)")


def _taken(path: Path, machine: dict[str, Any]) -> str:
    """Machine and date: the recorded one, or else that of the commit."""
    device = f"{plain(machine['device'])}, {machine['threads']} threads"
    shared = "" if machine["quiet"] else f", shared (load {machine['load_before']})"
    return f"{machine.get('date') or _committed(path)}, {device}{shared}"


def _committed(path: Path) -> str:
    try:
        found = subprocess.run(
            ["git", "log", "-1", "--format=%cs", "--", str(path)],
            cwd=ROOT, capture_output=True, text=True, check=True,
        ).stdout.strip()  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        found = ""
    return found or "date not recorded"


#: What `<!-- computed: NAME -->` in a page is replaced by.
TABLES: dict[str, Callable[[], str]] = {
    "trusted-base": trusted_base,
    "second-opinions": second_opinions,
    "benchmark-hessians": partial(benchmarks, "exact-*.json", "moments-*.json"),
    "benchmark-speedups": partial(benchmarks, "stability-*.json", "training-*.json"),
}
