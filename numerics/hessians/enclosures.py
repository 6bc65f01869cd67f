r"""Sharpness and moments of stored matrices as intervals that provably contain them.

The float64 entries of the $H_i$ are integers times a power of two, so that $E H_B^k - H^k$ is an
integer matrix M, times a rational, without any rounding.  A Rayleigh quotient with an integer
vector is an exact lower bound of $\lambda_{\max}(M)$; t is an upper bound if $tI - M$ has positive
pivots, which Arb's ball arithmetic certifies.  Floats only propose the vector and t.

Rigorous is this linear algebra on the stored numbers.  How well they are the second derivatives of
a model (the round-off of `per_sample`, about $10^{-15}$ relative) is not part of the enclosure.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from numerics.hessians.batches import HIGHEST, batch_weights
from numerics.hessians.samples import SampleHessians
from numerics.shown import draw_intervals, table

if TYPE_CHECKING:
    from flint import fmpz_mat
    from matplotlib.axes import Axes

__all__ = ["EnclosedMoments", "Enclosure", "enclosed_moments"]

SIZE_LIMIT = 64
"""Largest number of parameters: integers of hundreds of digits take their time."""

_BITS = 512
"""Precision of the pivots."""


@dataclass(frozen=True)
class Enclosure:
    """An interval that provably contains a number.

    Attributes:
        low: lower end, rounded down.
        high: upper end, rounded up.
    """

    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


@dataclass(frozen=True)
class EnclosedMoments:
    r"""Intervals for a and $s_k$ as defined in `Moments`, and for the signed gaps.

    Attributes:
        sharpness: a.
        s2: $s_2$.
        s3: $s_3$.
        s4: $s_4$.
        gaps: $\lambda_{\max}(E H_B^k - H^k)$ for k = 2, 3, 4.
        samples: n.
        batch_size: B.
        replacement: whether the samples of a batch are drawn independently.
        size: d.
    """

    sharpness: Enclosure
    s2: Enclosure
    s3: Enclosure
    s4: Enclosure
    gaps: tuple[Enclosure, Enclosure, Enclosure]
    samples: int
    batch_size: int
    replacement: bool
    size: int

    def __repr__(self) -> str:
        numbers = ", ".join(f"{name} in {interval}" for name, interval in self._rows())
        return f"EnclosedMoments({numbers}; {self._setting()})"

    def _repr_html_(self) -> str:
        return table(f"Enclosed moments: {self._setting()}", self._rows())

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the four intervals; their ends are mostly too close to be seen apart.

        Args:
            ax: where to draw; matplotlib's current axes by default.
        """
        ends = (self.sharpness, self.s2, self.s3, self.s4)
        return draw_intervals([(end.low, end.high) for end in ends], ax)

    def _rows(self) -> list[tuple[str, str]]:
        ends = {"a": self.sharpness, "s2": self.s2, "s3": self.s3, "s4": self.s4}
        return [(name, f"[{end.low!r}, {end.high!r}]") for name, end in ends.items()]

    def _setting(self) -> str:
        batch = f"batches of {self.batch_size}" + " with replacement" * self.replacement
        return f"n={self.samples}, d={self.size}, {batch}"


def enclosed_moments(
    hessians: SampleHessians | Tensor, *, batch_size: int = 1, replacement: bool = False
) -> EnclosedMoments:
    r"""Enclose a, $s_2$, $s_3$ and $s_4$ of float64 matrices; needs python-flint.

    Args:
        hessians: the $H_i$, shape (n, d, d), symmetric, or an object whose `to_dense()` they are.
        batch_size: B; above 1 with $n^2$ exact matrix products.
        replacement: whether the samples of a batch are drawn independently.

    Raises:
        ValueError: if d is above 64, a number is out of range or python-flint is not installed.
    """
    if isinstance(hessians, Tensor):
        hessians = SampleHessians.from_dense(hessians)
    if hessians.size > SIZE_LIMIT:
        raise ValueError(
            f"there are {hessians.size} parameters and enclosures take at most {SIZE_LIMIT}: "
            "use moments(...) and its error bounds"
        )
    dense = hessians.to_dense().double()
    numbers, exponent = _integers((0.5 * (dense + dense.mT)).cpu().numpy())
    words = _WordSums(numbers)
    found = []
    for power in range(1, HIGHEST + 1):
        weights = batch_weights(power, hessians.samples, batch_size, replacement=replacement)
        if power > 1:
            distinct = "abcd"[:power]
            weights[distinct] = weights.get(distinct, Fraction(0)) - 1
        matrix, scale = words.combine(weights)
        low, high = _largest_eigenvalue(matrix)
        scale *= Fraction(2) ** (exponent * power)
        found.append((low * scale, high * scale))
    sharpness, second, third, fourth = found
    return EnclosedMoments(
        _outward(*sharpness),
        _outward(*second, 2),
        _outward(*third, 3),
        _outward(*fourth, 4),
        gaps=(_outward(*second), _outward(*third), _outward(*fourth)),
        samples=hessians.samples,
        batch_size=batch_size,
        replacement=replacement,
        size=hessians.size,
    )


def _integers(matrices: np.ndarray) -> tuple[list[fmpz_mat], int]:
    r"""Integer matrices N and an exponent e with $H_i = 2^e N_i$, exactly."""
    try:
        from flint import fmpz_mat
    except ImportError as failure:
        raise ValueError("python-flint is not installed: pip install python-flint") from failure
    fractions, exponents = np.frexp(matrices)
    mantissas = (fractions * 2.0**53).astype(np.int64)
    used = exponents[mantissas != 0] - 53
    lowest = int(used.min()) if used.size else 0
    shifts = np.where(mantissas == 0, 0, exponents - 53 - lowest)
    return [
        fmpz_mat(
            [
                [int(m) << int(s) for m, s in zip(row, places, strict=True)]
                for row, places in zip(matrix, shift, strict=True)
            ]
        )
        for matrix, shift in zip(mantissas, shifts, strict=True)
    ], lowest


class _WordSums:
    r"""$\sum N_{w_1} \cdots N_{w_k}$ over free indices, one for each letter of the word w."""

    def __init__(self, matrices: list[fmpz_mat]) -> None:
        self._powers = [matrices]
        self._sums: dict[int, fmpz_mat] = {}

    def combine(self, weights: Mapping[str, Fraction]) -> tuple[fmpz_mat, Fraction]:
        """An integer matrix and the number it is multiplied by: the weighted word averages."""
        samples = len(self._powers[0])
        shares = {w: c / samples ** len(set(w)) for w, c in weights.items()}
        common = math.lcm(*(share.denominator for share in shares.values()))
        total = self._powers[0][0] * 0
        for word, share in shares.items():
            if share:
                total += self._sum(word, {}) * int(share * common)
        return total, Fraction(1, common)

    def _sum(self, word: str, chosen: Mapping[str, int]) -> fmpz_mat:
        """Sum over the letters that are not chosen: one by one those that return."""
        runs = [(letter, len(list(run))) for letter, run in itertools.groupby(word)]
        met = [letter for letter, _ in runs if letter not in chosen]
        returning = next((letter for letter in met if met.count(letter) > 1), None)
        if returning is not None:
            choices = range(len(self._powers[0]))
            terms = (self._sum(word, {**chosen, returning: index}) for index in choices)
            return sum(terms, self._powers[0][0] * 0)
        factors = [
            self._power(length)[chosen[letter]] if letter in chosen else self._power_sum(length)
            for letter, length in runs
        ]
        product = factors[0]
        for factor in factors[1:]:
            product = product * factor
        return product

    def _power(self, power: int) -> list[fmpz_mat]:
        while len(self._powers) < power:
            pairs = zip(self._powers[-1], self._powers[0], strict=True)
            self._powers.append([high * one for high, one in pairs])
        return self._powers[power - 1]

    def _power_sum(self, power: int) -> fmpz_mat:
        if power not in self._sums:
            self._sums[power] = sum(self._power(power), self._powers[0][0] * 0)
        return self._sums[power]


def _largest_eigenvalue(matrix: fmpz_mat) -> tuple[Fraction, Fraction]:
    r"""Rational bounds of $\lambda_{\max}$ of the symmetric part of an integer matrix."""
    twice = matrix + matrix.transpose()
    rows = [[int(entry) for entry in row] for row in twice.tolist()]
    size = max(abs(entry) for row in rows for entry in row)
    if size == 0:
        return Fraction(0), Fraction(0)
    scaled = np.array([[entry / size for entry in row] for row in rows])
    vector = [round(x * 2.0**60) for x in np.linalg.eigh(scaled)[1][:, -1]]
    image = [sum(a * x for a, x in zip(row, vector, strict=True)) for row in rows]
    form = sum(x * y for x, y in zip(vector, image, strict=True))
    low = Fraction(form, sum(x * x for x in vector))
    margin = Fraction(size, 2**100)
    while not _is_above(low + margin, rows):
        margin *= 2**8
    return low / 2, (low + margin) / 2


def _is_above(bound: Fraction, rows: list[list[int]]) -> bool:
    """Whether bound I - M is certified positive definite: all pivots of L D L' are positive."""
    from flint import arb, ctx, fmpq

    with ctx.workprec(_BITS):
        shift = arb(fmpq(bound.numerator, bound.denominator))
        left = [[-arb(entry) for entry in row] for row in rows]
        for index in range(len(left)):
            left[index][index] += shift
        for index, pivots in enumerate(left):
            pivot = pivots[index]
            if not pivot > 0:
                return False
            for row in left[index + 1 :]:
                factor = row[index] / pivot
                for column in range(index + 1, len(left)):
                    row[column] -= factor * pivots[column]
    return True


def _outward(low: Fraction, high: Fraction, order: int = 1) -> Enclosure:
    """Floats around the k-th roots of the positive parts; around the numbers themselves for 1."""
    if order > 1:
        low, high = max(low, Fraction(0)), max(high, Fraction(0))
    down, up = _near_root(low, order), _near_root(high, order)
    while down == math.inf or Fraction(down) ** order > low:
        down = math.nextafter(down, -math.inf)
    while up != math.inf and (up == -math.inf or Fraction(up) ** order < high):
        up = math.nextafter(up, math.inf)
    return Enclosure(down, up)


def _near_root(number: Fraction, order: int) -> float:
    """A float next to the k-th root, also where the number is none: in units of a power of two."""
    size = number.numerator.bit_length() - number.denominator.bit_length()
    exponent = size // order
    scaled = float(abs(number) / Fraction(2) ** (order * exponent))
    try:
        root = math.ldexp(scaled ** (1 / order), exponent)
    except OverflowError:
        root = math.inf
    return -root if number < 0 else root
