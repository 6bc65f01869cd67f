"""What a file may call things does not decide what the table and the documents show."""

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from small import P_POSITIVE, file_with, p, small

from theory import opinions as checkers
from theory.__main__ import main
from theory.trusted.certificates import NOTHING, Fact
from theory.trusted.terms import Const, Function, Named, Operator, Param, Value, norm2

WRONG = replace(small(p >= 1, Fact("p > 0"), P_POSITIVE), id="mine")
TEX = r"a}$ \qed \subsection*{Proof"
NAMED = {
    "parameter": Param(TEX) <= Const(0),
    "vector": norm2(Named(TEX)) <= Const(0),
    "function": Value(Function(TEX), Named("y")) <= Const(0),
    "operator": norm2(Operator(TEX)(Named("y"))) <= Const(0),
}


def one_line(capsys):
    err = capsys.readouterr().err
    assert err.startswith("error: ") and err.count("\n") == 1 and err[:-1].isprintable()
    return err


@pytest.mark.parametrize(
    "change",
    [
        {"id": "p" * 500},
        {"title": "proved " * 300},
        {"id": ":white_check_mark:", "title": ":heavy_check_mark: [green]proved[/]\\"},
    ],
)
def test_the_verdict_has_its_place_in_the_table(change, tmp_path, capsys):
    assert main(["check", file_with(tmp_path, replace(WRONG, **change))]) == 1
    out = capsys.readouterr().out
    assert re.search(r" undecided *$", out, re.M)
    assert "✅" not in out and "✔" not in out


def test_a_files_name_shows_as_it_is(tmp_path, capsys):
    path = str(tmp_path / "a\n  verdict   proved\x1b[2J\udcff.py")
    Path(file_with(tmp_path, WRONG)).rename(path)
    assert main(["explain", path]) == 1
    out = capsys.readouterr().out
    assert not re.search(r"^  verdict   proved", out, re.M) and "\x1b" not in out
    assert main(["explain", path, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["theorems"][0]["file"].isprintable()
    assert main(["check", path + "x.py"]) == 2
    one_line(capsys)


@pytest.mark.parametrize(
    ("end", "said"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "ended by the signal 11"),
        ("raise SystemExit('\\x1b[32mproved')", "it ended the program"),
        ("raise KeyboardInterrupt", "ended by the signal 2"),
        ("class E(BaseException): pass\nraise E('proved')", "E: proved"),
    ],
)
def test_however_a_file_ends_it_is_one_line(end, said, tmp_path, capsys):
    (tmp_path / "mine.py").write_text(end)
    assert main(["check", str(tmp_path / "mine.py")]) == 2
    assert said in one_line(capsys)


def test_a_process_that_is_killed_is_one_line(monkeypatch, capsys):
    monkeypatch.setitem(checkers.SECOND_OPINIONS, "z3", lambda _: os.kill(os.getpid(), 9))
    named = ["sgd-pl-linear", "pl-half-to-bare"]
    assert main(["check", *named, "--jobs", "2", "--checkers", "kernel,z3"]) == 2
    assert "use fewer --jobs" in one_line(capsys)


@pytest.mark.parametrize("name", NAMED)
def test_a_name_is_no_command_of_latex(name, tmp_path, capsys):
    claim = replace(WRONG.proof[0], claim=NAMED[name], certificate=NOTHING)
    status = main(["explain", file_with(tmp_path, replace(WRONG, proof=(claim,))), "--latex"])
    out = capsys.readouterr().out
    assert (status, out) == (2, "") or status == 1
    assert not re.search(r"\\qed|\\subsection\*?\{Proof", out.replace(r"\textbackslash{}", ""))
