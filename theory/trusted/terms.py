r"""Expressions as immutable trees: what a theorem says, before any computation.  TRUSTED data.

Nothing is simplified on construction: `x / x` stays a quotient, so a divisor that can vanish is
still visible to the kernel.  The two sorts are `Scalar` (real numbers, possibly depending on the
random sample $b$) and `Vector` (elements of a real inner-product space of unspecified dimension).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from fractions import Fraction
from typing import NoReturn, overload

from theory.trusted.budget import fault
from theory.trusted.trees import nodes as nodes
from theory.trusted.trees import rebuild as rebuild
from theory.trusted.trees import substitute as substitute

Number = int | Fraction


MAX_EXPONENT = 64
NO_TRUTH_VALUE = (
    "a relation has no truth value: write `a <= b <= c` as the two relations a <= b and b <= c;"
    " `max`, `min`, `sorted`, `if`, `and`, `or`, `not` and `assert` cannot decide a statement"
)


class IllFormed(ValueError):
    """An expression that means nothing: an unproved divisor, a random one, a misplaced time."""


def _check_exponent(exponent: object) -> None:
    if isinstance(exponent, int) and not 0 <= exponent <= MAX_EXPONENT:
        raise IllFormed(f"{exponent} is not an exponent or time from 0 to {MAX_EXPONENT}")


class Expression:
    """What scalars and vectors share: Python may not decide a question about them.

    `==` compares two trees, for the code that handles them; the claim is `left.equals(right)`.
    """

    __array_ufunc__ = None  # NumPy leaves every operation to the expression

    def __bool__(self) -> NoReturn:
        raise TypeError(
            "an expression has no truth value: `if`, `and`, `or` and `not` would keep half of it"
        )


@dataclass(frozen=True)
class Scalar(Expression):
    """A real number; supports the field operations and powers with a natural exponent."""

    def __add__(self, other: Scalar | Number) -> Scalar:
        return Sum((self, scalar(other)))

    def __radd__(self, other: Number) -> Scalar:
        return Sum((scalar(other), self))

    def __sub__(self, other: Scalar | Number) -> Scalar:
        return Sum((self, -scalar(other)))

    def __rsub__(self, other: Number) -> Scalar:
        return Sum((scalar(other), -self))

    def __neg__(self) -> Scalar:
        return Product((Const(Fraction(-1)), self))

    @overload
    def __mul__(self, other: Scalar | Number) -> Scalar: ...
    @overload
    def __mul__(self, other: Vector) -> Vector: ...
    def __mul__(self, other: Scalar | Number | Vector) -> Scalar | Vector:
        return Scale(self, other) if isinstance(other, Vector) else Product((self, scalar(other)))

    def __rmul__(self, other: Number) -> Scalar:
        return Product((scalar(other), self))

    def __truediv__(self, other: Scalar | Number) -> Scalar:
        return Quotient(self, scalar(other))

    def __rtruediv__(self, other: Number) -> Scalar:
        return Quotient(scalar(other), self)

    def __pow__(self, exponent: int | Time) -> Scalar:
        if type(exponent) is not int and not isinstance(exponent, Time):
            raise TypeError(
                f"{exponent!r} is no natural exponent: a root is a parameter r, r**2 = a"
            )
        return Power(self, exponent)

    def __le__(self, other: Scalar | Number) -> Relation:
        return Relation(self, "<=", scalar(other))

    def __lt__(self, other: Scalar | Number) -> Relation:
        return Relation(self, "<", scalar(other))

    def __ge__(self, other: Scalar | Number) -> Relation:
        return Relation(scalar(other), "<=", self)

    def __gt__(self, other: Scalar | Number) -> Relation:
        return Relation(scalar(other), "<", self)

    def equals(self, other: Scalar | Number) -> Relation:
        """The claim that both sides are the same number."""
        return Relation(self, "==", scalar(other))


@dataclass(frozen=True)
class Vector(Expression):
    """An element of a real inner-product space; 0 stands for the zero vector in a sum."""

    def __add__(self, other: Vector | int) -> Vector:
        return VectorSum((self, *_summands(other)))

    def __radd__(self, other: int) -> Vector:
        return VectorSum((*_summands(other), self))

    def __sub__(self, other: Vector | int) -> Vector:
        return VectorSum((self, *(-part for part in _summands(other))))

    def __rsub__(self, other: int) -> Vector:
        return VectorSum((*_summands(other), -self))

    def __neg__(self) -> Vector:
        return Scale(Const(Fraction(-1)), self)

    def __mul__(self, other: Scalar | Number) -> Vector:
        return Scale(scalar(other), self)

    __rmul__ = __mul__

    def __truediv__(self, other: Scalar | Number) -> Vector:
        return Scale(1 / scalar(other), self)


@dataclass(frozen=True)
class Time:
    """The iteration counter $t + k$ (`symbolic`), or the number $k$."""

    symbolic: bool = True
    shift: int = 0

    def __post_init__(self) -> None:
        _check_exponent(self.shift)


@dataclass(frozen=True)
class Const(Scalar):
    """A rational number."""

    value: Fraction

    def __post_init__(self) -> None:
        if type(self.value) is Fraction and (problem := fault(self.value)):
            raise IllFormed(problem)


@dataclass(frozen=True)
class Param(Scalar):
    """A real parameter, named by the field's term (`step_size`, `radius`, ...)."""

    name: str


@dataclass(frozen=True)
class Sum(Scalar):
    """A finite sum; the empty one is 0."""

    terms: tuple[Scalar, ...]


@dataclass(frozen=True)
class Product(Scalar):
    """A finite product; the empty one is 1."""

    factors: tuple[Scalar, ...]


@dataclass(frozen=True)
class Quotient(Scalar):
    """A quotient; the kernel wants a proof that the divisor is positive."""

    numerator: Scalar
    divisor: Scalar


@dataclass(frozen=True)
class Power(Scalar):
    """A power with a natural number or the iteration counter as exponent."""

    base: Scalar
    exponent: int | Time

    def __post_init__(self) -> None:
        _check_exponent(self.exponent)


@dataclass(frozen=True)
class Function:
    """The mean loss $f$, or (`sampled`) the loss $f_b$ of the random sample, with $f = E f_b$."""

    name: str = "f"
    sampled: bool = False


@dataclass(frozen=True)
class Operator:
    r"""A linear operator $J$, or (`sampled`) the random $J_b$ with mean $J = E J_b$.

    Linearity is all that is known of it, unless it is `symmetric`: $\langle u, Hv\rangle =
    \langle Hu, v\rangle$ for all vectors.

    Attributes:
        name: its name; one name is one operator, its mean and its adjoint included.
        sampled: whether it belongs to the random sample.
        symmetric: whether it is its own adjoint.
        transposed: whether this is the adjoint of the operator of that name.
    """

    name: str = "H"
    sampled: bool = False
    symmetric: bool = False
    transposed: bool = False

    def __post_init__(self) -> None:
        if self.symmetric and self.transposed:
            raise IllFormed(f"{self.name} is symmetric: it is its own adjoint")

    @property
    def adjoint(self) -> Operator:
        r"""$J^*$, with $\langle u, Jv\rangle = \langle J^* u, v\rangle$; itself if symmetric."""
        return self if self.symmetric else dataclasses.replace(self, transposed=not self.transposed)

    def __call__(self, vector: Vector) -> Vector:
        """The operator applied to a vector."""
        return Apply(self, vector)


@dataclass(frozen=True)
class Value(Scalar):
    """A function's value at a point."""

    function: Function
    point: Vector


@dataclass(frozen=True)
class Inner(Scalar):
    """The inner product of two vectors."""

    left: Vector
    right: Vector


@dataclass(frozen=True)
class Mean(Scalar):
    """The expectation over the sample $b$ (which is independent of every named vector)."""

    argument: Scalar


@dataclass(frozen=True)
class Along(Scalar):
    """The expectation of a quantity of the iterate `x`, at iterate $x_t$ of the algorithm."""

    argument: Scalar
    time: Time


@dataclass(frozen=True)
class Named(Vector):
    """A vector that does not depend on the sample."""

    name: str


@dataclass(frozen=True)
class Gradient(Vector):
    """The gradient of a function at a point."""

    function: Function
    point: Vector


@dataclass(frozen=True)
class VectorSum(Vector):
    """A finite sum of vectors."""

    terms: tuple[Vector, ...]


@dataclass(frozen=True)
class Scale(Vector):
    """A scalar times a vector."""

    coefficient: Scalar
    vector: Vector


@dataclass(frozen=True)
class Apply(Vector):
    """A linear operator applied to a vector."""

    operator: Operator
    vector: Vector


@dataclass(frozen=True)
class Relation:
    """`left <= right`, `left < right` or `left == right`."""

    left: Scalar
    sign: str
    right: Scalar

    def __post_init__(self) -> None:
        if self.sign not in ("<=", "<", "=="):
            raise ValueError(f"a relation is <=, < or ==, not {self.sign!r}")

    def __bool__(self) -> NoReturn:
        raise TypeError(NO_TRUTH_VALUE)

    def equals(self, other: object) -> NoReturn:
        """Refuse a chain `a.equals(b).equals(c)`."""
        raise TypeError(NO_TRUTH_VALUE)

    __le__ = __lt__ = __ge__ = __gt__ = equals

    @property
    def slack(self) -> Scalar:
        """`right - left`: what the relation says is non-negative, positive or zero."""
        return self.right - self.left


ZERO = Const(Fraction(0))


def scalar(value: Scalar | Number) -> Scalar:
    """An exact scalar.

    Raises:
        TypeError: for a float, which is not the number that was meant.
    """
    if isinstance(value, Scalar):
        return value
    if isinstance(value, Vector):
        raise TypeError("a vector stands where a number should: write its norm or inner product")
    if isinstance(value, Relation):
        raise TypeError(f"a relation stands where a number should: {NO_TRUTH_VALUE}")
    if type(value) is not int and type(value) is not Fraction:
        raise TypeError(f"{value!r} is not exact: write int(...) or a rational as Fraction(1, 10)")
    return Const(Fraction(value))


def stated(relation: object) -> None:
    """Refuse, where a statement is made, what Python has already decided.

    Raises:
        TypeError: for True or False, as `a == b` gives.
    """
    if isinstance(relation, bool):
        raise TypeError(f"{relation} is no statement: for `left == right` write left.equals(right)")


def _summands(other: object) -> tuple[Vector, ...]:
    """A vector as it is; 0, with which Python's `sum` begins, as the empty sum."""
    if isinstance(other, Vector):
        return (other,)
    if type(other) is int and other == 0:
        return ()
    raise TypeError("a vector is added to vectors only")


def norm2(vector: Vector) -> Scalar:
    r"""The squared norm $\|v\|^2$."""
    return Inner(vector, vector)
