r"""Traces and spectral densities from random probes, with the error of the sampling beside them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy.linalg
import torch
from torch import Tensor

from numerics.checks import check_count, check_positive
from numerics.hessians.operators import HessianOperator
from numerics.norms import power_of_two, scaled_norm
from numerics.shown import axes, measured

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["SampledValue", "SpectralDensity", "spectral_density", "trace"]


@dataclass(frozen=True)
class SampledValue:
    """A number found exactly, or estimated from random probes.

    Attributes:
        value: the number.
        standard_error: of the mean over the probes; 0 where exact.
        probes: random vectors used; 0 where exact.
        seed: of the probes.
        exact: whether it is a closed form and not an estimate.
    """

    value: float
    standard_error: float
    probes: int
    seed: int
    exact: bool

    def __repr__(self) -> str:
        if self.exact:
            return f"SampledValue({self.value:.6g}, exact)"
        number = measured(self.value, self.standard_error)
        return f"SampledValue({number} (standard error), {self.probes} probes)"


@dataclass(frozen=True)
class SpectralDensity:
    r"""A quadrature rule for the spectrum, one for each random probe.

    $\frac1d \operatorname{tr} f(H) \approx \frac1p \sum_p \sum_j w_{pj} f(\theta_{pj})$, exactly
    unbiased for polynomials of degree below twice the number of steps.

    Attributes:
        nodes: $\theta$, per probe an array of at most `steps` Ritz values.
        weights: w, likewise; they add up to 1 for each probe.
        size: d.
        seed: of the probes.
    """

    nodes: tuple[np.ndarray, ...]
    weights: tuple[np.ndarray, ...]
    size: int
    seed: int

    def __repr__(self) -> str:
        low, high = self._ends()
        return (
            f"SpectralDensity(d={self.size}, {len(self.nodes)} probes, nodes from {low:.6g} to "
            f"{high:.6g}, mean {self._mean()})"
        )

    def plot(
        self, ax: Axes | None = None, *, width: float | None = None, points: int = 400
    ) -> Axes:
        """Draw the smoothed density, with a band of one standard error.

        Args:
            ax: where to draw; matplotlib's current axes by default.
            width: of the Gaussian, as in `density`; by default a hundredth of the spectrum.
            points: of the grid.

        Raises:
            ValueError: if the width is not positive.
        """
        low, high = self._ends()
        if width is None:
            width = 0.01 * (high - low) or 0.01 * abs(high) or 1.0
        grid = np.linspace(low - 4 * width, high + 4 * width, check_count("points", points))
        middle, error = self.density(grid, width)
        ax = axes(ax)
        (line,) = ax.plot(grid, middle)
        ax.fill_between(grid, middle - error, middle + error, alpha=0.3, color=line.get_color())
        ax.set_xlabel("eigenvalue")
        ax.set_ylabel("density")
        return ax

    def _ends(self) -> tuple[float, float]:
        return float(min(map(np.min, self.nodes))), float(max(map(np.max, self.nodes)))

    def _mean(self) -> str:
        found = self.mean(np.positive)
        return measured(found.value, found.standard_error)

    def mean(self, function: np.ufunc) -> SampledValue:
        r"""$\frac1d\operatorname{tr} f(H)$ for an elementwise f, with its standard error."""
        values = [float(w @ function(t)) for t, w in zip(self.nodes, self.weights, strict=True)]
        return _sampled(values, self.seed)

    def density(self, grid: np.ndarray, width: float) -> tuple[np.ndarray, np.ndarray]:
        r"""The density convolved with a Gaussian, and its standard error, on a grid.

        Args:
            grid: eigenvalues, shape (m,).
            width: standard deviation of the Gaussian.

        Raises:
            ValueError: if the width is not positive.
        """
        check_positive("width", width)
        curves = [
            np.exp(-0.5 * ((grid[:, None] - theta) / width) ** 2) @ weight
            for theta, weight in zip(self.nodes, self.weights, strict=True)
        ]
        curves = np.array(curves) / (width * np.sqrt(2 * np.pi))
        return curves.mean(0), curves.std(0, ddof=1) / np.sqrt(len(curves))


def trace(operator: HessianOperator, *, probes: int = 64, seed: int = 0) -> SampledValue:
    r"""$\operatorname{tr} H$: exact for perceptrons, otherwise by random signs.

    Hutchinson's estimator averages $z^\top H z$ over vectors of independent signs; it is unbiased
    with variance $2\sum_{j \ne k} H_{jk}^2$.

    Args:
        operator: H.
        probes: vectors, at least 2 for a standard error.
        seed: of the signs.

    Raises:
        ValueError: if there are fewer than 2 probes, or a second derivative is NaN or infinite.

    Source: M. Hutchinson, Communications in Statistics 19 (1990).
    """
    check_count("probes", probes, least=2)
    if operator.exact_trace is not None:
        if not math.isfinite(operator.exact_trace):
            raise ValueError(
                f"the trace is {operator.exact_trace}: the loss has no finite second derivatives "
                "at these parameters"
            )
        return SampledValue(operator.exact_trace, 0.0, 0, seed, exact=True)
    signs = _signs(operator, probes, seed)
    return _sampled([float(sign @ operator(sign)) for sign in signs], seed)


def spectral_density(
    operator: HessianOperator, *, probes: int = 16, steps: int = 64, seed: int = 0
) -> SpectralDensity:
    r"""Stochastic Lanczos quadrature of the spectrum.

    Lanczos is fully reorthogonalised, so that no eigenvalue is counted twice.  It stops early
    where the Krylov space of a probe is exhausted; the rule of this probe is then exact.

    Args:
        operator: H.
        probes: vectors of random signs, at least 2 for a standard error.
        steps: of Lanczos for each probe.
        seed: of the signs.

    Raises:
        ValueError: if there are fewer than 2 probes or no step.

    Source: G. Golub and G. Meurant, Matrices, Moments and Quadrature (2010).
    """
    check_count("probes", probes, least=2)
    check_count("steps", steps)
    signs = _signs(operator, probes, seed)
    rules = [_gauss_rule(operator, sign, min(steps, operator.size)) for sign in signs]
    nodes, weights = zip(*rules, strict=True)
    return SpectralDensity(nodes, weights, operator.size, seed)


def _gauss_rule(
    operator: HessianOperator, start: Tensor, steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """Ritz values, and squared first components of their vectors; in units of the first product."""
    basis = start.new_zeros(steps, operator.size)
    basis[0] = start / start.norm()
    size = torch.tensor(scaled_norm(operator(basis[0])), dtype=torch.float64)
    whole = float(power_of_two(size))
    diagonal: list[float] = []
    off_diagonal: list[float] = []
    unit = torch.finfo(operator.dtype).eps
    exhausted = min(operator.size * unit, unit**0.5)
    for step in range(steps):
        vector = operator(basis[step]) / whole
        diagonal.append(float(basis[step] @ vector))
        known = basis[: step + 1]
        scale = float(vector.norm())
        for _ in range(2):  # twice is enough to be orthogonal to round-off
            vector = vector - known.T @ (known @ vector)
        beta = float(vector.norm())
        if step + 1 == steps or beta <= exhausted * max(scale, *map(abs, diagonal)):
            break
        off_diagonal.append(beta)
        basis[step + 1] = vector / beta
    values, vectors = scipy.linalg.eigh_tridiagonal(np.array(diagonal), np.array(off_diagonal))
    return values * whole, vectors[0] ** 2


def _signs(operator: HessianOperator, probes: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    bits = torch.randint(0, 2, (probes, operator.size), generator=generator)
    return (2 * bits - 1).to(operator.device, operator.dtype)


def _sampled(values: list[float], seed: int) -> SampledValue:
    error = float(np.std(values, ddof=1) / np.sqrt(len(values)))
    return SampledValue(float(np.mean(values)), error, len(values), seed, exact=False)
