"""What generated pages share: text made safe for Markdown, and modules found by their path."""

from __future__ import annotations

import functools
import importlib.util
import re
from pathlib import Path
from types import ModuleType

__all__ = ["ROOT", "by_path", "plain", "slug"]

ROOT = Path(__file__).parents[2]
SPECIAL = re.compile(r"[\\`*_\[\]<>|$#&~^]")


def plain(text: str) -> str:
    """Text in which no character means anything to Markdown or HTML, in tables either."""
    return SPECIAL.sub(lambda match: f"&#{ord(match[0])};", text)


def slug(title: str) -> str:
    """A title as a file name."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


@functools.cache
def by_path(path: str) -> ModuleType:
    """A module outside the packages, such as a test or a benchmark, by its path from the root."""
    spec = importlib.util.spec_from_file_location(f"_{slug(path)}".replace("-", "_"), ROOT / path)
    assert spec is not None and spec.loader is not None  # the paths end in .py
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
