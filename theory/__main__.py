"""Command line: list, check and explain theorems."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from theory import opinions as checkers
from theory import registry
from theory.commandline import NO_SANDBOX, Parser, ended, find, processes
from theory.opinions import SKIPPED, Verdict, examine
from theory.opinions.coq import comment
from theory.opinions.coq_theorem import document
from theory.proving.degeneracy import mark, remarks
from theory.text.latex import typeset
from theory.text.plain import explained
from theory.text.verdicts import DECIDED, as_json, headline, settled
from theory.trusted.statements import Status, Theorem

__all__ = [
    "COLOURS",
    "SHORT",
    "ask",
    "coq_file",
    "main",
    "parser",
    "run_check",
    "run_explain",
    "run_list",
    "summary",
    "table",
]

COLOURS = {
    "proved": "green",
    "refuted": "magenta",
    "disputed": "red",
    "undecided": "yellow",
    "error": "red",
}
SHORT = 40  # the longest id that is never broken


def parser(prog: str = "", ids: Sequence[str] | None = None) -> Parser:
    """The command line's grammar.

    Args:
        prog: the name of the program.
        ids: the only theorems that it takes; any by default.
    """
    main = Parser(
        prog=prog or "sam-prove",
        description="State theorems about sharpness-aware minimisation and check their proofs.",
        examples=(
            "list",
            "check sam-pl-linear sgd-pl-linear",
            "check my_theorem.py --checkers kernel,z3,coq",
            "explain sam-pl-linear",
        ),
    )
    main.add_version_and_completion(lambda: parser("sam-prove", tuple(registry.load())))
    commands = main.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser(
        "list",
        help="the theorems of the library",
        description="Name the theorems of the library, with statement, verdict and source.",
        examples=("", "| grep stability"),
    )
    check = commands.add_parser(
        "check",
        help="check proofs; exit 0 if all are as recorded",
        description="Replay proofs in exact arithmetic.\n"
        "Exit status: 0 if every verdict is the one that is recorded, 1 if one differs,\n"
        "2 for bad input.  A checker that comes to no end leaves the theorem undecided;\n"
        f"one that is not installed is skipped.\n{NO_SANDBOX}",
        examples=(
            "",
            "sam-pl-linear sgd-pl-linear --json",
            "sgd-pl-linear --checkers kernel,z3",
            "examples/proximal_point.py",
            "--jobs 2",
        ),
    )
    check.add_argument(
        "theorems",
        nargs="*",
        choices=ids,
        metavar="ID|FILE",
        help="of the library, or a FILE.py or FILE.json with your own (default: the library)",
    )
    check.add_argument(
        "--checkers",
        default="kernel",
        metavar="LIST",
        help=f"comma-separated, from {','.join(checkers.available())} (default: kernel)",
    )
    check.add_argument("--json", action="store_true", help="one JSON document on stdout")
    check.add_argument("--jobs", type=int, default=1, metavar="N", help="processes (default: 1)")
    explain = commands.add_parser(
        "explain",
        help="a statement and its proof, step by step",
        description="Print the kernel's verdict, the hypotheses, the implicit ones marked, and\n"
        "the proof step by step.  Exit status: 0 if it is proved, or refuted as recorded,\n"
        f"1 if not, 2 for bad input.\n{NO_SANDBOX}",
        examples=(
            "sam-stability-s2",
            "sgd-pl-linear --latex > theorem.tex",
            "sgd-pl-linear --coq > theorem.v",
            "sgd-pl-linear --json",
        ),
    )
    explain.add_argument(
        "theorem", choices=ids, metavar="ID|FILE", help="of the library, or a file of your own"
    )
    form = explain.add_mutually_exclusive_group()
    form.add_argument("--latex", action="store_true", help="as a LaTeX article")
    form.add_argument(
        "--coq", action="store_true", help="as a Coq file: the real arithmetic of its steps"
    )
    form.add_argument("--json", action="store_true", help="statement and certificate as JSON")
    return main


def ask(file: str, theorem: Theorem, names: Sequence[str] = ("kernel",)) -> Verdict:
    """The verdict on a theorem of a file."""
    return replace(examine(theorem, names), file=file)


def table(verdicts: Sequence[Verdict]) -> Table:
    """The verdicts for a terminal."""
    names = list(verdicts[0].opinions)
    result = Table(
        title="Proofs, checked in exact arithmetic", title_justify="left", box=SIMPLE_HEAD
    )
    short = all(len(v.theorem.id) <= SHORT for v in verdicts)
    result.add_column("theorem", no_wrap=short, overflow="fold")
    result.add_column("statement", overflow="fold")
    result.add_column("steps", no_wrap=True)
    for name in names:
        result.add_column(name, overflow="fold", min_width=len(Status.UNDECIDED))
    for v in verdicts:
        opinions = [
            f"[{COLOURS.get(o.verdict, 'dim')}]{o.verdict}[/]"
            + (f"\n{escape(o.reason)}" if o.reason and o.verdict not in DECIDED else "")
            for o in v.opinions.values()
        ]
        accepted = sum(step.accepted for step in v.report.steps)
        steps = f"{accepted}/{len(v.theorem.proof)}" if v.theorem.refutation is None else ""
        name = escape(v.theorem.id) + mark(v.theorem)
        if v.file:
            name += f"\n[dim]in[/] {escape(Path(v.file).name)}"
        result.add_row(name, escape(v.theorem.title), steps, *opinions)
    return result


def summary(verdicts: Sequence[Verdict]) -> str:
    """How often each checker said what, and what differs from its record; absence is said."""
    said = []
    for name in verdicts[0].opinions:
        counts = Counter(v.opinions[name].verdict for v in verdicts)
        parts = [str(counts.pop(Status.PROVED.value, 0))]
        if set(counts) == {SKIPPED} and parts == ["0"]:
            parts = ["skipped (absent)"]
        else:
            parts += [f"{count} {verdict}" for verdict, count in sorted(counts.items())]
        said.append(f"{name} {' and '.join(parts)}")
    differ = [v for v in verdicts if not v.as_recorded]
    verb = "differs" if len(differ) == 1 else "differ"
    found = f"{len(differ) or 'none'} {verb} from what is recorded"
    if differ:
        found += ": " + ", ".join(f"{v.theorem.id} is {v.status.value}" for v in differ)
    return f"{len(verdicts)} theorems: {', '.join(said)}; {found}"


def run_check(arguments: argparse.Namespace, out: Console) -> int:
    """The command `check`."""
    names = checkers.chosen(arguments.checkers)
    if arguments.jobs < 1:
        raise ValueError(f"--jobs {arguments.jobs}: give at least 1")
    files, theorems = zip(*find(arguments.theorems), strict=True)
    asked = partial(ask, names=names)
    if arguments.jobs > 1:
        with processes(arguments.jobs) as pool:
            verdicts = list(pool.map(asked, files, theorems))
    else:
        verdicts = list(map(asked, files, theorems))
    if arguments.json:
        print(as_json(verdicts))
    else:
        out.print(table(verdicts))
        out.print(summary(verdicts), markup=False)
        for line in remarks(theorems):
            out.print(line, markup=False)
    return 0 if all(v.as_recorded for v in verdicts) else 1


def run_explain(arguments: argparse.Namespace) -> int:
    """The command `explain`."""
    verdicts = [ask(file, theorem) for file, theorem in find([arguments.theorem])]
    if arguments.latex:
        print(typeset(*verdicts))
    elif arguments.coq:
        print(coq_file(verdicts), end="")
    elif arguments.json:
        print(as_json(verdicts, whole=True))
    else:
        print("\n\n".join(map(explained, verdicts)))
    return 0 if all(map(settled, verdicts)) else 1


def coq_file(verdicts: Sequence[Verdict]) -> str:
    """The Coq file of a theorem; one that is not proved says so on its first line.

    Raises:
        ValueError: if there is more than one theorem, or its proof cannot be stated in Coq.
    """
    if len(verdicts) > 1:
        found = f"{verdicts[0].file} holds {len(verdicts)} theorems"
        raise ValueError(f"{found}, and a Coq file has one: give each a file of its own")
    (verdict,) = verdicts
    decided = verdict.status in DECIDED
    said = "" if decided else f"(* NOT PROVED: {comment(headline(verdict))} *)\n"
    said += f"(* From {comment(verdict.file)}, not the library. *)\n" if verdict.file else ""
    return said + document(verdict.theorem).text


def run_list(out: Console) -> int:
    """The command `list`."""
    result = Table(title="The library", title_justify="left", box=SIMPLE_HEAD)
    result.add_column("id", no_wrap=True)
    result.add_column("recorded as")
    result.add_column("statement and source", overflow="fold")
    for theorem in registry.load().values():
        source, status = theorem.source, theorem.expected.value
        lines = [escape(theorem.title)]
        if theorem.repaired_by:
            lines.append(f"what is true: {escape(theorem.repaired_by)}")
        origin = f"{theorem.kind.value}; {source.reference}, {source.attribution.value}"
        lines.append(f"[dim]{escape(origin)}[/]")
        result.add_row(theorem.id, f"[{COLOURS[status]}]{status}[/]", "\n".join(lines))
    out.print(result)
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status: 0 as recorded, 1 differs, 2 bad input."""
    arguments = parser().parse_args(argv)
    out = Console(emoji=False)
    commands = {
        "list": lambda: run_list(out),
        "check": lambda: run_check(arguments, out),
        "explain": lambda: run_explain(arguments),
    }
    return ended(commands[arguments.command])


if __name__ == "__main__":
    sys.exit(main())
