"""The one definition of the algorithms: proofs, bounds and torch optimisers all read `SamSpec`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["GD", "NORMALIZED_SAM", "SAM", "SGD", "SamSpec"]


@dataclass(frozen=True)
class SamSpec:
    r"""Which sharpness-aware minimisation is meant.

    One step from $x$ on a batch $b$ is
    $$ x^+ = x - \eta\,\nabla f_b(x + s\,\nabla f_{b'}(x)), \qquad
       s = \rho \text{ (unnormalised)} \quad\text{or}\quad
       s = \rho / (\|\nabla f_{b'}(x)\| + \varepsilon) \text{ (normalised)}, $$
    with `step_size` $\eta$ and `radius` $\rho$, both dimensionless here.  Where the gradient is
    zero the normalised perturbation is zero by definition.

    Attributes:
        name: short name, used in tables.
        stochastic: whether $b$ is a random sample (or batch); otherwise the full gradient is used.
        perturbed: whether there is an ascent step at all; if not, $s = 0$ and the radius is unused.
        normalized: the algorithm of practice (True) or of the theory (False).
        fresh_batch: whether the ascent batch $b'$ is independent of $b$; otherwise $b' = b$.
        epsilon: the safeguard added to the gradient norm when normalised.  Where the norm is no
            larger the perturbation is shorter than the radius, and vanishes with the gradient;
            `dataclasses.replace(spec, epsilon=0.0)` is the algorithm without it.

    Source: Foret et al. 2021 (normalised); Andriushchenko and Flammarion 2022 (unnormalised).
    """

    name: str
    stochastic: bool = True
    perturbed: bool = True
    normalized: bool = False
    fresh_batch: bool = False
    epsilon: float = 0.0

    def ascent_scale(self, radius: Any, gradient_norm: Any = None) -> Any:
        r"""The factor $s$ in front of the ascent gradient, for a non-zero gradient.

        Works for floats, arrays, tensors and symbolic scalars alike: only `+` and `/` are used.

        Raises:
            ValueError: if the algorithm is normalised and no gradient norm is given.
        """
        if not self.perturbed:
            return 0 * radius
        if not self.normalized:
            return radius
        if gradient_norm is None:
            raise ValueError(f"{self.name} is normalised: its ascent step needs the gradient norm")
        return radius / (gradient_norm + self.epsilon)

    def step(
        self,
        point: Any,
        step_size: Any,
        radius: Any,
        gradient: Callable[[Any], Any],
        *,
        ascent_gradient: Callable[[Any], Any] | None = None,
        norm: Callable[[Any], Any] | None = None,
    ) -> Any:
        r"""One step, in any vector type that knows `+`, `-` and multiplication by a scalar.

        Args:
            point: the iterate $x$.
            step_size: $\eta$.
            radius: $\rho$; ignored when `perturbed` is False.
            gradient: $x \mapsto \nabla f_b(x)$.
            ascent_gradient: $x \mapsto \nabla f_{b'}(x)$; needed exactly when `fresh_batch`.
            norm: the Euclidean norm; needed exactly when `normalized`.

        Raises:
            ValueError: if an argument that this algorithm needs is missing.
        """
        if not self.perturbed:
            return point - step_size * gradient(point)
        if self.fresh_batch and ascent_gradient is None:
            raise ValueError(f"{self.name} ascends on a fresh batch: give its gradient")
        ascent = ascent_gradient if self.fresh_batch and ascent_gradient else gradient
        direction = ascent(point)
        scale = self.ascent_scale(radius, norm(direction) if norm is not None else None)
        return point - step_size * gradient(point + scale * direction)


GD = SamSpec("GD", stochastic=False, perturbed=False)
SGD = SamSpec("SGD", perturbed=False)
SAM = SamSpec("SAM")
NORMALIZED_SAM = SamSpec("normalised SAM", normalized=True, epsilon=1e-12)
