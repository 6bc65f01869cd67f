"""Explicit pairs of functions that no step of SAM decreases."""

import dataclasses
import math
from fractions import Fraction

import numpy as np
import pytest

from numerics.worst_case import (
    ProblemClass,
    find_split,
    smallest_split,
    three_piece_split,
    threshold_radius,
)
from theory import SAM


def refutes(pair):
    return pair is not None and pair.refutes


@pytest.mark.parametrize(("k", "ratio"), [(4, 1.45), (5, 1.33), (10, 1.14), (100, 1.02)])
def test_closed_form_refutes_just_above_the_radius_of_the_theorem(k, ratio):
    root = 1 / math.sqrt(1 + k**2)
    pair = three_piece_split(Fraction(k), Fraction(ratio * root).limit_denominator(1000))
    assert pair.flaw() == "" and pair.mu == Fraction(1, 1 + k**2) and pair.beta == 1
    assert pair.pull() <= 0 and pair.refutes
    # Below sqrt(mu / beta) / beta the theorem proves a decrease.
    below = three_piece_split(Fraction(k), Fraction(root).limit_denominator(1000) * 99 / 100)
    assert below.flaw() == "" and below.pull() > 0 and not below.refutes


def numerically(profile):
    """The function and its derivative by summing curvatures on a fine grid."""
    grid = np.linspace(0, 3, 300_001)
    curvature = np.zeros_like(grid)
    for knot, value in zip(profile.knots, profile.curvatures, strict=True):
        curvature[grid >= float(knot)] = float(value)
    width = grid[1]
    slope = np.concatenate([[0], np.cumsum(curvature[:-1]) * width])
    value = np.concatenate([[0], np.cumsum((slope[:-1] + slope[1:]) / 2) * width])
    return grid, value, slope


@pytest.mark.parametrize(
    "pair",
    [
        three_piece_split(Fraction(5), Fraction(27, 100)),
        find_split(0.04, 1.0, 0.27, cells=60),
    ],
)
def test_no_step_of_the_optimiser_decreases_the_loss(pair):
    """SAM's own step on the integrated functions, at many step sizes."""
    assert pair.refutes
    profiles = [numerically(profile) for profile in pair.components]
    for _, value, _ in profiles:
        assert value.min() > -1e-5  # knots between grid points: 1e-5 times slopes below 1
    mu, radius = float(pair.mu), float(pair.radius)
    for step_size in np.linspace(0, 2, 41):
        losses = [
            mu / 2 * SAM.step(1.0, step_size, radius, lambda v, g=g, s=s: np.interp(v, g, s)) ** 2
            for g, _, s in profiles
        ]
        assert np.mean(losses) >= mu / 2 * (1 - 1e-4)


def test_slopes_are_those_of_the_definition():
    pair = three_piece_split(Fraction(5), Fraction(1, 4))
    for profile in pair.components:
        grid, _, slope = numerically(profile)
        for v in (Fraction(1, 3), Fraction(9, 10), Fraction(1), Fraction(5, 4), Fraction(2)):
            # Each knot may lie anywhere in a cell of width 1e-5.
            assert float(profile.slope(v)) == pytest.approx(
                np.interp(float(v), grid, slope), abs=1e-4
            )


def test_search_stays_above_what_is_proved():
    for mu in (0.1, 0.25):
        pair = smallest_split(mu, 1.0, largest=4 * math.sqrt(mu), tolerance=0.05, cells=40)
        assert refutes(pair)
        bound = threshold_radius(ProblemClass(mu, components=2), largest=4 * math.sqrt(mu))
        # At smaller radii every pair of functions has a negative slope.
        assert float(pair.radius) >= bound.decreases


def test_nothing_is_found_where_a_decrease_is_proved():
    for radius in (0.05, 0.1, 0.19):
        assert not refutes(find_split(0.04, 1.0, radius, cells=60))
    assert smallest_split(0.04, 1.0, largest=0.05, cells=60) is None


def tampered(pair, **changes):
    first = dataclasses.replace(pair.components[0], **changes)
    return dataclasses.replace(pair, components=(first, pair.components[1]))


def test_tampered_pairs_are_rejected():
    pair = three_piece_split(Fraction(5), Fraction(27, 100))
    first, second = pair.components
    bent = (first.curvatures[0], Fraction(2), *first.curvatures[2:])
    assert tampered(pair, curvatures=bent).flaw() == "the mean is not the quadratic"
    assert tampered(pair, knots=(*first.knots[:-1], Fraction(9))).flaw() == "the knots differ"
    rough = dataclasses.replace(pair, beta=Fraction(99, 100))
    assert rough.flaw() == "a component is not smooth enough"
    reverse = tuple(dataclasses.replace(c, knots=c.knots[::-1]) for c in pair.components)
    assert "increase" in dataclasses.replace(pair, components=reverse).flaw()
    early = tuple(
        dataclasses.replace(c, knots=(c.knots[0], c.knots[1] * Fraction(9, 10), *c.knots[2:]))
        for c in (first, second)
    )
    assert dataclasses.replace(pair, components=early).flaw() == "a component is negative somewhere"
    for wrong in (rough, dataclasses.replace(pair, components=early)):
        assert wrong.pull() is not None and not wrong.refutes


def test_bad_input():
    with pytest.raises(ValueError, match="give 0 < mu < beta"):
        find_split(1.0, 0.5, 0.1)
    with pytest.raises(ValueError, match="give k > 1"):
        three_piece_split(Fraction(1), Fraction(1, 2))
