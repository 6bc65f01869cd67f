"""Imports go one way, the kernel stays small, and the notation page is the notation table."""

import ast
import io
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FORBIDDEN = {
    "theory": ("numerics", "paper_figures", "torch"),
    "numerics": ("paper_figures",),
    "paper_figures": (),
}
TRUSTED = (
    "theory/kernel.py",
    "theory/expressions/budget.py",
    "theory/expressions/polynomials.py",
    "theory/expressions/lowering.py",
    "theory/notation.py",
    "theory/expressions/terms.py",
    "theory/expressions/trees.py",
    "theory/certificates.py",
    "theory/statements.py",
    "theory/wellformed.py",
    "theory/instances.py",
    "theory/reals.py",
)


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
    assert len((ROOT / "theory/kernel.py").read_text(encoding="utf-8").splitlines()) <= 330


def test_the_trusted_base_stays_small():
    assert sum(code_lines(ROOT / name) for name in TRUSTED) <= 1730


def test_the_kernel_imports_nothing_untrusted():
    allowed = {"__future__", "collections.abc", "dataclasses", "enum", "fractions", "functools"}
    allowed |= {"contextlib", "contextvars", "math", "re", "time", "types", "typing"}
    trusted = {name.removesuffix(".py").replace("/", ".") for name in TRUSTED}
    trusted |= {"theory", "theory.expressions", "theory.algorithms"}
    for name in TRUSTED:
        for module in imported(ROOT / name):
            assert module in allowed | trusted, f"{name} imports {module}"


@pytest.mark.parametrize("package", FORBIDDEN)
def test_modules_stay_short(package):
    for path in modules(package):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        assert lines <= 400, f"{path.relative_to(ROOT)} has {lines} lines"


def test_the_notation_page_is_the_notation_table():
    from theory.notation import table

    assert (ROOT / "theory/NOTATION.md").read_text(encoding="utf-8") == table()
