"""`sam-figures list`, `build`, `claims` and `report`."""

from __future__ import annotations

import argparse
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from paper_figures.executors import EXECUTORS, HERE, default_jobs, make_executor
from paper_figures.recipes import PRESETS, Recipe, discover, load

if TYPE_CHECKING:
    from theory.commandline import Parser

__all__ = ["main", "parser"]

OK, FAILED = 0, 1


def parser(prog: str = "", figures: Sequence[str] | None = None) -> Parser:
    """The command line's grammar.

    Args:
        prog: the name of the program.
        figures: the only figures that it takes; any by default.
    """
    # Workers import this module before they set their numbers of threads: numpy has to wait.
    from theory.commandline import Parser

    grammar = Parser(
        prog=prog or "sam-figures",
        description="Regenerate every figure from computed data.",
        examples=("list", "build sharper_bounds --preset smoke", "build all --preset laptop"),
    )
    grammar.add_version_and_completion(lambda: parser("sam-figures", ["all", *discover()]))
    commands = grammar.add_subparsers(
        dest="command", required=True, metavar="{list,build,claims,verify,report}"
    )
    commands.add_parser(
        "list",
        help="names, titles and presets of the figures",
        description="Print names, titles and presets of the figures.",
        examples=("",),
    )
    build = commands.add_parser(
        "build",
        help="write NAME.pdf, .png, .csv and .json",
        description="Compute the runs that are missing, reuse the others, and draw.\n"
        "Exit status: 0 done, 1 a figure failed, 2 bad input, 130 interrupted: finished runs are\n"
        "kept, and the same command goes on.",
        examples=(
            "sharper_bounds --preset smoke",
            "sharper_bounds stability_map --out figures --jobs 2",
            "my_figure.py --preset smoke --seed 0 1 2",
            "my_figure.py --redraw",
            "mnist_generalisation --preset paper --device cuda",
            "all --preset paper --executor 'slurm://PARTITION?timeout_min=240'",
        ),
    )
    build.add_argument(
        "names",
        nargs="*",
        choices=figures,
        default=["all"],
        metavar="NAME",
        help="figures to build: a name, FILE.py with a recipe of your own, or all (the default)",
    )
    build.add_argument("--preset", default="laptop", help=f"{', '.join(PRESETS)} (%(default)s)")
    build.add_argument("--out", type=Path, default=Path("figures"), help="folder (%(default)s)")
    build.add_argument(
        "--results",
        type=Path,
        default=Path("results"),
        help="folder of finished runs (%(default)s)",
    )
    build.add_argument(
        "--executor",
        default="local",
        help=f"{', '.join(sorted(EXECUTORS))}, dask://HOST:PORT, slurm://PARTITION (%(default)s)",
    )
    build.add_argument("--jobs", type=int, default=default_jobs(), help="processes (%(default)s)")
    build.add_argument(
        "--device",
        default="auto",
        help="auto, cpu or cuda, for the figures that train large networks; auto is a GPU of this "
        "machine, not on those of a cluster (%(default)s)",
    )
    build.add_argument("--seed", type=int, nargs="+", metavar="S", help="in place of the preset's")
    build.add_argument("--force", action="store_true", help="compute again what is stored")
    build.add_argument("--redraw", action="store_true", help="draw the CSV in OUT again, only")
    build.add_argument("--traceback", action="store_true", help="show where a figure failed")
    claims = commands.add_parser(
        "claims",
        help="what the built figures say of the paper's empirical claims",
        description="Print a page in Markdown: for each empirical claim the statistic that decides "
        "it,\nits mean with a 95% interval over the seeds, and a verdict.\n"
        "Exit status: 0 printed, whatever the verdicts, 1 a table's code or statements have\n"
        "changed (a line each says what and how to rebuild), 2 bad input.",
        examples=("--results docs/results", "--results figures --json"),
    )
    claims.add_argument(
        "--results",
        type=Path,
        default=Path("figures"),
        help="folder of built figures, or of a folder for each (%(default)s)",
    )
    claims.add_argument("--json", action="store_true", help="one JSON document on stdout")
    verify = commands.add_parser(
        "verify",
        help="show that changed code computes what a stored table's code did",
        description="Compute a cheap build of older code again, and record in the manifests of the "
        "stored\ntables that the present code gives the same numbers.\n"
        "Exit status: 0 all do, 1 one does not, 2 bad input.",
        examples=("--reference build/before --results docs/results",),
    )
    verify.add_argument("names", nargs="*", choices=figures, default=["all"], metavar="NAME")
    verify.add_argument(
        "--reference",
        type=Path,
        required=True,
        help="a folder for each figure, built by the code of the stored tables, e.g. with "
        "`build NAME --preset smoke --out REFERENCE/NAME` in an older checkout",
    )
    verify.add_argument(
        "--results",
        type=Path,
        default=Path("docs/results"),
        help="a folder for each stored table (%(default)s)",
    )
    report = commands.add_parser(
        "report",
        help="write one HTML page: verdicts, theorems, measurements, stability map",
        description="Check every proof and write one HTML page that needs no network.\n"
        "Exit status: 0 all is as recorded, 1 a verdict differs or a measurement violates a\n"
        "theorem (the page says which), 2 bad input.",
        examples=("--out build/report.html --measure", "--measured measured.json"),
    )
    report.add_argument(
        "--out", type=Path, default=Path("build/report.html"), help="the page (%(default)s)"
    )
    measured = report.add_mutually_exclusive_group()
    measured.add_argument(
        "--measure", action="store_true", help="run `sam-measure check` (minutes)"
    )
    measured.add_argument(
        "--measured", type=Path, metavar="FILE", help="what `sam-measure check --json` printed"
    )
    report.add_argument(
        "--docs",
        type=Path,
        default=Path("docs"),
        help="folder of pages that show figures beside theorems (%(default)s)",
    )
    report.add_argument(
        "--checkers", default="kernel", metavar="LIST", help="as in `sam-prove check` (%(default)s)"
    )
    return grammar


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status.

    0: done; `all` names the figures whose data is not on this machine and goes on. 1: a figure
    failed, or one asked for by name lacks its data; its old files are untouched. 2: bad usage, one
    line on stderr. 130: interrupted; the finished runs are kept.
    """
    from theory.commandline import ended

    try:
        arguments = parser().parse_args(argv)
    except SystemExit as stop:
        return int(stop.code or OK)
    commands = {"list": _list, "build": _build, "claims": _claims}
    commands |= {"verify": _verify, "report": _report}
    return ended(
        lambda: commands[arguments.command](arguments),
        interrupted="interrupted: finished runs are kept, the same command goes on",
    )


def _list(_: argparse.Namespace) -> int:
    for name, origin in discover().items():
        recipe = load(origin)
        print(f"{name:24} {recipe.title}  [{', '.join(recipe.presets)}]")
    return OK


def _claims(arguments: argparse.Namespace) -> int:
    # As in _build: numpy has to wait.
    from paper_figures.claims import document, find, page, stale

    findings = find(arguments.results)
    lines = stale(arguments.results)
    if lines:
        print(*lines, sep="\n", file=sys.stderr)
        return FAILED
    print((document if arguments.json else page)(findings), end="")
    return OK


def _verify(arguments: argparse.Namespace) -> int:
    # As in _build: numpy has to wait.
    from paper_figures.executors import SerialExecutor
    from paper_figures.runs import RunStore
    from paper_figures.stale import verify

    status = OK
    with tempfile.TemporaryDirectory() as empty:
        store = RunStore(Path(empty))  # figures of one family share what is computed now
        for origin, recipe in _chosen(arguments.names).items():
            folder, reference = arguments.results / recipe.name, arguments.reference / recipe.name
            if arguments.names == ["all"] and not (folder.is_dir() and reference.is_dir()):
                continue
            try:
                apart = verify(recipe, origin, folder, reference, store, SerialExecutor())
            except ValueError as problem:
                print(f"error: {problem}", file=sys.stderr)
                status = FAILED
            else:
                said = f"verified, largest relative difference {apart:.2g}"
                print(f"{recipe.name}: {said}", flush=True)
    return status


def _report(arguments: argparse.Namespace) -> int:
    from paper_figures.report.command import run  # as in _build: numpy has to wait

    return run(arguments)


def _chosen(names: Sequence[str]) -> dict[str, Recipe]:
    """Origin -> recipe of the figures that were asked for.

    Raises:
        ValueError: if a name is not known, or two figures would have the same files.
    """
    from theory.messages import unknown

    known = discover()
    origins: list[str] = []
    for name in names:
        if name == "all":
            origins += known.values()
        elif name.endswith(".py"):
            origins.append(name)
        elif name in known:
            origins.append(known[name])
        else:
            raise unknown("figure", name, ["all", *known], "`sam-figures list` names them")
    chosen = {origin: load(origin) for origin in origins}
    for origin, recipe in chosen.items():
        if sum(recipe.name == other.name for other in chosen.values()) > 1:
            raise ValueError(f"{origin}: another figure is also called {recipe.name}: rename one")
    return chosen


def _build(arguments: argparse.Namespace) -> int:
    # Workers import this module before they set their numbers of threads: numpy has to wait.
    from numerics.checks import pick_device
    from numerics.errors import DataAbsent
    from paper_figures.build import build, read_built, redraw
    from paper_figures.runs import RunStore
    from theory.commandline import check_folder

    # Everything that the user can get wrong is checked before anything is computed.
    chosen = _chosen(arguments.names)
    parameters = {
        origin: recipe.parameters(arguments.preset, arguments.seed)
        for origin, recipe in chosen.items()
    }
    for folder in (arguments.out, arguments.results):
        check_folder(folder)
    elsewhere = arguments.executor not in HERE
    device = pick_device(arguments.device, elsewhere)
    if arguments.redraw:
        for recipe in chosen.values():
            read_built(recipe, arguments.out)
    status = OK
    with make_executor(arguments.executor, arguments.jobs) as executor:
        for origin, recipe in chosen.items():
            try:
                if arguments.redraw:
                    built = redraw(recipe, arguments.out)
                else:
                    built = build(
                        recipe,
                        origin,
                        parameters[origin],
                        preset=arguments.preset,
                        store=RunStore(arguments.results),
                        executor=executor,
                        out=arguments.out,
                        device=device,
                        force=arguments.force,
                    )
            except DataAbsent as absent:
                print(f"{recipe.name}: not run: data absent ({absent})", flush=True)
                if "all" not in arguments.names:
                    status = FAILED
            except Exception as error:
                if arguments.traceback:
                    traceback.print_exc()
                what = " ".join(f"{type(error).__name__}: {error}".split())
                print(f"error: figure {recipe.name} failed: {what}", file=sys.stderr)
                status = FAILED
            else:
                print(
                    f"{built.name}: computed {built.computed} runs, reused {built.reused}, "
                    f"{built.seconds:.1f} s -> {built.folder / built.name}.pdf, .png, .csv, .json",
                    flush=True,
                )
    return status


if __name__ == "__main__":
    sys.exit(main())
