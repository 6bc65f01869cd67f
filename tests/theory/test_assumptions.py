"""Each class of functions holds of the quadratics that belong to it, and of no others."""

from fractions import Fraction

import pytest

from theory.proving.assumptions import (
    ZERO,
    convex,
    minimiser,
    smooth_convex,
    smooth_strongly_convex,
    strongly_convex,
)
from theory.proving.models import Model, rational
from theory.trusted.notation import L, f, mu
from theory.trusted.terms import Named

CLASSES = {
    "convex": (convex("c", f), 0, None),
    "strongly convex": (strongly_convex("c", f, mu), 1, None),
    "smooth convex": (smooth_convex("c", f, L), 0, 3),
    "smooth strongly convex": (smooth_strongly_convex("c", f, mu, L), 1, 3),
}
HAIR = Fraction(1, 100)


def quadratic(*curvatures, x_star=(0, 0)):
    """A diagonal quadratic, where mu = 1 and L = 3."""
    first, second = curvatures
    matrix = [[[first, 0], [0, second]]]
    return Model(
        {"mu": Fraction(1), "L": Fraction(3)}, {"x_star": rational(x_star)}, rational(matrix)
    )


@pytest.mark.parametrize(("assumption", "lowest", "highest"), CLASSES.values(), ids=CLASSES)
def test_a_class_is_told_by_its_curvatures(assumption, lowest, highest):
    top = 100 if highest is None else highest
    assert quadratic(lowest, top).satisfies(assumption)
    assert quadratic((lowest + top) / Fraction(2), top).satisfies(assumption)
    assert not quadratic(lowest - HAIR, top).satisfies(assumption)
    if highest is not None:
        assert not quadratic(lowest, top + HAIR).satisfies(assumption)


def test_convexity_is_strong_convexity_with_modulus_zero():
    assert convex("c", f) == strongly_convex("c", f, ZERO)


@pytest.mark.parametrize("rule", ["critical", "lowest"])
def test_a_minimiser_is_told_by_its_gradient(rule):
    assumption = minimiser("m", f, Named("x_star"), (rule,))
    assert quadratic(1, 2).satisfies(assumption)
    assert quadratic(1, 0, x_star=(0, 5)).satisfies(assumption)
    assert not quadratic(1, 2, x_star=(0, 1)).satisfies(assumption)
    assert quadratic(-1, 2).satisfies(assumption) is (rule == "critical")
