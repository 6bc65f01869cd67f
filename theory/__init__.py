"""State theorems about sharpness-aware minimisation and check their proofs in exact arithmetic."""

from theory import _entry as _entry  # before all others: it decides where they are looked for
from theory.registry import get, load, load_file
from theory.text.plotting import plot
from theory.text.shown import attach as _attach
from theory.text.symbolic import to_sympy
from theory.trusted.algorithms import GD, NORMALIZED_SAM, SAM, SGD, SamSpec
from theory.trusted.kernel import check
from theory.trusted.statements import Report, Status, Theorem

__version__ = "0.1.0"
_attach()  # what theorems look like in a shell and in a notebook
__all__ = [
    "GD",
    "NORMALIZED_SAM",
    "SAM",
    "SGD",
    "Report",
    "SamSpec",
    "Status",
    "Theorem",
    "check",
    "get",
    "load",
    "load_file",
    "plot",
    "to_sympy",
]
