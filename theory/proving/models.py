r"""Concrete instances: finite samples of quadratics, on which any statement can be evaluated.

A `Model` gives every symbol of a statement a value: parameters, vectors in $\mathbb R^d$, and for
each of $n$ equally likely samples a quadratic
$\tfrac12 x^{\mathsf T} A_b x + c_b^{\mathsf T} x + a_b$ for every function and a matrix for every
operator.  All entries are `fractions.Fraction` (or `reals.Real`) and the evaluation is exact: a
model in which all hypotheses hold shows that they do not contradict each other, and one in which
besides that a claim fails refutes the claim.  The kernel's own check of a witness is
`theory.trusted.instances`, written without this module.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from theory.trusted import terms as T
from theory.trusted.reals import value
from theory.trusted.statements import (
    ITERATE,
    Condition,
    Dynamics,
    Hypothesis,
    Rule,
    Theorem,
    Witness,
)

__all__ = [
    "Array",
    "Model",
    "degree",
    "failing_claims",
    "is_positive_semidefinite",
    "of_witness",
    "quadratic_forms",
    "rational",
    "refutes",
    "relevant",
]

Array = NDArray[Any]


@dataclass(frozen=True)
class Model:
    """A value for every symbol.

    Attributes:
        parameters: the parameters by name.
        vectors: the named vectors, each of shape (d,).
        curvatures: the matrices A_b, shape (n, d, d), symmetric; every function of the statement
            is made of them, and every operator, that has none of its own.
        time: the value of t.
        dynamics: what `Along` runs on, if it occurs.
        operators: matrices, shape (n, d, d), for operators of their own.
        functions: A_b, c_b and a_b, shapes (n, d, d), (n, d) and (n,), for functions of their own.
    """

    parameters: Mapping[str, Any]
    vectors: Mapping[str, Array]
    curvatures: Array
    time: int = 0
    dynamics: Dynamics | None = None
    operators: Mapping[str, Array] = field(default_factory=dict)
    functions: Mapping[str, tuple[Array, Array, Array]] = field(default_factory=dict)

    def scalar(self, tree: T.Scalar) -> Array:
        """The value of a scalar expression: shape (), or (n,) if it depends on the sample.

        Raises:
            ZeroDivisionError: for a division by zero in exact arithmetic.
            KeyError: for a symbol that has no value here.
        """
        match tree:
            case T.Const(value):
                return np.asarray(value)
            case T.Param(name):
                return np.asarray(self.parameters[name])
            case T.Sum(parts):
                total = np.asarray(Fraction(0))
                for part in parts:
                    total = np.asarray(total + self.scalar(part))
                return total
            case T.Product(parts):
                product = np.asarray(Fraction(1))
                for part in parts:
                    product = np.asarray(product * self.scalar(part))
                return product
            case T.Quotient(numerator, divisor):
                return np.asarray(self.scalar(numerator) / self.scalar(divisor))
            case T.Power(base, exponent):
                return np.asarray(self.scalar(base) ** self._at(exponent))
            case T.Inner(left, right):
                return np.asarray((self.vector(left) * self.vector(right)).sum(-1))
            case T.Value(function, point):
                at = self.vector(point)
                matrices, slopes, levels = self._quadratics(function)
                inside = _image(matrices, at) / 2 + slopes
                return np.asarray(levels + (at * inside).sum(-1))
            case T.Mean(argument):
                inside = self.scalar(argument)
                return inside if inside.ndim == 0 else np.asarray(inside.sum(0) / len(inside))
            case T.Along(argument, time):
                return self._along(argument, self._at(time))
        raise TypeError(f"not a scalar: {tree!r}")

    def vector(self, tree: T.Vector) -> Array:
        """The value of a vector expression: shape (d,), or (n, d) if it depends on the sample."""
        match tree:
            case T.Named(name):
                return self.vectors[name]
            case T.Gradient(function, point):
                matrices, slopes, _ = self._quadratics(function)
                return np.asarray(_image(matrices, self.vector(point)) + slopes)
            case T.Apply(operator, vector):
                return _image(self._matrices(operator), self.vector(vector))
            case T.VectorSum(parts):
                result = rational([0] * self.curvatures.shape[-1])
                for part in parts:
                    result = result + self.vector(part)
                return result
            case T.Scale(coefficient, vector):
                return np.asarray(self.scalar(coefficient)[..., None] * self.vector(vector))
        raise TypeError(f"not a vector: {tree!r}")

    def holds(self, relation: T.Relation) -> bool:
        """Whether a relation holds, for every sample if it depends on the sample."""
        slack = self.scalar(relation.slack)
        if relation.sign == "==":
            return bool(np.all(slack == 0))
        return bool(np.all(slack > 0 if relation.sign == "<" else slack >= 0))

    def satisfies(self, hypothesis: Hypothesis) -> bool:
        """Whether a hypothesis holds; a rule is checked for all vectors, as a quadratic form.

        Raises:
            ValueError: for a strict rule, or one that is not visibly quadratic in its variables.
        """
        if isinstance(hypothesis, Condition):
            return self.holds(hypothesis.relation)
        return all(self._holds_everywhere(rule) for rule in hypothesis.rules)

    def forms(self, rule: Rule) -> list[Array]:
        """The slack of a rule in its variables: matrices Q with slack(z) = (1, z)' Q (1, z).

        Raises:
            ValueError: for a rule that is not visibly quadratic in its variables.
        """
        names = [variable.name for variable in rule.variables]
        if degree(rule.relation.slack, rule.variables) > 2:
            raise ValueError(f"rule {rule.name!r} is not visibly quadratic in its variables")

        def slack(point: Array) -> Array:
            pieces = np.split(point, len(names)) if names else []
            put = replace(self, vectors={**self.vectors, **dict(zip(names, pieces, strict=True))})
            return np.atleast_1d(put.scalar(rule.relation.slack))

        return quadratic_forms(slack, len(names) * self.curvatures.shape[-1])

    def _holds_everywhere(self, rule: Rule) -> bool:
        forms = self.forms(rule)
        if rule.relation.sign == "==":
            return all(not np.any(form) for form in forms)
        if rule.relation.sign == "<":
            raise ValueError(f"rule {rule.name!r} is strict, and strict rules cannot be checked")
        return all(is_positive_semidefinite(form) for form in forms)

    def _at(self, time: int | T.Time) -> int:
        if isinstance(time, int):
            return time
        return time.shift + (self.time if time.symbolic else 0)

    def _quadratics(self, function: T.Function) -> tuple[Array, Array, Array]:
        size = self.curvatures.shape[-1]
        zero = rational([[0] * size] * len(self.curvatures))
        data = self.functions.get(function.name, (self.curvatures, zero, zero[:, 0]))
        matrices, slopes, levels = (_of(part, function.sampled) for part in data)
        return matrices, slopes, levels

    def _matrices(self, operator: T.Operator) -> Array:
        matrices = self.operators.get(operator.name, self.curvatures)
        turned = matrices.swapaxes(-1, -2)
        if operator.symmetric and np.any(matrices != turned):
            raise ValueError(f"{operator.name!r} is symmetric, and its matrix is not")
        return _of(turned if operator.transposed else matrices, operator.sampled)

    def _along(self, argument: T.Scalar, steps: int) -> Array:
        """Enumerate all n^t sample sequences."""
        if self.dynamics is None:
            raise ValueError("a trajectory needs the dynamics of the theorem")
        step = self.dynamics.step()
        points = [self.vector(self.dynamics.start)]
        for _ in range(steps):
            moved = (self._put(point).vector(step) for point in points)
            points = list(itertools.chain.from_iterable(np.atleast_2d(m) for m in moved))
        values = [self._put(point).scalar(argument) for point in points]
        return np.asarray(sum(values[1:], start=values[0]) / len(values))

    def _put(self, point: Array) -> Model:
        return replace(self, vectors={**self.vectors, ITERATE.name: point})


def _of(data: Array, sampled: bool) -> Array:
    """The samples' data, or their mean."""
    return data if sampled else np.asarray(data.sum(0) / len(data))


def _image(matrices: Array, vector: Array) -> Array:
    return np.asarray((matrices @ vector[..., None])[..., 0])


def degree(tree: T.Scalar | T.Vector, variables: Sequence[T.Named]) -> float:
    """A bound, read off the shape, on the degree in some vectors of an expression in a model.

    Infinite where the shape shows none: a variable in a divisor, under the exponent t, in `Along`.
    """

    def of(part: T.Scalar | T.Vector) -> float:
        return degree(part, variables)

    match tree:
        case T.Const() | T.Param():
            return 0
        case T.Named():
            return float(tree in variables)
        case T.Sum(terms) | T.VectorSum(terms):
            return max(map(of, terms), default=0)
        case T.Product(factors):
            return sum(map(of, factors))
        case T.Scale(first, second) | T.Inner(first, second):
            return of(first) + of(second)
        case T.Quotient(numerator, divisor) if of(divisor) == 0:
            return of(numerator)
        case T.Power(base, int(exponent)) if of(base) < math.inf:
            return exponent * of(base)
        case T.Power(base, _) if of(base) == 0:
            return 0
        case T.Value(_, point):
            return 2 * of(point)
        case T.Gradient(_, point) | T.Apply(_, point):
            return of(point)
        case T.Mean(argument):
            return of(argument)
    return math.inf


def quadratic_forms(function: Callable[[Array], Array], size: int) -> list[Array]:
    """The symmetric matrices Q with function(z)_i = (1, z)' Q_i (1, z), by interpolation.

    This is exact for a function of degree at most 2 (see `degree`), and meaningless for others.
    """
    zero, half = rational([0] * size), Fraction(1, 2)

    def at(*indices: int, scale: int = 1) -> Array:
        point = zero.copy()
        for i in indices:
            point[i] = point[i] + scale
        return np.asarray(function(point))

    base = at()
    plus = [at(i) for i in range(size)]
    minus = [at(i, scale=-1) for i in range(size)]
    forms = np.empty((len(base), size + 1, size + 1), dtype=object)
    forms[:, 0, 0] = base
    for i in range(size):
        forms[:, 0, i + 1] = forms[:, i + 1, 0] = (plus[i] - minus[i]) * (half * half)
        forms[:, i + 1, i + 1] = (plus[i] + minus[i]) * half - base
        for j in range(i):
            mixed = (at(i, j) - plus[i] - plus[j] + base) * half
            forms[:, i + 1, j + 1] = forms[:, j + 1, i + 1] = mixed
    return list(forms)


def is_positive_semidefinite(matrix: Array) -> bool:
    """Whether a symmetric rational matrix is positive semidefinite, by exact elimination."""
    rows: list[list[Any]] = [list(row) for row in matrix]
    while rows:
        pivot = rows[0][0]
        if pivot < 0 or (pivot == 0 and any(entry != 0 for entry in rows[0])):
            return False
        rest = [row[1:] for row in rows[1:]]
        if pivot != 0:
            first = rows[0][1:]
            rest = [
                [entry - row[0] * first[j] / pivot for j, entry in enumerate(row[1:])]
                for row in rows[1:]
            ]
        rows = rest
    return True


def of_witness(witness: Witness) -> Model:
    """The model that a witness describes.

    Raises:
        ValueError: if its numbers do not fit together.
    """

    def exact(numbers: Sequence[Any]) -> Array:
        values = np.array(numbers, dtype=object)
        return np.asarray(np.vectorize(partial(value, root=witness.root), otypes=[object])(values))

    entries = [*dict(witness.operators).values(), *dict(witness.functions).values()]
    count = max(map(len, (witness.curvatures, *entries)))

    def each(numbers: Sequence[Any]) -> Array:
        """One for every sample, also where a single one is given."""
        return np.repeat(exact(numbers), count // len(numbers), axis=0)

    functions = {
        name: (
            each([q.matrix for q in quadratics]),
            each([q.linear or (0,) * len(q.matrix) for q in quadratics]),
            each([q.constant for q in quadratics]),
        )
        for name, quadratics in witness.functions
    }
    operators = {name: each(matrices) for name, matrices in witness.operators}
    some = [*operators.values(), *(matrices for matrices, _, _ in functions.values())]
    return Model(
        {name: value(number, witness.root) for name, number in witness.parameters},
        {name: exact(vector) for name, vector in witness.vectors},
        each(witness.curvatures) if witness.curvatures else 0 * some[0],
        operators=operators,
        functions=functions,
    )


def rational(matrices: Sequence[Any]) -> Array:
    """An object array of Fractions, from nested integers or Fractions."""
    array = np.array(matrices, dtype=object)
    return np.asarray(np.vectorize(Fraction, otypes=[object])(array))


def failing_claims(model: Model, theorem: Theorem, times: Sequence[int] = (0, 1, 2)) -> list[str]:
    """The conclusions that fail in a model at some of the given times."""
    claims = {step.name: step.claim for step in theorem.proof}
    put = replace(model, dynamics=theorem.dynamics)
    return [
        name
        for name in theorem.conclusion
        if not all(replace(put, time=t).holds(claims[name]) for t in relevant(claims[name], times))
    ]


def relevant(claim: T.Relation, times: Sequence[int]) -> Sequence[int]:
    """The times at which a claim has to be looked at: one is enough if t does not occur."""
    depends = any(isinstance(node, T.Time) and node.symbolic for node in T.nodes(claim))
    return times if depends else times[:1]


def refutes(model: Model, theorem: Theorem, times: Sequence[int] = (0, 1, 2)) -> bool:
    """Whether all hypotheses hold in the model and some conclusion fails: exact for Fractions."""
    return all(model.satisfies(h) for h in theorem.hypotheses) and bool(
        failing_claims(model, theorem, times)
    )
