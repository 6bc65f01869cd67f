"""What a theorem is: hypotheses, claims and certificates as frozen data.  TRUSTED data.

A theorem's claims are those of the proof steps that `conclusion` names, so each inequality is
written once.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from theory.algorithms import SamSpec
from theory.certificates import Certificate, Cone
from theory.expressions.terms import (
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


@dataclass(frozen=True)
class Rule:
    """A relation that holds for all vectors in place of `variables`."""

    name: str
    variables: tuple[Named, ...]
    relation: Relation


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
class Lemma:
    """One step of a proof."""

    name: str
    claim: Relation
    certificate: Certificate
    why: str


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
        name, sampled = self.field.name, self.algorithm.stochastic

        def gradient(point: Vector) -> Vector:
            if isinstance(self.field, Function):
                return Gradient(Function(name, sampled), point)
            return Apply(Operator(name, sampled), point)

        try:
            result: Vector = self.algorithm.step(
                ITERATE, Param("step_size"), Param("radius"), gradient
            )
        except ValueError as problem:
            raise IllFormed(f"the language cannot state this algorithm: {problem}") from problem
        return result


@dataclass(frozen=True)
class Witness:
    """Numbers that satisfy all hypotheses: without them a theorem could be true of nothing.

    The samples are the quadratics with these matrices and the minimum 0 at the origin (see
    `theory.models`); every function and every operator of the statement is made of them.

    Attributes:
        parameters: a value for every parameter of the hypotheses.
        vectors: a value in Q^d for every named vector of the hypotheses.
        curvatures: the n symmetric d by d matrices, row by row.
    """

    parameters: tuple[tuple[str, Fraction], ...]
    vectors: tuple[tuple[str, tuple[Fraction, ...]], ...]
    curvatures: tuple[tuple[tuple[Fraction, ...], ...], ...]


@dataclass(frozen=True)
class Quantity:
    """An expression of the statement under a name by which it can be evaluated and drawn."""

    name: str
    expression: Scalar
    meaning: str


@dataclass(frozen=True)
class Theorem:
    """A statement with its proof.

    Attributes:
        id: the name used on the command line.
        title: one line.
        statement: the claim in words, with its conventions.
        source: where it comes from, and how sure that is.
        kind: what sort of statement it is.
        hypotheses: everything that is assumed.
        divisors: proofs that what the statement divides by is positive.
        proof: the steps, in order.
        conclusion: the names of the steps that are the theorem.
        dynamics: the algorithm that is meant, and on what it runs, if it is about one.
        witness: an exact instance in which all hypotheses hold; needed if there are any.
        quantities: expressions of the statement that can be evaluated.
        findings: what the toolkit found out about it, in words.
        expected: the status recorded with the theorem.
    """

    id: str
    title: str
    statement: str
    source: Source
    kind: Kind
    hypotheses: tuple[Hypothesis, ...]
    divisors: tuple[Cone, ...]
    proof: tuple[Lemma, ...]
    conclusion: tuple[str, ...]
    dynamics: Dynamics | None = None
    witness: Witness | None = None
    quantities: tuple[Quantity, ...] = ()
    findings: tuple[str, ...] = ()
    expected: Status = Status.PROVED


@dataclass(frozen=True)
class StepReport:
    """What the kernel says of one step."""

    name: str
    accepted: bool
    reason: str = ""


@dataclass(frozen=True)
class Report:
    """What the kernel says of a theorem: `proved` or `undecided`, never `refuted`.

    `redundant` names the conditions and the rules of assumptions that no step appealed to.
    """

    status: Status
    reason: str
    steps: tuple[StepReport, ...]
    redundant: tuple[str, ...]
