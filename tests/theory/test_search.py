"""The search finds known results, in seconds, and does not find what is false by little."""

import dataclasses
from fractions import Fraction

import pytest
from search_cases import (
    AT_SGD,
    BETA,
    CRITICAL,
    GD_CLASS,
    KNOWN,
    L_POSITIVE,
    MU,
    RADIUS,
    SGD,
    SHORT,
    SMOOTH,
    STEP,
    A,
    B,
    a,
    after,
    b,
    beta_rho,
    bregman,
    check_found,
    check_not_found,
    distance,
    eta,
    g,
    gap,
    implicit,
    p,
    perturbed,
    prove,
    q,
    sam,
    statement,
    y,
)

import theory
from theory.library import _pl as pl
from theory.library import sgd_pl_linear
from theory.proving import models
from theory.proving.assumptions import (
    ZERO,
    convex,
    polyak_lojasiewicz,
    smooth,
    smooth_convex,
)
from theory.proving.building import with_rate
from theory.search import SearchStatus
from theory.trusted.certificates import RuleAt, Square, ZeroOrPositive
from theory.trusted.notation import L, beta, f, f_b, mu, radius, x, x_0
from theory.trusted.statements import (
    Condition,
    Dynamics,
    Status,
    Step,
)
from theory.trusted.terms import Gradient, Inner, Mean, Value, nodes, norm2


@pytest.mark.parametrize(("hypotheses", "left", "right", "points", "hair"), KNOWN)
def test_known_results_are_found(hypotheses, left, right, points, hair):
    outcome = prove(statement(*hypotheses), "claim", left <= right, points=points)
    check_found(outcome, left <= right)


@pytest.mark.parametrize(("hypotheses", "left", "right", "points", "hair"), KNOWN)
def test_results_that_are_false_by_little_are_refuted(hypotheses, left, right, points, hair):
    given = statement(*hypotheses)
    claim = left <= hair * right
    # the first counterexample ends the search: the limit is for a machine that is busy
    outcome = prove(given, "claim", claim, points=points, refute_seconds=60)
    check_not_found(outcome)
    assert outcome.status is SearchStatus.REFUTED, outcome.reason
    claimed = Step("claim", claim, Square(ZERO), "")
    refuted = dataclasses.replace(given, proof=(claimed,), conclusion=("claim",))
    assert models.refutes(outcome.counterexample, refuted)


@pytest.mark.parametrize(
    ("hypotheses", "claim"),
    [
        ((SMOOTH, L_POSITIVE), bregman(x, y) >= ZERO),
        (
            (SMOOTH, L_POSITIVE, STEP, Condition("range", eta <= 1 / L)),
            norm2(after - (y - eta * Gradient(f, y))) <= norm2(x - y),
        ),
    ],
)
def test_what_holds_for_convex_functions_alone_is_refuted(hypotheses, claim):
    given = statement(*hypotheses)
    outcome = prove(given, "claim", claim, refute_seconds=60)
    check_not_found(outcome)
    assert outcome.status is SearchStatus.REFUTED, outcome.reason
    claimed = Step("claim", claim, Square(ZERO), "")
    refuted = dataclasses.replace(given, proof=(claimed,), conclusion=("claim",))
    assert models.refutes(outcome.counterexample, refuted)


def test_what_quadratics_cannot_refute_is_still_not_found():
    given = statement(convex("class", f), CRITICAL, STEP)
    claim = distance(y) <= distance(implicit) - 2 * eta * gap(y)
    check_found(prove(given, "claim", claim), claim)
    too_much = distance(y) <= distance(implicit) - Fraction(201, 100) * eta * gap(y)
    outcome = prove(given, "claim", too_much)
    check_not_found(outcome)
    assert outcome.status is SearchStatus.INFEASIBLE
    assert "step_size = " in outcome.reason


def test_two_properties_apart_can_say_less_than_both_together():
    """Convexity and a Lipschitz gradient, as two rules, are not co-coercivity."""
    claim = norm2(Gradient(f, after)) <= norm2(g)
    shared = (L_POSITIVE, Condition("step", eta > ZERO), Condition("range", eta <= 2 / L))
    check_found(prove(statement(smooth_convex("class", f, L), *shared), "claim", claim), claim)
    apart = (convex("convex", f), smooth("smooth", f, L, "", ("lipschitz",)))
    outcome = prove(statement(*apart, *shared), "claim", claim)
    check_not_found(outcome)
    assert outcome.status is SearchStatus.INFEASIBLE


@pytest.mark.parametrize("seed", range(3))
def test_the_random_points_do_not_matter(seed):
    claim = distance(after) <= (1 - eta * mu) ** 2 * distance(x)
    check_found(prove(statement(*GD_CLASS, SHORT), "claim", claim, seed=seed), claim)


def test_a_multiplier_with_room_is_set_to_something_simple():
    claim = distance(after) <= (1 - eta * mu) * distance(x)
    given = statement(*GD_CLASS, Condition("range", eta <= 1 / L))
    check_found(prove(given, "claim", claim), claim)


def test_a_step_of_sam_decreases_the_distance_for_convex_losses_whatever_the_conditioning():
    limit = 1 / beta * (1 - beta_rho**2 / (1 + 2 * beta_rho))
    given = statement(
        *(smooth_convex("class", f, beta), CRITICAL, BETA, RADIUS, STEP),
        Condition("range", eta <= limit),
    )
    claim = distance(sam) <= distance(x) - 2 * eta * gap(x)
    check_found(prove(given, "claim", claim), claim)


@pytest.mark.slow
def test_what_needs_a_division_by_a_parameter_that_may_vanish_is_proved_by_cases():
    """Convexity gives the angle times the radius: at radius 0 it is another argument."""
    given = statement(smooth_convex("class", f, L), L_POSITIVE, RADIUS)
    slope = Gradient(f, perturbed)
    angle = Inner(slope, g) >= norm2(g)
    outcome = prove(given, "angle", angle)
    check_found(outcome, angle)
    assert isinstance(outcome.theorem.proof[-1].certificate, ZeroOrPositive)
    # A second split on the same condition, after the first; the first is used in both cases.
    longer = norm2(slope) >= norm2(g)
    twice = prove(outcome.theorem, "longer", longer).theorem
    again = prove(twice, "angle, by cases once more", Inner(slope, g) >= norm2(g) * Fraction(1, 2))
    assert again.status is SearchStatus.FOUND
    beyond = prove(given, "angle", Inner(slope, g) >= Fraction(101, 100) * norm2(g))
    assert beyond.status is SearchStatus.REFUTED


@pytest.mark.parametrize("claim", [radius > ZERO, radius <= ZERO, radius * L > ZERO])
def test_what_holds_in_one_case_alone_is_not_proved(claim):
    outcome = prove(statement(L_POSITIVE, RADIUS), "claim", claim)
    check_not_found(outcome)
    assert outcome.status is SearchStatus.REFUTED


def test_equalities_and_strict_claims_between_parameters():
    variance = Mean(norm2(Gradient(f_b, x) - g)).equals(Mean(norm2(Gradient(f_b, x))) - norm2(g))
    check_found(prove(statement(), "claim", variance), variance)
    wrong = Mean(norm2(Gradient(f_b, x) - g)).equals(Mean(norm2(Gradient(f_b, x))))
    check_not_found(prove(statement(), "claim", wrong))
    for claim in (a * b < 1 + a**2 + b**2, ((a + b) ** 2).equals(a**2 + 2 * a * b + b**2)):
        check_found(prove(statement(A, B), "claim", claim), claim)
    for claim in (a * b < a**2 + b**2, (a + b).equals(a)):
        outcome = prove(statement(A, B), "claim", claim)
        check_not_found(outcome)
        assert outcome.status is SearchStatus.REFUTED
    fixed = Condition("a is 2b", a.equals(2 * b))
    check_found(prove(statement(fixed, B), "claim", a * b <= a**2), a * b <= a**2)


def test_steps_build_on_each_other():
    given = statement(SMOOTH, polyak_lojasiewicz("PL", f, mu, "half"), L_POSITIVE, MU, STEP)
    given = dataclasses.replace(given, dynamics=Dynamics(theory.GD, f, x_0))
    short = Condition("range", eta <= 1 / L)
    given = dataclasses.replace(given, hypotheses=(*given.hypotheses, short))
    descent = Value(f, after) <= Value(f, x) - eta / 2 * norm2(g)
    first = prove(given, "descent", descent)
    check_found(first, descent)
    # the second step has no points: it can only combine the first step with PL
    rate = Value(f, after) <= (1 - eta * mu) * Value(f, x)
    second = prove(first.theorem, "one step", rate, points=(x,))
    check_found(second, rate)
    assert second.theorem.conclusion == ("descent", "one step")
    short_factor = 1 - eta * mu >= ZERO
    order = Condition("order", mu <= L)
    ordered = dataclasses.replace(
        second.theorem, hypotheses=(*given.hypotheses, order), witness=None
    )
    third = prove(ordered, "factor", short_factor)
    check_found(third, short_factor)


def test_a_rate_follows_from_one_step():
    given = dataclasses.replace(statement(*GD_CLASS, SHORT), dynamics=Dynamics(theory.GD, f, x_0))
    factor = (1 - eta * mu) ** 2
    found = prove(given, "one step", distance(after) <= factor * distance(x)).theorem
    rated = with_rate(found, "one step", distance(x), factor, Square(1 - eta * mu))
    assert theory.check(rated).status is Status.PROVED
    other = with_rate(found, "one step", distance(x), factor**2, Square((1 - eta * mu) ** 2))
    assert theory.check(other).status is Status.UNDECIDED
    with pytest.raises(ValueError, match="runs no algorithm"):
        with_rate(statement(), "one step", distance(x), factor, Square(a))


def test_the_library_proof_of_sgd_is_found_again():
    claim = sgd_pl_linear.one_step.claim
    found = prove(statement(*SGD), "claim", claim, points=AT_SGD).theorem
    used = {n.assumption for n in nodes(found.proof[-1].certificate) if isinstance(n, RuleAt)}
    assert used == {"smooth samples", "smooth mean", "interpolation", "PL"}
    without = statement(*(h for h in SGD if h is not pl.INTERPOLATION))
    check_not_found(prove(without, "claim", claim, points=AT_SGD))


def test_contradictory_hypotheses_prove_nothing():
    check_not_found(prove(statement(A, Condition("b", a <= -1)), "claim", 2 * a <= a - 1))
    claim = norm2(p) <= norm2(q)
    check_not_found(prove(statement(A, Condition("b", a <= -1)), "claim", claim))


@pytest.mark.slow
def test_what_the_search_does_not_treat_is_said():
    strict = prove(statement(A), "claim", norm2(p) < norm2(p) + 1)
    check_not_found(strict)
    assert "strict claims" in strict.reason
    fixed = prove(statement(Condition("a = 2", a.equals(2))), "claim", norm2(p) <= a * norm2(p))
    check_not_found(fixed)
    assert "substitute" in fixed.reason
    random_divisor = norm2(p) / norm2(q) <= 1 + norm2(p) / norm2(q)
    check_not_found(prove(statement(), "claim", random_divisor))


@pytest.mark.slow
def test_a_divisor_of_unknown_sign_is_not_divided_by():
    assert prove(statement(A), "claim", a / a <= 1).status is not SearchStatus.FOUND
    assert prove(statement(), "claim", norm2(p) / a <= norm2(p) / a).status is (
        SearchStatus.UNDECIDED
    )
