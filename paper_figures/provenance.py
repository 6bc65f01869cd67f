"""What a stored number depends on and who computed it: code, the machine, the checkout."""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from paper_figures.canonical import canonical_json, sha256
from paper_figures.dependencies import PACKAGES, Code, reached

__all__ = ["checkout", "code_version", "environment"]


def code_version(function: Callable[..., Any], code: Code | None = None) -> str:
    """A digest of the code that a function can reach, in its own file and in every other of ours.

    It covers every function, class and constant that it uses by name, directly or not, and nothing
    else of their modules: an edit elsewhere, a comment or a docstring leaves stored runs valid.
    Theorems are not code: a run declares those that it reads (`Run.theorems`).

    Args:
        function: defined by `def` at the top level of a file.
        code: the sources, as they are on disk by default.

    Raises:
        ValueError: if it is not, or it reaches code under a name that is computed.
    """
    parts = reached(function, code)
    own = {function.__module__: "the file of the function"}  # its name does not matter
    listed = sorted([own.get(module, module), name, parts[module, name]] for module, name in parts)
    return sha256(canonical_json(listed))


def environment() -> dict[str, str]:
    """Versions of what computes and draws, threads, the platform and the processor."""
    versions = {"python": platform.python_version()}
    for name in ("sam-theory", "numpy", "scipy", "torch", "matplotlib"):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "not installed"
    if versions["sam-theory"] == "not installed":
        versions["sam-theory"] = importlib.import_module("theory").__version__
    machine = {"platform": platform.platform(), "processor": _processor()}
    return {**versions, "threads": _threads(), **machine}


@functools.cache
def checkout() -> dict[str, Any]:
    """The commit of the checkout that this code is in, and whether its packages differ from it.

    Empty outside a checkout of this project, and where there is no git.
    """
    root = Path(__file__).resolve().parents[1]
    if not (root / ".git").exists():
        return {}
    try:
        said = [_git(root, "rev-parse", "HEAD"), _git(root, "describe", "--always", "--tags")]
        changed = _git(root, "status", "--porcelain", "--", *PACKAGES)
    except (OSError, subprocess.SubprocessError):
        return {}
    return {"commit": said[0], "described": said[1], "dirty": bool(changed)}


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.strip()


def _threads() -> str:
    """Of torch where it is loaded, else what the environment grants."""
    torch = sys.modules.get("torch")
    return str(torch.get_num_threads() if torch else os.environ.get("OMP_NUM_THREADS", "default"))


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
