"""The notebooks are kept for review: stripped, numbered, titled, their key numbers asserted."""

from __future__ import annotations

import ast
import json
import re
import runpy
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
STRIP = runpy.run_path(str(FOLDER / "strip.py"))
OPENING = re.compile(r"# (\d+)\. .+\n\nWhat you learn: (?:.+\n)*.+\.")
ABSOLUTE = re.compile(r"(?<![\w.:/)])/(?:home|root|tmp|usr|opt|var|mnt|work|Users)\b|[A-Z]:\\\w")
PRIVATE = re.compile(r"_(?!_)\w")

each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def sources(notebook, kind):
    return ["".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == kind]


def faults(notebook, number):
    """What a reviewer would send back, in one line each; `number` is the notebook's own."""
    prose, code = sources(notebook, "markdown"), sources(notebook, "code")
    text = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
    if STRIP["stripped"](text) != text:
        yield "not stripped: run `python notebooks/strip.py`"
    if len({cell["id"] for cell in notebook["cells"]}) < len(notebook["cells"]):
        yield "an id twice"
    yield from (f"an absolute path: {found}" for found in ABSOLUTE.findall("\n".join(prose + code)))
    opening = OPENING.fullmatch("".join(notebook["cells"][0]["source"]))
    if not opening or int(opening[1]) != number:
        yield "the first cell is not a numbered title and a paragraph of what you learn"
    nodes = [node for block in code for node in ast.walk(ast.parse(block))]
    if sum(isinstance(node, ast.Assert) for node in nodes) < 3:
        yield "fewer than three assertions"
    for node in nodes:
        if isinstance(node, ast.Attribute) and PRIVATE.match(node.attr):
            yield f"{node.attr} is private"
        if isinstance(node, ast.ImportFrom):
            names = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
            yield from (f"{name} is private" for name in names if PRIVATE.match(name))


def test_they_are_numbered_from_one():
    numbers = [re.fullmatch(r"(\d\d)-[a-z]+(-[a-z]+)*", path.stem)[1] for path in NOTEBOOKS]
    assert numbers == [f"{i:02}" for i in range(1, len(NOTEBOOKS) + 1)]
    assert len(NOTEBOOKS) >= 7


@each
def test_a_notebook_is_fit_for_review(path):
    assert list(faults(read(path), int(path.stem[:2]))) == []


@each
def test_its_bytes_are_those_that_stripping_writes(path):
    text = path.read_text(encoding="utf-8")
    assert STRIP["stripped"](text) == text


@each
def test_its_links_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)#]+)\)", "\n".join(sources(read(path), "markdown"))):
        assert target.startswith("https://") or (FOLDER / target).is_file(), target


def first_code(notebook):
    return next(cell for cell in notebook["cells"] if cell["cell_type"] == "code")


SPOILED = {
    "not stripped": [
        lambda n: first_code(n).update(execution_count=3),
        lambda n: first_code(n)["outputs"].append({"output_type": "stream", "text": "0.1 s"}),
        lambda n: n["metadata"]["language_info"].update(version="3.11.2"),
        lambda n: n["cells"][1]["metadata"].update(tags=["skip"]),
        lambda n: n["cells"][0].update(attachments={}),
        lambda n: n.update(nbformat_minor=2),
    ],
    "an id twice": [lambda n: n["cells"][1].update(id=n["cells"][0]["id"])],
    "an absolute path": [lambda n: first_code(n)["source"].append("\nopen('/home/me/x.csv')")],
    "the first cell": [lambda n: n["cells"].pop(0), lambda n: n["cells"].insert(0, n["cells"][1])],
    "fewer than three": [lambda n: n.update(cells=n["cells"][:3])],
    "is private": [
        lambda n: first_code(n)["source"].append("\nfrom theory.trusted.kernel import _verify"),
        lambda n: first_code(n)["source"].append("\ntheory.kernel._verify"),
    ],
}


@pytest.mark.parametrize(
    ("fault", "spoil"), [(fault, spoil) for fault, spoils in SPOILED.items() for spoil in spoils]
)
def test_what_is_not_fit_is_found(fault, spoil):
    notebook = read(NOTEBOOKS[0])
    spoil(notebook)
    assert any(fault in found for found in faults(notebook, 1))


def test_stripping_undoes_what_running_does(tmp_path, capsys):
    notebook = read(NOTEBOOKS[0])
    for spoil in SPOILED["not stripped"][:4]:
        spoil(notebook)
    copy = tmp_path / NOTEBOOKS[0].name
    copy.write_text(json.dumps(notebook), encoding="utf-8")
    STRIP["main"]([str(copy)])
    assert copy.read_bytes() == NOTEBOOKS[0].read_bytes()
    STRIP["main"]([str(copy)])
    assert capsys.readouterr().out.count("stripped") == 1  # the second time nothing was left to do
