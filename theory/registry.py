"""Finds theorems: the library's, and those in files of the user's own."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import json
import pkgutil
import subprocess
import sys
from pathlib import Path
from types import MappingProxyType, ModuleType

from theory import library
from theory.export.to_json import decode, encode
from theory.statements import Theorem


class BadTheoremFile(ValueError):
    """A file that cannot be read as theorems, with the reason in one line."""


@functools.cache
def load() -> MappingProxyType[str, Theorem]:
    """Every theorem of the library, by id, in the order of the file names."""
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
        ValueError: if there is none with this id; the message lists the ids.
    """
    theorems = load()
    if theorem_id not in theorems:
        raise ValueError(f"unknown theorem {theorem_id!r}: the library has {', '.join(theorems)}")
    return theorems[theorem_id]


def theorems_of(module: ModuleType) -> tuple[Theorem, ...]:
    """The theorems that a module defines, as `THEOREM` or `THEOREMS`.

    Raises:
        BadTheoremFile: if it defines neither, or something else under that name.
    """
    single = getattr(module, "THEOREM", None)
    theorems = getattr(module, "THEOREMS", () if single is None else (single,))
    if not theorems or not all(isinstance(item, Theorem) for item in theorems):
        raise BadTheoremFile(f"{module.__file__}: define THEOREM or THEOREMS, of type Theorem")
    return tuple(theorems)


def load_file(path: str | Path, timeout: float = 60.0) -> tuple[Theorem, ...]:
    """The theorems of a user's file, read in a process of its own.

    The file runs in a child process and only plain data comes back, so nothing that it patches or
    imports can reach the kernel of this process.

    Args:
        path: a Python file that defines `THEOREM` or `THEOREMS`.
        timeout: seconds after which the child is stopped.

    Raises:
        BadTheoremFile: if the file is missing, fails, or does not define theorems.
    """
    file = Path(path)
    if not file.is_file():
        raise BadTheoremFile(f"{path}: no such file")
    command = [sys.executable, "-m", "theory.registry", str(file)]
    try:
        child = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
    except subprocess.TimeoutExpired:
        raise BadTheoremFile(f"{path}: not read after {timeout:g} s") from None
    if child.returncode != 0:
        lines = child.stderr.strip().splitlines() or ["it failed without a message"]
        raise BadTheoremFile(f"{path}: {lines[-1]}")
    try:
        found = decode(json.loads(child.stdout.splitlines()[-1]))
    except (ValueError, IndexError) as problem:
        raise BadTheoremFile(f"{path}: {problem}") from None
    if not isinstance(found, tuple) or not all(isinstance(item, Theorem) for item in found):
        raise BadTheoremFile(f"{path}: it does not hand over theorems")
    return found


def _hand_over(path: str) -> None:
    """In the child: import the file and print its theorems as one line of JSON."""
    spec = importlib.util.spec_from_file_location("user_theorem", path)
    if spec is None or spec.loader is None:
        raise BadTheoremFile(f"{path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    print(json.dumps(encode(theorems_of(module))))


if __name__ == "__main__":
    _hand_over(sys.argv[1])
