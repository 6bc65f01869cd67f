"""The kernel refuses: one small wrong proof for each way of being wrong."""

import dataclasses
from fractions import Fraction

import pytest
from small import P_POSITIVE, Q_NONNEGATIVE, H, H_b, f, f_b, make, p, proved, q, refused, u, x, y

import theory
from theory.proving.assumptions import ZERO, positive_semidefinite
from theory.proving.building import add, geometric_decay, number, times
from theory.trusted.algorithms import GD, NORMALIZED_SAM, SAM, SamSpec
from theory.trusted.certificates import (
    NOTHING,
    AlongOf,
    Fact,
    Induction,
    Invert,
    MeanOf,
    Multiple,
    Norm,
    Number,
    PowerOf,
    RuleAt,
    Square,
    Start,
    Tower,
    ZeroOrPositive,
)
from theory.trusted.statements import (
    Assumption,
    Condition,
    Dynamics,
    Rule,
    Step,
)
from theory.trusted.terms import (
    Along,
    Const,
    Gradient,
    Inner,
    Mean,
    Named,
    Operator,
    Param,
    Time,
    Value,
    norm2,
    scalar,
)


def test_accepts_what_is_so():
    proved(make(p * q >= ZERO, times(Fact("p > 0"), Fact("q >= 0")), P_POSITIVE, Q_NONNEGATIVE))
    proved(make(2 * p * q <= p**2 + q**2, Square(p - q)))
    proved(make(1 / p > ZERO, Invert(Fact("p > 0")), P_POSITIVE, divisors=(Fact("p > 0"),)))
    proved(make(2 * Inner(x, y) <= norm2(x) + norm2(y), Norm(x - y)))
    proved(make(norm2(Gradient(f, x)) <= Mean(norm2(Gradient(f_b, x))), variance()))


def variance():
    return MeanOf(Norm(Gradient(f_b, x) - Gradient(f, x)))


def test_a_certificate_for_something_else():
    refused(make(3 * p * q <= p**2 + q**2, Square(p - q)), "not the claim")


def test_a_negative_multiplier():
    claim = -p >= ZERO
    refused(make(claim, times(Number(Fraction(-1)), Fact("p > 0")), P_POSITIVE), "-1 is negative")


def test_a_strict_claim_from_a_weak_certificate():
    refused(make(p**2 > ZERO, Square(p)), "strict")
    refused(make(q > ZERO, Fact("q >= 0"), Q_NONNEGATIVE), "strict")


def test_an_equality_from_an_inequality():
    refused(make((p**2).equals(0), Square(p)), "made of equalities")


def test_any_multiple_of_what_is_not_zero():
    refused(make(-p >= ZERO, Multiple(scalar(-1), Fact("p > 0")), P_POSITIVE), "equal to zero")


def test_undeclared_and_later_facts():
    refused(make(p > ZERO, Fact("p > 0")), "no fact named 'p > 0'")
    refused(make(p >= ZERO, Fact("claim")), "no fact named 'claim'")
    refused(make(p >= ZERO, Fact("induction")), "no fact named 'induction'")
    refused(make(norm2(x) >= ZERO, RuleAt("psd", "psd", (x,))), "no assumption 'psd'")


def test_names_are_not_taken_twice():
    step = Step("p > 0", p**2 >= ZERO, Square(p), "")
    refused(make(p**2 >= ZERO, Square(p), P_POSITIVE, before=(step,)), "is taken")
    refused(make(p > ZERO, Fact("p > 0"), P_POSITIVE, P_POSITIVE), "share a name")
    refused(make(p > ZERO, Fact("p > 0"), Condition("induction", p > ZERO)), "reserved")


def test_a_conclusion_that_is_no_step():
    theorem = dataclasses.replace(make(p**2 >= ZERO, Square(p)), conclusion=("other",))
    refused(theorem, "conclusion")
    refused(dataclasses.replace(theorem, conclusion=()), "conclusion")


def test_division_by_what_may_vanish():
    refused(make((q / q).equals(1), NOTHING, Q_NONNEGATIVE), "not been proved positive")
    refused(
        make((q / q).equals(1), NOTHING, Q_NONNEGATIVE, divisors=(Fact("q >= 0"),)),
        "only known to be non-negative",
    )
    refused(make(p / (q - q) >= ZERO, NOTHING), "division by zero")
    refused(make(1 / q >= ZERO, Invert(Fact("q >= 0")), Q_NONNEGATIVE), "divisor")
    refused(make(q >= ZERO, q_over_q(), Q_NONNEGATIVE), "not known to be positive")
    hidden = Condition("hidden", 1 / q >= ZERO)
    refused(make(p**2 >= ZERO, Square(p), hidden), "not been proved positive")


def q_over_q():
    return times(Fact("q >= 0"), Invert(Fact("q >= 0")))


def test_a_random_divisor_inside_an_expectation():
    positive = Condition("value > 0", Value(f_b, y) > ZERO)
    refused(
        make(
            Mean(1 / Value(f_b, y)) <= 1,
            NOTHING,
            positive,
            divisors=(Fact("value > 0"),),
        ),
        "random",
    )


def test_means_do_not_multiply():
    """E[f_b g_b] is not E f_b E g_b, and E of a gradient at a random point is not the gradient."""
    refused(make(Mean(Value(f_b, x) ** 2).equals(Value(f, x) ** 2), NOTHING), "not the claim")
    moved = x + Gradient(f_b, x)
    refused(make(Mean(Value(f_b, moved)).equals(Value(f, moved)), NOTHING), "not the claim")
    refused(make(Mean(Inner(x, H_b(H_b(x)))).equals(Inner(x, H(H(x)))), NOTHING), "not the claim")
    refused(
        make(
            Mean(Inner(Gradient(f_b, x), Gradient(f_b, y))).equals(
                Inner(Gradient(f, x), Gradient(f, y))
            ),
            NOTHING,
        ),
        "not the claim",
    )


def test_operators_do_not_commute():
    K = Operator("K", symmetric=True)
    proved(make(Inner(x, H(K(y))).equals(Inner(K(H(x)), y)), NOTHING))
    refused(make(Inner(x, H(K(y))).equals(Inner(x, K(H(y)))), NOTHING), "not the claim")


def test_a_hypothesis_about_the_arbitrary_point():
    small = Condition("small", norm2(x) <= 1)
    refused(make(norm2(x) <= 1, Fact("small"), small), "mentions x")
    bounded = Condition("bounded", Along(norm2(y), Time()) <= 1)
    refused(make(p**2 >= ZERO, Square(p), bounded), "mentions the time")


def test_a_starting_point_that_is_not_a_point():
    claim = Along(norm2(x), Time(False)).equals(norm2(x))
    refused(make(claim, Start(norm2(x)), dynamics=Dynamics(GD, f, x)), "starting point")
    refused(
        make(claim, Start(norm2(x)), dynamics=Dynamics(GD, f, Gradient(f_b, y))), "starting point"
    )


def test_capture_in_a_rule_with_an_expectation():
    """E|H_b u|² <= |u|² for fixed u says nothing of a u that depends on b."""
    rule = Rule("at", (u,), Mean(norm2(H_b(u))) <= norm2(u))
    assumption = Assumption("bounded", "", "", (rule,))
    at_random = RuleAt("bounded", "at", (Gradient(f_b, x),))
    claim = Mean(norm2(H_b(Gradient(f_b, x)))) <= norm2(Gradient(f_b, x))
    refused(make(claim, at_random, assumption), "capture")
    proved(make(Mean(norm2(H_b(y))) <= norm2(y), RuleAt("bounded", "at", (y,)), assumption))


def test_capture_in_the_tower_rule():
    quantity = Mean(Value(f_b, x))
    claim = Along(quantity, Time(shift=1)).equals(
        Along(Mean(Value(f_b, x - Param("step_size") * Gradient(f_b, x))), Time())
    )
    sgd = Dynamics(theory.SGD, f, Named("x_0"))
    refused(make(claim, Tower(quantity, Time()), dynamics=sgd), "depend on x alone")
    refused(make(claim, Tower(Value(f_b, x), Time()), dynamics=sgd), "depend on x alone")


def test_an_expectation_along_the_trajectory_of_something_random():
    psd = positive_semidefinite("psd", H_b, "")
    claim = Along(Inner(x, H_b(x)), Time()) >= ZERO
    refused(make(claim, AlongOf(RuleAt("psd", "psd", (x,)), Time()), psd), "depends on the sample")


def test_the_wrong_number_of_vectors_and_the_wrong_rule():
    psd = positive_semidefinite("psd", H_b, "")
    refused(make(norm2(x) >= ZERO, RuleAt("psd", "psd", (x, y)), psd), "wants 1 vectors")
    refused(make(norm2(x) >= ZERO, RuleAt("psd", "smooth", (x,)), psd), "with a rule 'smooth'")


def test_case_split_needs_its_condition():
    claim = q**2 >= ZERO
    refused(make(claim, ZeroOrPositive("p > 0", NOTHING, Square(q)), P_POSITIVE), "0 <= parameter")
    shifted = Condition("q >= 1", scalar(1) <= q)
    refused(make(claim, ZeroOrPositive("q >= 1", NOTHING, Square(q)), shifted), "0 <= parameter")
    product = Condition("pq >= 0", p * q >= ZERO)
    refused(make(claim, ZeroOrPositive("pq >= 0", NOTHING, Square(q)), product), "on a parameter")


def test_case_split_checks_both_cases():
    good = ZeroOrPositive("q >= 0", NOTHING, times(Fact("q >= 0"), Fact("q >= 0")))
    proved(make(q**2 >= ZERO, good, Q_NONNEGATIVE))
    refused(make(q**2 - q >= ZERO, good, Q_NONNEGATIVE), "not the claim")
    # false at zero only: the positive case alone must not do
    claim = scalar(1) <= 1 + q - 1
    refused(make(claim, ZeroOrPositive("q >= 0", NOTHING, NOTHING), Q_NONNEGATIVE), "not the claim")


def test_a_divisor_that_vanishes_in_a_case():
    claim = q / q >= ZERO
    split = ZeroOrPositive("q >= 0", NOTHING, times(Fact("q >= 0"), Invert(Fact("q >= 0"))))
    refused(make(claim, split, Q_NONNEGATIVE), "divi")


def test_induction_checks_base_and_step():
    power = q ** Time()
    proved(make(power >= ZERO, PowerOf(Fact("q >= 0"), Time()), Q_NONNEGATIVE))
    good = Induction(number(1), times(Fact("q >= 0"), Fact("induction")))
    proved(make(power >= ZERO, good, Q_NONNEGATIVE))
    wrong_base = Induction(NOTHING, times(Fact("q >= 0"), Fact("induction")))
    refused(make(power >= ZERO, wrong_base, Q_NONNEGATIVE), "not the claim")
    wrong_step = Induction(number(1), Fact("induction"))
    refused(make(power >= ZERO, wrong_step, Q_NONNEGATIVE), "not the claim")
    refused(make(power >= ZERO, PowerOf(Square(q), Time())), "not the claim")


def test_the_base_may_not_use_the_induction_hypothesis():
    circular = Induction(Fact("induction"), Fact("induction"))
    refused(make(q ** Time() <= 1, circular, Q_NONNEGATIVE), "no fact named 'induction'")


def test_decay_needs_a_one_step_lemma_for_this_algorithm():
    claim = Along(norm2(x), Time()) <= norm2(Named("x_0"))
    contraction = Assumption(
        "contraction", "", "", (Rule("at", (u,), Mean(norm2(u - H_b(u))) <= norm2(u)),)
    )
    one_step = Step(
        "one step",
        Mean(norm2(x - H_b(x))) <= norm2(x),
        RuleAt("contraction", "at", (x,)),
        "",
    )
    decay = geometric_decay(norm2(x), number(1), "one step")
    for algorithm in (GD, SAM):
        dynamics = Dynamics(algorithm, H, Named("x_0"))
        refused(
            make(claim, decay, contraction, before=(one_step,), dynamics=dynamics), "not the claim"
        )


@pytest.mark.parametrize("algorithm", [NORMALIZED_SAM, SamSpec("fresh", fresh_batch=True)])
def test_algorithms_that_the_language_cannot_state(algorithm):
    refused(make(p**2 >= ZERO, Square(p), dynamics=Dynamics(algorithm, f, y)), "cannot state")


def test_floats_are_not_numbers():
    with pytest.raises(TypeError, match=r"0\.1 is not exact"):
        p + 0.1
    with pytest.raises(TypeError, match="True is not exact"):
        scalar(True)


def test_sums_keep_the_stronger_sign_and_products_the_weaker():
    proved(make(p + q > ZERO, add(Fact("p > 0"), Fact("q >= 0")), P_POSITIVE, Q_NONNEGATIVE))
    refused(
        make(p * q > ZERO, times(Fact("p > 0"), Fact("q >= 0")), P_POSITIVE, Q_NONNEGATIVE),
        "strict",
    )
    refused(make(Const(Fraction(0)) > ZERO, Number(Fraction(0))), "strict")
