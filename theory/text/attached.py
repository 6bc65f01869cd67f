"""The one line that `theory` executes so that its objects show themselves."""

from __future__ import annotations

import importlib

__all__ = ["attach"]


def attach() -> None:
    """Attach what `theory.text.shown` says.

    The name is computed, so that the key of a stored run does not follow it: no result depends on
    how an object looks.
    """
    importlib.import_module(f"{__package__}.shown").attach()
