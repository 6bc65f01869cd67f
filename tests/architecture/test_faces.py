"""What users import comes from a few modules, and what is private stays in its package."""

import ast
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("theory", "numerics", "paper_figures")
MODULES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "examples").glob("*.py")),
    *sorted((ROOT / "notebooks").glob("*.ipynb")),
]
IMPORT = re.compile(r"^\s*(?:from|import) ((?:theory|numerics|paper_figures)\b[\w.]*)", re.M)


def written(page):
    """What a page says; of a notebook, what its cells say."""
    text = page.read_text(encoding="utf-8")
    if page.suffix != ".ipynb":
        return text
    return "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])


def imported_by_users():
    return {module for page in PAGES for module in IMPORT.findall(written(page))}


def test_theorems_are_written_and_used_with_two_modules():
    """The other one reads and writes letters: what a program sends, not what a user types."""
    theory = {module for module in imported_by_users() if module.split(".")[0] == "theory"}
    assert theory == {"theory", "theory.language", "theory.wire"}


def test_users_import_from_few_modules():
    assert len(imported_by_users()) <= 8


def imports_of(path):
    """Every import of ours: the line, the module's dotted name, and the name taken from it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in PACKAGES:
            for alias in node.names:
                yield node.lineno, f"{node.module}.{alias.name}", alias.asname or alias.name
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] in PACKAGES:
                    yield node.lineno, alias.name, alias.asname or alias.name


def used_from(path):
    """Dotted names of ours that a file imports, or reads as attributes of what it imports."""
    known = {}
    for line, dotted, name in imports_of(path):
        known[name] = dotted
        yield line, dotted
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in known:
            yield node.lineno, f"{known[ast.unparse(node.value)]}.{node.attr}"


def foreign(package, dotted):
    """Whether a dotted name has a private part that belongs to another package than this one.

    A private module belongs to its folder; what is private in a module, to the folder of that.
    In the library an underscore only says that a file holds no theorem.
    """
    parts = re.sub(r"^theory\.library\._(?!_)", "theory.library.", dotted).split(".")
    for i, part in enumerate(parts):
        if part.startswith("_") and not part.startswith("__"):
            owner = parts[:i]
            if not (ROOT.joinpath(*owner)).is_dir():
                owner = owner[:-1]
            return package[: len(owner)] != owner
    return False


def test_foreign_names_are_told():
    assert foreign(["theory", "opinions"], "theory.trusted.kernel._verify")
    assert foreign(["numerics"], "theory._entry.leave_working_folder")
    assert foreign(["numerics"], "theory.library._pl._known")
    assert not foreign(["numerics"], "theory.library._pl.loss")
    assert not foreign(["theory", "opinions"], "theory.opinions.coq._letter")
    assert not foreign(["theory"], "theory.trusted.kernel.check")
    assert not foreign(["theory"], "theory.__version__")


@pytest.mark.parametrize("package", PACKAGES)
def test_no_private_name_crosses_a_package(package):
    for path in MODULES:
        here = list(path.relative_to(ROOT).parent.parts)
        if here[0] == package:
            for line, dotted in used_from(path):
                assert not foreign(here, dotted), f"{path.relative_to(ROOT)}:{line} uses {dotted}"


def test_the_library_is_written_in_the_language():
    """One line says where the words come from; only what is computed has other imports."""
    for path in sorted((ROOT / "theory/library").glob("*.py")):
        modules = {dotted.rpartition(".")[0] for _, dotted, _ in imports_of(path)}
        language = {m for m in modules if m.split(".")[:2] != ["theory", "library"]} - {"theory"}
        assert language <= {"theory.language"}, path.name
