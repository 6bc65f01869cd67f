"""What the toolkit's commands share: how they are called, what their help shows, how they end."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, NoReturn

from theory import registry
from theory.messages import missing, optional
from theory.trusted.statements import Theorem

__all__ = [
    "BAD_INPUT",
    "GONE",
    "INTERRUPTED",
    "NO_SANDBOX",
    "LostProcess",
    "Parser",
    "check_folder",
    "ended",
    "find",
    "printable",
    "processes",
]

BAD_INPUT, INTERRUPTED, GONE = 2, 130, 141
SAFE_PATH = "PYTHONSAFEPATH"
SHELLS = ("bash", "zsh", "tcsh")


class LostProcess(ValueError):
    """A process of a pool was killed; the message says what to try."""


#: What a user is told where theorems are read from files.
NO_SANDBOX = """\
A FILE.py is run to be read, in a process of its own but in no sandbox: it has
your rights and can do whatever you can.  Give none that you would not run."""


def printable(text: str) -> str:
    """The text with a question mark for every character that does not show, as in a file's name."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def find(names: Sequence[str]) -> tuple[tuple[str, Theorem], ...]:
    """The theorems with these ids or in these files, each with its file ("" for the library's).

    All of the library for an empty list.

    Args:
        names: ids, and files that end in .py or .json.
    """
    found: list[tuple[str, Theorem]] = []
    for name in names or registry.load():
        if name.endswith((".py", ".json")):
            found += [(printable(name), theorem) for theorem in registry.load_file(name)]
        else:
            found.append(("", registry.get(name)))
    return tuple(found)


class Parser(argparse.ArgumentParser):
    """A grammar that shows examples in its help and reports bad usage in one line.

    Args:
        examples: what may follow the name of the program, one command line each.
        options: those of `argparse.ArgumentParser`.
    """

    def __init__(self, *, examples: Sequence[str] = (), **options: Any) -> None:
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, **options)
        if examples:
            lines = "\n".join(f"  {self.prog} {example}".rstrip() for example in examples)
            self.epilog = f"examples:\n{lines}"

    def error(self, message: str) -> NoReturn:
        """End with status 2 and one line."""
        self.exit(BAD_INPUT, f"error: {message} (see {self.prog} --help)\n")

    def add_version_and_completion(self, complete: Callable[[], Parser]) -> None:
        """Add `--version`, and `--print-completion` for the grammar that `complete` builds."""
        from theory import __version__  # which imports this module

        self.add_argument("--version", action="version", version=f"sam-theory {__version__}")
        self.add_argument(
            "--print-completion",
            action=_PrintCompletion,
            build=complete,
            choices=SHELLS,
            metavar="SHELL",
            help=f"print what completes the command in a shell: {', '.join(SHELLS)}",
        )


class _PrintCompletion(argparse.Action):
    """Prints a completion script and ends."""

    def __init__(self, build: Callable[[], Parser], **options: Any) -> None:
        super().__init__(default=argparse.SUPPRESS, **options)
        self.build = build

    def __call__(self, parser: argparse.ArgumentParser, *given: Any) -> None:
        _, shell, _ = given
        try:
            shtab: Any = optional("shtab")
        except ImportError as problem:
            parser.error(str(problem))
        print(shtab.complete(self.build(), shell))
        parser.exit()


@contextlib.contextmanager
def processes(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """A pool of processes of which nothing is waited for any more after Ctrl-C.

    Where they are started afresh, they look for no module in the working folder.

    Raises:
        LostProcess: if one of them is killed from outside.
    """
    before = os.environ.get(SAFE_PATH)
    os.environ[SAFE_PATH] = "1"
    pool = ProcessPoolExecutor(jobs, initializer=_end_on_interrupt)
    try:
        yield pool
    except BrokenProcessPool:
        raise LostProcess(
            "a process was killed, perhaps for its memory: use fewer --jobs"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)
        if before is None:
            del os.environ[SAFE_PATH]
        else:
            os.environ[SAFE_PATH] = before


def _end_on_interrupt() -> None:
    """In a worker: end without a word, but where interrupts are ignored go on ignoring them."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def check_folder(folder: Path) -> None:
    """Refuse a folder in which nothing could be written; it need not be there yet.

    Raises:
        ValueError: if it, or the nearest folder above it that is there, is none or is protected.
    """
    place = folder.absolute()
    there = next(path for path in (place, *place.parents) if path.exists())
    if not there.is_dir():
        raise ValueError(f"{there} is not a folder: choose another")
    if not os.access(there, os.R_OK | os.W_OK | os.X_OK):
        raise ValueError(f"{there} is protected: change its permissions, or choose another folder")


def ended(action: Callable[[], int], interrupted: str = "interrupted") -> int:
    """Run a command and return its exit status, without a traceback for what a user can cause.

    Bad input, a file that cannot be used and an optional library that is missing are one line on
    stderr and status 2; Ctrl-C is status 130; a reader that went away, as in `... | head`, is 141.
    """
    try:
        status = action()
        sys.stdout.flush()
        return status
    except ModuleNotFoundError as problem:
        explained = missing(problem)
        if explained is problem:  # a broken installation: nothing that a user can cause
            raise
        return _refused(explained)
    except ValueError as problem:
        return _refused(problem)
    except KeyboardInterrupt:
        print(interrupted, file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # nothing can be written any more: keep the interpreter's own flush at exit from failing
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return GONE
    except OSError as problem:
        where = f"{problem.filename}: " if problem.filename is not None else ""
        return _refused(f"{where}{problem.strerror or problem}")


def _refused(problem: object) -> int:
    """Say in one line what is wrong with the input."""
    print("error:", printable(" ".join(str(problem).split())), file=sys.stderr)
    return BAD_INPUT
