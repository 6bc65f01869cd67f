r"""From trees to exact fractions of polynomials in atoms.  TRUSTED.

Vectors become linear combinations of basis vectors (named vectors and gradients, with words of
symmetric operators in front), inner products become atoms $\langle u, W v\rangle$ identified with
$\langle v, W^{\mathsf T} u\rangle$, and expectations become atoms after everything that is
independent of the sample has been taken out.  Used here, and nothing else: bilinearity and
symmetry of the inner product, symmetry of the operators, linearity of the expectation, and
$E f_b = f$, $E \nabla f_b = \nabla f$ (at a point independent of $b$), $E H_b = H$.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from theory.trusted import terms as T
from theory.trusted.budget import spend
from theory.trusted.polynomials import ONE, Atom, Frac, Monomial, Poly

Word = tuple[T.Operator, ...]
Combination = dict[tuple[Word, Atom], Frac]
PointKey = frozenset[tuple[tuple[Word, Atom], Frac]]


class ParamAtom(NamedTuple):
    """A parameter."""

    param: str


class ValueAtom(NamedTuple):
    """A function value at a canonical point."""

    function: T.Function
    point: PointKey


class NamedAtom(NamedTuple):
    """A basis vector that is just a name."""

    vector: str


class GradientAtom(NamedTuple):
    """A basis vector that is a gradient at a canonical point."""

    gradient_of: T.Function
    point: PointKey


class InnerAtom(NamedTuple):
    """An inner product of basis vectors: the triple (u, word, v) and its mirror image."""

    triples: frozenset[tuple[Atom, Word, Atom]]


class MeanAtom(NamedTuple):
    """The expectation, over the sample, of a monomial."""

    mean_of: Monomial


class AlongAtom(NamedTuple):
    """The expectation of a monomial of the iterate, at a time."""

    along: Monomial
    time: T.Time


class PowerAtom(NamedTuple):
    """A base to the power $t$."""

    base: Frac


ITERATE = NamedAtom("x")
IllFormed = T.IllFormed
MayDivide = Callable[[Frac], bool]


def depends(atom: Atom, on_sample: bool) -> bool:
    """Whether an atom depends on the sample (or, if not `on_sample`, on the iterate `x`)."""
    spend(1)

    def vector(base: Atom) -> bool:
        if isinstance(base, GradientAtom):
            return (on_sample and base.gradient_of.sampled) or point(base.point)
        return not on_sample and base == ITERATE

    def point(key: PointKey) -> bool:
        return any(
            vector(base) or word(letters) or poly(c.top) or poly(c.bottom)
            for (letters, base), c in key
        )

    def word(letters: Word) -> bool:
        return on_sample and any(letter.sampled for letter in letters)

    def poly(p: Poly) -> bool:
        return any(depends(inner, on_sample) for inner in p.atoms)

    match atom:
        case ValueAtom(function, key):
            return (on_sample and function.sampled) or point(key)
        case InnerAtom(triples):
            return any(vector(u) or word(w) or vector(v) for u, w, v in triples)
        case MeanAtom(monomial):
            return not on_sample and any(depends(inner, False) for inner, _ in monomial)
        case PowerAtom(base):
            return poly(base.top) or poly(base.bottom)
    return False


def lower(tree: T.Scalar, may_divide: MayDivide) -> Frac:
    """The exact fraction that a scalar expression denotes.

    Args:
        tree: the expression.
        may_divide: tells whether a divisor has been proved non-zero.

    Raises:
        IllFormed: if the expression has no meaning, with the reason.
    """

    def go(node: T.Scalar) -> Frac:
        return lower(node, may_divide)

    spend(1)

    match tree:
        case T.Const(value):
            return Frac.of(Poly.constant(value))
        case T.Param(name):
            return Frac.of(Poly.atom(ParamAtom(name)))
        case T.Sum(parts):
            result = Frac.of(Poly())
            for part in parts:
                result = result + go(part)
            return result
        case T.Product(parts):
            result = Frac.of(Poly.constant(1))
            for part in parts:
                result = result * go(part)
            return result
        case T.Quotient(numerator, divisor):
            below = go(divisor)
            if not below.top.terms:
                raise IllFormed("division by zero")
            if not below.top.is_constant and not may_divide(below):
                raise IllFormed("a divisor has not been proved positive")
            return go(numerator) * below.inverse()
        case T.Power(base, exponent):
            return power(go(base), exponent)
        case T.Value(function, point):
            return Frac.of(Poly.atom(ValueAtom(function, _key(combine(point, may_divide)))))
        case T.Inner(left, right):
            return _inner(combine(left, may_divide), combine(right, may_divide))
        case T.Mean(argument):
            return mean(go(argument))
        case T.Along(argument, time):
            return along(go(argument), time)
    raise IllFormed(f"not a scalar expression: {tree!r}")


def combine(tree: T.Vector, may_divide: MayDivide) -> Combination:
    """The linear combination of basis vectors that a vector expression denotes."""
    spend(1)
    result: Combination = {}

    def add(key: tuple[Word, Atom], coefficient: Frac) -> None:
        total = result[key] + coefficient if key in result else coefficient
        result[key] = total
        if not total.top.terms:
            del result[key]

    one = Frac.of(Poly.constant(1))
    match tree:
        case T.Named(name):
            add(((), NamedAtom(name)), one)
        case T.Gradient(function, point):
            add(((), GradientAtom(function, _key(combine(point, may_divide)))), one)
        case T.VectorSum(parts):
            for part in parts:
                for key, coefficient in combine(part, may_divide).items():
                    add(key, coefficient)
        case T.Scale(scale, vector):
            factor = lower(scale, may_divide)
            for key, coefficient in combine(vector, may_divide).items():
                add(key, factor * coefficient)
        case T.Apply(operator, vector):
            for (word, base), coefficient in combine(vector, may_divide).items():
                spend(1 + len(word))
                add(((operator, *word), base), coefficient)
        case _:
            raise IllFormed(f"not a vector expression: {tree!r}")
    return result


def _key(point: Combination) -> PointKey:
    return frozenset(point.items())


def power(base: Frac, exponent: int | T.Time) -> Frac:
    """A fraction to a natural power, or to the power t + k."""
    shift = exponent.shift if isinstance(exponent, T.Time) else exponent
    if shift < 0:
        raise IllFormed("a negative exponent: write a quotient")
    result = Frac(base.top**shift, base.bottom**shift)
    if isinstance(exponent, T.Time) and exponent.symbolic:
        result = result * Frac.of(Poly.atom(PowerAtom(base)))
    return result


def transpose(word: Word) -> Word:
    """The adjoint of a word of operators: the adjoints of its letters, in reverse order."""
    return tuple(letter.adjoint for letter in reversed(word))


def _inner_atom(u: Atom, word: Word, v: Atom) -> InnerAtom:
    return InnerAtom(frozenset([(u, word, v), (v, transpose(word), u)]))


def _inner(left: Combination, right: Combination) -> Frac:
    result = Frac.of(Poly())
    for (w1, u), c in left.items():
        for (w2, v), d in right.items():
            atom = _inner_atom(u, (*transpose(w1), *w2), v)
            result = result + c * d * Frac.of(Poly.atom(atom))
    return result


def mean(inside: Frac) -> Frac:
    """The expectation over the sample."""
    return _expect(inside, True, _mean_atom)


def along(inside: Frac, time: T.Time) -> Frac:
    """The expectation over the law of the iterate at a time."""
    if time.shift < 0:
        raise IllFormed("a time before the start")
    if any(depends(atom, True) for atom in inside.top.atoms | inside.bottom.atoms):
        raise IllFormed("a quantity along the trajectory depends on the sample")
    return _expect(inside, False, lambda monomial: Poly.atom(AlongAtom(monomial, time)))


def _expect(inside: Frac, on_sample: bool, make: Callable[[Monomial], Poly]) -> Frac:
    """Expectation: linear, and everything that does not depend on the variable comes out."""
    if any(depends(atom, on_sample) for atom in inside.bottom.atoms):
        raise IllFormed("the divisor inside an expectation is random")
    total = Poly()
    for monomial, coefficient in inside.top.terms.items():
        varying = frozenset(pair for pair in monomial if depends(pair[0], on_sample))
        fixed = Poly([(monomial - varying, coefficient)])
        total = total + (fixed * make(varying) if varying != ONE else fixed)
    return Frac(total, inside.bottom)


def _mean_atom(monomial: Monomial) -> Poly:
    """The expectation of a monomial of sample-dependent atoms."""
    if len(monomial) == 1:
        ((atom, exponent),) = monomial
        if exponent == 1:
            averaged = _average(atom)
            if averaged is not None:
                return Poly.atom(averaged)
    return Poly.atom(MeanAtom(monomial))


def _average(atom: Atom) -> Atom | None:
    """The atom with its only sampled ingredient replaced by its mean, if that is what it has."""

    def mean_vector(base: Atom) -> Atom | None:
        if isinstance(base, GradientAtom) and base.gradient_of.sampled:
            averaged = GradientAtom(T.Function(base.gradient_of.name), base.point)
            if not depends(InnerAtom(frozenset([(averaged, (), averaged)])), True):
                return averaged
        return None

    if isinstance(atom, ValueAtom) and atom.function.sampled:
        averaged = ValueAtom(T.Function(atom.function.name), atom.point)
        return None if depends(averaged, True) else averaged
    if not isinstance(atom, InnerAtom):
        return None
    u, word, v = next(iter(atom.triples))
    random_ends = [e for e in (u, v) if depends(InnerAtom(frozenset([(e, (), e)])), True)]
    random_letters = [i for i, letter in enumerate(word) if letter.sampled]
    if len(random_ends) + len(random_letters) != 1:
        return None
    if random_letters:
        i = random_letters[0]
        word = (*word[:i], replace(word[i], sampled=False), *word[i + 1 :])
    else:
        new = mean_vector(random_ends[0])
        if new is None:
            return None
        u, v = (new, v) if u == random_ends[0] else (u, new)
    return _inner_atom(u, word, v)
