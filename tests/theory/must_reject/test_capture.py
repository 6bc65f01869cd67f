"""Bound symbols that try to escape: the iterate, the time, the sample, a rule's variable."""

import dataclasses

from small import H, H_b, f, f_b, make, p, proved, refused, u, x, y

from theory.proving.building import add, minus, number
from theory.trusted.algorithms import GD, SGD
from theory.trusted.certificates import AlongOf, MeanOf, Norm, RuleAt, Start, Tower
from theory.trusted.statements import Assumption, Dynamics, Rule
from theory.trusted.terms import (
    Along,
    Gradient,
    Inner,
    Mean,
    Named,
    Param,
    Time,
    Value,
    norm2,
)

x_0, eta = Named("x_0"), Param("step_size")


def before_the_start():
    time = Time()
    object.__setattr__(time, "shift", -1)
    return time


def test_a_time_before_the_start():
    """If one step sends y'x to 0, then so did the step before the start: y'x_0 = 0."""
    stops = Assumption(
        "stops", "", "", (Rule("at", (u,), (eta * Inner(y, H(u))).equals(Inner(y, u))),)
    )
    certificate = add(
        minus(Tower(Inner(y, x), before_the_start())),
        minus(AlongOf(RuleAt("stops", "at", (x,)), before_the_start())),
    )
    theorem = make(
        Along(Inner(y, x), Time()).equals(0), certificate, stops, dynamics=Dynamics(GD, H, x_0)
    )
    refused(theorem, "-1 is not an exponent or time")
    stop = AlongOf(RuleAt("stops", "at", (x,)), Time())
    later = add(minus(Tower(Inner(y, x), Time())), minus(stop))
    claim = Along(Inner(y, x), Time(shift=1)).equals(0)
    proved(make(claim, later, stops, dynamics=Dynamics(GD, H, x_0)))


def test_a_starting_point_that_moves_with_time():
    """x_0 = 2^t y would make E|x_0|² another number at every t."""
    claim = Along(norm2(x), Time(symbolic=False)).equals((p ** Time()) ** 2 * norm2(y))
    moving = Dynamics(GD, f, (p ** Time()) * y)
    refused(make(claim, Start(norm2(x)), dynamics=moving), "the starting point depends on")


def test_a_trajectory_of_no_algorithm():
    """Without an algorithm there is no x_t to take the expectation of."""
    claims = {
        Along(norm2(x), Time()) >= 0: AlongOf(Norm(x), Time()),
        Along(norm2(x), Time(symbolic=False)).equals(norm2(x_0)): Start(norm2(x)),
        norm2(x) >= 0: add(Norm(x), Tower(norm2(x), Time())),
    }
    for claim, certificate in claims.items():
        theorem = make(claim, certificate)
        refused(dataclasses.replace(theorem, dynamics=None), "the theorem runs no algorithm")
    proved(dataclasses.replace(make(norm2(x) >= 0, Norm(x)), dynamics=None))


def test_an_integer_for_a_time_hides_a_trajectory_in_a_hypothesis():
    """`Along(|u|², 0) <= |u|²` says nothing, until u becomes x and is captured."""
    rule = Rule("at", (u,), Along(norm2(u), 0) <= norm2(u))
    trivial = Assumption("trivial", "", "", (rule,))
    claim = Along(norm2(x), 0) <= norm2(x)
    refused(make(claim, RuleAt("trivial", "at", (x,)), trivial), "Along.time is declared otherwise")


def test_a_rule_may_call_its_variable_x():
    """A bound x is no arbitrary point, and the instance is the rule at the vector given."""
    rule = Rule("at", (x,), norm2(H(x)) <= norm2(x))
    short = Assumption("short", "", "", (rule,))
    proved(make(norm2(H(y)) <= norm2(y), RuleAt("short", "at", (y,)), short))
    refused(make(norm2(H(y)) <= norm2(x), RuleAt("short", "at", (y,)), short), "not the claim")


def test_exchanged_variables_are_put_in_at_once():
    """Put one after the other, (u, y) for (y, u) would make both of them u."""
    ordered = Assumption("ordered", "", "", (Rule("at", (u, y), norm2(u) <= norm2(H(y))),))
    claim = norm2(y) <= norm2(H(u))
    proved_or_vacuous(make(claim, RuleAt("ordered", "at", (y, u)), ordered))
    wrong = norm2(u) <= norm2(H(u))
    refused(make(wrong, RuleAt("ordered", "at", (y, u)), ordered), "not the claim")


def proved_or_vacuous(theorem):
    """The rule holds in no space but the zero one, so only the proof can be right."""
    refused(theorem, "the witness: no exact instance")


def test_a_mean_inside_the_vectors_of_a_rule_that_averages():
    """The vector E[f_b(x)] x does not depend on b, and f_b(x) x does."""
    rule = Rule("at", (u,), Mean(norm2(H_b(u))) <= norm2(u))
    bounded = Assumption("bounded", "", "", (rule,))
    at = Value(f_b, x) * x
    claim = Mean(norm2(H_b(at))) <= norm2(at)
    refused(make(claim, RuleAt("bounded", "at", (at,)), bounded), "capture")


def test_the_same_sample_in_one_step_and_another_in_the_next():
    """E|x_2|² is not what one gets by taking the same b twice."""
    once = x - eta * Gradient(f_b, x)
    twice = once - eta * Gradient(f_b, once)
    claim = Along(norm2(x), Time(shift=2)).equals(Along(Mean(norm2(twice)), Time()))
    two_steps = Tower(norm2(x), Time(shift=1))
    refused(make(claim, two_steps, dynamics=Dynamics(SGD, f, x_0)), "not the claim")


def test_the_mean_of_a_product_is_not_the_product_of_means():
    """With f_b(x) = f_b(y) = ±1 the left side is 1 and the right side 0."""
    product = Value(f_b, x) * Value(f_b, y)
    claim = Mean(product) <= Value(f, x) * Value(f, y)
    refused(make(claim, number(0)), "not the claim")
    refused(make(claim, MeanOf(number(0))), "not the claim")
