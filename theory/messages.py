"""What the toolkit says of names that it does not know and of libraries that are not installed."""

from __future__ import annotations

import difflib
import importlib
import traceback
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

__all__ = ["EXTRAS", "MissingLibrary", "failure", "missing", "optional", "unknown"]

#: Optional library, by the name it is imported under -> the extra of the package that brings it.
EXTRAS = {
    "clarabel": "solvers",
    "cvxpy": "solvers",
    "distributed": "dask",
    "flint": "solvers",
    "shtab": "completion",
    "submitit": "slurm",
    "z3": "solvers",
}
#: More names than this are not listed in a line.
MANY = 12


class MissingLibrary(ImportError, ValueError):
    """An optional library is needed and not installed; the message says what to type."""


def optional(module: str) -> ModuleType:
    """Import an optional library.

    Raises:
        MissingLibrary: if it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as problem:
        raise missing(problem) from None


def missing(problem: ModuleNotFoundError) -> ImportError:
    """The same problem with its remedy, where an extra of the package is the remedy."""
    library = (problem.name or "").partition(".")[0]
    if library not in EXTRAS:
        return problem
    return MissingLibrary(
        f"{library} is not installed: pip install 'sam-theory[{EXTRAS[library]}]'", name=library
    )


def failure(problem: Exception, path: Path) -> str:
    """Why running the file at the absolute `path` failed: one line that begins with its line."""
    frames = traceback.extract_tb(problem.__traceback__)
    lines = [frame.lineno for frame in frames if Path(frame.filename) == path]
    text = str(problem)
    if isinstance(problem, SyntaxError) and problem.filename == str(path):
        lines, text = [problem.lineno], problem.msg
    elif isinstance(problem, ModuleNotFoundError):
        problem = missing(problem)
        text = str(problem)
    where = f"line {lines[-1]}: " if lines else ""
    return " ".join(f"{where}{type(problem).__name__}: {text}".split())


def unknown(what: str, name: str, known: Iterable[str], remedy: str = "") -> ValueError:
    """The error for a name that is not known: the nearest that are, and where all are.

    Args:
        what: the kind of thing, e.g. `theorem`.
        name: what was asked for.
        known: the names that there are.
        remedy: what lists the names, said in place of the list where that is long.
    """
    names = tuple(known)
    near = " or ".join(map(repr, difflib.get_close_matches(name, names, n=2)))
    guess = f"did you mean {near}? " if near else ""
    where = remedy if remedy and len(names) > MANY else f"choose from {', '.join(names)}"
    return ValueError(f"unknown {what} {name!r}: {guess}{where}")
