"""Coq as a second opinion: every theorem's file compiles, and a coqc that fails proves nothing."""

import dataclasses
import os
import random
import re
import shutil
import time
from fractions import Fraction

import mutants
import pytest
from small import P_POSITIVE, PROVED, Q_NONNEGATIVE, f, p, q, small, x, y

import theory
from theory.__main__ import main
from theory.opinions import coq_checker, examine
from theory.opinions.coq import comment, words
from theory.opinions.coq_checker import AXIOMS_OF_THE_REALS, assumptions, opinion
from theory.opinions.coq_theorem import document
from theory.opinions.obligations import problem
from theory.proving.assumptions import ZERO
from theory.proving.building import add, minus, number, times
from theory.trusted.algorithms import GD
from theory.trusted.certificates import (
    NOTHING,
    AlongOf,
    Fact,
    Induction,
    Invert,
    Norm,
    PowerOf,
    RuleAt,
    Square,
    Start,
    Tower,
    ZeroOrPositive,
)
from theory.trusted.notation import x_0
from theory.trusted.statements import Assumption, Condition, Dynamics, Rule, Status, Step
from theory.trusted.terms import Along, Inner, Param, Time, norm2

every_theorem = pytest.mark.parametrize("theorem", PROVED, ids=lambda t: t.id)
needs_coq = pytest.mark.skipif(shutil.which("coqc") is None, reason="coqc is absent")

GOOD = small(p * q >= ZERO, times(Fact("p > 0"), Fact("q >= 0")), P_POSITIVE, Q_NONNEGATIVE)


def accepted(theorem):
    said = opinion(theorem)
    assert said.verdict == Status.PROVED.value, said.reason
    assert "axioms of the reals only" in said.reason


def rejected(theorem, reason):
    said = opinion(theorem)
    assert said.verdict == Status.UNDECIDED.value, said
    assert reason in said.reason, said.reason


@pytest.mark.slow
@needs_coq
@every_theorem
def test_every_theorem_compiles_without_new_axioms(theorem):
    accepted(theorem)


@needs_coq
def test_the_theorem_on_sgd_compiles_with_its_induction():
    theorem = theory.get("sgd-pl-linear")
    text = document(theorem).text
    assert re.search(r"Theorem the_theorem :(.|\n)*forall t : nat, 0 <=", text)
    assert "induction t as [|t IH]." in text
    accepted(theorem)


@pytest.mark.slow
@needs_coq
def test_every_kind_of_step_compiles():
    below = times(Fact("p > 0"), add(number(1), Fact("q >= 0")))
    accepted(
        small(1 / (p * (1 + q)) > ZERO, Invert(below), P_POSITIVE, Q_NONNEGATIVE, divisors=(below,))
    )
    split = ZeroOrPositive("q >= 0", NOTHING, times(Fact("q >= 0"), Fact("q >= 0")))
    accepted(small(q**2 >= ZERO, split, Q_NONNEGATIVE))
    accepted(
        small(q ** Time(shift=2) >= ZERO, PowerOf(Fact("q >= 0"), Time(shift=2)), Q_NONNEGATIVE)
    )
    grow = times(add(number(1), Fact("p > 0")), Fact("induction"))
    power = (1 + p) ** Time()
    accepted(small(power > ZERO, Induction(number(1), grow), P_POSITIVE))
    raised = PowerOf(add(number(1), Fact("p > 0")), Time())
    late = Step("late", 0 * p < power, raised, "")
    step = add(Fact("induction"), times(Fact("p > 0"), Fact("late")))
    accepted(small(power >= 1, Induction(NOTHING, step), P_POSITIVE, before=(late,)))
    accepted(small(2 * Inner(x, y) <= norm2(x) + norm2(y), Norm(x - y)))


@pytest.mark.slow
@needs_coq
def test_a_claim_at_every_time_inside_a_case_split_compiles():
    power = (1 + q) ** Time()
    late = Step("late", power >= ZERO, PowerOf(add(number(1), Fact("q >= 0")), Time()), "")
    split = ZeroOrPositive("q >= 0", NOTHING, times(Fact("q >= 0"), Fact("late")))
    accepted(small(q * power >= ZERO, split, Q_NONNEGATIVE, before=(late,)))


@pytest.mark.slow
@needs_coq
def test_a_claim_at_every_time_that_divides_compiles():
    after = Dynamics(GD, f, x_0).step()
    rule = Rule("at", (x,), norm2(after) <= norm2(x))
    at_most_one = Condition("p <= 1", p <= 1)
    theorem = small(
        Along(norm2(x), Time()) <= norm2(x_0) / p,
        Induction(
            base=add(
                minus(Start(norm2(x))),
                times(Invert(Fact("p > 0")), Fact("p <= 1"), Norm(x_0)),
            ),
            step=add(
                Fact("induction"),
                AlongOf(RuleAt("nonexpansive", "at", (x,)), Time()),
                minus(Tower(norm2(x), Time())),
            ),
        ),
        P_POSITIVE,
        at_most_one,
        Assumption("nonexpansive", "", "", (rule,)),
        dynamics=Dynamics(GD, f, x_0),
        divisors=(Fact("p > 0"),),
    )
    assert theory.check(theorem).status is Status.PROVED
    accepted(theorem)


@pytest.mark.slow
@needs_coq
def test_what_is_false_does_not_compile():
    rejected(small(3 * p * q <= p**2 + q**2, Square(p - q)), "lemma_1_claim: ")
    rejected(small(q**2 - q >= ZERO, NOTHING, Q_NONNEGATIVE), "lemma_1_claim: ")
    rejected(small(p > ZERO, Fact("p > 0")), "no fact named 'p > 0'")
    rejected(small(p**2 > ZERO, Square(p)), "nonnegative and the claim positive")
    wrong_base = Induction(NOTHING, times(Fact("q >= 0"), Fact("induction")))
    rejected(small(q ** Time() >= ZERO, wrong_base, Q_NONNEGATIVE), "lemma_1_claim_base: ")


@pytest.mark.slow
@needs_coq
@every_theorem
def test_mutants_of_a_claim_do_not_compile(theorem):
    found = [
        mutant
        for word, mutant in mutants.of_statement(theorem)
        if word.startswith("claim") and theory.check(mutant).status is not Status.PROVED
    ]
    for mutant in random.Random(0).sample(found, min(4, len(found))):
        assert opinion(mutant).verdict == Status.UNDECIDED.value


@needs_coq
def test_the_names_of_a_theorem_cannot_leave_their_comments():
    nasty = '*) Axiom cheat : False. (* " '
    hypothesis = Condition(nasty, p > ZERO)
    theorem = small(p > ZERO, Fact(nasty), hypothesis)
    theorem = dataclasses.replace(theorem, title=nasty)
    text = document(theorem).text
    assert "cheat" in text and text.count("*)") == text.count("(*")
    accepted(theorem)
    assert re.search(r'[*"]', comment(nasty)) is None


@pytest.mark.slow
@needs_coq
@pytest.mark.parametrize("name", ["forall", "R", "pow", "H1", "add_nn", "S"])
def test_any_parameter_has_a_name_in_coq(name):
    odd = Param(name)
    accepted(
        small(
            odd * p >= ZERO,
            times(Fact("odd"), Fact("p > 0")),
            P_POSITIVE,
            Condition("odd", odd >= ZERO),
        )
    )


@every_theorem
def test_what_is_written_is_what_is_meant(theorem):
    """Every polynomial's text, evaluated exactly, is the polynomial's value."""
    rng = random.Random(0)
    its = problem(theorem)
    names = words(its)
    assert len(set(names.of.values())) == len(names.of)
    for obligation in its.obligations:
        for poly in [obligation.claim.top, *(fact.value.top for fact in obligation.facts)]:
            point = {atom: Fraction(rng.randint(-99, 99), 7) for atom in its.atoms}
            value = Fraction(0)
            for monomial, coefficient in poly.terms.items():
                for atom, exponent in monomial:
                    coefficient = coefficient * point[atom] ** exponent
                value += coefficient
            text = re.sub(r"(?<![\w.])(\d+)(?!\w)", r"Fraction(\1)", names.poly(poly))
            text = re.sub(r"\^ Fraction\((\d+)\)", r"** \1", text)
            given = {names.of[atom]: number for atom, number in point.items()}
            assert eval(text, {"Fraction": Fraction}, given) == value


@every_theorem
def test_nothing_is_admitted(theorem):
    text = document(theorem).text
    for word in (
        "Admitted",
        "admit",
        "Axiom",
        "Parameter ",
        "Hypothesis",
        "Variable ",
        "Conjecture",
    ):
        assert word not in re.sub(r"\(\*.*?\*\)", "", text, flags=re.DOTALL)
    asked = text.rstrip().splitlines()[-1]
    assert asked == "Print Assumptions everything_above."
    together = text.split("Definition everything_above := ")[1].split(".\n")[0]
    stated = re.findall(r"^(?:Lemma|Theorem) (lemma_\w+|the_theorem)", text, flags=re.MULTILINE)
    assert sorted(re.findall(r"\w+", together)) == sorted(stated)
    assert sorted(document(theorem).proved) == sorted(stated)


def test_explain_prints_the_file(capsys):
    assert main(["explain", "pl-half-to-bare", "--coq"]) == 0
    assert capsys.readouterr().out == document(theory.get("pl-half-to-bare")).text


def test_explain_says_why_there_is_no_file(tmp_path, capsys):
    file = tmp_path / "wrong.py"
    file.write_text(
        "import dataclasses, theory\n"
        "good = theory.get('pl-half-to-bare')\n"
        "THEOREM = dataclasses.replace(good, id='mine', hypotheses=())\n"
    )
    assert main(["explain", str(file), "--coq"]) == 2
    assert "there is no assumption 'PL'" in capsys.readouterr().err


REALS = "Axioms:\n" + "".join(
    f"{name}\n  : forall P : nat -> Prop,\n    P 0\n" for name in sorted(AXIOMS_OF_THE_REALS)
)


def fake_coqc(tmp_path, monkeypatch, script):
    path = tmp_path / "coqc"
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(0o755)
    monkeypatch.setattr(coq_checker, "compiler", lambda: str(path))


@pytest.mark.parametrize(
    ("script", "verdict", "reason"),
    [
        (f"cat <<'E'\n{REALS}E\n", "proved", "axioms of the reals only"),
        ("echo Closed under the global context", "proved", ""),
        (f"cat <<'E'\n{REALS}cheat : False\nE\n", "undecided", "it rests on the axiom cheat"),
        (f"cat <<'E'\n{REALS}lemma_1_claim\n  : False\nE\n", "undecided", "axiom lemma_1_claim"),
        (f"cat <<'E'\n{REALS}x is assumed to be guarded.\nE\n", "error", "among the axioms"),
        ("true", "error", "did not say what the results assume"),
        ("echo Axioms:", "error", "did not say"),
        ("echo hello; echo Closed under the global context", "error", "did not say"),
        (
            "(echo 'File \"./theorem.v\", line 50, characters 1-2:'; echo 'Error: no field.') >&2\n"
            "exit 1",
            "undecided",
            "no field.",
        ),
        ("echo 'Error: Anomaly \"Uncaught exception\"' >&2; exit 1", "error", "status 1"),
        ("exit 1", "error", "no message"),
        ("echo cannot find Reals >&2; exit 2", "error", "cannot find Reals"),
        ("kill -9 $$", "error", "status -9"),
    ],
)
def test_a_coqc_that_fails(tmp_path, monkeypatch, script, verdict, reason):
    fake_coqc(tmp_path, monkeypatch, script)
    said = opinion(GOOD)
    assert said.verdict == verdict and reason in said.reason, said


@pytest.mark.parametrize(
    ("script", "word", "status"),
    [
        ("echo 'Error: No applicable tactic.' >&2; exit 1", "undecided", "undecided"),
        ("exit 1", "error", "error"),
        ("sleep 9", "undecided", "undecided"),
        (f"cat <<'E'\n{REALS}E\n", "proved", "proved"),
    ],
)
def test_one_on_the_path_that_fails_is_seen_in_table_and_exit_status(
    tmp_path, monkeypatch, capsys, script, word, status
):
    path = tmp_path / "coqc"
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(coq_checker, "compiler", coq_checker.compiler.__wrapped__)
    monkeypatch.setattr(coq_checker.opinion, "__defaults__", (1.0,))
    code = main(["check", "pl-half-to-bare", "--checkers", "kernel,coq"])
    out = " ".join(capsys.readouterr().out.split())
    assert word in out and "kernel 1," in out
    if status == "proved":
        assert code == 0 and "coq 1; none differ" in out
    else:
        assert code == 1
        assert f"coq 0 and 1 {word}; 1 differs" in out and f"pl-half-to-bare is {status}" in out


def test_one_that_is_named_from_the_working_folder_is_passed_over(tmp_path, monkeypatch):
    (tmp_path / "coqc").write_text("#!/bin/sh\necho Closed under the global context")
    (tmp_path / "coqc").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    for places in (".", "", ".:", os.pathsep.join(["", ".", "./."])):
        monkeypatch.setenv("PATH", places)
        assert coq_checker.compiler.__wrapped__() is None


@needs_coq
def test_what_lies_in_the_users_folders_is_not_loaded(tmp_path, monkeypatch):
    """A folder of other people's files, a settings file, and a `Reals` of one's own."""
    for place in ("coq", "Reals", "coq/user-contrib"):
        (tmp_path / place).mkdir(exist_ok=True)
        (tmp_path / place / "Reals.vo").write_text("no library")
        (tmp_path / place / "Lra.vo").write_text("no library")
    (tmp_path / "coqrc").write_text("Admitted.")
    for name in ("COQPATH", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_DATA_DIRS"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert opinion(GOOD).verdict == "proved"


def test_a_coqc_that_hangs_is_stopped_with_all_that_it_started(tmp_path, monkeypatch):
    mark = tmp_path / "late"
    fake_coqc(tmp_path, monkeypatch, f"(sleep 2; touch {mark}) & sleep 60")
    started = time.monotonic()
    said = opinion(GOOD, 0.3)
    assert said.verdict == "undecided" and "gave up after 0.3 s" in said.reason
    assert time.monotonic() - started < 2
    time.sleep(2.2)
    assert not mark.exists()


def test_a_coqc_that_does_not_run_and_one_that_is_absent(tmp_path, monkeypatch):
    monkeypatch.setattr(coq_checker, "compiler", lambda: str(tmp_path))
    assert opinion(GOOD).verdict == "error"
    monkeypatch.setattr(coq_checker, "compiler", lambda: None)
    assert opinion(GOOD).verdict == "skipped"


def test_an_absent_coqc_is_said_to_be_skipped(monkeypatch, capsys):
    monkeypatch.setattr(coq_checker, "compiler", lambda: None)
    assert main(["check", "pl-half-to-bare", "--checkers", "kernel,coq"]) == 0
    assert "1 theorems: kernel 1, coq skipped (absent)" in capsys.readouterr().out


def test_coq_alone_proves_nothing(monkeypatch, tmp_path):
    fake_coqc(tmp_path, monkeypatch, "echo Closed under the global context")
    wrong = small(p >= 1, Fact("p > 0"), P_POSITIVE)
    assert opinion(wrong).verdict == "proved"  # the fake says so
    assert examine(wrong, ("coq",)).status is Status.UNDECIDED


def test_assumptions_are_read_from_what_coq_prints():
    assert assumptions(REALS) == AXIOMS_OF_THE_REALS
    assert assumptions("Axioms:\na : nat\nB.c' : forall x,\n  x\n") == {"a", "B.c'"}
    with pytest.raises(ValueError):
        assumptions(REALS + "\nAxioms:\nfoo")
