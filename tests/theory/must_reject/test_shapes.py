"""Data of other types than declared: a class that lies about equality, a bool, a float, a list."""

import dataclasses
import time
from fractions import Fraction

import pytest
from small import P_POSITIVE, Q_NONNEGATIVE, f, make, p, proved, q, refused, x

from theory.proving.assumptions import ZERO
from theory.proving.building import times
from theory.trusted.certificates import Add, Fact, Number, PowerOf, Square
from theory.trusted.statements import Condition, Theorem
from theory.trusted.terms import (
    Const,
    Function,
    IllFormed,
    Param,
    Power,
    Sum,
    Time,
    Value,
    norm2,
)


class LyingConst(Const):
    """Equal to everything."""

    def __eq__(self, other):
        return True

    __hash__ = Const.__hash__


class LyingFraction(Fraction):
    """Never negative."""

    def __lt__(self, other):
        return False


class LyingName(str):
    """The name of every fact."""

    def __eq__(self, other):
        return True

    def __hash__(self):
        return hash("p > 0")


class LyingTuple(tuple):
    """Empty for whoever looks, full for whoever counts."""

    def __iter__(self):
        return iter(())


class LyingTheorem(Theorem):
    """Without hypotheses for whoever asks later."""


SLACK = Fraction(1)
CASES = {
    "Relation.left": make(LyingConst(SLACK) <= ZERO, Number(Fraction(0))),
    "Const.value is declared otherwise than LyingFraction": make(
        Const(LyingFraction(1)) <= ZERO, Number(Fraction(0))
    ),
    "Number.value is declared otherwise than LyingFraction": make(
        -(p**2) >= ZERO, times(Number(LyingFraction(-1)), Square(p))
    ),
    "Number.value is declared otherwise than int": make(p**2 >= ZERO, times(Number(1), Square(p))),
    "Number.value is declared otherwise than bool": make(
        p**2 >= ZERO, times(Number(True), Square(p))
    ),
    "Number.value is declared otherwise than float": make(p**2 >= ZERO, Number(0.5)),
    "Fact.name": make(p >= ZERO, Fact(LyingName("p > 0")), P_POSITIVE),
    "Param.name is declared otherwise than int": make(Param(3) ** 2 >= ZERO, Square(Param(3))),
    "Param.name is declared otherwise than frozenset": make(
        Param(frozenset()) >= ZERO, Number(Fraction(0))
    ),
    "Power.exponent is declared otherwise than float": make(Power(p, 2.0) >= ZERO, Square(p)),
    "Power.exponent is declared otherwise than bool": make(Power(p, True) >= ZERO, Square(p)),
    "Time.shift is declared otherwise than str": make(
        q ** Time(True, "1") >= ZERO, PowerOf(Fact("q >= 0"), Time()), Q_NONNEGATIVE
    ),
    "Time.symbolic is declared otherwise than int": make(
        q ** Time(1, 0) >= ZERO, PowerOf(Fact("q >= 0"), Time()), Q_NONNEGATIVE
    ),
    "Function.sampled": make(Value(Function("f", 2), x) >= ZERO, Number(Fraction(0))),
    "Add.parts is declared otherwise than list": make(p**2 >= ZERO, Add([Square(p)])),
    "Add.parts is declared otherwise than LyingTuple": make(
        p**2 >= ZERO, Add(LyingTuple((Square(p),)))
    ),
    "Sum.terms is declared otherwise than tuple": make(Sum((p, norm2)) >= ZERO, Square(p)),
    "Condition.relation": make(p**2 >= ZERO, Square(p), Condition("text", "p > 0")),
    "Condition.name is declared otherwise than text with a character": make(
        p**2 >= ZERO, Square(p), Condition("a\u202eb", p > ZERO)
    ),
    "Theorem.hypotheses is declared otherwise than list": dataclasses.replace(
        make(p**2 >= ZERO, Square(p)), hypotheses=[P_POSITIVE]
    ),
    "Step.certificate is declared otherwise than str": make(p**2 >= ZERO, "obvious"),
    "Step.claim is declared otherwise than str": make("p >= 0", Square(p)),
    "Dynamics.start is declared otherwise than str": dataclasses.replace(
        make(p**2 >= ZERO, Square(p)),
        dynamics=dataclasses.replace(make(p**2 >= ZERO, Square(p)).dynamics, start="x_0"),
    ),
}


@pytest.mark.parametrize("reason", CASES)
def test_what_is_not_of_the_declared_type_is_refused(reason):
    refused(CASES[reason], f"the statement: {reason.split(' is ')[0]}")
    refused(CASES[reason], reason)


def test_a_theorem_of_ones_own_class():
    theorem = make(p**2 >= ZERO, Square(p))
    values = {field.name: getattr(theorem, field.name) for field in dataclasses.fields(theorem)}
    refused(LyingTheorem(**values), "a LyingTheorem stands where another type is declared")


def test_exponents_and_times_are_small_natural_numbers():
    for exponent in (-1, 65, 10**9):
        with pytest.raises(IllFormed, match="is not an exponent or time from 0 to 64"):
            p**exponent
        with pytest.raises(IllFormed, match="is not an exponent or time from 0 to 64"):
            Time(shift=exponent)
    proved(make(p**64 >= ZERO, Square(p**32)))


def in_good_time(theorem, reason):
    started = time.perf_counter()
    refused(theorem, reason)
    # milliseconds when idle; without the limits, hours
    assert time.perf_counter() - started < 30


def test_what_would_take_for_ever_is_refused():
    tall = number = Const(Fraction(3))
    wide = p
    for _ in range(70):
        tall, wide = 1 + tall, wide + wide
    for _ in range(6):
        number = number**60
    many = Sum(tuple(Param(f"p{i}") for i in range(40))) ** 20
    in_good_time(make(tall + tall * tall >= ZERO, Square(tall)), "not the claim")
    in_good_time(make(1 + (1 + tall) * tall >= ZERO, Square(tall)), "more than 150 levels")
    in_good_time(make(wide >= ZERO, Square(p)), "more than 150 levels or 200000 nodes")
    in_good_time(make(number >= ZERO, Square(p)), "binary digits")
    in_good_time(make(many >= ZERO, Square(p)), "a product of polynomials")


def test_a_term_that_contains_itself():
    loop = Sum((p, p))
    object.__setattr__(loop, "terms", (loop, p))
    in_good_time(make(loop >= ZERO, Square(p)), "more than 150 levels")
    assert Function("f") == f
