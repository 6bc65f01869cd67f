"""One look for every figure: sizes for print, one colour for each algorithm.

Colours are those of Okabe and Ito, told apart under every common colour-vision deficiency; each
algorithm also has its own marker and line style, so that a grey copy stays readable.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from numerics.shown import BOUND, LOOKS, Look

__all__ = [
    "BOUND",
    "COLUMN",
    "PAGE",
    "Look",
    "algorithm",
    "applied",
    "beside",
    "figure",
    "line",
    "panel_title",
    "shades",
]

#: Widths in inches of one column and of the page in the usual two-column paper.
COLUMN, PAGE = 3.3, 6.9


_RC: dict[Any, Any] = {
    "font.family": "STIXGeneral",
    "mathtext.fontset": "stix",
    "font.size": 9.0,
    "axes.labelsize": 9.0,
    "axes.titlesize": 9.0,
    "legend.fontsize": 8.0,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "lines.linewidth": 1.2,
    "lines.markersize": 4.0,
    "errorbar.capsize": 0.0,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4,
    "xtick.major.size": 3.0,
    "ytick.major.size": 3.0,
    "xtick.minor.size": 1.6,
    "ytick.minor.size": 1.6,
    "legend.frameon": False,
    "legend.handlelength": 1.8,
    "legend.borderaxespad": 0.2,
    "figure.dpi": 100,
    "savefig.dpi": 300,
    # Embedded TrueType, as publishers ask; the bytes depend on the content only.
    "pdf.fonttype": 42,
    "svg.hashsalt": "paper_figures",
}


def algorithm(name: str) -> Look:
    """The look of an algorithm, by the name that its `SamSpec` carries.

    Raises:
        ValueError: if the algorithm has none.
    """
    if name not in LOOKS:
        raise ValueError(f"algorithm {name!r} has no colour: add one to numerics/shown.py")
    return LOOKS[name]


def line(color: str, **more: Any) -> dict[str, Any]:
    """Keyword arguments of a curve that has no `Look`: a colour, and whatever else is given."""
    return {"color": color, **more}


def beside(x: float, y: float, **more: Any) -> dict[str, Any]:
    """Keyword arguments of a text that stands x and y points beside what it annotates."""
    return {"xytext": (x, y), "textcoords": "offset points", **more}


def shades(count: int) -> list[Look]:
    """Looks of an ordered family of curves, from light to dark."""
    markers = "osD^v<>"
    colors = matplotlib.colormaps["viridis_r"](np.linspace(0.15, 0.95, count))
    return [
        Look(to_hex(color), markers[index % len(markers)], "-")
        for index, color in enumerate(colors)
    ]


@contextmanager
def applied() -> Iterator[None]:
    """Matplotlib's defaults plus this style; a user's own matplotlibrc does not enter."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_RC)
        yield


def figure(
    width: float = COLUMN, height: float = 2.3, columns: int = 1, **kwargs: Any
) -> tuple[Figure, np.ndarray]:
    """A figure with one row of panels, outside pyplot's global state.

    Args:
        width: inches, `COLUMN` or `PAGE`.
        height: inches.
        columns: how many panels.
        **kwargs: passed on to `Figure.subplots`.

    Returns:
        The figure and its axes, an array of shape (columns,).
    """
    fig = Figure(figsize=(width, height), layout="constrained")
    axes = fig.subplots(1, columns, squeeze=False, **kwargs)[0]
    return fig, axes


def panel_title(axes: Axes, index: int, text: str) -> None:
    """The title `(a) text` above the left edge of panel `index`."""
    axes.set_title(f"({chr(ord('a') + index)}) {text}", loc="left", pad=6)
