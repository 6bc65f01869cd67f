r"""The stability map of a minimum: every bound and the exact boundary over a grid of settings."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from numerics.checks import check_positive
from numerics.hessians import Moments, SampleHessians, moments
from numerics.progress import progress
from numerics.shown import BOUND, LOOKS, axes, between, table
from numerics.stability.bounds import (
    Directional,
    directional_threshold,
    one_step_threshold,
    theorem_threshold,
)
from numerics.stability.laws import joint_range, step_law
from numerics.stability.threshold import StabilityThreshold, threshold_of
from theory.trusted.algorithms import SAM

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["THEOREMS", "Boundaries", "MapPoint", "StabilityMap", "boundaries", "stability_map"]

#: Name of a boundary -> the theorems it comes from, one for each range of rho / eta.
THEOREMS = {
    "sharpness": ("sam-stability-sharpness",),
    "s2": ("sam-stability-s2",),
    "s3": ("sam-stability-s3",),
    "s4": ("sam-stability-s4",),
    "s2-sharp": ("sam-stability-s2-sharp",),
    "s3-sharp": ("sam-stability-s3-closed-form", "sam-stability-s3-sharp-large"),
    "s4-sharp": (
        "sam-stability-s4-sharp",
        "sam-stability-s4-sharp-middle",
        "sam-stability-s4-sharp-large",
    ),
}
#: Those that say something at radius 0.
AT_ZERO = ("sharpness", "s2", "s2-sharp")


@dataclass(frozen=True)
class Boundaries:
    r"""Where each criterion ends at one radius, as step sizes.

    Attributes:
        radius: $\rho$.
        one_step: sufficient up to here.
        exact: the threshold, with its bounds.
        directional: necessary: unstable beyond.
        theorems: name in `THEOREMS` -> the step size from which that bound is violated; NaN if
            nowhere.  `sharpness` is necessary for stability, the others for the one-step condition.
    """

    radius: float
    one_step: float
    exact: StabilityThreshold
    directional: Directional
    theorems: Mapping[str, float]


@dataclass(frozen=True)
class MapPoint:
    r"""The criteria at one setting.

    Attributes:
        step_size: $\eta$.
        radius: $\rho$.
        exact: `stable`, `unstable`, or `inconclusive` between the certified bounds.
        one_step: whether the sufficient condition holds.
        directional: whether no direction that was found proves instability.
        theorems: name in `THEOREMS` -> whether the measured moments respect the bound.
    """

    step_size: float
    radius: float
    exact: str
    one_step: bool
    directional: bool
    theorems: Mapping[str, bool]


@dataclass(frozen=True)
class StabilityMap:
    r"""All criteria over a grid.

    Attributes:
        step_sizes: the grid in $\eta$.
        boundaries: one for each radius.
        moments: sharpness and $s_k$ of a batch at the minimum.
        dimension: R, of the joint range.
        batch_size: samples in a batch.
    """

    step_sizes: tuple[float, ...]
    boundaries: tuple[Boundaries, ...]
    moments: Moments
    dimension: int
    batch_size: int

    def __repr__(self) -> str:
        return f"StabilityMap({self._setting()})"

    def _repr_html_(self) -> str:
        rows = [("radius", "one step", "exact", "certified", "directional")]
        for at in self.boundaries:
            exact = f"{at.exact.value:.6g}", between(at.exact.lower, at.exact.upper)
            ends = f"{at.one_step:.6g}", *exact, f"{at.directional.value:.6g}"
            rows.append((f"{at.radius:g}", *ends))
        return table(f"Stability map, step sizes: {self._setting()}", rows)

    def _setting(self) -> str:
        grid = f"{len(self.boundaries)} radii x {len(self.step_sizes)} step sizes"
        return f"{grid}, R={self.dimension}, batches of {self.batch_size}"

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw every boundary, as a step size, against the radius.

        Args:
            ax: where to draw; matplotlib's current axes by default.
        """
        ax = axes(ax)
        radii = [at.radius for at in self.boundaries]
        exact = [at.exact.value for at in self.boundaries]
        ax.plot(radii, exact, label="exact", **LOOKS[SAM.name].line)
        ax.plot(radii, [at.one_step for at in self.boundaries], label="sufficient", color="#56B4E9")
        necessary = [at.directional.value for at in self.boundaries]
        ax.plot(radii, necessary, label="necessary", color="#E69F00")
        for k, name in enumerate(THEOREMS):
            ends = [at.theorems.get(name, math.nan) for at in self.boundaries]
            dashes = (0, (1 + 2 * k, 2))
            ax.plot(radii, ends, label=name, lw=0.8, **{**BOUND.line, "linestyle": dashes})
        ax.legend(fontsize="x-small")
        ax.set_xlabel(r"radius $\rho$")
        ax.set_ylabel(r"step size $\eta$")
        return ax

    def points(self) -> Iterator[MapPoint]:
        """Radius by radius, every step size."""
        for at in self.boundaries:
            for step_size in self.step_sizes:
                yield MapPoint(
                    step_size,
                    at.radius,
                    at.exact.classify(step_size),
                    step_size <= at.one_step,
                    step_size <= at.directional.value,
                    {name: not step_size >= end for name, end in at.theorems.items()},
                )


def stability_map(
    hessians: SampleHessians,
    step_sizes: Sequence[float],
    radii: Sequence[float],
    *,
    batch_size: int = 1,
) -> StabilityMap:
    r"""Compare all criteria for unnormalised SAM (same batch in both gradients) at one minimum.

    Args:
        hessians: positive semidefinite $H_i$ at an interpolating minimum.
        step_sizes: $\eta > 0$.
        radii: $\rho \ge 0$; 0 is SGD.
        batch_size: samples in a batch, drawn without replacement.

    Raises:
        ValueError: if a number is out of range, or as `stability_threshold`.
    """
    for step_size in step_sizes:
        check_positive("step_size", step_size)
    inside, _ = joint_range(hessians)
    measured = moments(inside, batch_size=batch_size, method="dense")
    found = tuple(
        boundaries(inside, radius, measured) for radius in progress(list(radii), "stability map")
    )
    return StabilityMap(
        tuple(map(float, step_sizes)), found, measured, inside.size, measured.batch_size
    )


def boundaries(hessians: SampleHessians, radius: float, measured: Moments) -> Boundaries:
    r"""All boundaries at one radius.

    Args:
        hessians: of every sample.
        radius: $\rho$.
        measured: their moments; the batch size is theirs.

    Raises:
        ValueError: as `stability_threshold`.
    """
    law = step_law(hessians, radius, SAM, batch_size=measured.batch_size)
    exact = threshold_of(law)
    ends = {
        name: theorem_threshold(theorems, measured, radius)
        for name, theorems in THEOREMS.items()
        if radius > 0 or name in AT_ZERO
    }
    return Boundaries(
        law.radius,
        one_step_threshold(law),
        exact,
        directional_threshold(law, exact.eigenmatrix),
        ends,
    )
