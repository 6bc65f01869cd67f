r"""Whether hypotheses hold, and conclusions fail, in an exact instance.  TRUSTED, for that only.

A theorem could be true because nothing satisfies its hypotheses, or false where they hold.  A
`Witness` gives numbers: for each of n equally likely samples a symmetric matrix $A_b$, with
$H_b = A_b$ and $f_b(x) = \tfrac12 x^{\mathsf T} A_b x$, whose minimum 0 is at the origin, and a
symmetric matrix for every operator that has one of its own.  Every hypothesis is evaluated in
rational arithmetic; a rule becomes a polynomial in the coordinates of its variables, whose sign is
decided for all of them by elimination if its degree is at most 2 (strict rules and others are not
decided).

A conclusion is claimed for all parameters and vectors that the hypotheses allow, the arbitrary
point `x` among them, and for every sample: the numbers of one instance and one sample refute it.
What is claimed of a trajectory or of the time t is not decided here.

What such quadratics cannot show (gradient noise at the minimum, a function that is PL and not
convex, two functions that differ) has no instance here, so a theorem that assumes it stays open.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from theory.expressions import terms as T
from theory.expressions.budget import spend, weigh
from theory.expressions.polynomials import ONE, Poly
from theory.statements import Condition, Failure, Hypothesis, Lemma, Rule, Theorem, Witness

Coordinates = list[Poly]
MAX_ENTRIES = 1024


@dataclass(frozen=True)
class Instance:
    """A value for every symbol; the mean stands after the samples' matrices."""

    parameters: dict[str, Fraction]
    vectors: dict[str, Coordinates]
    matrices: list[list[list[Fraction]]]
    operators: dict[str, list[list[Fraction]]]

    def scalar(self, tree: T.Scalar, sample: int) -> Poly:
        """The value of a scalar expression for one sample."""
        spend(1)
        match tree:
            case T.Const(value):
                return Poly.constant(value)
            case T.Param(name):
                return Poly.constant(self.parameters[name])
            case T.Sum(parts):
                return sum((self.scalar(part, sample) for part in parts), start=Poly())
            case T.Product(parts):
                product = Poly.constant(1)
                for part in parts:
                    product = product * self.scalar(part, sample)
                return product
            case T.Quotient(numerator, divisor):
                below = self.scalar(divisor, sample)
                if not below.is_constant or not below.terms:
                    raise T.IllFormed("a divisor is zero or depends on a variable")
                return self.scalar(numerator, sample) * Poly.constant(1 / below.terms[ONE])
            case T.Power(base, int(exponent)):
                return self.scalar(base, sample) ** exponent
            case T.Inner(left, right):
                return _dot(self.vector(left, sample), self.vector(right, sample))
            case T.Value(function, point):
                at = self.vector(point, sample)
                return Poly.constant(Fraction(1, 2)) * _dot(at, self._apply(function, at, sample))
            case T.Mean(argument):
                values = [self.scalar(argument, b) for b in range(len(self.matrices) - 1)]
                return Poly.constant(Fraction(1, len(values))) * sum(values, start=Poly())
        raise T.IllFormed(f"a {type(tree).__name__} has no value in an instance")

    def vector(self, tree: T.Vector, sample: int) -> Coordinates:
        """The coordinates of a vector expression for one sample."""
        spend(1)
        match tree:
            case T.Named(name):
                return self.vectors[name]
            case T.Gradient(field, point) | T.Apply(field, point):
                return self._apply(field, self.vector(point, sample), sample)
            case T.VectorSum(parts):
                columns = zip(*(self.vector(part, sample) for part in parts), strict=True)
                return [sum(column, start=Poly()) for column in columns] or self._zero()
            case T.Scale(coefficient, vector):
                factor = self.scalar(coefficient, sample)
                return [factor * entry for entry in self.vector(vector, sample)]
        raise T.IllFormed(f"a {type(tree).__name__} has no value in an instance")

    def slacks(self, relation: T.Relation, variables: tuple[T.Named, ...]) -> list[Poly]:
        """The slack for every sample, a polynomial in the coordinates of `variables`."""
        size = len(self._zero())
        bound = {v.name: [Poly.atom((v.name, i)) for i in range(size)] for v in variables}
        put = replace(self, vectors=self.vectors | bound)
        return [put.scalar(relation.slack, b) for b in range(len(self.matrices) - 1)]

    def holds(self, relation: T.Relation, variables: tuple[T.Named, ...]) -> bool:
        """Whether a relation holds for every sample and for all vectors in place of `variables`."""
        slacks = self.slacks(relation, variables)
        if relation.sign == "==":
            return not any(slack.terms for slack in slacks)
        if relation.sign == "<":
            return all(slack.is_constant and slack.terms.get(ONE, 0) > 0 for slack in slacks)
        return all(is_nonnegative(slack) for slack in slacks)

    def unmet(self, hypotheses: tuple[Hypothesis, ...]) -> str | None:
        """The name of the first hypothesis that does not hold; None if all do."""
        for h in hypotheses:
            rules = (Rule(h.name, (), h.relation),) if isinstance(h, Condition) else h.rules
            if not all(self.holds(rule.relation, rule.variables) for rule in rules):
                return h.name
        return None

    def failure(self, lemma: Lemma) -> Failure | None:
        """Both sides of a claim for the first sample for which it fails; None if it holds."""
        claim = lemma.claim
        for sample in range(len(self.matrices) - 1):
            sides = [self.scalar(side, sample) for side in (claim.left, claim.right)]
            left, right = (_number(side) for side in sides)
            if not {"==": left == right, "<=": left <= right, "<": left < right}[claim.sign]:
                return Failure(lemma.name, left, claim.sign, right)
        return None

    def _apply(self, field: T.Function | T.Operator, at: Coordinates, sample: int) -> Coordinates:
        matrix = self.matrices[sample if field.sampled else -1]
        if isinstance(field, T.Operator) and field.name in self.operators:
            if field.sampled:
                raise T.IllFormed(f"{field.name!r} has one matrix for all samples")
            matrix = self.operators[field.name]
        return [_dot([Poly.constant(entry) for entry in row], at) for row in matrix]

    def _zero(self) -> Coordinates:
        return [Poly() for _ in self.matrices[-1]]


def _dot(left: Coordinates, right: Coordinates) -> Poly:
    return sum((a * b for a, b in zip(left, right, strict=True)), start=Poly())


def _mean(entries: list[Fraction]) -> Fraction:
    total = Fraction(0)
    for entry in entries:
        total = weigh(total + entry)
    return total / len(entries)


def _number(poly: Poly) -> Fraction:
    if not poly.is_constant:
        raise T.IllFormed("a claim depends on more than the numbers of the instance")
    return poly.terms.get(ONE, Fraction(0))


def is_nonnegative(poly: Poly) -> bool:
    """Whether a polynomial of degree at most 2 is non-negative at all rational points."""
    atoms = [None, *poly.atoms]
    rows = [[Fraction(0)] * len(atoms) for _ in atoms]
    for monomial, coefficient in poly.terms.items():
        places = [atoms.index(atom) for atom, exponent in monomial for _ in range(exponent)]
        if len(places) > 2:
            raise T.IllFormed("a rule is not quadratic in its variables")
        i, j = [0, 0, *places][-2:]
        rows[i][j] += coefficient / 2
        rows[j][i] += coefficient / 2
    return is_positive_semidefinite(rows)


def is_positive_semidefinite(rows: list[list[Fraction]]) -> bool:
    """Whether a symmetric matrix is positive semidefinite, by elimination."""
    while rows:
        (pivot, *first), *others = rows
        if pivot < 0 or (pivot == 0 and any(first)):
            return False
        rows = [
            [
                weigh(entry - row[0] * top / pivot) if pivot else entry
                for entry, top in zip(row[1:], first, strict=True)
            ]
            for row in others
        ]
    return True


def read(witness: Witness) -> Instance:
    """The instance that a witness describes.

    Raises:
        IllFormed: if its numbers do not fit together.
    """
    named = (witness.parameters, witness.vectors, witness.operators)
    if any(len(dict(pairs)) < len(pairs) for pairs in named):
        raise T.IllFormed("the witness gives two values to one name")
    samples = [[list(row) for row in matrix] for matrix in witness.curvatures]
    operators = {name: [list(row) for row in matrix] for name, matrix in witness.operators}
    matrices = [*samples, *operators.values()]
    side = len(samples[0]) if samples else 0
    if not 0 < side * side * len(matrices) <= MAX_ENTRIES:
        raise T.IllFormed(f"the witness needs samples, with at most {MAX_ENTRIES} numbers in all")
    square = all(len(matrix) == side == len(row) for matrix in matrices for row in matrix)
    if not square or any(len(vector) != side for _, vector in witness.vectors):
        raise T.IllFormed(f"the witness has a matrix or vector that is not of size {side}")
    if any(m != [list(column) for column in zip(*m, strict=True)] for m in matrices):
        raise T.IllFormed("the witness has a matrix that is not symmetric")
    entries = [[[m[i][j] for m in samples] for j in range(side)] for i in range(side)]
    mean = [[_mean(e) for e in row] for row in entries]
    vectors = {name: [Poly.constant(q) for q in vector] for name, vector in witness.vectors}
    return Instance(dict(witness.parameters), vectors, [*samples, mean], operators)


def unmet(theorem: Theorem) -> str:
    """Why the theorem's witness does not satisfy all its hypotheses; empty if it does."""
    if not theorem.hypotheses:
        return ""
    if theorem.witness is None:
        return "no witness is given (theory.witnesses.find looks for one)"
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
        for lemma in theorem.proof:
            if lemma.name in theorem.conclusion and (found := instance.failure(lemma)):
                return found
    except KeyError as missing:
        raise T.IllFormed(f"it gives no value to {missing.args[0]!r}") from missing
    raise T.IllFormed("every conclusion holds in it")
