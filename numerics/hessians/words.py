r"""Averages of words in per-sample Hessians, applied to vectors: no matrix is formed.

A word such as `abca` stands for $E[H_a H_b H_c H_a]$ with independent uniform a, b, c, and is
applied right to left.  Words that return to no letter are chains of $E[H_b^k]$.  The others need
what pairs of samples do to one another: $H_a H_b = U_a C_a (U_a^\top U_b) C_b U_b^\top$, through
`Basis.overlap`, $n^2$ small products of rank r, some samples at a time.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Mapping

import torch
from torch import Tensor

from numerics.hessians.assembly import slices
from numerics.hessians.batches import batch_weights
from numerics.hessians.samples import SampleHessians

__all__ = ["BatchHessians", "apply_words", "word_terms"]

_AT_ONCE = 2**18
"""Numbers in one temporary of the pairs."""


class BatchHessians:
    r"""The Hessians $H_B$ of all mini-batches of one size, by products with vectors.

    Attributes:
        samples: n.
        size: d.
        dtype: of the matrices.
        device: of the matrices.
        batch_size: B.
        replacement: whether a batch is B independent draws, or B different samples.
    """

    def __init__(
        self, hessians: SampleHessians, batch_size: int, *, replacement: bool = False
    ) -> None:
        self._hessians = hessians
        self.samples, self.size = hessians.samples, hessians.size
        self.dtype, self.device = hessians.dtype, hessians.device
        self.batch_size, self.replacement = batch_size, replacement
        self._weights(1)  # refuses a batch size out of range

    def mean_matvec(self, vector: Tensor, power: int = 1) -> Tensor:
        r"""$E[H_B^k]\,v$, exactly, without drawing a batch.

        Args:
            vector: shape (d,).
            power: k, 1 ... 4.

        Raises:
            ValueError: if the power is out of range.
        """
        return apply_words(self._hessians, self._weights(power), vector)

    def terms_norm(self, vector: Tensor, power: int) -> float:
        """Sum of the norms of the terms that `mean_matvec` adds up: their round-off is its own."""
        terms = word_terms(self._hessians, self._weights(power), vector)
        return sum(float(term.norm()) for term in terms)

    def _weights(self, power: int) -> dict[str, float]:
        exact = batch_weights(power, self.samples, self.batch_size, replacement=self.replacement)
        return {word: float(weight) for word, weight in exact.items()}


def apply_words(hessians: SampleHessians, weights: Mapping[str, float], vector: Tensor) -> Tensor:
    r"""$\sum_w c_w\, E[H_{w_1} \cdots H_{w_k}]\, v$.

    Args:
        hessians: the per-sample Hessians.
        weights: $c_w$ by word, the letters in order of appearance, all of one length up to 4.
        vector: v, shape (d,).
    """
    return torch.stack(word_terms(hessians, weights, vector)).sum(0)


def word_terms(
    hessians: SampleHessians, weights: Mapping[str, float], vector: Tensor
) -> list[Tensor]:
    """The vectors that `apply_words` adds up: one for each chain, and those of the pairs."""
    chains = {word: _runs(word) for word in weights}
    known: dict[tuple[int, ...], Tensor] = {(): vector}

    def chain(runs: tuple[int, ...]) -> Tensor:
        if runs not in known:
            known[runs] = hessians.mean_matvec(chain(runs[1:]), runs[0])
        return known[runs]

    terms = [weights[word] * chain(runs) for word, runs in chains.items() if runs is not None]
    returning = {word: weights[word] for word, runs in chains.items() if runs is None}
    return terms + _pair_terms(hessians, returning, vector) if returning else terms


def _runs(word: str) -> tuple[int, ...] | None:
    """Lengths of the runs of equal letters; None if a letter comes back after another one."""
    groups = [(letter, len(list(run))) for letter, run in itertools.groupby(word)]
    distinct = len({letter for letter, _ in groups}) == len(groups)
    return tuple(length for _, length in groups) if distinct else None


def _pair_terms(
    hessians: SampleHessians, weights: Mapping[str, float], vector: Tensor
) -> list[Tensor]:
    r"""Words that return to a letter: `aba`, or those of length 4.

    Let p be the letter that acts first and q another one.  `first`, `twice` and `pulled` hold the
    coefficients of $H_p v$, $H_q H_p v$ and the numbers $U_p^\top H_q H_p v$, for all pairs; what
    else is needed is one more step from there.  In `abca` that step is the mean Hessian, applied
    to $E_q[H_q H_p v]$, which is formed for some p at a time.
    """
    h, basis, n = hessians, hessians.basis, hessians.samples
    w = defaultdict(float, weights)
    short = "aba" in weights
    columns = vector.unsqueeze(1)
    first = h.power_coefficients(columns, 1)
    late = w["abaa"] * h.power_coefficients(columns, 2)
    late += w["abac"] * h.power_coefficients(h.mean_matvec(columns), 1)
    inner, outer, crossed = (torch.zeros_like(first) for _ in range(3))
    for part in slices(n, _AT_ONCE // (n * basis.rank)):
        some = h.select(part)
        forth, back = basis.overlap(some.basis), some.basis.overlap(basis)
        twice = h.apply_cores(forth(first[part].expand(-1, -1, n)))
        pulled = back(twice)
        inner[part] = pulled.sum(2, keepdim=True)
        if short:
            continue
        crossed += forth(some.apply_cores(pulled)).sum(2, keepdim=True)
        between = forth(late[part].expand(-1, -1, n))
        between = between + w["abba"] * basis.apply_gram(twice)
        if w["abca"]:
            between = between + w["abca"] / n * basis.project(basis.expand(twice))
        outer[part] = back(h.apply_cores(between)).sum(2, keepdim=True)
    sandwich = h.apply_cores(inner) / n**2
    if short:
        return [w["aba"] * basis.expand(sandwich).squeeze(1)]
    folded = h.apply_cores(outer / n**2 + w["aaba"] * basis.apply_gram(sandwich))
    crossing = h.apply_cores(w["abab"] / n**2 * crossed)
    terms = [basis.expand(folded), basis.expand(crossing)]
    if w["abcb"]:
        terms.append(w["abcb"] * h.mean_matvec(basis.expand(sandwich)))
    return [term.squeeze(1) for term in terms]
