"""`sam-prove`: exit statuses, the JSON document, no traceback on bad input."""

import json
import subprocess
import sys

import pytest

import theory
from theory.__main__ import main
from theory.wire import decode


def run(capsys, *arguments):
    status = main(list(arguments))
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_check_json_has_the_agreed_shape(capsys):
    status, out, _ = run(capsys, "check", "--json")
    document = json.loads(out)
    assert status == 0
    assert document["version"] == theory.__version__
    assert [t["id"] for t in document["theorems"]] == list(theory.load())
    for entry in document["theorems"]:
        assert entry["status"] == entry["expected"] == entry["checkers"]["kernel"]
        assert entry["status"] == ("proved" if entry["failure"] is None else "refuted")
        assert {"title", "source", "hypotheses", "implicit_hypotheses", "seconds"} <= entry.keys()


def test_implicit_hypotheses_are_marked(capsys):
    _, out, _ = run(capsys, "check", "sam-stability-s2", "--json")
    (entry,) = json.loads(out)["theorems"]
    assert entry["implicit_hypotheses"] == ["step against radius"]


def test_table_and_several_processes(capsys):
    status, out, _ = run(capsys, "check", "sgd-pl-linear", "pl-half-to-bare", "--jobs", "2")
    assert status == 0
    assert "2 theorems: kernel 2; none differ from what is recorded" in out


def test_bad_usage_is_status_2():
    with pytest.raises(SystemExit) as problem:
        main(["prove"])
    assert problem.value.code == 2


def test_explain_prints_the_proof(capsys):
    status, out, _ = run(capsys, "explain", "sam-pl-linear")
    assert status == 0 and "Young" in out and "[implicit in the source]" in out
    status, out, _ = run(capsys, "explain", "sam-pl-linear", "--latex")
    assert status == 0 and out.startswith(r"\documentclass") and r"\end{document}" in out
    status, out, _ = run(capsys, "explain", "sam-pl-linear", "--json")
    (entry,) = json.loads(out)["theorems"]
    assert status == 0 and entry["status"] == "proved" and all(entry["steps"].values())
    assert decode(entry["theorem"]) == theory.get("sam-pl-linear")


def test_a_theorem_that_is_not_proved_is_status_1(tmp_path):
    file = tmp_path / "claim.py"
    file.write_text(
        "from dataclasses import replace\n"
        "from theory.library.sgd_pl_linear import THEOREM\n"
        "THEOREM = replace(THEOREM, id='mine', proof=THEOREM.proof[:3])\n"
    )
    command = [sys.executable, "-m", "theory", "check", str(file), "--json"]
    child = subprocess.run(command, capture_output=True, text=True, check=False)
    assert child.returncode == 1, child.stderr
    assert json.loads(child.stdout)["theorems"][0]["status"] == "undecided"


def test_a_broken_file_is_status_2(tmp_path):
    file = tmp_path / "broken.py"
    file.write_text("raise RuntimeError('no')\n")
    command = [sys.executable, "-m", "theory", "check", str(file)]
    child = subprocess.run(command, capture_output=True, text=True, check=False)
    assert child.returncode == 2
    assert "RuntimeError: no" in child.stderr and "Traceback" not in child.stderr
