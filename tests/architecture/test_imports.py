"""Imports go one way, the kernel stays small, and the notation page is the notation table."""

import ast
import io
import re
import sys
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FORBIDDEN = {
    "theory": ("numerics", "paper_figures", "torch"),
    "numerics": ("paper_figures",),
    "paper_figures": (),
}
TRUSTED = sorted((ROOT / "theory/trusted").glob("*.py"))


def modules(package):
    return sorted((ROOT / package).rglob("*.py"))


def imported(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def code_lines(path):
    """Lines that hold code: no blank lines, comments or docstrings."""
    source = path.read_text(encoding="utf-8")
    docstrings = set()
    for node in ast.walk(ast.parse(source)):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            value = body[0].value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                docstrings |= set(range(value.lineno, value.end_lineno + 1))
    skip = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
    lines = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in (*skip, tokenize.ENDMARKER):
            lines |= set(range(token.start[0], token.end[0] + 1))
    return len(lines - docstrings)


@pytest.mark.parametrize("package", FORBIDDEN)
def test_imports_go_one_way(package):
    for path in modules(package):
        for name in imported(path):
            assert name.split(".")[0] not in FORBIDDEN[package], f"{path.name} imports {name}"


def test_the_kernel_can_be_read_in_one_sitting():
    assert len((ROOT / "theory/trusted/kernel.py").read_text(encoding="utf-8").splitlines()) <= 330


def test_the_trusted_base_stays_small():
    assert sum(code_lines(path) for path in TRUSTED) <= 1770


def test_what_is_trusted_imports_only_itself_and_the_standard_library():
    trusted = {f"theory.trusted.{path.stem}" for path in TRUSTED} | {"theory.trusted"}
    for path in TRUSTED:
        for module in imported(path):
            known = module in trusted or module.split(".")[0] in sys.stdlib_module_names
            assert known, f"{path.name} imports {module}"


def test_every_trusted_file_says_why_it_is_trusted():
    page = (ROOT / "theory/trusted/README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `(\w+)\.py` \|", page, re.M)
    assert sorted([*listed, "__init__"]) == [path.stem for path in TRUSTED]


@pytest.mark.parametrize("package", FORBIDDEN)
def test_modules_stay_short(package):
    for path in modules(package):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        assert lines <= 400, f"{path.relative_to(ROOT)} has {lines} lines"


def test_the_notation_page_is_the_notation_table():
    from theory.trusted.notation import table

    assert (ROOT / "theory/NOTATION.md").read_text(encoding="utf-8") == table()


def test_nothing_is_imported_before_the_working_folder_has_left_the_path():
    """`from __future__` counts as well: Python looks it up like any other module."""
    tree = ast.parse((ROOT / "theory" / "__init__.py").read_text(encoding="utf-8"))
    first = next(node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom))
    assert ast.unparse(first) == "from theory import _entry as _entry"
