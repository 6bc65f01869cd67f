"""Numbers in one real algebraic number, compared with sympy's, which are computed independently."""

import random
from fractions import Fraction

import mpmath
import pytest
import sympy as sp

from theory.proving.witnesses import algebraic, positive_root
from theory.trusted.reals import Real, check, roots, value
from theory.trusted.statements import Algebraic, Root
from theory.trusted.terms import IllFormed

T = sp.Symbol("t")
ROOTS = {
    "√2": (Root((Fraction(-2), Fraction(0), Fraction(1)), Fraction(1), Fraction(2)), sp.sqrt(2)),
    "-√2": (Root((Fraction(-2), Fraction(0), Fraction(1)), Fraction(-2), Fraction(0)), -sp.sqrt(2)),
    "∛10": (positive_root(10, 3), sp.cbrt(10)),
    "golden": (
        Root((Fraction(-1), Fraction(-1), Fraction(1)), Fraction(0), Fraction(2)),
        (1 + sp.sqrt(5)) / 2,
    ),
    "√2 + √3, a tower": (
        Root(tuple(map(Fraction, (1, 0, -10, 0, 1))), Fraction(3), Fraction(4)),
        sp.sqrt(2) + sp.sqrt(3),
    ),
    "2, of a reducible polynomial": (positive_root(4), sp.Integer(2)),
    "√2, twice a root, of (t² - 2)²(t - 1)": (
        Root(tuple(map(Fraction, (-4, 4, 4, -4, -1, 1))), Fraction(5, 4), Fraction(2)),
        sp.sqrt(2),
    ),
}


@pytest.fixture(autouse=True)
def many_digits():
    with mpmath.workdps(400):
        yield


each_root = pytest.mark.parametrize("name", ROOTS)


def number(chance, root):
    coefficients = [Fraction(chance.randint(-9, 9), chance.randint(1, 9)) for _ in range(3)]
    return value(Algebraic(tuple(coefficients)), root)


def digits(exact):
    """A number of sympy to 400 digits."""
    return mpmath.mpf(sp.N(exact, 400))


def at(coefficients, point):
    """The value of a polynomial, to 400 digits."""
    return sum(
        mpmath.mpf(c.numerator) / c.denominator * point**i for i, c in enumerate(coefficients)
    )


def sign(number):
    """The sign by digits.

    A number here that is not zero has a norm over Q of at least 10^-200 and conjugates below 10^20,
    so it is above 10^-300; the rounding is below 10^-380.
    """
    return 0 if abs(number) < mpmath.mpf(10) ** -350 else int(mpmath.sign(number))


@each_root
def test_arithmetic_and_order_are_those_of_sympy(name):
    root, exact = ROOTS[name]
    check(root)
    chance = random.Random(0)
    point = digits(exact)
    for _ in range(20):
        a, b = number(chance, root), number(chance, root)
        x, y = (at(real.coefficients, point) for real in (a, b))
        results = [(a + b, x + y), (a - b, x - y), (a * b, x * y), (3 - a, 3 - x), (a**3, x**3)]
        if sign(y):
            results += [(a / b, x / y), (1 / b, 1 / y)]
            assert a / b * b == a
        for real, expected in results:
            assert sign(at(real.coefficients, point) - expected) == 0
        assert a.sign() == sign(x)
        assert (a < b) == (sign(x - y) < 0) and (a >= b) == (sign(x - y) >= 0)
        assert (a == b) == (sign(x - y) == 0)


@each_root
def test_a_hair_from_zero(name):
    """The root against its decimals, from below and from above."""
    root, exact = ROOTS[name]
    s = value(algebraic(0, 1), root)
    for places in (5, 40, 300):
        below = Fraction(int(mpmath.floor(digits(exact) * 10**places)), 10**places)
        assert (s - below).sign() == (0 if exact == 2 else 1)
        assert (below + Fraction(1, 10**places) - s).sign() == 1


def test_zero_is_seen_where_the_polynomial_is_reducible():
    two = value(algebraic(0, 1), positive_root(4))
    assert two == 2 and two - 2 == 0 and not two - 2
    assert 1 / (two + 2) == Fraction(1, 4)
    for zero in (two - 2, value(algebraic(-4, 0, 1), positive_root(4))):
        with pytest.raises(ZeroDivisionError):
            1 / zero


def test_a_multiple_root_counts_once_and_divides():
    root, _ = ROOTS["√2, twice a root, of (t² - 2)²(t - 1)"]
    s = value(algebraic(0, 1), root)
    assert s * s == 2 and (s - 1) * (1 / (s - 1)) == 1 and 1 / (s + s) == s / 4
    assert s * s - 2 == 0


@pytest.mark.parametrize("seed", range(25))
def test_the_roots_of_random_polynomials_are_counted_as_by_sympy(seed):
    chance = random.Random(seed)
    coefficients = [chance.randint(-6, 6) for _ in range(chance.randint(2, 7))] + [1]
    polynomial = sp.Poly(coefficients[::-1], T)
    low, high = sorted(chance.sample(range(-20, 20), 2))
    low, high = Fraction(2 * low + 1, 7), Fraction(2 * high + 1, 7)  # rational roots are integers
    simple = polynomial.quo(sp.gcd(polynomial, polynomial.diff()))
    ends = (sp.Rational(end.numerator, end.denominator) for end in (low, high))
    expected = simple.count_roots(*ends)
    root = Root(tuple(map(Fraction, coefficients)), low, high)
    assert roots(root, (Fraction(1),)) == expected
    if expected == 1:
        check(root)
    else:
        with pytest.raises(IllFormed, match="not determined"):
            check(root)


def test_two_roots_do_not_mix():
    s, t = (value(algebraic(0, 1), positive_root(k)) for k in (2, 3))
    with pytest.raises(IllFormed, match="different roots"):
        s + t


def test_a_number_needs_its_root():
    with pytest.raises(IllFormed, match="does not declare"):
        value(algebraic(0, 1), None)
    assert isinstance(value(algebraic(5), positive_root(2)), Real)
