r"""$X \mapsto E[G_B X G_B]$ for $G_B = c_1 H_B + c_2 H_B^2$ and batches drawn without replacement.

The products are words of two to four letters with X in the middle.  Their weights are those of
the same words without X (`numerics.hessians.batches`), and each word is an average over the
samples; only $H_a H_b X H_a H_b$ needs pairs of samples, $n^2$ products of cores.
"""

from __future__ import annotations

import torch
from torch import Tensor

from numerics.hessians import SampleHessians
from numerics.hessians.batches import word_weights
from numerics.hessians.guards import check_memory

__all__ = ["BatchSquares"]


class BatchSquares:
    """The map, with everything that does not depend on X computed once.

    Args:
        hessians: of size R, on their joint range.
        first: $c_1$.
        second: $c_2$.
        batch_size: B.

    Raises:
        ValueError: if the overlaps of all pairs of samples would not fit.
    """

    def __init__(
        self, hessians: SampleHessians, first: float, second: float, batch_size: int
    ) -> None:
        n, rank = hessians.samples, hessians.basis.rank
        check_memory(
            f"the overlaps of all pairs of {n} samples of rank {rank}",
            4 * (n * rank) ** 2 * hessians.cores.element_size(),
            hessians.memory_limit,
            "use ascent_per_sample=True, batch_size=1 or fewer samples",
        )
        self.basis, self.samples = hessians.basis, n
        self.core, self.square_core = hessians.power_cores(2)
        self.mean, self.mean_square = hessians.mean_powers(2)
        self.weights = (
            {w: first**2 * v for w, v in word_weights(2, n, batch_size).items()}
            | {w: first * second * v for w, v in word_weights(3, n, batch_size).items()}
            | {w: second**2 * v for w, v in word_weights(4, n, batch_size).items()}
        )
        identity = torch.eye(rank, dtype=hessians.dtype, device=hessians.device)
        self.columns = self.basis.expand_each(identity.expand(n, -1, -1))  # (n, R, r)
        joint = self.columns.transpose(0, 1).flatten(1)  # (R, n r)
        overlaps = self._blocks(joint.T @ joint)
        self.joint, self.pairs = joint, self.core[:, None] @ overlaps @ self.core  # C_a U_a'U_b C_b

    def __call__(self, matrix: Tensor) -> Tensor:
        """The map at a symmetric matrix of shape (R, R)."""
        w, mean, square = self.weights, self.mean, self.mean_square
        inner = self._inner(matrix)
        step = matrix @ mean  # X H
        own = self._average(self.core @ inner @ self.core)  # E[H_a X H_a]
        skew = self._average(self.core @ inner @ self.square_core)  # E[H_a X H_a²]
        both = self._average(self.square_core @ inner @ self.square_core)
        mixed = self._inner(step)
        through = self._average(self.core @ mixed @ self.core)  # E[H_a X H H_a]
        late = self._average(self.square_core @ mixed @ self.core)  # E[H_a² X H H_a]
        nested = self._inner(w["abba"] * own + w["abca"] * mean @ step)
        two = w["aa"] * own + w["ab"] * mean @ step
        three = w["aaa"] * skew + w["aab"] * own @ mean + w["aba"] * through
        three = three + mean @ matrix @ (w["abb"] * square + w["abc"] * mean @ mean)
        # every other word of four letters is one of these or its transpose
        four = w["aaab"] * skew.T @ mean + w["aaba"] * late + w["abac"] * through.T @ mean
        four = four + w["aabc"] * square @ step @ mean
        even = w["aaaa"] * both + w["aabb"] * square @ matrix @ square
        even = even + w["abbc"] * mean @ own @ mean + w["abcd"] * mean @ (mean @ step) @ mean
        even = even + self._average(self.core @ nested @ self.core)
        even = even + w["abab"] * self._crossing(matrix)
        half = three + four + 0.5 * (two + even)
        return half + half.T

    def _inner(self, matrix: Tensor) -> Tensor:
        r"""$U_i^\top Y U_i$, shape (n, r, r), for any square Y."""
        return self.basis.project_each(self.basis.project(matrix).mT).mT

    def _average(self, cores: Tensor) -> Tensor:
        r"""$E[U_i K_i U_i^\top]$ for cores that need not be symmetric."""
        return self.basis.expand(cores @ self.columns.mT) / self.samples

    def _crossing(self, matrix: Tensor) -> Tensor:
        r"""$E[H_a H_b X H_a H_b]$ for independent a and b."""
        inner = self._blocks(self.joint.T @ matrix @ self.joint).transpose(0, 1)  # U_b' X U_a
        cores = self.pairs @ inner @ self.pairs
        whole = cores.transpose(1, 2).reshape(self.joint.shape[1], -1)
        return self.joint @ whole @ self.joint.T / self.samples**2

    def _blocks(self, matrix: Tensor) -> Tensor:
        """An (n r, n r) matrix as blocks, shape (n, n, r, r)."""
        n, rank = self.samples, self.core.shape[1]
        return matrix.view(n, rank, n, rank).transpose(1, 2)
