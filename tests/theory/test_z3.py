"""z3 as a second opinion: what it proves, what it disputes, and what happens when it fails."""

import dataclasses
import json
from fractions import Fraction

import mutants
import pytest
from small import P_POSITIVE, PROVED, Q_NONNEGATIVE, every, p, q, small, x, y

import theory
from theory import opinions as checkers
from theory.__main__ import main, summary
from theory.opinions import Opinion, examine, z3_checker
from theory.opinions.goals import Obligation, Origin, Rational, Signed, Use
from theory.opinions.obligations import Unstated, problem
from theory.opinions.ratios import Ratio
from theory.opinions.z3_checker import Reply, answer, opinion
from theory.proving.assumptions import ZERO
from theory.proving.building import add, times
from theory.trusted.certificates import Fact, Norm, Square
from theory.trusted.kernel import Sign
from theory.trusted.lowering import ParamAtom
from theory.trusted.polynomials import Poly
from theory.trusted.statements import Condition, Status
from theory.trusted.terms import Inner, norm2

z3 = pytest.importorskip("z3")

every_theorem = every(PROVED)


class Instead:
    """The z3 module, with another answer to some of the questions."""

    def __init__(self, check, only_first=False, model=None):
        self.asked, self.instead, self.only_first, self.model = 0, check, only_first, model

    def __getattr__(self, name):
        return getattr(z3, name)

    def SolverFor(self, logic):
        self.asked += 1
        solver = z3.SolverFor(logic)
        if self.only_first and self.asked > 1:
            return solver
        return FakeSolver(solver, self)


class FakeSolver:
    def __init__(self, solver, fake):
        self.solver, self.fake = solver, fake

    def __getattr__(self, name):
        return getattr(self.solver, name)

    def check(self):
        return self.fake.instead()

    def model(self):
        return self.fake.model


def always(value):
    return lambda: value


def crash():
    raise z3.Z3Exception("out of memory")


@every_theorem
def test_every_theorem_is_proved(theorem):
    said = opinion(theorem)
    assert said.verdict == theorem.expected.value, said.reason


@pytest.mark.slow
@every_theorem
def test_every_certificate_is_confirmed_when_z3_gives_up_on_the_free_question(theorem):
    for obligation in problem(theorem).obligations:
        found = answer(Instead(always(z3.unknown), only_first=True), obligation)
        assert found.outcome is Reply.CERTIFICATE, (obligation.name, found.reason)


def test_a_false_scalar_claim_is_refuted_with_an_exact_point():
    said = examine(small(p >= 1, Fact("p > 0"), P_POSITIVE), ("z3",))
    assert said.opinions["z3"].verdict == Status.REFUTED.value
    assert "claim: fails although its facts hold, at p = " in said.opinions["z3"].reason
    assert said.status is Status.REFUTED


def test_a_step_without_the_fact_it_needs_is_disputed_and_the_theorem_is_not_refuted():
    """The theorem is true; its certificate appeals to too little."""
    claim = p * q >= ZERO
    for certificate in (Square(p), Fact("p > 0")):
        said = examine(small(claim, certificate, P_POSITIVE, Q_NONNEGATIVE), ("z3",))
        assert said.opinions["z3"].verdict == checkers.DISPUTED
        assert said.status is Status.UNDECIDED


def test_a_false_claim_on_vectors_is_disputed_not_refuted():
    said = examine(small(3 * Inner(x, y) <= norm2(x) + norm2(y), Norm(x - y)), ("z3",))
    assert said.opinions["z3"].verdict == checkers.DISPUTED
    assert said.status is Status.UNDECIDED


def test_an_irrational_counterexample_is_not_one():
    """p² = 2 and p > 0 have no rational point, so nothing can be checked exactly."""
    root = Condition("root", (p**2).equals(2))
    theorem = small(p >= 2, add(Fact("p > 0"), Fact("root")), P_POSITIVE, root)
    said = opinion(theorem)
    assert said.verdict == Status.UNDECIDED.value and "irrational" in said.reason


def test_an_irrational_model_of_an_open_condition_is_made_rational():
    wide = Condition("wide", scalar_two() < p**2)
    theorem = small(p >= 2, add(Fact("p > 0"), Fact("wide")), P_POSITIVE, wide)
    assert opinion(theorem).verdict == Status.REFUTED.value


def scalar_two():
    return p - p + 2


def certified(theorem):
    """Whether z3 confirms every obligation by its certificate alone."""
    try:
        obligations = problem(theorem).obligations
    except Unstated:
        return False
    for obligation in reversed(obligations):  # what was changed is mostly near the end
        found = answer(Instead(always(z3.unknown), only_first=True), obligation, 1.0)
        assert found.outcome in (Reply.CERTIFICATE, Reply.UNDECIDED), found.reason
        if found.outcome is Reply.UNDECIDED:
            return False
    return True


@pytest.mark.slow
@every_theorem
def test_z3_confirms_the_certificates_of_exactly_the_mutants_that_the_kernel_accepts(theorem):
    found = [m for word, m in mutants.of_statement(theorem) if word.startswith("claim")][::5]
    assert found
    for mutant in found:
        accepted = theory.check(mutant).status is Status.PROVED
        assert certified(mutant) == accepted


@pytest.mark.parametrize("name", ["sgd-pl-linear", "sam-stability-s2", "sam-stability-sharpness"])
def test_mutants_are_disputed_or_weaker_and_never_an_error(name):
    counted = dict.fromkeys(("proved", "disputed", "refuted", "undecided"), 0)
    found = [m for word, m in mutants.of_statement(theory.get(name)) if word.startswith("claim")]
    for mutant in found[::11]:
        counted[opinion(mutant, 0.2).verdict] += 1
    assert counted["disputed"] + counted["refuted"] >= len(found[::11]) // 3, counted


def test_nudged_constants_of_the_rate_are_disputed():
    theorem = theory.get("sgd-pl-linear")
    at = next(i for i, step in enumerate(theorem.proof) if step.name == "one step")
    claim = theorem.proof[at].claim
    nudged = dataclasses.replace(claim, right=claim.right * Fraction(99, 100))
    mutant = mutants.put(theorem, ("proof", at, "claim"), nudged)
    said = examine(mutant, ("z3",))
    assert said.opinions["z3"].verdict == checkers.DISPUTED, said.opinions["z3"].reason
    assert said.status is Status.UNDECIDED


def test_a_wrong_certificate_for_a_true_claim_is_not_confirmed():
    (obligation,) = problem(
        small(p**2 + 1 > ZERO, add(Square(p), Fact("p > 0")), P_POSITIVE)
    ).obligations
    assert answer(z3, obligation).outcome is Reply.FREE
    found = answer(Instead(always(z3.unknown), only_first=True), obligation)
    assert found.outcome is Reply.UNDECIDED and "identity" in found.reason


def obligation_by_hand(sign, wanted, certificate):
    value = Ratio(Poly.atom(ParamAtom("p")))
    fact = Signed("fact", value, sign, Origin.HYPOTHESIS)
    return Obligation("by hand", (fact,), value, wanted, certificate, ())


@pytest.mark.parametrize(
    ("sign", "wanted", "outcome"),
    [
        (Sign.NONNEGATIVE, Sign.POSITIVE, Reply.UNDECIDED),
        (Sign.NONNEGATIVE, Sign.ZERO, Reply.UNDECIDED),
        (Sign.POSITIVE, Sign.ZERO, Reply.UNDECIDED),
        (Sign.POSITIVE, Sign.NONNEGATIVE, Reply.CERTIFICATE),
        (Sign.ZERO, Sign.NONNEGATIVE, Reply.CERTIFICATE),
        (Sign.ZERO, Sign.ZERO, Reply.CERTIFICATE),
    ],
)
def test_the_sign_of_a_certificate_is_checked(sign, wanted, outcome):
    fake = Instead(always(z3.unknown), only_first=True)
    assert answer(fake, obligation_by_hand(sign, wanted, Use(0))).outcome is outcome


def test_a_negative_number_has_no_sign_that_counts():
    value = Ratio(Poly.constant(-1))
    obligation = Obligation("by hand", (), value, Sign.NONNEGATIVE, Rational(Fraction(-1)), ())
    fake = Instead(always(z3.unknown), only_first=True)
    assert answer(fake, obligation).outcome is Reply.UNDECIDED


GOOD = small(p * q >= ZERO, times(Fact("p > 0"), Fact("q >= 0")), P_POSITIVE, Q_NONNEGATIVE)


@pytest.mark.parametrize(
    ("fake", "verdict", "reason"),
    [
        (Instead(crash), "error", "out of memory"),
        (Instead(always(z3.unknown)), "undecided", "z3 gave up"),
        (Instead(always("proved")), "error", "z3 answered 'proved'"),
        (Instead(always(None)), "error", "z3 answered None"),
        (Instead(always(z3.sat)), "error", ""),
        (None, "skipped", "absent"),
    ],
)
def test_a_z3_that_fails(monkeypatch, fake, verdict, reason):
    monkeypatch.setattr(z3_checker, "load", lambda: fake)
    said = opinion(GOOD)
    assert said.verdict == verdict and reason in said.reason


def test_a_bogus_model_is_a_failure_of_z3_and_refutes_nothing(monkeypatch):
    solver = z3.Solver()
    solver.add(z3.Real("v0") == -1, z3.Real("v1") == 1)
    assert solver.check() == z3.sat
    fake = Instead(always(z3.sat), model=solver.model())
    monkeypatch.setattr(z3_checker, "load", lambda: fake)
    said = opinion(GOOD)
    assert said.verdict == "error" and "does not satisfy" in said.reason


def test_a_checker_that_raises_or_says_nothing_is_an_error(monkeypatch):
    def explode(theorem):
        raise RuntimeError("boom")

    for broken, reason in (
        (explode, "RuntimeError: boom"),
        (always(None), ""),
        (str, "no opinion"),
        (lambda theorem: Opinion("Proved"), "no opinion"),
    ):
        monkeypatch.setattr(z3_checker, "opinion", broken)
        said = examine(GOOD, ("z3",))
        assert said.status is Status.ERROR and reason in said.opinions["z3"].reason


@pytest.mark.parametrize("verdict", ["refuted", checkers.DISPUTED, "error"])
def test_a_disagreement_is_an_error_and_exit_status_1(monkeypatch, capsys, verdict):
    monkeypatch.setitem(checkers.SECOND_OPINIONS, "z3", lambda theorem: Opinion(verdict, "no"))
    assert main(["check", "pl-half-to-bare", "--checkers", "kernel,z3", "--json"]) == 1
    (found,) = json.loads(capsys.readouterr().out)["theorems"]
    assert found["status"] == "error"
    assert found["checkers"] == {"kernel": "proved", "z3": verdict}


@pytest.mark.parametrize("verdict", ["proved", "skipped", "undecided"])
def test_nothing_that_z3_says_makes_the_verdict_better(monkeypatch, verdict):
    monkeypatch.setitem(checkers.SECOND_OPINIONS, "z3", lambda theorem: Opinion(verdict))
    wrong = small(p >= 1, Fact("p > 0"), P_POSITIVE)
    assert examine(wrong, ("z3",)).status is Status.UNDECIDED
    good = Status.UNDECIDED if verdict == "undecided" else Status.PROVED
    assert examine(PROVED[0], ("z3",)).status is good


@pytest.mark.parametrize(
    ("kernel", "others", "status"),
    [
        ("proved", ["proved", "proved"], "proved"),
        ("proved", ["skipped", "proved"], "proved"),
        ("proved", ["skipped", "skipped"], "proved"),
        ("proved", ["undecided", "proved"], "undecided"),
        ("proved", ["refuted", "proved"], "error"),
        ("proved", ["disputed"], "error"),
        ("proved", ["error", "proved"], "error"),
        ("refuted", ["refuted", "skipped"], "refuted"),
        ("refuted", ["undecided", "refuted"], "undecided"),
        ("refuted", ["proved"], "error"),
        ("undecided", ["proved", "proved"], "undecided"),
        ("undecided", ["refuted"], "refuted"),
        ("undecided", ["refuted", "proved"], "error"),
        ("undecided", ["disputed"], "undecided"),
        ("undecided", ["skipped"], "undecided"),
    ],
)
def test_opinions_are_combined_to_no_more_than_the_worst(kernel, others, status):
    given = {"kernel": Opinion(kernel)} | {f"other {i}": Opinion(o) for i, o in enumerate(others)}
    assert checkers.combine(given) is Status(status)


@pytest.mark.parametrize("word", ["undecided", "skipped"])
def test_one_that_comes_to_no_end_is_seen_and_one_that_is_absent_too(monkeypatch, capsys, word):
    monkeypatch.setitem(checkers.SECOND_OPINIONS, "z3", lambda _: Opinion(word, "the reason"))
    status = main(["check", "pl-half-to-bare", "sgd-batch-mixture", "--checkers", "kernel,z3"])
    out = " ".join(capsys.readouterr().out.split())
    assert word in out and "the reason" in out
    if word == "undecided":
        assert status == 1
        assert "kernel 2, z3 0 and 2 undecided; 2 differ from what is recorded: " in out
        assert "pl-half-to-bare is undecided" in out
    else:
        assert status == 0 and "z3 skipped (absent); none differ" in out


def test_the_summary_says_what_was_skipped(monkeypatch):
    monkeypatch.setitem(
        checkers.SECOND_OPINIONS, "z3", lambda theorem: Opinion("skipped", "absent")
    )
    verdicts = [examine(theorem, ("z3",)) for theorem in PROVED[:2]]
    assert summary(verdicts).startswith("2 theorems: kernel 2, z3 skipped (absent);")


def test_the_kernel_needs_neither_z3_nor_coq():
    import subprocess
    import sys

    code = (
        "import sys; sys.modules['z3'] = None; from theory.opinions import examine; import theory; "
    )
    code += "v = examine(theory.get('pl-half-to-bare'), ('z3',)); "
    code += "print(v.status.value, v.opinions['z3'].verdict)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == ["proved", "skipped"]
