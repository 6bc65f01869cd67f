"""A progress bar on stderr, shown where stderr is a terminal and in notebooks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from rich.console import Console
from rich.progress import track

__all__ = ["console", "progress"]

Item = TypeVar("Item")


def console() -> Console:
    """A console on stderr, `is_terminal` where somebody looks: a notebook shows stderr as it is."""
    found = Console(stderr=True)
    if found.is_jupyter:  # as text, not through IPython.display: no widgets, and nothing on stdout
        return Console(stderr=True, force_terminal=True, force_jupyter=False)
    return found


def progress(items: Sequence[Item], description: str) -> Iterable[Item]:
    """Iterate over `items`; where somebody looks, draw a bar that disappears at the end."""
    shown = console()
    if not shown.is_terminal:
        return items
    return track(items, description, console=shown, transient=True)
