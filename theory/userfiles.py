"""Python files of the user's own, imported in this process: problems and figures, not theorems."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from theory.messages import failure

__all__ = ["module_of_file"]


def module_of_file(path: Path, kind: str) -> ModuleType:
    """Import a file under a name that no package has; nothing is written beside it.

    Args:
        path: of the file.
        kind: what it is to define, e.g. `figure`; begins the error messages.

    Raises:
        ValueError: if there is no such file, or it fails; the message says why in one line.
    """
    if not path.is_file() or path.suffix != ".py":
        raise ValueError(f"{kind} file {path} does not exist: give the path of a Python file")
    name = f"_{kind}_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path.resolve())
    assert spec is not None  # the suffix is .py
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    writes_no_bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        # compiled here: bytecode that lies beside a file need not be that of the file
        code = compile(path.read_bytes(), str(path.resolve()), "exec", dont_inherit=True)
        exec(code, vars(module))
    except Exception as error:
        what = failure(error, path.resolve())
        raise ValueError(f"{kind} file {path} cannot be loaded ({what}): repair it") from error
    finally:
        sys.dont_write_bytecode = writes_no_bytecode
    return module
