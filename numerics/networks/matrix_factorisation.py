r"""Matrix factorisation, one column per sample, at any inner dimension."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from numerics.hessians import SQUARE_LOSS
from numerics.hessians.losses import Loss
from numerics.training.ensembles import generator

__all__ = ["MatrixFactorisation"]


@dataclass(frozen=True)
class MatrixFactorisation:
    r"""$f(U, V) = \frac{1}{n} \sum_{j=1}^n \tfrac12 \|U V e_j - A e_j\|^2$, $A$ of rank r.

    $U$ is m x k and $V$ is k x n: a linear network without biases on the unit vectors $e_j$.  The
    minimum is 0 as soon as $k \ge r$, the rank of $A$; more columns overparameterise.

    Attributes:
        width: $k$.
        rows: $m$.
        columns: $n$, the number of samples.
        rank: $r$ of $A = G H / \sqrt{r}$ with standard normal $G$ (m x r) and $H$ (r x n), divided
            by its largest singular value.
        data_seed: of $A$.
    """

    width: int = 10
    rows: int = 20
    columns: int = 20
    rank: int = 5
    data_seed: int = 0

    @property
    def loss(self) -> Loss:
        """Half the squared distance of a column."""
        return SQUARE_LOSS

    @property
    def size(self) -> int:
        """Number of parameters, $k (m + n)$."""
        return self.width * (self.rows + self.columns)

    @property
    def inputs(self) -> Tensor:
        """The unit vectors, shape (n, n)."""
        return torch.eye(self.columns, dtype=torch.float64)

    @functools.cached_property
    def targets(self) -> Tensor:
        """The columns of A, shape (n, m)."""
        stream = generator(self.data_seed, "factors")
        left, right = (
            torch.randn(shape, generator=stream, dtype=torch.float64)
            for shape in ((self.rows, self.rank), (self.rank, self.columns))
        )
        product = left @ right
        return (product / torch.linalg.matrix_norm(product, 2)).mT.contiguous()

    def build(self, seed: int) -> nn.Sequential:
        r"""$V$ then $U$, entries $N(0, 1/n)$ and $N(0, 1/m)$: their singular values grow with k."""
        stream = generator(seed, "factorisation")
        model = nn.Sequential(
            nn.utils.skip_init(nn.Linear, self.columns, self.width, bias=False),
            nn.utils.skip_init(nn.Linear, self.width, self.rows, bias=False),
        ).double()
        with torch.no_grad():
            for weight, scale in zip(model.parameters(), (self.columns, self.rows), strict=True):
                weight.normal_(std=scale**-0.5, generator=stream)
        return model
