"""The meaning of a lowered fraction in a model: atoms evaluated one by one, written a second time.

Nothing is shared with the lowering: an atom is turned back into numbers straight from its name.
"""

from fractions import Fraction

import numpy as np


def fraction(frac, model):
    """The value of a fraction, for every sample: shape (n,)."""
    return poly(frac.top, model) / poly(frac.bottom, model)


def poly(polynomial, model):
    n = len(model.curvatures)
    total = np.array([Fraction(0)] * n, dtype=object)
    for monomial, coefficient in polynomial.terms.items():
        total = total + coefficient * product(monomial, model)
    return total


def product(monomial, model):
    value = np.array([Fraction(1)] * len(model.curvatures), dtype=object)
    for atom, exponent in monomial:
        value = value * scalar_atom(atom, model) ** exponent
    return value


def matrix(sampled, model):
    mats = model.curvatures
    return mats if sampled else np.array([mats.sum(0) / len(mats)] * len(mats), dtype=object)


def scalar_atom(atom, model):
    n = len(model.curvatures)
    kind = type(atom).__name__
    if kind == "ParamAtom":
        return np.array([model.parameters[atom.param]] * n, dtype=object)
    if kind == "ValueAtom":
        at = point(atom.point, model)
        mats = matrix(atom.function.sampled, model)
        return np.array([at[b] @ mats[b] @ at[b] / 2 for b in range(n)], dtype=object)
    if kind == "InnerAtom":
        values = []
        for u, word, v in atom.triples:
            right = basis(v, model)
            for operator in reversed(word):
                mats = matrix(operator.sampled, model)
                right = np.array([mats[b] @ right[b] for b in range(n)], dtype=object)
            left = basis(u, model)
            values.append(np.array([left[b] @ right[b] for b in range(n)], dtype=object))
        assert all((v == values[0]).all() for v in values)  # the two triples are one number
        return values[0]
    if kind == "MeanAtom":
        mean = product(atom.mean_of, model).sum() / n
        return np.array([mean] * n, dtype=object)
    raise AssertionError(kind)


def basis(atom, model):
    n = len(model.curvatures)
    if type(atom).__name__ == "NamedAtom":
        return np.array([model.vectors[atom.vector]] * n, dtype=object)
    at = point(atom.point, model)
    mats = matrix(atom.gradient_of.sampled, model)
    return np.array([mats[b] @ at[b] for b in range(n)], dtype=object)


def point(key, model):
    total = np.array([[Fraction(0)] * model.curvatures.shape[1]] * len(model.curvatures))
    for (word, base), coefficient in key:
        vectors = basis(base, model)
        for operator in reversed(word):
            mats = matrix(operator.sampled, model)
            vectors = np.array([m @ v for m, v in zip(mats, vectors, strict=True)], dtype=object)
        term = fraction(coefficient, model)[:, None] * vectors
        total = total + term
    return total
