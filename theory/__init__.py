"""State theorems about sharpness-aware minimisation and check their proofs in exact arithmetic."""

from theory import _entry as _entry  # before all others: it decides where they are looked for

from typing import TYPE_CHECKING, Any  # isort: skip

from theory.evaluation import evaluate
from theory.opinions import examine
from theory.registry import get, load, load_file
from theory.text.attached import attach as _attach
from theory.text.plain import explain
from theory.text.plotting import plot
from theory.text.symbolic import to_sympy
from theory.trusted.algorithms import GD, NORMALIZED_SAM, SAM, SGD, SamSpec
from theory.trusted.kernel import check
from theory.trusted.statements import Report, Status, Theorem

if TYPE_CHECKING:
    from theory.search import prove, refute

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
    "evaluate",
    "examine",
    "explain",
    "get",
    "load",
    "load_file",
    "plot",
    "prove",
    "refute",
    "to_sympy",
]


def __getattr__(name: str) -> Any:
    """What is imported when it is first asked for: the search takes SciPy with it.

    Raises:
        AttributeError: for a name that is not there.
    """
    if name in ("prove", "refute"):
        from theory import search

        return getattr(search, name)
    raise AttributeError(f"module 'theory' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
