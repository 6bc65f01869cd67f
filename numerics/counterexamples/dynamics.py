r"""What an algorithm does at an exact counterexample: second moments in rational arithmetic.

A refutation gives the samples as quadratics $f_b(x) = \tfrac12 x^{\mathsf T} A_b x$, so that one
step is a random linear map, $x^+ = M_b x$, and $X_t = E\,x_t x_t^{\mathsf T}$ obeys
$$ X_{t+1} = \frac1n \sum_b M_b X_t M_b^{\mathsf T}. $$
A claim about the loss is followed in $E f(x_t)$, one about stability in $E\|x_t\|^2$.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

import theory
from numerics.checks import check_count
from theory.trusted.statements import Failure, Status, Theorem
from theory.trusted.terms import Function

__all__ = ["Recursion", "scene"]

#: A matrix or vector of `Fraction`.
Exact = NDArray[np.object_]


@dataclass(frozen=True)
class Recursion:
    r"""A refuted statement about an algorithm, as a random linear recursion.

    Attributes:
        theorem: the refuted statement.
        failure: the claim that fails, with both sides.
        algorithm: its name.
        maps: $M_b$ of every sample, n matrices of shape (d, d).
        start: $x_0$, shape (d,).
        form: $Q$ of what is followed, $x^{\mathsf T} Q x$, shape (d, d).
        measured: `loss` or `squared distance`.
    """

    theorem: Theorem
    failure: Failure
    algorithm: str
    maps: tuple[Exact, ...]
    start: Exact
    form: Exact
    measured: str

    def expected(self, steps: int) -> tuple[Fraction, ...]:
        r"""$E\,x_t^{\mathsf T} Q x_t$ for $t = 0, \dots,$ `steps`, exactly."""
        check_count("steps", steps)
        moment, values = np.outer(self.start, self.start), []
        for _ in range(steps + 1):
            values.append(Fraction((self.form * moment).sum()))
            moment = sum(m @ moment @ m.T for m in self.maps) / Fraction(len(self.maps))
        return tuple(values)

    def sampled(self, steps: int, seeds: Sequence[int]) -> NDArray[np.float64]:
        r"""$x_t^{\mathsf T} Q x_t$ along one run for each seed, shape (seeds, `steps` + 1)."""
        check_count("steps", steps)
        maps = np.array(self.maps, dtype=np.float64)
        form, start = (np.array(part, dtype=np.float64) for part in (self.form, self.start))
        values = np.empty((len(seeds), steps + 1))
        for run, seed in zip(values, seeds, strict=True):
            drawn = np.random.default_rng(seed).integers(len(maps), size=steps)
            x = start
            run[0] = x @ form @ x
            for time, sample in enumerate(drawn, start=1):
                x = maps[sample] @ x
                run[time] = x @ form @ x
        return values


def scene(name: str) -> Recursion:
    """The recursion at the counterexample of a refuted statement of the library.

    It starts at the vector for which the claim fails.

    Raises:
        ValueError: if the statement is unknown, is not refuted by the kernel, or names no
            algorithm.
    """
    theorem = theory.get(name)
    verdict = theory.check(theorem)
    if verdict.status is not Status.REFUTED or verdict.failure is None:
        raise ValueError(f"{name} is {verdict.status}: name a refuted statement")
    if theorem.dynamics is None or theorem.refutation is None:
        raise ValueError(f"{name} is about no algorithm: name another refuted statement")
    numbers = dict(theorem.refutation.parameters)
    samples = [np.array(rows, dtype=object) for rows in theorem.refutation.curvatures]
    identity = np.array(np.eye(len(samples[0]), dtype=int), dtype=object) * Fraction(1)
    maps = tuple(
        theorem.dynamics.algorithm.step(
            identity, numbers["step_size"], numbers.get("radius", Fraction(0)), sample.__matmul__
        )
        for sample in samples
    )
    (start,) = (np.array(vector, dtype=object) for _, vector in theorem.refutation.vectors)
    of_loss = isinstance(theorem.dynamics.field, Function)
    mean: Exact = np.sum(samples, axis=0) / Fraction(len(samples))
    return Recursion(
        theorem,
        verdict.failure,
        theorem.dynamics.algorithm.name,
        maps,
        start,
        mean / 2 if of_loss else identity,
        "loss" if of_loss else "squared distance",
    )
