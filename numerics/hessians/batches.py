r"""Moments of mini-batch Hessians, exactly, without drawing a batch.

For $H_B = \frac1B \sum_{i \in B} H_i$, B drawn without replacement from n, group the index words of
$H_B^k$ by the set partition $\pi$ of the k positions that says which indices coincide:
$$ E H_B^k = B^{-k} \sum_\pi \frac{(B)_{|\pi|}}{(n)_{|\pi|}} D_\pi, \qquad
   D_\pi = \sum_{\sigma \ge \pi} \mu(\pi, \sigma)\, S_\sigma, $$
with falling factorials $(m)_j$, $D_\pi$ the sum over distinct and $S_\sigma$ over free indices, one
per block, and the Möbius function of the partition lattice,
$\mu(\pi, \sigma) = \prod_{\text{blocks of } \sigma} (-1)^{c-1} (c-1)!$ for blocks that unite c
blocks of $\pi$.  Free sums are averages: $S_\sigma = n^{|\sigma|}$ times a word in $E$.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

import torch
from torch import Tensor

from numerics.checks import check_count
from numerics.hessians.guards import check_memory
from numerics.hessians.samples import SampleHessians

__all__ = [
    "HIGHEST",
    "batch_mean_powers",
    "batch_weights",
    "distinct_weights",
    "independent_weights",
    "power_sizes",
    "weight_size",
    "word_weights",
]

HIGHEST = 4
"""Largest power k."""


def batch_mean_powers(
    hessians: SampleHessians,
    batch_size: int,
    highest: int = HIGHEST,
    *,
    replacement: bool = False,
) -> Iterator[Tensor]:
    r"""$E[H_B^k]$ for $k = 1, \dots,$ `highest`: dense, shape (d, d), symmetric, in turn.

    Args:
        hessians: the per-sample Hessians.
        batch_size: B; at most n without replacement.
        highest: at most 4 where B > 1.
        replacement: whether the batch is B independent draws, or B different samples.

    Raises:
        ValueError: if the batch size is out of range or the matrices would not fit.
    """
    n = hessians.samples
    check_count("batch_size", batch_size, most=None if replacement else n)
    if batch_size == 1:
        if highest:
            yield from hessians.mean_powers(highest)
        return
    check_count("highest", highest, least=0, most=HIGHEST)
    size = hessians.size
    check_memory(
        f"word averages of {n} Hessians of {size} x {size}",
        (2 * n * hessians.basis.rank * size + 8 * size**2) * hessians.cores.element_size(),
        hessians.memory_limit,
        "use batch_size=1 or fewer samples",
    )
    averages = _word_averages(hessians)
    for power in range(1, highest + 1):
        total = torch.zeros_like(averages["a"])
        weights = batch_weights(power, n, batch_size, replacement=replacement)
        for word, weight in weights.items():
            total += float(weight) * averages[word]
        yield _mirrored(total)


def power_sizes(
    hessians: SampleHessians, batch_size: int, *, replacement: bool = False
) -> dict[int, float]:
    r"""What the round-off of $E[H_B^k]$ is relative to, for k = 1 ... 4.

    The means may cancel, the terms do not: $\|E H_b^2\|_F^{k/2}$ or $\|E H_b^4\|_F^{k/4}$ over
    single samples, times the sum of the sizes of the weights of the words.

    Raises:
        ValueError: as `batch_mean_powers`.
    """
    second, fourth = (float(hessians.mean_power(k).norm()) for k in (2, 4))
    sizes = {1: second**0.5, 2: second, 3: fourth**0.75, 4: fourth}
    return {
        k: size * weight_size(k, hessians.samples, batch_size, replacement=replacement)
        for k, size in sizes.items()
    }


def weight_size(power: int, samples: int, batch_size: int, *, replacement: bool = False) -> float:
    """The sum of the absolute weights of the words in a batch's power: 1 where none cancel."""
    if batch_size == 1:
        return 1.0
    weights = batch_weights(power, samples, batch_size, replacement=replacement)
    return float(sum(map(abs, weights.values())))


def batch_weights(
    power: int, samples: int, batch_size: int, *, replacement: bool = False
) -> dict[str, Fraction]:
    r"""Weights of the word averages in $E H_B^k$, exactly; they add up to 1, none is 0.

    Words name the blocks of a partition in order of appearance: `aba` is $E[H_a H_b H_a]$ with
    independent uniform a and b.

    Args:
        power: k, 1 ... 4.
        samples: n.
        batch_size: B; at most n without replacement.
        replacement: whether the batch is B independent draws, or B different samples.

    Raises:
        ValueError: if a number is out of range.
    """
    check_count("power", power, most=HIGHEST)
    check_count("batch_size", batch_size, most=None if replacement else samples)
    if replacement:
        weights = _independent(power, batch_size)
    else:
        weights = distinct_weights(power, samples, batch_size)
    return {word: weight for word, weight in weights.items() if weight}


def distinct_weights(power: int, samples: int, batch_size: int) -> dict[str, Fraction]:
    r"""$B^{-k} \sum_\pi \frac{(B)_{|\pi|}}{(n)_{|\pi|}} D_\pi$ in word averages.

    It is $E H_B^k$ where $B \le n$.  The sums over distinct indices of n random samples, divided
    by their number, are unbiased for those of all N samples: the formula then is an unbiased
    estimate of $E H_B^k$ in a set of any size $N \ge B$, and of $H^k$ at B = N.

    Raises:
        ValueError: if there are fewer samples than different letters needed.
    """
    words = list(_words(power))
    if samples < min(power, batch_size):
        raise ValueError(
            f"there are {samples} samples: {min(power, batch_size)} or more have to differ"
        )
    weights = {}
    for coarse in words:
        total = Fraction(0)
        for fine in words:
            merged: dict[str, set[str]] = {}
            for big, small in zip(coarse, fine, strict=True):
                merged.setdefault(big, set()).add(small)
            blocks = len(set(fine))
            if blocks > batch_size or sum(map(len, merged.values())) != blocks:
                continue  # no such batch, or a block of `fine` meets two blocks of `coarse`
            counts = [len(block) - 1 for block in merged.values()]
            moebius = math.prod((-1) ** c * math.factorial(c) for c in counts)
            total += Fraction(moebius * math.perm(batch_size, blocks), math.perm(samples, blocks))
        weights[coarse] = total * samples ** len(set(coarse)) / batch_size**power
    return weights


def word_weights(power: int, samples: int, batch_size: int) -> dict[str, float]:
    """`distinct_weights` of all words, rounded."""
    exact = distinct_weights(power, samples, batch_size)
    return {word: float(weight) for word, weight in exact.items()}


def independent_weights(power: int, batch_size: int) -> dict[str, float]:
    """Weights of all words where the batch is drawn with replacement, rounded."""
    return {word: float(weight) for word, weight in _independent(power, batch_size).items()}


def _independent(power: int, batch_size: int) -> dict[str, Fraction]:
    r"""Weights of the word averages where the batch is drawn with replacement.

    The B places of a batch hold independent samples, so that $k$ positions pick places whose
    coincidences are those of the word with probability $(B)_j / B^k$, j its letters.
    """
    return {
        word: Fraction(math.perm(batch_size, len(set(word))), batch_size**power)
        for word in _words(power)
    }


def _words(length: int) -> Iterator[str]:
    """Set partitions of 1 ... length as words, letters in order of appearance."""
    if length == 0:
        yield ""
        return
    for word in _words(length - 1):
        for letter in range(len(set(word)) + 1):
            yield word + chr(ord("a") + letter)


def _word_averages(hessians: SampleHessians) -> dict[str, Tensor]:
    """All 23 words of up to four letters; a word and its mirror share one symmetric half-sum."""
    first, second, third, fourth = hessians.mean_powers(HIGHEST)
    core, square_core = hessians.power_cores(2)
    square = first @ first
    sandwich = hessians.mean_congruence(first, core)
    inner = hessians.basis.project_each(hessians.basis.project(first).mT)
    skew = square_core @ inner @ core
    words = {
        "a": first,
        "aa": second,
        "ab": square,
        "aaa": third,
        "aab": _mirrored(second @ first),
        "aba": sandwich,
        "abc": square @ first,
        "aaaa": fourth,
        "aaab": _mirrored(third @ first),
        "aaba": hessians.basis.assemble(_mirrored(skew)) / hessians.samples,
        "aabb": second @ second,
        "abab": _crossing(hessians),
        "abba": hessians.mean_congruence(second, core),
        "aabc": _mirrored(second @ square),
        "abac": _mirrored(sandwich @ first),
        "abbc": first @ second @ first,
        "abca": hessians.mean_congruence(square, core),
        "abcd": square @ square,
    }
    mirrors = {"abb": "aab", "abbb": "aaab", "abaa": "aaba", "abcc": "aabc", "abcb": "abac"}
    return words | {word: words[mirror] for word, mirror in mirrors.items()}


def _mirrored(matrices: Tensor) -> Tensor:
    """Symmetric parts, shape (..., m, m)."""
    return 0.5 * (matrices + matrices.mT)


def _crossing(hessians: SampleHessians) -> Tensor:
    r"""$E[H_a H_b H_a H_b]$ for independent a and b: the one word that needs pairs of samples."""
    basis, cores, n = hessians.basis, hessians.cores, hessians.samples
    identity = torch.eye(basis.rank, dtype=cores.dtype, device=cores.device)
    columns = basis.expand_each(identity.expand(n, -1, -1))
    halves = cores.new_empty(n, basis.rank, basis.size)
    for a in range(n):
        overlap = basis.project(columns[a])  # U_b' U_a for every b
        once = cores @ overlap @ cores[a]
        halves[a] = basis.expand(once @ (overlap.mT @ once)).T
    total = basis.expand(halves) / n**2
    return _mirrored(total)
