"""What a module lists as public is there, and a package lists what it re-exports."""

import ast
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TYPED = "TYPE_CHECKING"  # what a `__getattr__` imports later is imported there
MODULES = [
    path
    for package in ("theory", "numerics", "paper_figures")
    for path in sorted((ROOT / package).rglob("*.py"))
]


def listed(tree):
    """The names in `__all__`; None where there is none."""
    for node in tree.body:
        targets = getattr(node, "targets", [])
        if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
            return ast.literal_eval(node.value)
    return None


def bound(tree):
    """The names that are bound at the top level, and those of them that are imported."""
    own, imported = set(), set()
    typed = [n for node in tree.body if isinstance(node, ast.If) for n in node.body]
    for node in tree.body + typed:  # imports for type checkers stand behind an `if`
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            own.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            imported |= {alias.asname or alias.name for alias in node.names}
        else:
            names = (inner for inner in ast.walk(node) if isinstance(inner, ast.Name))
            own |= {name.id for name in names if isinstance(name.ctx, ast.Store)}
    return own, imported


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_public_names(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = listed(tree)
    own, imported = bound(tree)
    defines = any(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in tree.body)
    if path.name == "__init__.py" and imported and not defines:  # it only re-exports
        assert names is not None
        assert set(names) == {name for name in imported | own if not name.startswith("_")}
    elif names is not None:
        assert set(names) <= own | imported
    if names is not None:
        assert len(set(names)) == len(names)
        assert not [name for name in names if name.startswith("_")]


def test_one_word_is_one_thing():
    """No two classes have the same name."""
    where = defaultdict(list)
    for path in MODULES:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                where[node.name].append(path.relative_to(ROOT).as_posix())
    assert {name: paths for name, paths in where.items() if len(paths) > 1} == {}


def test_every_package_says_that_it_is_typed():
    for package in ("theory", "numerics", "paper_figures"):
        assert (ROOT / package / "py.typed").is_file()
