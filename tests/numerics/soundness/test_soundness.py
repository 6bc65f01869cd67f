"""The scoreboard: nothing that it draws comes out wrong, and it would notice each planted fault."""

import dataclasses
import json
import math
from fractions import Fraction

import pytest
import torch
from torch import nn

import numerics.hessians
import numerics.stability
from numerics.hessians import SampleHessians, exact, moments, per_sample
from numerics.soundness import brute, oracles, report
from numerics.soundness.__main__ import main
from numerics.soundness.calls import Called, Snapshot, attempt
from numerics.soundness.dice import Dice
from numerics.soundness.draws import build
from numerics.soundness.judge import judge_model, judgement
from numerics.soundness.spectra import exact_tops, judge_spectrum, moment_verdict
from numerics.stability import stability_threshold

SEED = 0


PERCEPTRON, IN_DOUBLE, SKEWED = 545, 568, 18
ORDINARY = [PERCEPTRON, IN_DOUBLE, 156, 409, 578, 12, 20, 294, 489, 541]
"""Ordinary draws, found among the first, of which the tests check that they still are."""


@pytest.mark.parametrize("index", ORDINARY)
def test_ordinary_models_are_right(index):
    assert build(SEED, index).core
    found = report.judge(SEED, index)
    refused = {v.call for v in found.verdicts}
    assert refused <= {"threshold"}, found  # of a Hessian that is not positive semidefinite
    assert found.calls >= 9


@pytest.mark.slow
def test_nothing_is_wrong_in_200_draws():
    total = report.tally(report.judge_some(SEED, range(200)))
    assert total.drawn == 200
    assert total.wrong == []
    assert total.reasons.get("raw", {}) == {}
    assert total.core_refused == []
    assert total.statuses["right"] >= 120
    assert total.statuses["refused"] >= 20  # of the draws that have no right answer


def test_a_draw_is_the_same_whatever_was_drawn_before():
    first = build(SEED, 5)
    build(SEED, 6)
    torch.manual_seed(3)
    second = build(SEED, 5)
    assert first.words == second.words and torch.equal(first.inputs, second.inputs)
    for one, other in zip(first.model.parameters(), second.model.parameters(), strict=True):
        assert torch.equal(one, other)
    twin = build(SEED, 5, ideal=True)
    assert first.words.partition(",")[0] == twin.words.partition(",")[0]
    assert build(SEED, 9).words != first.words


def wrong_calls(index):
    return {v.call for v in judge_model(SEED, index).verdicts if v.status == "wrong"}


def tampered(monkeypatch, name, change):
    original = getattr(numerics.hessians, name)
    monkeypatch.setattr(
        numerics.hessians, name, lambda *given, **options: change(original, *given, **options)
    )


def test_a_hessian_that_is_off_by_a_thousandth_is_noticed(monkeypatch):
    tampered(monkeypatch, "exact", lambda f, *given, **options: f(*given, **options) * 1.001)
    assert "exact" in wrong_calls(PERCEPTRON)


def test_a_dropped_sample_is_noticed(monkeypatch):
    def dropped(function, model, loss, inputs, targets, **options):
        return function(model, loss, inputs[1:], targets[1:], **options)

    for name in ("exact", "per_sample", "operator"):
        with monkeypatch.context() as context:
            tampered(context, name, dropped)
            assert name in wrong_calls(PERCEPTRON), name


def test_an_asymmetric_result_is_noticed(monkeypatch):
    def skewed(function, *given, **options):
        found = function(*given, **options)
        found[0, 1] = torch.nextafter(found[0, 1], torch.tensor(math.inf, dtype=found.dtype))
        return found

    tampered(monkeypatch, "exact", skewed)
    assert "exact" in wrong_calls(PERCEPTRON)


def test_nan_and_another_result_the_second_time_are_noticed(monkeypatch):
    def poisoned(function, *given, **options):
        found = function(*given, **options)
        found[0, 0] = math.nan
        return found

    tampered(monkeypatch, "exact", poisoned)
    assert "exact" in wrong_calls(PERCEPTRON)
    monkeypatch.undo()
    factors = iter([1.0, 1 + 1e-15, 1.0])
    tampered(monkeypatch, "exact", lambda f, *g, **o: f(*g, **o) * next(factors))
    assert "exact" in wrong_calls(PERCEPTRON)


def train(model, inputs):
    model.train(not model.training)


def freeze(model, inputs):
    next(model.parameters()).requires_grad_(False)


def leave_a_gradient(model, inputs):
    parameter = next(model.parameters())
    parameter.grad = torch.ones_like(parameter)


def move(model, inputs):
    next(model.parameters()).data.reshape(-1)[0] *= 1 + 1e-6


def change_the_inputs(model, inputs):
    inputs += 1


def draw_a_number(model, inputs):
    torch.rand(1)


def hook(model, inputs):
    model.register_forward_hook(lambda *given: None)


def switch_off_the_fast_path(model, inputs):
    torch.backends.mha.set_fastpath_enabled(False)


def leave_a_wrapper(model, inputs):
    torch.func.grad(lambda x: setattr(model, "kept", x) or x.sum())(torch.ones(2))


@pytest.mark.parametrize(
    "damage",
    [
        train,
        freeze,
        leave_a_gradient,
        move,
        change_the_inputs,
        draw_a_number,
        hook,
        switch_off_the_fast_path,
        leave_a_wrapper,
    ],
)
def test_what_is_left_behind_is_noticed(damage):
    draw = build(SEED, IN_DOUBLE)
    fast = torch.backends.mha.get_fastpath_enabled()
    before = Snapshot(draw)
    assert before.changes() == []
    try:
        with torch.random.fork_rng(devices=[]):
            damage(draw.model, draw.inputs)
            assert before.changes()
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


def test_a_change_by_the_library_makes_a_draw_wrong(monkeypatch):
    def careless(function, model, *given, **options):
        model.train(not model.training)
        return function(model, *given, **options)

    tampered(monkeypatch, "operator", careless)
    assert "left as it was" in wrong_calls(PERCEPTRON)


@pytest.mark.parametrize("name", ["sharpness", "s2", "s3", "s4"])
def test_bounds_that_are_ten_times_too_small_are_noticed(name):
    matrices = Dice(SEED, 2).normal(3, 3, 3)
    matrices = matrices @ matrices.mT
    found, tops = (
        moments(SampleHessians.from_dense(matrices)),
        exact_tops(matrices, 1, replacement=False),
    )
    norm = float(torch.linalg.matrix_norm(matrices, 2).max())

    def verdict(**changes):
        return moment_verdict("moments", dataclasses.replace(found, **changes), tops, norm).status

    assert verdict() == "right"
    off = getattr(found, name) * (1 + 1e-12)  # as a worse eigenvalue would be, honestly bounded
    assert verdict(**{name: off, f"{name}_error": 2e-12 * off}) == "right"
    assert verdict(**{name: off, f"{name}_error": 2e-13 * off}) == "wrong"
    assert verdict(**{name: math.nan}) == "wrong"
    assert verdict(**{f"{name}_error": norm}) == "wrong"  # a bound that says nothing


def scaled(found, factor):
    numbers = {n: getattr(found, n) * factor for n in ("value", "lower", "upper")}
    return dataclasses.replace(found, **numbers)


def test_a_threshold_in_another_unit_is_noticed():
    rows = Dice(SEED, 1).normal(4, 3)
    matrices = rows[:, :, None] * rows[:, None, :]
    found = stability_threshold(SampleHessians.from_rank_one(rows), 0.1, batch_size=2)
    ask = (matrices, 0.1, 2, "same")
    assert brute.threshold_verdict(found, *ask).status == "right"
    for factor in (0.5, 2.0, 1 + 1e-5):
        assert brute.threshold_verdict(scaled(found, factor), *ask).status == "wrong"
    wide = dataclasses.replace(found, lower=0.9 * found.value)
    assert brute.threshold_verdict(wide, *ask).status == "wrong"
    shifted = matrices.clone()
    shifted[0] -= 0.3 * torch.eye(3, dtype=torch.float64)
    assert "below zero" in brute.threshold_verdict(found, shifted, 0.1, 2, "same").reason


def test_thresholds_by_the_whole_map_are_those_that_are_known():
    one = torch.diag(torch.tensor([3.0, 1.0], dtype=torch.float64))[None]
    assert math.isclose(brute.brute_threshold(one, 0.0, 1, "same"), 2 / 3, rel_tol=1e-7)
    assert math.isclose(brute.brute_threshold(one, 0.5, 1, "same"), 2 / 7.5, rel_tol=1e-7)
    two = torch.tensor([[[0.0]], [[2.0]]], dtype=torch.float64)  # E(1 - ηh)² = 1 - 2η + 2η² = 1
    assert math.isclose(brute.brute_threshold(two, 0.0, 1, "same"), 1.0, rel_tol=1e-7)
    assert math.isclose(brute.brute_threshold(two * 1e9, 0.0, 1, "same"), 1e-9, rel_tol=1e-7)


def test_moments_in_rational_arithmetic_are_those_that_are_known():
    v = 1e-45
    two = torch.tensor([[[0.0]], [[2 * v]]], dtype=torch.float64)
    tops = exact_tops(two, 1, replacement=False)
    for k, top in enumerate(tops, start=1):
        expected = Fraction(v) ** k * (1 if k == 1 else 2 ** (k - 1) - 1)
        assert abs(float(top / float(Fraction(v)) ** 1) - float(expected / Fraction(v))) <= (
            1e-15 * float(expected / Fraction(v))
        )
    rows = torch.tensor([[1.0, 2.0], [0.1, -0.3]], dtype=torch.float64)
    both = exact_tops(rows, 2, replacement=False)
    assert float(both[0]) == pytest.approx(
        float(torch.linalg.eigvalsh(rows.T @ rows / 2)[-1]), rel=1e-14
    )
    assert both[1:] == [0, 0, 0]  # there is only one batch


def test_an_oracle_that_contradicts_differences_ends_in_an_error():
    subject = build(SEED, SKEWED)
    assert "| skewed |" in subject.words
    oracles.truth_of(subject, build(SEED, SKEWED, ideal=True), build(SEED, SKEWED))
    with pytest.raises(AssertionError, match="contradict"):
        oracles.truth_of(subject, _double(build(SEED, SKEWED)), build(SEED, SKEWED))


def _double(draw):
    draw.model.double()
    return dataclasses.replace(draw, inputs=draw.inputs.double())


def test_raw_errors_refusals_and_warnings_are_told_apart():
    def torch_own():
        return torch.ones(2, 3) @ torch.ones(2, 3)

    def library_own():
        return exact(nn.Linear(2, 1), None, torch.ones(0, 2), torch.ones(0))

    def warns():
        return per_sample(
            nn.Linear(2, 1),
            numerics.hessians.SQUARE_LOSS,
            torch.ones(1, 2),
            torch.ones(1, 1),
            dtype=torch.float32,
        )

    assert attempt("x", torch_own)[1].status == "raw"
    assert attempt("x", library_own)[1].status == "refused"
    assert attempt("x", warns)[1].status == "raw"
    assert attempt("x", lambda: 3) == (3, None)
    verdicts = [
        Called("right", "a"),
        Called("refused", "b", "no 1e3"),
        Called("raw", "c"),
    ]
    assert judgement(0, verdicts, False, "").status == "raw"
    assert judgement(0, verdicts[:2], False, "").status == "refused"
    assert verdicts[1].kind == "b: no #"
    due = dataclasses.replace(verdicts[1], due=True)
    assert judgement(0, [verdicts[0], due], False, "").status == "right"
    indefinite = torch.diag(torch.tensor([1.0, -0.1]))[None]
    assert brute.due_or_not(verdicts[1], indefinite).due
    assert not brute.due_or_not(verdicts[1], indefinite.square()).due


def test_an_operator_that_is_not_the_hessian_of_a_sample_is_noticed(monkeypatch):
    def halved(function, *given, **options):
        found = function(*given, **options)
        return dataclasses.replace(found, exact_trace=(found.exact_trace or 1.0) * 1.01)

    tampered(monkeypatch, "operator", halved)
    assert "trace" in wrong_calls(PERCEPTRON)


def test_matrices_alone_are_judged():
    verdicts, _, words = judge_spectrum(Dice(SEED, 3))
    assert {v.call for v in verdicts} >= {"moments dense", "moments lanczos"}
    assert words.startswith("matrices")


def test_the_command_counts_and_fails_where_something_is_wrong(monkeypatch, tmp_path, capsys):
    out = tmp_path / "report.json"
    assert main(["--only", str(PERCEPTRON), "--jobs", "1", "--out", str(out)]) == 0
    document = json.loads(out.read_text())
    assert document["result"]["drawn"] == 1 and document["result"]["wrong"] == 0
    assert document["made_by"]["torch"] == torch.__version__
    assert "1 drawn" in capsys.readouterr().out
    tampered(monkeypatch, "exact", lambda f, *given, **options: f(*given, **options) * 1.001)
    assert main(["--only", str(PERCEPTRON), "--jobs", "1"]) == 1  # the process is a fork
    assert f"--only {PERCEPTRON}" in capsys.readouterr().out
    assert main(["--draws", "0"]) == 2
