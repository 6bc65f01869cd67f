"""How results show themselves: one line in a shell, a small table and a picture in a notebook."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Context
from math import isfinite
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "BOUND",
    "LOOKS",
    "Look",
    "axes",
    "between",
    "draw_intervals",
    "measured",
    "name_moments",
    "table",
]


@dataclass(frozen=True)
class Look:
    """Colour, marker and line style of one kind of curve."""

    color: str
    marker: str
    linestyle: Any

    @property
    def line(self) -> dict[str, Any]:
        """Keyword arguments for a curve."""
        return {"color": self.color, "linestyle": self.linestyle}

    @property
    def points(self) -> dict[str, Any]:
        """Keyword arguments for points without a line."""
        return {"color": self.color, "marker": self.marker, "linestyle": "none"}


#: Name of an algorithm -> its look.
LOOKS = {
    "GD": Look("#56B4E9", "D", "-"),
    "SGD": Look("#0072B2", "o", "-"),
    "SAM": Look("#D55E00", "s", "-"),
    "normalised SAM": Look("#009E73", "^", "-"),
}

#: What a theorem says, in every figure.
BOUND = Look("#4D4D4D", "none", (0, (4, 2)))


def axes(ax: Axes | None) -> Axes:
    """The axes given, or the current ones of matplotlib."""
    if ax is not None:
        return ax
    from matplotlib import pyplot

    return pyplot.gca()


def draw_intervals(intervals: Sequence[tuple[float, float]], ax: Axes | None = None) -> Axes:
    """Draw intervals for a, $s_2$, $s_3$ and $s_4$: a tick at either end and a bar between them.

    Where an upper end is infinite, the lower one is drawn alone, and points upwards.

    Args:
        intervals: their ends.
        ax: where to draw; matplotlib's current axes by default.
    """
    ax = axes(ax)
    for at, (low, high) in enumerate(intervals):
        ends = [end for end in (low, high) if isfinite(end)]
        marker = "_" if len(ends) == 2 else "^"
        ax.plot([at] * len(ends), ends, marker=marker, markersize=10, color="C0")
    return name_moments(ax)


def name_moments(ax: Axes) -> Axes:
    """Write a, $s_2$, $s_3$ and $s_4$ under the places 0 to 3."""
    ax.set_xticks(range(4), ["$a$", "$s_2$", "$s_3$", "$s_4$"])
    return ax


def measured(value: float, error: float) -> str:
    """A number and the bound on its error."""
    return f"{value:.6g} ± {error:.1g}"


def between(low: float, high: float) -> str:
    """An interval, its ends rounded outwards to six digits."""
    down, up = (
        float(Context(prec=6, rounding=rounding).create_decimal_from_float(end))
        for end, rounding in ((low, ROUND_FLOOR), (high, ROUND_CEILING))
    )
    return f"[{down:.6g}, {up:.6g}]"


def table(title: str, rows: Sequence[Sequence[str]]) -> str:
    """HTML of a small table without a head."""
    cells = (
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><caption>{html.escape(title)}</caption>{''.join(cells)}</table>"
