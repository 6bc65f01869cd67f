"""In docstrings, `Source: ...` is a paragraph; the parser would make it a box with that title."""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Object

__all__ = ["Sources"]

SOURCE = re.compile(r"^Source: ", re.M)


class Sources(Extension):
    """Writes the word in bold instead."""

    def on_object(self, *, obj: Object, **kwargs: Any) -> None:
        """Change the docstring of one object."""
        if obj.docstring is not None:
            obj.docstring.value = SOURCE.sub("**Source.** ", obj.docstring.value)
