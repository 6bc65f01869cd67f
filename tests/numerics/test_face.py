"""`numerics` is the face of its rooms, and light: PyTorch is loaded by the first name asked for."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import numerics

HOMES = {
    alias.name: node.module
    for node in ast.walk(ast.parse(Path(numerics.__file__).read_text(encoding="utf-8")))
    if isinstance(node, ast.ImportFrom) and node.module.startswith("numerics.")
    for alias in node.names
}


def test_every_name_is_the_one_of_the_room_that_type_checkers_are_told():
    assert sorted(HOMES) == sorted(numerics.__all__)
    assert set(numerics.__all__) <= set(dir(numerics))
    for name, home in HOMES.items():
        assert getattr(numerics, name) is getattr(importlib.import_module(home), name)


def test_the_star_brings_all_of_it():
    found = {}
    exec("from numerics import *", found)
    assert set(numerics.__all__) <= set(found)


def test_another_name_is_refused():
    with pytest.raises(AttributeError, match="module 'numerics' has no attribute 'hessian'"):
        _ = numerics.hessian
    with pytest.raises(ImportError, match="cannot import name 'hessian'"):
        exec("from numerics import hessian")


def test_importing_it_loads_nothing_heavy():
    heavy = "'torch', 'numpy', 'scipy', 'matplotlib', 'sympy', 'theory'"
    code = f"import numerics, sys; dir(numerics); print([m for m in ({heavy}) if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
