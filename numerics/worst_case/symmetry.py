r"""Exchangeable components: Gram matrices that do not change when the components are renamed.

The worst case over $(f_1,\dots,f_n)$ has a convex set of Gram matrices that every permutation of
the components maps to itself, and a performance measure that no permutation changes.  Averaging
over the permutations therefore loses nothing, and what is left is one number for each *orbit* of
pairs of vectors: a few dozen numbers, whatever $n$ is.  A Gram matrix with that symmetry is
positive semidefinite exactly if one small block is so for each irreducible representation that
occurs: trivial, standard $(n-1,1)$, $(n-2,2)$ and $(n-2,1,1)$ for vectors with up to two indices.

Source: de Klerk, Pasechnik, Schrijver 2007 and Gatermann, Parrilo 2004 for the reduction; the
    irreducible representations of the symmetric group are those of Sagan, The Symmetric Group.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Mapping
from typing import TypeAlias

__all__ = ["Atom", "Combination", "Components", "combine"]

#: A kind and the components it belongs to.  An index from 1 on names a component; an index up to 0
#: is averaged over all components, the same index standing for the same component.
Atom: TypeAlias = tuple[str, tuple[int, ...]]
#: A linear combination of vectors, of function values, or (after `Components`) of orbits.
Combination: TypeAlias = Mapping[Atom, float]

PRODUCT = "."  # joins the kinds of two vectors in the name of their inner product


def combine(*terms: tuple[float, Combination]) -> Combination:
    """The sum of multiples of combinations.

    Example:
        >>> combine((1.0, {("x", ()): 2.0}), (-2.0, {("x", ()): 1.0, ("g", (1,)): 1.0}))
        {('g', (1,)): -2.0}
    """
    total: dict[Atom, float] = {}
    for weight, combination in terms:
        for atom, coefficient in combination.items():
            total[atom] = total.get(atom, 0.0) + weight * coefficient
    return {atom: coefficient for atom, coefficient in total.items() if coefficient}


@functools.cache
def renamed(indices: tuple[int, ...]) -> tuple[int, ...]:
    """The indices renamed 1, 2, ... by first appearance.

    Example:
        >>> renamed((3, 1, 3))
        (1, 2, 1)
    """
    names: dict[int, int] = {}
    return tuple(names.setdefault(index, len(names) + 1) for index in indices)


class Components:
    r"""The orbits of vectors, values and inner products under permutations of n components.

    Args:
        count: $n \ge 1$; `math.inf` for the limit of an infinite exchangeable family.
    """

    def __init__(self, count: float) -> None:
        if not (count == math.inf or (count >= 1 and count == int(count))):
            raise ValueError(f"{count} components: give a whole number from 1 on, or math.inf")
        self.count = count

    def value(self, combination: Combination) -> Combination:
        """A combination of function values, in orbits."""
        return combine(
            *(
                (coefficient * weight, {(kind, renamed(indices)): 1.0})
                for (kind, names), coefficient in combination.items()
                for weight, indices in self._averaged(names)
            )
        )

    def inner(self, left: Combination, right: Combination) -> Combination:
        """The inner product of two combinations of vectors, in orbits."""
        terms = []
        for (first, names), a in left.items():
            for (second, others), b in right.items():
                apart = tuple(i if i > 0 else i - len(names) - 1 for i in others)
                for weight, indices in self._averaged(names + apart):
                    terms.append(
                        (a * b * weight, {_orbit(first, second, indices, len(names)): 1.0})
                    )
        return combine(*terms)

    def blocks(self, kinds: Mapping[str, int]) -> dict[str, list[list[Combination]]]:
        """The blocks whose semidefiniteness is that of the Gram matrix.

        Args:
            kinds: kind of vector -> how many indices it has: 0, 1 or 2.
        """
        bases = {
            "trivial": self._trivial(kinds),
            "standard": self._standard(kinds),
            "symmetric pairs": self._pairs(kinds, 1.0, 4),
            "antisymmetric pairs": self._pairs(kinds, -1.0, 3),
        }
        return {
            name: [[self.inner(u, v) for v in basis] for u in basis]
            for name, basis in bases.items()
            if basis
        }

    def _averaged(self, names: tuple[int, ...]) -> Iterator[tuple[float, tuple[int, ...]]]:
        """Weights and indices that spell out the averages over the bound names."""
        bound = next((name for name in names if name <= 0), None)
        if bound is None:
            yield 1.0, names
            return
        named = sorted({name for name in names if name > 0})
        fresh = named[-1] + 1 if named else 1
        choices = [(1 / self.count, name) for name in named]
        choices.append((1.0 - len(named) / self.count, fresh))
        for weight, choice in choices:
            if weight > 0:
                chosen = tuple(choice if name == bound else name for name in names)
                for rest, indices in self._averaged(chosen):
                    yield weight * rest, indices

    def _trivial(self, kinds: Mapping[str, int]) -> list[Combination]:
        """A basis of the invariant vectors: averages over the components."""
        own: list[Combination] = [{(kind, (0,) * places): 1.0} for kind, places in kinds.items()]
        if self.count < 2:
            return own
        return own + [{(kind, (0, -1)): 1.0} for kind, places in kinds.items() if places == 2]

    def _standard(self, kinds: Mapping[str, int]) -> list[Combination]:
        """What replaces e_1 - e_2 in each copy of the standard representation."""
        if self.count < 2:
            return []
        # For two components the three copies of a pair of indices are linearly dependent.
        pairs = ((1, 1), (1, 0), (0, 1)) if self.count >= 3 else ((1, 1), (1, 0))
        shapes: dict[int, tuple[tuple[int, ...], ...]] = {0: (), 1: ((1,),), 2: pairs}
        copies = [(kind, shape) for kind, places in kinds.items() for shape in shapes[places]]
        return [
            {(kind, shape): 1.0, (kind, tuple(2 * i for i in shape)): -1.0}
            for kind, shape in copies
        ]

    def _pairs(self, kinds: Mapping[str, int], sign: float, fewest: int) -> list[Combination]:
        """One vector for each copy of the representations that only pairs of components have."""
        if self.count < fewest:
            return []
        cycle = ((1, 2), (2, 3), (3, 1)) if sign < 0 else ((1, 3), (4, 1), (2, 4), (3, 2))
        weights = {pair: (-sign) ** place for place, pair in enumerate(cycle)}
        weights |= {(j, i): sign * weight for (i, j), weight in weights.items()}
        return [
            {(kind, pair): weight for pair, weight in weights.items()}
            for kind, places in kinds.items()
            if places == 2
        ]


@functools.cache
def _orbit(first: str, second: str, indices: tuple[int, ...], split: int) -> Atom:
    """The name of an inner product's orbit: the smaller of its two readings."""
    swapped = renamed(indices[split:] + indices[:split])
    one = (first + PRODUCT + second, renamed(indices))
    return min(one, (second + PRODUCT + first, swapped))
