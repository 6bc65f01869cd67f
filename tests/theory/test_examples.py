"""The worked examples, end to end through the command line, and the page that shows them."""

import json
import re
import subprocess
import sys

import pytest

from theory.registry import BadTheoremFile, load_file
from theory.search import SearchStatus, prove
from theory.trusted.instances import read
from theory.trusted.statements import Status

EXAMPLES = {
    "gradient_descent.py": ["gradient-descent"],
    "proximal_point.py": ["proximal-point", "proximal-point-strong"],
}


def run(root, *arguments):
    command = [sys.executable, "-m", "theory", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=root, timeout=120)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_found_and_proved(root, name):
    done = run(root, "check", root / "examples" / name, "--json")
    assert done.returncode == 0, done.stderr
    theorems = json.loads(done.stdout)["theorems"]
    assert [t["id"] for t in theorems] == EXAMPLES[name]
    for theorem in theorems:
        assert theorem["status"] == theorem["checkers"]["kernel"] == Status.PROVED
        assert theorem["redundant_hypotheses"] == []
        assert all(theorem["steps"].values())


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_short_and_contains_no_proof(root, name):
    text = (root / "examples" / name).read_text()
    assert len(text.splitlines()) < 40
    assert "proof=()" in text and "RuleAt" not in text and "Norm(" not in text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "true", "false"),
    [
        ("gradient_descent.py", "one_step = norm2", "one_step = Fraction(101, 100) * norm2"),
        ("gradient_descent.py", "step_size <= 2 / (mu + L)", "step_size <= 2 / mu"),
        ("proximal_point.py", "contraction = after", "contraction = Fraction(101, 100) * after"),
        ("proximal_point.py", "descent = after", "descent = Fraction(101, 100) * after"),
    ],
)
def test_a_false_example_is_refused_in_one_line(root, tmp_path, name, true, false):
    text = (root / "examples" / name).read_text()
    assert text.count(true) == 1
    header, rest = text.split("\n\n", 1)
    wrong = tmp_path / name
    wrong.write_text(header + "\nfrom fractions import Fraction\n" + rest.replace(true, false))
    done = run(root, "check", wrong)
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.strip().splitlines()
    assert "the search found no proof (refuted)" in line


@pytest.mark.slow
def test_explain_says_what_was_combined(root):
    done = run(root, "explain", root / "examples" / "gradient_descent.py")
    assert done.returncode == 0
    assert "found by search, of class: interpolation (2 times)" in done.stdout
    assert "squares of vectors" in done.stdout


def test_the_search_and_the_file_agree(root):
    (theorem,) = load_file(root / "examples" / "gradient_descent.py")
    claim = theorem.proof[0].claim
    bare = {"proof": (), "conclusion": (), "divisors": (), "witness": None}
    again = prove(type(theorem)(**{**vars(theorem), **bare}), "one step", claim)
    assert again.status is SearchStatus.FOUND
    assert again.theorem.proof[0].claim == claim


def test_a_file_whose_search_takes_too_long_is_stopped(root):
    with pytest.raises(BadTheoremFile, match="not read after"):
        load_file(root / "examples" / "gradient_descent.py", timeout=0.05)


def test_the_page_shows_exactly_the_examples(root):
    page = (root / "docs" / "prove-your-own-theorem.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    assert blocks[:-1] == [(root / "examples" / name).read_text() for name in EXAMPLES]
    scope: dict = {}
    exec(compile(blocks[-1], "the witness of the page", "exec"), scope)
    instance = read(scope["given"])
    assert (instance.samples, instance.dimension) == (2, 2)
    assert instance.parameters["p"] ** 2 == 2


def test_the_page_names_every_way_a_search_can_end(root):
    page = (root / "docs" / "prove-your-own-theorem.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \|", page, flags=re.MULTILINE)
    assert {row for row in rows if row in set(SearchStatus)} == set(SearchStatus)
