"""Exact counterexamples to mutated statements, from a pool of instances of the hypotheses."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from theory.proving.models import Model, failing_claims, of_witness, rational, relevant
from theory.proving.scenes import Scene, diagonal
from theory.proving.witnesses import free_vectors, instances, parameters
from theory.trusted import terms as T
from theory.trusted.statements import Step, Theorem

__all__ = ["SPECTRA", "TIMES", "UNITS", "counterexample", "is_weaker", "only", "pool"]

TIMES = (0, 1, 2)
SPECTRA: tuple[tuple[tuple[int | str, ...], ...], ...] = (
    ((0,), (1,)),
    ((1,),),
    ((0,), (0,), (1,)),
    ((1,), (2,)),
    ((0,), (2,), (1,)),
    ((2,),),
    (("1/2",), (4,)),
    ((1, 0), (0, 1)),
    ((1, 2), (2, 1)),
    ((1, 3),),
    ((0, 1), (2, 1)),
    ((1, 2), (1, 4)),
    ((1, 1), (3, 1)),
    ((0, 0), (0, 2), (2, 0)),
)
UNITS: dict[int, list[tuple[Fraction, ...]]] = {
    1: [(Fraction(1),), (Fraction(-1),)],
    2: [
        (Fraction(1), Fraction(0)),
        (Fraction(0), Fraction(1)),
        (Fraction(3, 5), Fraction(4, 5)),
        (Fraction(-4, 5), Fraction(3, 5)),
        (Fraction(4, 5), Fraction(3, 5)),
    ],
}


def pool(theorem: Theorem, seed: int = 0, tries: int = 6, budget: int = 200) -> list[Model]:
    """Instances in which every hypothesis of the theorem holds, as different as can be had cheaply.

    Args:
        theorem: whose hypotheses are meant, and whose claims need values for their symbols.
        seed: of the choices among samples, vectors and parameters.
        tries: how many instances to look for with each set of samples.
        budget: how many values of parameters to try for each of them.
    """
    rng = random.Random(seed)
    claims = tuple(step.claim for step in theorem.proof if step.name in theorem.conclusion)
    dynamics = () if theorem.dynamics is None else (theorem.dynamics.step(), theorem.dynamics.start)
    also = parameters((claims, dynamics))
    names = free_vectors(theorem.hypotheses)
    found = [_furnished(model, (claims, dynamics), rng) for model in _witnesses(theorem)]
    for spectrum in SPECTRA:
        for attempt in range(tries):
            curvatures = tuple(diagonal(entries) for entries in spectrum)
            if attempt % 2 and len(spectrum[0]) == 2:
                curvatures = tuple(_rotated(matrix) for matrix in curvatures)
            scenes = _scenes(curvatures, len(names), rng)
            shuffle = rng if attempt else None
            search = instances(theorem.hypotheses, scenes, also=also, rng=shuffle, budget=budget)
            if model := next(search, None):
                found.append(_furnished(model, (claims, dynamics), rng))
    return found


def _witnesses(theorem: Theorem) -> Iterator[Model]:
    """The theorem's own instance, if it satisfies the hypotheses (those of a mutant may differ)."""
    if theorem.witness is not None:
        model = of_witness(theorem.witness)
        try:
            if all(model.satisfies(hypothesis) for hypothesis in theorem.hypotheses):
                yield model
        except (KeyError, ValueError, ZeroDivisionError):
            return  # a strict rule, or a symbol without a value: not decided


def _rotated(matrix: tuple[tuple[Fraction, ...], ...]) -> tuple[tuple[Fraction, ...], ...]:
    """A 2 by 2 diagonal matrix in the basis (3, 4)/5, (-4, 3)/5."""
    (p, _), (_, q) = matrix
    mixed = Fraction(12, 25) * (p - q)
    return (
        (Fraction(9, 25) * p + Fraction(16, 25) * q, mixed),
        (mixed, Fraction(16, 25) * p + Fraction(9, 25) * q),
    )


def _scenes(
    curvatures: tuple[tuple[tuple[Fraction, ...], ...], ...], count: int, rng: random.Random
) -> Iterator[Scene]:
    """A few choices of unit vectors for the vectors that hypotheses name."""
    units = UNITS[len(curvatures[0])]
    for _ in range(6 if count else 1):
        yield Scene(tuple(rng.choice(units) for _ in range(count)), curvatures)
    yield Scene(((Fraction(0),) * len(curvatures[0]),) * count, curvatures)


def _furnished(model: Model, tree: object, rng: random.Random) -> Model:
    """The model with a random value for every vector of the claims that has none."""
    names = {node.name for node in T.nodes(tree) if isinstance(node, T.Named)}
    free = {
        name: rational([rng.choice((-2, -1, 1, 2, 3)) for _ in range(model.curvatures.shape[-1])])
        for name in sorted(names - model.vectors.keys())
    }
    return replace(model, vectors={**model.vectors, **free})


def counterexample(theorem: Theorem, models: list[Model]) -> Model | None:
    """A model of the list in which a conclusion fails; it moves to the front of the list."""
    for i, model in enumerate(models):
        try:
            fails = failing_claims(model, theorem, TIMES)
        except (ZeroDivisionError, KeyError, ValueError):
            continue
        if fails:
            models.insert(0, models.pop(i))
            return model
    return None


def only(theorem: Theorem, claim: str) -> Theorem:
    """The theorem with one conclusion."""
    return replace(theorem, conclusion=(claim,)) if claim else theorem


def is_weaker(theorem: Theorem, mutant: Theorem, models: Sequence[Model]) -> bool:
    """Whether, in every instance, each changed claim asks for no more than the original.

    A fact about the instances that were tried, not a proof.
    """
    return bool(models) and all(
        _asks_no_more(replace(model, dynamics=theorem.dynamics), ours, theirs)
        for ours, theirs in zip(theorem.proof, mutant.proof, strict=True)
        if ours.name in theorem.conclusion and ours.claim != theirs.claim
        for model in models
    )


def _asks_no_more(model: Model, ours: Step, theirs: Step) -> bool:
    if ours.claim.sign != theirs.claim.sign or ours.claim.sign == "==":
        return False
    try:
        for time in relevant(theirs.claim, TIMES):
            now = replace(model, time=time)
            if np.any(now.scalar(theirs.claim.slack) < now.scalar(ours.claim.slack)):
                return False
    except (ZeroDivisionError, KeyError, ValueError):
        return False
    return True
