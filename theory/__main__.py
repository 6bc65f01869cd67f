"""Command line: list, check and explain theorems."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from functools import partial

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

import theory
from theory import checkers, registry
from theory.checkers import SKIPPED, Verdict, examine
from theory.commandline import Parser, ended, processes, program
from theory.export.coq_theorem import document
from theory.export.to_json import encode
from theory.export.to_latex import article
from theory.export.to_text import explanation
from theory.statements import Failure, Status, Theorem

COLOURS = {
    "proved": "green",
    "refuted": "magenta",
    "disputed": "red",
    "undecided": "yellow",
    "error": "red",
}
DECIDED = (Status.PROVED.value, Status.REFUTED.value)


def parser(prog: str = "", ids: Sequence[str] | None = None) -> Parser:
    """The command line's grammar.

    Args:
        prog: the name of the program; as it was called by default.
        ids: the only theorems that it takes; any by default.
    """
    main = Parser(
        prog=prog or program("sam-prove", "theory"),
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
        description="Replay proofs in exact arithmetic.\nExit status: 0 if every verdict is the "
        "one that is recorded, 1 if one differs, 2 for bad input.",
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
        metavar="ID|FILE.py",
        help="theorems of the library, or a file with theorems of your own (default: the library)",
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
        description="Print hypotheses, the implicit ones marked, and the proof step by step.",
        examples=(
            "sam-stability-s2",
            "sgd-pl-linear --latex > theorem.tex",
            "sgd-pl-linear --coq > theorem.v",
            "sgd-pl-linear --json",
        ),
    )
    explain.add_argument(
        "theorem", choices=ids, metavar="ID|FILE.py", help="of the library, or a file of your own"
    )
    form = explain.add_mutually_exclusive_group()
    form.add_argument("--latex", action="store_true", help="as a LaTeX article")
    form.add_argument("--coq", action="store_true", help="as a Coq file that proves every step")
    form.add_argument("--json", action="store_true", help="statement and certificate as JSON")
    return main


def find(names: Sequence[str]) -> tuple[Theorem, ...]:
    """The theorems with these ids or in these files; all of the library for an empty list."""
    if not names:
        return tuple(registry.load().values())
    found: list[Theorem] = []
    for name in names:
        found += registry.load_file(name) if name.endswith(".py") else [registry.get(name)]
    return tuple(found)


def as_json(verdicts: Sequence[Verdict]) -> str:
    """The document that `check --json` prints."""
    return json.dumps(
        {
            "version": theory.__version__,
            "theorems": [
                {
                    "id": v.theorem.id,
                    "title": v.theorem.title,
                    "source": {
                        "reference": v.theorem.source.reference,
                        "place": v.theorem.source.place,
                        "attribution": v.theorem.source.attribution.value,
                    },
                    "status": v.status.value,
                    "expected": v.theorem.expected.value,
                    "checkers": {name: o.verdict for name, o in v.opinions.items()},
                    "reasons": {name: o.reason for name, o in v.opinions.items() if o.reason},
                    "hypotheses": [h.name for h in v.theorem.hypotheses],
                    "implicit_hypotheses": [h.name for h in v.theorem.hypotheses if h.implicit],
                    "redundant_hypotheses": list(v.report.redundant),
                    "steps": {s.name: s.accepted for s in v.report.steps},
                    "failure": as_data(v.report.failure),
                    "repaired_by": v.theorem.repaired_by or None,
                    "seconds": round(v.seconds, 4),
                }
                for v in verdicts
            ],
        },
        ensure_ascii=False,
        indent=2,
    )


def as_data(failure: Failure | None) -> dict[str, str] | None:
    """The conclusion that a refutation refutes, with both sides exact."""
    return None if failure is None else {key: str(value) for key, value in vars(failure).items()}


def table(verdicts: Sequence[Verdict]) -> Table:
    """The verdicts for a terminal."""
    names = list(verdicts[0].opinions)
    result = Table(
        title="Proofs, checked in exact arithmetic", title_justify="left", box=SIMPLE_HEAD
    )
    result.add_column("theorem", no_wrap=True)
    for heading in ("statement", "steps", *names):
        result.add_column(heading, overflow="fold")
    for v in verdicts:
        opinions = [
            f"[{COLOURS.get(o.verdict, 'dim')}]{o.verdict}[/]"
            + (f"\n{escape(o.reason)}" if o.reason and o.verdict not in DECIDED else "")
            for o in v.opinions.values()
        ]
        accepted = sum(step.accepted for step in v.report.steps)
        steps = f"{accepted}/{len(v.theorem.proof)}" if v.theorem.refutation is None else ""
        result.add_row(escape(v.theorem.id), escape(v.theorem.title), steps, *opinions)
    return result


def summary(verdicts: Sequence[Verdict]) -> str:
    """How many theorems each checker proved and refuted; an absent checker is said to be."""
    said = []
    for name in verdicts[0].opinions:
        found = [v.opinions[name].verdict for v in verdicts]
        proved, refuted = (found.count(verdict) for verdict in DECIDED)
        absent = all(verdict == SKIPPED for verdict in found)
        said.append(f"{name} {'skipped (absent)' if absent else proved}")
        said[-1] += f" and {refuted} refuted" if refuted else ""
    differ = sum(not v.as_recorded for v in verdicts)
    counts = ", ".join(said)
    return f"{len(verdicts)} theorems: {counts}; {differ or 'none'} differ from what is recorded"


def run_check(arguments: argparse.Namespace, out: Console) -> int:
    """The command `check`."""
    names = checkers.chosen(arguments.checkers)
    if arguments.jobs < 1:
        raise ValueError(f"--jobs {arguments.jobs}: give at least 1")
    theorems = find(arguments.theorems)
    ask = partial(examine, checkers=names)
    if arguments.jobs > 1:
        with processes(arguments.jobs) as pool:
            verdicts = list(pool.map(ask, theorems))
    else:
        verdicts = [ask(theorem) for theorem in theorems]
    if arguments.json:
        print(as_json(verdicts))
    else:
        out.print(table(verdicts))
        out.print(summary(verdicts))
    return 0 if all(v.as_recorded for v in verdicts) else 1


def run_explain(arguments: argparse.Namespace) -> int:
    """The command `explain`."""
    for theorem in find([arguments.theorem]):
        if arguments.latex:
            print(article(theorem))
        elif arguments.coq:
            print(document(theorem).text, end="")
        elif arguments.json:
            print(json.dumps(encode(theorem), ensure_ascii=False))
        else:
            print(explanation(theorem))
    return 0


def run_list(out: Console) -> int:
    """The command `list`."""
    result = Table(title="The library", title_justify="left", box=SIMPLE_HEAD)
    result.add_column("id", no_wrap=True)
    result.add_column("recorded as")
    result.add_column("statement and source", overflow="fold")
    for theorem in find([]):
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
    out = Console()
    commands = {
        "list": lambda: run_list(out),
        "check": lambda: run_check(arguments, out),
        "explain": lambda: run_explain(arguments),
    }
    return ended(commands[arguments.command])


if __name__ == "__main__":
    sys.exit(main())
