"""What the pages say of the library is so: ids, verdicts, links and examples."""

from __future__ import annotations

import ast
import json
import re

import pytest
import sympy

import theory
from theory.trusted.statements import Status

PAGES = ["README.md", "docs/sharp-theory.md", "docs/catalogue.md", "docs/hessians.md"]
LIBRARY = theory.load()
VERDICTS = {"proved": Status.PROVED, "refuted": Status.REFUTED}


def ids(text):
    """What is written as the id of a theorem."""
    return [i for i in re.findall(r"`([a-z]+(?:-[a-z0-9]+)+)`", text) if i.split("-")[0] in KINDS]


KINDS = {name.split("-")[0] for name in LIBRARY}


@pytest.mark.parametrize("page", PAGES)
def test_every_theorem_that_is_named_exists(root, page):
    named = ids((root / page).read_text())
    assert named or page == "docs/hessians.md"
    assert set(named) <= set(LIBRARY)


def test_so_does_every_theorem_that_any_other_page_or_notebook_names(root):
    """What a page's reader writes and a command's name are no theorems of the library."""
    own = {"sam-prove", "sam-measure", "sam-figures", "sam-theory", "sam-step-length"}
    for page in [*root.glob("*.md"), *root.glob("docs/*.md"), *root.glob("notebooks/*.ipynb")]:
        assert set(ids(page.read_text())) <= {*LIBRARY, *own}, page.name


def test_the_verdicts_in_the_table_are_those_of_the_library(root):
    rows = re.findall(r"^\| .* \| (\w+)\b.* \| `([\w-]+)` \|$", page(root), re.M)
    assert len(rows) >= 8
    for verdict, name in rows:
        assert LIBRARY[name].expected is VERDICTS[verdict], name


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(root, name):
    place = root / name
    for target in re.findall(r"\]\(([^)#]+)\)", place.read_text()):
        assert target.startswith("https://") or (place.parent / target).exists(), target


def test_the_example_runs(root, capsys):
    (block,) = re.findall(r"```python\n(.*?)```", page(root), re.S)
    exec(compile(block, "docs/sharp-theory.md", "exec"), {})
    assert "stable" in capsys.readouterr().out


def test_the_readme_counts_what_the_scoreboard_counted(root):
    found = json.loads((root / "benchmarks/results/scoreboard.json").read_text())["result"]
    assert found["raw"] == found["wrong"] == 0
    said = "{right:,} right, {refused:,} refused with a reason, none wrong".format_map(found)
    text = (root / "README.md").read_text()
    assert f"[{found['drawn']:,} draws](benchmarks/results/scoreboard.json): {said}" in text


def test_the_best_step_size_of_the_readme_is_the_theorems(root):
    blocks = re.findall(r"```python\n(.*?)```", (root / "README.md").read_text(), re.S)
    names = {}
    for block in blocks:
        if "import theory" in block:
            exec(compile(block, "README.md", "exec"), names)
    (block,) = (block for block in blocks if "sympy" in block)
    *before, last = ast.parse(block).body
    exec(compile(ast.Module(before, []), "README.md", "exec"), names)
    (found,) = eval(compile(ast.Expression(last.value), "README.md", "eval"), names)
    best = names["statement"].quantities["best_step_size"]
    assert names["theorem"].id == "sam-pl-linear" and sympy.simplify(found - best) == 0


def page(root):
    return (root / "docs" / "sharp-theory.md").read_text()
