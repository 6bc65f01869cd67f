"""Refuted statements of the library: every checker agrees, and so does plain linear algebra."""

import json
import shutil
from fractions import Fraction

import numpy as np
import pytest
from small import PROVED, REFUTED

import theory
from theory import evaluation as ev
from theory.__main__ import main
from theory.opinions import coq_checker, examine, z3_checker
from theory.opinions.coq_theorem import document
from theory.opinions.ground import statements
from theory.proving.models import of_witness, refutes
from theory.soundness import refutations
from theory.text.latex import article
from theory.text.plain import explain
from theory.trusted.statements import Status

every_refuted = pytest.mark.parametrize("theorem", REFUTED, ids=lambda t: t.id)
ROUNDING = 1e-12  # of a few dozen float64 operations on numbers of order one


def arrays(theorem):
    """The samples and the parameters of a refutation as floats."""
    instance = theorem.refutation
    samples = np.array([[[float(q) for q in row] for row in m] for m in instance.curvatures])
    return samples, {name: float(value) for name, value in instance.parameters}


def steps(samples, step_size, radius):
    """M_b = I - ηH_b - ηρH_b²."""
    return np.eye(samples.shape[-1]) - step_size * (samples + radius * samples @ samples)


def second_moments(step, times):
    """The largest eigenvalue of E M_1..M_t M_t..M_1 for every t: E|x_t|² from the worst start."""
    energy, found = np.eye(step.shape[-1]), []
    for _ in range(times):
        energy = np.mean(step @ energy @ step, axis=0)
        found.append(np.linalg.eigvalsh(energy)[-1])
    return np.array(found)


def moment_gap(samples, order):
    """s_k^k, the largest eigenvalue of E H_b^k - H^k."""
    power = np.linalg.matrix_power
    gap = power(samples, order).mean(0) - power(samples.mean(0), order)
    return np.linalg.eigvalsh(gap)[-1]


def test_there_are_enough_of_them():
    assert len(REFUTED) >= 4


@every_refuted
def test_all_checkers_refute_it_and_the_repair_is_proved(theorem):
    pytest.importorskip("z3")
    assert theorem.expected is Status.REFUTED
    asked = ("kernel", "z3") if shutil.which("coqc") is None else ("kernel", "z3", "coq")
    verdict = examine(theorem, asked)
    assert {o.verdict for o in verdict.opinions.values()} == {"refuted"}, verdict.opinions
    assert verdict.status is Status.REFUTED and verdict.as_recorded
    assert verdict.report.failure.claim in theorem.conclusion
    assert refutes(of_witness(theorem.refutation), theorem)
    assert theory.check(theory.get(theorem.repaired_by)).status is Status.PROVED


def test_only_what_is_refuted_has_a_refutation_and_a_repair():
    for theorem in PROVED:
        assert theorem.expected is Status.PROVED and not theorem.repaired_by


@every_refuted
def test_what_coq_is_asked_is_the_refutation(theorem):
    text = document(theorem).text
    for ground in statements(theorem):
        assert f"(* {ground.name.replace('*', '·')} *)" in text
    assert text.count("Qed.") - document(theory.get("pl-half-to-bare")).text.count("Qed.") == len(
        statements(theorem)
    ) - len(document(theory.get("pl-half-to-bare")).proved)


@every_refuted
def test_it_is_explained_with_both_sides_and_the_repair(theorem):
    failure = theory.check(theorem).failure
    text, latex = explain(theorem), article(theorem)
    assert f"{failure.claim} fails: {failure.left} " in text and "is false" in text
    assert f"What is true: {theorem.repaired_by}" in text
    for number in {q for m in theorem.refutation.curvatures for row in m for q in row}:
        assert str(number) in text
    assert theorem.repaired_by in latex and "is false" in latex
    assert latex.count("{") == latex.count("}")


def test_the_command_line(capsys):
    assert main(["check", REFUTED[0].id, "pl-half-to-bare", "--json"]) == 0
    refuted, proved = json.loads(capsys.readouterr().out)["theorems"]
    assert refuted["status"] == refuted["expected"] == "refuted"
    assert refuted["repaired_by"] == REFUTED[0].repaired_by
    failure = refuted["failure"]
    assert Fraction(failure["left"]) > Fraction(failure["right"])
    assert proved["failure"] is None and proved["repaired_by"] is None
    assert main(["check", REFUTED[0].id, "pl-half-to-bare"]) == 0
    assert "kernel 1 and 1 refuted; none differ" in " ".join(capsys.readouterr().out.split())
    assert main(["list"]) == 0
    assert "refuted" in capsys.readouterr().out
    assert main(["explain", REFUTED[0].id, "--coq"]) == 0
    assert "Print Assumptions" in capsys.readouterr().out


@pytest.mark.slow
def test_no_changed_refutation_is_accepted_that_refutes_nothing():
    for theorem in REFUTED:
        found = refutations.judge(theorem, refutations.changes(theorem.refutation))
        assert found.accepted == () and found.rejected > 0 < found.genuine
        assert found.tried == found.rejected + found.genuine


@pytest.mark.slow
@pytest.mark.parametrize("theorem", PROVED, ids=lambda t: t.id)
def test_nothing_that_is_proved_is_refuted(theorem):
    found = refutations.judge(theorem, refutations.candidates(theorem))
    assert found.tried == found.rejected > 0


# Each refutation once more, by eigenvalues in floating point.


def test_sgd_is_stable_although_s_2_is_large():
    samples, given = arrays(theory.get("sgd-stability-s2-published"))
    step = steps(samples, given["step_size"], 0.0)
    ratio = given["step_size"] ** 2 * moment_gap(samples, 2)
    limit = ev.evaluate(theory.get("sgd-stability-s2-dimension-2"), "bound").value
    assert ratio == pytest.approx(1.25, rel=ROUNDING) and limit == 1.25
    assert np.linalg.eigvalsh(samples).min() >= -1e-9  # rounding at entries of 40
    moments = second_moments(step, 300)
    assert moments[0] == pytest.approx(1.25, rel=ROUNDING)
    assert moments.max() <= 2  # the condition number of P = diag(2, 1)
    # P is the eigenvector of the operator for its eigenvalue 1: I tends to <I, P>/<P, P> P
    assert moments[-1] == pytest.approx(6 / 5, rel=ROUNDING)


@pytest.mark.parametrize("order", [2, 4])
def test_the_published_moment_bounds_fail(order):
    samples, given = arrays(theory.get(f"sam-stability-s{order}-published"))
    eta, rho = given["step_size"], given["radius"]
    assert second_moments(steps(samples, eta, rho), 1)[0] <= 1 + ROUNDING
    bound = 1 / (eta * (eta - 2 * rho)) if order == 2 else 1 / (eta * rho) ** 2
    assert moment_gap(samples, order) > 1.1 * bound


def test_sam_is_stable_although_one_step_can_grow():
    samples, given = arrays(theory.get("sam-stability-one-step-necessary"))
    moments = second_moments(steps(samples, given["step_size"], given["radius"]), 400)
    assert moments[0] > 1.2 and moments.max() < 2.25  # the condition number of P = diag(9/4, 1)
    assert moments[-1] < 0.9


def test_sam_diverges_although_all_published_necessary_conditions_hold():
    samples, given = arrays(theory.get("sam-stability-necessary-suffice"))
    eta, rho = given["step_size"], given["radius"]
    a = np.linalg.eigvalsh(samples.mean(0))[-1]
    assert a * (1 + rho * a) <= 2 / eta
    factors = {2: eta * (eta - 2 * rho), 3: 2 * eta**2 * rho, 4: (eta * rho) ** 2}
    for order, factor in factors.items():
        assert factor * moment_gap(samples, order) <= 1 + ROUNDING
    growth = second_moments(steps(samples, eta, rho), 20)
    assert np.all(growth[1:] > 2.5 * growth[:-1])


def test_sam_increases_a_convex_loss_at_every_step_size():
    theorem = theory.get("sam-convex-every-radius")
    samples, given = arrays(theorem)
    (_, x), mean = theorem.refutation.vectors[0], samples.mean(0)
    x = np.array([float(q) for q in x])
    eigenvalues = np.linalg.eigvalsh(samples)
    assert eigenvalues.min() > -ROUNDING and eigenvalues.max() <= 1 + ROUNDING
    assert np.linalg.eigvalsh(mean)[0] >= given["mu"]

    def loss(point):
        return point @ mean @ point / 2

    for step_size in np.geomspace(1e-3, 1, 7):
        after = [m @ x for m in steps(samples, step_size, given["radius"])]
        assert np.mean([loss(point) for point in after]) > loss(x)


def test_without_their_modules_the_second_opinions_are_skipped(monkeypatch):
    monkeypatch.setattr(z3_checker, "load", lambda: None)
    monkeypatch.setattr(coq_checker, "compiler", lambda: None)
    verdict = examine(REFUTED[0], ("z3", "coq"))
    assert [verdict.opinions[name].verdict for name in ("z3", "coq")] == ["skipped", "skipped"]
    assert verdict.status is Status.REFUTED
