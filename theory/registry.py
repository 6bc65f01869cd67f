"""Finds theorems: the library's, and those in files of the user's own."""

from __future__ import annotations

import contextlib
import functools
import importlib
import json
import os
import pkgutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import IO, Any, cast

import theory
from theory import library
from theory import opinions as checkers
from theory.messages import failure, unknown
from theory.proving.witnesses import completed
from theory.reading import Watched, seen
from theory.trusted.statements import Theorem
from theory.trusted.wellformed import conform
from theory.wire import decode, encode

__all__ = ["CHILD", "TIMEOUT", "BadTheoremFile", "get", "load", "load_file", "theorems_of"]

try:
    import resource
except ImportError:  # not on this system: the child's output is then not limited
    resource = None  # type: ignore[assignment]

TIMEOUT = 60.0
MAX_BYTES, MAX_MEMORY = 32_000_000, 8_000_000_000


#: Runs this very toolkit, wherever the path of imports would find one.
CHILD = """import sys, importlib.util as u
spec = u.spec_from_file_location("theory", sys.argv.pop(1))
sys.modules["theory"] = u.module_from_spec(spec)
spec.loader.exec_module(sys.modules["theory"])
from theory import registry
registry._child(*sys.argv[1:])"""


class BadTheoremFile(ValueError):
    """A file that cannot be read as theorems, with the reason in one line."""


def load() -> Mapping[str, Theorem]:
    """Every theorem of the library, by id, in the order of the file names."""
    return Watched(_library())


@functools.cache
def _library() -> MappingProxyType[str, Theorem]:
    found: dict[str, Theorem] = {}
    for entry in pkgutil.iter_modules(library.__path__):
        if not entry.name.startswith("_"):
            module = importlib.import_module(f"{library.__name__}.{entry.name}")
            for theorem in theorems_of(module):
                if theorem.id in found:
                    raise BadTheoremFile(f"{module.__file__}: the id {theorem.id!r} is taken")
                found[theorem.id] = theorem
    return MappingProxyType(found)


def get(theorem_id: str) -> Theorem:
    """A theorem of the library.

    Raises:
        ValueError: if there is none with this id; the message names the nearest one.
    """
    theorem = seen(theorem_id, _library().get(theorem_id))
    if theorem is None:
        raise unknown("theorem", theorem_id, _library(), "`sam-prove list` names them")
    return theorem


def theorems_of(module: ModuleType) -> tuple[Theorem, ...]:
    """The theorems that a module defines, as `THEOREM` or `THEOREMS`.

    Raises:
        BadTheoremFile: if it defines neither, or something else under that name, or leaves one out.
    """
    single = getattr(module, "THEOREM", None)
    theorems = getattr(module, "THEOREMS", () if single is None else (single,))
    if not theorems or not all(isinstance(item, Theorem) for item in theorems):
        raise BadTheoremFile(f"{module.__file__}: define THEOREM or THEOREMS, of type Theorem")
    if single is not None and not any(item is single for item in theorems):
        raise BadTheoremFile(f"{module.__file__}: THEOREMS leaves THEOREM out: add it")
    return tuple(theorems)


def _check_ids(theorems: tuple[Theorem, ...]) -> None:
    """Refuse an id that stands for two theorems, in a file or for the library's.

    Raises:
        ValueError: naming the id.
    """
    for i, theorem in enumerate(theorems):
        known = load().get(theorem.id)
        if known is not None and replace(known, witness=theorem.witness) != theorem:
            raise ValueError(f"the id {theorem.id!r} is the library's: give your theorem another")
        if any(other.id == theorem.id for other in theorems[:i]):
            raise ValueError(f"two theorems have the id {theorem.id!r}: give one another")


def load_file(path: str | Path, timeout: float | None = None) -> tuple[Theorem, ...]:
    """The theorems of a user's file, read in a process of its own.

    The file runs in a child process and only plain data comes back, so nothing that it patches or
    imports can reach the kernel of this process; what the second opinions need is imported before.
    What it prints is ignored.  A theorem without a witness gets one there, if a small one is found.
    The file may import what lies beside it or in the working folder, which there come last.
    The child is no sandbox: the file runs with the rights of the user who checks it.

    Args:
        path: a Python file that defines `THEOREM` or `THEOREMS`, or a JSON file as `explain --json`
            writes it, which is data and needs no process.
        timeout: seconds after which the child is stopped (default: `TIMEOUT`).

    Raises:
        BadTheoremFile: if the file is missing, fails, or does not define theorems.
    """
    limit = TIMEOUT if timeout is None else timeout
    if not Path(path).is_file():
        there = "a folder, give a file" if Path(path).is_dir() else "no such file"
        raise BadTheoremFile(f"{path}: {there}")
    if Path(path).suffix == ".json":
        return _handed_over(path, partial(_of_document, Path(path)))
    checkers.fix()
    load()  # now, for the same reason: ids are compared with the library's below
    with tempfile.TemporaryFile() as answer, tempfile.TemporaryFile() as complaints:
        code = _run(Path(path).resolve(), answer.fileno(), complaints, limit)
        if code is None:
            raise BadTheoremFile(f"{path}: not read after {limit:g} s")
        if code < 0:
            raise BadTheoremFile(f"{path}: it was ended by the signal {-code}")
        if code != 0:
            raise BadTheoremFile(f"{path}: {_last_line(complaints)}")
        answer.seek(0)
        handed_over = answer.read(MAX_BYTES)
    if not handed_over:
        raise BadTheoremFile(f"{path}: it ended without handing over theorems")
    return _handed_over(path, lambda: json.loads(handed_over))


def _of_document(path: Path) -> list[Any]:
    """The statements in a document that `explain --json` has written.

    Raises:
        ValueError: if it is none.
    """
    with path.open("rb") as stream:
        text = stream.read(MAX_BYTES + 1)
    if len(text) > MAX_BYTES:
        raise ValueError(f"more than {MAX_BYTES} bytes")
    try:
        found = [entry["theorem"] for entry in json.loads(text)["theorems"]]
    except (ValueError, KeyError, TypeError):
        found = []
    if not found:
        advice = "write it with `sam-prove explain ID --json`"
        raise ValueError(f"no document with statements: {advice}")
    return found


def _handed_over(path: str | Path, data: Callable[[], Any]) -> tuple[Theorem, ...]:
    """Plain data as theorems, with every fault in one line that begins with the path."""
    try:
        found = decode(data())
        conform(found, tuple[Theorem, ...])
        _check_ids(found)
    except RecursionError:
        raise BadTheoremFile(f"{path}: a theorem of it is nested too deeply") from None
    except ValueError as problem:
        raise BadTheoremFile(f"{path}: {problem}") from None
    return cast(tuple[Theorem, ...], found)


def _run(path: Path, answer: int, stderr: IO[bytes], limit: float) -> int | None:
    """The exit status of a child whose whole process group is stopped at the end; None if late."""
    child = subprocess.Popen(
        [sys.executable, "-P", "-c", CHILD, theory.__file__, str(path), str(answer)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=stderr,
        pass_fds=(answer,),
        start_new_session=True,
    )
    try:
        return child.wait(limit)
    except subprocess.TimeoutExpired:
        return None
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def _last_line(complaints: IO[bytes]) -> str:
    """The last line of what the child complained about, made printable."""
    complaints.seek(max(0, complaints.seek(0, os.SEEK_END) - 4096))
    lines = complaints.read(4096).decode(errors="replace").strip().splitlines()
    return "".join(filter(str.isprintable, lines[-1] if lines else "it failed without a message"))


def _child(path: str, answer: str) -> None:
    """What the child does: hand the theorems over, or end with one line that says why not."""
    sys.dont_write_bytecode = True  # beside the user's file
    sys.path += [str(Path(theory.__file__).parents[1]), str(Path(path).parent), str(Path.cwd())]
    try:
        theorems = _read(path)
    except BadTheoremFile as problem:
        sys.exit(str(problem).removeprefix(f"{path}: "))
    except SystemExit as problem:
        sys.exit(f"it ended the program (exit status {problem.code})")
    except Exception as problem:
        sys.exit(failure(problem, Path(path)))
    with os.fdopen(int(answer), "w") as stream:
        json.dump(encode(theorems), stream)


def _read(path: str) -> tuple[Theorem, ...]:
    """In the child: import the file, and give its theorems witnesses where they lack one."""
    if resource is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (MAX_BYTES, MAX_BYTES))
        resource.setrlimit(resource.RLIMIT_DATA, (MAX_MEMORY, MAX_MEMORY))
    module = sys.modules["user_theorem"] = ModuleType("user_theorem")
    module.__file__ = path
    # compiled here: bytecode that lies beside a file need not be that of the file
    exec(compile(Path(path).read_bytes(), path, "exec", dont_inherit=True), vars(module))
    theorems = theorems_of(module)
    conform(theorems, tuple[Theorem, ...])
    return tuple(completed(theorem) for theorem in theorems)
