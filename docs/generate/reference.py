"""The reference, by task: which modules a task needs; their docstrings do the rest."""

from __future__ import annotations

import ast
import pkgutil
from collections.abc import Iterator
from pathlib import Path

from pages import ROOT, plain, slug

__all__ = ["index", "page", "tasks"]

PACKAGES = ("theory", "numerics", "paper_figures")
#: Theorems and figures have galleries of their own.
ELSEWHERE = ("theory.library", "paper_figures.figures")
#: Task -> modules and packages, the most useful first. The longest name that fits decides.
TASKS = {
    "Check and evaluate theorems": (
        "theory", "theory.registry", "theory.evaluation", "theory.reading", "theory.commandline",
    ),
    "State a theorem": ("theory.trusted.terms", "theory.trusted.algorithms", "theory.proving"),
    "Search for a proof": ("theory.search",),
    "Trust a proof": ("theory.trusted", "theory.soundness"),
    "Ask other checkers": ("theory.opinions",),
    "Print, and exchange": ("theory.text", "theory.wire"),
    "Measure Hessians and moments": ("numerics.hessians", "numerics.report", "numerics.soundness"),
    "Decide stability": ("numerics.stability",),
    "Bound the worst case": ("numerics.worst_case",),
    "Find counterexamples": ("numerics.counterexamples",),
    "Train with SAM": ("numerics.training",),
    "Problems, networks and data": ("numerics.problems", "numerics.networks", "numerics.data"),
    "Confront theorems with measurements": (
        "numerics", "numerics.confrontations", "numerics.convergence", "numerics.statistics",
    ),
    "Build figures": ("paper_figures",),
}  # fmt: skip


def modules() -> Iterator[str]:
    """Every public module of the packages, by name; nothing is imported."""
    for package in PACKAGES:
        yield package
        yield from _inside([str(ROOT / package)], f"{package}.")


def _inside(path: list[str], prefix: str) -> Iterator[str]:
    for entry in pkgutil.iter_modules(path, prefix):
        last = entry.name.rpartition(".")[2]
        if not last.startswith("_") and entry.name not in ELSEWHERE:
            yield entry.name
            if entry.ispkg:
                yield from _inside([str(Path(path[0], last))], f"{entry.name}.")


def tasks() -> dict[str, list[str]]:
    """Task -> its modules: in the order of `TASKS`, then by name."""
    prefixes = {prefix: task for task, names in TASKS.items() for prefix in names}
    order = list(prefixes)
    found: dict[str, list[tuple[int, str]]] = {task: [] for task in TASKS}
    for name in modules():
        fitting = [p for p in prefixes if name == p or name.startswith(f"{p}.")]
        longest = max(fitting, key=len)
        found[prefixes[longest]].append((order.index(longest), name))
    return {task: [name for _, name in sorted(names)] for task, names in found.items()}


def index() -> str:
    """The page that leads from tasks to modules."""
    lines = ["# Reference", "", "By what you want to do."]
    for task, names in tasks().items():
        lines += ["", f"## {task}", "", "| module | |", "| --- | --- |"]
        lines += [f"| [`{name}`]({slug(task)}.md#{name}) | {summary(name)} |" for name in names]
    return "\n".join(lines) + "\n"


def page(task: str) -> str:
    """The docstrings of one task's modules."""
    lines = [f"# {task}"]
    for name in tasks()[task]:
        lines += ["", f"::: {name}"]
        exported = exports(name)
        if exported:
            names = ", ".join(linked(item, target) for item, target in exported.items())
            lines += ["    options:", "      members: false", "", f"`from {name} import` {names}."]
    return "\n".join(lines) + "\n"


def linked(name: str, target: str) -> str:
    """A name that leads to its documentation, where it has some."""
    return f'<autoref optional identifier="{target}"><code>{name}</code></autoref>'


def summary(name: str) -> str:
    """The first line of a module's docstring."""
    text = ast.get_docstring(_tree(name)) or ""
    return text.splitlines()[0] if "$" in text else plain(text.splitlines()[0])


def exports(name: str) -> dict[str, str]:
    """What a package offers under its own name -> where that is defined."""
    if _file(name).name != "__init__.py":
        return {}
    return {
        alias.name: f"{node.module}.{alias.name}"
        for node in _tree(name).body
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{name}.")
        for alias in node.names
    }


def _file(name: str) -> Path:
    place = ROOT.joinpath(*name.split("."))
    package = place / "__init__.py"
    return package if package.is_file() else place.with_suffix(".py")


def _tree(name: str) -> ast.Module:
    return ast.parse(_file(name).read_text(encoding="utf-8"))
