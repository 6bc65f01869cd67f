"""The code that a function can reach, name by name, through every module that is no library.

Names are followed through imports, re-exports and attributes of modules.  Whatever is used in a way
that cannot be followed takes more with it, never less: a module that is passed around counts as a
whole, a class with all its methods, and every module that is imported on the way with what it does
beyond binding names.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import inspect
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

from paper_figures.syntax import Uses, bare, bound, digest, executed, promised, runs_on_import, uses

__all__ = ["PACKAGES", "Code", "Part", "reached"]

Part: TypeAlias = tuple[str, str]
"""A module and one of its names."""

PACKAGES = ("theory", "numerics", "paper_figures")
#: Where the standard library and installed packages are.
_INSTALLED = tuple(
    Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib")
)
#: What imports under computed names, and why that needs no following.
KNOWN = {
    # The library: every theorem that is read has to be declared (see `paper_figures.statements`).
    ("theory.registry", "_library"),
    # How objects look in a shell and in a notebook: no result reads it.
    ("theory.text.attached", "attach"),
    # Optional packages that are not ours.
    ("theory.messages", "optional"),
}
#: What hands theorems out.
READERS = {
    ("theory.registry", "get"),
    ("theory.registry", "load"),
    ("theory.registry", "load_file"),
}
#: How objects show themselves in a shell and a notebook: nothing is computed with it.
SHOWN = {("theory.text.shown", "attach")}
#: Attributes that every module has.
_OF_MODULES = ("__doc__", "__file__", "__name__", "__path__", "__spec__")


class Module:
    """A module's source, by name.

    Attributes:
        statements: name -> the statements that bind it.
        effects: the statements that do something when the module is imported.
        imported: the import statements at its top level.
        lazy: name -> the import that brings it when it is first asked for, by `__getattr__`.
    """

    def __init__(self, name: str, source: str, is_package: bool) -> None:
        self.name = name
        self.package = name if is_package else name.rpartition(".")[0]
        self.statements: dict[str, list[ast.stmt]] = {}
        self.effects: list[ast.stmt] = []
        self.imported: list[ast.Import | ast.ImportFrom] = []
        body = ast.parse(source).body
        for node in executed(body):
            for inner in bound(node):
                self.statements.setdefault(inner, []).append(node)
            for part in ast.walk(node) if isinstance(node, ast.If | ast.Try) else [node]:
                if isinstance(part, ast.Import | ast.ImportFrom):
                    self.imported.append(part)
            if runs_on_import(node) or self._changes_another(node):
                self.effects.append(node)
        self.stars = [
            node
            for node in self.imported
            if isinstance(node, ast.ImportFrom) and node.names[0].name == "*"
        ]
        loads = "__getattr__" in self.statements
        told = list(promised(body)) if loads else []
        self.lazy = {name: statement for statement in told for name in bound(statement)}
        self._about: dict[int, tuple[Uses, str]] = {}

    def about(self, node: ast.stmt) -> tuple[Uses, str]:
        """What a statement uses, and its digest."""
        if id(node) not in self._about:
            stripped = bare(node)
            self._about[id(node)] = uses(stripped), digest(stripped)
        return self._about[id(node)]

    def _changes_another(self, node: ast.stmt) -> bool:
        """Whether this is `NAME += ...` for a name that another module has, too."""
        return isinstance(node, ast.AugAssign) and any(
            isinstance(other, ast.Import | ast.ImportFrom)
            for name in bound(node)
            for other in self.statements[name]
        )

    def base(self, node: ast.ImportFrom) -> str:
        """The module that an import statement of this one names."""
        name = node.module or ""
        return importlib.util.resolve_name("." * node.level + name, self.package or "?")


#: The same text is analysed once.
_module = functools.lru_cache(maxsize=1024)(Module)


class Code:
    """The modules that are followed, as one reads their files.

    Args:
        read: path -> source.
    """

    def __init__(self, read: Callable[[Path], str] = lambda path: path.read_text("utf-8")) -> None:
        self._read = read
        self._modules: dict[str, Module | None] = {}

    def module(self, name: str) -> Module | None:
        """A module, None if there is none of this name or it is no code of ours or the user's."""
        if name not in self._modules:
            path = _file(name)
            self._modules[name] = None
            if path is not None:
                package = path.name == "__init__.py"
                self._modules[name] = _module(name, self._read(path), package)
        return self._modules[name]

    def add(self, name: str, path: Path) -> None:
        """Take this file as the module of that name."""
        self._modules[name] = _module(name, self._read(path), False)


def reached(function: Callable[..., Any], code: Code | None = None) -> dict[Part, str]:
    """Everything that a function can reach: (module, name) -> digest.

    Raises:
        ValueError: if it is not defined by `def` at the top level of a file, or what it reaches
            imports or looks code up under a computed name.
    """
    code = code or Code()
    source = inspect.getsourcefile(function)
    module, name = function.__module__, function.__name__
    if source is not None:
        path = Path(source)
        # A user's file may be called like a module that is importable: it is the file that counts.
        if module.partition(".")[0] not in PACKAGES or code.module(module) is None:
            code.add(module, path)
    own = code.module(module) if source is not None else None
    if own is None or not any(
        isinstance(node, ast.FunctionDef) for node in own.statements.get(name, ())
    ):
        raise ValueError(f"{function!r} is not a top-level function of a file: define it there")
    walk = _Walk(code)
    walk.imports(module)
    walk.name(module, name, ())
    parts = walk.finish()
    for part in sorted(parts) if READERS & parts.keys() else ():
        if part not in KNOWN and _keeps(code, part):
            raise ValueError(
                f"{'.'.join(part)} keeps what a theorem says from one run to the next, unseen by "
                "any key: read theorems outside of cached functions"
            )
    return parts


def _keeps(code: Code, part: Part) -> bool:
    """Whether this is a cached function that can read the library."""
    module = code.module(part[0])
    cached = (
        "cache" in ast.unparse(decorator)
        for node in (module.statements.get(part[1], ()) if module else ())
        if isinstance(node, ast.FunctionDef)
        for decorator in node.decorator_list
    )
    if not any(cached):
        return False
    walk = _Walk(code)
    walk.name(*part, ())
    return bool(READERS & walk.finish().keys())


class _Walk:
    def __init__(self, code: Code) -> None:
        self.code = code
        self.parts: dict[Part, str] = {}
        self.done: set[tuple[str, str, tuple[str, ...]]] = set()
        self.imported: set[str] = set()
        self.waiting: list[tuple[str, str, ast.stmt]] = []

    def finish(self) -> dict[Part, str]:
        while self.waiting:
            module, name, node = self.waiting.pop()
            where = self.code.module(module)
            assert where is not None
            found, _ = where.about(node)
            if found.computed and (module, name) not in KNOWN:
                raise ValueError(
                    f"{module}.{name} looks code up under a computed name, which no version can "
                    "follow: import it by name"
                )
            local: dict[str, list[ast.Import | ast.ImportFrom]] = {}
            for statement in found.imports:
                self.executes(where, statement)
                for alias in bound(statement):
                    local.setdefault(alias, []).append(statement)
            for literal in found.modules:
                self.imports(literal)
                if self.code.module(literal):
                    self.whole(literal)
            for used, chain in found.names:
                for statement in local.get(used, ()):
                    self.binding(where, statement, used, chain)
                self.name(module, used, chain)
        return self.parts

    def imports(self, module: str) -> None:
        """What the import of a module executes, in it and in those that it imports."""
        for name in _with_parents(module):
            where = self.code.module(name)
            if where is None or name in self.imported:
                continue
            self.imported.add(name)
            for place, node in enumerate(where.effects):
                self.take(name, f"effect {place}", [node])
            for statement in where.imported:
                self.executes(where, statement)

    def executes(self, where: Module, statement: ast.Import | ast.ImportFrom) -> None:
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                self.imports(alias.name)
            return
        base = where.base(statement)
        for alias in statement.names:
            self.imports(
                f"{base}.{alias.name}" if self.code.module(f"{base}.{alias.name}") else base
            )
        self.imports(base)

    def take(self, module: str, name: str, nodes: list[ast.stmt]) -> None:
        where = self.code.module(module)
        assert where is not None
        self.parts[module, name] = " ".join(where.about(node)[1] for node in nodes)
        self.waiting += [(module, name, node) for node in nodes]

    def name(self, module: str, name: str, chain: tuple[str, ...]) -> None:
        """A name in a module, and what is read from it."""
        if (module, name, chain) in self.done or (module, name) in SHOWN:
            return
        self.done.add((module, name, chain))
        where = self.code.module(module)
        assert where is not None
        nodes = where.statements.get(name, [])
        own: list[ast.stmt] = []
        for node in nodes:
            parts = ast.walk(node) if isinstance(node, ast.If | ast.Try) else [node]
            bindings = [p for p in parts if isinstance(p, ast.Import | ast.ImportFrom)]
            for binding in bindings:
                if name in bound(binding):
                    self.binding(where, binding, name, chain)
            if node not in bindings:
                own.append(node)
        if own and (module, name) not in self.parts:
            self.take(module, name, own)
        for base in self.starred(where):
            if name in base.statements:
                self.name(base.name, name, chain)

    def binding(
        self,
        where: Module,
        statement: ast.Import | ast.ImportFrom,
        name: str,
        chain: tuple[str, ...],
    ) -> None:
        """A name that an import statement binds."""
        for alias in statement.names:
            if (alias.asname or alias.name).partition(".")[0] != name:
                continue
            if isinstance(statement, ast.ImportFrom):
                self.attribute(where, name, where.base(statement), (alias.name, *chain))
            elif alias.asname:
                self.attribute(where, name, alias.name, chain)
            else:
                self.attribute(where, name, name, chain)

    def attribute(self, where: Module, name: str, module: str, chain: tuple[str, ...]) -> None:
        """What is read from a module, which `where` calls `name`."""
        target = self.code.module(module)
        if target is None:
            # A package that is not followed, or a folder without a module of its own.
            inner = f"{module}.{chain[0]}" if chain else ""
            if inner and self.code.module(inner):
                self.attribute(where, name, inner, chain[1:])
            else:
                self.parts[where.name, f"import {name}"] = f"{module}"
        elif not chain or chain[0] == "__dict__":
            self.whole(module)
        elif chain[0] in target.statements:
            self.name(module, chain[0], chain[1:])
        elif chain[0] in target.lazy:
            self.executes(target, target.lazy[chain[0]])
            self.binding(target, target.lazy[chain[0]], chain[0], chain[1:])
        elif self.code.module(f"{module}.{chain[0]}"):
            self.attribute(where, name, f"{module}.{chain[0]}", chain[1:])
        elif starred := [base for base in self.starred(target) if chain[0] in base.statements]:
            for base in starred:
                self.name(base.name, chain[0], chain[1:])
        elif chain[0] in _OF_MODULES:
            pass
        elif any(self.code.module(target.base(star)) is None for star in target.stars):
            self.whole(module)
        elif "__getattr__" in target.statements:
            self.name(module, "__getattr__", ())
        else:
            self.parts[module, chain[0]] = "absent"

    def starred(self, where: Module) -> list[Module]:
        """The modules of which a module has all names, by `from ... import *`."""
        found = [where]
        for module in found:
            bases = (self.code.module(module.base(star)) for star in module.stars)
            found += [base for base in bases if base is not None and base not in found]
        return found[1:]

    def whole(self, module: str) -> None:
        """Everything in a module."""
        where = self.code.module(module)
        assert where is not None
        for name in where.statements:
            self.name(module, name, ())
        for star in where.stars:
            if self.code.module(where.base(star)):
                self.whole(where.base(star))


def _with_parents(name: str) -> Iterator[str]:
    parts = name.split(".")
    yield from (".".join(parts[: k + 1]) for k in range(len(parts)))


def _file(name: str) -> Path | None:
    """The file of a module that is not installed; None if it is none, or only a folder."""
    top, *rest = name.split(".")
    place = _top(top)
    if place is None:
        return None
    if rest:
        place = place.parent.joinpath(*rest) if place.name == "__init__.py" else Path("/none")
        place = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    return place if place.is_file() else None


@functools.cache
def _top(name: str) -> Path | None:
    if name in sys.builtin_module_names or name in sys.stdlib_module_names or not name:
        return None
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return None
    named = Path(spec.origin)
    path = named.resolve()  # what is installed may be a link to where a tool keeps it
    installed = any(
        named.is_relative_to(folder) or path.is_relative_to(folder.resolve())
        for folder in _INSTALLED
    )
    return path if name in PACKAGES or not installed else None
