"""The soundness report: `python -m theory.soundness [ID ...] [--json]`."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Sequence
from concurrent.futures import Future, as_completed
from typing import Any

from rich.console import Console
from rich.table import Table

from theory import registry
from theory.commandline import Parser, ended, processes
from theory.soundness import refutations, report
from theory.soundness.refutations import Refutations
from theory.soundness.report import Fuzz, Mutation, Tampering

__all__ = [
    "LEGEND",
    "gather",
    "main",
    "mutate",
    "parser",
    "refute",
    "run",
    "shares",
    "tables",
    "tamper",
]

CHUNK, LONG, WIDTH = 1000, 10, 110


def parser() -> Parser:
    """The command line's grammar."""
    main = Parser(
        prog="python -m theory.soundness",
        description="Try to fool the kernel: mutants, tampered certificates, generated claims.\n"
        "Exit status: 0 if nothing false is accepted, 1 if something is, 2 for bad input.",
        examples=("", "sgd-pl-linear --fuzz 100", "sam-pl-linear --fuzz 0 --json"),
    )
    main.add_argument("theorems", nargs="*", metavar="ID", help="default: all")
    main.add_argument(
        "--fuzz", type=int, default=10_000, metavar="N", help="claims of each kind (default: 10000)"
    )
    main.add_argument("--seed", type=int, default=0, help="of the generated claims (default: 0)")
    main.add_argument("--jobs", type=int, default=2, metavar="N", help="processes (default: 2)")
    main.add_argument("--json", action="store_true", help="one JSON document on stdout")
    return main


def shares(theorem: str) -> int:
    """Into how many shares the mutants of a theorem are divided: long proofs into more than one."""
    return 3 if len(registry.get(theorem).proof) > LONG else 1


def mutate(theorem: str, part: int) -> Mutation:
    """A share of the mutation report of a theorem of the library."""
    return report.mutate(registry.get(theorem), part, shares(theorem))


def tamper(theorem: str) -> Tampering:
    """The tampering report of a theorem of the library."""
    return report.tamper(registry.get(theorem))


def refute(theorem: str) -> Refutations:
    """The report of the refutations that were tried on a theorem of the library."""
    found = registry.get(theorem)
    return refutations.judge(found, refutations.candidates(found))


def gather(
    names: Sequence[str], count: int, seed: int, jobs: int
) -> tuple[list[Mutation], list[Tampering], list[Fuzz], list[Refutations]]:
    """Run everything in processes; progress goes to stderr."""
    proved = [name for name in names if registry.get(name).refutation is None]
    largest_first = sorted(proved, key=lambda name: -len(registry.get(name).proof))
    with processes(jobs) as pool:
        mutations = {
            name: [pool.submit(mutate, name, part) for part in range(shares(name))]
            for name in largest_first
        }
        tamperings = {name: pool.submit(tamper, name) for name in largest_first}
        fuzzed = {
            kind: [
                pool.submit(report.generate, kind, min(CHUNK, count - start), seed + start)
                for start in range(0, count, CHUNK)
            ]
            for kind in report.FUZZ
        }
        refuted = {name: pool.submit(refute, name) for name in names}
        waiting: list[Future[Any]] = [*tamperings.values(), *refuted.values()]
        for parts in mutations.values():
            waiting += parts
        for chunks in fuzzed.values():
            waiting += chunks
        for done, _ in enumerate(as_completed(waiting), start=1):
            print(f"\r{done}/{len(waiting)}", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
    return (
        [report.together([future.result() for future in mutations[name]]) for name in proved],
        [tamperings[name].result() for name in proved],
        [
            Fuzz(
                kind,
                sum(future.result().claims for future in chunks),
                sum(future.result().accepted for future in chunks),
            )
            for kind, chunks in fuzzed.items()
        ],
        [refuted[name].result() for name in names],
    )


def tables(
    mutations: Sequence[Mutation],
    tamperings: Sequence[Tampering],
    refuted: Sequence[Refutations],
) -> tuple[Table, ...]:
    """Tables with one line per theorem: changed statements and certificates, refutations."""
    statements = Table(title="Changed statements", title_justify="left")
    certificates = Table(title="Changed certificates", title_justify="left")
    instances = Table(title="Refutations", title_justify="left")
    headings = ("mutants", "rejected", "weaker", "accepted", "refuted", "easier", "open")
    for result, words in (
        (statements, headings),
        (certificates, ("tampered", "rejected", "same proof", "accepted")),
        (instances, ("tried", "rejected", "genuine", "accepted")),
    ):
        result.add_column("theorem", no_wrap=True)
        for word in words:
            result.add_column(word, justify="right", no_wrap=True)
    for m in mutations:
        row = (m.mutants, m.rejected, m.weaker, len(m.accepted), m.refuted, m.easier, len(m.open))
        statements.add_row(m.theorem, *map(str, row))
    for t in tamperings:
        row_of = (t.tampered, t.rejected, t.equivalent, len(t.accepted))
        certificates.add_row(t.theorem, *map(str, row_of))
    for r in refuted:
        instances.add_row(r.theorem, *map(str, (r.tried, r.rejected, r.genuine, len(r.accepted))))
    return tuple(table for table in (statements, certificates, instances) if table.row_count)


LEGEND = """\
weaker: accepted, and only assumes more.  refuted: false by an exact counterexample (tried for
changed claims, quantities and dropped hypotheses).  easier: not refuted, and asks for no more than
the theorem in every instance tried.  open: not refuted otherwise, as where a bound is not tight.
genuine: instances that refute, by a second evaluation too, a statement recorded as refuted."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the report; exit status 0, 1 if something false is accepted, 2 for bad input."""
    arguments = parser().parse_args(argv)
    return ended(lambda: run(arguments))


def run(arguments: argparse.Namespace) -> int:
    """Make the report and print it."""
    names = arguments.theorems or list(registry.load())
    for name in names:
        registry.get(name)
    if arguments.jobs < 1:
        raise ValueError(f"--jobs {arguments.jobs}: give at least 1")
    if arguments.fuzz < 0:
        raise ValueError(f"--fuzz {arguments.fuzz}: give at least 0")
    started = time.perf_counter()
    found = gather(names, arguments.fuzz, arguments.seed, arguments.jobs)
    seconds = round(time.perf_counter() - started, 1)
    wrong = report.failures(*found)
    if arguments.json:
        mutations, tamperings, fuzzed, refuted = found
        document = {
            "mutation": [dataclasses.asdict(item) for item in mutations],
            "tampering": [dataclasses.asdict(item) for item in tamperings],
            "fuzz": [dataclasses.asdict(item) for item in fuzzed],
            "refutations": [dataclasses.asdict(item) for item in refuted],
            "failures": wrong,
            "seconds": seconds,
        }
        print(json.dumps(document, ensure_ascii=False, indent=2))
    else:
        out = Console()
        out.width = max(out.width, WIDTH)
        for piece in (*tables(found[0], found[1], found[3]), LEGEND):
            out.print(piece)
        for item in found[2]:
            out.print(f"generated {item.kind} claims: {item.claims}, accepted {item.accepted}")
        out.print(
            f"{seconds:g} s; " + (f"{len(wrong)} failures" if wrong else "nothing false accepted")
        )
        for line in wrong:
            out.print(line, markup=False)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
