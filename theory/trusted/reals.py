r"""Exact arithmetic with one real algebraic number s.  TRUSTED, for instances only.

A number is $q(s)$ for a polynomial q over the rationals, where s is the only root of a polynomial P
in an open interval.  The sign of $q(s)$ is the number of roots of P there at which q is positive,
less that of those at which it is negative; the theorem of Sturm and Tarski reads it off a sequence
of remainders at both ends.  So P need be neither irreducible nor square-free: whether $q(s)$ is
zero is decided at the root itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from theory.trusted.budget import weigh
from theory.trusted.statements import Algebraic, Number, Root
from theory.trusted.terms import IllFormed

Coefficients = tuple[Fraction, ...]
Pair = tuple[Coefficients, Coefficients]
MAX_DEGREE = 8
UNIT: Coefficients = (Fraction(1),)


@dataclass(frozen=True, eq=False)
class Real:
    """The number q(s), with the order of the real numbers.

    Attributes:
        coefficients: those of q, the constant first.
        root: s.
    """

    coefficients: Coefficients
    root: Root

    def __add__(self, other: Operand) -> Real:
        return Real(_sum(self.coefficients, self._of(other)), self.root)

    def __mul__(self, other: Operand) -> Real:
        return self._reduced(_product(self.coefficients, self._of(other)))

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self) -> Real:
        return self * Fraction(-1)

    def __sub__(self, other: Operand) -> Real:
        return self + -other

    def __rsub__(self, other: Operand) -> Real:
        return -self + other

    def __truediv__(self, other: Operand) -> Real:
        return self * (other.inverse() if isinstance(other, Real) else 1 / Fraction(other))

    def __rtruediv__(self, other: Operand) -> Real:
        return self.inverse() * other

    def __pow__(self, exponent: int) -> Real:
        result = self._reduced(UNIT)
        for _ in range(exponent):
            result = result * self
        return result

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Real | Fraction | int) and (self - other).sign() == 0

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        return self.sign() != 0

    def __lt__(self, other: Operand) -> bool:
        return (self - other).sign() < 0

    def __gt__(self, other: Operand) -> bool:
        return (self - other).sign() > 0

    def __le__(self, other: Operand) -> bool:
        return (self - other).sign() <= 0

    def __ge__(self, other: Operand) -> bool:
        return (self - other).sign() >= 0

    def sign(self) -> int:
        """1, 0 or -1."""
        return roots(self.root, self.coefficients)

    def inverse(self) -> Real:
        """By Euclid's algorithm; a factor in common with P does not vanish at s, and leaves P.

        Raises:
            ZeroDivisionError: if the number is zero.
        """
        if not self:
            raise ZeroDivisionError("a number that is zero has no inverse")
        modulus = _trimmed(self.root.polynomial)
        while True:
            above: Pair = (modulus, ())
            below: Pair = (_remainder(self.coefficients, modulus), UNIT)
            while below[0]:
                quotient, rest = _divided(above[0], below[0])
                above, below = (
                    below,
                    (rest, _sum(above[1], _negative(_product(quotient, below[1])))),
                )
            common, factor = above
            if len(common) == 1:
                return self._reduced(_product(factor, (1 / common[0],)))
            modulus = _divided(modulus, common)[0]

    def _of(self, other: Operand) -> Coefficients:
        if not isinstance(other, Real):
            return _trimmed((Fraction(other),))
        if other.root != self.root:
            raise IllFormed("two numbers are written in different roots")
        return other.coefficients

    def _reduced(self, coefficients: Coefficients) -> Real:
        return Real(_remainder(coefficients, _trimmed(self.root.polynomial)), self.root)


Exact = Fraction | Real
Operand = Fraction | int | Real


def value(number: Number, root: Root | None) -> Exact:
    """The number that a witness writes, where s is the root that it declares.

    Raises:
        IllFormed: if it declares none, or the number is longer than it need be.
    """
    if not isinstance(number, Algebraic):
        return Fraction(number)
    if root is None:
        raise IllFormed("the witness writes a number in a root s that it does not declare")
    if len(number.coefficients) > MAX_DEGREE:
        raise IllFormed(f"the witness writes a number with more than {MAX_DEGREE} powers of s")
    return Real(_remainder(number.coefficients, _trimmed(root.polynomial)), root)


def check(root: Root) -> None:
    """Refuse what does not declare one real number.

    Raises:
        IllFormed: with the reason.
    """
    polynomial, ends = _trimmed(root.polynomial[: MAX_DEGREE + 1]), (root.low, root.high)
    if len(polynomial) < 2 or len(root.polynomial) > MAX_DEGREE + 1:
        raise IllFormed(f"the root s needs a polynomial of degree 1 to {MAX_DEGREE}")
    if root.low >= root.high or any(_at(polynomial, end) == 0 for end in ends):
        raise IllFormed("the root s needs an open interval, with no root at its ends")
    if (count := roots(root, UNIT)) != 1:
        raise IllFormed(f"the root s is not determined: its polynomial has {count} in the interval")


def roots(root: Root, sign: Coefficients) -> int:
    """The number of roots of P in the interval with q > 0, less that with q < 0.

    The roots are counted once each, whatever their multiplicity; none may be at the ends.
    """
    polynomial = _trimmed(root.polynomial)
    slope = tuple(i * c for i, c in enumerate(polynomial))[1:]
    sequence = [polynomial, _remainder(_product(slope, sign), polynomial)]
    while sequence[-1]:
        sequence.append(_negative(_remainder(sequence[-2], sequence[-1])))
    low, high = (
        [value > 0 for part in sequence[:-1] if (value := _at(part, end)) != 0]
        for end in (root.low, root.high)
    )
    return _changes(low) - _changes(high)


def _changes(signs: list[bool]) -> int:
    return sum(signs[i] != signs[i - 1] for i in range(1, len(signs)))


def _at(coefficients: Coefficients, point: Fraction) -> Fraction:
    result = Fraction(0)
    for coefficient in reversed(coefficients):
        result = weigh(result * point + coefficient)
    return result


def _trimmed(coefficients: Coefficients) -> Coefficients:
    while coefficients and coefficients[-1] == 0:
        coefficients = coefficients[:-1]
    return coefficients


def _sum(left: Coefficients, right: Coefficients) -> Coefficients:
    longest = max(len(left), len(right))
    left, right = (c + (Fraction(0),) * (longest - len(c)) for c in (left, right))
    return _trimmed(tuple(weigh(a + b) for a, b in zip(left, right, strict=True)))


def _negative(coefficients: Coefficients) -> Coefficients:
    return tuple(-c for c in coefficients)


def _product(left: Coefficients, right: Coefficients) -> Coefficients:
    result = [Fraction(0)] * max(len(left) + len(right) - 1, 0)
    for i, a in enumerate(left):
        for j, b in enumerate(right):
            result[i + j] = weigh(result[i + j] + a * b)
    return _trimmed(tuple(result))


def _divided(top: Coefficients, bottom: Coefficients) -> tuple[Coefficients, Coefficients]:
    """Quotient and remainder."""
    quotient = [Fraction(0)] * max(len(top) - len(bottom) + 1, 0)
    rest = list(top)
    for i in reversed(range(len(quotient))):
        quotient[i] = rest[i + len(bottom) - 1] / bottom[-1]
        for j, b in enumerate(bottom):
            rest[i + j] = weigh(rest[i + j] - quotient[i] * b)
    return _trimmed(tuple(quotient)), _trimmed(tuple(rest))


def _remainder(top: Coefficients, bottom: Coefficients) -> Coefficients:
    return _divided(_trimmed(top), bottom)[1]
