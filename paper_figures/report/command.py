"""`sam-figures report`: write the page."""

from __future__ import annotations

import argparse
from pathlib import Path

import theory
from paper_figures.report.measured import Measured, measure, read_file
from paper_figures.report.page import build
from paper_figures.runs import atomic_write
from theory import opinions as checkers
from theory.commandline import check_folder

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> int:
    """The command `report`: 0 all is as recorded, 1 the page shows a difference or a violation.

    Raises:
        ValueError: for an output that is a folder, a checker or a document that is unknown.
    """
    out: Path = arguments.out
    if out.is_dir():
        raise ValueError(f"--out {out} is a folder: name a file in it, e.g. {out / 'report.html'}")
    check_folder(out.parent)  # before minutes are spent on what goes there
    names = checkers.chosen(arguments.checkers)
    report = build(_measured(arguments), arguments.docs, names)
    data = report.html.encode()
    atomic_write(out, data)
    print(f"{out}: {report.theorems} theorems, {len(data) / 1e6:.1f} MB", flush=True)
    for said, ids in (("differ", report.differing), ("are violated", report.violated)):
        if ids:
            print(f"{', '.join(ids)} {said}")
    return 0 if report.as_recorded else 1


def _measured(arguments: argparse.Namespace) -> Measured | None:
    known = theory.load()
    if arguments.measured is not None:
        return read_file(arguments.measured, known)
    return measure(known) if arguments.measure else None
