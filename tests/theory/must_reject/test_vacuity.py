"""Theorems about nothing: hypotheses that contradict each other, and witnesses that do not fit."""

import dataclasses
from fractions import Fraction

import pytest
from small import P_POSITIVE, H, H_b, f, f_b, make, p, proved, q, refused, u, x, y

from theory.proving import witnesses
from theory.proving.assumptions import ZERO
from theory.proving.building import add
from theory.proving.witnesses import witness
from theory.trusted.certificates import Fact, RuleAt, Square
from theory.trusted.statements import Assumption, Condition, Rule
from theory.trusted.terms import Gradient, Inner, Mean, Named, Value, norm2

NEGATIVE = Condition("p < 0", p < ZERO)
ONE = [[[1]]]


def about(*hypotheses, given=None):
    """A true claim under hypotheses, with a witness."""
    return dataclasses.replace(make(p**2 >= ZERO, Square(p), *hypotheses), witness=given)


def always(relation, *variables):
    return Assumption("rule", "", "", (Rule("at", variables, relation),))


def test_no_witness():
    refused(about(P_POSITIVE), "no witness is given")
    proved(about())


def test_contradictory_conditions():
    theorem = make(ZERO < ZERO, add(Fact("p > 0"), Fact("p < 0")), P_POSITIVE, NEGATIVE)
    assert witnesses.find(theorem) is None
    for value in (1, 0, -1):
        given = witness({"p": value}, {}, ONE)
        refused(dataclasses.replace(theorem, witness=given), "fails in the witness")


def test_contradictory_rules():
    short = always(norm2(u) <= 1, u)
    theorem = make(norm2(3 * x) <= 1, RuleAt("rule", "at", (3 * x,)), short)
    assert witnesses.find(theorem) is None
    given = witness({}, {"u": [0], "x": [0]}, ONE)
    refused(dataclasses.replace(theorem, witness=given), "'rule' fails in the witness")


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (witness({}, {}, ONE), "gives no value to 'p'"),
        (witness({"p": 1}, {}, []), "needs samples"),
        (witness({"p": 1}, {}, [[]]), "needs samples"),
        (witness({"p": 1}, {}, [[[1] * 6] * 6] * 40), "at most 1024 numbers"),
        (witness({"p": 1}, {}, [[[1, 0], [0, 1]], [[1]]]), "not of size 2"),
        (witness({"p": 1}, {}, [[[1, 0], [0]]]), "not of size 2"),
        (witness({"p": 1}, {"y": [1, 2]}, ONE), "not of size 1"),
        (witness({"p": 1}, {}, [[[1, 2], [3, 1]]]), "not symmetric"),
        (witness({"p": 0}, {}, ONE), "'p > 0' fails"),
    ],
)
def test_witnesses_that_do_not_fit(given, reason):
    refused(about(P_POSITIVE, given=given), reason)


def test_a_number_that_is_none():
    """A float or a lie inside a witness is seen before it is computed with."""
    given = dataclasses.replace(witness({"p": 1}, {}, ONE), parameters=(("p", 1.0),))
    refused(about(P_POSITIVE, given=given), "Witness.parameters is declared otherwise")


def test_a_divisor_that_vanishes_in_the_witness():
    hypotheses = (P_POSITIVE, always(q / (p - 1) * norm2(u) <= norm2(u), u))
    given = witness({"p": 1, "q": 1}, {}, ONE)
    refused(about(*hypotheses, given=given), "a divisor is zero")
    assert witnesses.find(about(*hypotheses)).parameters[0] != ("p", 1)


def test_a_rule_that_is_right_at_every_small_integer():
    """s (s - 1)(s + 1)(s - 2) with s = y'u vanishes wherever a quadratic would be read off."""
    s = Inner(y, u)
    treacherous = always(s * (s - 1) * (s + 1) * (s - 2) >= ZERO, u)
    given = witness({}, {"y": [1]}, ONE)
    refused(about(treacherous, given=given), "not quadratic")


def test_a_strict_rule_is_not_decided():
    refused(about(always(1 + norm2(u) > ZERO, u), given=witness({}, {}, ONE)), "fails")


def test_rules_are_checked_for_every_sample_and_every_vector():
    indefinite = [[[1, 2], [2, 1]]]
    one_bad_sample = [[[1]], [[3]], [[-1]]]
    for curvatures in (indefinite, one_bad_sample):
        given = witness({}, {}, curvatures)
        refused(about(always(Inner(u, H_b(u)) >= ZERO, u), given=given), "fails")
    proved(about(always(Inner(u, H(u)) >= ZERO, u), given=witness({}, {}, one_bad_sample)))
    proved(about(always(Mean(Value(f_b, u)) >= ZERO, u), given=witness({}, {}, one_bad_sample)))
    refused(about(always(Value(f_b, u) >= ZERO, u), given=witness({}, {}, one_bad_sample)), "fails")


def test_noise_at_the_minimum_needs_linear_terms():
    """And where every sample's loss is non-negative, and vanishes there, there is none."""
    noise = Condition("noise", Mean(norm2(Gradient(f_b, y))) > ZERO)
    flat = Condition("flat", norm2(Gradient(f, y)) <= ZERO)
    nonnegative = always(Value(f_b, u) >= ZERO, u)
    found = witnesses.find(about(noise, flat, nonnegative))
    assert any(any(quadratic.linear) for _, samples in found.functions for quadratic in samples)
    proved(about(noise, flat, nonnegative, given=found))
    lowest = Condition("lowest", Value(f, y) <= ZERO)
    assert witnesses.find(about(noise, nonnegative, lowest)) is None


def test_what_quadratics_cannot_show_stays_open():
    """A function with two minima, one of them at each end of y."""
    two = always(norm2(Gradient(f, y)) + norm2(Gradient(f, -1 * y)) <= ZERO, u)
    bent = Condition("bent", Value(f, y) < Value(f, 2 * y))
    apart = Condition("apart", Value(f, 0 * y) > Value(f, y))
    assert witnesses.find(about(two, bent, apart)) is None


def test_the_finder_proposes_and_the_kernel_decides():
    s = Condition("s", (q**2).equals(2 * p))
    theorem = about(P_POSITIVE, s, Condition("q > 0", q > ZERO))
    found = witnesses.find(theorem)
    values = dict(found.parameters)
    assert values["q"] ** 2 == 2 * values["p"] > 0
    proved(dataclasses.replace(theorem, witness=found))
    unit = Condition("unit", norm2(Named("v")).equals(1))
    assert dict(witnesses.find(about(unit)).vectors)["v"] == (Fraction(1),)
    assert witnesses.completed(about(NEGATIVE, P_POSITIVE)).witness is None
