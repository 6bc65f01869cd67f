"""Change any constant, exponent, sign, sample or hypothesis: the kernel must notice."""

import functools
import random
from fractions import Fraction

import pytest
from small import PROVED, every

import theory
from theory.soundness import mutants, refuting, report
from theory.soundness.steps import accepts, places_of
from theory.trusted.statements import Status
from theory.trusted.terms import Const, Relation

all_mutants = functools.cache(lambda name: tuple(mutants.of_theorem(theory.get(name))))
every_theorem = every(PROVED)


def accepted_falsely(theorem, found):
    """The mutants that the kernel accepts although they claim something else."""
    places = {place.step.name: place for place in places_of(theorem)}
    return [
        f"{mutant.where}: {mutant.change}"
        for mutant in found
        if not mutant.weaker and not report.is_rejected(mutant, places)
    ]


@every_theorem
def test_no_mutant_of_a_sample_is_accepted(theorem):
    found = all_mutants(theorem.id)
    assert len(found) >= 20
    assert accepted_falsely(theorem, random.Random(0).sample(found, min(15, len(found)))) == []


@pytest.mark.slow
@every_theorem
def test_no_mutant_is_accepted_and_false_ones_have_counterexamples(theorem):
    found = report.mutate(theorem, budget=0)  # `make soundness` looks for more instances
    assert found.accepted == ()
    assert found.mutants == found.rejected + found.weaker
    assert found.refuted + found.easier + len(found.open) + found.untried == found.mutants
    assert found.refuted > 0


@every_theorem
def test_every_sort_of_mutant_is_there(theorem):
    found = all_mutants(theorem.id)
    words = {mutant.change.split(": ")[-1] for mutant in found}
    assert "right one percent up" in words
    assert {"one percent up", "sign", "exponent up"} & words
    for hypothesis in theorem.hypotheses:
        where = f"hypothesis {hypothesis.name!r}"
        assert any(m.where == where and m.change == "dropped" for m in found)
    for name in theorem.conclusion:
        assert any(m.claim == name for m in found)


@pytest.mark.slow
@every_theorem
def test_what_says_the_same_is_no_mutant(theorem):
    assert mutants.says_the_same(theorem, theorem)
    assert accepts(theorem) and theory.check(theorem).status is Status.PROVED
    for mutant in all_mutants(theorem.id)[:5]:
        assert not mutants.says_the_same(theorem, mutant.theorem)


def test_a_step_is_judged_in_its_place_as_in_the_whole_proof():
    theorem = theory.get("sgd-pl-linear")
    places = {place.step.name: place for place in places_of(theorem)}
    found = [m for m in all_mutants(theorem.id) if m.claim]
    for mutant in random.Random(1).sample(found, 20):
        place = places[mutant.claim]
        alone = place.refusal(mutant.theorem.proof[place.index])
        assert alone and theory.check(mutant.theorem).reason.endswith(alone)
    for place in places.values():
        assert place.refusal(place.step) == ""


def test_exact_counterexamples_are_counterexamples():
    """For a rate that is tight, every strengthening by one percent is refuted."""
    theorem = theory.get("sgd-pl-linear")
    models = refuting.pool(theorem)
    assert all(not refuting.counterexample(theorem, [model]) for model in models)
    for mutant in all_mutants(theorem.id):
        if mutant.claim == "one step" and mutant.change == "top: left one percent up":
            model = refuting.counterexample(refuting.only(mutant.theorem, "one step"), models)
            assert model is not None
            (step,) = (x for x in mutant.theorem.proof if x.name == "one step")
            assert not model.holds(step.claim)
            assert all(model.satisfies(h) for h in theorem.hypotheses)
            assert all(isinstance(value, Fraction) for value in model.parameters.values())
            return
    pytest.fail("the mutant is missing")


def test_a_weaker_claim_is_told_from_a_stronger_one():
    theorem = theory.get("sgd-pl-linear")
    models = refuting.pool(theorem, tries=2)
    index = next(i for i, step in enumerate(theorem.proof) if step.name == "one step")
    claim = theorem.proof[index].claim
    weak = Relation(claim.left, "<=", Const(Fraction(2)) * claim.right)
    strong = Relation(claim.left, "<=", Const(Fraction(1, 2)) * claim.right)
    for relation, weaker in ((weak, True), (strong, False), (claim, True)):
        mutant = mutants.put(theorem, ("proof", index, "claim"), relation)
        assert refuting.is_weaker(theorem, mutant, models) is weaker
