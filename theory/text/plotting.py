"""A quantity of a theorem against a parameter, drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from theory.evaluation import evaluate
from theory.trusted.notation import symbol
from theory.trusted.statements import Theorem

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot"]


def plot(theorem: Theorem, quantity: str, ax: Axes | None = None, **given: ArrayLike) -> Axes:
    """Draw a named quantity against the one parameter that is given as an array.

    Where the hypotheses fail the theorem says nothing, and nothing is drawn.

    Args:
        theorem: the theorem.
        quantity: the name of one of its quantities.
        ax: where to draw; matplotlib's current figure by default.
        given: the parameters by name: numbers, and for one of them an increasing 1-d array.

    Raises:
        ValueError: if no parameter or more than one is an array; otherwise as `evaluate`.

    Example:
        >>> plot(theory.get("sgd-pl-linear"), "factor", step_size=np.linspace(0, 1), beta=1, L=1,
        ...      mu=0.25)  # doctest: +SKIP
    """
    along = [name for name, value in given.items() if np.ndim(value)]
    if len(along) != 1 or np.ndim(given[along[0]]) != 1:
        named = ", ".join(along) or "none"
        raise ValueError(f"arrays: {named}; give one parameter a 1-d array, and numbers for others")
    found = evaluate(theorem, quantity, **given)
    import matplotlib.pyplot as plt

    ax = plt.gca() if ax is None else ax
    places = np.asarray(given[along[0]], dtype=np.float64)
    (line,) = ax.plot(places, np.broadcast_to(found.value, places.shape))
    meaning = next(q.meaning for q in theorem.quantities if q.name == quantity)
    line.set_label(theorem.id)
    ax.set_xlabel(f"${symbol(along[0]).latex}$: {symbol(along[0]).meaning or along[0]}")
    ax.set_ylabel(meaning or quantity)
    return ax
