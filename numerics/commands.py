"""What the command line does: confront theorems with measurements, report on exact Hessians."""

from __future__ import annotations

import argparse
import itertools
import json
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy
import torch
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

import theory
from numerics.checks import pick_device
from numerics.confrontations.cases import CASES, MnistMlpCase, MomentRatio, case_of
from numerics.confrontations.verdicts import Measurement, Outcome
from numerics.progress import progress
from numerics.report import report_of_network
from theory.commandline import check_folder, find
from theory.trusted.statements import Theorem

__all__ = ["COMMANDS", "run_check", "run_hessian", "run_list"]

COLOURS = {Outcome.CONSISTENT: "green", Outcome.VIOLATED: "red", Outcome.INCONCLUSIVE: "yellow"}
MARKS = {Outcome.CONSISTENT: "✓", Outcome.VIOLATED: "✗ violated", Outcome.INCONCLUSIVE: "?"}
LEGEND = """  ✓ consistent; the number is the slack, the relative distance to the bound
  ✗ violated: the theorem, or the measurement, is wrong
  ? inconclusive: for the reason that is numbered"""


def run_check(arguments: argparse.Namespace) -> int:
    """The command `check`."""
    device = pick_device(arguments.device)
    if arguments.svg is not None:  # before minutes are spent on what goes there
        check_folder(Path(arguments.svg).parent)
    asked = [
        (file, theorem)
        for file, theorem in find(arguments.theorems)
        if arguments.theorems or theorem.refutation is None
    ]
    started = time.perf_counter()
    cases = [case_of(name, device, arguments.seeds) for name in arguments.problem or CASES]
    pairs = [(case, theorem) for case in cases for _, theorem in asked]
    verdicts = [
        case.confront(theorem) for case, theorem in progress(pairs, "theorems against measurements")
    ]
    comparisons = [
        comparison
        for case in cases
        if isinstance(case, MnistMlpCase)
        for comparison in case.comparisons()
    ]
    seconds = time.perf_counter() - started
    if arguments.json:
        print(
            as_json(verdicts, comparisons, device, arguments.seeds, seconds, [f for f, _ in asked])
        )
    else:
        show(verdicts, comparisons, asked, seconds, arguments.svg)
    return 1 if any(v.outcome is Outcome.VIOLATED for v in verdicts) else 0


def as_json(
    verdicts: Sequence[Measurement],
    comparisons: Sequence[MomentRatio],
    device: str,
    seeds: int,
    seconds: float,
    files: Sequence[str] = ("",),
) -> str:
    """The document that `check --json` prints; a verdict on a theorem of a file names the file."""
    origins = itertools.cycle({"file": file} if file else {} for file in files)
    document = {
        "version": theory.__version__,
        "device": device,
        "dtype": "float64",
        "seeds": list(range(seeds)),
        "packages": {"torch": torch.__version__, "numpy": numpy.__version__},
        "verdicts": [asdict(v) | origin for v, origin in zip(verdicts, origins, strict=False)],
        "comparisons": [asdict(comparison) for comparison in comparisons],
        "seconds": round(seconds, 2),
    }
    return json.dumps(document, ensure_ascii=False, indent=2, default=float)


def show(
    verdicts: Sequence[Measurement],
    comparisons: Sequence[MomentRatio],
    asked: Sequence[tuple[str, Theorem]],
    seconds: float,
    svg: str | None = None,
) -> None:
    """The verdicts for a terminal: one row for each theorem, one column for each problem."""
    out = Console(record=svg is not None)
    problems = list(dict.fromkeys(verdict.problem for verdict in verdicts))
    title = "Theorems against measurements"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for heading in ("theorem", *problems):
        table.add_column(heading, no_wrap=True)
    notes = list(dict.fromkeys(verdict.reason for verdict in verdicts if verdict.reason))
    for row, (file, theorem) in enumerate(asked):
        status = theory.check(theorem).status
        name = escape(theorem.id)
        if status is not theorem.expected:
            name = f"[red]{name}: {status.value}[/]"
        if file:
            name += f"\n[dim]in[/] {escape(Path(file).name)}"
        table.add_row(name, *(describe(v, notes) for v in verdicts[row :: len(asked)]))
    out.print(table)
    out.print(LEGEND, markup=False)
    for number, note in enumerate(notes, start=1):
        out.print(f"  {superscript(number)} {note}", markup=False)
    if comparisons:
        out.print(comparison_table(comparisons))
    counts = {outcome: sum(v.outcome is outcome for v in verdicts) for outcome in Outcome}
    said = ", ".join(f"{count} {outcome.value}" for outcome, count in counts.items())
    out.print(f"{len(verdicts)} verdicts: {said} ({seconds:.0f} s)")
    if svg is not None:
        # rich links to web fonts; the picture must not depend on the network
        picture = re.sub(
            r"@font-face \{.*?\}", "", out.export_svg(title="sam-measure check"), flags=re.S
        )
        Path(svg).parent.mkdir(parents=True, exist_ok=True)
        Path(svg).write_text(picture, encoding="utf-8")


def describe(verdict: Measurement, notes: Sequence[str]) -> str:
    """One verdict in a table; its reason, if it has one, stands below the table."""
    text = f"[{COLOURS[verdict.outcome]}]{MARKS[verdict.outcome]}[/]"
    if verdict.worst is not None:
        text += " attained" if verdict.worst.attained else f" {verdict.slack:.0e}"
    return text + (superscript(notes.index(verdict.reason) + 1) if verdict.reason else "")


def superscript(number: int) -> str:
    """A footnote mark."""
    return "".join("⁰¹²³⁴⁵⁶⁷⁸⁹"[int(digit)] for digit in str(number))


def comparison_table(comparisons: Sequence[MomentRatio]) -> Table:
    """SAM's minima relative to SGD's."""
    first = comparisons[0]
    table = Table(
        title=f"Relative to SGD's minima, at training loss {first.training_loss:g}, "
        f"{first.ratio.pairs} seeds paired, {first.ratio.confidence:.0%}",
        title_justify="left",
        box=SIMPLE_HEAD,
    )
    quantities = list(dict.fromkeys(c.quantity for c in comparisons))
    for heading in ("minima of", *quantities):
        table.add_column(heading)
    for name in dict.fromkeys(c.algorithm for c in comparisons):
        ratios = [c.ratio for c in comparisons if c.algorithm == name]
        table.add_row(name, *(f"{r.ratio:.2f}\n\\[{r.low:.2f}, {r.high:.2f}]" for r in ratios))
    return table


def run_hessian(arguments: argparse.Namespace) -> int:
    """The command `hessian`."""
    report = report_of_network(
        model=arguments.model,
        data=arguments.data,
        weights=arguments.weights,
        loss=arguments.loss,
        step_size=arguments.step_size,
        radius=arguments.radius,
        batch_size=arguments.batch_size,
        memory_limit=arguments.memory_limit,
        device=pick_device(arguments.device),
    )
    if arguments.json:
        print(json.dumps(report, ensure_ascii=False, indent=2))
        return 0
    title = f"{arguments.model} on {arguments.data}"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    table.add_column("quantity")
    table.add_column("value")
    for name, number in flatten(report):
        table.add_row(name, f"{number:.6g}" if isinstance(number, float) else str(number))
    Console().print(table)
    return 0


def flatten(report: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Nested entries as rows."""
    rows: list[tuple[str, Any]] = []
    for name, entry in report.items():
        if isinstance(entry, dict):
            rows += flatten(entry, f"{prefix}{name}: ")
        elif not isinstance(entry, list):
            rows.append((prefix + name, entry))
    return rows


def run_list(_: argparse.Namespace) -> int:
    """The command `list`."""
    table = Table(title="The problems", title_justify="left", box=SIMPLE_HEAD)
    table.add_column("problem", no_wrap=True)
    table.add_column("what it is", overflow="fold")
    for name, case in CASES.items():
        table.add_row(name, (case.__doc__ or "").partition("\n")[0])
    Console().print(table)
    return 0


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "list": run_list,
    "check": run_check,
    "hessian": run_hessian,
}
