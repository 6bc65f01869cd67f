"""The catalogue: its page, and its statements against closed forms typed a second time."""

import dataclasses
import math
from fractions import Fraction

import numpy as np
import pytest
from small import PROVED

import theory
from numerics.confrontations.cases import LeastSquaresCase
from numerics.confrontations.registry import AT_MINIMA, ON_LEAST_SQUARES
from numerics.confrontations.verdicts import Outcome
from numerics.problems import LeastSquares
from theory.evaluation import evaluate
from theory.text import catalogue as to_catalogue
from theory.trusted.algorithms import SamSpec
from theory.trusted.statements import Attribution, Status
from theory.trusted.terms import substitute

#: One entry at least for every source that the catalogue promises.
SOURCES = {
    "Wu, Ma, E 2018": "sgd-batch-bounds",
    "Mulayoff, Michaeli 2024": "sgd-batch-mixture",
    "Agarwala, Dauphin 2023": "sam-edge",
    "Long, Bartlett 2024": "sam-edge-normalized",
    "Bartlett, Long, Bousquet 2023": "sam-two-cycle",
    "Dai, Ahn, Sra 2023": "sam-normalized-bounded",
    "Compagnoni": "sam-saddle",
    "Andriushchenko, Flammarion 2022": "sam-pl-noise",
    "Si, Yun 2023": "sam-normalized-converges",
    "Oikonomou, Loizou 2025": "sam-pl-expected-residual",
    "Zhou": "sam-aligned-noise",
    "Chang, Khanna 2025": "sam-coherence",
    "Vaswani, Bach, Schmidt 2019": "sgd-strong-growth",
    "Ma, Ying 2021": "sgd-fourth-moment",
}
#: For every confrontation a quantity of the theorem, and what to divide it by to make it false.
MARKS = {
    "sam-edge": ("growth", 2),
    "sam-edge-normalized": ("growth", 2),
    "sam-saddle": ("growth", 2),
    "sam-two-cycle": ("amplitude", 2),
    "sam-two-cycle-stability": ("growth_across", 2),
    "sam-normalized-bounded": ("smallest_ball", 10_000),
    "sgd-batch-sufficient": ("noise_share", 2),
    "sgd-batch-bounds": ("bound", 1000),
    "sgd-batch-mixture": ("noise_share", 2),
    "sam-exact-threshold-stable": ("threshold", Fraction(1, 2)),
    "sam-exact-threshold-unstable": ("threshold", 2),
    "sam-aligned-noise": ("growth", Fraction(1, 1000)),
    "sam-coherence": ("growth", Fraction(1, 1000)),
    "sgd-fourth-moment": ("bound", 10**6),
    "sgd-strong-growth": ("factor", 2),
    "sgd-strong-growth-constant": ("growth", 1000),
    "sam-pl-expected-residual": ("factor", 2),
    "sam-pl-noise": ("factor", 100),
    "sam-pl-noise-horizon": ("next_level", 1000),
}
WITHOUT_QUANTITY = {"sgd-batch-monotone", "sam-normalized-converges"}
NORMALIZED = SamSpec("test", stochastic=False, normalized=True)
ETA, RHO = np.meshgrid(np.geomspace(1e-3, 3, 9), np.geomspace(1e-3, 30, 8))


def value(theorem_id, name, **given):
    return evaluate(theory.get(theorem_id), name, **given).value


def moved(point, hessian, step_size, radius):
    """One step of normalised SAM with the full gradient of x'Hx/2."""
    return NORMALIZED.step(point, step_size, radius, lambda x: hessian @ x, norm=np.linalg.norm)


def test_the_page_is_the_library(root):
    page = (root / "docs" / "catalogue.md").read_text(encoding="utf-8")
    fresh = to_catalogue.updated(page, theory.load().values())
    assert page == fresh, "run: python -m theory.text.catalogue docs/catalogue.md"


def test_the_page_is_rewritten_by_its_command(tmp_path, capsys, monkeypatch):
    shown = {name: theory.get(name) for name in ("sgd-pl-linear", "sgd-stability-s2-published")}
    monkeypatch.setattr(to_catalogue.registry, "load", lambda: shown)
    page = tmp_path / "page.md"
    page.write_text(f"before\n{to_catalogue.BEGIN}\nthe last table\n{to_catalogue.END}\nafter\n")
    assert to_catalogue.main([str(page)]) == 0
    text = page.read_text(encoding="utf-8")
    assert (
        text.startswith("before\n") and text.endswith("\nafter\n") and "the last table" not in text
    )
    assert all(f"| `{name}` |" in text for name in shown)
    page.write_text("no marks")
    assert to_catalogue.main([str(page)]) == 2 and "catalogue: begin" in capsys.readouterr().err
    assert page.read_text() == "no marks"
    assert to_catalogue.main([]) == 2
    unproved = dataclasses.replace(shown["sgd-pl-linear"], hypotheses=())
    monkeypatch.setattr(to_catalogue.registry, "load", lambda: {"unproved": unproved})
    assert to_catalogue.main([str(page)]) == 1 and page.read_text() == "no marks"
    assert "undecided: the statement:" in capsys.readouterr().err


@pytest.mark.parametrize(("author", "name"), SOURCES.items())
def test_every_source_has_its_entry(author, name):
    source = theory.get(name).source
    assert author in source.reference
    assert source.attribution is not Attribution.PRINTED  # no text was at hand to compare with


def test_the_edge_is_the_printed_root():
    edge = value("sam-edge", "edge", step_size=ETA, radius=RHO)
    printed = ETA * (np.sqrt(1 + 8 * RHO / ETA) - 1) / (2 * RHO)
    # the printed form cancels: sqrt(1 + z) - 1 with z down to 3e-3 loses three digits
    np.testing.assert_allclose(edge, printed, rtol=1e-11)
    growth = value("sam-edge", "growth", a=edge / ETA, step_size=ETA, radius=RHO)
    np.testing.assert_allclose(growth, -1, rtol=1e-11)


@pytest.mark.parametrize("norm", [1e-2, 1.0, 40.0])
def test_the_normalized_edge_is_the_printed_root(norm):
    given = {"step_size": ETA, "radius": RHO, "gradient_norm": norm}
    edge = value("sam-edge-normalized", "edge", **given)
    printed = norm / (2 * RHO) * (np.sqrt(1 + 8 * RHO / (ETA * norm)) - 1)
    np.testing.assert_allclose(edge, printed, rtol=1e-8)  # z down to 7e-5 here: five digits
    growth = value("sam-edge-normalized", "growth", a=edge, **given)
    np.testing.assert_allclose(growth, -1, rtol=1e-11)


@pytest.mark.parametrize("seed", range(5))
def test_the_cycle_attracts_from_a_generic_start(seed):
    """The published global claim, simulated: the theorem's amplitude and direction."""
    rng = np.random.default_rng(seed)
    values = np.array([0.2, 0.5, 1.0])
    basis = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    hessian = basis @ np.diag(values) @ basis.T
    point = 5 * rng.standard_normal(3)
    for _ in range(400):  # the slowest factor is below .86: 1e-26
        point = moved(point, hessian, 0.3, 0.1)
    amplitude = float(value("sam-two-cycle", "amplitude", a=1.0, step_size=0.3, radius=0.1))
    assert amplitude == pytest.approx(0.3 * 0.1 / 1.7, rel=1e-14)
    # a few hundred steps, each with some roundings that the contraction forgets
    assert abs(basis[:, 2] @ point) == pytest.approx(amplitude, rel=1e-12)
    assert np.linalg.norm(moved(point, hessian, 0.3, 0.1) + point) < 1e-12 * amplitude


def test_deviations_from_the_cycle_grow_along_steeper_directions():
    """The multiplier across the cycle against a difference quotient, on both sides of b = a."""
    a, step_size, radius, nudge = 1.0, 0.4, 0.3, 1e-6
    amplitude = float(value("sam-two-cycle", "amplitude", a=a, step_size=step_size, radius=radius))
    theorem = theory.get("sam-two-cycle-stability")
    factor = next(q.expression for q in theorem.quantities if q.name == "growth_across")
    for b in (0.1, 0.5, 0.99, 1.5):
        sides = [
            moved(np.array([amplitude, s * nudge]), np.diag([a, b]), step_size, radius)[1]
            for s in (1, -1)
        ]
        measured = (sides[0] - sides[1]) / (2 * nudge)
        expected = float(evaluate_freely(factor, a=a, b=b, step_size=step_size))
        # the quotient's own error is (nudge/amplitude)², 1e-10, and round-off over the nudge
        assert measured == pytest.approx(expected, abs=1e-8)
        assert (abs(measured) < 1) == (b < a)


def evaluate_freely(expression, **given):
    from theory.evaluation import value as plain

    return plain(expression, **given)


def test_a_saddle_attracts_exactly_beyond_the_threshold():
    c, step_size = 2.0, 0.1
    for radius, attracts in ((0.49, False), (0.51, True), (3.0, True)):
        factor = 1 + step_size * c - step_size * radius * c**2
        found = evaluate(
            theory.get("sam-saddle"), "growth", c=c, step_size=step_size, radius=radius
        )
        assert bool(found.covered) is attracts is (abs(factor) < 1)
        if attracts:
            assert found.value == pytest.approx(factor, rel=1e-14)


@pytest.mark.parametrize("size", range(1, 7))
def test_the_share_of_noise_is_that_of_all_batches(size):
    """p by enumerating every batch of 6 numbers: variance of the mean over variance of one."""
    from itertools import combinations

    numbers = [Fraction(k) for k in (0, 1, 3, 4, 10, 12)]
    mean = sum(numbers) / 6
    variance = sum((x - mean) ** 2 for x in numbers) / 6
    batches = [sum(batch) / size for batch in combinations(numbers, size)]
    of_batch = sum((x - mean) ** 2 for x in batches) / len(batches)
    share = float(value("sgd-batch-mixture", "noise_share", n=6, batch_size=size))
    assert share == pytest.approx(float(of_batch / variance), abs=1e-15)


def test_refuted_claims_point_to_proved_repairs():
    claim = theory.get("sam-normalized-converges")
    assert theory.check(claim).status is Status.REFUTED
    assert theory.get(claim.repaired_by) in PROVED
    small = dataclasses.replace(
        claim, refutation=dataclasses.replace(claim.refutation, vectors=(("y", (Fraction(2),)),))
    )
    assert theory.check(small).status is Status.UNDECIDED  # 2 is not on the cycle


def test_the_horizon_is_a_fixed_law():
    """1/k decay of the recursion that the theorem's step stands for, run with its constants."""
    beta = mu = sigma = 1.0
    level = 26 * beta * sigma**2 / mu**2
    loss = level / 32
    for index in range(32, 5000):
        step_size = 4 / (mu * index)
        q2 = beta * step_size
        noise = step_size / 2 * (q2 + 2 * beta * step_size * (1 + q2)) * sigma**2
        loss = (1 - step_size * mu / 2) * loss + noise
        bound = float(value("sam-pl-noise-horizon", "next_level", index=index, level=level))
        assert loss <= bound * (1 + 1e-12)
    assert math.isclose(bound, level / 5000, rel_tol=1e-12)


@pytest.fixture(scope="module")
def case():
    return LeastSquaresCase("small", LeastSquares.gaussian(6, 12, 0))


def test_every_confrontation_has_its_mark():
    wanted = ("full_gradient", "second_moments", "noisy_rates")
    special = AT_MINIMA.special | ON_LEAST_SQUARES.special
    assert {*MARKS, *WITHOUT_QUANTITY} == {
        name for name, (found, _) in special.items() if found.points.__module__.endswith(wanted)
    }


@pytest.mark.parametrize("name", MARKS)
def test_a_marked_formula_changes_the_verdict(case, name):
    """The number that decides is the theorem's own expression, not a copy of it."""
    quantity, mark = MARKS[name]
    theorem = theory.get(name)
    old = next(q.expression for q in theorem.quantities if q.name == quantity)
    verdict = case.confront(substitute(theorem, old, old / mark))
    assert verdict.outcome is Outcome.VIOLATED


def test_the_counterexample_is_run_by_the_optimiser(case):
    claim = theory.get("sam-normalized-converges")
    verdict = case.confront(claim)
    assert verdict.outcome is Outcome.CONSISTENT and verdict.points == 2
    wider = tuple((k, v * 2 if k == "radius" else v) for k, v in claim.refutation.parameters)
    off = dataclasses.replace(
        claim, refutation=dataclasses.replace(claim.refutation, parameters=wider)
    )
    assert case.confront(off).outcome is Outcome.VIOLATED
