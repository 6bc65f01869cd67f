"""Refutations that refute nothing: a hypothesis fails, the claim holds, a number is none."""

import dataclasses
from fractions import Fraction

import pytest
from small import P_POSITIVE, H, P, f, f_b, make, p, q, refused, u, x, y

import theory
from theory import opinions as checkers
from theory.opinions import Opinion, coq_checker, z3_checker
from theory.proving.assumptions import ZERO
from theory.proving.building import UNPROVED
from theory.proving.witnesses import completed, witness
from theory.trusted.certificates import Fact, Square
from theory.trusted.statements import Assumption, Rule, Status
from theory.trusted.terms import Along, Inner, Operator, Time, Value, norm2

ONE = [[[1]]]
FALSE = p <= 1  # at p = 2
AT_TWO = witness({"p": 2}, {}, ONE)


def claimed(claim, refutation, *hypotheses, certificate=UNPROVED, **more):
    """A claim without proof, and an instance that should refute it."""
    theorem = make(claim, certificate, *hypotheses, **more)
    return dataclasses.replace(theorem, refutation=refutation)


def refuted(theorem):
    report = theory.check(theorem)
    assert report.status is Status.REFUTED, report.reason
    return report


def test_what_a_refutation_is():
    failure = refuted(claimed(FALSE, AT_TWO, P_POSITIVE)).failure
    assert (failure.left, failure.sign, failure.right) == (2, "<=", 1)
    refuted(claimed(p < 2, AT_TWO, P_POSITIVE))
    refuted(claimed(p.equals(1), AT_TWO, P_POSITIVE))
    refuted(claimed(FALSE, AT_TWO))


@pytest.mark.parametrize(
    ("refutation", "reason"),
    [
        (witness({"p": 1}, {}, ONE), "every conclusion holds in it"),
        (witness({"p": -1}, {}, ONE), "the hypothesis 'p > 0' fails in it"),
        (witness({}, {}, ONE), "it gives no value to 'p'"),
        (witness({"p": 2}, {}, []), "needs samples"),
        (witness({"p": 2}, {}, [[[0, 1], [2, 0]]]), "not symmetric"),
        (witness({"p": 2}, {}, ONE, {"P": [[1, 0], [0, 1]]}), "not of size 1"),
        (
            dataclasses.replace(AT_TWO, parameters=(("p", Fraction(1)), ("p", Fraction(2)))),
            "two values to one name",
        ),
        (
            dataclasses.replace(AT_TWO, operators=(("P", ()), ("P", ()))),
            "two values to one name",
        ),
        (dataclasses.replace(AT_TWO, parameters=(("p", 2.0),)), "Witness.parameters"),
        (dataclasses.replace(AT_TWO, operators=(("P", (((1,),),)),)), "Witness.operators"),
    ],
)
def test_instances_that_refute_nothing(refutation, reason):
    refused(claimed(FALSE, refutation, P_POSITIVE), reason)


def test_a_hypothesis_without_a_name_counts():
    nameless = dataclasses.replace(P_POSITIVE, name="")
    below = witness({"p": -1}, {}, ONE)
    refused(claimed(p >= ZERO, below, nameless), "the hypothesis '' fails in it")
    proved = make(p**2 >= ZERO, Square(p), nameless)
    refused(dataclasses.replace(proved, witness=below), "'' fails in the witness")


def test_a_step_that_is_not_the_conclusion_refutes_nothing():
    theorem = claimed(FALSE, AT_TWO, P_POSITIVE)
    for conclusion in ((), ("another",)):
        changed = dataclasses.replace(theorem, conclusion=conclusion)
        assert theory.check(changed).status is Status.UNDECIDED
    aside = dataclasses.replace(theorem.proof[0], name="aside", claim=p <= 2)
    several = dataclasses.replace(theorem, proof=(aside, *theorem.proof), conclusion=("aside",))
    refused(several, "every conclusion holds")
    twice = dataclasses.replace(theorem, proof=theorem.proof * 2)
    refused(twice, "names no step, or one of two")


def test_what_is_claimed_of_the_trajectory_is_not_decided():
    at = witness({"p": 2}, {"x": [1], "x_0": [1]}, ONE)
    for claim in (Along(norm2(x), Time()) <= ZERO, p ** Time() <= ZERO):
        refused(claimed(claim, at), "has no value in an instance")


def test_the_arbitrary_point_is_refuted_at_one_point():
    claim = Value(f, x) <= ZERO
    assert refuted(claimed(claim, witness({}, {"x": [1]}, ONE))).failure.left == Fraction(1, 2)
    refused(claimed(claim, witness({}, {"x": [0]}, ONE)), "every conclusion holds")
    refused(claimed(claim, witness({}, {}, ONE)), "no value to 'x'")


def test_one_sample_refutes_what_is_claimed_of_all():
    claim = Value(f_b, y) <= 1
    at = witness({}, {"y": [2]}, [[[0]], [[1]]])
    assert refuted(claimed(claim, at)).failure.left == 2
    refused(claimed(Value(f, y) <= 1, at), "every conclusion holds")


def test_a_divisor_that_vanishes():
    refused(claimed(1 / (p - 2) <= ZERO, AT_TWO), "a divisor is zero")


def test_an_operator_with_one_matrix_has_it_for_every_sample():
    claim = Inner(u, P(u)) <= norm2(u)
    at = witness({}, {"u": [1]}, [[[0]], [[4]]], {"P": [[3]]})
    assert refuted(claimed(claim, at)).failure.left == 3
    sampled = Inner(u, Operator("P", sampled=True, symmetric=True)(u)) <= norm2(u)
    assert refuted(claimed(sampled, at)).failure.left == 3
    mean = claimed(Inner(u, H(u)) <= norm2(u), at)
    assert refuted(mean).failure.left == 2
    convex = Assumption("P >= 0", "", "", (Rule("at", (u,), Inner(u, P(u)) >= ZERO),))
    refuted(claimed(claim, at, convex))
    below = dataclasses.replace(at, operators=(("P", (((Fraction(-3),),),)),))
    refused(claimed(claim, below, convex), "'P >= 0' fails in it")


def test_a_proof_does_not_save_a_theorem_with_a_refutation():
    """And neither does a refutation that is none: it is undecided until it is taken out."""
    theorem = make(p**2 >= ZERO, Square(p), P_POSITIVE)
    proved = completed(theorem)
    assert theory.check(proved).status is Status.PROVED
    refused(dataclasses.replace(proved, refutation=AT_TWO), "every conclusion holds")
    circular = claimed(FALSE, AT_TWO, P_POSITIVE, certificate=Fact("claim"))
    refuted(circular)


def test_what_is_claimed_without_proof_is_not_proved():
    refused(dataclasses.replace(claimed(FALSE, None, P_POSITIVE), witness=AT_TWO), "step 'claim'")


@pytest.mark.parametrize("checker", [z3_checker, coq_checker])
def test_second_opinions_do_not_refute_either(checker):
    theorem = claimed(FALSE, AT_TWO, P_POSITIVE)
    for instance in (witness({"p": 1}, {}, ONE), witness({}, {}, ONE), witness({"p": -1}, {}, ONE)):
        said = checker.opinion(dataclasses.replace(theorem, refutation=instance))
        assert said.verdict in ("undecided", "skipped"), said
    along = claimed(Along(norm2(x), Time()) <= ZERO, witness({}, {"x": [1], "x_0": [1]}, ONE))
    assert checker.opinion(along).verdict in ("undecided", "skipped")


def test_a_proof_of_what_is_refuted_is_an_error(monkeypatch):
    monkeypatch.setitem(checkers.SECOND_OPINIONS, "z3", lambda theorem: Opinion("proved"))
    verdict = checkers.examine(claimed(FALSE, AT_TWO, P_POSITIVE), ("z3",))
    assert verdict.status is Status.ERROR and not verdict.as_recorded


@pytest.mark.parametrize(
    ("verdict", "status"),
    [("undecided", "undecided"), ("skipped", "refuted"), ("refuted", "refuted")],
)
def test_a_second_opinion_that_does_not_contradict(monkeypatch, verdict, status):
    monkeypatch.setitem(checkers.SECOND_OPINIONS, "z3", lambda theorem: Opinion(verdict))
    said = checkers.examine(claimed(FALSE, AT_TWO, P_POSITIVE), ("z3",))
    assert said.status is Status(status)


def test_q_is_free():
    """A parameter that no hypothesis mentions may have any value."""
    refuted(claimed(q >= ZERO, witness({"p": 1, "q": -1}, {}, ONE), P_POSITIVE))
