"""The reduction by permutations, against the full matrices it stands for."""

import itertools
import math

import numpy as np
import pytest

from numerics.worst_case.symmetry import Components, combine, renamed

KINDS = {"x": 0, "g": 1, "a": 2, "p": 2}


def labels(count):
    return [
        (kind, indices)
        for kind, places in KINDS.items()
        for indices in itertools.product(range(1, count + 1), repeat=places)
    ]


def invariant(count, seed, shift=0.0):
    """A random symmetric matrix over all labels that no permutation changes."""
    rng = np.random.default_rng(seed)
    names = labels(count)
    place = {name: k for k, name in enumerate(names)}
    random = rng.normal(size=(len(names), len(names)))
    total = np.zeros_like(random)
    for order in itertools.permutations(range(1, count + 1)):
        moved = [place[kind, tuple(order[i - 1] for i in at)] for kind, at in names]
        total += random[np.ix_(moved, moved)]
    total = (total + total.T) / (2 * math.factorial(count))
    return names, total + shift * np.eye(len(names))


def spelled(count, combination):
    """A combination with its averages written out, as coefficients of the labels."""
    full = dict.fromkeys(labels(count), 0.0)
    for (kind, indices), coefficient in combination.items():
        bound = sorted({i for i in indices if i <= 0})
        for choice in itertools.product(range(1, count + 1), repeat=len(bound)):
            chosen = dict(zip(bound, choice, strict=True))
            name = kind, tuple(chosen.get(i, i) for i in indices)
            full[name] += coefficient / count ** len(bound)
    return np.array(list(full.values()))


def orbit_values(count, names, matrix):
    """The value of every orbit, by looking it up at a representative."""
    components = Components(count)
    values = {}
    for (k, u), (m, v) in itertools.product(enumerate(names), repeat=2):
        (orbit,) = components.inner({u: 1.0}, {v: 1.0})
        assert values.setdefault(orbit, matrix[k, m]) == pytest.approx(matrix[k, m], abs=1e-12)
    return values


def evaluated(row, values):
    return sum(coefficient * values[orbit] for orbit, coefficient in row.items())


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_inner_products_of_averages(count):
    names, matrix = invariant(count, count)
    values = orbit_values(count, names, matrix)
    components = Components(count)
    vectors = [
        {("x", ()): 1.0, ("g", (0,)): -2.0},
        {("a", (0, 0)): 1.0, ("a", (0, -1)): 0.5, ("g", (1,)): 3.0},
        {("p", (0, 1)): 1.0, ("a", (1, 0)): -1.0},
        {("p", (1, 0)): 1.0, ("g", (0,)): 1.0},
    ]
    if count > 1:
        vectors.append({("a", (1, 2)): 1.0, ("p", (2, 0)): 1.0, ("p", (0, -1)): 1.0})
    for u, v in itertools.product(vectors, repeat=2):
        expected = spelled(count, u) @ matrix @ spelled(count, v)
        # Sums of at most a few hundred numbers of size one.
        assert evaluated(components.inner(u, v), values) == pytest.approx(expected, abs=1e-11)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_blocks_have_the_sign_of_the_matrix(count):
    """Shifted by each of its eigenvalues, the matrix and some block become singular together."""
    names, matrix = invariant(count, 10 + count)
    components = Components(count)
    blocks = components.blocks(KINDS)
    lowest = np.linalg.eigvalsh(matrix)[0]
    for shift, sign in ((1e-6 - lowest, 1), (-1e-6 - lowest, -1)):
        values = orbit_values(count, names, matrix + shift * np.eye(len(names)))
        found = [
            np.linalg.eigvalsh([[evaluated(row, values) for row in line] for line in block])[0]
            for block in blocks.values()
        ]
        assert np.sign(min(found)) == sign


DIMENSIONS = {
    "trivial": lambda n: 1,
    "standard": lambda n: n - 1,
    "symmetric pairs": lambda n: n * (n - 3) // 2,
    "antisymmetric pairs": lambda n: (n - 1) * (n - 2) // 2,
}


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7])
def test_blocks_account_for_every_dimension(count):
    blocks = Components(count).blocks(KINDS)
    found = sum(len(block) * DIMENSIONS[name](count) for name, block in blocks.items())
    assert found == 1 + count + 2 * count**2


def test_size_does_not_depend_on_the_number():
    sizes = [
        {name: len(block) for name, block in Components(count).blocks(KINDS).items()}
        for count in (4, 5, 1000, math.inf)
    ]
    assert all(size == sizes[0] for size in sizes)
    assert sizes[0] == {
        "trivial": 6,
        "standard": 7,
        "symmetric pairs": 2,
        "antisymmetric pairs": 2,
    }


def test_infinitely_many_are_the_limit():
    u, v = {("a", (0, -1)): 1.0}, {("p", (1, 0)): 1.0, ("a", (1, 1)): 2.0}
    limit = Components(math.inf).inner(u, v)
    late = Components(10**9).inner(u, v)
    for orbit, coefficient in late.items():
        # Coincidences have weight of order 1 / n.
        assert coefficient == pytest.approx(limit.get(orbit, 0.0), abs=1e-8)


def test_values_average_over_components():
    assert Components(4).value({("f", (0, 1)): 1.0}) == {("f", (1, 1)): 0.25, ("f", (1, 2)): 0.75}
    assert Components(1).value({("f", (0, 1)): 1.0}) == {("f", (1, 1)): 1.0}


def test_small_helpers():
    assert renamed((5, 2, 5)) == (1, 2, 1)
    assert combine((1.0, {("x", ()): 1.0}), (-1.0, {("x", ()): 1.0})) == {}


@pytest.mark.parametrize("count", [0, -1, 2.5, math.nan])
def test_counts(count):
    with pytest.raises(ValueError, match="give a whole number from 1 on"):
        Components(count)
