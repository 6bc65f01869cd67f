"""Files that try to fool or break the checker: refused in one line, status 1 or 2, no traceback."""

import json
import os
import time
from pathlib import Path

import pytest

from theory import registry
from theory.__main__ import main

FILES = Path(__file__).parent / "files"
NOT_PROVED = {
    "patches_everything": "the certificate is not the claim",
    "contradictory": "no exact instance of the hypotheses",
    "contradictory_rules": "no exact instance of the hypotheses: 'short' fails in the witness",
    "divides_by_what_vanishes": "a divisor has not been proved positive",
    "fake_json_on_stdout": "the certificate is not the claim",
    "circular": "there is no fact named 'claim'",
    "hypothesis_named_like_a_step": "the name 'bound' is taken",
    "closes_its_streams": "the certificate is not the claim",
    "huge_power": "a product of polynomials with over",
    "markup_in_the_title": "the certificate is not the claim",
}
BAD_INPUT = {
    "garbage_instead_of_theorems": "codec can't decode",
    "forged_data": "Number.value is declared otherwise than float",
    "own_verdict": "a tuple stands where another type is declared",
    "ends_early": "it ended without handing over theorems",
    "forks": "it ended without handing over theorems",
    "never_ends": "not read after 3 s",
    "huge_output": "File too large",
    "lying_subclass": "Relation.right is declared otherwise than Anything",
    "exits_with_a_story": "[32mproved[0m",
    "too_deep": "more than 150 levels",
    "deep_json": "nested too deeply",
    "exponential_sharing": "more than",
    "huge_number": "not a rational number: '1e999999999'",
    "invisible_letters": "Param.name is declared otherwise than text with a character that",
    "nothing_at_all": "define THEOREM or THEOREMS",
}


@pytest.fixture(autouse=True)
def attacks_find_their_helper(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(FILES), prepend=os.pathsep)


def check(capfd, name, *options):
    started = time.perf_counter()
    status = main(["check", str(FILES / f"{name}.py"), *options])
    # a second or two each when idle; the file's own time limit is 60 s
    assert time.perf_counter() - started < 50
    out, err = capfd.readouterr()
    assert "Traceback" not in out + err
    return status, out, err


def test_every_attack_is_listed():
    there = {path.stem for path in FILES.glob("*.py")} - {"attack"}
    assert there == NOT_PROVED.keys() | BAD_INPUT.keys()
    assert all((FILES / f"{name}.py").read_text().startswith("# Attack:") for name in there)


@pytest.mark.parametrize("name", NOT_PROVED)
def test_false_claims_are_not_proved(capfd, name):
    status, out, err = check(capfd, name, "--json")
    (verdict,) = json.loads(out)["theorems"]
    assert status == 1 and verdict["status"] == "undecided" and err == ""
    assert NOT_PROVED[name] in verdict["reasons"]["kernel"]
    assert "\n" not in verdict["reasons"]["kernel"]


@pytest.mark.parametrize("name", BAD_INPUT)
def test_bad_files_are_one_line(capfd, monkeypatch, name):
    if name == "never_ends":
        monkeypatch.setattr(registry, "TIMEOUT", 3.0)
    status, out, err = check(capfd, name)
    assert status == 2 and out == ""
    assert err.startswith("error: ") and err.count("\n") == 1 and err[:-1].isprintable()
    assert BAD_INPUT[name] in err, err


def test_a_file_that_does_not_parse(capfd, tmp_path):
    (tmp_path / "words.py").write_text("theorem: 1 <= 0 (\n")
    assert main(["check", str(tmp_path / "words.py")]) == 2
    err = capfd.readouterr().err
    assert "SyntaxError" in err and err.count("\n") == 1


def test_the_table_shows_a_title_as_it_is_written(capfd):
    status, out, _ = check(capfd, "markup_in_the_title")
    assert status == 1 and "undecided" in out and "[/]" in out and "[green]" in out


def test_no_process_is_left_behind(capfd):
    def left():
        lines = [p.read_bytes() for p in Path("/proc").glob("[0-9]*/cmdline") if p.exists()]
        return sum(bytes(FILES / "forks.py") in line for line in lines)

    check(capfd, "forks")
    deadline = time.perf_counter() + 5
    while left() and time.perf_counter() < deadline:
        time.sleep(0.05)
    assert left() == 0
