r"""The exact step size up to which a minimum is mean-square stable, in closed eigenvalue form.

$E\|x_t\|^2$ stays bounded on the linearised dynamics $x^+ = (I - \eta K_b) x$ iff the spectral
radius of $T_\eta = I - 2\eta C + \eta^2 D$ is at most 1 (and semisimple), $C X = (\bar K X + X \bar
K)/2$, $D X = E[K_b X K_b^\top]$, $\bar K = E K_b$.  $T_\eta$ preserves the cone, and
$T_\eta - I$ is a Lyapunov operator plus a positive one, so that the radius is below 1 iff
$\tfrac{\eta}{2}\,r(C^{-1} D) < 1$:
$$ \eta_* = \frac{2}{r(C^{-1} D)}. $$
Where $K_b$ is symmetric, $T_\eta$ is its own adjoint and $\eta = \eta_*$ itself is stable.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from torch import Tensor

from numerics.checks import check_nonnegative, check_positive
from numerics.hessians import SampleHessians
from numerics.shown import between, table
from numerics.stability.laws import StepLaw, step_law
from numerics.stability.perron import spectral_radius
from theory.trusted.algorithms import SAM, SamSpec

__all__ = ["StabilityThreshold", "stability_threshold", "threshold_of"]


@dataclass(frozen=True)
class StabilityThreshold:
    r"""The largest mean-square stable step size $\eta_*$ at one minimum.

    Attributes:
        value: $\eta_*$.
        lower: certified to be stable, up to round-off, for which an allowance is made.
        upper: certified not to be below $\eta_*$, in the same sense; infinite if nothing is.
        residual: of the eigenmatrix, relative to the eigenvalue $2/\eta_*$.
        dimension: R, of the joint range of the $H_b$; beyond it nothing moves.
        radius: $\rho$.
        batch_size: samples in a batch, drawn without replacement.
        algorithm: its name.
        eigenmatrix: X with $D X = (2/\eta_*)\,C X$, the second moment that neither grows nor decays
            at $\eta_*$: shape (R, R), trace 1, positive semidefinite up to the residual.
        directions: columns that turn it into $V X V^\top$ over all d parameters, shape (d, R).
        products: applications of D.
    """

    value: float
    lower: float
    upper: float
    residual: float
    dimension: int
    radius: float
    batch_size: int
    algorithm: str
    eigenmatrix: Tensor = field(repr=False)
    directions: Tensor = field(repr=False)
    products: int

    def __repr__(self) -> str:
        bracket = between(self.lower, self.upper)
        return f"StabilityThreshold(value={self.value:.6g} in {bracket}; {self._setting()})"

    def _repr_html_(self) -> str:
        rows = [("η*", f"{self.value:.6g}"), ("certified", between(self.lower, self.upper))]
        return table(f"Stability threshold: {self._setting()}", rows)

    def _setting(self) -> str:
        return (
            f"{self.algorithm}, radius {self.radius:g}, batches of {self.batch_size}, "
            f"R={self.dimension}"
        )

    def classify(self, step_size: float) -> str:
        """`stable`, `unstable`, or `inconclusive` between the certified bounds.

        Raises:
            ValueError: if the step size is not positive.
        """
        check_positive("step_size", step_size)
        if step_size <= self.lower:
            return "stable"
        return "unstable" if step_size > self.upper else "inconclusive"


def stability_threshold(
    hessians: SampleHessians,
    radius: float = 0.0,
    spec: SamSpec = SAM,
    *,
    batch_size: int = 1,
    ascent_per_sample: bool = False,
    tolerance: float = 1e-11,
) -> StabilityThreshold:
    r"""The exact mean-square threshold of SGD (radius 0) or unnormalised SAM at a minimum.

    In units of the Hessians, so that the bracket of $c H_i$ at $\rho/c$ is that of $H_i$ over c.
    Matrix-free on symmetric matrices of the joint range: a product with D takes
    $4 n r R^2$ multiplications for $H_i$ of rank r, and a few tens of products suffice.

    Args:
        hessians: positive semidefinite $H_i$ at an interpolating minimum.
        radius: $\rho \ge 0$.
        spec: an unnormalised algorithm; `fresh_batch` takes an independent ascent batch.
        batch_size: samples in a batch, drawn without replacement.
        ascent_per_sample: whether each sample ascends on its own (m-sharpness, m = 1).
        tolerance: relative residual of the eigenmatrix.

    Raises:
        ValueError: as `step_law`, or if the Krylov iteration does not converge.

    Source: Mulayoff and Michaeli 2024 for SGD; SAM by the surrogate Hessians $H_b + \rho H_b^2$.

    Example:
        >>> import torch
        >>> rows = SampleHessians.from_rank_one(torch.eye(3, dtype=torch.float64))
        >>> round(stability_threshold(rows).value, 9)  # every sample by itself: 2 / 1
        2.0
    """
    check_nonnegative("radius", radius)
    unit = hessians.magnitude()
    law = step_law(
        hessians.scaled(1 / unit),
        radius * unit,
        spec,
        batch_size=batch_size,
        ascent_per_sample=ascent_per_sample,
    )
    found = threshold_of(law, tolerance=tolerance)
    value, lower, upper = (size / unit for size in (found.value, found.lower, found.upper))
    return replace(found, value=value, lower=lower, upper=upper, radius=float(radius))


def threshold_of(law: StepLaw, *, tolerance: float = 1e-11) -> StabilityThreshold:
    """The threshold where the law is at hand.

    Raises:
        ValueError: if the Krylov iteration does not converge.
    """
    found = spectral_radius(law, tolerance=tolerance)
    return StabilityThreshold(
        value=2 / found.value,
        lower=2 / found.upper,
        upper=2 / found.lower if found.lower > 0 else math.inf,
        residual=found.residual / found.value,
        dimension=law.dimension,
        radius=law.radius,
        batch_size=law.batch_size,
        algorithm=law.name,
        eigenmatrix=found.matrix,
        directions=law.directions,
        products=found.products,
    )
