"""Least squares that interpolates: the problem on which every constant and trajectory is exact."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from numerics.checks import as_vector, check_count, check_finite, check_nonempty
from numerics.data.mnist import mnist_subset
from numerics.problems import trajectories
from numerics.problems.constants import Constants, compact_svd, least_squares_constants

__all__ = ["LeastSquares"]


class LeastSquares:
    r"""$f(x) = \frac1n \sum_i f_i(x)$ with $f_i(x) = \frac12(\langle a_i, x\rangle - b_i)^2$.

    The system $\langle a_i, x\rangle = b_i$ must be consistent, so one $x_*$ minimises every
    $f_i$ (interpolation) and $f_* = 0$.  The residual is $r_i = \langle a_i, x\rangle - b_i$.

    Args:
        features: the rows $a_i$, shape (n, d); integer and lower-precision data become float64.
        targets: $b$, shape (n,).
        name: for tables.
        device: where the problem lives; by default where `features` are.

    Raises:
        ValueError: if the data are empty, not finite or of the wrong shape, if the features are
            all zero, or if the system is inconsistent.
    """

    minimum = 0.0

    def __init__(
        self,
        features: Tensor,
        targets: Tensor,
        *,
        name: str = "least squares",
        device: str | torch.device | None = None,
    ) -> None:
        features = torch.as_tensor(features, device=device).detach()
        if features.ndim != 2:
            raise ValueError(f"features have shape {tuple(features.shape)}: give (samples, inputs)")
        check_finite("features", check_nonempty("features", features))
        self.features = features.to(torch.float64, copy=True)
        self.n, self.d = self.features.shape
        self.targets = as_vector("targets", targets, self.n, self.features).detach()
        self.name = name
        if not bool(self.features.any()):
            raise ValueError("features are all zero: the loss ignores the parameters")
        self._check_consistent()

    @classmethod
    def gaussian(
        cls, n: int, d: int, seed: int = 0, *, device: str | torch.device = "cpu"
    ) -> LeastSquares:
        r"""Independent $a_i \sim N(0, I_d / d)$ and $b = A x_{\mathrm{true}}$, a standard normal.

        Consistent for every n and d; $E\|a_i\|^2 = 1$.
        """
        check_count("n", n)
        check_count("d", d)
        generator = torch.Generator().manual_seed(check_count("seed", seed, least=0))
        features = torch.randn(n, d, generator=generator, dtype=torch.float64) / d**0.5
        truth = torch.randn(d, generator=generator, dtype=torch.float64)
        return cls(features, features @ truth, name=f"gaussian-n{n}-d{d}-seed{seed}", device=device)

    @classmethod
    def mnist(
        cls,
        n: int,
        *,
        seed: int = 0,
        split: str = "train",
        pool: int = 1,
        normalise: str = "unit-norm",
        device: str | torch.device = "cpu",
    ) -> LeastSquares:
        r"""Rows of MNIST with target $+1$ for an even digit and $-1$ for an odd one.

        Real labels: nothing makes the system consistent but linear independence of the rows, which
        is checked.  `unit-norm` makes every $f_i$ 1-smooth; see `numerics.data.mnist.mnist_subset`.
        """
        subset = mnist_subset(n, seed=seed, split=split, pool=pool, normalise=normalise)
        parity = 1 - 2 * (subset.labels % 2)
        return cls(subset.inputs, parity, name=f"{subset.name}-parity", device=device)

    def __repr__(self) -> str:
        return f"LeastSquares({self.name!r}, n={self.n}, d={self.d})"

    def residuals(self, x: Tensor) -> Tensor:
        r"""$r = A x - b$: shape (..., d) to shape (..., n)."""
        return x @ self.features.mT - self.targets

    def losses(self, x: Tensor) -> Tensor:
        r"""All $f_i(x)$: shape (..., d) to shape (..., n)."""
        return self.residuals(x) ** 2 / 2

    def loss(self, x: Tensor) -> Tensor:
        r"""$f(x)$: shape (..., d) to shape (...)."""
        return self.losses(x).mean(dim=-1)

    def gradients(self, x: Tensor) -> Tensor:
        r"""All $\nabla f_i(x) = r_i a_i$: shape (d,) to shape (n, d)."""
        return self.residuals(x).unsqueeze(-1) * self.features

    def gradient(self, x: Tensor) -> Tensor:
        r"""$\nabla f(x) = \frac1n A^\top r$: shape (..., d) to shape (..., d)."""
        return self.residuals(x) @ self.features / self.n

    @cached_property
    def factors(self) -> tuple[Tensor, Tensor, Tensor]:
        r"""$A = U \operatorname{diag}(\sigma) V^\top$, rank m: $U$ (n, m), $\sigma$, $V$ (d, m)."""
        return compact_svd(self.features)

    def minimiser(self, x0: Tensor | None = None) -> Tensor:
        r"""The minimiser nearest to $x_0$ (default 0): $x_0 - A^+ (A x_0 - b)$, shape (d,)."""
        start = self.start(x0)
        left, sigma, right = self.factors
        return start - right @ (left.mT @ self.residuals(start) / sigma)

    def start(self, x0: Tensor | None = None) -> Tensor:
        """`x0` checked, or the origin: shape (d,)."""
        x0 = torch.zeros(self.d) if x0 is None else x0
        return as_vector("start", x0, self.d, self.features).detach()

    def constants(self) -> Constants:
        r"""Exact $\beta$, $L$, $\mu$ (PL-half) and the interpolation gap."""
        return self._constants

    @cached_property
    def _constants(self) -> Constants:
        gap = float(self.loss(self.minimiser()))
        return least_squares_constants(self.features, self.factors[1], gap)

    expected_losses = trajectories.expected_losses
    expected_distances = trajectories.expected_distances
    sampled_losses = trajectories.sampled_losses

    def _check_consistent(self) -> None:
        x = self.minimiser()
        gap = float(torch.linalg.vector_norm(self.residuals(x)))
        # A backward-stable solution has a residual of a few max(n, d) * eps * (|A| |x| + |b|).
        scale = float(
            self.factors[1].max() * torch.linalg.vector_norm(x)
            + torch.linalg.vector_norm(self.targets)
        )
        if gap > 10 * max(self.n, self.d) * torch.finfo(torch.float64).eps * scale:
            raise ValueError(
                f"{self.name}: {self.n} equations of rank {len(self.factors[1])} are inconsistent "
                f"(least residual norm {gap:.3g}): interpolation needs fewer samples or more inputs"
            )
