"""Which theorems a computation reads: whoever stores its result has to know.

`theory.get` and `theory.load` hand every theorem out through `seen`.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from types import FrameType
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from theory.trusted.statements import Theorem

__all__ = ["READ_AT_IMPORT", "Reader", "Watched", "reading", "seen"]

Reader: TypeAlias = "Callable[[str, Theorem | None], Theorem | None]"
"""What is asked for, and the theorem if there is one -> the theorem as the computation sees it."""

_reader: ContextVar[Reader | None] = ContextVar("_reader", default=None)
_active: list[Reader] = []
_lock = threading.Lock()
#: Module -> ids of the theorems that it read while it was imported, before any computation.
READ_AT_IMPORT: dict[str, set[str]] = {}


@contextlib.contextmanager
def reading(reader: Reader) -> Iterator[None]:
    """Within this context every theorem goes through `reader`, in threads started in it, too."""
    token = _reader.set(reader)
    with _lock:
        _active.append(reader)
    try:
        yield
    finally:
        _reader.reset(token)
        with _lock:
            _active.remove(reader)


def seen(name: str, theorem: Theorem | None) -> Theorem | None:
    """A theorem of the library, or None, as whoever reads it now is to see it.

    A thread without a context of its own was started by one of the computations that run now: it
    reports to each of them, so that nothing goes unseen.
    """
    importing = _importing()
    if importing is not None:
        READ_AT_IMPORT.setdefault(importing, set()).add(name)
    reader = _reader.get()
    readers = list(_active) if reader is None else [reader]
    for one in readers:
        theorem = one(name, theorem)
    return theorem


def _importing() -> str | None:
    """The module on whose import the present call depends, if there is one."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        if frame.f_code.co_name == "<module>" and frame.f_globals.get("__name__") != "__main__":
            return str(frame.f_globals.get("__name__"))
        frame = frame.f_back
    return None


class Watched(Mapping[str, "Theorem"]):
    """The library, read through `seen`; what is absent is reported as well."""

    def __init__(self, theorems: Mapping[str, Theorem]) -> None:
        self._theorems = theorems

    def __getitem__(self, name: str) -> Theorem:
        found = seen(name, self._theorems.get(name))
        if found is None:
            raise KeyError(name)
        return found

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and seen(name, self._theorems.get(name)) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self._theorems)

    def __len__(self) -> int:
        return len(self._theorems)
