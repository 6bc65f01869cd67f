"""Numbers that are not what they look like, forged data, and a kernel that never raises."""

import dataclasses
import enum
from fractions import Fraction

import numpy as np
import pytest
from small import P_POSITIVE, make, p, refused, small, x

import theory
from theory.opinions import examine
from theory.opinions.ground import NoRefutation, statements
from theory.opinions.obligations import Unstated, problem
from theory.proving.assumptions import ZERO
from theory.proving.witnesses import witness
from theory.trusted.certificates import NOTHING, Norm, Number, Square
from theory.trusted.statements import Condition, Status, Theorem
from theory.trusted.terms import Const, Named, Operator, Power, Relation, Time, norm2

BIG = 2**40


def forged(cls, /, **values):
    """An object of a class that its constructor has not seen."""
    item = object.__new__(cls)
    for name, value in values.items():
        object.__setattr__(item, name, value)
    return item


def fraction(top, bottom):
    return forged(Fraction, _numerator=top, _denominator=bottom)


class Seven(enum.IntEnum):
    """An integer that is not one."""

    SEVEN = 7


class LyingType(type):
    """The class of classes that equal `Const`."""

    def __eq__(cls, other):
        return other is Const or super().__eq__(other)

    def __hash__(cls):
        return hash(Const)


class LikeConst(Const, metaclass=LyingType):
    """A subclass that is in every set with `Const`."""


NUMBERS = {
    "int64": fraction(np.int64(BIG), 1),
    "int64 below": fraction(1, np.int64(BIG)),
    "of an array": Fraction(np.array([BIG])[0]),
    "quotient": Fraction(np.int64(BIG), np.int64(3)),
    "bool_": fraction(np.bool_(True), 1),
    "bool": fraction(True, 1),
    "bool below": fraction(1, True),
    "float": fraction(0.0, 1),
    "infinite": fraction(float("inf"), 1),
    "nan": fraction(float("nan"), 1),
    "a fraction in a fraction": fraction(Fraction(1, 2), 1),
    "an enumeration": fraction(Seven.SEVEN, 1),
    "zero below": fraction(1, 0),
    "zero over zero": fraction(0, 0),
    "negative below": fraction(1, -2),
    "not in lowest terms": fraction(2, 4),
    "zero over two": fraction(0, 2),
    "nothing at all": object.__new__(Fraction),
    "long": Fraction(2**13_000),
    "long below": Fraction(1, 3**9_000),
}


@pytest.mark.parametrize("said", NUMBERS)
def test_what_is_no_rational_is_refused_wherever_it_stands(said):
    bad = NUMBERS[said]
    constant = forged(Const, value=bad)
    held = small(p**2 >= ZERO, Square(p), P_POSITIVE)
    places = {
        "a claim": make(constant * constant <= ZERO, NOTHING),
        "a multiplier": make(p**2 >= ZERO, Number(bad)),
        "a hypothesis": make(p**2 >= ZERO, Square(p), Condition("h", p >= constant)),
        "a parameter": dataclasses.replace(held, witness=_witness(held, parameters=(("p", bad),))),
        "a vector": dataclasses.replace(held, witness=_witness(held, vectors=(("x", (bad,)),))),
        "a matrix": dataclasses.replace(held, witness=_witness(held, curvatures=(((bad,),),))),
        "a refutation": dataclasses.replace(
            held, refutation=_witness(held, parameters=(("p", bad),))
        ),
    }
    for theorem in places.values():
        refused(theorem, "the statement: ")
        with pytest.raises((Unstated, NoRefutation)):
            problem(theorem) if theorem.refutation is None else statements(theorem)
    found = examine(places["a claim"], ("kernel", "z3"))
    assert {opinion.verdict for opinion in found.opinions.values()} <= {"undecided", "skipped"}


def _witness(theorem, **changed):
    return dataclasses.replace(theorem.witness, **changed)


@pytest.mark.parametrize("said", NUMBERS)
def test_a_constant_of_it_is_refused_where_it_is_written(said):
    with pytest.raises((TypeError, ValueError, AttributeError)):
        Const(NUMBERS[said])


SQUARE = make(p**2 >= ZERO, Square(p))
BOTH = forged(Operator, name="H", sampled=False, symmetric=True, transposed=True)
STRAY = dataclasses.replace(SQUARE)
object.__setattr__(STRAY, "step", lambda: x)
FORGED = {
    "no theorem": None,
    "a number": 3,
    "a class": Theorem,
    "an empty theorem": object.__new__(Theorem),
    "without a proof": forged(
        Theorem, **{k: v for k, v in vars(SQUARE).items() if k not in ("proof", "refutation")}
    ),
    "an attribute more": STRAY,
    "a status of one's own": dataclasses.replace(SQUARE, expected=str.__new__(Status, "proved")),
    "a kind of one's own": dataclasses.replace(SQUARE, kind="identity"),
    "another enumeration": dataclasses.replace(SQUARE, kind=Status.PROVED),
    "a sign >=": make(forged(Relation, left=p**2, sign=">=", right=ZERO), Square(p)),
    "an exponent -1": make(forged(Power, base=p, exponent=-1) >= ZERO, Square(p)),
    "an exponent 10**9": make(forged(Power, base=p, exponent=10**9) >= ZERO, Square(p)),
    "an exponent True": make(forged(Power, base=p, exponent=True) >= ZERO, Square(p)),
    "a time of -1": make(p ** forged(Time, symbolic=True, shift=-1) >= ZERO, Square(p)),
    "symmetric and transposed": make(norm2(BOTH(x)) >= ZERO, Norm(BOTH(x))),
    "a class in every set": make(forged(LikeConst, value=Fraction(1)) <= ZERO, NOTHING),
    "no name": make(norm2(forged(Named)) >= ZERO, Norm(x)),
}


@pytest.mark.parametrize("said", FORGED)
def test_the_kernel_never_raises(said):
    report = theory.check(FORGED[said])
    assert report.status is Status.UNDECIDED
    assert report.reason and "\n" not in report.reason


def test_what_the_kernel_did_not_foresee_is_no_proof(monkeypatch):
    for raised in (MemoryError(), ZeroDivisionError("by\nzero"), AssertionError()):

        def fail(*_, raised=raised):
            raise raised

        monkeypatch.setattr("theory.trusted.kernel._verify", fail)
        report = theory.check(SQUARE)
        assert report.status is Status.UNDECIDED and not report.steps[0].accepted
        assert type(raised).__name__ in report.reason and "\n" not in report.reason
    monkeypatch.setattr("theory.trusted.kernel._verify", _interrupted)
    with pytest.raises(KeyboardInterrupt):
        theory.check(SQUARE)


def _interrupted(*_):
    raise KeyboardInterrupt


def test_numbers_of_numpy_do_not_refute_either():
    claim = make(p * p >= ZERO, Square(p))
    given = witness({"p": 3_037_000_500}, {}, [[[1]]])
    wrapped = dataclasses.replace(given, parameters=(("p", Fraction(np.int64(3_037_000_500))),))
    refused(dataclasses.replace(claim, refutation=given), "every conclusion holds")
    refused(dataclasses.replace(claim, refutation=wrapped), "a rational made of int64")
