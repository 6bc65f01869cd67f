"""The atoms of lowered expressions in words, in an order that does not depend on hashing."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from theory.trusted import lowering as lo
from theory.trusted import terms as T
from theory.trusted.polynomials import Atom, Frac, Monomial, Poly

__all__ = ["describe", "fraction", "in_order", "point", "polynomial", "product"]


def describe(atom: Atom) -> str:
    """An atom as readable text."""
    match atom:
        case lo.ParamAtom(name) | lo.NamedAtom(name):
            return name
        case lo.ValueAtom(function, at):
            return f"{_symbol(function)}({point(at)})"
        case lo.GradientAtom(function, at):
            return f"∇{_symbol(function)}({point(at)})"
        case lo.InnerAtom(triples):
            return min(
                f"<{describe(u)}, {''.join(map(_letter, word))}{describe(v)}>"
                for u, word, v in triples
            )
        case lo.MeanAtom(monomial):
            return f"E[{product(monomial)}]"
        case lo.AlongAtom(monomial, time):
            return f"E[{product(monomial)}] at x_{_time(time)}"
        case lo.PowerAtom(base):
            return f"({fraction(base)})^t"
    raise TypeError(f"not an atom: {atom!r}")


def product(monomial: Monomial) -> str:
    """A monomial as readable text."""
    powers = sorted((describe(atom), exponent) for atom, exponent in monomial)
    return " ".join(text if e == 1 else f"{text}^{e}" for text, e in powers)


def polynomial(poly: Poly) -> str:
    """A polynomial as readable text."""
    terms = sorted((product(monomial), c) for monomial, c in poly.terms.items())
    return " + ".join(_term(c, text) for text, c in terms) or "0"


def fraction(value: Frac) -> str:
    """A fraction as readable text."""
    top = polynomial(value.top)
    return top if value.bottom == Poly.constant(1) else f"({top})/({polynomial(value.bottom)})"


def point(key: lo.PointKey) -> str:
    """A linear combination of basis vectors as readable text."""
    found = sorted(
        ("".join(map(_letter, word)) + describe(base), fraction(c)) for (word, base), c in key
    )
    return " + ".join(v if c == "1" else f"({c}) {v}" for v, c in found) or "0"


def in_order(atoms: Iterable[Atom]) -> list[Atom]:
    """Atoms sorted by kind, then by what they say."""
    kinds = [lo.ParamAtom, lo.ValueAtom, lo.InnerAtom, lo.MeanAtom, lo.AlongAtom, lo.PowerAtom]
    return sorted(atoms, key=lambda atom: (kinds.index(type(atom)), describe(atom)))


def _term(coefficient: Fraction, text: str) -> str:
    if not text:
        return str(coefficient)
    return text if coefficient == 1 else f"{coefficient} {text}"


def _symbol(item: T.Function | T.Operator) -> str:
    star = "*" if isinstance(item, T.Operator) and item.transposed else ""
    return item.name + ("_b" if item.sampled else "") + star


def _letter(operator: T.Operator) -> str:
    return f"{_symbol(operator)} "


def _time(time: T.Time) -> str:
    if not time.symbolic:
        return str(time.shift)
    return f"(t+{time.shift})" if time.shift else "t"
