"""What would run for ever or fill the memory: refused in seconds, with the reason in one line."""

import dataclasses
import time
from fractions import Fraction

import pytest
from small import P_POSITIVE, H, f, make, p, proved, q, refused, small, x

import theory
from theory.opinions import examine
from theory.opinions.ground import NoRefutation, statements
from theory.opinions.obligations import Unstated, problem
from theory.proving.assumptions import ZERO
from theory.proving.witnesses import witness
from theory.trusted import budget
from theory.trusted.algorithms import GD
from theory.trusted.certificates import (
    NOTHING,
    Add,
    Fact,
    Number,
    PowerOf,
    RuleAt,
    Square,
    Start,
    Times,
)
from theory.trusted.statements import Assumption, Dynamics, Rule
from theory.trusted.terms import (
    Const,
    Gradient,
    Inner,
    Mean,
    Named,
    Param,
    Product,
    Quotient,
    Sum,
    Time,
    Value,
    VectorSum,
    norm2,
)

LONG = [Const(Fraction(2**12000 + 2 * i + 1, 3**7000 + 2 * i)) for i in range(12)]
MANY = [Param(f"p{i}") for i in range(40)]
NAMES = [Named(f"v{i}") for i in range(600)]


def nested(number, times):
    for _ in range(times):
        number = number**64
    return number


def rule(relation, *variables):
    return Assumption("all", "", "", (Rule("at", variables, relation),))


def gradients(depth):
    point = x
    for _ in range(depth):
        point = point + Gradient(f, point)
    return point


WIDE = VectorSum(tuple(NAMES))
MENTIONED = rule(Sum((norm2(Named("u")),) * 20_000) >= 0, Named("u"))
SLOW = {
    "a product of powers": make(Product(tuple(c**64 for c in LONG)) <= 1, NOTHING),
    "a product of long numbers": make(Product(tuple(LONG) * 50) <= 1, NOTHING),
    "a sum of long fractions": make(Sum(tuple(LONG) * 50) <= 1, NOTHING),
    "a sum of very many fractions": make(
        Sum(tuple(Const(Fraction(1, 10**9 + i)) for i in range(30_000))) <= 1, NOTHING
    ),
    "a quotient of long numbers": make(Quotient(LONG[0], LONG[1]) ** 9 <= 1, NOTHING),
    "nested powers of a number": make(nested(1 + Const(Fraction(1)), 6) <= 1, NOTHING),
    "nested powers of a parameter": make(nested(1 + p, 3) <= 1, NOTHING),
    "a power of a sum": make(Sum(tuple(MANY[:9])) ** 64 <= 1, NOTHING),
    "a product of sums": make(Product((Sum(tuple(MANY)),) * 9) <= 1, NOTHING),
    "a product of very many parameters": make(
        Product(tuple(Param(f"p{i}") for i in range(20_000))) <= 1, NOTHING
    ),
    "a mean of a power": make(Mean(Sum(tuple(MANY[:9])) ** 40) <= 1, NOTHING),
    "an inner product of long sums": make(norm2(WIDE) >= 0, NOTHING),
    "an inner product of very long sums": make(Inner(WIDE + x, WIDE - x) ** 2 >= 0, NOTHING),
    "gradients at gradients": make(Value(f, gradients(15)) >= 0, NOTHING),
    "very many cones": make(p >= 0, Times((Fact("p > 0"),) * 50_000), P_POSITIVE),
    "cones of cones": make(
        p >= 0,
        Times((Add((Square(p), Square(q), Square(p - q), Number(Fraction(1)))),) * 64),
    ),
    "a square of a large number": make(p >= 0, Square(nested(Const(Fraction(3, 7)), 3))),
    "a power of a power": make(
        p >= 0, PowerOf(PowerOf(Fact("p > 0"), Time(shift=64)), Time(shift=64)), P_POSITIVE
    ),
    "a sum of very many cones": make(
        p >= 0, Add(tuple(Square(Param(f"p{i}")) for i in range(8_000)))
    ),
    "a rule with a large vector": make(p >= 0, Add((RuleAt("all", "at", (WIDE,)),) * 3), MENTIONED),
    "a rule for very many vectors": make(
        p >= 0, Fact("none"), rule(Sum(tuple(map(norm2, NAMES))) >= 0, *NAMES)
    ),
    "a large start": make(
        p >= 0,
        Start(Sum((norm2(x),) * 20_000)),
        dynamics=Dynamics(GD, f, WIDE),
    ),
}
AT_ONCE = (
    "a product of powers",
    "a product of sums",
    "nested powers of a number",
    "cones of cones",
)


@pytest.mark.parametrize(
    "said",
    [name if name in AT_ONCE else pytest.param(name, marks=pytest.mark.slow) for name in SLOW],
)
def test_the_kernel_gives_up_in_time(said):
    started = time.process_time()
    report = theory.check(SLOW[said])
    # at most a few seconds; without the budget minutes to for ever
    assert time.process_time() - started < 20
    assert report.status.value == "undecided"
    assert report.reason.isprintable()


@pytest.mark.parametrize(
    "said",
    ["a product of powers", *(pytest.param(s, marks=pytest.mark.slow) for s in ("a large start",))],
)
def test_the_second_opinions_give_up_in_time(said):
    started = time.process_time()
    with pytest.raises(Unstated):
        problem(SLOW[said])
    assert time.process_time() - started < 20
    assert examine(SLOW[said], ("kernel", "z3")).opinions["kernel"].verdict == "undecided"


def test_an_instance_of_long_numbers():
    claim = dataclasses.replace(
        make(p * q >= 0, NOTHING),
        refutation=witness({"p": Fraction(2**12_000), "q": -1}, {}, [[[1]]]),
    )
    large = dataclasses.replace(claim, proof=make(nested(p, 2) * q >= 0, NOTHING).proof)
    assert theory.check(claim).status.value == "refuted"
    refused(large, "over 13000 binary digits")
    with pytest.raises(NoRefutation, match="over 13000 binary digits"):
        statements(large)
    rows = [[Fraction(2**12_000 + i * j, 3**7_000 + i + j) for i in range(20)] for j in range(20)]
    held = small(p >= 0, Fact("p > 0"), P_POSITIVE, rule(norm2(H(Named("u"))) >= 0, Named("u")))
    slow = dataclasses.replace(held, witness=witness({"p": 1}, {"u": [0] * 20}, [rows]))
    refused(slow, "the witness: more steps of exact arithmetic")


def test_work_is_counted_and_time_is_limited():
    with budget.limited(work=10):
        budget.spend(10)
        with pytest.raises(OverflowError, match="more steps of exact arithmetic than the kernel"):
            budget.spend(1)
    with budget.limited(seconds=-1.0), pytest.raises(OverflowError, match="more time than the"):
        for _ in range(budget.GLANCE):
            budget.spend(0)
    budget.spend(10**12)  # where nobody set a budget there is none


def test_the_longest_proof_is_far_from_the_limit(monkeypatch):
    monkeypatch.setattr(
        "theory.trusted.kernel.limited", lambda: budget.limited(budget.MAX_WORK // 5)
    )
    proved(theory.get("sam-pl-minibatch-best-step"))
    monkeypatch.setattr(
        "theory.trusted.kernel.limited", lambda: budget.limited(budget.MAX_WORK // 500)
    )
    refused(theory.get("sam-pl-minibatch-best-step"), "more steps of exact arithmetic")


def test_long_numbers_are_never_printed():
    for digits in (4_300, 5_000):
        with pytest.raises(ValueError, match="a rational with over 13000 binary digits"):
            Const(Fraction(10**digits))
    refused(make(p >= ZERO, Number(Fraction(10**5_000))), "over 13000 binary digits")
