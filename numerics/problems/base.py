"""What every finite-sum problem offers, and the curve of losses that running on one returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import torch
from torch import Tensor

from numerics.problems.constants import Constants
from numerics.shown import LOOKS, axes, measured

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["FiniteSum", "LossCurve"]


@runtime_checkable
class FiniteSum(Protocol):
    r"""A problem $f(x) = \frac1n \sum_{i=1}^n f_i(x)$ on $\mathbb R^d$.

    Attributes:
        name: identifies the problem in tables.
        n: number of samples.
        d: number of parameters.
        minimum: $f_*$.
    """

    name: str
    n: int
    d: int
    minimum: float

    def losses(self, x: Tensor) -> Tensor:
        r"""All $f_i(x)$: shape (..., d) to shape (..., n)."""

    def loss(self, x: Tensor) -> Tensor:
        r"""$f(x)$: shape (..., d) to shape (...)."""

    def gradients(self, x: Tensor) -> Tensor:
        r"""All $\nabla f_i(x)$: shape (d,) to shape (n, d)."""

    def gradient(self, x: Tensor) -> Tensor:
        r"""$\nabla f(x)$: shape (..., d) to shape (..., d)."""

    def constants(self) -> Constants:
        r"""$\beta$, $L$, $\mu$ and the interpolation gap."""


@dataclass(frozen=True)
class LossCurve:
    r"""Expected loss $E f(x_t)$ for $t = 0, \dots, T$, exact or estimated.

    Attributes:
        mean: shape (T + 1,); infinite from the step at which the numbers overflow.
        standard_error: shape (T + 1,), of `mean`; zero for an exact curve (round-off apart) and
            NaN for a single run.
        samples: shape (runs, T + 1), the independent runs behind an estimate; None if exact.
        problem: name of the problem.
        algorithm: name of the algorithm.
        step_size: $\eta$.
        radius: $\rho$.
        batch_size: samples per step; n for the full gradient.
        seed: of the runs; None if exact.
        how: how the numbers were obtained.
    """

    mean: Tensor
    standard_error: Tensor
    samples: Tensor | None
    problem: str
    algorithm: str
    step_size: float
    radius: float
    batch_size: int
    seed: int | None
    how: str

    def __repr__(self) -> str:
        last = float(self.mean[-1]), float(self.standard_error[-1])
        end = f"{last[0]:.6g}" if self.exact else measured(*last)
        return (
            f"LossCurve({self.algorithm} on {self.problem}, {self.steps} steps, "
            f"{float(self.mean[0]):.6g} to {end}, {'exact' if self.exact else 'sampled'})"
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the expected loss against the step, with a band of one standard error.

        Args:
            ax: where to draw; matplotlib's current axes by default.
        """
        ax = axes(ax)
        mean, error = self.mean.cpu().numpy(), self.standard_error.cpu().numpy()
        look = LOOKS[self.algorithm].line if self.algorithm in LOOKS else {}
        (line,) = ax.plot(mean, label=self.algorithm, **look)
        if not self.exact:
            steps = range(len(mean))
            ax.fill_between(steps, mean - error, mean + error, alpha=0.3, color=line.get_color())
        ax.set_yscale("log")
        ax.set_xlabel("step")
        ax.set_ylabel("loss")
        return ax

    @property
    def exact(self) -> bool:
        """Whether the curve is exact up to round-off, not an estimate."""
        return self.samples is None

    @property
    def steps(self) -> int:
        """The number of steps $T$."""
        return len(self.mean) - 1

    @staticmethod
    def statistics(samples: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard error over the runs, shapes (T + 1,), from (runs, T + 1)."""
        runs = len(samples)
        if runs == 1:
            return samples[0].clone(), torch.full_like(samples[0], torch.nan)
        mean = samples.mean(dim=0)
        error = samples.std(dim=0) / runs**0.5
        return mean, torch.where(torch.isfinite(mean), error, torch.inf)
