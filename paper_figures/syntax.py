"""What one statement of a module refers to, and its digest, as syntax; nothing is executed."""

from __future__ import annotations

import ast
import json
import symtable
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from paper_figures.canonical import sha256

__all__ = ["Uses", "bare", "bound", "digest", "executed", "promised", "runs_on_import", "uses"]

#: The first part of the names of decorators that register nothing.
PURE = {"abstractmethod", "cache", "cached_property", "classmethod", "contextlib"}
PURE |= {"contextmanager", "dataclass", "dataclasses", "functools", "lru_cache", "overload"}
PURE |= {"override", "property", "runtime_checkable", "staticmethod", "torch", "wraps"}
#: Names and attributes by which code reaches other code under a computed name.
COMPUTED = {"__import__", "__subclasses__", "compile", "eval", "exec", "globals", "locals"}
IMPORTERS = {"import_module", "iter_modules", "modules", "reload", "run_module", "run_path"}
IMPORTERS |= {"spec_from_file_location", "walk_packages"}
_SIMPLE = (ast.Import, ast.ImportFrom, ast.AugAssign, ast.Pass, getattr(ast, "TypeAlias", ast.Pass))
_DEFINITION = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


class Uses(NamedTuple):
    """What a statement refers to.

    Attributes:
        names: names that are not local to it, each with the attributes that are read from it.
        imports: the import statements inside its functions.
        modules: the modules that it imports by `importlib.import_module("a.name")`.
        computed: the first line with something that no name can be followed through; 0 if none.
    """

    names: frozenset[tuple[str, tuple[str, ...]]]
    imports: tuple[ast.Import | ast.ImportFrom, ...]
    modules: frozenset[str]
    computed: int


def executed(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that an import executes: not those for type checkers or for scripts."""
    for node in body:
        tested = ast.unparse(node.test) if isinstance(node, ast.If) else ""
        if tested in ("TYPE_CHECKING", "typing.TYPE_CHECKING", "__name__ == '__main__'"):
            yield from executed(getattr(node, "orelse", ()))
        else:
            yield node


def promised(body: Sequence[ast.stmt]) -> Iterator[ast.ImportFrom]:
    """The imports that type checkers are told of at the top level: `from a.module import names`."""
    for node in body:
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            yield from (part for part in node.body if isinstance(part, ast.ImportFrom))


def bound(node: ast.AST) -> set[str]:
    """The names that a statement at the top level of a module binds, or binds again."""
    if isinstance(node, _DEFINITION):
        return {node.name}
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {(a.asname or a.name).partition(".")[0] for a in node.names} - {"*"}
    if isinstance(node, ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
        return set()
    if isinstance(node, ast.Name):
        return set() if isinstance(node.ctx, ast.Load) else {node.id}
    return set().union(*map(bound, ast.iter_child_nodes(node)))


def runs_on_import(node: ast.AST) -> bool:
    """Whether importing the module does more than bind the names of this statement."""
    if isinstance(node, _DEFINITION):
        heads = (ast.unparse(decorator) for decorator in node.decorator_list)
        return not all(head.partition("(")[0].partition(".")[0] in PURE for head in heads)
    if isinstance(node, ast.Assign):
        return not all(isinstance(target, ast.Name | ast.Tuple) for target in node.targets)
    if isinstance(node, ast.AnnAssign):
        return not isinstance(node.target, ast.Name)
    if isinstance(node, ast.Expr):
        return not isinstance(node.value, ast.Constant)
    if isinstance(node, ast.If | ast.Try | ast.ExceptHandler):
        inner = [part for part in ast.iter_child_nodes(node) if not isinstance(part, ast.expr)]
        return any(map(runs_on_import, inner))
    return not isinstance(node, _SIMPLE)


def bare(node: ast.stmt) -> ast.stmt:
    """A statement as it computes: without docstrings and the like; changed in place."""
    stripped = _Bare().visit(node)
    assert isinstance(stripped, ast.stmt)
    return ast.fix_missing_locations(stripped)


def uses(node: ast.stmt) -> Uses:
    """What a bare statement at the top level of a module refers to, with functions and defaults."""
    scope = symtable.symtable(ast.unparse(node), "<statement>", "exec")
    free = {symbol.get_name() for symbol in scope.get_symbols() if symbol.is_referenced()}
    free |= set(_globals(scope))
    found: set[tuple[str, tuple[str, ...]]] = set()
    imports: list[ast.Import | ast.ImportFrom] = []
    modules: set[str] = set()
    computed: list[int] = []

    def visit(part: ast.AST) -> None:
        chain: list[str] = []
        at = part
        while isinstance(at, ast.Attribute):
            chain.insert(0, at.attr)
            at = at.value
        if isinstance(at, ast.Name):
            found.add((at.id, tuple(chain)))
            if at.id in COMPUTED or {*chain} & {"__subclasses__"} or _imports(at.id, chain):
                computed.append(part.lineno)  # type: ignore[attr-defined]
            return
        if isinstance(part, ast.Import | ast.ImportFrom):
            imports.append(part)
        if isinstance(part, ast.Compare) and _asks_whether_loaded(part):
            visit(part.left)
            return
        if isinstance(part, _DEFINITION) and part.name == "__init_subclass__":
            computed.append(part.lineno)
        if isinstance(part, ast.Call) and _literal_import(part):
            modules.add(ast.literal_eval(part.args[0]))
            return
        if chain:
            visit(at)
            return
        for child in ast.iter_child_nodes(part):
            visit(child)

    visit(node)
    local = {name for statement in imports for name in bound(statement)}
    names = {(name, chain) for name, chain in found if name in free | local}
    return Uses(frozenset(names), tuple(imports), frozenset(modules), min(computed, default=0))


def digest(node: ast.stmt) -> str:
    """Of a bare statement, the same for every version of Python that has the syntax."""
    return sha256(json.dumps(_plain(node), separators=(",", ":")))


def _imports(name: str, chain: Sequence[str]) -> bool:
    """Whether this is a call of the import system that picks modules by a computed name."""
    dotted = (name, *chain)
    return dotted[0] in ("importlib", "pkgutil", "runpy", "sys") and dotted[-1] in IMPORTERS


def _literal_import(call: ast.Call) -> bool:
    """Whether this is `importlib.import_module("a.name")`."""
    given = call.args[0] if len(call.args) == 1 and not call.keywords else None
    named = isinstance(given, ast.Constant) and isinstance(given.value, str)
    return named and ast.unparse(call.func) == "importlib.import_module"


def _asks_whether_loaded(part: ast.Compare) -> bool:
    """Whether this is `name in sys.modules`, which looks nothing up."""
    asked = isinstance(part.ops[0], ast.In | ast.NotIn) and len(part.ops) == 1
    return asked and ast.unparse(part.comparators[0]) == "sys.modules"


def _globals(scope: symtable.SymbolTable) -> Iterator[str]:
    for inner in scope.get_children():
        yield from (symbol.get_name() for symbol in inner.get_symbols() if symbol.is_global())
        yield from _globals(inner)


def _plain(node: Any) -> Any:
    if isinstance(node, ast.AST):
        fields = ((name, _plain(value)) for name, value in ast.iter_fields(node))
        skipped = ("ctx", "kind", "type_comment")
        kept = {n: value for n, value in fields if value not in (None, []) and n not in skipped}
        if isinstance(node, ast.Constant):
            kept["value"] = [type(node.value).__name__, repr(node.value)]
        return [type(node).__name__, kept]
    if isinstance(node, list):
        return [_plain(part) for part in node]
    return node if node is None or isinstance(node, int | str) else repr(node)


def _shows(node: ast.stmt) -> bool:
    """Whether this is a method by which a notebook shows an object."""
    return isinstance(node, ast.FunctionDef) and node.name in ("_repr_html_", "_repr_latex_")


class _Bare(ast.NodeTransformer):
    """Without docstrings, what only a notebook shows, and annotations that nobody evaluates.

    Those of fields stay, since dataclasses read them, and those of functions that a decorator may
    dispatch on.
    """

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """A function."""
        return self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        """Such a function."""
        return self._function(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        """A class: its fields keep their annotations."""
        self._body(node)
        node.body = [part for part in node.body if not _shows(part)] or [ast.Pass()]
        for part in node.body:
            if not isinstance(part, ast.AnnAssign):
                self.visit(part)
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        """A variable."""
        value = node.value or ast.Constant(None)
        return ast.copy_location(ast.Assign([node.target], value), node)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        self._body(node)
        if not runs_on_import(node):
            node.returns = None
            for argument in ast.walk(node.args):
                if isinstance(argument, ast.arg):
                    argument.annotation = None
        self.generic_visit(node)
        return node

    @staticmethod
    def _body(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
        if ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
