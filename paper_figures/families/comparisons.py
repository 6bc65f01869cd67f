"""What the generalisation figures share: SGD beside SAM over radii, sizes and seeds.

Figures of one family share their finished runs.  One run trains SGD and SAM at every radius from
one seed; radii and epochs are chosen on the validation set, and tables report test scores.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from numerics.statistics import mean_interval
from paper_figures import style
from paper_figures.families import drawing
from paper_figures.runs import Record
from paper_figures.tables import Row, in_one_field
from theory import NORMALIZED_SAM, SGD

__all__ = [
    "FIXED",
    "FIXED_RADIUS",
    "METHODS",
    "TUNED",
    "by_setting",
    "chosen_members",
    "column",
    "draw_gains",
    "gain_rows",
    "radii",
]

#: The radius that is used where none is tuned, as in the published runs.
FIXED_RADIUS = 0.05
FIXED, TUNED = "SAM, fixed radius", "SAM, tuned radius"
METHODS = {
    SGD.name: style.algorithm(SGD.name),
    FIXED: style.Look("#CC79A7", "v", "-"),
    TUNED: style.algorithm(NORMALIZED_SAM.name),
}


def by_setting(records: Sequence[Record]) -> list[tuple[Mapping[str, Any], list[Record]]]:
    """The records of each setting, over its seeds, in the order of the runs."""
    groups: list[tuple[Mapping[str, Any], list[Record]]] = []
    for record in records:
        if not groups or groups[-1][0] != record.run.parameters:
            groups.append((record.run.parameters, []))
        groups[-1][1].append(record)
    return groups


def column(records: Sequence[Record], member: int, name: str) -> np.ndarray:
    """One quantity of one member over the seeds; infinite where it was not finite."""
    found = [record.result["members"][member][name] for record in records]
    return np.array([math.inf if value is None else value for value in found])


def radii(records: Sequence[Record]) -> list[float]:
    """The radii of the members; SGD, the first, has none."""
    return [member["radius"] for member in records[0].result["members"]]


def chosen_members(records: Sequence[Record]) -> dict[str, int]:
    """Method -> index of its member; the tuned one has the lowest mean validation score."""
    at = radii(records)
    if FIXED_RADIUS not in at:
        raise ValueError(f"radius {FIXED_RADIUS} is not among {at[1:]}: add it to the preset")
    means = [column(records, k, "validation").mean() for k in range(1, len(at))]
    return {SGD.name: 0, FIXED: at.index(FIXED_RADIUS), TUNED: 1 + int(np.argmin(means))}


def gain_rows(
    records: Sequence[Record], unit: float, **setting: str | float | int | None
) -> list[Row]:
    """The rows of one setting: each method's test score, and the gain over SGD paired by seed.

    Args:
        records: one for each seed.
        unit: what scores are multiplied by, 100 for points.
        **setting: columns to put first.
    """
    rows: list[Row] = []
    for method, member in chosen_members(records).items():
        for epoch in ("best", "last"):
            scores, base = (unit * column(records, k, f"test_{epoch}") for k in (member, 0))
            score = mean_interval(scores)
            gains = None if member == 0 else base - scores
            gain = None if gains is None else mean_interval(gains)
            rows.append(
                {
                    **setting,
                    "parameters": records[0].result["size"],
                    "method": method,
                    "epoch": epoch,
                    "radius": radii(records)[member],
                    "score": score.mean,
                    "score_low": score.low,
                    "score_high": score.high,
                    "gain": gain.mean if gain else None,
                    "gain_low": gain.low if gain else None,
                    "gain_high": gain.high if gain else None,
                    "seeds": score.count,
                    "diverged": sum(r.result["members"][member]["diverged"] for r in records),
                    "training_score": unit
                    * float(column(records, member, "training_score").mean()),
                    "gain_of_seeds": None if gains is None else in_one_field(gains),
                }
            )
    return rows


def draw_gains(
    rows: Sequence[Row],
    score: str,
    gain: str,
    transform: Callable[[np.ndarray], np.ndarray] = lambda values: values,
) -> Figure:
    """Scores of the methods on the left, gains over SGD on the right, against the size.

    Args:
        rows: of `gain_rows`, several sizes; drawn are those of the best epoch.
        score: the label on the left.
        gain: the label on the right.
        transform: applied to the scores.
    """
    fig, (left, right) = style.figure(style.PAGE, 2.7, 2)
    sizes = [row["parameters"] for row in rows]
    for axes, label in ((left, score), (right, gain)):
        drawing.name_ticks(axes.xaxis, sizes, drawing.human)
        axes.set(xlabel="number of parameters", ylabel=label)
    for place, (method, look) in enumerate(METHODS.items(), start=-1):
        part = [row for row in rows if (row["method"], row["epoch"]) == (method, "best")]
        drawing.draw_curve(left, part, "parameters", "score", look, method, transform, dodge=place)
        if part[0]["gain"] is not None:
            drawing.draw_curve(right, part, "parameters", "gain", look, method, dodge=place)
    right.axhline(0, color=METHODS[SGD.name].color, lw=0.8)
    fig.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=len(METHODS))
    style.panel_title(left, 0, f"test set, {rows[0]['seeds']} seeds")
    style.panel_title(right, 1, "improvement by SAM, paired by seed")
    return fig
