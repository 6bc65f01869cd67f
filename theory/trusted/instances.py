r"""Whether hypotheses hold, and conclusions fail, in an exact instance.  TRUSTED, for that only.

A theorem could be true because nothing satisfies its hypotheses, or false where they hold.  A
`Witness` gives numbers, all of them rational or in the field of one real algebraic number
(`reals`): for each of n equally likely samples a quadratic
$f_b(x) = \tfrac12\langle x, A_b x\rangle + \langle c_b, x\rangle + a_b$ for every function and a
matrix for every operator, whose means are the mean ones, and vectors and parameters.  Every
hypothesis is evaluated exactly; a rule becomes a polynomial in the coordinates of its variables,
whose sign is decided for all of them by elimination if its degree is at most 2 (strict rules and
others are not decided).

A conclusion is claimed for all parameters and vectors that the hypotheses allow, the arbitrary
point `x` among them, and for every sample: the numbers of one instance and one sample refute it.
What is claimed of a trajectory or of the time t is not decided here.

What quadratics cannot show (a function that is PL and not convex) has no instance here, so a
theorem that assumes it stays open.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, TypeVar

from theory.trusted import terms as T
from theory.trusted.budget import spend, weigh
from theory.trusted.reals import Exact, Real, check, value
from theory.trusted.statements import (
    Algebraic,
    Condition,
    Failure,
    Hypothesis,
    Matrix,
    Number,
    Quadratic,
    Row,
    Rule,
    Step,
    Theorem,
    Witness,
)

Atom = tuple[str, int]  # a coordinate of a variable
Monomial = tuple[Atom, ...]
Polynomial = dict[Monomial, Exact]
Coordinates = list[Polynomial]
Rows = list[list[Exact]]
Entries = TypeVar("Entries")
MAX_ENTRIES, MAX_PRODUCT = 1024, 200_000


@dataclass(frozen=True)
class Instance:
    """A value for every symbol; in each list the mean stands after the samples' entries.

    Attributes:
        parameters: by name.
        vectors: by name.
        samples: how many there are.
        dimension: of the space.
        matrices: those of an operator by its name, and under "" those of all others.
        functions: matrices, linear terms and constants of a function by its name, likewise.
    """

    parameters: dict[str, Exact]
    vectors: dict[str, Coordinates]
    samples: int
    dimension: int
    matrices: dict[str, list[Rows]]
    functions: dict[str, list[tuple[Rows, list[Exact], Exact]]]

    def scalar(self, tree: T.Scalar, sample: int) -> Polynomial:
        """The value of a scalar expression for one sample."""
        spend(1)
        match tree:
            case T.Const(number):
                return constant(number)
            case T.Param(name):
                return constant(self.parameters[name])
            case T.Sum(parts):
                return total(self.scalar(part, sample) for part in parts)
            case T.Product(parts):
                result = constant(Fraction(1))
                for part in parts:
                    result = product(result, self.scalar(part, sample))
                return result
            case T.Quotient(numerator, divisor):
                below = self.scalar(divisor, sample)
                if set(below) != {()}:
                    raise T.IllFormed("a divisor is zero or depends on a variable")
                return product(self.scalar(numerator, sample), constant(1 / below[()]))
            case T.Power(base, int(exponent)):
                factor, result = self.scalar(base, sample), constant(Fraction(1))
                for _ in range(exponent):
                    result = product(result, factor)
                return result
            case T.Inner(left, right):
                return _dot(self.vector(left, sample), self.vector(right, sample))
            case T.Value(function, point):
                at = self.vector(point, sample)
                matrix, linear, level = self.quadratic(function, sample)
                half = product(constant(Fraction(1, 2)), _dot(at, _image(matrix, at)))
                return total((half, _dot(list(map(constant, linear)), at), constant(level)))
            case T.Mean(argument):
                values = total(self.scalar(argument, b) for b in range(self.samples))
                return product(constant(Fraction(1, self.samples)), values)
        raise T.IllFormed(f"a {type(tree).__name__} has no value in an instance")

    def vector(self, tree: T.Vector, sample: int) -> Coordinates:
        """The coordinates of a vector expression for one sample."""
        spend(1)
        match tree:
            case T.Named(name):
                return self.vectors[name]
            case T.Gradient(function, point):
                matrix, linear, _ = self.quadratic(function, sample)
                image = _image(matrix, self.vector(point, sample))
                return [total((a, constant(b))) for a, b in zip(image, linear, strict=True)]
            case T.Apply(operator, vector):
                return _image(self.matrix(operator, sample), self.vector(vector, sample))
            case T.VectorSum(parts):
                vectors = [self.vector(part, sample) for part in parts]
                return [total(v[i] for v in vectors) for i in range(self.dimension)]
            case T.Scale(coefficient, vector):
                factor = self.scalar(coefficient, sample)
                return [product(factor, entry) for entry in self.vector(vector, sample)]
        raise T.IllFormed(f"a {type(tree).__name__} has no value in an instance")

    def slacks(self, relation: T.Relation, variables: tuple[T.Named, ...]) -> list[Polynomial]:
        """The slack for every sample, a polynomial in the coordinates of `variables`."""
        places = range(self.dimension)
        bound = {v.name: [variable((v.name, i)) for i in places] for v in variables}
        put = replace(self, vectors=self.vectors | bound)
        return [put.scalar(relation.slack, b) for b in range(self.samples)]

    def holds(self, relation: T.Relation, variables: tuple[T.Named, ...]) -> bool:
        """Whether a relation holds for every sample and for all vectors in place of `variables`."""
        slacks = self.slacks(relation, variables)
        if relation.sign == "==":
            return not any(slacks)
        if relation.sign == "<":
            return all(set(slack) == {()} and slack[()] > 0 for slack in slacks)
        return all(is_nonnegative(slack) for slack in slacks)

    def unmet(self, hypotheses: tuple[Hypothesis, ...]) -> str | None:
        """The name of the first hypothesis that does not hold; None if all do."""
        for h in hypotheses:
            rules = (Rule(h.name, (), h.relation),) if isinstance(h, Condition) else h.rules
            if not all(self.holds(rule.relation, rule.variables) for rule in rules):
                return h.name
        return None

    def failure(self, step: Step) -> Failure | None:
        """Both sides of a claim for the first sample for which it fails; None if it holds."""
        claim = step.claim
        for sample in range(self.samples):
            sides = [self.scalar(side, sample) for side in (claim.left, claim.right)]
            left, right = (_number(side) for side in sides)
            if not {"==": left == right, "<=": left <= right, "<": left < right}[claim.sign]:
                return Failure(step.name, written(left), claim.sign, written(right))
        return None

    def quadratic(self, function: T.Function, sample: int) -> tuple[Rows, list[Exact], Exact]:
        """Matrix, linear term and constant of a function for one sample, or of its mean."""
        return _own(self.functions, function.name)[sample if function.sampled else -1]

    def matrix(self, operator: T.Operator, sample: int) -> Rows:
        """The matrix of an operator for one sample, or of its mean."""
        matrices = _own(self.matrices, operator.name)
        if operator.symmetric and any(m != _transposed(m) for m in matrices):
            raise T.IllFormed(f"{operator.name!r} is symmetric, and its matrix is not")
        matrix = matrices[sample if operator.sampled else -1]
        return _transposed(matrix) if operator.transposed else matrix


def _own(entries: dict[str, Entries], name: str) -> Entries:
    if name not in entries and "" not in entries:
        raise KeyError(name)
    return entries.get(name) or entries[""]


def constant(number: Exact) -> Polynomial:
    """A number as a polynomial."""
    return {(): number} if number else {}


def variable(atom: Atom) -> Polynomial:
    """A coordinate as a polynomial."""
    return {(atom,): Fraction(1)}


def total(polynomials: Iterable[Polynomial]) -> Polynomial:
    """The sum of polynomials."""
    return _collected((m, c) for polynomial in polynomials for m, c in polynomial.items())


def product(left: Polynomial, right: Polynomial) -> Polynomial:
    """The product of two polynomials."""
    if len(left) * len(right) > MAX_PRODUCT:
        raise OverflowError(f"a product of polynomials with over {MAX_PRODUCT} pairs of terms")
    spend(len(left) * len(right))
    return _collected(
        (tuple(sorted(m + n)), c * d) for m, c in left.items() for n, d in right.items()
    )


def _collected(terms: Iterable[tuple[Monomial, Exact]]) -> Polynomial:
    result: Polynomial = {}
    for monomial, coefficient in terms:
        known = result.get(monomial)
        result[monomial] = weighed(coefficient if known is None else known + coefficient)
    spend(1 + len(result))
    return {m: c for m, c in result.items() if c}


def weighed(number: Exact) -> Exact:
    """The number, counted by its length; the arithmetic of `reals` counts its own."""
    return number if isinstance(number, Real) else weigh(number)


def written(number: Exact) -> Number:
    """A number as a witness would write it."""
    return Algebraic(number.coefficients) if isinstance(number, Real) else number


def _number(polynomial: Polynomial) -> Exact:
    if set(polynomial) - {()}:
        raise T.IllFormed("a claim depends on more than the numbers of the instance")
    return polynomial.get((), Fraction(0))


def _dot(left: Coordinates, right: Coordinates) -> Polynomial:
    return total(product(a, b) for a, b in zip(left, right, strict=True))


def _image(matrix: Rows, at: Coordinates) -> Coordinates:
    return [_dot(list(map(constant, row)), at) for row in matrix]


def _transposed(matrix: Rows) -> Rows:
    return [list(column) for column in zip(*matrix, strict=True)]


def is_nonnegative(polynomial: Polynomial) -> bool:
    """Whether a polynomial of degree at most 2 is non-negative at all real points."""
    atoms = [None, *sorted({atom for monomial in polynomial for atom in monomial})]
    rows: Rows = [[Fraction(0) for _ in atoms] for _ in atoms]
    for monomial, coefficient in polynomial.items():
        if len(monomial) > 2:
            raise T.IllFormed("a rule is not quadratic in its variables")
        i, j = [0, 0, *(atoms.index(atom) for atom in monomial)][-2:]
        rows[i][j] += coefficient / 2
        rows[j][i] += coefficient / 2
    return is_positive_semidefinite(rows)


def is_positive_semidefinite(rows: Rows) -> bool:
    """Whether a symmetric matrix is positive semidefinite, by elimination."""
    while rows:
        pivot, first = rows[0][0], rows[0][1:]
        if pivot < 0 or (pivot == 0 and any(first)):
            return False
        rest = [row[1:] for row in rows[1:]]
        if pivot != 0:
            rest = [
                [
                    weighed(entry - row[0] * top / pivot)
                    for entry, top in zip(row[1:], first, strict=True)
                ]
                for row in rows[1:]
            ]
        rows = rest
    return True


def read(witness: Witness) -> Instance:
    """The instance that a witness describes.

    Raises:
        IllFormed: if its numbers do not fit together.
    """
    named = (witness.parameters, witness.vectors, witness.operators, witness.functions)
    if any(len(dict(pairs)) < len(pairs) for pairs in named):
        raise T.IllFormed("the witness gives two values to one name")
    if witness.root is not None:
        check(witness.root)
    plain = tuple(Quadratic(matrix, (), Fraction(0)) for matrix in witness.curvatures)
    operators = ({"": witness.curvatures} if plain else {}) | dict(witness.operators)
    functions = ({"": plain} if plain else {}) | dict(witness.functions)
    samples, side = _sizes(witness, tuple(operators.values()), tuple(functions.values()))

    def exact(row: Row) -> list[Exact]:
        return [value(number, witness.root) for number in row]

    def with_mean(entries: list[Any]) -> list[Any]:
        every = entries * (samples // len(entries))
        return [*every, _mean(every)]

    def matrices(entries: tuple[Matrix, ...]) -> list[Rows]:
        return with_mean([[exact(row) for row in matrix] for matrix in entries])

    def quadratics(entries: tuple[Quadratic, ...]) -> list[tuple[Rows, list[Exact], Exact]]:
        curvatures = matrices(tuple(q.matrix for q in entries))
        if any(matrix != _transposed(matrix) for matrix in curvatures):
            raise T.IllFormed("the witness has a matrix that is not symmetric")
        slopes = with_mean([exact(q.linear) or [Fraction(0)] * side for q in entries])
        levels = with_mean([value(q.constant, witness.root) for q in entries])
        return list(zip(curvatures, slopes, levels, strict=True))

    return Instance(
        {name: value(number, witness.root) for name, number in witness.parameters},
        {name: list(map(constant, exact(vector))) for name, vector in witness.vectors},
        samples,
        side,
        {name: matrices(entries) for name, entries in operators.items()},
        {name: quadratics(entries) for name, entries in functions.items()},
    )


def _sizes(
    witness: Witness,
    operators: tuple[tuple[Matrix, ...], ...],
    functions: tuple[tuple[Quadratic, ...], ...],
) -> tuple[int, int]:
    """The number of samples and the dimension, if everything fits them."""
    counts = {len(entries) for entries in (*operators, *functions)}
    quadratics = [q for entries in functions for q in entries]
    matrices = [m for entries in operators for m in entries] + [q.matrix for q in quadratics]
    samples, side = max(counts, default=0), len(matrices[0]) if matrices else 0
    if 0 in counts or not 0 < side * side * len(matrices) <= MAX_ENTRIES:
        raise T.IllFormed(f"the witness needs samples, with at most {MAX_ENTRIES} numbers in all")
    if not counts <= {1, samples}:
        raise T.IllFormed("the witness gives different numbers of samples to two symbols")
    rows = [row for matrix in matrices for row in matrix]
    rows += [q.linear for q in quadratics if q.linear] + [vector for _, vector in witness.vectors]
    if any(len(matrix) != side for matrix in matrices) or any(len(row) != side for row in rows):
        raise T.IllFormed(f"the witness has a matrix or vector that is not of size {side}")
    return samples, side


def _mean(entries: list[Any]) -> Any:
    """The mean of numbers, or of lists of them entry by entry."""
    if isinstance(entries[0], list):
        return [_mean(list(column)) for column in zip(*entries, strict=True)]
    result: Exact = Fraction(0)
    for entry in entries:
        result = weighed(result + entry)
    return result / len(entries)


def unmet(theorem: Theorem) -> str:
    """Why the theorem's witness does not satisfy all its hypotheses; empty if it does."""
    if not theorem.hypotheses:
        return ""
    if theorem.witness is None:
        return "no witness is given (theory.proving.witnesses.find looks for one)"
    try:
        failing = read(theorem.witness).unmet(theorem.hypotheses)
    except KeyError as missing:
        return f"the witness gives no value to {missing.args[0]!r}"
    except T.IllFormed as problem:
        return str(problem)
    return "" if failing is None else f"{failing!r} fails in the witness"


def refuted(theorem: Theorem, refutation: Witness) -> Failure:
    """The first conclusion that fails in an instance in which every hypothesis holds.

    Raises:
        IllFormed: if the instance refutes nothing, with the reason.
    """
    instance = read(refutation)
    try:
        failing = instance.unmet(theorem.hypotheses)
        if failing is not None:
            raise T.IllFormed(f"the hypothesis {failing!r} fails in it")
        for step in theorem.proof:
            if step.name in theorem.conclusion and (found := instance.failure(step)):
                return found
    except KeyError as missing:
        raise T.IllFormed(f"it gives no value to {missing.args[0]!r}") from missing
    raise T.IllFormed("every conclusion holds in it")
