"""Means with intervals, and axes whose ticks are what was measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter, LogLocator, NullLocator

from paper_figures import style
from paper_figures.tables import Row

__all__ = ["clip_percent", "draw_curve", "human", "name_ticks", "one_legend", "plain_log"]


def draw_curve(
    axes: Axes,
    rows: Sequence[Row],
    x: str,
    y: str,
    look: style.Look,
    label: str,
    transform: Callable[[np.ndarray], np.ndarray] = lambda values: values,
    dodge: int = 0,
) -> None:
    """Means with their intervals, joined by a thin line; curves step aside by their `dodge`."""
    at, mean, low, high = (
        np.array([row[name] for row in rows], dtype=float)
        for name in (x, y, f"{y}_low", f"{y}_high")
    )
    mean, low, high = (transform(values) for values in (mean, low, high))
    at = at * 1.03**dodge if axes.get_xscale() == "log" else at + 0.01 * dodge
    reach = np.abs([mean - low, high - mean])
    style_of_curve = {"color": look.color, "marker": look.marker, "ls": look.linestyle}
    axes.errorbar(at, mean, yerr=reach, label=label, lw=0.9, **style_of_curve)


def make_logarithmic(axis: Axis) -> None:
    """A logarithmic scale on one axis of a panel."""
    axes = axis.axes
    if axis is axes.xaxis:
        axes.set_xscale("log")
    else:
        axes.set_yscale("log")


def name_ticks(axis: Axis, values: Sequence[Any], name: Callable[[float], str]) -> None:
    """A logarithmic axis with a tick at each of the values that were measured."""
    distinct = sorted(set(values))
    make_logarithmic(axis)
    axis.set_major_locator(FixedLocator(distinct))
    axis.set_major_formatter(FixedFormatter([name(value) for value in distinct]))
    axis.set_minor_locator(NullLocator())


def plain_log(axis: Axis) -> None:
    """A logarithmic axis with ticks at 1, 2 and 5 times powers of ten, written out."""
    make_logarithmic(axis)
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator())


def clip_percent(axes: Axes) -> None:
    """Show 0 ... 100 at most: an interval for a mean of percentages may reach beyond."""
    low, high = axes.get_ylim()
    axes.set_ylim(max(low, 0), min(high, 100))


def human(count: float) -> str:
    """A number of parameters in three digits."""
    for unit, suffix in ((1e6, "M"), (1e3, "k")):
        if count >= unit:
            return f"{float(f'{count / unit:.3g}'):g} {suffix}"
    return f"{count:g}"


def one_legend(fig: Figure, *panels: Axes) -> None:
    """One legend below the panels for the curves of several."""
    handles, labels = (
        [entry for part in parts for entry in part]
        for parts in zip(*(axes.get_legend_handles_labels() for axes in panels), strict=True)
    )
    fig.legend(handles, labels, loc="outside lower center", ncols=len(labels))
