"""Regenerate every figure from computed data.

What a figure's file and a notebook need can be imported from here, and is loaded when it is first
asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from numerics import faces

if TYPE_CHECKING:
    from paper_figures.executors import SerialExecutor
    from paper_figures.recipes import Recipe
    from paper_figures.runs import Record, Run, RunStore
    from paper_figures.tables import Row, from_csv, to_csv

__all__ = [
    "Recipe",
    "Record",
    "Row",
    "Run",
    "RunStore",
    "SerialExecutor",
    "from_csv",
    "to_csv",
]

_HOMES = {
    "paper_figures.executors": ("SerialExecutor",),
    "paper_figures.recipes": ("Recipe",),
    "paper_figures.runs": ("Record", "Run", "RunStore"),
    "paper_figures.tables": ("Row", "from_csv", "to_csv"),
}

__getattr__ = faces.lazily(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
