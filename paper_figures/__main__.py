"""`python -m paper_figures list` and `python -m paper_figures build`."""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from paper_figures.executors import EXECUTORS, default_jobs, make_executor
from paper_figures.recipes import PRESETS, Recipe, discover, load

__all__ = ["main"]

OK, FAILED, BAD_USAGE, INTERRUPTED = 0, 1, 2, 130


class _Parser(argparse.ArgumentParser):
    """Reports bad usage in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(BAD_USAGE, f"error: {message} (see {self.prog} --help)\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m paper_figures",
        description="Regenerate every figure from computed data.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="{list,build}")
    commands.add_parser("list", help="names, titles and presets of the figures")
    build = commands.add_parser(
        "build",
        help="write NAME.pdf, .png, .csv and .json",
        description="Compute the runs that are missing, reuse the others, and draw.",
    )
    build.add_argument(
        "names",
        nargs="*",
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
    build.add_argument("--seed", type=int, nargs="+", metavar="S", help="in place of the preset's")
    build.add_argument("--force", action="store_true", help="compute again what is stored")
    build.add_argument("--redraw", action="store_true", help="draw the CSV in OUT again, only")
    build.add_argument("--traceback", action="store_true", help="show where a figure failed")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status.

    0: done. 1: a figure failed, its old files are untouched. 2: bad usage, one line on stderr.
    130: interrupted; the finished runs are kept.
    """
    try:
        arguments = _parser().parse_args(argv)
    except SystemExit as stop:
        return int(stop.code or OK)
    try:
        return _list() if arguments.command == "list" else _build(arguments)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return BAD_USAGE
    except KeyboardInterrupt:
        print("interrupted: finished runs are kept, the same command goes on", file=sys.stderr)
        return INTERRUPTED


def _list() -> int:
    for name, origin in discover().items():
        recipe = load(origin)
        print(f"{name:24} {recipe.title}  [{', '.join(recipe.presets)}]")
    return OK


def _chosen(names: Sequence[str]) -> dict[str, Recipe]:
    """Origin -> recipe of the figures that were asked for.

    Raises:
        ValueError: if a name is not known, or two figures would have the same files.
    """
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
            raise ValueError(f"figure {name!r} is not known: use all, {', '.join(known)}")
    chosen = {origin: load(origin) for origin in origins}
    for origin, recipe in chosen.items():
        if sum(recipe.name == other.name for other in chosen.values()) > 1:
            raise ValueError(f"{origin}: another figure is also called {recipe.name}: rename one")
    return chosen


def _build(arguments: argparse.Namespace) -> int:
    # Workers import this module before they set their numbers of threads: numpy has to wait.
    from paper_figures.build import build, read_built, redraw
    from paper_figures.runs import RunStore

    # Everything that the user can get wrong is checked before anything is computed.
    chosen = _chosen(arguments.names)
    parameters = {
        origin: recipe.parameters(arguments.preset, arguments.seed)
        for origin, recipe in chosen.items()
    }
    for folder in (arguments.out, arguments.results):
        if folder.exists() and not folder.is_dir():
            raise ValueError(f"{folder} is not a folder: choose another --out or --results")
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
                        force=arguments.force,
                    )
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
