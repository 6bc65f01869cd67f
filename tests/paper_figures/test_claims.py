"""Verdicts on the claims, from tables made up by hand and statistics typed again."""

import json
import math

import numpy as np
import pytest

from numerics.statistics import slopes
from paper_figures import abstract
from paper_figures.__main__ import main
from paper_figures.abstract import CLAIMS, Claim
from paper_figures.canonical import sha256
from paper_figures.claims import Finding, Support, document, find, page
from paper_figures.families.comparisons import TUNED
from paper_figures.recipes import discover, load
from paper_figures.tables import from_csv, from_one_field, in_one_field, to_csv

SIZES = (1_000, 10_000, 50_000)
rng = np.random.default_rng(0)
GAINS = rng.normal(size=(3, 6))  # sizes x seeds


def gain_rows(gains=GAINS, epoch="best", method=TUNED, **columns):
    return [
        {
            **columns,
            "parameters": size,
            "method": method,
            "epoch": epoch,
            "gain_of_seeds": in_one_field(of_seeds),
        }
        for size, of_seeds in zip(SIZES, gains, strict=True)
    ]


def fitted(values, sizes=SIZES):
    """numpy's own least-squares line, seed by seed."""
    return [np.polyfit(np.log10(sizes), column, 1)[0] for column in np.asarray(values).T]


def built(folder, name, rows, preset="laptop"):
    """Files as a build leaves them: the CSV, and the manifest with its digest."""
    folder.mkdir(exist_ok=True, parents=True)
    text = to_csv(rows)
    (folder / f"{name}.csv").write_text(text)
    manifest = {
        "preset": preset,
        "files": {f"{name}.csv": sha256(text)},
        "code": load(discover()[name]).versions(),
        "statements": {"runs": {}, "compute": {}, "table": {}},
    }
    (folder / f"{name}.json").write_text(json.dumps(manifest))


def close(expected):
    # A dozen float64 operations on numbers of order 1.
    return pytest.approx(np.asarray(expected), rel=1e-9, abs=1e-12)


def test_slopes_are_those_of_numpy():
    assert slopes(np.log10(SIZES), GAINS) == close(fitted(GAINS))
    for places, values in (([1, 1], GAINS[:2]), ([1, 2], GAINS), ([], np.empty((0, 2)))):
        with pytest.raises(ValueError, match=r"give one each|two that differ"):
            slopes(places, values)


def test_only_the_tuned_radius_at_the_best_epoch_counts():
    others = gain_rows(GAINS + 7, epoch="last") + gain_rows(
        (GAINS - 3) ** 2, method="SAM, fixed radius"
    )
    rows = others + gain_rows()[::-1]
    assert abstract.gain_slope(rows) == close(fitted(GAINS))
    assert abstract.fixed_gain_slope(rows) == close(fitted((GAINS - 3) ** 2))


@pytest.mark.parametrize("epoch", ["best", "last"])
def test_label_noise_is_compared_with_no_noise(epoch):
    by_share = {0.0: GAINS, 0.25: GAINS**2, 0.5: np.exp(GAINS)}
    rows = [r for s, g in by_share.items() for r in gain_rows(g, epoch, label_noise=s)]
    noisy = np.mean([fitted(GAINS**2), fitted(np.exp(GAINS))], axis=0)
    assert abstract.noise_slope(epoch)(rows) == close(noisy - fitted(GAINS))


def test_sparse_networks_are_compared_with_dense_ones_of_their_size():
    rows = gain_rows(GAINS, network="dense") + gain_rows(GAINS**2, network="snip")[:2]
    expected = (GAINS**2 - GAINS)[:2].mean(0)
    assert abstract.sparse_gain("snip")(rows) == close(expected)


def test_regularisation_is_compared_with_none():
    kept = {"network": "perceptron", "weight_decay": 1e-4}
    rows = gain_rows(GAINS, **kept) + gain_rows(GAINS**2, "last", **kept)
    rows += gain_rows(np.exp(GAINS), network="perceptron", weight_decay=0.0)
    rows += gain_rows(GAINS + 100, network="attention", weight_decay=1e-4)
    both = np.subtract(fitted(GAINS), fitted(np.exp(GAINS)))
    assert abstract.decay_slope(rows) == close(both)
    assert abstract.stopping_slope(rows) == close(np.subtract(fitted(GAINS), fitted(GAINS**2)))


def test_powers_are_slopes_of_logarithms():
    """Made-up laws with known powers."""
    seeds = np.arange(1.0, 6.0)
    widths = (10, 20, 50)
    rows = [
        {
            "kind": "complexity",
            "algorithm": name,
            "neurons": width,
            "trace_of_seeds": in_one_field(3 * seeds * width**power),
        }
        for name, power in (("GD", 1.0), ("normalised SAM", 0.6))
        for width in widths
    ]
    assert abstract.trace_exponent(rows) == close([-0.4] * 5)
    minima = [
        {
            "quantity": quantity,
            "algorithm": name,
            "parameters": n,
            "ratio_of_seeds": in_one_field(seeds * n**power),
        }
        for quantity in ("a", "s_2")
        for name, power in (("SAM", -0.2), ("normalised SAM", 0.7))
        for n in SIZES
    ]
    assert abstract.ratio_exponent("s_2")(minima) == close([-0.2] * 5)
    radii = [
        {"parameters": n, "radius": r, "best_of_seeds": in_one_field(seeds * n**0.3)}
        for n in SIZES
        for r in (0.05, 0.1)
    ]
    assert abstract.radius_exponent(radii) == close([0.3] * 5)
    rates = [
        {
            "problem": problem,
            "algorithm": "SAM",
            "step": 0,
            "parameters": n,
            "decrease_of_seeds": in_one_field(1e-6 * seeds * n**0.5),
            "late_ratio_of_seeds": in_one_field(seeds * n),
        }
        for problem in ("mnist", "factorisation")
        for n in SIZES
    ]
    assert abstract.rate_exponent("mnist")(rates) == close([0.5] * 5)
    assert abstract.late_ratio("mnist")(rates) == close(seeds * SIZES[-1])


def test_moments_are_paired_by_seed():
    rows = [
        {"quantity": q, "algorithm": name, "seed": seed, "value": value * (1 + (q == "s_3"))}
        for q in ("s_2", "s_3")
        for name, values in (("SGD", (2.0, 3.0)), ("SAM", (1.0, 2.0)))
        for seed, value in enumerate(values)
    ]
    assert abstract.log_ratio("s_2")(rows) == close(np.log([1 / 2, 2 / 3]))


def claim(numbers, sign=1, null=0.0, value=None):
    figure = "mnist_generalisation"
    return Claim("It is so.", figure, "a number", lambda _: numbers, sign, null, value)


STEADY = [1.0, 1.1, 0.9, 1.05, 0.95]


@pytest.mark.parametrize(
    ("numbers", "sign", "null", "verdict"),
    [
        (STEADY, 1, 0.0, Support.SUPPORTED),
        (STEADY, -1, 0.0, Support.NOT_SUPPORTED),
        (STEADY, 1, 2.0, Support.NOT_SUPPORTED),
        (STEADY, -1, 2.0, Support.SUPPORTED),
        (STEADY, 1, 1.0, Support.INCONCLUSIVE),
        (STEADY[:4], 1, 0.0, Support.INCONCLUSIVE),  # four seeds decide nothing
        ([0.0] * 5, 1, 0.0, Support.INCONCLUSIVE),
        ([5.0, -4.0, 6.0, -5.0, 3.0], 1, 0.0, Support.INCONCLUSIVE),
    ],
)
def test_the_interval_decides(tmp_path, numbers, sign, null, verdict):
    built(tmp_path, "mnist_generalisation", [{"x": 1}])
    (finding,) = find(tmp_path, [claim(numbers, sign, null)])
    assert (finding.verdict, finding.preset) == (verdict, "laptop")
    # Student's quantile for four degrees of freedom, from a table.
    if len(numbers) == 5:
        reach = 2.776445105 * np.std(numbers, ddof=1) / math.sqrt(5)
        ends = [np.mean(numbers), np.mean(numbers) - reach, np.mean(numbers) + reach]
        assert [finding.effect.mean, finding.effect.low, finding.effect.high] == close(ends)


@pytest.mark.parametrize(
    ("sign", "null", "value", "verdict"),
    [
        (1, 0.0, 1.05, Support.SUPPORTED),
        (1, 0.0, 0.9, Support.SUPPORTED),  # beyond what is claimed
        (1, 0.0, 1.2, Support.INCONCLUSIVE),  # an effect, but short of what is claimed
        (-1, 2.0, 1.05, Support.SUPPORTED),
        (-1, 2.0, 0.8, Support.INCONCLUSIVE),
        (1, 1.0, 1.05, Support.INCONCLUSIVE),
        (1, 2.0, 3.0, Support.NOT_SUPPORTED),
    ],
)
def test_a_claimed_number_has_to_be_reached(tmp_path, sign, null, value, verdict):
    """The interval of STEADY is 0.902 to 1.098."""
    built(tmp_path, "mnist_generalisation", [{"x": 1}])
    (finding,) = find(tmp_path, [claim(STEADY, sign, null, value)])
    assert finding.verdict is verdict


def test_figures_are_found_in_folders_of_their_own_and_what_is_not_built_is_not_run(tmp_path):
    built(tmp_path / "teacher_student", "teacher_student", gain_rows(), preset="paper")
    findings = find(tmp_path)
    assert [f.claim for f in findings] == list(CLAIMS)
    run = [f for f in findings if f.verdict is not Support.NOT_RUN]
    assert [(f.claim.figure, f.preset, f.effect.count) for f in run] == [
        ("teacher_student", "paper", 6)
    ]
    assert run[0].effect.mean == close(np.mean(fitted(GAINS)))


def test_every_claim_names_a_figure():
    assert {one.figure for one in CLAIMS} <= discover().keys()
    assert len({one.statistic for one in CLAIMS}) == len(CLAIMS)


def test_page_and_document_say_the_same(tmp_path):
    built(tmp_path, "mnist_generalisation", [{"x": 1}])
    other = next(one for one in CLAIMS if one.figure == "teacher_student")
    findings = [*find(tmp_path, [claim(STEADY)]), Finding(other)]
    text, described = page(findings), json.loads(document(findings))["claims"]
    decided, absent = (
        next(line for line in text.splitlines() if f"`{figure}`" in line)
        for figure in ("mnist_generalisation", "teacher_student")
    )
    assert (
        decided == "| a number | 1 [0.902, 1.1] | supported | `mnist_generalisation`, laptop, 5 |"
    )
    assert absent.endswith("|  | not run | `teacher_student` |")
    linear = next(one for one in CLAIMS if one.null)
    assert f"| {linear.statistic} (no effect: 1, claimed: 2) |  | not run |" in page(
        [Finding(linear)]
    )
    assert [one["verdict"] for one in described] == ["supported", "not run"]
    assert described[0]["effect"]["seeds"] == 5 and described[1]["effect"] is None


def test_command_line(tmp_path, capsys):
    built(tmp_path, "teacher_student", gain_rows())
    assert main(["claims", "--results", str(tmp_path), "--json"]) == 0
    described = json.loads(capsys.readouterr().out)["claims"]
    assert len(described) == len(CLAIMS)
    assert main(["claims", "--results", str(tmp_path)]) == 0
    assert capsys.readouterr().out == page(find(tmp_path))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"method": TUNED}], "no row with"),
        ([{"method": "SGD", "epoch": "best"}], "no row with"),
        ([{"method": TUNED, "epoch": "best", "parameters": 3}], "no column gain_of_seeds"),
        (gain_rows()[:1], "two that differ"),
        ([{**gain_rows()[0], "gain_of_seeds": None}], "gain_of_seeds is empty"),
    ],
)
def test_tables_of_older_code_are_one_line(tmp_path, capsys, rows, message):
    built(tmp_path, "teacher_student", rows)
    assert main(["claims", "--results", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert message in error and "teacher_student" in error and error.count("\n") == 1


def test_a_changed_table_and_a_missing_folder_are_one_line(tmp_path, capsys):
    built(tmp_path, "teacher_student", gain_rows())
    path = tmp_path / "teacher_student.csv"
    path.write_text(path.read_text().replace("best", "Best"))
    for folder, message in ((tmp_path, "is not what was computed"), (path / "x", "not a folder")):
        assert main(["claims", "--results", str(folder)]) == 2
        error = capsys.readouterr().err
        assert message in error and error.count("\n") == 1


def test_numbers_of_seeds_survive_the_table():
    numbers = [0.1, -2e-300, 1 / 3, 5.0]
    (row,) = from_csv(to_csv([{"numbers": in_one_field(numbers)}]))
    assert from_one_field(row["numbers"]) == numbers


@pytest.mark.parametrize("function", ["runs", "compute", "table"])
def test_a_table_by_other_code_is_refused_with_the_command_that_rebuilds_it(
    tmp_path, capsys, function
):
    built(tmp_path, "teacher_student", gain_rows())
    change(tmp_path, lambda manifest: manifest["code"].update({function: "other"}))
    assert main(["claims", "--results", str(tmp_path)]) == 1
    out, error = capsys.readouterr()
    command = "sam-figures build teacher_student --preset laptop"
    assert (out, error) == (
        "",
        f"stale: teacher_student: the code of {function}: rebuild with `{command}`\n",
    )


def test_a_table_by_another_statement_is_refused(tmp_path, capsys):
    from paper_figures.statements import digests

    built(tmp_path, "teacher_student", gain_rows())
    now = digests(["sam-edge"], whole=False)
    change(tmp_path, lambda manifest: manifest["statements"].update(table=now))
    assert main(["claims", "--results", str(tmp_path)]) == 0
    change(tmp_path, lambda m: m["statements"].update(table={"sam-edge": "other"}))
    capsys.readouterr()
    assert main(["claims", "--results", str(tmp_path)]) == 1
    assert "teacher_student: the statement sam-edge: rebuild" in capsys.readouterr().err


def test_other_drawings_do_not_make_a_table_stale(tmp_path, capsys):
    built(tmp_path, "teacher_student", gain_rows())
    change(tmp_path, lambda manifest: manifest["code"].update(draw="other"))
    assert main(["claims", "--results", str(tmp_path)]) == 0


def test_a_table_that_does_not_name_its_code_is_refused(tmp_path, capsys):
    built(tmp_path, "teacher_student", gain_rows())
    change(tmp_path, lambda manifest: manifest.update(code="one digest"))
    assert main(["claims", "--results", str(tmp_path)]) == 1
    assert "it does not say by which code" in capsys.readouterr().err


def change(folder, how, name="teacher_student"):
    path = folder / f"{name}.json"
    manifest = json.loads(path.read_text())
    how(manifest)
    path.write_text(json.dumps(manifest))
