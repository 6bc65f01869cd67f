"""A figure is a leaf: what several share is in `families`, and nothing there is private."""

import ast
import graphlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "paper_figures").rglob("*.py"))
NAMES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in FILES
}
FIGURES = {name for name in NAMES if name.startswith("paper_figures.figures.")}


def imported(source):
    """What a source imports, anywhere: the names of modules, and of what is taken from them."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"a relative import of {node.module}"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


IMPORTS = {name: set(imported(path.read_text("utf-8"))) for name, path in NAMES.items()}


@pytest.mark.parametrize("package", ["theory", "numerics", "paper_figures"])
def test_nobody_imports_a_figure(package):
    for path in sorted((ROOT / package).rglob("*.py")):
        taken = FIGURES & set(imported(path.read_text("utf-8")))
        assert not taken, f"{path.relative_to(ROOT)} imports {taken}: move it to families"


def test_imports_form_no_circle():
    own = {name: IMPORTS[name] & NAMES.keys() - {name} for name in NAMES}
    list(graphlib.TopologicalSorter(own).static_order())


def private(name):
    return any(part.startswith("_") for part in name.removesuffix(".__main__").split("."))


def test_no_module_is_private_and_no_private_name_is_imported():
    for name, taken in IMPORTS.items():
        assert not private(name)
        assert not {one for one in taken if one.startswith("paper_figures.") and private(one)}, name


def test_every_family_says_what_is_public():
    for name, path in NAMES.items():
        if name.startswith("paper_figures.families."):
            bound = {
                target.id
                for node in ast.parse(path.read_text("utf-8")).body
                if isinstance(node, ast.Assign)
                for target in node.targets
                if isinstance(target, ast.Name)
            }
            assert "__all__" in bound, f"{name} has no __all__"
