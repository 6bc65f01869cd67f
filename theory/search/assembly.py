"""From multipliers with symbolic parameters to a certificate and a theorem for the kernel."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Sequence

from theory.search.candidates import is_sampled, value
from theory.search.fields import Element, Field, Ring
from theory.search.handelman import degree
from theory.search.proposals import Proposal
from theory.search.signs import Signs
from theory.search.squares import WeightedSquare, decompose
from theory.trusted import terms as T
from theory.trusted.certificates import Add, Cone, Fact, Invert, MeanOf, Multiple, Norm, Times
from theory.trusted.statements import Condition, Step, Theorem

__all__ = ["Uncertain", "certificate", "extended"]


class Uncertain(Exception):
    """A sign that the proof needs and that could not be certified."""


def certificate(proposal: Proposal, signs: Signs) -> Cone:
    """The proposal as a cone.

    Raises:
        Uncertain: if the sign of a multiplier, or S >= 0, cannot be certified.
    """
    field = proposal.given.field
    squares = decompose(
        proposal.matrix,
        acceptable=lambda square: signs.element(square.weight, strict=False) is not None,
        clear=functools.partial(_cleared, field),
        rank=lambda square: _size(square.weight) + sum(map(_size, square.coefficients)),
    )
    if squares is None:
        raise Uncertain(f"no sum of squares with certified weights: {_failures(signs)}")
    common = field.sympy.ring.one
    for weight in (*proposal.multipliers, *(square.weight for square in squares)):
        common = common.lcm(weight.denom)
    divisor = signs.sign(common, strict=True)
    if divisor is None:
        common = -common
        divisor = signs.sign(common, strict=True)
    if divisor is None:
        raise Uncertain(f"a divisor is not known to be positive: {_failures(signs)}")
    parts: list[Cone] = []
    for candidate, weight in zip(proposal.candidates, proposal.multipliers, strict=True):
        scaled = _times(weight, common)
        if not scaled:
            continue
        if candidate.zero:
            parts.append(Multiple(field.tree(scaled), candidate.cone))
        else:
            parts.append(_weighted(scaled, candidate.cone, signs))
    for square in squares:
        norm = _norm(proposal, square)
        parts.append(_weighted(_times(square.weight, common), norm, signs))
    total = parts[0] if len(parts) == 1 else Add(tuple(parts))
    return Times((Invert(divisor), total)) if degree(common) else total


def _cleared(field: Field, pivot: Element, row: Sequence[Element]) -> WeightedSquare:
    """`pivot * (row / pivot)^2` with polynomial coefficients."""
    entries = [entry / pivot for entry in row]
    common = field.sympy.ring.one
    for entry in entries:
        common = common.lcm(entry.denom)
    return WeightedSquare(pivot / common**2, tuple(entry * common for entry in entries))


def _size(number: Element) -> int:
    """How complicated a rational function is."""
    return sum(1 + sum(m) for poly in (number.numer, number.denom) for m in poly)


def _times(number: Element, poly: Ring) -> Ring:
    """A rational function times a multiple of its denominator, as a polynomial."""
    product = number * poly
    return product.numer.quo_ground(product.denom.LC)


def _weighted(weight: Ring, cone: Cone, signs: Signs) -> Cone:
    reason = signs.sign(weight, strict=False)
    if reason is None:
        raise Uncertain(f"a multiplier is not known to be non-negative: {_failures(signs)}")
    if not degree(weight) and weight == 1:
        return cone
    return Times((reason, cone))


def _failures(signs: Signs) -> str:
    return "; ".join(f"{poly} >= 0" for poly in signs.failed[-2:]) or "S is not semidefinite"


def _norm(proposal: Proposal, square: WeightedSquare) -> Cone:
    field, terms = proposal.given.field, []
    for coefficient, vector in zip(square.coefficients, proposal.vectors, strict=True):
        if coefficient:
            tree = field.tree(_times(coefficient, field.sympy.ring.one))
            one = isinstance(tree, T.Const) and tree.value == 1
            terms.append(vector if one else T.Scale(tree, vector))
    vector = terms[0] if len(terms) == 1 else T.VectorSum(tuple(terms))
    norm = Norm(vector)
    averaged = proposal.given.averaged and is_sampled(value(T.norm2(vector)))
    return MeanOf(norm) if averaged else norm


def extended(theorem: Theorem, step: Step, signs: Signs) -> Theorem:
    """The theorem with one more step, which joins the conclusion, and the divisors it needs.

    Args:
        theorem: the theorem so far.
        step: what joins.
        signs: what the hypotheses alone say, since divisors come before all steps.

    Raises:
        Uncertain: if a divisor is not known to be positive.
    """
    trees = (theorem.hypotheses, tuple(s.claim for s in theorem.proof), step)
    return dataclasses.replace(
        theorem,
        divisors=_ordered(theorem, dict(_divisors(trees, signs)), signs),
        proof=(*theorem.proof, step),
        conclusion=(*theorem.conclusion, step.name),
    )


def _divisors(tree: object, signs: Signs) -> Iterator[tuple[Element, Cone]]:
    """Everything that the statement and the certificate divide by, and why it is positive."""
    for node in T.nodes(tree):
        if isinstance(node, T.Quotient):
            number = value(node.divisor)
            if not number.top.is_constant:
                element = signs.field.element(number)
                cone = signs.element(element, strict=True)
                if cone is None:
                    raise Uncertain(f"a divisor is not known to be positive: {_failures(signs)}")
                yield element, cone


def _ordered(theorem: Theorem, divisors: dict[Element, Cone], signs: Signs) -> tuple[Cone, ...]:
    """The divisors in an order in which each is read after those that its facts divide by."""
    inside = {
        h.name: {element for element, _ in _divisors(h.relation, signs)}
        for h in theorem.hypotheses
        if isinstance(h, Condition)
    }
    done = list(theorem.divisors)
    proved = {element for element, cone in divisors.items() if cone in done}
    waiting = {element: cone for element, cone in divisors.items() if cone not in done}
    while waiting:
        ready = [
            element for element, cone in waiting.items() if _facts_inside(cone, inside) <= proved
        ]
        if not ready:
            raise Uncertain("the divisors of the conditions depend on each other")
        done.append(waiting.pop(ready[0]))
        proved.add(ready[0])
    return tuple(done)


def _facts_inside(cone: Cone, inside: dict[str, set[Element]]) -> set[Element]:
    """What the facts in a cone divide by."""
    facts = [node.name for node in T.nodes(cone) if isinstance(node, Fact)]
    return set().union(*(inside.get(name, set()) for name in facts))
