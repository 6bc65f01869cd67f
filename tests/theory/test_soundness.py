"""The soundness report, and that it would notice: each sabotaged kernel is caught."""

import json
import random

import pytest
from small import PROVED, every

import theory
from theory.soundness import fuzz, report, tampering
from theory.soundness.__main__ import main
from theory.soundness.report import Fuzz, Mutation, Tampering
from theory.soundness.steps import places_of
from theory.trusted import kernel
from theory.trusted.kernel import Sign
from theory.trusted.polynomials import Frac
from theory.trusted.statements import Status

every_theorem = every(PROVED)


@every_theorem
def test_a_sample_of_tampered_certificates_is_refused(theorem):
    rng = random.Random(0)
    for place in places_of(theorem):
        cases = list(tampering.of_step(place))
        for case in rng.sample(cases, min(8, len(cases))):
            assert place.refusal(case.step) or tampering.is_equivalent(place, case), case.path


@pytest.mark.slow
@every_theorem
def test_no_tampered_certificate_is_accepted(theorem):
    found = report.tamper(theorem, most=100)  # `make soundness` tries all
    assert found.accepted == ()
    assert found.tampered == found.rejected + found.equivalent >= len(theorem.proof)


def test_equivalent_means_the_same_number():
    place = next(p for p in places_of(theory.get("sam-pl-linear")) if p.step.name == "alignment")
    verdicts = {}
    for case in tampering.of_step(place):
        verdicts.setdefault(case.change, set()).add(tampering.is_equivalent(place, case))
    assert verdicts["sign inside"] == {True} and verdicts["another order"] == {True}
    for change in ("half the vector", "a part dropped", "one percent up", "cases exchanged"):
        assert verdicts[change] == {False}, change


@pytest.mark.parametrize("kind", ["true", "false"])
def test_generated_claims(kind):
    found = report.generate(kind, 200, seed=7)
    assert found.claims == 200
    assert found.accepted == (200 if kind == "true" else 0)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["true", "false"])
def test_many_generated_claims(kind):
    found = report.generate(kind, 10_000, seed=0)
    assert found.claims == 10_000
    assert found.accepted >= 9_900 if kind == "true" else found.accepted == 0


def test_generated_false_claims_are_false_and_cheat_in_every_way():
    rng = random.Random(3)
    cases = [fuzz.false_case(rng) for _ in range(300)]
    assert {case.trick for case in cases} == {trick.__name__ for trick in fuzz.TRICKS}
    assert not any(fuzz.is_true_at_witness(case.theorem) for case in cases)
    true = [fuzz.true_case(rng) for _ in range(50)]
    assert all(fuzz.is_true_at_witness(case.theorem) for case in true)
    assert all(theory.check(case.theorem).status is Status.PROVED for case in true)


def accept_all(monkeypatch):
    monkeypatch.setattr(kernel, "_verify", lambda *_: None)


def equal_everything(monkeypatch):
    monkeypatch.setattr(Frac, "same", lambda *_: True)


def positive_everything(monkeypatch):
    replay = kernel.replay
    monkeypatch.setattr(kernel, "replay", lambda *a: (replay(*a)[0], Sign.POSITIVE))


def zero_everything(monkeypatch):
    replay = kernel.replay
    monkeypatch.setattr(kernel, "replay", lambda *a: (replay(*a)[0], Sign.ZERO))


def no_divisor_is_checked(monkeypatch):
    monkeypatch.setattr(kernel.Context, "number", lambda self, t: kernel.lower(t, lambda d: True))


def every_claim_is_a_fact(monkeypatch):
    relations = kernel.check_step

    def check(theorem, step, context):
        context.relations |= {other.name: other.claim for other in theorem.proof}
        relations(theorem, step, context)
        context.relations = {k: v for k, v in context.relations.items() if k != "claim"}

    monkeypatch.setattr(kernel, "check_step", check)


@pytest.mark.parametrize(
    "sabotage",
    [
        accept_all,
        equal_everything,
        positive_everything,
        zero_everything,
        no_divisor_is_checked,
        every_claim_is_a_fact,
    ],
)
def test_generated_claims_catch_a_sabotaged_kernel(monkeypatch, sabotage):
    sabotage(monkeypatch)
    found = report.generate("false", 120, seed=0)
    assert found.accepted > 0
    assert any("false claims accepted" in line for line in report.failures([], [], [found]))


def test_mutants_and_tampering_catch_a_sabotaged_kernel(monkeypatch):
    theorem = theory.get("pl-half-to-bare")
    accept_all(monkeypatch)
    mutation, tampered = report.mutate(theorem), report.tamper(theorem)
    assert mutation.accepted and tampered.accepted
    lines = report.failures([mutation], [tampered], [])
    assert any("mutant accepted: claim" in line for line in lines)
    assert any("tampered certificate accepted" in line for line in lines)


def test_failures_are_what_they_should_be():
    good = Mutation("t", 3, 2, 1, (), 1, 1, (), 0)
    fine = [Fuzz("true", 100, 99), Fuzz("false", 100, 0)]
    assert report.failures([good], [Tampering("t", 1, 1, 0, ())], fine) == []
    assert len(report.failures([good], [], [Fuzz("true", 100, 98)])) == 1
    assert len(report.failures([good], [], [Fuzz("false", 100, 1)])) == 1
    assert len(report.failures([], [], [])) == 1
    assert report.together([good, good]) == Mutation("t", 6, 4, 2, (), 2, 2, (), 0)


def test_shares_of_the_mutants_make_up_the_whole():
    theorem = theory.get("pl-bare-to-half")
    shares = report.together([report.mutate(theorem, part, 3) for part in range(3)])
    whole = report.mutate(theorem)
    assert shares.mutants == whole.mutants and shares.refuted == whole.refuted
    assert sorted(shares.open) == sorted(whole.open)


def test_the_command_line(capsys):
    status = main(["pl-half-to-bare", "--fuzz", "30", "--jobs", "1", "--json"])
    document = json.loads(capsys.readouterr().out)
    assert status == 0 and document["failures"] == []
    assert [item["theorem"] for item in document["mutation"]] == ["pl-half-to-bare"]
    assert {item["kind"]: item["claims"] for item in document["fuzz"]} == {"true": 30, "false": 30}


def test_the_command_line_as_a_table(capsys):
    status = main(["sam-stability-expansion", "--fuzz", "0", "--jobs", "1"])
    out = capsys.readouterr().out
    assert status == 0 and "sam-stability" in out and "nothing false accepted" in out


def test_the_command_line_fails_when_something_false_is_accepted(capsys, monkeypatch):
    accepted = Mutation("t", 1, 0, 0, ("claim 'c': sign",), 1, 0, (), 0)
    found = ([accepted], [Tampering("t", 1, 1, 0, ())], [], [])
    monkeypatch.setattr("theory.soundness.__main__.gather", lambda *_: found)
    assert main(["pl-half-to-bare"]) == 1
    assert "t: mutant accepted: claim 'c': sign" in capsys.readouterr().out


def test_bad_usage_is_one_line(capsys):
    for arguments in (["no-such"], ["--jobs", "0"], ["--fuzz", "-1"]):
        assert main(arguments) == 2
        err = capsys.readouterr().err
        assert err.startswith("error: ") and err.count("\n") == 1
