"""Statements in sympy, for those who differentiate, solve and plot what a theorem says.

Nothing here proves anything, and sympy cancels as soon as it can: a divisor that could vanish, as
in `x / x`, is gone.  Sympy is imported on the first call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from theory.text.printing import to_latex, to_text
from theory.trusted import terms as T
from theory.trusted.notation import SYMBOLS
from theory.trusted.statements import Condition, Dynamics, Quantity, Theorem

__all__ = ["Symbolic", "symbols", "to_sympy"]

#: What an expectation along an algorithm of which nothing is known depends on.
ANY = ("step_size", "radius")


@dataclass(frozen=True)
class Symbolic:
    """A theorem in sympy.

    Attributes:
        hypotheses: relations by name; the rules of an assumption as `assumption (rule)`.
        conclusions: the claims by name.
        quantities: expressions by name.
        symbols: the parameters that occur, by name.
    """

    hypotheses: Mapping[str, Any]
    conclusions: Mapping[str, Any]
    quantities: Mapping[str, Any]
    symbols: Mapping[str, Any]


class _Table(Mapping[str, Any]):
    """The notation's parameters as real sympy symbols; names that are not in it raise KeyError."""

    def __getitem__(self, name: str) -> Any:
        if name not in SYMBOLS:
            raise KeyError(name)
        return _symbol(name)

    def __iter__(self) -> Iterator[str]:
        return iter(SYMBOLS)

    def __len__(self) -> int:
        return len(SYMBOLS)


#: Name of a parameter (`step_size`) -> its one sympy symbol (`eta`, real and no more).  A symbol
#: that is made otherwise is another one: `diff` by it is 0.
symbols: Mapping[str, Any] = _Table()


def _letters(name: str) -> str:
    """How a parameter is called in sympy, which typesets `eta` as η."""
    if name in SYMBOLS:
        return SYMBOLS[name].latex.replace("\\", "")
    taken = {entry.latex.replace("\\", "") for entry in SYMBOLS.values()}
    return f"{name}'" if name in taken else name


def _symbol(name: str) -> Any:
    import sympy

    return sympy.Symbol(_letters(name), real=True)


def to_sympy(item: Any) -> Any:
    """An expression, a relation, a quantity or a theorem in sympy.

    Every parameter is the symbol of the table `symbols`.  A part that sympy cannot look into (a
    function's value, an inner product, an expectation) is an undefined real function of the
    parameters in it, named as it is printed, so that a derivative by one of them is not lost; along
    an algorithm it depends on t and on the algorithm's parameters as well.  Relations stay as they
    are written.

    Returns:
        A sympy expression or relation; for a theorem a `Symbolic`.

    Raises:
        TypeError: for anything else; a vector has no sympy form, its norm has.
        ValueError: for a divisor that is 0.
    """
    if isinstance(item, Theorem):
        return _theorem(item)
    if isinstance(item, Quantity):
        return _scalar(item.expression)
    if isinstance(item, T.Relation):
        return _relation(item)
    if isinstance(item, T.Scalar):
        return _scalar(item)
    raise TypeError(
        f"a {type(item).__name__} has no sympy form:"
        " give a scalar, a relation, a quantity or a theorem"
    )


def _theorem(theorem: Theorem) -> Symbolic:
    run = _run(theorem.dynamics)
    hypotheses: dict[str, Any] = {}
    for h in theorem.hypotheses:
        if isinstance(h, Condition):
            hypotheses[h.name] = _relation(h.relation, run)
        else:
            hypotheses |= {f"{h.name} ({r.name})": _relation(r.relation, run) for r in h.rules}
    claims = {step.name: step.claim for step in theorem.proof}
    return Symbolic(
        hypotheses,
        {name: _relation(claims[name], run) for name in theorem.conclusion},
        {q.name: _scalar(q.expression, run) for q in theorem.quantities},
        {name: _symbol(name) for name in dict.fromkeys((*_parameters(theorem), *run))},
    )


def _run(dynamics: Dynamics | None) -> tuple[str, ...]:
    """The parameters of which an algorithm's iterates are functions."""
    if dynamics is None:
        return ()
    try:
        return _parameters((dynamics.step(), dynamics.start))
    except T.IllFormed:  # the language cannot state its step
        return (*ANY, *_parameters(dynamics.start))


def _parameters(tree: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(node.name for node in T.nodes(tree) if isinstance(node, T.Param)))


def _relation(relation: T.Relation, run: tuple[str, ...] = ANY) -> Any:
    import sympy

    kind = {"<=": sympy.Le, "<": sympy.Lt, "==": sympy.Eq}[relation.sign]
    return kind(_scalar(relation.left, run), _scalar(relation.right, run), evaluate=False)


def _scalar(tree: T.Scalar, run: tuple[str, ...] = ANY) -> Any:
    """An expression; `run` are the parameters of the algorithm."""
    import sympy

    def go(node: T.Scalar) -> Any:
        match node:
            case T.Const(value):
                return sympy.Rational(value.numerator, value.denominator)
            case T.Param(name):
                return _symbol(name)
            case T.Sum(terms):
                return sympy.Add(*map(go, terms))
            case T.Product(factors):
                return sympy.Mul(*map(go, factors))
            case T.Quotient(numerator, divisor):
                if (below := go(divisor)) == 0:
                    raise ValueError(f"the divisor {to_text(divisor)} is 0: it has no sympy form")
                return go(numerator) / below
            case T.Power(base, int(exponent)):
                return go(base) ** exponent
            case T.Power(base, T.Time() as time):
                return go(base) ** _time(time)
        return _part(node, run)

    return go(tree)


def _time(time: T.Time) -> Any:
    import sympy

    counter = sympy.Symbol("t", integer=True, nonnegative=True) if time.symbolic else 0
    return counter + sympy.Integer(time.shift)


def _part(node: T.Scalar, run: tuple[str, ...]) -> Any:
    """A part of a statement as an undefined function of what it depends on."""
    from sympy.core.function import UndefinedFunction
    from sympy.printing.pretty.stringpict import prettyForm

    text, latex = to_text(node), to_latex(node)
    names = dict.fromkeys(_parameters(node))
    counters: list[Any] = []
    for inner in T.nodes(node):
        if isinstance(inner, T.Along):
            names |= dict.fromkeys(run)
        if isinstance(inner, T.Time) and inner.symbolic and not counters:
            counters = [_time(T.Time())]
    printed: dict[str, Callable[..., Any]] = {
        "_sympystr": lambda self, printer: text,
        "_pretty": lambda self, printer: prettyForm(text),
        "_latex": lambda self, printer, exp=None: (
            latex if exp is None else rf"\left({latex}\right)^{{{exp}}}"
        ),
    }
    known = {"nonnegative": True} if isinstance(node, T.Inner) and node.left == node.right else {}
    kind = UndefinedFunction(text, __dict__=printed, real=True, **known)
    return kind(*map(_symbol, names), *counters)
