"""What a stored number depends on: canonical JSON, code versions and the machine."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.metadata
import importlib.util
import inspect
import json
import platform
import reprlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

__all__ = ["canonical_json", "code_version", "environment", "sha256"]

#: A change in any module of these packages that a computation imports gives it a new version.
TRACKED_PACKAGES = ("theory", "numerics")


def sha256(data: bytes | str) -> str:
    """The SHA-256 digest of bytes, or of text in UTF-8, as 64 hexadecimal digits."""
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()


def canonical_json(value: Any) -> str:
    """The one JSON text of a value: sorted keys, no spaces, floats that round-trip exactly.

    Raises:
        ValueError: if the value has a part that JSON cannot hold, NaN and infinity included.
    """
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{reprlib.repr(value)} has no JSON form ({error})") from None


def code_version(compute: Callable[..., Any]) -> str:
    """A digest of the code that `compute` can reach.

    It covers `compute`, every top-level name of its own module that it uses, directly or not, and
    the whole of each module of `theory` and `numerics` that these import, directly or not.
    Comments, layout and docstrings do not count, and neither does the rest of its own module, so
    a change in the drawing leaves the stored runs valid.

    Raises:
        ValueError: if `compute` is not a function defined by `def` at the top level of a file.
    """
    source = inspect.getsourcefile(compute)
    tree = _read(Path(source)) if source else ast.Module([], [])
    definitions = _definitions(tree)
    if compute.__name__ not in definitions:
        raise ValueError(f"{compute!r} is not a top-level function of a file: define it there")
    reached: dict[str, ast.stmt] = {}
    waiting = [compute.__name__]
    while waiting:
        name = waiting.pop()
        if name in definitions and name not in reached:
            reached[name] = definitions[name]
            waiting += [node.id for node in ast.walk(reached[name]) if isinstance(node, ast.Name)]
    parts = {f"{name} of the recipe": _digest(node) for name, node in reached.items()}
    modules = _imports(reached.values(), package=getattr(compute, "__module__", ""))
    while modules:
        name = modules.pop()
        path = _module_file(name)
        if path is None or name in parts:
            continue
        body = _read(path)
        parts[name] = _digest(body)
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        modules |= _imports([body], package=package) - parts.keys()
    return sha256(canonical_json(parts))


def environment() -> dict[str, str]:
    """Versions of what computes and draws, the platform and the processor, for the manifest."""
    versions = {"python": platform.python_version()}
    for name in ("sam-theory", "numpy", "scipy", "torch", "matplotlib"):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "not installed"
    if versions["sam-theory"] == "not installed":
        versions["sam-theory"] = importlib.import_module("theory").__version__
    return {**versions, "platform": platform.platform(), "processor": _processor()}


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _read(path: Path) -> ast.Module:
    return _parse(path.read_text(encoding="utf-8"))


_parse = functools.lru_cache(maxsize=256)(ast.parse)


def _definitions(tree: ast.Module) -> dict[str, ast.stmt]:
    """Each name bound at the top level of a module, with the statement that binds it."""
    bound: dict[str, ast.stmt] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            bound[node.name] = node
        elif isinstance(node, ast.Import | ast.ImportFrom):
            bound |= {(a.asname or a.name).partition(".")[0]: node for a in node.names}
        else:
            targets = (n for n in ast.walk(node) if isinstance(n, ast.Name))
            bound |= {n.id: node for n in targets if isinstance(n.ctx, ast.Store)}
    return bound


def _imports(nodes: Iterable[ast.AST], package: str) -> set[str]:
    """Names of the tracked modules, parent packages included, that the nodes may import."""
    found: set[str] = set()
    for node in (inner for outer in nodes for inner in ast.walk(outer)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = importlib.util.resolve_name("." * node.level + base, package)
            found |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    parents = {name.rsplit(".", k)[0] for name in found for k in range(name.count(".") + 1)}
    return {name for name in parents if name.partition(".")[0] in TRACKED_PACKAGES}


@functools.cache
def _module_file(name: str) -> Path | None:
    """The file of a module; None when the name is not a module but something inside one."""
    try:
        spec = importlib.util.find_spec(name)
    except ModuleNotFoundError:
        return None
    return Path(spec.origin) if spec is not None and spec.origin else None


def _digest(node: ast.AST) -> str:
    """The digest of a syntax tree, its docstrings left out."""
    return sha256(ast.dump(_WithoutDocstrings().visit(ast.parse(ast.unparse(node)))))


class _WithoutDocstrings(ast.NodeTransformer):
    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        """Drop expression statements that are bare strings."""
        literal = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if literal else node
