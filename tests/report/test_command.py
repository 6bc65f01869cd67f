"""`sam-figures report`: the file, the exit status, one line for what is wrong."""

import pytest

from paper_figures.__main__ import main
from paper_figures.report import command
from paper_figures.report.page import Page


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs the command with a page that is quick to build; returns status, output, arguments."""

    def call(*arguments, report=None):
        asked = []

        def build(*given):
            asked.append(given)
            return report or Page("<!DOCTYPE html>é", 1, (), ())

        monkeypatch.setattr(command, "build", build)
        status = main(["report", *map(str, arguments)])
        return status, *capsys.readouterr(), asked

    return call


def test_it_writes_one_file(run, tmp_path):
    page = tmp_path / "new" / "report.html"
    status, out, err, asked = run("--out", page, "--docs", "pages", "--checkers", "kernel,z3")
    assert (status, err) == (0, "")
    assert page.read_text(encoding="utf-8") == "<!DOCTYPE html>é"
    assert out == f"{page}: 1 theorems, 0.0 MB\n"
    measured, docs, checkers = asked[0]
    assert (measured, str(docs), checkers) == (None, "pages", ("kernel", "z3"))
    assert list(page.parent.iterdir()) == [page]


def test_measurements_from_a_file(run, tmp_path, document):
    given = tmp_path / "measured.json"
    given.write_text(document, encoding="utf-8")
    *_, asked = run("--out", tmp_path / "a.html", "--measured", given)
    assert asked[0][0].outcome("sam-edge") == "consistent"


@pytest.mark.parametrize(
    ("report", "said"),
    [(Page("", 1, ("a",), ()), "a differ"), (Page("", 1, (), ("a", "b")), "a, b are violated")],
)
def test_what_is_not_as_recorded_is_status_1(run, tmp_path, report, said):
    status, out, _, _ = run("--out", tmp_path / "a.html", report=report)
    assert status == 1 and said in out
    assert (tmp_path / "a.html").is_file()  # the page that shows it


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--out", "."), "is a folder"),
        (("--checkers", "lean"), "unknown checker 'lean'"),
        (("--measured", "none.json"), "none.json cannot be read"),
        (("--measure", "--measured", "none.json"), "not allowed with"),
    ],
)
def test_bad_input_is_one_line(run, arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, out, err, asked = run(*arguments)
    assert (status, out, asked) == (2, "", [])
    assert message in err and err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
