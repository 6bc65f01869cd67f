"""Instances that lie: means that are none, roots that are none, matrices that are not symmetric."""

import dataclasses
import json
from fractions import Fraction

import pytest
from small import P_POSITIVE, H, H_b, P, f, f_b, make, p, proved, refused, u, y

import theory
from theory.opinions.ground import NoRefutation, statements
from theory.proving import models
from theory.proving.assumptions import ZERO, convex, interpolation, minimiser, polyak_lojasiewicz
from theory.proving.building import UNPROVED
from theory.proving.witnesses import algebraic, of_model, positive_root, quadratic, witness
from theory.search.refutation import refute
from theory.trusted.certificates import Square
from theory.trusted.instances import is_nonnegative
from theory.trusted.statements import (
    Algebraic,
    Assumption,
    Condition,
    Quadratic,
    Root,
    Rule,
    Status,
)
from theory.trusted.terms import Gradient, Inner, Mean, Named, Operator, Value, norm2
from theory.wire import decode, encode

J, J_b = Operator("J"), Operator("J", sampled=True)
v = Named("v")
ONE = [[[1]]]
S = algebraic(0, 1)
BOWL = quadratic([[1]])
TILTED = [quadratic([[1]], [1]), quadratic([[1]], [-1])]
LIFTED = [quadratic([[1]], [1], "1/2"), quadratic([[1]], [-1], "1/2")]


def about(given, *hypotheses):
    """A true claim under hypotheses, with a witness."""
    return dataclasses.replace(make(p**2 >= ZERO, Square(p), *hypotheses), witness=given)


def always(relation, *variables):
    return Assumption("rule", "", "", (Rule("at", variables, relation),))


def root(*polynomial, low, high):
    return Root(tuple(map(Fraction, polynomial)), Fraction(low), Fraction(high))


def with_s(its):
    return witness({"p": S}, {}, ONE, root=its)


@pytest.mark.parametrize(
    ("its", "reason"),
    [
        (root(-2, 0, 1, low=2, high=3), "has 0 in the interval"),
        (root(2, 0, 1, low=-5, high=5), "has 0 in the interval"),
        (root(-2, 0, 1, low=-2, high=2), "has 2 in the interval"),
        (root(4, 0, -5, 0, 1, low=-3, high=3), "has 4 in the interval"),
        (root(-2, 0, 1, low=2, high=1), "open interval"),
        (root(-2, 0, 1, low=1, high=1), "open interval"),
        (root(-4, 0, 1, low=0, high=2), "no root at its ends"),
        (root(-1, 1, low=1, high=2), "no root at its ends"),
        (root(low=0, high=1), "degree 1 to 8"),
        (root(3, low=0, high=1), "degree 1 to 8"),
        (root(0, 0, 0, low=-1, high=1), "degree 1 to 8"),
        (root(-2, *[0] * 8, 1, low=0, high=2), "degree 1 to 8"),
        (root(-2, 0, 1, *[0] * 50_000, low=0, high=2), "degree 1 to 8"),
        (root(-(2**200_000), 0, 1, low=0, high=2**200_000), "binary digits"),
    ],
)
def test_roots_that_are_not_one_number(its, reason):
    refused(about(with_s(its), P_POSITIVE), reason)


def test_a_number_in_a_root_that_nobody_declares():
    refused(about(witness({"p": S}, {}, ONE), P_POSITIVE), "does not declare")
    unused = witness({"p": 1}, {}, ONE, root=root(2, 0, 1, low=0, high=1))
    refused(about(unused, P_POSITIVE), "not determined")


def test_a_number_in_needless_powers():
    long = witness({"p": algebraic(*[0] * 100_000, 1)}, {}, ONE, root=positive_root(2))
    refused(about(long, P_POSITIVE), "more than 8 powers of s")


def test_a_root_with_the_other_sign():
    minus = root(-2, 0, 1, low=-2, high=0)
    refused(about(with_s(minus), P_POSITIVE), "'p > 0' fails")
    proved(about(with_s(positive_root(2)), P_POSITIVE))


@pytest.mark.parametrize("relation", [p**2 < 2, p**2 > 2, p < 1, p <= Fraction(14142, 10000)])
def test_what_is_false_of_the_square_root_of_two(relation):
    refused(about(with_s(positive_root(2)), Condition("c", relation)), "'c' fails")


@pytest.mark.parametrize(
    "relation",
    [
        (p**2).equals(2),
        p**2 <= 2,
        p**2 >= 2,
        Fraction(14142, 10000) < p,
        p < Fraction(14143, 10000),
    ],
)
def test_what_is_true_of_the_square_root_of_two(relation):
    proved(about(with_s(positive_root(2)), Condition("c", relation)))


def test_the_root_of_a_square_is_a_rational_and_no_divisor_of_zero():
    """s² = 4 makes (s - 2)(s + 2) zero in Q[s]/(s² - 4), where neither factor is; here one is."""
    two = with_s(positive_root(4))
    proved(about(two, Condition("c", p.equals(2))))
    refused(about(two, Condition("c", p > 2)), "fails")
    refused(about(two, always(1 / (p - 2) * norm2(u) >= ZERO, u)), "a divisor is zero")
    proved(about(two, always((4 / (p + 2) * norm2(u)).equals(norm2(u)), u)))


def test_a_number_as_long_as_a_book():
    hypothesis = Condition("c", ((p**64) ** 64) ** 64 >= ZERO)
    refused(about(witness({"p": 3**200}, {}, ONE), hypothesis), "binary digits")
    refused(about(witness({"p": algebraic(3**200, 1)}, {}, ONE, root=positive_root(2)), hypothesis),
            "binary digits")  # fmt: skip


def test_a_symmetric_operator_has_symmetric_matrices():
    skew = witness({}, {}, ONE, {"P": [[0, 1], [-1, 0]]})
    plain = [[[1, 0], [0, 1]]]
    skew = witness({}, {}, plain, {"P": [[0, 1], [-1, 0]], "J": [[0, 1], [-1, 0]]})
    flat = always(Inner(u, P(u)).equals(ZERO), u)
    refused(about(skew, flat), "'P' is symmetric, and its matrix is not")
    proved(about(skew, always(Inner(u, J(u)).equals(ZERO), u)))
    one_of_two = witness({}, {}, plain, {"P": [[[1, 2], [2, 1]], [[1, 2], [0, 1]]]})
    P_b = Operator("P", sampled=True, symmetric=True)
    refused(about(one_of_two, always(Mean(norm2(P_b(u))) >= ZERO, u)), "is symmetric")
    refused(about(one_of_two, always(norm2(P(u)) >= ZERO, u)), "is symmetric")
    curved = witness({}, {}, [[[1, 2], [0, 1]]])
    refused(about(curved, always(norm2(H(u)) >= ZERO, u)), "not symmetric")
    bent = witness({}, {}, (), functions={"f": [quadratic([[1, 2], [0, 1]])]})
    refused(about(bent, always(Value(f, u) >= ZERO, u)), "not symmetric")


def test_the_adjoint_is_the_transposed_matrix():
    given = witness({}, {}, (), {"J": [[1, 2], [3, 4]]})
    for left, right, holds in ((J, J.adjoint, True), (J, J, False), (J.adjoint, J.adjoint, False)):
        theorem = about(given, always(Inner(u, left(v)).equals(Inner(right(u), v)), u, v))
        if holds:
            proved(theorem)
        else:
            refused(theorem, "fails")
    refused(about(given, always(norm2(J(u)).equals(norm2(J.adjoint(u))), u)), "fails")


def test_the_mean_is_that_of_the_samples_and_nothing_else():
    """There is no place for another mean in the data; that of n samples is theirs."""
    given = witness({}, {"y": [1]}, (), {"J": [[[1]], [[5]]]}, {"f": TILTED})
    right = (
        Condition("J", Inner(y, J(y)).equals(3)),
        Condition("f", Value(f, y).equals(Mean(Value(f_b, y)))),
        Condition("slope", Inner(Gradient(f, y), y).equals(1)),
    )
    proved(about(given, *right))
    for wrong in (Inner(y, J(y)).equals(1), Value(f, y) > Mean(Value(f_b, y)), Value(f, y) <= ZERO):
        refused(about(given, Condition("wrong", wrong)), "'wrong' fails")
    with pytest.raises(ValueError, match="no others"):
        decode(json.loads(json.dumps(encode(given))) | {"mean": []})


@pytest.mark.parametrize(
    "given",
    [
        witness({}, {"y": [1]}, [[[1]], [[2]]], {"J": [[[1]], [[2]], [[3]]]}),
        witness({}, {"y": [1]}, [[[1]], [[2]], [[3]]], {}, {"f": [BOWL, BOWL]}),
        witness({}, {"y": [1]}, (), {"J": [[[1]], [[2]], [[3]]]}, {"f": [BOWL, BOWL]}),
        witness({}, {"y": [1]}, [[[1]], [[2]], [[3]], [[4]]], {"J": [[[1]], [[2]]]}),
    ],
)
def test_samples_in_different_numbers(given):
    refused(about(given, Condition("c", norm2(y) > ZERO)), "different numbers of samples")


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (witness({}, {}, (), {"J": []}), "needs samples"),
        (witness({}, {}, ONE, {}, {"f": []}), "needs samples"),
        (witness({}, {}, (), {"J": [[1, 2]]}), "not of size 1"),
        (witness({}, {}, (), {"J": [[1, 2], [3]]}), "not of size 2"),
        (witness({}, {}, (), {}, {"f": [quadratic([[1]], [1, 2])]}), "not of size 1"),
        (witness({}, {"y": [1, 2]}, (), {}, {"f": [BOWL]}), "not of size 1"),
        (witness({}, {}, ONE, {"J": [[1, 0], [0, 1]]}), "not of size 1"),
        (witness({}, {}, (), {"J": [[1] * 33] * 33}), "at most 1024 numbers"),
        (witness({}, {}, (), {}, {"f": [quadratic([[1] * 8] * 8)] * 17}), "at most 1024 numbers"),
        (
            dataclasses.replace(witness({}, {}, ONE), functions=(("f", (BOWL,)), ("f", (BOWL,)))),
            "two values to one name",
        ),
    ],
)
def test_data_that_do_not_fit(given, reason):
    refused(about(given, always(norm2(u) >= ZERO, u)), reason)


def test_a_symbol_without_data():
    given = witness({}, {}, (), {"J": [[1]]})
    refused(about(given, always(Value(f, u) >= ZERO, u)), "gives no value to 'f'")
    refused(about(given, always(Inner(u, H_b(u)) >= ZERO, u)), "gives no value to 'H'")
    proved(about(given, always(norm2(J_b(u)) >= ZERO, u)))


def test_a_linear_term_makes_a_function_negative_somewhere():
    """Interpolation with noise at the minimum: each f_b dips below zero, unless it is lifted."""
    given = witness({}, {}, (), {}, {"f": TILTED})
    refused(about(given, interpolation("low", f_b)), "'low' fails")
    lifted = witness({}, {}, (), {}, {"f": LIFTED})
    proved(about(lifted, interpolation("low", f_b)))
    refused(about(lifted, polyak_lojasiewicz("PL", f, p, "half"), P_POSITIVE), "no value to 'p'")
    lifted = dataclasses.replace(lifted, parameters=(("p", Fraction(1)),))
    refused(about(lifted, polyak_lojasiewicz("PL", f, p, "half"), P_POSITIVE), "'PL' fails")
    given = dataclasses.replace(given, parameters=(("p", Fraction(1)),))
    proved(about(given, polyak_lojasiewicz("PL", f, p, "half"), P_POSITIVE))


def test_an_affine_function_is_convex_and_not_bounded_below():
    slope = witness({}, {"y": [0]}, (), {}, {"f": [quadratic([[0]], [1])]})
    proved(about(slope, convex("class", f)))
    refused(about(slope, always(Value(f, u) >= ZERO, u)), "fails")
    refused(about(slope, minimiser("minimiser", f, y)), "'minimiser' fails")
    constant = witness({}, {"y": [0]}, (), {}, {"f": [quadratic([[0]], [0], -1)]})
    refused(about(constant, always(Value(f, u) >= ZERO, u)), "fails")
    proved(about(constant, minimiser("minimiser", f, y)))


def test_signs_in_two_variables_with_irrational_numbers():
    """u² - 2√2 uv + 2v² is a square; with a hair less than 2 it is not."""
    s, t = Inner(u, u), Inner(v, v)
    form = s - 2 * p * Inner(u, v)
    given = with_s(positive_root(2))
    proved(about(given, always(form + 2 * t >= ZERO, u, v)))
    refused(about(given, always(form + (2 - Fraction(1, 10**50)) * t >= ZERO, u, v)), "fails")
    assert is_nonnegative({})


@pytest.mark.parametrize(
    "changed",
    [
        {"root": Root((-2, 0, 1), Fraction(1), Fraction(2))},
        {"root": "√2"},
        {"parameters": (("p", Algebraic((1, 2))),)},
        {"parameters": (("p", Algebraic([Fraction(1)])),)},
        {"functions": (("f", (Quadratic(((Fraction(1),),), (1,), Fraction(0)),)),)},
        {"functions": (("f", Quadratic((), (), Fraction(0))),)},
        {"operators": (("J", ((Fraction(1),),)),)},
    ],
)
def test_data_of_another_type(changed):
    given = dataclasses.replace(with_s(positive_root(2)), **changed)
    refused(about(given, P_POSITIVE), "declared otherwise")


def test_the_wire_is_exact():
    given = witness(
        {"p": S}, {"y": [S]}, (), {"J": [[[S]], [[2]]]}, {"f": LIFTED}, positive_root(2)
    )
    assert decode(json.loads(json.dumps(encode(given)))) == given


def refuting(claim, given, *hypotheses):
    return theory.check(dataclasses.replace(make(claim, UNPROVED, *hypotheses), refutation=given))


def test_a_false_statement_about_noise_at_the_minimum_is_refuted():
    """Without interpolation the samples' gradients do not vanish where that of the mean does."""
    given = witness({}, {"y": [0]}, (), {}, {"f": TILTED})
    flat = minimiser("minimiser", f, y)
    report = refuting(Mean(norm2(Gradient(f_b, y))) <= ZERO, given, flat, convex("class", f_b))
    assert report.status is Status.REFUTED and report.failure.left == 1
    report = refuting(Mean(norm2(Gradient(f_b, y))) <= 1, given, flat)
    assert report.status is Status.UNDECIDED and "every conclusion holds" in report.reason


def test_a_refutation_with_an_irrational_number():
    report = refuting(2 * p <= 2, with_s(positive_root(2)), P_POSITIVE)
    assert report.status is Status.REFUTED and "2 s <= 2 is false" in report.reason
    assert refuting(p**2 <= 2, with_s(positive_root(2)), P_POSITIVE).status is Status.UNDECIDED
    theorem = make(2 * p <= 2, UNPROVED, P_POSITIVE)
    with pytest.raises(NoRefutation, match="not all of its numbers are rational"):
        statements(dataclasses.replace(theorem, refutation=with_s(positive_root(2))))


@pytest.mark.parametrize(
    ("claim", "hypotheses"),
    [
        (Mean(norm2(Gradient(f_b, y))) <= ZERO, (minimiser("minimiser", f, y),)),
        (Mean(Value(f_b, y)) >= ZERO, (minimiser("minimiser", f, y),)),
        (norm2(J(y)) <= norm2(J.adjoint(y)), ()),
        (norm2(y - J(y)) <= norm2(y), (always(Inner(u, J(v)).equals(-Inner(J(u), v)), u, v),)),
    ],
)
def test_the_search_finds_such_refutations(claim, hypotheses):
    """Noise at the minimum, a minimum value below 0, operators that are not symmetric, or skew."""
    theorem = make(claim, UNPROVED, *hypotheses)
    found = refute(theorem, seconds=60)
    given = of_model(found)
    assert models.refutes(found, theorem)
    refuted = dataclasses.replace(theorem, refutation=given)
    assert theory.check(refuted).status is Status.REFUTED
