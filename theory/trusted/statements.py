"""What a theorem is: hypotheses, claims and certificates as frozen data.  TRUSTED data.

A theorem's claims are those of the proof steps that `conclusion` names, so each inequality is
written once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction

from theory.trusted.algorithms import SamSpec
from theory.trusted.certificates import Certificate, Cone
from theory.trusted.terms import (
    Apply,
    Function,
    Gradient,
    IllFormed,
    Named,
    Operator,
    Param,
    Relation,
    Scalar,
    Vector,
    stated,
)

ITERATE = Named("x")


class Status(StrEnum):
    """What is known of a claim.  Only the kernel may say `proved`."""

    PROVED = "proved"
    REFUTED = "refuted"
    UNDECIDED = "undecided"
    ERROR = "error"


class Kind(StrEnum):
    """What sort of statement a theorem is."""

    UPPER_BOUND = "upper bound"
    SUFFICIENT = "sufficient condition"
    NECESSARY = "necessary condition"
    IDENTITY = "identity"


class Attribution(StrEnum):
    """How sure the link between this statement and its source is."""

    PRINTED = "as printed"
    RECONSTRUCTED = "reconstructed"
    DERIVED = "derived here"


@dataclass(frozen=True)
class Source:
    """Where a statement comes from."""

    reference: str
    place: str
    attribution: Attribution


@dataclass(frozen=True)
class Condition:
    """A hypothesis that is one relation; `implicit` if the published statement leaves it out."""

    name: str
    relation: Relation
    meaning: str = ""
    implicit: bool = False

    def __post_init__(self) -> None:
        stated(self.relation)


@dataclass(frozen=True)
class Rule:
    """A relation that holds for all vectors in place of `variables`."""

    name: str
    variables: tuple[Named, ...]
    relation: Relation

    def __post_init__(self) -> None:
        stated(self.relation)


@dataclass(frozen=True)
class Assumption:
    """A hypothesis that holds everywhere: a property of a function or operator, as usable rules."""

    name: str
    meaning: str
    source: str
    rules: tuple[Rule, ...]
    implicit: bool = False


Hypothesis = Condition | Assumption


@dataclass(frozen=True)
class Step:
    """One step of a proof."""

    name: str
    claim: Relation
    certificate: Certificate
    why: str

    def __post_init__(self) -> None:
        stated(self.claim)


@dataclass(frozen=True)
class Dynamics:
    """An algorithm run on a loss, or on its linearisation `H` at a minimum placed at the origin."""

    algorithm: SamSpec
    field: Function | Operator
    start: Vector

    def step(self) -> Vector:
        """One step of the algorithm from the iterate `x`, as an expression.

        Raises:
            IllFormed: if the language cannot state the algorithm (normalised, or a fresh batch).
        """
        field = replace(self.field, sampled=self.algorithm.stochastic)

        def gradient(point: Vector) -> Vector:
            return Gradient(field, point) if isinstance(field, Function) else Apply(field, point)

        try:
            result: Vector = self.algorithm.step(
                ITERATE, Param("step_size"), Param("radius"), gradient
            )
        except ValueError as problem:
            raise IllFormed(f"the language cannot state this algorithm: {problem}") from problem
        return result


@dataclass(frozen=True)
class Root:
    """The real number s: the only root of a polynomial in an open interval.

    Attributes:
        polynomial: its coefficients, the constant first.
        low: the lower end of the interval.
        high: the upper end.
    """

    polynomial: tuple[Fraction, ...]
    low: Fraction
    high: Fraction


@dataclass(frozen=True)
class Algebraic:
    """The number c_0 + c_1 s + c_2 s² + ..., where s is the root that the witness declares."""

    coefficients: tuple[Fraction, ...]

    def __float__(self) -> float:
        raise TypeError("a number in a root s: theory.proving.models.of_witness gives its value")

    def __str__(self) -> str:
        powers = ("", " s", *(f" s^{i}" for i in range(2, len(self.coefficients))))
        terms = (f"{c}{p}" for c, p in zip(self.coefficients, powers, strict=False) if c)
        return " + ".join(terms) or "0"


Number = Fraction | Algebraic
Row = tuple[Number, ...]
Matrix = tuple[Row, ...]


@dataclass(frozen=True)
class Quadratic:
    r"""The function $\tfrac12\langle x, A x\rangle + \langle c, x\rangle + a$.

    Attributes:
        matrix: A, symmetric.
        linear: c.
        constant: a.
    """

    matrix: Matrix
    linear: Row
    constant: Number


@dataclass(frozen=True)
class Witness:
    r"""Numbers for the symbols of a statement: an exact instance of it.

    There are n equally likely samples.  A function or an operator has one entry for each of them,
    or a single one that is the same for all; what belongs to the mean is the mean of the entries.

    Attributes:
        parameters: a value for every parameter.
        vectors: a value in $\mathbb R^d$ for every named vector.
        curvatures: symmetric d by d matrices $A_b$, row by row: every operator without an entry of
            its own is $A_b$, and every function without one is $\tfrac12\langle x, A_b x\rangle$.
        operators: d by d matrices for operators of their own, by name.
        functions: quadratics for functions of their own, by name.
        root: the number s in which numbers that are not rational are written.
    """

    parameters: tuple[tuple[str, Number], ...]
    vectors: tuple[tuple[str, Row], ...]
    curvatures: tuple[Matrix, ...]
    operators: tuple[tuple[str, tuple[Matrix, ...]], ...] = ()
    functions: tuple[tuple[str, tuple[Quadratic, ...]], ...] = ()
    root: Root | None = None


@dataclass(frozen=True)
class Sentence:
    """A sentence about a theorem, with what says the same in symbols.

    Attributes:
        text: the sentence.
        said_by: the names of the hypotheses and conclusions that it puts in words, and `algorithm`
            for the step that is meant; none if the kernel has not seen it (see `text.prose`).
    """

    text: str
    said_by: tuple[str, ...] = ()


@dataclass(frozen=True)
class Quantity:
    """An expression of the statement under a name by which it can be evaluated and drawn."""

    name: str
    expression: Scalar
    meaning: str


@dataclass(frozen=True)
class Theorem:
    """A statement with its proof, or with an exact counterexample.

    A statement with a `refutation` claims its conclusions without proof (`building.UNPROVED`).

    Attributes:
        id: the name used on the command line.
        title: one line.
        statement: the claim in words, with its conventions: sentences that name what says the
            same in symbols, or plain text, which nothing is compared with.
        source: where it comes from, and how sure that is.
        kind: what sort of statement it is.
        hypotheses: everything that is assumed.
        divisors: proofs that what the statement divides by is positive.
        proof: the steps, in order.
        conclusion: the names of the steps that are the theorem.
        dynamics: the algorithm that is meant, and on what it runs, if it is about one.
        witness: an exact instance in which all hypotheses hold; a proof under hypotheses needs it,
            since it could be true of nothing.
        quantities: expressions of the statement that can be evaluated.
        findings: what the toolkit found out about it, in words that the kernel has not seen.
        expected: the status recorded with the theorem.
        refutation: an exact instance in which all hypotheses hold and a conclusion fails.
        repaired_by: the id of the proved theorem that says what is true instead.
        title_says: the names of the hypotheses and conclusions that the title sums up.
    """

    id: str
    title: str
    statement: str | tuple[Sentence, ...]
    source: Source
    kind: Kind
    hypotheses: tuple[Hypothesis, ...]
    divisors: tuple[Cone, ...]
    proof: tuple[Step, ...]
    conclusion: tuple[str, ...]
    dynamics: Dynamics | None = None
    witness: Witness | None = None
    quantities: tuple[Quantity, ...] = ()
    findings: tuple[str, ...] = ()
    expected: Status = Status.PROVED
    refutation: Witness | None = None
    repaired_by: str = ""
    title_says: tuple[str, ...] = ()


@dataclass(frozen=True)
class StepReport:
    """What the kernel says of one step."""

    name: str
    accepted: bool
    reason: str = ""


@dataclass(frozen=True)
class Failure:
    """A conclusion that does not hold in the refutation, with both sides evaluated there.

    Attributes:
        claim: the name of the conclusion.
        left: its left side.
        sign: the relation that should hold.
        right: its right side.
    """

    claim: str
    left: Number
    sign: str
    right: Number


@dataclass(frozen=True)
class Report:
    """What the kernel says of a theorem: `proved`, `refuted` or `undecided`.

    Attributes:
        status: the verdict.
        reason: why it is undecided, or what fails where it is refuted.
        steps: the steps of the proof that were replayed.
        redundant: the conditions and the rules of assumptions that no step appealed to.
        failure: the conclusion that the refutation refutes.
    """

    status: Status
    reason: str
    steps: tuple[StepReport, ...] = ()
    redundant: tuple[str, ...] = ()
    failure: Failure | None = None
