"""Versions of code, and tables as text."""

import importlib.util
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paper_figures.provenance import code_version
from paper_figures.recipes import Recipe
from paper_figures.tables import from_csv, to_csv

SOURCE = '''
"""A module."""
from theory.trusted.algorithms import SAM

FACTOR = 2
UNUSED = 1

def compute(run):
    """Docstring."""
    return {"value": helper(run)}  # comment

def helper(run):
    return FACTOR * run.seed

def draw(rows):
    return UNUSED
'''


def version(path, source):
    path.write_text(source)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return code_version(module.compute)


@pytest.fixture
def changed(tmp_path):
    """Whether replacing one text by another changes the version."""

    def compare(old, new):
        assert old in SOURCE
        first = version(tmp_path / "first.py", SOURCE)
        return first != version(tmp_path / "second.py", SOURCE.replace(old, new))

    return compare


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("FACTOR = 2", "FACTOR = 3"),
        ("FACTOR * run.seed", "FACTOR + run.seed"),
        ('"value"', '"other"'),
    ],
)
def test_version_follows_what_compute_reaches(changed, old, new):
    assert changed(old, new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("UNUSED = 1", "UNUSED = 2"),
        ("return UNUSED", "return None"),
        ("Docstring.", "Another."),
        ("# comment", "# remark"),
        ("def draw", "\n\n\ndef draw"),
        ("A module.", "The module."),
    ],
)
def test_version_ignores_drawing_comments_and_docstrings(changed, old, new):
    assert not changed(old, new)


def test_version_needs_a_top_level_function():
    with pytest.raises(ValueError, match="not a top-level function"):
        code_version(lambda run: {})


VALUES = st.one_of(
    st.none(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False),
    st.sampled_from(["SGD", "normalised SAM", 'quote " comma , line\nbreak', "é"]),
)


@given(st.lists(st.fixed_dictionaries({"a": VALUES, "b, c": VALUES}), min_size=1, max_size=5))
def test_csv_loses_nothing(rows):
    back = from_csv(to_csv(rows))
    assert back == rows
    # 1 == 1.0 in Python: the types have to agree too.
    for row, original in zip(back, rows, strict=True):
        assert {name: type(value) for name, value in row.items()} == {
            name: type(value) for name, value in original.items()
        }


def test_csv_keeps_nan():
    assert math.isnan(from_csv(to_csv([{"a": math.nan}]))[0]["a"])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "no rows"),
        ([{"a": 1}, {"b": 1}], "row 1 has columns"),
        ([{"a": True}], "column 'a' holds True"),
        ([{"a": [1]}], "column 'a' holds"),
        ([{"a": "12"}], "reads as a number"),
        ([{"a": ""}], "reads as a number or nothing"),
    ],
)
def test_tables_that_would_not_come_back_are_refused(rows, message):
    with pytest.raises(ValueError, match=message):
        to_csv(rows)


@pytest.mark.parametrize("text", ["", "a,b\n", "a,b\n1\n"])
def test_broken_csv_is_refused(text):
    with pytest.raises(ValueError, match="build the figure again"):
        from_csv(text)


def recipe(**changes):
    nothing = dict.fromkeys(("runs", "compute", "table", "draw"))
    presets = {"smoke": {}, "laptop": {}, "paper": {}}
    entries = {"name": "f", "title": "t", "caption": "c", "presets": presets, **nothing}
    return Recipe(**(entries | changes))


def test_recipe_needs_every_preset():
    with pytest.raises(ValueError, match="figure f has no preset 'paper'"):
        recipe(presets={"smoke": {}, "laptop": {}})


def test_recipe_needs_a_name_for_files():
    with pytest.raises(ValueError, match="figure name 'a/b'"):
        recipe(name="a/b")
