"""The scoreboard of the numbers: `python -m numerics.soundness [--draws N] [--seed S]`."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import as_completed
from pathlib import Path

from rich.console import Console

from theory.commandline import Parser, check_folder, ended, processes

__all__ = ["main", "parser"]

_CHUNK = 20


def parser() -> Parser:
    """The command line's grammar."""
    main = Parser(
        prog="python -m numerics.soundness",
        description="Draw models, losses, data and matrices, and compare every number with oracles:"
        "\nautograd sample by sample, differences, enumeration, rational arithmetic.\n"
        "Exit status: 0 if no number is wrong, 1 if one is, 2 for bad input.",
        examples=("--draws 10000 --out soundness.json", "--seed 0 --only 17"),
    )
    main.add_argument("--draws", type=int, default=1000, metavar="N", help="(default: 1000)")
    main.add_argument("--seed", type=int, default=0, metavar="S", help="of all draws (default: 0)")
    main.add_argument("--only", type=int, nargs="+", metavar="K", help="only the draws K")
    main.add_argument("--jobs", type=int, default=2, metavar="J", help="processes (default: 2)")
    main.add_argument("--out", type=Path, metavar="FILE.json", help="write the report there, too")
    return main


def main(argv: Sequence[str] | None = None) -> int:
    """Make the report; exit status 0, 1 if a number is wrong, 2 for bad input."""
    arguments = parser().parse_args(argv)
    return ended(lambda: run(arguments))


def run(arguments: argparse.Namespace) -> int:
    """Judge all draws, in processes of one thread each, and print the report."""
    for name, least in (("draws", 1), ("jobs", 1), ("seed", 0)):
        if getattr(arguments, name) < least:
            raise ValueError(f"--{name} {getattr(arguments, name)}: give at least {least}")
    if arguments.only and min(arguments.only) < 0:
        raise ValueError(f"--only {min(arguments.only)}: draws are counted from 0")
    if arguments.out is not None:
        check_folder(arguments.out.parent)
    indices = arguments.only or range(arguments.draws)
    os.environ["OMP_NUM_THREADS"] = "1"
    from numerics.soundness import report  # torch reads the number of threads when it is imported

    started, total = time.perf_counter(), report.Tally()
    chunks = [indices[start : start + _CHUNK] for start in range(0, len(indices), _CHUNK)]
    judged = []
    with processes(min(arguments.jobs, len(chunks))) as pool:
        waiting = [pool.submit(report.judge_some, arguments.seed, chunk) for chunk in chunks]
        for future in as_completed(waiting):
            judged += future.result()
            if sys.stderr.isatty():
                wrong = sum(found.status == "wrong" for found in judged)
                line = f"\r{len(judged)}/{len(indices)}, {wrong} wrong"
                print(line, end="", file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    for found in sorted(judged, key=lambda found: found.index):
        total.add(found)
    seconds = round(time.perf_counter() - started, 1)
    out = Console(soft_wrap=True)
    for line in total.lines(arguments.seed):
        out.print(line, markup=False, highlight=False)
    out.print(f"{seconds:g} s", highlight=False)
    if arguments.out is not None:
        _write(arguments.out, arguments, report.provenance(), total.document(), seconds)
    return 1 if total.wrong else 0


def _write(
    path: Path, arguments: argparse.Namespace, origin: object, document: object, seconds: float
) -> None:
    """Write the report whole or not at all."""
    draws = f"--only {' '.join(map(str, arguments.only))}" if arguments.only else ""
    draws = draws or f"--draws {arguments.draws}"
    content = {
        "command": f"python -m numerics.soundness {draws} --seed {arguments.seed}",
        "seed": arguments.seed,
        "jobs": arguments.jobs,
        "seconds": seconds,
        "made_by": origin,
        "result": document,
    }
    partial = path.with_name(path.name + ".part")
    partial.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    partial.replace(path)


if __name__ == "__main__":
    sys.exit(main())
