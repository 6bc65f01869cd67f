r"""Mini-batches drawn without replacement, by their second moment.

`K_b` is the mean of the Hessians of a batch of $B$ out of $n$ samples, `H_b` and `J_b` are two
different members of that batch.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from theory.language import *

K, K_b = Operator("K", symmetric=True), Operator("K", sampled=True, symmetric=True)
J_b = Operator("J", sampled=True, symmetric=True)
X = Operator("X", symmetric=True)
n, batch_size = Param("n"), Param("batch_size")
u, v = Named("u"), Named("v")
dynamics = Dynamics(SGD, K, x_0)

MANY = Condition("n > 1", scalar(1) < n)
SIZE = Condition("batch_size > 0", batch_size > 0)


def pairs(*samples: Sequence[Sequence[int]]) -> dict[str, list[Any]]:
    """Matrices for H, J and K: every batch of two different samples, in both orders."""
    drawn = list(itertools.permutations(samples, 2))
    return {
        "H": [first for first, _ in drawn],
        "J": [second for _, second in drawn],
        "K": [mean(*pair) for pair in drawn],
    }


THREE = ([[1, 0], [0, 0]], [[0, 0], [0, 1]], [[1, 1], [1, 1]])


def noise_share(size: Scalar) -> Scalar:
    r"""$(n - B)/(B(n - 1))$: the share of a sample's noise that is left in a batch of size B."""
    return (n - size) / (size * (n - 1))


def share_of(parameter: Param, size: Scalar) -> Condition:
    """The hypothesis that a parameter is a batch's share of the noise."""
    return Condition(
        parameter.name, parameter.equals(noise_share(size)), "share of the noise left in a batch"
    )


SHARE = share_of(p, batch_size)
BATCH_DIVISOR = times(Fact(SIZE.name), Fact(MANY.name))


def tested(first: Operator, second: Operator, left: Vector, right: Vector, test: bool) -> Scalar:
    """<A left, B right>, or <A left, X B right>, averaged over whatever is random."""
    weighed = X(second(right)) if test else second(right)
    return Mean(Inner(first(left), weighed))


def without_replacement(*, test: bool) -> Assumption:
    r"""What the second moments of a batch drawn without replacement satisfy.

    Args:
        test: whether the inner products carry the operator X.

    Rules:
        unbiased(u, v): $E K_b = H$.
        exchangeable(u, v): $B\,E\,K_b X K_b = E\,H_b X H_b + (B - 1)\,E\,H_b X J_b$.
        distinct(u, v): $(n - 1)\,E\,H_b X J_b = n\,H X H - E\,H_b X H_b$.
    """
    own, cross = tested(H_b, H_b, u, v, test), tested(H_b, J_b, u, v, test)
    of_batch = batch_size * tested(K_b, K_b, u, v, test)
    rules = {
        "unbiased": Inner(u, K(v)).equals(Inner(u, H(v))),
        "exchangeable": of_batch.equals(own + (batch_size - 1) * cross),
        "distinct": ((n - 1) * cross).equals(n * tested(H, H, u, v, test) - own),
    }
    return Assumption(
        "batch",
        "K_b is the mean over a batch of B out of n equally likely samples, drawn without "
        "replacement; H_b and J_b are two different members of it",
        "counting pairs",
        tuple(Rule(name, (u, v), relation) for name, relation in rules.items()),
    )


def second_moment(left: Vector, right: Vector, *, test: bool) -> Step:
    r"""$E\,K_b X K_b = (1 - p)\,H X H + p\,E\,H_b X H_b$ as a bilinear form."""
    own, mean = tested(H_b, H_b, left, right, test), tested(H, H, left, right, test)
    pairs = add(
        Multiple(n - 1, RuleAt("batch", "exchangeable", (left, right))),
        Multiple(batch_size - 1, RuleAt("batch", "distinct", (left, right))),
    )
    return Step(
        "second moment",
        tested(K_b, K_b, left, right, test).equals((1 - p) * mean + p * own),
        add(Multiple(1 / (batch_size * (n - 1)), pairs), Multiple(mean - own, Fact("p"))),
        "Count the pairs of samples in a batch: a member meets itself, or another one.",
    )


def unbiased(coefficient: Scalar | int, left: Vector, right: Vector) -> Cone:
    """A multiple of <left, H right> - <left, K right>, which is zero."""
    return Multiple(scalar(coefficient), RuleAt("batch", "unbiased", (left, right)))
